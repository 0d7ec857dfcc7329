/** COMPARE AND WRITE (SBC-3 5.2): all of it or nothing, and nobody in between (bug 22 of the list). */
import { strict as assert } from 'node:assert';
import { MEDIUM_READ, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { ABORT_TASK } from '../../../src/scsi/sam.ts';
import { disk, type Testbed, type TestNexus } from '../../support/target.ts';
import { compareAndWriteCdb as caw, pattern, read10, write10 } from './cdbs.ts';

function bench(): { bed: Testbed; a: TestNexus } {
  const bed = disk({ blocks: 4096 });
  bed.store.memory.set(pattern(0, 4096));
  return { bed, a: bed.nexus('a').clear() };
}

const both = (compare: Uint8Array, write: Uint8Array): Uint8Array =>
  Uint8Array.from([...compare, ...write]);

describe('COMPARE AND WRITE', () => {
  for (const blocks of [1, 2, 127, 128]) {
    it(`writes ${blocks} blocks that hold what they should, in one request`, () => {
      const { bed, a } = bench();
      const fresh = pattern(9000, blocks);
      const r = a.run(caw(11, blocks), { out: both(pattern(11, blocks), fresh), split: 7000 });
      assert.equal(r.status, 0);
      assert.equal(r.residualOut, 0);
      assert.deepEqual(bed.store.memory.slice(11 * 512, (11 + blocks) * 512), fresh);
      assert.deepEqual(
        bed.store.requests.map(({ call, length }) => [call, length]),
        [
          ['read', blocks * 512],
          ['write', blocks * 512],
        ],
      );
    });
  }
  it('a difference is E/1D/00 with its byte offset, and nothing is written: every position of a block', () => {
    const { bed, a } = bench();
    const before = bed.store.memory.slice();
    for (let at = 0; at < 1024; at += 31) {
      const compare = pattern(5, 2);
      compare[at] = (compare[at] as number) ^ 1;
      const r = a.run(caw(5, 2), { out: both(compare, pattern(1, 2)) });
      assert.equal(r.sense, 'e/1d/00');
      assert.equal(r.information, at);
    }
    assert.deepEqual(bed.store.memory, before);
    assert.equal(bed.store.calls.write, 0);
  });
  it('no blocks is GOOD and does nothing; with data for 256 blocks, which the field cannot say, it is 5/24/00', () => {
    const { bed, a } = bench();
    assert.equal(a.run(caw(5, 0)).status, 0);
    assert.equal(a.run(caw(5, 0), { out: new Uint8Array(512 * 512) }).sense, '5/24/00');
    assert.equal(bed.store.requests.length, 0);
  });
  it('more blocks than the Block Limits page says are 5/24/00 at the field', () => {
    const { a } = bench();
    const limits = a.run('12 01 b0 00 40 00', { in: 64 });
    assert.equal(limits.dataIn[5], 128);
    const r = a.run(caw(0, 129), { out: new Uint8Array(129 * 1024) });
    assert.equal(r.sense, '5/24/00');
    assert.equal(r.pointer, 'cdb 13.7');
  });
  it('a buffer that is not twice the blocks is 5/24/00 and writes nothing', () => {
    const { bed, a } = bench();
    for (const bytes of [0, 512, 1023, 1025, 4 * 512]) {
      assert.equal(a.run(caw(5, 1), { out: new Uint8Array(bytes) }).sense, '5/24/00');
    }
    assert.equal(bed.store.requests.length, 0);
  });
  it('honours DPO, FUA and the write cache, refuses WRPROTECT', () => {
    const { bed, a } = bench();
    const run = (flags: number): string =>
      a.run(caw(5, 1, flags), { out: both(pattern(5, 1), pattern(5, 1)) }).sense;
    for (const flags of [0x10, 0x18]) assert.equal(run(flags), '');
    assert.deepEqual(
      bed.store.requests.filter(({ call }) => call === 'write').map(({ durable }) => durable),
      [false, true],
    );
    for (const protect of [0x20, 0xe0]) assert.equal(run(protect), '5/24/00');
  });
  it('K22 runs alone on its blocks: commands of others that touch them wait, the rest does not', () => {
    const { bed, a } = bench();
    const b = bed.nexus('b').clear();
    bed.store.hold = true;
    const swap = a.start(caw(5, 1), { out: both(pattern(5, 1), pattern(77, 1)) });
    const write = b.start(write10(5, 1), { out: pattern(88, 1) });
    const read = b.start(read10(5, 1), { in: 512 });
    const elsewhere = b.start(read10(6, 1), { in: 512 });
    assert.equal(bed.store.held.length, 2, 'the comparison and the read elsewhere');
    bed.store.releaseAt(1);
    assert.equal(elsewhere.done, true);
    bed.store.release();
    assert.equal(write.done, false, 'between comparison and write nobody comes in');
    assert.equal(bed.store.held.length, 1);
    bed.store.releaseAll();
    assert.equal(swap.result.status, 0);
    assert.equal(write.result.status, 0);
    assert.deepEqual(read.result.dataIn, pattern(88, 1));
  });
  it('aborted before it writes it writes nothing', () => {
    const { bed, a } = bench();
    bed.store.hold = true;
    const swap = a.start(caw(5, 1), { out: both(pattern(5, 1), pattern(77, 1)), tag: 42 });
    const abort = a.manage(ABORT_TASK, 42);
    assert.equal(abort.done, false);
    bed.store.release();
    assert.equal(abort.done, true);
    assert.equal(swap.result.dropped, true);
    assert.equal(bed.store.calls.write, 0);
  });
  it('medium errors name their LBA, and the bounce buffer comes back after every end', () => {
    const { bed, a } = bench();
    const free = bed.unit.block?.bounce.free;
    bed.store.fail('read', MEDIUM_READ, 512);
    const unread = a.run(caw(5, 2), { out: both(pattern(5, 2), pattern(5, 2)) });
    assert.deepEqual([unread.sense, unread.information], ['3/11/00', 6]);
    bed.store.fail('write', MEDIUM_WRITE, 0);
    const unwritten = a.run(caw(5, 2), { out: both(pattern(5, 2), pattern(5, 2)) });
    assert.deepEqual([unwritten.sense, unwritten.information], ['3/0c/00', 5]);
    a.run(caw(5, 2), { out: both(pattern(6, 2), pattern(5, 2)) });
    assert.equal(bed.unit.block?.bounce.free, free);
  });
  it('is refused on a read-only unit and beyond the end', () => {
    const a = disk({ readOnly: true }).nexus('a').clear();
    assert.equal(a.run(caw(0, 1), { out: new Uint8Array(1024) }).sense, '7/27/00');
    const { a: b } = bench();
    const r = b.run(caw(4095, 2), { out: new Uint8Array(2048) });
    assert.deepEqual([r.sense, r.information], ['5/21/00', 4096]);
    assert.equal(b.run(caw(2n ** 64n - 1n, 1), { out: new Uint8Array(1024) }).sense, '5/21/00');
  });
});
