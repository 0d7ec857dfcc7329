/** What every verb of the command is: its help, its options, and what it does. */
import { parseArgs } from 'node:util';
import { unknownWord } from '../daemon/known-keys.ts';

/** Exit codes of the command. */
export const DONE = 0;
export const FAILED = 1;
export const WRONG_USAGE = 2;

/** The command line is wrong; the help says how it goes. */
export class UsageError extends Error {
  readonly code = 'ERR_USAGE';
}

export interface OptionShape {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly short?: string;
}

type Value = string | boolean | (string | boolean)[] | undefined;

/** The options and positional arguments of one call. */
export class Arguments {
  readonly positionals: readonly string[];
  readonly #values: Readonly<Record<string, Value>>;

  constructor(values: Readonly<Record<string, Value>>, positionals: readonly string[]) {
    this.#values = values;
    this.positionals = positionals;
  }

  text(name: string): string | null {
    const value = this.#values[name];
    return typeof value === 'string' ? value : null;
  }

  texts(name: string): string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  /** The value of an option that must be there. Throws UsageError. */
  needed(name: string): string {
    return this.text(name) ?? missing(`--${name}`);
  }

  /** Exactly these positional arguments, after the `skip` first. Throws UsageError. */
  operands(skip: number, ...names: readonly string[]): string[] {
    const rest = this.positionals.slice(skip);
    const extra = rest[names.length];
    if (extra !== undefined) throw new UsageError(`"${extra}" is one argument too many`);
    return names.map((name, i) => rest[i] ?? missing(name));
  }

  /** A number from `least` to `most`, or null when the option is absent. Throws UsageError. */
  number(name: string, least: number, most: number): number | null {
    const value = this.text(name);
    if (value === null) return null;
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new UsageError(`--${name} is "${value}", a number from ${least} to ${most} is needed`);
  }
}

function missing(what: string): never {
  throw new UsageError(`${what} is missing`);
}

/** Where a verb prints. Standard output gets results only. */
export interface Output {
  readonly json: boolean;
  /** Width of the terminal that results go to, as it is now; null: they go elsewhere. */
  columns(): number | null;
  /** A result: `value` on one line with --json, else `text`. */
  result(value: unknown, text: string): void;
  /** Something for the person in front, on standard error. */
  note(text: string): void;
}

export interface Verb {
  /** Lines of help: how it is called, what it does, its options. */
  readonly help: string;
  readonly options: Readonly<Record<string, OptionShape>>;
  /** Does it and resolves with the exit code. Throws UsageError for wrong usage, anything else for a failure. */
  run(args: Arguments, output: Output): Promise<number>;
}

/** Options that every verb has. */
export const COMMON_OPTIONS: Readonly<Record<string, OptionShape>> = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
};

/** Reads what follows the verb. Throws UsageError. */
export function readArguments(verb: Verb, words: readonly string[]): Arguments {
  const options = { ...verb.options, ...COMMON_OPTIONS };
  for (const word of words) {
    if (word === '--') break;
    const name = /^--([^=]+)/.exec(word)?.[1];
    if (name !== undefined && !Object.hasOwn(options, name)) {
      const known = Object.keys(options).map((option) => `--${option}`);
      throw new UsageError(unknownWord('option', `--${name}`, known));
    }
  }
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options,
      allowPositionals: true,
      strict: true,
    });
    return new Arguments(values, positionals);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** The action of a verb that has several, for example `add` of `lun add`. Throws UsageError. */
export function readAction<const A extends string>(args: Arguments, actions: readonly A[]): A {
  const word = args.positionals[0];
  if (word === undefined) missing(`one of ${actions.join(', ')}`);
  const action = actions.find((candidate) => candidate === word);
  if (action !== undefined) return action;
  throw new UsageError(unknownWord('action', word, actions));
}
