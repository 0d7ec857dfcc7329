/** The command `ringscsi`: finds the verb, reads its arguments, turns what it throws into a message and an exit code. */
import { ConfigError, unknownWord } from '../daemon/known-keys.ts';
import {
  type Arguments,
  DONE,
  FAILED,
  type Output,
  readArguments,
  UsageError,
  type Verb,
  WRONG_USAGE,
} from './verb.ts';

interface VerbEntry {
  readonly summary: string;
  /** Loaded when called: listing LUNs need not load what serves them. */
  readonly load: () => Promise<{ readonly verb: Verb }>;
}

const VERBS: ReadonlyMap<string, VerbEntry> = new Map<string, VerbEntry>([
  ['serve', { summary: 'serve disks to guests', load: () => import('./serve.ts') }],
  [
    'exec',
    { summary: 'send one raw CDB and show what comes back', load: () => import('./exec.ts') },
  ],
  ['lun', { summary: 'add, remove, list, resize LUNs', load: () => import('./lun.ts') }],
  [
    'media',
    {
      summary: 'load, eject, lock the media of drives; make and export recordable discs',
      load: () => import('./media.ts'),
    },
  ],
  [
    'library',
    { summary: 'give media names, list and export them', load: () => import('./library.ts') },
  ],
  ['guest', { summary: 'list or detach guests', load: () => import('./guest.ts') }],
  ['stats', { summary: 'show what the daemon has done', load: () => import('./stats.ts') }],
  ['trace', { summary: 'follow, save and show commands', load: () => import('./trace.ts') }],
  ['inject', { summary: 'make a disk fail or wait', load: () => import('./inject.ts') }],
  [
    'conformance',
    { summary: 'check a target by the standards', load: () => import('./conformance.ts') },
  ],
  [
    'qemu-args',
    { summary: 'print how QEMU attaches a stock guest', load: () => import('./qemu-args.ts') },
  ],
  [
    'unplug',
    { summary: 'play what a guest driver does to unplug', load: () => import('./unplug.ts') },
  ],
  [
    'takeover',
    { summary: 'move a guest from an emulated disk to a LUN', load: () => import('./takeover.ts') },
  ],
]);

function overview(): string {
  const lines = [...VERBS].map(([name, { summary }]) => `  ${name.padEnd(11)} ${summary}`);
  return [
    'ringscsi VERB [ARGUMENTS]    a SCSI target for virtual machines',
    '',
    ...lines,
    '',
    'ringscsi VERB --help tells more. Every verb has --json.',
    'Exit codes: 0 done, 1 refused or failed, 2 wrong usage.',
  ].join('\n');
}

/** Where what is printed goes: results, and everything else. */
export interface Streams {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Width of the terminal that `out` is; absent, or null: it is none. */
  readonly columns?: () => number | null;
}

function outputFor(args: Arguments, { out, err, columns = () => null }: Streams): Output {
  const json = args.flag('json');
  return {
    json,
    columns,
    result: (value, text) => out(`${json ? JSON.stringify(value) : text}\n`),
    note: (text) => err(`${text}\n`),
  };
}

/** Tells what went wrong; the exit code. */
function complain(error: unknown, json: boolean, help: string, { err }: Streams): number {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_INTERNAL';
  if (json) err(`${JSON.stringify({ error: { code, message } })}\n`);
  else err(`ringscsi: ${message}\n`);
  if (!(error instanceof UsageError)) return error instanceof ConfigError ? WRONG_USAGE : FAILED;
  if (!json) err(`${help}\n`);
  return WRONG_USAGE;
}

async function runVerb(
  entry: VerbEntry,
  words: readonly string[],
  streams: Streams,
): Promise<number> {
  const json = words.includes('--json');
  let help = overview();
  try {
    const { verb } = await entry.load();
    help = verb.help;
    if (words.includes('--help') || words.includes('-h')) {
      streams.out(`${help}\n`);
      return DONE;
    }
    const args = readArguments(verb, words);
    return await verb.run(args, outputFor(args, streams));
  } catch (error) {
    return complain(error, json, help, streams);
  }
}

/** Runs the command with the words after its name; resolves with the exit code. */
export async function runCommand(words: readonly string[], streams: Streams): Promise<number> {
  const [name, ...rest] = words;
  if (name === '--help' || name === '-h' || name === 'help') {
    streams.out(`${overview()}\n`);
    return DONE;
  }
  if (name === undefined) {
    return complain(new UsageError('a verb is missing'), false, overview(), streams);
  }
  const entry = VERBS.get(name);
  if (entry !== undefined) return await runVerb(entry, rest, streams);
  const known = unknownWord('verb', name, [...VERBS.keys()]);
  return complain(new UsageError(known), rest.includes('--json'), overview(), streams);
}
