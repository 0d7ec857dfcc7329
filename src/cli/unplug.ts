/** `ringscsi unplug`: the devices QEMU emulates for guests, and what guests' drivers do to have them unplugged. */
import { readFileSync } from 'node:fs';
import type { AccessAnswer, EmulatedStatus } from '../daemon/unplug-house.ts';
import type { ControlClient } from '../transport/control/client.ts';
import { CONTROL_HELP, CONTROL_OPTION, withDaemon } from './daemon-connection.ts';
import { readTranscript, type TranscriptStep } from './port-transcript.ts';
import { table } from './table.ts';
import {
  type Arguments,
  DONE,
  FAILED,
  type Output,
  readAction,
  UsageError,
  type Verb,
} from './verb.ts';

const HELP = `ringscsi unplug list               emulated devices of guests, and what has taken over
ringscsi unplug play GUEST ACCESSES
                                   do what a driver in the guest does at ports 10h and 12h, and wait
ringscsi unplug restart GUEST      the guest is about to be started anew: LUNs that had taken over go
                                   to standby, so that QEMU can have their images

Guests and devices are those of serve --emulated. A stock QEMU does not forward these ports: a
hypervisor that binds them sends each access with the verb unplug.access of the control socket, see
docs/takeover.md. ACCESSES are separated by semicolons; numbers are hexadecimal; a read with a value
has to return it. A Linux driver does

  R.w 10=49d2; R.b 12=01; W.w 12=0003; W.l 10=00000001; R.w 10=49d2; W.w 10=0001

  --file           ACCESSES is the name of a file with one access a line
${CONTROL_HELP}
  --json           one object or list`;

const ACTIONS = ['list', 'play', 'restart'] as const;

const COLUMNS = [
  { title: 'GUEST' },
  { title: 'DEVICE' },
  { title: 'AT' },
  { title: 'LUN', align: 'right' },
  { title: 'STATE' },
] as const;

const DIGITS = { b: 2, w: 4, l: 8 } as const;

function emulatedTable(devices: readonly EmulatedStatus[]): string {
  if (devices.length === 0) return 'no emulated devices';
  const rows = devices.map(({ guest, device, at, lun, state, why }) => [
    guest,
    device,
    at,
    lun === null ? '-' : String(lun),
    why === null ? state : `${state}: ${why}`,
  ]);
  return table(COLUMNS, rows);
}

function hex({ width }: TranscriptStep, value: number): string {
  return value.toString(16).padStart(DIGITS[width], '0');
}

interface PlayedStep {
  readonly access: string;
  readonly value: string | null;
  readonly expected: boolean;
}

/** Plays step by step, as a driver would: it stops where an answer is not the one it wants. */
async function playSteps(
  daemon: ControlClient,
  guest: string,
  steps: readonly TranscriptStep[],
): Promise<PlayedStep[]> {
  const accesses = steps.map(({ direction, window, port, width, value }) => ({
    direction,
    window,
    port,
    width,
    value: direction === 'write' ? value : 0,
  }));
  const played: PlayedStep[] = [];
  const from = async (at: number): Promise<PlayedStep[]> => {
    const step = steps[at];
    if (step === undefined) return played;
    const call = daemon.call('unplug.access', { guest, accesses: [accesses[at]] });
    const { values } = (await call) as AccessAnswer;
    const [got] = values;
    const expected = got === undefined || step.value === null || got === step.value;
    played.push({
      access: step.text,
      value: got === undefined ? null : hex(step, got),
      expected,
    });
    return expected ? await from(at + 1) : played;
  };
  return await from(0);
}

function stepText({ access, value, expected }: PlayedStep): string {
  if (value === null) return access;
  return expected ? `${access}  -> ${value}` : `${access}  -> ${value}, which ends it`;
}

async function play(args: Arguments, output: Output): Promise<number> {
  const [guest = '', words = ''] = args.operands(1, 'GUEST', 'ACCESSES');
  const steps = readTranscript(args.flag('file') ? readText(words) : words);
  const { played, devices } = await withDaemon(args, async (daemon) => ({
    played: await playSteps(daemon, guest, steps),
    devices: (await daemon.call('unplug.settled', { guest })) as EmulatedStatus[],
  }));
  const text = [...played.map(stepText), '', emulatedTable(devices)].join('\n');
  output.result({ played, devices }, text);
  const ended = played.some(({ expected }) => !expected);
  return ended || devices.some(({ state }) => state === 'fallback') ? FAILED : DONE;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function list(args: Arguments, output: Output): Promise<number> {
  args.operands(1);
  const devices = await withDaemon(args, (daemon) => daemon.call('unplug.list'));
  output.result(devices, emulatedTable(devices as EmulatedStatus[]));
  return DONE;
}

async function restart(args: Arguments, output: Output): Promise<number> {
  const [guest = ''] = args.operands(1, 'GUEST');
  await withDaemon(args, (daemon) => daemon.call('unplug.restart', { guest }));
  output.result({ guest, restarted: true }, `guest "${guest}" can be started anew`);
  return DONE;
}

const RUN = { list, play, restart } as const;

export const verb: Verb = {
  help: HELP,
  options: { ...CONTROL_OPTION, file: { type: 'boolean' } },
  async run(args, output) {
    return await RUN[readAction(args, ACTIONS)](args, output);
  },
};
