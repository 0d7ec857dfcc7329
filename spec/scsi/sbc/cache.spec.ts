/** SYNCHRONIZE CACHE(10) and (16): what GOOD promises (SBC-3 5.26, 5.27, 4.15). */
import { strict as assert } from 'node:assert';
import { GONE, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { disk } from '../../support/target.ts';
import { pattern, sync10, sync16, write10 } from './cdbs.ts';

for (const [name, sync] of [
  ['SYNCHRONIZE CACHE(10)', sync10],
  ['SYNCHRONIZE CACHE(16)', sync16],
] as const) {
  describe(name, () => {
    it('K01 makes every completed write stable, of any nexus', () => {
      const bed = disk();
      const [a, b] = [bed.nexus('a').clear(), bed.nexus('b').clear()];
      a.run(write10(3, 1), { out: pattern(3, 1) });
      assert.equal(b.run(sync(0, 0)).status, 0);
      bed.store.powerCut();
      assert.deepEqual(bed.store.memory.slice(3 * 512, 4 * 512), pattern(3, 1));
    });
    it('does not answer before the flush has ended, IMMED = 1 neither', () => {
      const bed = disk();
      const a = bed.nexus('a').clear();
      bed.store.hold = true;
      for (const flags of [0, 0x02]) {
        const pending = a.start(sync(0, 0, flags));
        assert.equal(pending.done, false);
        bed.store.release();
        assert.equal(pending.result.status, 0);
      }
    });
    it('accepts the obsolete SYNC_NV and still flushes', () => {
      const bed = disk();
      assert.equal(
        bed
          .nexus('a')
          .clear()
          .run(sync(0, 0, 0x04)).status,
        0,
      );
      assert.equal(bed.store.calls.flush, 1);
    });
    it('K17 a failed flush is 3/0C/00 without an LBA, and stays failed', () => {
      const bed = disk();
      const a = bed.nexus('a').clear();
      bed.store.fail('flush', MEDIUM_WRITE);
      const first = a.run(sync(7, 1));
      assert.equal(first.sense, '3/0c/00');
      assert.equal(first.information, -1);
      assert.equal(a.run(sync(7, 1)).sense, '3/0c/00');
      assert.equal(a.run(sync(0, 0, 0x02)).sense, '3/0c/00');
    });
    it('a store that is gone is 4/44/00', () => {
      const bed = disk();
      bed.store.fail('flush', GONE);
      assert.equal(bed.nexus('a').clear().run(sync(0, 0)).sense, '4/44/00');
    });
    it('a range of no blocks goes to the end', () => {
      const bed = disk({ blocks: 100 });
      const a = bed.nexus('a').clear();
      for (const lba of [0, 50, 99, 100]) assert.equal(a.run(sync(lba, 0)).status, 0);
    });
    it('flushes on a read-only store too: it writes nothing', () => {
      const bed = disk({ readOnly: true });
      assert.equal(bed.nexus('a').clear().run(sync(0, 0)).status, 0);
    });
    it('ignores buffers', () => {
      const bed = disk();
      const a = bed.nexus('a').clear();
      assert.equal(a.run(sync(0, 0), { in: 512 }).residualIn, 512);
      assert.equal(a.run(sync(0, 0), { out: pattern(0, 1) }).residualOut, 512);
    });
    it('still flushes with the write cache off', () => {
      const bed = disk();
      bed.unit.writeCacheEnabled = false;
      bed.nexus('a').clear().run(sync(0, 0));
      assert.equal(bed.store.calls.flush, 1);
    });
  });
}
