/** Split virtqueues against virtio 1.2 clause 2.7: chains, what breaks a queue and how it is named, notifications, recovery. */
import { strict as assert } from 'node:assert';
import { close, mapAnonymous, mapShared, unmap } from '../../../src/libc.ts';
import { DirtyLog } from '../../../src/transport/vhost/dirty-log.ts';
import { InflightArea } from '../../../src/transport/vhost/inflight.ts';
import {
  BROKEN,
  MAX_CHAIN,
  NOTHING,
  type Virtqueue,
} from '../../../src/transport/vhost/virtqueue.ts';
import { Seeded } from '../control/seeded.ts';
import { modelChain, scribble } from './chain-model.ts';
import {
  type Buffer,
  Driver,
  type DriverOptions,
  Guest,
  INDIRECT,
  NEXT,
  USER_BASE,
  WRITE,
} from './guest.ts';

const TABLE = 0x8000;

/** The chain that was taken, as offsets in the guest. */
function taken(queue: Virtqueue, guest: Guest): Buffer[] {
  return Array.from({ length: queue.count }, (_, i) => {
    const high = (queue.addressHigh[i] as number) >>> 0;
    const low = (queue.addressLow[i] as number) >>> 0;
    const at = high * 2 ** 32 + low - guest.base;
    return { at, length: queue.lengths[i] as number, write: i >= queue.readableCount };
  });
}

