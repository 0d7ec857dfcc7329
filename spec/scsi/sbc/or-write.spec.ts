/** ORWRITE(16) (SBC-3 5.9). */
import { strict as assert } from 'node:assert';
import { MEDIUM_READ, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { ABORT_TASK } from '../../../src/scsi/sam.ts';
import { disk } from '../../support/target.ts';
import { orWrite16, pattern, write10 } from './cdbs.ts';

describe('ORWRITE(16)', () => {
  it('sets bits: zeros | A5 is A5, A5 | 5A is FF, over several pieces and segments', () => {
    const bed = disk({ blocks: 4096 });
    const a = bed.nexus('a').clear();
    const first = a.run(orWrite16(3, 300), {
      out: new Uint8Array(300 * 512).fill(0xa5),
      split: 7000,
    });
    assert.equal(first.status, 0);
    assert.equal(first.residualOut, 0);
    const area = (): Uint8Array => bed.store.memory.subarray(3 * 512, 303 * 512);
    assert.ok(area().every((byte) => byte === 0xa5));
    a.run(orWrite16(3, 300), { out: new Uint8Array(300 * 512).fill(0x5a) });
    assert.ok(area().every((byte) => byte === 0xff));
    assert.equal(bed.store.memory[3 * 512 - 1], 0);
    assert.equal(bed.store.memory[303 * 512], 0);
  });
  it('honours DPO and FUA, refuses ORPROTECT', () => {
    const bed = disk();
    const a = bed.nexus('a').clear();
    const run = (flags: number): string =>
      a.run(orWrite16(0, 1, flags), { out: pattern(0, 1) }).sense;
    for (const flags of [0x10, 0x08]) assert.equal(run(flags), '');
    assert.deepEqual(
      bed.store.requests.filter(({ call }) => call === 'write').map(({ durable }) => durable),
      [false, true],
    );
    for (const protect of [0x20, 0xe0]) assert.equal(run(protect), '5/24/00');
  });
  it('keeps writes of others out while it runs', () => {
    const bed = disk();
    const a = bed.nexus('a').clear();
    const b = bed.nexus('b').clear();
    bed.store.hold = true;
    a.start(orWrite16(0, 1), { out: new Uint8Array(512).fill(0x0f) });
    const write = b.start(write10(0, 1), { out: new Uint8Array(512).fill(0xf0) });
    bed.store.release();
    assert.equal(write.done, false);
    bed.store.releaseAll();
    assert.equal(bed.store.memory[0], 0xf0);
  });
  it('aborted before its first write it writes nothing, after that it goes to its end', () => {
    const bed = disk({ blocks: 4096 });
    const a = bed.nexus('a').clear();
    bed.store.hold = true;
    a.start(orWrite16(0, 256), { out: new Uint8Array(256 * 512).fill(1), tag: 1 });
    const early = a.manage(ABORT_TASK, 1);
    bed.store.releaseAll();
    assert.equal(early.done, true);
    const written = bed.store.memory.subarray(0, 256 * 512).filter((byte) => byte === 1).length;
    assert.ok(written === 0 || written === 256 * 512, `${written} bytes: all or nothing`);
    a.start(orWrite16(0, 256), { out: new Uint8Array(256 * 512).fill(2), tag: 2 });
    bed.store.release(2);
    const late = a.manage(ABORT_TASK, 2);
    assert.equal(late.done, false);
    bed.store.releaseAll();
    assert.equal(late.done, true);
    assert.ok(bed.store.memory.subarray(0, 256 * 512).every((byte) => (byte & 2) !== 0));
  });
  it('medium errors name their LBA, of a short buffer the whole blocks count', () => {
    const bed = disk();
    const a = bed.nexus('a').clear();
    bed.store.fail('read', MEDIUM_READ, 512);
    const unread = a.run(orWrite16(5, 2), { out: pattern(5, 2) });
    assert.deepEqual([unread.sense, unread.information], ['3/11/00', 6]);
    bed.store.fail('write', MEDIUM_WRITE, 512);
    const unwritten = a.run(orWrite16(5, 2), { out: pattern(5, 2) });
    assert.deepEqual([unwritten.sense, unwritten.information], ['3/0c/00', 6]);
    const short = a.run(orWrite16(40, 3), { out: pattern(40, 3).slice(0, 1200) });
    assert.equal(short.status, 0);
    assert.equal(short.residualOut, 1200 - 1536);
    assert.deepEqual(bed.store.memory.slice(40 * 512, 42 * 512), pattern(40, 2));
    assert.equal(bed.store.memory[42 * 512], 0);
    assert.equal(bed.unit.block?.bounce.free, 2);
  });
});
