/**
 * `npm run sim -- [--seeds N] [--first N] [--steps N] [--seed N] [--mutations]`: simulated worlds, each checked by the
 * reference model; with --mutations, whether it finds bugs that are planted.
 */
import { parseArgs } from 'node:util';
import { runMutations } from './mutations.ts';
import { World } from './world.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    first: { type: 'string', default: '1' },
    steps: { type: 'string', default: '300' },
    /** One world alone, with everything that happened. */
    seed: { type: 'string' },
    mutations: { type: 'boolean', default: false },
  },
});

const steps = Number(values.steps);

/** What went wrong in a world, with its end; null when nothing did. */
function failure(seed: number, lines: number): string | null {
  let trace: readonly string[] = [];
  try {
    const world = new World(seed);
    trace = world.trace;
    world.run(steps);
    return null;
  } catch (error) {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `${trace.slice(-lines).join('\n')}\n${what}`;
  }
}

function runSeeds(): number {
  const first = Number(values.first);
  const count = Number(values.seeds);
  const startedAt = performance.now();
  for (let seed = first; seed < first + count; seed += 1) {
    const found = failure(seed, 30);
    if (found === null) continue;
    console.log(`${found}\nviolation in world ${seed}; again with: npm run sim -- --seed ${seed}`);
    return 1;
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    `${count} worlds from seed ${first}, ${steps} steps each: no violation, ${seconds} s`,
  );
  return 0;
}

function runOne(seed: number): number {
  const found = failure(seed, Number.POSITIVE_INFINITY);
  console.log(found ?? `world ${seed}: no violation`);
  return found === null ? 0 : 1;
}

function run(): number {
  if (values.mutations) {
    return runMutations(Number(values.seeds), (line) => console.log(line)) === 0 ? 0 : 1;
  }
  return values.seed === undefined ? runSeeds() : runOne(Number(values.seed));
}

process.exitCode = run();
