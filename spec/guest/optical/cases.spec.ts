/** The rows of the optical guest tests: what can be said of them without a guest. */
import { strict as assert } from 'node:assert';
import { BLANKS, caseName, FINISHED, isBlank } from './case.ts';
import { CASES } from './cases/all.ts';
import { checksOf } from './checks.ts';
import { limitFaults } from './known-limits.ts';
import { suiteNames } from './suite.ts';
import { SUITES } from './suites.ts';

const names = [...CASES.map(caseName), ...SUITES.flatMap(suiteNames)];

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

  it('have every trace X1 to X14 and row 1 to 14 of the seed in two guests', () => {
    for (let i = 1; i <= 14; i += 1) {
      for (const what of [`X${i}`, `row ${i}`]) {
        const isThat = new RegExp(`^cd-rom two guests (trace )?${what}\\b`);
        assert.ok(
          names.some((name) => isThat.test(name)),
          what,
        );
      }
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
