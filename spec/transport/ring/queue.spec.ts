/** Queues: layout of elements, full and empty, wrap, and what hostile memory can do to a consumer. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { close, createMemoryFile, type Mapping, mapShared, unmap } from '../../../src/libc.ts';
import { GuestMemory, MemoryRegion } from '../../../src/transport/memory.ts';
import { QueueConsumer, QueueProducer } from '../../../src/transport/ring/queue.ts';
import { QueuePair } from '../../../src/transport/ring/queue-pair.ts';
import type { CrqElement } from '../../../src/transport/srp/channel.ts';
import { emptyElement } from './rig.ts';

/** A queue pair of 16 and 32 elements on a page: control block at 0, commands at 128, responses at 384. */
const PLACE = {
  commandOffset: 128,
  commandEntries: 16,
  responseOffset: 384,
  responseEntries: 32,
  controlOffset: 0,
};
const NO_BELL = -1;

describe('ring queue', () => {
  let fd: number;
  let mapping: Mapping;
  let region: MemoryRegion;
  let memory: GuestMemory;
  beforeEach(() => {
    fd = createMemoryFile('queue', 8192);
    mapping = mapShared(fd, 8192);
    region = new MemoryRegion(0, mapping);
    memory = new GuestMemory([region]);
  });
  afterEach(() => {
    unmap(mapping);
    close(fd);
  });

  /** C01–C11 of the fact sheet (LoPAR and ibmvscsi values), as arguments of `put`. */
  const vectors: readonly (readonly [string, string, readonly number[]])[] = [
    ['C01 Initialize', 'c0010000000000000000000000000000', [0xc0, 1, 0, 0, 0, 0, 0]],
    ['C02 Initialization Complete', 'c0020000000000000000000000000000', [0xc0, 2, 0, 0, 0, 0, 0]],
    ['C03 SRP request', '80010000003c01000000000020000000', [0x80, 1, 0, 60, 256, 0, 0x20000000]],
    ['C04 SRP response', '80010000000000240000000000000a01', [0x80, 1, 0, 0, 36, 0, 0xa01]],
    ['C05 fast fail', '80010010000000360000000000000c02', [0x80, 1, 0x10, 0, 54, 0, 0xc02]],
    ['C06 MAD request', '80020000001e00180000000020001000', [0x80, 2, 0, 30, 24, 0, 0x20001000]],
    ['C07 PING', '800600f5000000000000000000000000', [0x80, 6, 0xf5, 0, 0, 0, 0]],
    ['C08 PING RESPONSE', '800600f6000000000000000000000000', [0x80, 6, 0xf6, 0, 0, 0, 0]],
    ['C09 partner failed', 'ff010000000000000000000000000000', [0xff, 1, 0, 0, 0, 0, 0]],
    ['C10 partner deregistered', 'ff020000000000000000000000000000', [0xff, 2, 0, 0, 0, 0, 0]],
    ['C11 migrated', 'ff060000000000000000000000000000', [0xff, 6, 0, 0, 0, 0, 0]],
    [
      'all ones',
      'ffff00ffffffffffffffffffffffffff',
      [0xff, 0xff, 0xff, 0xffff, 0xffff, 0xffffffff, 0xffffffff],
    ],
  ];
  for (const [name, hex, [valid, format, status, timeout, length, high, low]] of vectors) {
    it(`${name}: bytes in memory, and back`, () => {
      const producer = new QueueProducer(region, 128, 16);
      const consumer = new QueueConsumer(region, 128, 16);
      const fields = [valid, format, status, timeout, length, high, low] as [
        number,
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      assert.equal(consumer.ready(), false);
      assert.equal(producer.put(...fields), true);
      producer.publish();
      assert.equal(Buffer.from(region.view.slice(128, 144)).toString('hex'), hex);
      assert.equal(consumer.ready(), true);
      const element = emptyElement();
      assert.equal(consumer.take(element), true);
      assert.deepEqual(element, {
        valid,
        format,
        reserved: 0,
        status,
        timeout,
        length,
        high,
        low,
      });
      assert.equal(Buffer.from(region.view.slice(128, 132)).toString('hex'), '00000000', 'freed');
      assert.equal(consumer.take(element), false);
    });
  }

  it('hands over the reserved byte, where some senders put the PING code', () => {
    region.view.set(Buffer.from('8006f500', 'hex'), 128);
    const element = emptyElement();
    assert.equal(new QueueConsumer(region, 128, 16).take(element), true);
    assert.equal(element.reserved, 0xf5);
    assert.equal(element.status, 0);
  });

  it('is full when the next slot is not free, and goes round for ever', () => {
    const producer = new QueueProducer(region, 128, 16);
    const consumer = new QueueConsumer(region, 128, 16);
    const element = emptyElement();
    let sent = 0;
    let taken = 0;
    for (let round = 0; round < 100; round += 1) {
      while (producer.put(0x80, 1, 0, 0, 0, 0, sent)) sent += 1;
      producer.publish();
      assert.equal(sent - taken, 16);
      for (let i = 0; i <= round % 16; i += 1) {
        assert.equal(consumer.take(element), true);
        assert.equal(element.low, taken);
        taken += 1;
      }
    }
    assert.ok(taken > 800);
    assert.deepEqual(
      [...region.view.slice(0, 128), ...region.view.slice(384)].filter((byte) => byte !== 0),
      [],
      'nothing outside the queue was touched',
    );
  });

  it('the two ends of a pair send on different queues and sleep on different lines', () => {
    const target = new QueuePair(memory, PLACE, 'target', NO_BELL);
    const initiator = new QueuePair(memory, PLACE, 'initiator', NO_BELL);
    const element = emptyElement();
    assert.equal(initiator.send(0x80, 1, 0, 0, 48, 0, 4096), true);
    initiator.flush();
    assert.equal(initiator.take(element), false);
    assert.equal(target.arm(), false, 'something is there');
    assert.equal(region.words[0], 0);
    assert.equal(target.take(element), true);
    assert.equal(element.low, 4096);
    assert.equal(target.arm(), true);
    assert.equal(initiator.arm(), true);
    assert.deepEqual([region.words[0] !== 0, region.words[16] !== 0], [true, true]);
    target.disarm();
    assert.deepEqual([region.words[0], region.words[16] !== 0], [0, true]);
    assert.equal(target.send(0x80, 1, 0, 0, 36, 0, 7), true);
    target.flush();
    assert.equal(target.rings, 1);
    assert.equal(region.words[16], 0, 'whoever rings takes the sleep word');
    target.send(0x80, 1, 0, 0, 36, 0, 8);
    target.flush();
    target.flush();
    assert.equal(target.rings, 1, 'an end that is awake is not rung');
  });

  async function besides(
    orders: { kind: 'flip' | 'noise' | 'produce'; from: number; to: number },
    work: () => void,
  ): Promise<void> {
    const stop = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(new URL('./restless-writer.js', import.meta.url), {
      workerData: { fd, bytes: 8192, stop, ...orders },
    });
    const ended = once(worker, 'exit');
    assert.notEqual(Atomics.wait(stop, 1, 0, 10_000), 'timed-out');
    try {
      work();
    } finally {
      Atomics.store(stop, 0, 1);
    }
    assert.equal((await ended)[0], 0);
  }

  it('T1: another thread changes every byte of the slot while it is read; the copy is one and stays', async function () {
    this.timeout(20_000);
    /** Hex digits of the bytes that the other thread writes; 00 is what the consumer itself frees the first word with. */
    const written = /^(80|ff)+$/;
    const hex = (value: number, bytes: number): string =>
      value.toString(16).padStart(bytes * 2, '0');
    let changed = 0;
    const check = (element: CrqElement): void => {
      const { valid, format, reserved, status, timeout, length, high, low } = element;
      assert.match(hex(valid, 1), written);
      assert.match(hex(format, 1) + hex(reserved, 1) + hex(status, 1), /^(80|ff|00)+$/);
      assert.match(hex(timeout, 2) + hex(length, 2) + hex(high, 4) + hex(low, 4), written);
      const seen = region.words[33];
      for (let spin = 0; spin < 20; spin += 1) if (region.words[33] !== seen) changed += 1;
      assert.deepEqual(element, { valid, format, reserved, status, timeout, length, high, low });
    };
    await besides({ kind: 'flip', from: 128, to: 144 }, () => {
      const until = performance.now() + 15_000;
      const element = emptyElement();
      let taken = 0;
      // With all processors busy the other thread may not run for a while.
      while (taken < 3000 || (changed === 0 && performance.now() < until)) {
        assert.ok(taken >= 3000 || performance.now() < until, `only ${taken} elements came`);
        if (!new QueueConsumer(region, 128, 16).take(element)) continue;
        taken += 1;
        check(element);
      }
    });
    assert.ok(changed > 0, 'the memory did change under the copies');
  });

  it('F8: noise in queues and control blocks never throws, never leaves the queue, never stops the neighbour', async function () {
    this.timeout(20_000);
    const neighbour = {
      commandOffset: 4096 + 128,
      commandEntries: 16,
      responseOffset: 4096 + 384,
      responseEntries: 32,
      controlOffset: 4096,
    };
    const hurt = new QueuePair(memory, PLACE, 'target', NO_BELL);
    const target = new QueuePair(memory, neighbour, 'target', NO_BELL);
    const initiator = new QueuePair(memory, neighbour, 'initiator', NO_BELL);
    let noisy = 0;
    await besides({ kind: 'noise', from: 0, to: 896 }, () => {
      const element = emptyElement();
      const until = performance.now() + 8000;
      for (let i = 0; i < 5000 || (noisy <= 1000 && performance.now() < until); i += 1) {
        if (hurt.take(element)) noisy += 1;
        hurt.send(0x80, 1, 0, 0, 36, 0, i);
        hurt.flush();
        hurt.arm();
        hurt.disarm();
        assert.equal(initiator.send(0x80, 1, 0, 0, 48, 0, i), true);
        initiator.flush();
        assert.equal(target.take(element), true);
        assert.equal(element.low, i);
      }
    });
    assert.ok(noisy > 1000);
    const outside = [...region.view.slice(896, 4096), ...region.view.slice(4096 + 896)];
    assert.deepEqual(
      outside.filter((byte) => byte !== 0),
      [],
    );
  });

  it('T3: a producer that never stops gets its budget and no more; the neighbour is served every round', async function () {
    this.timeout(20_000);
    const BUDGET = 32;
    const busy = new QueueConsumer(region, 128, 16);
    const producer = new QueueProducer(region, 4096, 16);
    const consumer = new QueueConsumer(region, 4096, 16);
    await besides({ kind: 'produce', from: 128, to: 384 }, () => {
      const element = emptyElement();
      let taken = 0;
      const until = performance.now() + 8000;
      for (let round = 0; round < 2000 || taken <= 1000; round += 1) {
        assert.ok(performance.now() < until, `the busy one was served, too: ${taken}`);
        let budget = BUDGET;
        while (budget > 0 && busy.take(element)) budget -= 1;
        taken += BUDGET - budget;
        assert.equal(producer.put(0x80, 1, 0, 0, 0, 0, round), true);
        producer.publish();
        assert.equal(consumer.take(element), true);
        assert.equal(element.low, round);
      }
    });
  });
});
