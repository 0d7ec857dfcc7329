/** Burns at random with as many seeds as the first argument says, a thousand commands each, on every kind of medium. */
import { MEDIUM_KINDS } from '../../../../src/scsi/mmc/burn/media.ts';
import { burnAtRandom } from '../../../support/random-burn.ts';

const seeds = Number(process.argv[2] ?? 20);
for (const kind of MEDIUM_KINDS) {
  for (let seed = 1; seed <= seeds; seed += 1) burnAtRandom(kind, seed, 1000);
  process.stdout.write(`${kind}: ${seeds} seeds\n`);
}
