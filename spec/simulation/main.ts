/**
 * `npm run sim`: simulations of the core against the reference model.
 *
 *   --seeds N       N seeds, from a random one (or --from S)
 *   --seconds T     as many seeds as T seconds allow
 *   --seed N        that seed alone, with every step
 *   --mutations     plants each bug of the list and demands that the seeds find it
 */
import { parseArgs } from 'node:util';
import { hunt, MUTATIONS } from './mutations.ts';
import { describeFailure, runSeed } from './run.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    from: { type: 'string' },
    mutations: { type: 'boolean' },
  },
});

function runMany(from: number, seeds: number, seconds: number): void {
  const startedMs = performance.now();
  const elapsed = (): number => (performance.now() - startedMs) / 1000;
  console.log(`simulations from seed ${from}`);
  let done = 0;
  for (; done < seeds && elapsed() < seconds; done += 1) {
    const failure = runSeed(from + done);
    if (failure === null) continue;
    console.error(describeFailure(failure));
    process.exitCode = 1;
    return;
  }
  console.log(`${done} seeds without a violation, ${elapsed().toFixed(1)} s`);
}

function runOne(seed: number): void {
  const failure = runSeed(seed);
  console.log(failure === null ? `seed ${seed}: no violation` : describeFailure(failure, 100_000));
  if (failure !== null) process.exitCode = 1;
}

async function runMutations(seeds: number): Promise<void> {
  let last = 0;
  for (const mutation of MUTATIONS) {
    // One after the other: each is a core of its own, and there is one processor to a simulation.
    const found = await hunt(mutation, seeds);
    const how = found === null ? 'NOT FOUND' : `seed ${found.seed}: ${found.message}`;
    console.log(`${mutation.name}\n    ${how}`);
    if (found === null) process.exitCode = 1;
    else last = Math.max(last, found.seed);
  }
  console.log(`without a bug, up to seed ${last}:`);
  runMany(1, last, Number.POSITIVE_INFINITY);
}

if (values.mutations === true) {
  await runMutations(Number(values.seeds ?? 500));
} else if (values.seed !== undefined) {
  runOne(Number(values.seed));
} else {
  const from = Number(values.from ?? Math.floor(Math.random() * 2 ** 30));
  const seeds = values.seconds === undefined ? 2000 : Number.POSITIVE_INFINITY;
  runMany(from, Number(values.seeds ?? seeds), Number(values.seconds ?? Number.POSITIVE_INFINITY));
}
