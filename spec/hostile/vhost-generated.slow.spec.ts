/** A few thousand generated hostile front ends; `npm run test:hostile` runs 200 000. */
import { FrontEndGenerator } from './front-end-generator.ts';

const CASES = 4000;
/** Cases that found something, with what it was. */
const FOUND: readonly (readonly [seed: number, index: number, what: string])[] = [
  [
    1,
    1936,
    'a region that is none was removed while a command ran, and its end threw into the core',
  ],
];

describe('generated hostile vhost-user front ends', function () {
  this.timeout(30_000);

  for (const [seed, index, what] of FOUND) {
    it(`case ${index} of seed ${seed}: ${what}`, () => {
      const generator = new FrontEndGenerator(seed);
      generator.run(index, index + 1);
      generator.end();
    });
  }

  const seed = Number(process.env['RINGSCSI_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  it(`${CASES} cases of seed ${seed}`, () => {
    const generator = new FrontEndGenerator(seed);
    generator.run(0, CASES);
    generator.end();
  });
});
