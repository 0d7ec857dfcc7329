/** The io_uring of a reactor against the kernel: what it reads is what the file holds. */
import { strict as assert } from 'node:assert';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drainEventFd, mapAnonymous, Poller } from '../../src/libc.ts';
import { IoUring } from '../../src/reactor/io-uring.ts';

const PAGE = 4096;
const EBADF = 9;

describe('reactor/io-uring', function () {
  let ring: IoUring;
  let directory: string;
  const memory = mapAnonymous(16 * PAGE);
  const bytes = new Uint8Array(memory.buffer);
  const at = (offset: number): [number, number] => {
    const address = memory.address + offset;
    return [address % 2 ** 32, Math.floor(address / 2 ** 32)];
  };

  before(() => {
    const opened = IoUring.open(8);
    if (opened === null) {
      this.title += ' (skipped: the kernel refuses io_uring_setup)';
      this.ctx.skip();
    }
    ring = opened as IoUring;
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-uring-'));
  });
  after(() => {
    ring?.close();
    if (directory !== undefined) rmSync(directory, { recursive: true });
  });

  /** A file whose every page is filled with its number plus one. */
  function file(pages: number): number {
    const path = join(directory, 'pages');
    writeFileSync(
      path,
      Buffer.concat(Array.from({ length: pages }, (_, i) => Buffer.alloc(PAGE, i + 1))),
    );
    return openSync(path, 'r');
  }

  /** Submits and waits until `count` have completed: result by slot. */
  function completed(count: number): Map<number, number> {
    const results = new Map<number, number>();
    for (let tries = 0; results.size < count && tries < 1e6; tries += 1) {
      assert.equal(ring.submit(), 0);
      while (ring.reap()) results.set(ring.slot, ring.result);
    }
    return results;
  }

  it('reads a full queue of pages, each into its place, and tells the slots apart', () => {
    const fd = file(8);
    const index = ring.registerFile(fd);
    assert.ok(index >= 0);
    for (let i = 0; i < ring.entries; i += 1) {
      const [low, high] = at((7 - i) * PAGE);
      ring.prepareRead(100 + i, index, low, high, PAGE, i * PAGE);
    }
    const results = completed(8);
    for (let i = 0; i < 8; i += 1) {
      assert.equal(results.get(100 + i), PAGE);
      assert.equal(bytes[(7 - i) * PAGE + PAGE - 1], i + 1);
    }
    ring.unregisterFile(index);
    closeSync(fd);
  });

  it('goes round its queues many times', () => {
    const fd = file(2);
    const index = ring.registerFile(fd);
    for (let round = 0; round < 100; round += 1) {
      for (let i = 0; i < 3; i += 1) {
        const [low, high] = at(i * PAGE);
        ring.prepareRead(i, index, low, high, PAGE, (round % 2) * PAGE);
      }
      assert.equal(completed(3).size, 3);
      assert.equal(bytes[2 * PAGE], (round % 2) + 1);
    }
    ring.unregisterFile(index);
    closeSync(fd);
  });

  it('reads into several pieces, fewer bytes at the end of the file, none behind it', () => {
    const fd = file(2);
    const index = ring.registerFile(fd);
    const iovecs = new BigUint64Array(memory.buffer, 8 * PAGE, 4);
    iovecs.set([BigInt(memory.address), 100n, BigInt(memory.address + 1000), BigInt(PAGE)]);
    ring.prepareReadVector(1, index, memory.address + 8 * PAGE, 2, 2 * PAGE - 200);
    const [low, high] = at(PAGE);
    ring.prepareRead(2, index, low, high, PAGE, 2 * PAGE);
    bytes.fill(0, 0, 2000);
    const results = completed(2);
    assert.equal(results.get(1), 200);
    assert.equal(results.get(2), 0);
    assert.deepEqual(
      [bytes[99], bytes[100], bytes[1000], bytes[1099], bytes[1100]],
      [2, 0, 2, 2, 0],
    );
    ring.unregisterFile(index);
    closeSync(fd);
  });

  it('syncs a file, and goes on reading', () => {
    const fd = file(1);
    const index = ring.registerFile(fd);
    const [low, high] = at(0);
    ring.prepareSync(1, index);
    ring.prepareRead(2, index, low, high, PAGE, 0);
    assert.deepEqual(
      completed(2),
      new Map([
        [2, PAGE],
        [1, 0],
      ]),
    );
    ring.unregisterFile(index);
    closeSync(fd);
  });

  it('wakes whoever waits for its descriptor when a request completes later', () => {
    const fd = file(1);
    const index = ring.registerFile(fd);
    drainEventFd(ring.fd);
    ring.prepareSync(3, index);
    ring.submit();
    const poller = new Poller();
    poller.add(ring.fd);
    assert.equal(poller.wait(10_000), 1);
    poller.close();
    assert.ok(drainEventFd(ring.fd));
    assert.deepEqual([...completed(1)], [[3, 0]]);
    ring.unregisterFile(index);
    closeSync(fd);
  });

  it('answers for a file that is not registered any more with an error, and takes back what was not submitted', () => {
    const fd = file(1);
    const index = ring.registerFile(fd);
    ring.unregisterFile(index);
    const [low, high] = at(0);
    ring.prepareRead(5, index, low, high, PAGE, 0);
    ring.prepareRead(6, index, low, high, PAGE, 0);
    assert.equal(ring.withdraw(), 6);
    assert.deepEqual([...completed(1)], [[5, -EBADF]]);
    closeSync(fd);
  });
});
