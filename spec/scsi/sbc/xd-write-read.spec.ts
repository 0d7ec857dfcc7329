/** XDWRITEREAD(10) (SBC-3 5.50). */
import { strict as assert } from 'node:assert';
import { MEDIUM_READ, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { ABORT_TASK } from '../../../src/scsi/sam.ts';
import { disk } from '../../support/target.ts';
import { FUA, pattern, ten, write10 } from './cdbs.ts';

const DISABLE_WRITE = 0x04;
const xd = (lba: number, blocks: number, flags = 0): number[] => ten(0x53, lba, blocks, flags);

function bench(options = {}) {
  const bed = disk({ blocks: 4096, ...options });
  return { bed, a: bed.nexus('a').clear(), store: bed.store };
}

describe('XDWRITEREAD(10)', () => {
  it('returns old XOR new and writes the new, over bounce buffers and segments', () => {
    const { a, store } = bench();
    const old = pattern(3, 300);
    a.run(write10(3, 300), { out: old });
    const young = pattern(700, 300);
    const r = a.run(xd(3, 300), { in: 300 * 512, out: young, split: 7000 });
    assert.deepEqual([r.status, r.residualIn, r.residualOut], [0, 0, 0]);
    assert.deepEqual(
      r.dataIn,
      young.map((byte, i) => byte ^ (old[i] as number)),
    );
    assert.deepEqual(store.memory.slice(3 * 512, 303 * 512), young);
    assert.equal(store.memory[303 * 512], 0);
  });

  it('with DISABLE WRITE = 1 returns the same and writes nothing', () => {
    const { a, store } = bench();
    a.run(write10(3, 1), { out: new Uint8Array(512).fill(0x0f) });
    const writes = store.calls.write;
    const r = a.run(xd(3, 1, DISABLE_WRITE), { in: 512, out: new Uint8Array(512).fill(0xff) });
    assert.deepEqual(r.dataIn, new Uint8Array(512).fill(0xf0));
    assert.equal(store.calls.write, writes);
    assert.equal(store.memory[3 * 512], 0x0f);
  });

  it('FUA makes the write durable', () => {
    const { a, store } = bench();
    a.run(xd(0, 1, FUA), { in: 512, out: new Uint8Array(512).fill(1) });
    assert.equal(store.requests.find(({ call }) => call === 'write')?.durable, true);
  });

  it('residuals in both directions: what came is written, what fits is returned', () => {
    const { a, store } = bench();
    const long = a.run(xd(0, 1), { in: 600, out: new Uint8Array(700).fill(1) });
    assert.deepEqual([long.residualIn, long.residualOut, long.dataIn.length], [88, 188, 512]);
    const short = a.run(xd(10, 3), { in: 100, out: new Uint8Array(1200).fill(2) });
    assert.deepEqual([short.status, short.residualIn, short.residualOut], [0, -1436, -336]);
    assert.deepEqual(short.dataIn, new Uint8Array(100).fill(2));
    assert.equal(store.memory[12 * 512 - 1], 2);
    assert.equal(store.memory[12 * 512], 0);
    const half = a.run(xd(0, 200), { in: 70_000, out: pattern(0, 200) });
    assert.deepEqual([half.status, half.residualIn], [0, 70_000 - 200 * 512]);
    assert.equal(half.dataIn.length, 70_000);
    assert.deepEqual(store.memory.slice(0, 200 * 512), pattern(0, 200));
    const none = a.run(xd(0, 0), { in: 512, out: new Uint8Array(512) });
    assert.deepEqual([none.status, none.residualIn, none.residualOut], [0, 512, 512]);
  });

  it('checks its range and its length', () => {
    const { a, store } = bench();
    const r = a.run(xd(4095, 2), { in: 1024, out: new Uint8Array(1024) });
    assert.deepEqual([r.sense, r.information], ['5/21/00', 4096]);
    const r2 = a.run(xd(0, 2049), { in: 512, out: new Uint8Array(512) });
    assert.deepEqual([r2.sense, r2.pointer], ['5/24/00', 'cdb 7.7']);
    assert.equal(store.requests.length, 0);
  });

  it('medium errors name the block', () => {
    const { a, store } = bench();
    store.fail('read', MEDIUM_READ, 512);
    const data = { in: 1024, out: new Uint8Array(1024) };
    const r = a.run(xd(5, 2), data);
    assert.deepEqual([r.sense, r.information], ['3/11/00', 6]);
    store.fail('write', MEDIUM_WRITE, 512);
    const w = a.run(xd(5, 2), data);
    assert.deepEqual([w.sense, w.information], ['3/0c/00', 6]);
  });

  it('is refused on a read-only disk, and keeps other writes out while it runs', () => {
    const locked = bench({ readOnly: true });
    const r = locked.a.run(xd(0, 1), { in: 512, out: new Uint8Array(512) });
    assert.equal(r.sense, '7/27/00');
    const { bed, a, store } = bench();
    const b = bed.nexus('b').clear();
    store.hold = true;
    const first = a.start(xd(0, 1), { in: 512, out: new Uint8Array(512).fill(0x0f) });
    const second = b.start(xd(0, 1), { in: 512, out: new Uint8Array(512).fill(0xf0) });
    store.releaseAll();
    assert.deepEqual(first.result.dataIn, new Uint8Array(512).fill(0x0f));
    assert.deepEqual(second.result.dataIn, new Uint8Array(512).fill(0xff));
  });

  it('aborted after its first write it goes to its end, before it nothing is written', () => {
    const { bed, a, store } = bench();
    const data = { in: 256 * 512, out: new Uint8Array(256 * 512).fill(2) };
    store.hold = true;
    a.start(xd(0, 256), { ...data, tag: 1 });
    store.release(2);
    const late = a.manage(ABORT_TASK, 1);
    assert.equal(late.done, false);
    store.releaseAll();
    assert.equal(late.done, true);
    assert.ok(store.memory.subarray(0, 256 * 512).every((byte) => byte === 2));
    store.hold = true;
    a.start(xd(1000, 256, DISABLE_WRITE), { ...data, tag: 2 });
    store.release(1);
    a.manage(ABORT_TASK, 2);
    store.releaseAll();
    assert.equal(bed.unit.block?.bounce.free, 2);
    assert.equal(store.memory[1000 * 512], 0);
  });

  it('may be lost by a flush of somebody else (SPC-4 4.5.7), unless nothing was written or FUA was set', () => {
    for (const [flags, sense] of [
      [0, '3/0c/00'],
      [FUA, ''],
      [DISABLE_WRITE, ''],
    ] as const) {
      const { bed, a, store } = bench();
      const b = bed.nexus('b').clear();
      a.run(xd(0, 200, flags), { in: 512, out: new Uint8Array(200 * 512) });
      store.fail('flush', MEDIUM_WRITE);
      assert.equal(b.run('35 00 00 00 00 00 00 00 00 00').sense, '3/0c/00');
      assert.equal(a.run('00 00 00 00 00 00').sense, sense);
    }
  });

  it('counts as a write', () => {
    const { bed, a } = bench();
    a.run(xd(0, 2), { in: 1024, out: new Uint8Array(1024) });
    assert.deepEqual([bed.unit.counters.writes, bed.unit.counters.bytesWritten], [1, 1024]);
  });
});
