/** Blocks that cannot be read, and how often; what each command that reads says of them (facts: 3/11/05 with the block in INFORMATION). */
import { strict as assert } from 'node:assert';
import { injectedFaults } from '../../../src/luns/injected-faults.ts';
import type { FaultRule } from '../../../src/luns/store/fault.ts';
import { DiscFaults } from '../../../src/scsi/mmc/disc-faults.ts';
import { burner } from '../../support/burner.ts';
import { dataDisc, optical } from '../../support/optical.ts';

const BLOCKS = 64;
const bytes = new Uint8Array(BLOCKS * 2048).map((_, i) => i >> 11);
const drive = () => optical(dataDisc(BLOCKS), bytes);

describe('faults of discs', () => {
  it('the first block of a range that any of them names', () => {
    const faults = new DiscFaults([{ operation: 'read', first: 30, end: 40 }]);
    faults.set([
      { operation: 'read', first: 20, end: 21 },
      { operation: 'write', first: 0 },
    ]);
    const firstIn = (lba: number, blocks: number) => faults.firstIn('read', lba, blocks);
    assert.deepEqual([firstIn(0, 20), firstIn(0, 21), firstIn(21, 64)], [null, 20, 30]);
    assert.deepEqual([firstIn(39, 1), firstIn(40, 1), firstIn(35, 2)], [39, null, 35]);
    assert.equal(faults.firstIn('write', 5, 1), 5);
    faults.set([]);
    assert.deepEqual([firstIn(0, 30), firstIn(0, 31)], [null, 30], 'what lasts stays');
  });

  it('every command that reads stops there, and moves what is before', () => {
    const { bed, unit } = drive();
    const a = bed.nexus('a').clear();
    unit.optical?.faults.set([{ operation: 'read', first: 18, end: 20 }]);
    for (const cdb of [
      '28 00 00 00 00 10 00 00 08 00',
      'a8 00 00 00 00 10 00 00 00 08 00 00',
      'be 00 00 00 00 10 00 00 08 10 00 00',
    ]) {
      const { sense, information, dataIn } = a.run(cdb, { in: 8 * 2048 });
      assert.deepEqual([sense, information], ['3/11/05', 18], cdb);
      assert.deepEqual([dataIn[0], dataIn[2048]], [16, 17], cdb);
    }
    const { sense, information } = a.run('2f 00 00 00 00 10 00 00 08 00');
    assert.deepEqual([sense, information], ['3/11/05', 18]);
    assert.equal(a.run('28 00 00 00 00 14 00 00 08 00', { in: 8 * 2048 }).sense, '');
    assert.equal(a.run('44 00 00 00 00 12 00 00 08 00', { in: 8 }).sense, '3/11/05');
  });

  it('one that fails twice is there the third time', () => {
    const { bed, unit } = drive();
    const a = bed.nexus('a').clear();
    unit.optical?.faults.set([{ operation: 'read', first: 5, end: 6, count: 2 }]);
    const read = () => a.run('28 00 00 00 00 00 00 00 08 00', { in: 8 * 2048 }).sense;
    assert.deepEqual([read(), read(), read()], ['3/11/05', '3/11/05', '']);
  });

  it('VERIFY of a block that becomes unreadable while the store reads', () => {
    const { bed, unit, store } = drive();
    const a = bed.nexus('a').clear();
    store.hold = true;
    const pending = a.start('2f 00 00 00 00 00 00 00 08 00');
    unit.optical?.faults.set([{ operation: 'read', first: 0, end: 1 }]);
    store.hold = false;
    store.releaseAll();
    while (!pending.done && bed.timers.run());
    assert.deepEqual([pending.result.sense, pending.result.information], ['3/11/05', 0]);
  });
});

describe('rules of fault injection for drives', () => {
  const medium = (operation: FaultRule['operation'], more: Partial<FaultRule> = {}): FaultRule => ({
    operation,
    fault: 'medium',
    ...more,
  });

  it('medium faults are for the drive, which knows where a block is, the rest for the store', () => {
    const { unit } = burner('cd-r');
    const delay: FaultRule = { operation: 'read', delayMs: 5 };
    const { faults, others } = injectedFaults(3, unit, [
      medium('any', { firstLba: 16, lastLba: 31, count: 1 }),
      delay,
      medium('close'),
      medium('flush'),
    ]);
    assert.deepEqual(faults, [
      { operation: 'read', first: 16, end: 32, count: 1 },
      { operation: 'write', first: 16, end: 32, count: 1 },
      { operation: 'close' },
    ]);
    assert.deepEqual(others, [delay, medium('flush')]);
  });

  it('what nobody could act on is refused', () => {
    const { unit } = burner('cd-r');
    const refused = (rule: FaultRule, on = unit) => {
      assert.throws(() => injectedFaults(3, on, [rule]), { code: 'ERR_FAULT_RULE' });
    };
    refused({ operation: 'read', delayMs: 5, firstLba: 1 });
    refused({ operation: 'write', fault: 'full', firstLba: 1 });
    refused(medium('flush', { lastLba: 1 }));
    refused(medium('close', { firstLba: 1 }));
    refused(medium('calibration', { delayMs: 1 }));
    refused({ operation: 'calibration', fault: 'full' });
    refused(medium('calibration'), drive().unit);
  });
});