describe('virtqueue', () => {
  let guest: Guest;
  beforeEach(() => {
    guest = new Guest();
  });
  afterEach(() => guest.end());
  const pair = (options: DriverOptions = {}): { driver: Driver; queue: Virtqueue } => {
    const driver = new Driver(guest, options);
    return { driver, queue: driver.device() };
  };
  const buffers: readonly Buffer[] = [
    { at: 0x1000, length: 51, write: false },
    { at: 0x2000, length: 512, write: false },
    { at: 0x3000, length: 108, write: true },
  ];

  it('a direct chain is read in order, and given back by its head', () => {
    const { driver, queue } = pair();
    assert.equal(queue.take(), NOTHING);
    driver.chain(buffers, 3);
    driver.offer(3);
    assert.equal(queue.ready(), true);
    assert.equal(queue.take(), 3);
    assert.deepEqual(taken(queue, guest), buffers);
    assert.deepEqual([queue.readableBytes, queue.writableBytes], [563, 108]);
    assert.equal(queue.outstanding, 1);
    assert.equal(queue.base, 1);
    queue.push(3, 108);
    assert.equal(driver.take(), null);
    queue.flush();
    assert.deepEqual(driver.take(), { id: 3, length: 108 });
    assert.equal(guest.interrupted(), true);
    assert.equal(queue.rings, 1);
  });

  it('an indirect table may come alone or last, at any byte, and its WRITE flag is ignored (2.7.5.3.2)', () => {
    for (const table of [TABLE, TABLE + 1, TABLE + 6]) {
      const { driver, queue } = pair();
      driver.indirectChain(buffers, table, 5);
      driver.describe(5, guest.base + table, 48, INDIRECT | WRITE);
      driver.offer(5);
      assert.equal(queue.take(), 5);
      assert.deepEqual(taken(queue, guest), buffers);
      driver.chain([buffers[0] as Buffer], 1);
      driver.describe(1, guest.base + 0x1000, 51, NEXT, 2);
      driver.indirectChain(buffers.slice(1), table, 2);
      driver.offer(1);
      assert.equal(queue.take(), 1);
      assert.deepEqual(taken(queue, guest), buffers);
    }
  });

  it('what cannot be trusted breaks the queue, and the reason names the field', () => {
    const broken = (
      what: RegExp,
      prepare: (driver: Driver) => void,
      options: DriverOptions = {},
    ): void => {
      const driver = new Driver(guest, options);
      const queue = driver.device();
      prepare(driver);
      assert.equal(queue.take(), BROKEN, String(what));
      assert.match(queue.reason, what);
      assert.equal(queue.take(), BROKEN);
      assert.equal(queue.ready(), false);
      assert.equal(queue.arm(), true);
      const before = driver.usedIndex;
      queue.push(0, 1);
      queue.flush();
      assert.equal(driver.usedIndex, before);
    };
    const b = guest.base;
    broken(/available ring entry 8 is no descriptor/, (d) => d.offer(8));
    broken(/available ring entry 65535/, (d) => d.offer(0xffff));
    broken(/available ring idx 9 is 9 ahead of 0/, (d) => {
      d.next = 8;
      d.offer(0);
    });
    broken(/descriptor chain of head 0 is longer than the queue's 8/, (d) => {
      d.describe(0, b, 1, NEXT, 0);
      d.offer(0);
    });
    broken(/descriptor chain of head 2 is longer/, (d) => {
      d.describe(2, b, 1, NEXT, 3);
      d.describe(3, b, 1, NEXT, 2);
      d.offer(2);
    });
    broken(/descriptor next 8 is no descriptor/, (d) => {
      d.describe(0, b, 1, NEXT, 8);
      d.offer(0);
    });
    broken(/descriptor flags 0 make it readable after a writable one/, (d) => {
      d.chain([
        { at: 0, length: 1, write: true },
        { at: 0, length: 1 },
      ]);
      d.offer(0);
    });
    broken(/descriptor flags 5 say INDIRECT and NEXT/, (d) => {
      d.describe(0, b + TABLE, 16, INDIRECT | NEXT, 1);
      d.offer(0);
    });
    broken(
      /descriptor flags 4 say INDIRECT, which was not negotiated/,
      (d) => {
        d.indirectChain(buffers, TABLE);
        d.offer(0);
      },
      { indirect: false },
    );
    for (const length of [0, 8, 17, 16 * (MAX_CHAIN + 1), 0x8000_0010, 0xffff_fff0]) {
      broken(new RegExp(`indirect table len ${length} is not 1 to 1024 descriptors`), (d) => {
        d.describe(0, b + TABLE, length, INDIRECT);
        d.offer(0);
      });
    }
    broken(/indirect table addr of descriptor 0 lies outside the memory regions/, (d) => {
      d.describe(0, b + guest.bytes - 16, 32, INDIRECT);
      d.offer(0);
    });
    broken(/indirect table flags 4 say INDIRECT again/, (d) => {
      d.indirectChain([{ at: 0, length: 1 }], TABLE);
      d.describe(0, b + TABLE, 16, INDIRECT, 0, TABLE);
      d.offer(0);
    });
    broken(/indirect table of descriptor 0 chains in a loop/, (d) => {
      d.indirectChain(buffers, TABLE);
      d.describe(2, b, 1, NEXT | WRITE, 2, TABLE);
      d.offer(0);
    });
    broken(/indirect table next 3 is past its 3/, (d) => {
      d.indirectChain(buffers, TABLE);
      d.describe(1, b, 1, NEXT, 3, TABLE);
      d.offer(0);
    });
    broken(/descriptor len 4294967295 is 2 GiB or more/, (d) => {
      d.describe(0, b, 0xffff_ffff, 0);
      d.offer(0);
    });
    broken(/descriptor len 1073741824 makes the chain 2 GiB or more/, (d) => {
      d.chain([
        { at: 0, length: 2 ** 30, write: true },
        { at: 0, length: 2 ** 30, write: true },
      ]);
      d.offer(0);
    });
  });

  it('a head that is in flight cannot be offered again; one that came back can', () => {
    const { driver, queue } = pair();
    driver.chain(buffers, 0);
    driver.offer(0);
    assert.equal(queue.take(), 0);
    queue.push(0, 0);
    driver.offer(0);
    assert.equal(queue.take(), 0);
    driver.offer(0);
    assert.equal(queue.take(), BROKEN);
    assert.equal(queue.reason, 'available ring entry 0 is in flight already');
  });

  it('a queue that cannot be is refused with the field', () => {
    const { driver } = pair();
    const refused = (options: Parameters<Driver['device']>[0], what: RegExp): void =>
      assert.throws(() => driver.device(options), what);
    refused({ size: 0 }, /num 0 is not a power of two/);
    refused({ size: 12 }, /num 12 is not/);
    refused({ size: 2048 }, /num 2048 is not a power of two from 1 to 1024/);
    refused({ base: 0x10000 }, /base 65536/);
    refused(
      { descAddress: USER_BASE + 8 },
      /descriptor table 0x7f0000000008 is not a multiple of 16/,
    );
    refused({ availAddress: USER_BASE + 1 }, /available ring .* multiple of 2/);
    refused({ usedAddress: USER_BASE + 2 }, /used ring .* multiple of 4/);
    refused({ descAddress: 1 }, /descriptor table 0x1 with 128 bytes lies in no memory region/);
    refused({ availAddress: USER_BASE + guest.bytes - 20 }, /available ring .* no memory region/);
    refused({ usedAddress: USER_BASE + guest.bytes - 68 }, /used ring .* no memory region/);
    refused({ usedAddress: Number.NaN }, /used ring/);
  });

  it('a removed region stops the queues whose rings lie in it', () => {
    const { driver, queue } = pair();
    driver.chain(buffers);
    driver.offer(0);
    assert.equal(queue.take(), 0);
    guest.memory.remove(guest.region);
    queue.push(0, 0);
    queue.flush();
    assert.equal(driver.usedIndex, 0);
    assert.equal(queue.take(), BROKEN);
    assert.match(queue.reason, /region its rings lie in was removed/);
  });

  it('interrupts are held back by NO_INTERRUPT, or until the used event is passed (2.7.7)', () => {
    const { driver, queue } = pair();
    driver.chain(buffers);
    const round = (target: Virtqueue, from: Driver): boolean => {
      from.offer(0);
      assert.equal(target.take(), 0);
      target.push(0, 1);
      target.flush();
      from.take();
      return guest.interrupted();
    };
    driver.availFlags = 1;
    assert.equal(round(queue, driver), false);
    driver.availFlags = 0;
    assert.equal(round(queue, driver), true);
    const event = new Driver(guest, { eventIndex: true, at: 0x4000, base: 0xfffe });
    const other = event.device();
    event.chain(buffers);
    event.usedEvent = 0xffff;
    assert.deepEqual(
      [round(other, event), round(other, event), round(other, event)],
      [false, true, false],
    );
    event.usedEvent = event.seen;
    assert.equal(round(other, event), true);
    assert.equal(other.base, 2);
  });

  it('a batch is published with one index and one interrupt', () => {
    const { driver, queue } = pair();
    for (const head of [0, 3]) driver.chain([buffers[0] as Buffer], head);
    driver.offer(0);
    driver.offer(3);
    assert.deepEqual([queue.take(), queue.take()], [0, 3]);
    queue.push(3, 7);
    queue.push(0, 9);
    assert.equal(driver.usedIndex, 0);
    queue.flush();
    queue.flush();
    assert.deepEqual(
      [driver.take(), driver.take()],
      [
        { id: 3, length: 7 },
        { id: 0, length: 9 },
      ],
    );
    assert.equal(queue.rings, 1);
  });

  it('arming asks for the next entry; what came meanwhile is noticed', () => {
    const flags = pair();
    flags.queue.disarm();
    assert.equal(flags.driver.usedFlags, 1);
    assert.equal(flags.queue.arm(), true);
    assert.equal(flags.driver.usedFlags, 0);
    const event = new Driver(guest, { eventIndex: true, at: 0x4000, base: 7 });
    const queue = event.device({ base: 7 });
    event.chain(buffers);
    assert.equal(queue.arm(), true);
    assert.equal(event.availEvent, 7);
    event.offer(0);
    assert.equal(queue.arm(), false);
    assert.equal(queue.take(), 0);
    queue.disarm();
    assert.equal(event.usedFlags, 0);
    assert.equal(queue.arm(), true);
    assert.equal(event.availEvent, 8);
  });

  it('an interrupt that the driver asked for too late to be seen is sent by lookAgain', () => {
    const driver = new Driver(guest, { eventIndex: true });
    const queue = driver.device();
    driver.chain(buffers);
    driver.usedEvent = 100;
    driver.offer(0);
    queue.take();
    queue.push(0, 1);
    queue.flush();
    assert.equal(queue.lookAgain(), false);
    driver.offer(0);
    queue.take();
    queue.push(0, 1);
    queue.flush();
    assert.equal(guest.interrupted(), false);
    driver.usedEvent = 1;
    assert.equal(queue.lookAgain(), true);
    assert.equal(guest.interrupted(), true);
    assert.equal(queue.lookAgain(), false);
  });

  it('after detach nothing is touched', () => {
    const { driver, queue } = pair();
    driver.chain(buffers);
    driver.offer(0);
    queue.take();
    queue.detach();
    const before = guest.view.slice();
    queue.push(0, 5);
    queue.flush();
    queue.disarm();
    assert.deepEqual(
      [queue.arm(), queue.ready(), queue.take(), queue.lookAgain()],
      [true, false, NOTHING, false],
    );
    assert.deepEqual(guest.view, before);
  });

  it('the pages of the used ring are marked in the log, past its end none', () => {
    const mapping = mapAnonymous(4096);
    const log = new DirtyLog(mapping);
    const driver = new Driver(guest);
    const queue = driver.device({ log, usedLogGuestAddress: 0x7ffc });
    driver.chain(buffers);
    const bits = new Uint8Array(mapping.buffer);
    driver.offer(0);
    queue.take();
    queue.push(0, 1);
    assert.equal(bits[1], 1, 'the element lies in page 8');
    assert.equal(bits[0], 0);
    queue.flush();
    assert.equal(bits[0], 0x80, 'the index in page 7');
    bits.fill(0);
    log.mark(4096 * 32767, 4096 * 3);
    assert.equal(bits[4095], 0x80);
    log.mark(2 ** 52, 4096);
    assert.equal(
      bits.reduce((sum, one) => sum + one, 0),
      0x80,
    );
    bits.fill(0);
    log.mark(4095, 2);
    assert.equal(bits[0], 3);
    log.close();
  });
});

