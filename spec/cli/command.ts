/** Runs the command as people do: a process of its own, its output, its exit code. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../src/cli/command.ts';

export const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `ringscsi ...words` in `directory`, to its end. */
export async function ringscsi(directory: string, ...words: readonly string[]): Promise<Outcome> {
  const { RINGSCSI_CONTROL: _, ...env } = process.env;
  const child = spawn(process.execPath, [MAIN, ...words], {
    cwd: directory,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, out, err };
}

/** The same in this process and its working directory; for verbs that end by themselves. */
export async function ringscsiHere(...words: readonly string[]): Promise<Outcome> {
  let out = '';
  let err = '';
  const code = await runCommand(words, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

/** In a process of its own; it must exit with 0 and print one JSON value. */
export async function ringscsiJson<T>(directory: string, ...words: readonly string[]): Promise<T> {
  const { code, out, err } = await ringscsi(directory, ...words, '--json');
  assert.equal(code, 0, err);
  return JSON.parse(out) as T;
}

/** A daemon of its own process. */
export class Serving {
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;
  out = '';
  err = '';

  constructor(directory: string, ...words: readonly string[]) {
    this.#child = spawn(process.execPath, [MAIN, 'serve', ...words], {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stderr?.on('data', (chunk) => {
      this.err += chunk;
    });
    this.#exit = once(this.#child, 'close').then(([code]) => code);
  }

  /** Resolves with the ready line. */
  async ready(): Promise<string> {
    const { stdout } = this.#child;
    assert.ok(stdout !== null);
    const line = new Promise<string>((resolve) => {
      stdout.on('data', (chunk) => {
        this.out += chunk;
        if (this.out.includes('\n')) resolve(this.out);
      });
    });
    const ended = this.#exit.then((code) => {
      throw new Error(`serve ended with ${code}: ${this.err}`);
    });
    return await Promise.race([line, ended]);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Nobody reads its standard error and output any more. */
  stopListening(): void {
    this.#child.stderr?.destroy();
    this.#child.stdout?.destroy();
  }

  /** Resolves with the exit code. */
  ended(): Promise<number | null> {
    return this.#exit;
  }

  async stop(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return await this.#exit;
  }
}
