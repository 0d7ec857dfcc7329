/** Anchored blocks of thin units (SBC-3 4.7.4, 5.28, 5.43, 6.6.7): unmapped, with their space kept. */
import { strict as assert } from 'node:assert';
import { FULL, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { disk, type Testbed, type TestNexus } from '../../support/target.ts';
import {
  getLbaStatusCdb,
  NDOB,
  pattern,
  read10,
  unmapCdb,
  unmapList,
  write10,
  writeSame10,
  writeSame16,
} from './cdbs.ts';

const BLOCKS = 4096;
const ZERO = new Uint8Array(512);
const ANCHOR_AND_UNMAP = 0x18;
const ANCHOR = 0x10;

function anchoring(canReserve = true): { bed: Testbed; a: TestNexus } {
  const bed = disk({ blocks: BLOCKS, thin: true, canReserve, discardBytes: 512 });
  bed.store.memory.set(pattern(0, 1024));
  return { bed, a: bed.nexus('a').clear() };
}

function anchor(a: TestNexus, lba: number, blocks: number): ReturnType<TestNexus['run']> {
  const out = unmapList([[lba, blocks]]);
  const cdb = unmapCdb(out.length);
  cdb[1] = 0x01;
  return a.run(cdb, { out });
}

/** `[lba, blocks, provisioning status]` of every descriptor of GET LBA STATUS. */
function status(a: TestNexus, lba: number): [number, number, number][] {
  const { dataIn } = a.run(getLbaStatusCdb(lba, 4096), { in: 4096 });
  const view = new DataView(dataIn.buffer, dataIn.byteOffset, dataIn.length);
  const runs: [number, number, number][] = [];
  for (let at = 8; at + 16 <= dataIn.length; at += 16) {
    runs.push([view.getUint32(at + 4), view.getUint32(at + 8), view.getUint8(at + 12)]);
  }
  return runs;
}

describe('anchored blocks', () => {
  it('ANC_SUP is told by a thin disk whose store keeps space, and by no other', () => {
    const b2 = (options: Parameters<typeof disk>[0]): number =>
      disk(options).nexus('a').clear().run('12 01 b2 00 08 00', { in: 8 }).dataIn[5] as number;
    assert.equal(b2({ thin: true, canReserve: true }), 0xe6);
    assert.equal(b2({ thin: true }), 0xe4);
    assert.equal(b2({ canReserve: true }), 0x00);
  });
  it('UNMAP with ANCHOR makes mapped and deallocated blocks anchored: zeros, status 2', () => {
    const { a } = anchoring();
    assert.equal(anchor(a, 1020, 8).status, 0);
    assert.deepEqual(a.run(read10(1020, 8), { in: 4096 }).dataIn, new Uint8Array(4096));
    assert.deepEqual(status(a, 1000), [
      [1000, 20, 0],
      [1020, 8, 2],
      [1028, 3068, 1],
    ]);
  });
  it('a write maps an anchored block', () => {
    const { a } = anchoring();
    anchor(a, 2000, 4);
    a.run(write10(2001, 1), { out: pattern(1, 1) });
    assert.deepEqual(status(a, 2000).slice(0, 3), [
      [2000, 1, 2],
      [2001, 1, 0],
      [2002, 2, 2],
    ]);
  });
  it('UNMAP without ANCHOR deallocates anchored blocks', () => {
    const { a } = anchoring();
    anchor(a, 2000, 4);
    const out = unmapList([[2000, 4]]);
    a.run(unmapCdb(out.length), { out });
    assert.deepEqual(status(a, 2000), [[2000, 2096, 1]]);
  });
  it('UNMAP with ANCHOR is stable before GOOD when the write cache is off', () => {
    const { bed, a } = anchoring();
    bed.store.stable.set(bed.store.memory);
    bed.unit.writeCacheEnabled = false;
    assert.equal(anchor(a, 10, 8).status, 0);
    bed.store.powerCut();
    assert.deepEqual(a.run(read10(10, 8), { in: 4096 }).dataIn, new Uint8Array(4096));
  });
  it('no space for an anchored block is 7/27/07', () => {
    const { bed, a } = anchoring();
    bed.store.fail('writeZeroes', FULL);
    assert.equal(anchor(a, 2000, 4).sense, '7/27/07');
  });
  it('a fault of the medium names the first block that is not anchored', () => {
    const { bed, a } = anchoring();
    bed.store.fail('writeZeroes', MEDIUM_WRITE, 2 * 512);
    const r = anchor(a, 2000, 4);
    assert.equal(r.sense, '3/0c/00');
    assert.equal(r.information, 2002);
  });
  it('without ANC_SUP the bit is refused, and blocks that space is kept for are called mapped', () => {
    const { bed, a } = anchoring(false);
    const refused = anchor(a, 0, 1);
    assert.equal(refused.sense, '5/24/00');
    assert.equal(refused.pointer, 'cdb 1.0');
    bed.store.canReserve = true;
    a.run(writeSame10(2000, 4), { out: ZERO });
    bed.store.canReserve = false;
    assert.deepEqual(status(a, 1999).slice(0, 2), [
      [1999, 1, 1],
      [2000, 4, 0],
    ]);
  });

  for (const [name, same] of [
    ['WRITE SAME(10)', writeSame10],
    ['WRITE SAME(16)', writeSame16],
  ] as const) {
    it(`${name} with UNMAP and ANCHOR anchors when the block is zeros`, () => {
      const { a } = anchoring();
      assert.equal(a.run(same(1020, 8, ANCHOR_AND_UNMAP), { out: ZERO }).status, 0);
      assert.deepEqual(status(a, 1020)[0], [1020, 8, 2]);
    });
    it(`${name} with UNMAP and ANCHOR writes a block that is not zeros (LBPRZ = 1)`, () => {
      const { bed, a } = anchoring();
      const block = pattern(77, 1);
      assert.equal(a.run(same(2000, 1, ANCHOR_AND_UNMAP), { out: block }).status, 0);
      assert.deepEqual(bed.store.memory.slice(2000 * 512, 2001 * 512), block);
      assert.deepEqual(status(a, 2000)[0], [2000, 1, 0]);
    });
    it(`${name} with ANCHOR and without UNMAP is 5/24/00 with a pointer`, () => {
      const { bed, a } = anchoring();
      const r = a.run(same(0, 1, ANCHOR), { out: ZERO });
      assert.equal(r.sense, '5/24/00');
      assert.equal(r.pointer, 'cdb 1.4');
      assert.equal(bed.store.requests.length, 0);
    });
  }
  it('WRITE SAME(16) with NDOB, UNMAP and ANCHOR anchors without data', () => {
    const { a } = anchoring();
    assert.equal(a.run(writeSame16(2000, 16, ANCHOR_AND_UNMAP | NDOB)).status, 0);
    assert.deepEqual(status(a, 2000)[0], [2000, 16, 2]);
  });
});
