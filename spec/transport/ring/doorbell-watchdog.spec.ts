/** A doorbell that a hostile initiator filled and made blocking: the writer hangs for real, the watchdog frees it. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import koffi from 'koffi';
import { close, createEventFd, drainEventFd } from '../../../src/libc.ts';
import { doorbellWords, ringDoorbell } from '../../../src/transport/doorbell.ts';
import { DoorbellWatchdog } from '../../../src/transport/doorbell-watchdog.ts';

const SCRIPT = new URL('./hostile-doorbell.js', import.meta.url);
const F_SETFL = 4;
const O_RDWR = 2;
const BRIM = Buffer.from('feffffffffffffff', 'hex');

/** An eventfd one short of overflowing, on which a write of one blocks. */
function hostileEventFd(): number {
  const fcntl = koffi.load(null).func('int fcntl(int fd, int cmd, intptr_t arg)');
  const fd = createEventFd();
  writeSync(fd, BRIM);
  assert.equal(fcntl(fd, F_SETFL, O_RDWR), 0);
  return fd;
}

describe('doorbell watchdog', () => {
  it('frees a thread that hangs in ringing, and tells it so', async function () {
    this.timeout(20_000);
    const fd = hostileEventFd();
    const worker = new Worker(SCRIPT, { workerData: { kind: 'ring', fd } });
    const ended = once(worker, 'exit');
    const [words] = (await once(worker, 'message')) as [Int32Array];
    let answer: readonly boolean[] | null = null;
    worker.on('message', (message: readonly boolean[]) => {
      answer = message;
    });
    await pause(100);
    assert.equal(answer, null, 'the thread hangs');
    const watchdog = new DoorbellWatchdog(words);
    assert.equal(watchdog.tick(), -1, 'once seen is no proof');
    await pause(20);
    assert.equal(answer, null);
    assert.equal(watchdog.tick(), fd);
    await ended;
    assert.deepEqual(answer, [false, true], 'the write that hung is marked, the next is not');
    assert.equal(watchdog.tick(), -1);
    assert.equal(watchdog.tick(), -1);
    assert.equal(drainEventFd(fd), true, 'both writes arrived');
    close(fd);
  });

  it('wins against an initiator that keeps refilling', async function () {
    this.timeout(20_000);
    const fd = hostileEventFd();
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const refiller = new Worker(SCRIPT, { workerData: { kind: 'refill', fd, stop } });
    const refillerEnded = once(refiller, 'exit');
    await once(refiller, 'message');
    const worker = new Worker(SCRIPT, { workerData: { kind: 'ring', fd } });
    const ended = once(worker, 'exit');
    let running = true;
    worker.once('exit', () => {
      running = false;
    });
    const [words] = (await once(worker, 'message')) as [Int32Array];
    const watchdog = new DoorbellWatchdog(words);
    let freed = 0;
    while (running) {
      if (watchdog.tick() === fd) freed += 1;
      await pause(10);
    }
    await ended;
    assert.ok(freed > 0);
    Atomics.store(stop, 0, 1);
    while (!(await Promise.race([refillerEnded.then(() => true), pause(5)]))) drainEventFd(fd);
    close(fd);
  });

  it('reading a doorbell that was made blocking does not block', () => {
    const fd = hostileEventFd();
    assert.equal(drainEventFd(fd), true);
    assert.equal(drainEventFd(fd), false);
    globalThis.gc?.();
    writeSync(fd, BRIM);
    assert.equal(drainEventFd(fd), true);
    close(fd);
  });

  it('leaves healthy doorbells alone, however often they ring', () => {
    const fd = createEventFd();
    const watchdog = new DoorbellWatchdog(doorbellWords);
    for (let i = 0; i < 100; i += 1) {
      assert.equal(ringDoorbell(fd), true);
      assert.equal(watchdog.tick(), -1);
    }
    assert.equal(drainEventFd(fd), true);
    close(fd);
  });

  it('a full doorbell that is not blocking counts as rung', () => {
    const fd = createEventFd();
    writeSync(fd, BRIM);
    assert.equal(ringDoorbell(fd), true);
    close(fd);
  });

  it('two different writes seen in two ticks are not one that lasts', () => {
    const words = new Int32Array(new SharedArrayBuffer(16));
    const fd = createEventFd();
    writeSync(fd, Buffer.from('0100000000000000', 'hex'));
    const watchdog = new DoorbellWatchdog(words);
    for (let operation = 1; operation < 5; operation += 1) {
      words[0] = (fd + 1) << 1;
      words[1] = operation;
      assert.equal(watchdog.tick(), -1);
    }
    assert.equal(drainEventFd(fd), true, 'nobody touched the count');
    close(fd);
  });
});
