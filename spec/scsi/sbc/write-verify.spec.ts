/** WRITE AND VERIFY(10), (12) and (16) (SBC-3 5.36 to 5.38). */
import { strict as assert } from 'node:assert';
import { MEDIUM_READ, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { disk } from '../../support/target.ts';
import { pattern, writeVerify10, writeVerify12, writeVerify16 } from './cdbs.ts';

const COMPARE = 0x02;

for (const [name, writeVerify] of [
  ['WRITE AND VERIFY(10)', writeVerify10],
  ['WRITE AND VERIFY(12)', writeVerify12],
  ['WRITE AND VERIFY(16)', writeVerify16],
] as const) {
  describe(name, () => {
    for (const flags of [0, COMPARE]) {
      it(`BYTCHK = ${flags >> 1}: writes through the cache and reads what it wrote`, () => {
        const bed = disk({ blocks: 4096 });
        const a = bed.nexus('a').clear();
        const r = a.run(writeVerify(7, 300, flags), { out: pattern(7, 300), split: 5000 });
        assert.equal(r.status, 0);
        assert.equal(r.residualOut, 0);
        assert.deepEqual(bed.store.memory.slice(7 * 512, 307 * 512), pattern(7, 300));
        bed.store.powerCut();
        assert.deepEqual(bed.store.memory.slice(7 * 512, 307 * 512), pattern(7, 300), 'durable');
        const calls = bed.store.requests.map(({ call }) => call);
        assert.deepEqual(calls, ['write', 'read', 'read', 'read']);
      });
    }
    it('BYTCHK = 1: what reads back differently is a miscompare at its LBA', () => {
      const bed = disk({ blocks: 4096 });
      const a = bed.nexus('a').clear();
      bed.store.hold = true;
      const pending = a.start(writeVerify(20, 4, COMPARE), { out: pattern(20, 4) });
      bed.store.release();
      bed.store.memory[22 * 512 + 9] = 0;
      bed.store.release();
      assert.equal(pending.result.sense, 'e/1d/00');
      assert.equal(pending.result.information, 22);
    });
    it('BYTCHK = 0 does not compare', () => {
      const bed = disk({ blocks: 4096 });
      const a = bed.nexus('a').clear();
      bed.store.hold = true;
      const pending = a.start(writeVerify(20, 4), { out: pattern(20, 4) });
      bed.store.release();
      bed.store.memory[22 * 512 + 9] = 0;
      bed.store.release();
      assert.equal(pending.result.status, 0);
    });
    it('BYTCHK = 2 and 3 are reserved', () => {
      const bed = disk();
      const a = bed.nexus('a').clear();
      for (const flags of [0x04, 0x06]) {
        const r = a.run(writeVerify(0, 1, flags), { out: pattern(0, 1) });
        assert.equal(r.sense, '5/24/00');
        assert.equal(r.pointer, 'cdb 1.2');
      }
      assert.equal(bed.store.requests.length, 0);
    });
    it('a write that fails is 3/0C/00 at its LBA and is not verified; an unreadable block is 3/11/00', () => {
      const bed = disk();
      const a = bed.nexus('a').clear();
      bed.store.fail('write', MEDIUM_WRITE, 2 * 512);
      const failed = a.run(writeVerify(5, 4), { out: pattern(5, 4) });
      assert.equal(failed.sense, '3/0c/00');
      assert.equal(failed.information, 7);
      assert.equal(bed.store.calls.read, 0);
      bed.store.fail('read', MEDIUM_READ, 512);
      const unread = a.run(writeVerify(5, 4), { out: pattern(5, 4) });
      assert.equal(unread.sense, '3/11/00');
      assert.equal(unread.information, 6);
    });
    it('is refused on a read-only unit, and writes nothing for no blocks', () => {
      const locked = disk({ readOnly: true });
      const r = locked
        .nexus('a')
        .clear()
        .run(writeVerify(0, 1), { out: pattern(0, 1) });
      assert.equal(r.sense, '7/27/00');
      const bed = disk();
      assert.equal(bed.nexus('a').clear().run(writeVerify(0, 0)).status, 0);
      assert.equal(bed.store.requests.length, 0);
    });
  });
}
