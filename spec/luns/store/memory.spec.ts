/** The memory store: a disk that costs memory where it is written. */
import { strict as assert } from 'node:assert';
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { MemoryStore } from '../../../src/luns/store/memory.ts';
import { DONE, READ_ONLY } from '../../../src/scsi/contracts.ts';
import { isZero, StoreRequest } from '../store-request.ts';

const MIB = 1024 * 1024;

/** Blocks of 512 bytes that the memory files of this process hold. */
function memoryFileBlocks(): number {
  let blocks = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    const path = `/proc/self/fd/${fd}`;
    try {
      if (readlinkSync(path).includes('ringscsi-disk')) blocks += statSync(path).blocks;
    } catch {
      // The descriptor of the listing itself is closed by now.
    }
  }
  return blocks;
}

describe('luns/store/memory', () => {
  it('reads back, flushes, writes durably, discards, zeroes', () => {
    const s = MemoryStore.create(64 * MIB);
    const out = new StoreRequest(65536).fill(1);
    const back = new StoreRequest(65536);
    assert.equal(s.read(back.task, 0, 65536, back.segments), DONE);
    assert(isZero(back.bytes));
    assert.equal(s.write(out.task, 63 * MIB, 65536, out.segments, true), DONE);
    assert.equal(s.flush(out.task), DONE);
    assert.equal(s.read(back.task, 63 * MIB, 65536, back.segments), DONE);
    assert.deepEqual(back.bytes, out.bytes);
    assert.equal(s.canDiscard, true);
    assert.equal(s.discard(out.task, 63 * MIB + 512, 32768), DONE);
    assert.equal(s.writeZeroes(out.task, 63 * MIB + 40960, 4096, true), DONE);
    assert.equal(s.read(back.task, 63 * MIB, 65536, back.segments), DONE);
    const expected = out.bytes.slice();
    expected.fill(0, 512, 512 + 32768);
    expected.fill(0, 40960, 45056);
    assert.deepEqual(back.bytes.slice(), expected);
    s.close();
  });

  it('gives memory back when discarded', () => {
    const s = MemoryStore.create(64 * MIB);
    const out = new StoreRequest(8 * MIB).fill(2);
    const others = memoryFileBlocks();
    assert.equal(s.write(out.task, 0, 8 * MIB, out.segments, false), DONE);
    assert(memoryFileBlocks() - others >= (8 * MIB) / 512);
    assert.equal(s.discard(out.task, MIB, 7 * MIB), DONE);
    assert(memoryFileBlocks() - others <= (2 * MIB) / 512);
    s.close();
  });

  it('grows by zeros', () => {
    const s = MemoryStore.create(MIB);
    s.grow(2 * MIB);
    assert.equal(s.bytes, 2 * MIB);
    const back = new StoreRequest(4096).fill(3);
    assert.equal(s.read(back.task, 2 * MIB - 4096, 4096, back.segments), DONE);
    assert(isZero(back.bytes));
    s.close();
  });

  it('can be read-only', () => {
    const s = MemoryStore.create(MIB, true);
    const out = new StoreRequest(512).fill(4);
    assert.equal(s.write(out.task, 0, 512, out.segments, false), READ_ONLY);
    s.close();
  });
});
