/** UNMAP of a thin unit (SBC-3 5.28, 4.7). */
import { strict as assert } from 'node:assert';
import { FULL, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { ABORT_TASK } from '../../../src/scsi/sam.ts';
import { disk, type Testbed, type TestNexus } from '../../support/target.ts';
import { be, pattern, read10, unmapCdb, unmapList, write10 } from './cdbs.ts';

const BLOCKS = 4096;

function thin(): { bed: Testbed; a: TestNexus } {
  const bed = disk({ blocks: BLOCKS, thin: true });
  bed.store.memory.set(pattern(0, BLOCKS));
  return { bed, a: bed.nexus('a').clear() };
}

const unmap = (
  a: TestNexus,
  descriptors: readonly (readonly [number, number])[],
): ReturnType<TestNexus['run']> => {
  const out = unmapList(descriptors);
  return a.run(unmapCdb(out.length), { out });
};

describe('UNMAP', () => {
  it('makes the blocks read as zeros and leaves the neighbours', () => {
    const { a } = thin();
    const r = unmap(a, [[10, 3]]);
    assert.equal(r.status, 0);
    assert.equal(r.residualOut, 0);
    assert.deepEqual(
      a.run(read10(9, 5), { in: 2560 }).dataIn,
      Uint8Array.from([...pattern(9, 1), ...new Uint8Array(1536), ...pattern(13, 1)]),
    );
  });
  it('takes many descriptors, overlapping ones and empty ones among them', () => {
    const { a } = thin();
    assert.equal(
      unmap(a, [
        [10, 4],
        [12, 4],
        [10, 4],
        [0, 0],
        [20, 1],
        [BLOCKS - 1, 1],
      ]).status,
      0,
    );
    const isZero = (lba: number): boolean =>
      a.run(read10(lba, 1), { in: 512 }).dataIn.every((byte) => byte === 0);
    assert.deepEqual([9, 10, 15, 16, 20, 21, BLOCKS - 1].map(isZero), [
      false,
      true,
      true,
      false,
      true,
      false,
      true,
    ]);
  });
  it('takes 256 descriptors and a store that ends each one later, without growing the stack', () => {
    const { bed, a } = thin();
    bed.store.hold = true;
    const out = unmapList(Array.from({ length: 256 }, (_, i) => [i * 2, 1] as const));
    const pending = a.start(unmapCdb(out.length), { out });
    for (let i = 0; i < 256; i += 1) {
      assert.equal(pending.done, false);
      bed.store.release();
    }
    assert.equal(pending.result.status, 0);
    assert.equal(bed.store.calls.discard, 256);
  });
  it('reads the list once: what the initiator changes afterwards means nothing', () => {
    const { bed, a } = thin();
    bed.store.hold = true;
    const out = Uint8Array.from(
      unmapList([
        [1, 1],
        [2, 1],
      ]),
    );
    const pending = a.start(unmapCdb(out.length), { out });
    for (let i = 0; i < pending.task.dataOut.count; i += 1)
      pending.task.dataOut.memory[i]?.view.fill(0xff);
    bed.store.releaseAll();
    assert.equal(pending.result.status, 0);
    assert.deepEqual(
      bed.store.requests.map((request) => request.position),
      [512, 1024],
    );
  });
  it('PARAMETER LIST LENGTH 0 is GOOD, 1 to 7 is 5/1A/00', () => {
    const { bed, a } = thin();
    assert.equal(a.run(unmapCdb(0)).status, 0);
    for (let length = 1; length < 8; length += 1) {
      assert.equal(a.run(unmapCdb(length), { out: new Uint8Array(length) }).sense, '5/1a/00');
    }
    assert.equal(bed.store.calls.discard, 0);
  });
  it('an empty descriptor list is GOOD', () => {
    const { a } = thin();
    assert.equal(unmap(a, []).status, 0);
  });
  it('no blocks at LBA = capacity are GOOD', () => {
    const { a } = thin();
    assert.equal(unmap(a, [[BLOCKS, 0]]).status, 0);
  });
  it('ignores an incomplete last descriptor, whichever length cuts it', () => {
    const cut = (list: number[], at: number, value: number): number[] => {
      const copy = list.slice();
      copy.splice(at, 2, ...be(value, 2));
      return copy;
    };
    const two = unmapList([
      [1, 1],
      [5, 1],
    ]);
    for (const [what, out, length] of [
      ['BLOCK DESCRIPTOR DATA LENGTH', cut(two, 2, 31), 40],
      ['UNMAP DATA LENGTH', cut(two, 0, 37), 40],
      ['PARAMETER LIST LENGTH', two, 39],
    ] as const) {
      const { bed, a } = thin();
      assert.equal(a.run(unmapCdb(length), { out: out.slice(0, length) }).status, 0, what);
      assert.equal(bed.store.calls.discard, 1, what);
    }
  });
  it('lengths that say less than nothing mean no descriptor', () => {
    const { bed, a } = thin();
    const out = unmapList([[1, 1]]);
    out[1] = 3;
    assert.equal(a.run(unmapCdb(out.length), { out }).status, 0);
    assert.equal(bed.store.calls.discard, 0);
  });
  it('refuses 257 descriptors with a pointer to BLOCK DESCRIPTOR DATA LENGTH', () => {
    const { bed, a } = thin();
    const r = unmap(
      a,
      Array.from({ length: 257 }, (_, i) => [i, 1] as const),
    );
    assert.equal(r.sense, '5/26/00');
    assert.equal(r.pointer, 'list 2');
    assert.equal(bed.store.calls.discard, 0);
  });
  it('refuses a sum over 2^20 blocks with a pointer to the descriptor that exceeds it', () => {
    const bed = disk({ blocks: 16, thin: true });
    bed.store.bytes = 2 ** 30 * 512;
    const a = bed.nexus('a').clear();
    const r = unmap(a, [
      [0, 2 ** 20],
      [2 ** 20, 1],
    ]);
    assert.equal(r.sense, '5/26/00');
    assert.equal(r.pointer, 'list 32');
    assert.equal(bed.store.calls.discard, 0);
    assert.equal(unmap(a, [[0, 0xffffffff]]).sense, '5/26/00');
  });
  it('touches nothing when a later descriptor is out of range', () => {
    const { bed, a } = thin();
    const r = unmap(a, [
      [0, 1],
      [BLOCKS - 1, 2],
    ]);
    assert.equal(r.sense, '5/21/00');
    assert.equal(r.information, BLOCKS);
    assert.equal(bed.store.calls.discard, 0);
  });
  it('refuses a list that did not arrive whole, or came the wrong way', () => {
    const { bed, a } = thin();
    const out = unmapList([[1, 1]]);
    assert.equal(a.run(unmapCdb(24), { out: out.slice(0, 23) }).sense, '5/1a/00');
    assert.equal(a.run(unmapCdb(24)).sense, '5/1a/00');
    assert.equal(a.run(unmapCdb(24), { in: 24 }).sense, '5/1a/00');
    assert.equal(bed.store.calls.discard, 0);
  });
  it('reads no more of a long buffer than PARAMETER LIST LENGTH says', () => {
    const { bed, a } = thin();
    const out = unmapList([
      [1, 1],
      [2, 1],
    ]);
    const r = a.run(unmapCdb(24), { out });
    assert.equal(r.status, 0);
    assert.equal(r.residualOut, 16);
    assert.equal(bed.store.calls.discard, 1);
  });
  it('is stable before GOOD when the write cache is off, and the cache may have it when it is on', () => {
    const { bed, a } = thin();
    bed.store.memory.fill(7);
    bed.store.stable.fill(7);
    assert.equal(unmap(a, [[10, 8]]).status, 0);
    assert.equal(bed.store.stable[10 * 512], 7);
    bed.unit.writeCacheEnabled = false;
    assert.equal(unmap(a, [[20, 8]]).status, 0);
    assert.equal(bed.store.stable[20 * 512], 0);
    bed.store.fail('flush', MEDIUM_WRITE);
    assert.equal(unmap(a, [[30, 8]]).sense, '3/0c/00');
    assert.equal(unmap(a, []).status, 0, 'nothing has to be stable');
  });
  it('refuses ANCHOR', () => {
    const { a } = thin();
    assert.equal(a.run('42 01 00 00 00 00 00 00 00 00').sense, '5/24/00');
  });
  it('a fault in a later descriptor names its first bad block; the bounce buffer comes back', () => {
    const { bed, a } = thin();
    const free = bed.unit.block?.bounce.free;
    bed.store.hold = true;
    const out = unmapList([
      [10, 8],
      [100, 8],
      [200, 8],
    ]);
    const pending = a.start(unmapCdb(out.length), { out });
    bed.store.release();
    bed.store.fail('discard', MEDIUM_WRITE, 3 * 512);
    bed.store.release();
    assert.equal(pending.result.sense, '3/0c/00');
    assert.equal(pending.result.information, 103);
    assert.equal(bed.store.calls.discard, 2);
    assert.equal(bed.unit.block?.bounce.free, free);
  });
  it('aborted, it discards no further descriptor and gives its bounce buffer back', () => {
    const { bed, a } = thin();
    bed.store.hold = true;
    const out = unmapList([
      [10, 8],
      [100, 8],
    ]);
    const pending = a.start(unmapCdb(out.length), { out, tag: 1 });
    const abort = a.manage(ABORT_TASK, 1);
    assert.equal(abort.done, false);
    bed.store.release();
    assert.ok(abort.done && pending.result.dropped);
    assert.equal(bed.store.calls.discard, 1);
    assert.equal(bed.unit.block?.bounce.free, 2);
  });
  it('a full store is 7/27/07', () => {
    const { bed, a } = thin();
    bed.store.fail('discard', FULL);
    assert.equal(unmap(a, [[0, 1]]).sense, '7/27/07');
  });
  it('is 7/27/00 on a read-only store, 7/27/02 under software write protection', () => {
    const bed = disk({ thin: true, readOnly: true });
    assert.equal(unmap(bed.nexus('a').clear(), [[0, 1]]).sense, '7/27/00');
    const other = thin();
    other.bed.unit.softwareWriteProtect = true;
    assert.equal(unmap(other.a, [[0, 1]]).sense, '7/27/02');
  });
  it('does not exist on a fully provisioned unit', () => {
    assert.equal(unmap(disk().nexus('a').clear(), [[0, 1]]).sense, '5/20/00');
  });
  it('K23 never wipes a later write of the same blocks', () => {
    const { bed, a } = thin();
    bed.store.hold = true;
    const out = unmapList([[50, 4]]);
    const first = a.start(unmapCdb(out.length), { out });
    const second = a.start(write10(50, 4), { out: pattern(1000, 4) });
    assert.equal(bed.store.held.length, 1);
    bed.store.releaseAll();
    assert.equal(first.result.status, 0);
    assert.equal(second.result.status, 0);
    assert.deepEqual(bed.store.memory.slice(50 * 512, 54 * 512), pattern(1000, 4));
  });
});
