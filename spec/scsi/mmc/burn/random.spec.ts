/** Burners take a thousand random commands, and the disc is legal after each. `npm run test:burn -- 200` takes more seeds. */
import { MEDIUM_KINDS } from '../../../../src/scsi/mmc/burn/media.ts';
import { burnAtRandom } from '../../../support/random-burn.ts';

describe('random burning', () => {
  for (const kind of MEDIUM_KINDS) {
    it(`leaves a legal ${kind}`, () => {
      for (const seed of [1, 2]) burnAtRandom(kind, seed, 500);
    });
  }
});
