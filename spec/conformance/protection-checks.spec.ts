/** The checks of protection information, run against our own disks of every type on every transport. */
import { strict as assert } from 'node:assert';
import { type CheckResult, runChecks } from '../../src/conformance/run.ts';
import { describeOnEveryPort } from '../support/ports.ts';

/** What is not looked at on a disk of a type: what it has no tags for, and what is about other disks. */
const NOT_APPLICABLE = {
  1: ['READ(10)', 'READ(10)', 'WRITE with protection', 'READ with protection'],
  2: ['READ(10)'],
  3: [
    ...['READ(10)', 'READ(10)', 'WRITE with protection', 'READ with protection'],
    ...['WRITE with protection', 'READ with protection'],
  ],
} as const;

const commands = (results: readonly CheckResult[], wanted: CheckResult['result']): string[] =>
  results.filter(({ result }) => result === wanted).map(({ command }) => command);

describeOnEveryPort('conformance checks of protection information', (bench) => {
  for (const type of [1, 2, 3] as const) {
    it(`pass on a disk of type ${type}, as far as they are about it`, async () => {
      const lun = await bench().disk(4 * 2 ** 20, undefined, { protection: type });
      const { initiator } = await bench().initiator(lun);
      const results = await runChecks(initiator, lun, true);
      assert.deepEqual(commands(results, 'fail'), []);
      assert.deepEqual(commands(results, 'not applicable'), NOT_APPLICABLE[type]);
    });
  }
});