describe('virtqueue inflight area', () => {
  it('what was in flight when the process died is served again, oldest first', () => {
    const guest = new Guest();
    const fd = InflightArea.createFile(2, 8);
    assert.equal(InflightArea.bytesFor(2, 8), 2 * 192);
    const area = InflightArea.map(fd, 2 * 192, 0, 2, 8);
    const first = area.queue(1, 8);
    assert.equal(area.queue(2, 8), null);
    assert.equal(area.queue(0, 16), null);
    const driver = new Driver(guest, { inflight: first });
    const queue = driver.device();
    for (const head of [4, 1, 6, 2]) {
      driver.describe(head, guest.base, 1, 0);
      driver.offer(head);
      assert.equal(queue.take(), head);
    }
    queue.push(1, 0);
    queue.flush();
    queue.push(6, 0);
    // Dies here: 6 was written to the ring, its index never published.
    const second = InflightArea.map(fd, 2 * 192, 0, 2, 8);
    const again = driver.device({ inflight: second.queue(1, 8), base: 0 });
    assert.equal(again.base, 4);
    assert.equal(again.ready(), true);
    assert.deepEqual([again.take(), again.take(), again.take(), again.take()], [4, 6, 2, NOTHING]);
    driver.describe(7, guest.base, 1, 0);
    driver.offer(7);
    assert.equal(again.take(), 7);
    for (const head of [4, 6, 2, 7]) again.push(head, 0);
    again.flush();
    assert.deepEqual(second.queue(1, 8)?.pending(), []);
    assert.equal(driver.usedIndex, 5);
    area.close();
    second.close();
    close(fd);
    guest.end();
  });

  it('a batch that was published but not taken out has ended (the layout of the specification)', () => {
    const guest = new Guest();
    const fd = InflightArea.createFile(1, 8);
    const own = mapShared(fd, InflightArea.bytesFor(1, 8));
    const data = new DataView(own.buffer);
    const state = (head: number, next: number, counter: number): void => {
      data.setUint8(16 + head * 16, 1);
      data.setUint16(16 + head * 16 + 6, next, true);
      data.setBigUint64(16 + head * 16 + 8, BigInt(counter), true);
    };
    data.setUint16(8, 1, true);
    data.setUint16(10, 8, true);
    data.setUint16(12, 5, true);
    data.setUint16(14, 10, true);
    state(5, 3, 20);
    state(3, 7, 21);
    state(7, 0, 23);
    state(0, 0, 22);
    const area = InflightArea.map(fd, own.bytes, 0, 1, 8);
    const driver = new Driver(guest, { base: 12, inflight: area.queue(0, 8) });
    const queue = driver.device();
    guest.data.setUint16(driver.avail + 2, 14, true);
    for (const head of [0, 7]) driver.describe(head, guest.base, 1, 0);
    assert.equal(queue.base, 14);
    assert.deepEqual([queue.take(), queue.take(), queue.take()], [0, 7, NOTHING]);
    assert.equal(data.getUint16(14, true), 12);
    data.setUint16(12, 9, true);
    data.setUint16(14, 11, true);
    assert.throws(() => driver.device(), /inflight next is 9/);
    data.setUint16(14, 500, true);
    assert.throws(() => driver.device(), /inflight used_idx/);
    data.setUint16(10, 16, true);
    assert.throws(() => driver.device(), /inflight desc_num is 16/);
    data.setUint16(8, 2, true);
    assert.throws(() => driver.device(), /inflight version is 2/);
    assert.throws(() => InflightArea.map(fd, 100, 0, 1, 8), /inflight mmap_size is 100/);
    assert.throws(() => InflightArea.map(fd, 192, 7, 1, 8), /inflight mmap_offset is 7/);
    area.close();
    unmap(own);
    close(fd);
    guest.end();
  });
});

describe('virtqueue with random chains', () => {
  it('takes exactly the chains that a model reads, and breaks on the others', function () {
    this.timeout(20_000);
    const seeded = new Seeded();
    const guest = new Guest();
    for (let round = 0; round < 20_000; round += 1) {
      const size = 1 << seeded.below(5);
      const base = seeded.below(4) === 0 ? 0xfffe : seeded.below(0x10000);
      const indirect = seeded.below(4) > 0;
      const driver = new Driver(guest, { size, base, indirect });
      const queue = driver.device({ base });
      scribble(driver, seeded);
      const head = seeded.below(16) === 0 ? seeded.below(0x10000) : seeded.below(size);
      driver.offer(head);
      const expected = modelChain(driver, head);
      const note = `seed ${seeded.seed} round ${round}: ${queue.reason}`;
      if (expected === null) {
        assert.equal(queue.take(), BROKEN, note);
        assert.notEqual(queue.reason, '');
      } else {
        assert.equal(queue.take(), head, note);
        assert.deepEqual(taken(queue, guest), expected, note);
      }
    }
    guest.end();
  });
});
