/** GET LBA STATUS (SBC-3 5.4), over stores that know their holes and a real sparse file. */
import { strict as assert } from 'node:assert';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { allocationEnd } from '../../../src/libc.ts';
import { disk, type TestNexus } from '../../support/target.ts';
import { getLbaStatusCdb, pattern, unmapCdb, unmapList } from './cdbs.ts';

/** `[lba, blocks, provisioning status]` of every descriptor, and the length field. */
function status(
  a: TestNexus,
  lba: number,
  allocation = 4096,
): { runs: [number, number, number][]; length: number } {
  const r = a.run(getLbaStatusCdb(lba, allocation), { in: 4096 });
  assert.equal(r.status, 0);
  const view = new DataView(r.dataIn.buffer, r.dataIn.byteOffset, r.dataIn.length);
  const runs: [number, number, number][] = [];
  for (let at = 8; at + 16 <= r.dataIn.length; at += 16) {
    assert.equal(view.getUint32(at + 12) & 0x00ffffff, 0);
    runs.push([view.getUint32(at + 4), view.getUint32(at + 8), view.getUint8(at + 12) & 0x0f]);
  }
  return { runs, length: view.getUint32(0) };
}

describe('GET LBA STATUS', () => {
  it('a fully provisioned disk is mapped from the block asked for to its end', () => {
    const a = disk({ blocks: 4096 }).nexus('a').clear();
    assert.deepEqual(status(a, 7), { runs: [[7, 4089, 0]], length: 20 });
    assert.deepEqual(status(a, 4095).runs, [[4095, 1, 0]]);
  });
  it('a thin disk tells runs in order, the first one from the block asked for', () => {
    const bed = disk({ blocks: 4096, thin: true });
    const a = bed.nexus('a').clear();
    bed.store.memory.set(pattern(16, 24), 16 * 512);
    bed.store.memory.set(pattern(1000, 8), 1000 * 512);
    assert.deepEqual(status(a, 3).runs, [
      [3, 13, 1],
      [16, 24, 0],
      [40, 960, 1],
      [1000, 8, 0],
      [1008, 3088, 1],
    ]);
    assert.deepEqual(status(a, 20).runs[0], [20, 20, 0]);
  });
  it('agrees with UNMAP', () => {
    const bed = disk({ blocks: 4096, thin: true });
    bed.store.memory.fill(0x77);
    const a = bed.nexus('a').clear();
    assert.deepEqual(status(a, 0).runs, [[0, 4096, 0]]);
    const list = unmapList([[64, 32]]);
    a.run(unmapCdb(list.length), { out: list });
    assert.deepEqual(status(a, 60).runs, [
      [60, 4, 0],
      [64, 32, 1],
      [96, 4000, 0],
    ]);
  });
  it('answers with what the allocation length holds, and at least says one', () => {
    const bed = disk({ blocks: 4096, thin: true });
    bed.store.memory.set(pattern(16, 8), 16 * 512);
    const a = bed.nexus('a').clear();
    assert.deepEqual(status(a, 0, 24), { runs: [[0, 16, 1]], length: 20 });
    assert.deepEqual(status(a, 0, 40).runs.length, 2);
    assert.deepEqual(status(a, 0, 47).length, 36);
    const short = a.run(getLbaStatusCdb(0, 10), { in: 64 });
    assert.equal(short.dataIn.length, 10);
    assert.equal(short.dataIn[3], 20);
  });
  it('a block of which a part is allocated is mapped', () => {
    const bed = disk({ blocks: 64, blockBytes: 4096, thin: true, discardBytes: 512 });
    bed.store.memory[4096 + 600] = 1;
    const a = bed.nexus('a').clear();
    assert.deepEqual(status(a, 0).runs, [
      [0, 1, 1],
      [1, 1, 0],
      [2, 62, 1],
    ]);
  });
  it('refuses blocks that are not there, fully provisioned or thin', () => {
    for (const thin of [false, true]) {
      const a = disk({ blocks: 4096, thin }).nexus('a').clear();
      for (const lba of [4096n, 4097n, 2n ** 63n, 2n ** 64n - 1n]) {
        assert.equal(a.run(getLbaStatusCdb(lba, 24), { in: 24 }).sense, '5/21/00', `${lba}`);
      }
    }
  });
});

describe('holes of a real file', () => {
  it('are found where they are', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-holes-'));
    const fd = openSync(join(directory, 'sparse'), 'w+');
    const bytes = 1024 * 1024;
    ftruncateSync(fd, bytes);
    const first = allocationEnd(fd, 0, bytes);
    writeSync(fd, Buffer.alloc(65536, 1), 0, 65536, 131072);
    const runs = [0, 4096, 131072, 140000, 196608].map((at) => allocationEnd(fd, at, bytes));
    closeSync(fd);
    rmSync(directory, { recursive: true });
    // A file system without holes says that all is data.
    if (first > 0) assert.deepEqual(runs, [bytes, bytes, bytes, bytes, bytes]);
    else assert.deepEqual(runs, [-131072, -131072, 196608, 196608, -bytes]);
  });
});
