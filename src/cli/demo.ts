/** `npm run demo`: a daemon with disks, CD drives and guests in processes of their own, everything that is shown checked. */
import { parseArgs } from 'node:util';
import { Cast } from './demo-cast.ts';
import { missingForMachine } from './demo-machine.ts';
import { QEMU_STEPS, QemuStage } from './demo-qemu.ts';
import { Stage } from './demo-stage.ts';
import type { Step } from './demo-step.ts';
import { STEPS } from './demo-steps.ts';

const HELP = `npm run demo [-- --json] [-- --qemu]

Starts a daemon with disks, CD drives and guests in processes of their own, shows what they do, and checks it.
Exit code 0 when everything held, 1 when not, 2 for wrong usage.

  --qemu   the guest is a stock Linux in a stock QEMU (fetches Debian's kernel with apt the first time)
  --json   one JSON object per step`;

const FAILED = 1;
const WRONG_USAGE = 2;
const NAME_WIDTH = Math.max(...[...STEPS, ...QEMU_STEPS].map(({ name }) => name.length));

type Name = Pick<Step<never>, 'name'>;

interface Teller {
  told(step: Name, text: string, facts: Readonly<Record<string, unknown>>, ms: number): void;
  failed(step: Name, message: string): void;
  ended(steps: number, ms: number): void;
}

const forScripts: Teller = {
  told: (step, _text, facts, ms) => {
    console.log(JSON.stringify({ step: step.name, ok: true, ms: Math.round(ms), ...facts }));
  },
  failed: (step, error) => console.log(JSON.stringify({ step: step.name, ok: false, error })),
  ended: () => undefined,
};

const forPeople: Teller = {
  told: (step, text, _facts, ms) => {
    const time = `${(ms / 1000).toFixed(2)} s`;
    console.log(`  ok  ${step.name.padEnd(NAME_WIDTH)}  ${time.padStart(7)}  ${text}`);
  },
  failed: (step, error) => console.log(`FAIL  ${step.name.padEnd(NAME_WIDTH)}           ${error}`),
  ended: (steps, ms) => console.log(`${steps} steps, all checked, ${(ms / 1000).toFixed(1)} s`),
};

/** Runs the steps from `at` on. False at the first that fails. */
async function play<S>(
  steps: readonly Step<S>[],
  stage: S,
  teller: Teller,
  at = 0,
): Promise<boolean> {
  const step = steps[at];
  if (step === undefined) return true;
  const startedMs = performance.now();
  try {
    const { text, facts } = await step.run(stage);
    teller.told(step, text, facts, performance.now() - startedMs);
  } catch (error) {
    teller.failed(step, error instanceof Error ? error.message : String(error));
    return false;
  }
  return play(steps, stage, teller, at + 1);
}

interface Options {
  readonly json: boolean;
  readonly qemu: boolean;
  readonly help: boolean;
}

function readArguments(): Options {
  const { values } = parseArgs({
    options: {
      json: { type: 'boolean' },
      qemu: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const { json = false, qemu = false, help = false } = values;
  return { json, qemu, help };
}

/** Plays a demo to its end, whatever that is, and leaves nothing behind. */
async function show<S>(
  steps: readonly Step<S>[],
  stage: S,
  teller: Teller,
  end: () => void,
): Promise<number> {
  const startedMs = performance.now();
  const interrupted = (): void => {
    end();
    process.exit(FAILED);
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  try {
    if (!(await play(steps, stage, teller))) return FAILED;
    teller.ended(steps.length, performance.now() - startedMs);
    return 0;
  } finally {
    end();
  }
}

function showQemu(teller: Teller): Promise<number> {
  const missing = missingForMachine();
  if (missing !== null) {
    console.error(missing);
    return Promise.resolve(FAILED);
  }
  const cast = new Cast();
  const stage = new QemuStage(cast);
  return show(QEMU_STEPS, stage, teller, () => {
    stage.end();
    cast.end();
  });
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readArguments();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return WRONG_USAGE;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const teller = options.json ? forScripts : forPeople;
  if (options.qemu) return await showQemu(teller);
  const cast = new Cast();
  return await show(STEPS, new Stage(cast), teller, () => cast.end());
}

process.exitCode = await main();
