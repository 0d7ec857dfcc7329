/** A few simulated worlds with every test run; `npm run sim` does thousands, and plants bugs. */
import { strict as assert } from 'node:assert';
import { MUTATIONS } from './mutations.ts';
import { World } from './world.ts';

const WORLDS = 60;
const STEPS = 300;

describe('simulation', function () {
  this.timeout(20_000);

  it(`${WORLDS} worlds obey the reference model`, () => {
    const first = Math.floor(Math.random() * 2 ** 30);
    for (let seed = first; seed < first + WORLDS; seed += 1) {
      const world = new World(seed);
      try {
        world.run(STEPS);
      } catch (error) {
        const what = error instanceof Error ? error.message : String(error);
        assert.fail(`${what}; again with: npm run sim -- --seed ${seed}`);
      }
    }
  });

  it('a seed repeats a world', () => {
    const [one, two] = [new World(7), new World(7)];
    one.run(STEPS);
    two.run(STEPS);
    assert.deepEqual(one.trace, two.trace);
  });

  it('ten bugs at least are planted', () => {
    assert.ok(MUTATIONS.length >= 10);
    assert.equal(new Set(MUTATIONS.map(({ name }) => name)).size, MUTATIONS.length);
  });
});
