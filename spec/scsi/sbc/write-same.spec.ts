/** WRITE SAME(10) and (16) (SBC-3 5.43, 5.44). */
import { strict as assert } from 'node:assert';
import { FULL, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { ABORT_TASK } from '../../../src/scsi/sam.ts';
import { disk, type Testbed, type TestNexus } from '../../support/target.ts';
import { NDOB, pattern, UNMAP_BIT, writeSame10, writeSame16 } from './cdbs.ts';

const BLOCKS = 4096;
const ZERO = new Uint8Array(512);
const ONE = pattern(77, 1);

function filled(thin = true): { bed: Testbed; a: TestNexus } {
  const bed = disk({ blocks: BLOCKS, thin });
  bed.store.memory.set(pattern(0, BLOCKS));
  return { bed, a: bed.nexus('a').clear() };
}

/** Asserts that [lba, lba + blocks) all hold `block`, and that the neighbours are as they were. */
function expectRun(bed: Testbed, lba: number, blocks: number, block: Uint8Array): void {
  for (let i = lba; i < lba + blocks; i += 1) {
    assert.deepEqual(bed.store.memory.slice(i * 512, (i + 1) * 512), block, `block ${i}`);
  }
  if (lba > 0) {
    assert.deepEqual(bed.store.memory.slice((lba - 1) * 512, lba * 512), pattern(lba - 1, 1));
  }
  const end = lba + blocks;
  if (end < BLOCKS) {
    assert.deepEqual(bed.store.memory.slice(end * 512, (end + 1) * 512), pattern(end, 1));
  }
}

for (const [name, same] of [
  ['WRITE SAME(10)', writeSame10],
  ['WRITE SAME(16)', writeSame16],
] as const) {
  describe(name, () => {
    it('writes one block to every block of the range', () => {
      for (const [lba, blocks] of [
        [5, 1],
        [5, 3],
        [5, 129],
        [5, 1000],
        [BLOCKS - 256, 256],
      ] as const) {
        const { bed, a } = filled();
        const r = a.run(same(lba, blocks), { out: ONE, split: 100 });
        assert.equal(r.status, 0);
        assert.equal(r.residualOut, 0);
        expectRun(bed, lba, blocks, ONE);
      }
    });
    it('a length of 0 goes to the end', () => {
      const { bed, a } = filled();
      assert.equal(a.run(same(4000, 0), { out: ONE }).status, 0);
      expectRun(bed, 4000, 96, ONE);
    });
    it('a block of zeros becomes one request to zero', () => {
      const { bed, a } = filled();
      a.run(same(5, 1000), { out: ZERO });
      expectRun(bed, 5, 1000, ZERO);
      assert.deepEqual([bed.store.calls.writeZeroes, bed.store.calls.write], [1, 0]);
    });
    it('UNMAP = 1 with zeros unmaps, and zeros are read back', () => {
      const { bed, a } = filled();
      assert.equal(a.run(same(5, 1000, UNMAP_BIT), { out: ZERO }).status, 0);
      expectRun(bed, 5, 1000, ZERO);
      assert.deepEqual([bed.store.calls.discard, bed.store.calls.writeZeroes], [1, 0]);
    });
    it('UNMAP = 1 with other data writes the data', () => {
      const { bed, a } = filled();
      a.run(same(5, 10, UNMAP_BIT), { out: ONE });
      expectRun(bed, 5, 10, ONE);
      assert.equal(bed.store.calls.discard, 0);
    });
    it('UNMAP = 1 is 5/24/00 with a pointer on a fully provisioned unit', () => {
      const { bed, a } = filled(false);
      const r = a.run(same(5, 1, UNMAP_BIT), { out: ZERO });
      assert.equal(r.sense, '5/24/00');
      assert.equal(r.pointer, 'cdb 1.3');
      assert.equal(bed.store.requests.length, 0);
    });
    it('refuses ANCHOR, PBDATA, LBDATA and WRPROTECT', () => {
      const { bed, a } = filled();
      for (const flags of [0x10, 0x18, 0x04, 0x02, 0x20, 0x80]) {
        assert.equal(a.run(same(0, 1, flags), { out: ZERO }).sense, '5/24/00', `byte 1 ${flags}`);
      }
      assert.equal(bed.store.requests.length, 0);
    });
    it('wants exactly one block of data: none, half, two, or data-in instead are 5/24/00', () => {
      const { bed, a } = filled();
      for (const options of [
        {},
        { out: ONE.slice(0, 256) },
        { out: ONE.slice(0, 511) },
        { out: pattern(0, 2) },
        { in: 512 },
      ]) {
        assert.equal(a.run(same(0, 2), options).sense, '5/24/00');
      }
      assert.equal(bed.store.requests.length, 0);
    });
    it('a fault names the first bad block, in a later piece too', () => {
      const { bed, a } = filled();
      bed.store.hold = true;
      const pending = a.start(same(10, 300), { out: ONE });
      bed.store.release();
      bed.store.fail('write', MEDIUM_WRITE, 5 * 512);
      bed.store.release();
      assert.equal(pending.result.sense, '3/0c/00');
      assert.equal(pending.result.information, 10 + 128 + 5);
      assert.equal(bed.store.calls.write, 2);
    });
    it('aborted, it writes no further piece and gives its bounce buffer back', () => {
      const { bed, a } = filled();
      bed.store.hold = true;
      const pending = a.start(same(10, 300), { out: ONE, tag: 1 });
      const abort = a.manage(ABORT_TASK, 1);
      assert.equal(abort.done, false);
      bed.store.release();
      assert.ok(abort.done && pending.result.dropped);
      assert.equal(bed.store.calls.write, 1);
      assert.equal(bed.unit.block?.bounce.free, 2);
    });
    it('a fault while zeroing or unmapping is told', () => {
      const { bed, a } = filled();
      bed.store.fail('writeZeroes', FULL);
      assert.equal(a.run(same(10, 3), { out: ZERO }).sense, '7/27/07');
      bed.store.fail('discard', MEDIUM_WRITE, 512);
      const r = a.run(same(10, 3, UNMAP_BIT), { out: ZERO });
      assert.equal(r.sense, '3/0c/00');
      assert.equal(r.information, 11);
    });
    it('with the write cache off, GOOD means stable: data, zeros, unmapped', () => {
      for (const [flags, block] of [
        [0, ONE],
        [0, ZERO],
        [UNMAP_BIT, ZERO],
      ] as const) {
        const { bed, a } = filled();
        bed.store.stable.set(bed.store.memory);
        bed.unit.writeCacheEnabled = false;
        assert.equal(a.run(same(5, 200, flags), { out: block }).status, 0);
        bed.store.powerCut();
        expectRun(bed, 5, 200, block);
      }
    });
    it('with the write cache off, a flush that fails fails the command', () => {
      const { bed, a } = filled();
      bed.unit.writeCacheEnabled = false;
      bed.store.fail('flush', MEDIUM_WRITE);
      const r = a.run(same(5, 2), { out: ONE });
      assert.equal(r.sense, '3/0c/00');
      assert.equal(r.information, -1);
    });
    it('with the write cache on, nothing is flushed', () => {
      const { bed, a } = filled();
      a.run(same(5, 2), { out: ONE });
      assert.equal(bed.store.calls.flush, 0);
    });
    it('is 7/27/00 on a read-only unit, whatever its bits', () => {
      const a = disk({ readOnly: true }).nexus('a').clear();
      for (const flags of [0, UNMAP_BIT, 0x10]) {
        assert.equal(a.run(same(0, 1, flags), { out: ZERO }).sense, '7/27/00');
      }
    });
    it('gives its bounce buffer back after every end', () => {
      const { bed, a } = filled();
      const free = bed.unit.block?.bounce.free;
      a.run(same(0, 300), { out: ONE });
      a.run(same(0, 300), { out: ZERO });
      bed.store.fail('write', FULL);
      a.run(same(0, 300), { out: ONE });
      assert.equal(bed.unit.block?.bounce.free, free);
    });
  });
}

describe('WRITE SAME limits', () => {
  function large(): { bed: Testbed; a: TestNexus } {
    const bed = disk({ blocks: 16, thin: true });
    bed.store.resize(70_000 * 512);
    return { bed, a: bed.nexus('a').clear() };
  }
  it('takes 65535 blocks and refuses 65536 with a pointer to the length', () => {
    const { bed, a } = large();
    assert.equal(a.run(writeSame16(0, 65_535), { out: ONE }).status, 0);
    assert.deepEqual(bed.store.memory.slice(65_534 * 512, 65_535 * 512), ONE);
    const r = a.run(writeSame16(0, 65_536), { out: ONE });
    assert.equal(r.sense, '5/24/00');
    assert.equal(r.pointer, 'cdb 10.7');
  });
  it('holds the limit for "to the end" as well', () => {
    const { a } = large();
    const r = a.run(writeSame10(0, 0), { out: ZERO });
    assert.equal(r.sense, '5/24/00');
    assert.equal(r.pointer, 'cdb 7.7');
    assert.equal(a.run(writeSame10(70_000 - 65_535, 0), { out: ZERO }).status, 0);
  });
});

describe('WRITE SAME(16) NDOB', () => {
  it('writes zeros without a buffer', () => {
    const { bed, a } = filled();
    assert.equal(a.run(writeSame16(5, 100, NDOB)).status, 0);
    expectRun(bed, 5, 100, ZERO);
  });
  it('with UNMAP unmaps without a buffer', () => {
    const { bed, a } = filled();
    assert.equal(a.run(writeSame16(5, 100, NDOB | UNMAP_BIT)).status, 0);
    expectRun(bed, 5, 100, ZERO);
    assert.equal(bed.store.calls.discard, 1);
  });
  it('ignores a buffer that came all the same', () => {
    const { bed, a } = filled();
    const r = a.run(writeSame16(5, 2, NDOB), { out: ONE });
    assert.equal(r.residualOut, 512);
    expectRun(bed, 5, 2, ZERO);
  });
  it('does not exist in WRITE SAME(10)', () => {
    const { a } = filled();
    assert.equal(a.run(writeSame10(5, 2, NDOB), { out: ZERO }).sense, '5/24/00');
  });
});
