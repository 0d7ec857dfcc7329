/** `npm run demo`: a daemon with two disks and guests in processes of their own, everything that is shown checked. */
import { parseArgs } from 'node:util';
import { Cast } from './demo-cast.ts';
import { STEPS, Stage, type Step } from './demo-steps.ts';

const HELP = `npm run demo [-- --json]

Starts a daemon with two disks and guests in processes of their own, shows what they do, and checks it.
Exit code 0 when everything held, 1 when not, 2 for wrong usage.

  --json   one JSON object per step`;

const FAILED = 1;
const WRONG_USAGE = 2;
const NAME_WIDTH = Math.max(...STEPS.map(({ name }) => name.length));

interface Teller {
  told(step: Step, text: string, facts: Readonly<Record<string, unknown>>, ms: number): void;
  failed(step: Step, message: string): void;
  ended(ms: number): void;
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
  ended: (ms) => console.log(`${STEPS.length} steps, all checked, ${(ms / 1000).toFixed(1)} s`),
};

/** Runs the steps from `at` on. False at the first that fails. */
async function play(stage: Stage, teller: Teller, at = 0): Promise<boolean> {
  const step = STEPS[at];
  if (step === undefined) return true;
  const startedMs = performance.now();
  try {
    const { text, facts } = await step.run(stage);
    teller.told(step, text, facts, performance.now() - startedMs);
  } catch (error) {
    teller.failed(step, error instanceof Error ? error.message : String(error));
    return false;
  }
  return play(stage, teller, at + 1);
}

function readArguments(): { readonly json: boolean; readonly help: boolean } {
  const { values } = parseArgs({
    options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  return { json: values.json ?? false, help: values.help ?? false };
}

async function main(): Promise<number> {
  let options: ReturnType<typeof readArguments>;
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
  const startedMs = performance.now();
  const teller = options.json ? forScripts : forPeople;
  const cast = new Cast();
  const interrupted = (): void => {
    cast.end();
    process.exit(FAILED);
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  try {
    if (!(await play(new Stage(cast), teller))) return FAILED;
    teller.ended(performance.now() - startedMs);
    return 0;
  } finally {
    cast.end();
  }
}

process.exitCode = await main();
