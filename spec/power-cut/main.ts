/** `npm run test:power-cut [-- --seed N] [--cuts N] [--mutation NAME]`: random power cuts, and what they lost. */
import { parseArgs } from 'node:util';
import { cutOwnJournal } from './own-journal.ts';
import type { Mutation } from './recording-engine.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    cuts: { type: 'string', default: '1000' },
    mutation: { type: 'string', default: 'none' },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const report = cutOwnJournal(seed, Number(values.cuts), values.mutation as Mutation);
for (const loss of report.losses.slice(0, 20)) process.stdout.write(`${loss}\n`);
process.stdout.write(
  `own journal, seed ${seed}: ${report.cuts} cuts, ${report.losses.length} losses (${report.replays} atomic writes finished)\n`,
);
process.exitCode = report.losses.length === 0 ? 0 : 1;
