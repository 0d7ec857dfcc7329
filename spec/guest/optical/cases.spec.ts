/** The rows of the optical guest tests: what can be said of them without a guest. */
import { strict as assert } from 'node:assert';
import { BLANKS, caseName, FINISHED, isBlank } from './case.ts';
import { CASES } from './cases/all.ts';
import { checksOf } from './checks.ts';
import { limitFaults } from './known-limits.ts';
import { SHARED_MODES, sharedName } from './shared-drive.ts';

const names = [...CASES.map(caseName), ...SHARED_MODES.map(sharedName)];

describe('rows of the optical guest tests', () => {
  it('have names of their own', () => {
    assert.equal(new Set(names).size, names.length);
  });

  it('have a quick one for every medium', () => {
    for (const medium of [...BLANKS, ...Object.keys(FINISHED)]) {
      const quick = CASES.some((row) => row.medium === medium && row.quick === true);
      assert.ok(quick, medium);
    }
  });

  it('look at what they leave', () => {
    for (const row of CASES) {
      const looks = row.leaves.kind === 'looked at' ? row.steps : checksOf(row);
      assert.ok(looks.length > 0, caseName(row));
    }
  });

  it('that burn have something to burn', () => {
    for (const row of CASES.filter(({ medium }) => isBlank(medium))) {
      assert.ok(row.steps.length > 0, caseName(row));
    }
  });

  for (const peer of ['ringscsi', 'qemu'] as const) {
    it(`that ${peer} is known to fail are there, and justified`, () => {
      assert.deepEqual(limitFaults(peer, names), []);
    });
  }
});
