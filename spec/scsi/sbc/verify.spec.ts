/** VERIFY(10), VERIFY(12) and VERIFY(16) (SBC-3 5.29 to 5.31). */
import { strict as assert } from 'node:assert';
import { MEDIUM_READ, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { disk, type Testbed, type TestNexus } from '../../support/target.ts';
import { pattern, verify10, verify12, verify16 } from './cdbs.ts';

const BLOCKS = 4096;
const COMPARE = 0x02;
const RESERVED = 0x04;
const COMPARE_ONE = 0x06;

function filled(): { bed: Testbed; a: TestNexus } {
  const bed = disk({ blocks: BLOCKS });
  bed.store.memory.set(pattern(0, BLOCKS));
  return { bed, a: bed.nexus('a').clear() };
}

/** Bytes of `source` with one byte changed. */
function flip(source: Uint8Array, at: number): Uint8Array {
  const copy = source.slice();
  copy[at] = (copy[at] as number) ^ 0x80;
  return copy;
}

for (const [name, verify] of [
  ['VERIFY(10)', verify10],
  ['VERIFY(12)', verify12],
  ['VERIFY(16)', verify16],
] as const) {
  describe(name, () => {
    it('BYTCHK = 0 reads every block of the range from the medium', () => {
      const { bed, a } = filled();
      assert.equal(a.run(verify(10, 300)).status, 0);
      const reads = bed.store.requests.filter((request) => request.call === 'read');
      assert.equal(reads[0]?.position, 10 * 512);
      assert.equal(
        reads.reduce((sum, request) => sum + request.length, 0),
        300 * 512,
      );
    });
    it('BYTCHK = 0 flushes a volatile cache first: it is the medium that is verified', () => {
      const { bed, a } = filled();
      a.run(verify(0, 1));
      assert.deepEqual(
        bed.store.requests.map((request) => request.call),
        ['flush', 'read'],
      );
    });
    it('BYTCHK = 0 takes no data, whatever buffer there is', () => {
      const { a } = filled();
      const r = a.run(verify(0, 1), { out: flip(pattern(0, 1), 3) });
      assert.equal(r.status, 0);
      assert.equal(r.residualOut, 512);
    });
    it('BYTCHK = 1 with equal data is GOOD, over several pieces and segments', () => {
      const { a } = filled();
      const r = a.run(verify(9, 400, COMPARE), { out: pattern(9, 400), split: 5000 });
      assert.equal(r.status, 0);
      assert.equal(r.residualOut, 0);
    });
    it('BYTCHK = 1 names the block of the first difference: first, middle, last byte', () => {
      const { a } = filled();
      for (const byte of [0, 511, 512, 65_536 + 1, 399 * 512 + 511]) {
        const r = a.run(verify(9, 400, COMPARE), {
          out: flip(pattern(9, 400), byte),
          split: 5000,
        });
        assert.equal(r.sense, 'e/1d/00', `byte ${byte}`);
        assert.equal(r.information, 9 + Math.floor(byte / 512), `byte ${byte}`);
      }
    });
    it('BYTCHK = 3 compares one block with every block', () => {
      const { bed, a } = filled();
      for (let lba = 20; lba < 220; lba += 1) bed.store.memory.set(pattern(7, 1), lba * 512);
      const same = a.run(verify(20, 200, COMPARE_ONE), { out: pattern(7, 1), split: 100 });
      assert.equal(same.status, 0);
      assert.equal(same.residualOut, 0);
      bed.store.memory[219 * 512 + 5] = 0;
      const r = a.run(verify(20, 200, COMPARE_ONE), { out: pattern(7, 1), split: 100 });
      assert.equal(r.sense, 'e/1d/00');
      assert.equal(r.information, 219);
    });
    it('BYTCHK = 2 is reserved: 5/24/00 with a pointer to BYTCHK', () => {
      const { a } = filled();
      const r = a.run(verify(0, 1, RESERVED), { out: pattern(0, 1) });
      assert.equal(r.sense, '5/24/00');
      assert.equal(r.pointer, 'cdb 1.2');
    });
    it('honours DPO and refuses VRPROTECT', () => {
      const { a } = filled();
      assert.equal(a.run(verify(0, 1, 0x10)).status, 0);
      for (const protect of [0x20, 0x80, 0xe0]) {
        assert.equal(a.run(verify(0, 1, protect)).sense, '5/24/00');
      }
    });
    it('VERIFICATION LENGTH 0 is GOOD and reads nothing', () => {
      const { bed, a } = filled();
      assert.equal(a.run(verify(0, 0, COMPARE), { out: pattern(1, 1) }).status, 0);
      assert.equal(bed.store.requests.length, 0);
    });
    it('refuses more than MAXIMUM TRANSFER LENGTH', () => {
      const { a } = filled();
      assert.equal(a.run(verify(0, 2049)).sense, '5/24/00');
      assert.equal(a.run(verify(0, 2048)).status, 0);
    });
    it('names the first unreadable block, in a later piece too', () => {
      const { bed, a } = filled();
      bed.store.hold = true;
      const pending = a.start(verify(50, 300));
      bed.store.release(2);
      bed.store.fail('read', MEDIUM_READ, 3 * 512);
      bed.store.release();
      assert.equal(pending.result.sense, '3/11/00');
      assert.equal(pending.result.information, 50 + 128 + 3);
    });
    it('a flush that fails is 3/0C/00 without an LBA', () => {
      const { bed, a } = filled();
      bed.store.fail('flush', MEDIUM_WRITE);
      const r = a.run(verify(0, 1));
      assert.equal(r.sense, '3/0c/00');
      assert.equal(r.information, -1);
    });
    it('of a buffer that is too short compares the whole blocks and reports the overflow', () => {
      const { a } = filled();
      const good = a.run(verify(5, 3, COMPARE), { out: flip(pattern(5, 3), 1100).slice(0, 1200) });
      assert.equal(good.status, 0);
      assert.equal(good.residualOut, 1200 - 1536);
      const bad = a.run(verify(5, 3, COMPARE), { out: flip(pattern(5, 3), 600).slice(0, 1200) });
      assert.equal(bad.sense, 'e/1d/00');
      assert.equal(bad.information, 6);
    });
    it('without a buffer, or with a data-in buffer, compares nothing and moves nothing', () => {
      const { a } = filled();
      for (const check of [COMPARE, COMPARE_ONE]) {
        assert.equal(a.run(verify(5, 1, check)).residualOut, -512);
        const r = a.run(verify(5, 1, check), { in: 512 });
        assert.equal(r.status, 0);
        assert.equal(r.dataIn.length, 0);
      }
    });
    it('gives its bounce buffer back after every end', () => {
      const { bed, a } = filled();
      const free = bed.unit.block?.bounce.free;
      a.run(verify(5, 300));
      a.run(verify(5, 300, COMPARE), { out: pattern(6, 300) });
      bed.store.fail('read', MEDIUM_READ);
      a.run(verify(5, 300));
      assert.equal(bed.unit.block?.bounce.free, free);
    });
  });
}
