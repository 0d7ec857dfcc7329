/** Generated hostile front ends: `node generate.js [--seed N] [--cases N] [--index N]`. A seed and an index name a case. */
import { parseArgs } from 'node:util';
import { FrontEndGenerator, HostileCaseError } from './front-end-generator.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, cases: { type: 'string' }, index: { type: 'string' } },
});
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const first = Number(values.index ?? 0);
const cases = values.index === undefined ? Number(values.cases ?? 200_000) : 1;

console.log(`${cases} hostile front ends, seed ${seed}`);
const startedMs = performance.now();
const generator = new FrontEndGenerator(seed);
try {
  generator.run(first, first + cases);
  generator.end();
  console.log(`all ended as they should, ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
} catch (error) {
  if (!(error instanceof HostileCaseError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
