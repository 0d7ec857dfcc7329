/** The list of planted bugs keeps up with the core; `npm run sim -- --mutations` finds each of them. */
import { strict as assert } from 'node:assert';
import { hunt, MUTATIONS, occurrences } from './mutations.ts';

const SEEDS = 60;
/** Those that cost least to find, one from each half of the core. */
const HUNTED = ['ORDERED does not wait for older commands', 'a reset does not tell nexus 0'];

describe('planted bugs', () => {
  it('are listed once each, and at least ten of them', () => {
    const names = new Set(MUTATIONS.map(({ name }) => name));
    assert.equal(names.size, MUTATIONS.length);
    assert.ok(names.size >= 10);
  });

  for (const mutation of MUTATIONS) {
    it(`${mutation.name}: has its place in the core`, () => {
      assert.equal(occurrences(mutation), 1);
    });
  }

  for (const name of HUNTED) {
    it(`${name}: is found`, async function () {
      this.timeout(30_000);
      const mutation = MUTATIONS.find((each) => each.name === name);
      assert.ok(mutation);
      assert.ok(await hunt(mutation, SEEDS));
    });
  }
});
