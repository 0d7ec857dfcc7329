/** One front end's connection: negotiation, acknowledgements, ring states, framing, and that nothing stays behind. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { close, createEventFd, createMemoryFile, drainEventFd } from '../../../src/libc.ts';
import { BackEnd, FrontEnd } from './front-end.ts';
import {
  FEATURES,
  ID,
  messageOf,
  openFds,
  PROTOCOL_FEATURES,
  sharedMappings,
  u32,
  u64,
} from './front-end-socket.ts';
import { type Driver, USER_BASE } from './guest.ts';

const TEST_UNIT_READY = [0, 0, 0, 0, 0, 0];
const READ_10 = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const GOOD = { status: 0, response: 0 };

describe('vhost-user connection', () => {
  let backEnd: BackEnd;
  let front: FrontEnd;
  let fds: number;
  let mappings: number;
  beforeEach(() => {
    fds = openFds();
    mappings = sharedMappings();
    backEnd = new BackEnd();
    front = new FrontEnd(backEnd);
  });
  afterEach(() => {
    front.end();
    backEnd.end();
    assert.equal(openFds(), fds, 'no descriptor is left open');
    assert.equal(sharedMappings(), mappings, 'no mapping is left');
  });

  const ring = (): Driver => front.drivers[2] as Driver;

  describe('negotiation', () => {
    it('offers what the documents say', () => {
      // VERSION_1 32, PROTOCOL_FEATURES 30, EVENT_IDX 29, INDIRECT_DESC 28, LOG_ALL 26, CHANGE 2, HOTPLUG 1, INOUT 0.
      assert.equal(front.ask(ID.GET_FEATURES), 0x1_7400_0007n);
      assert.equal(front.ask(ID.GET_PROTOCOL_FEATURES), PROTOCOL_FEATURES);
      assert.equal(front.ask(ID.GET_QUEUE_NUM), 66n);
      assert.equal(front.ask(ID.GET_MAX_MEM_SLOTS), 64n);
    });

    it('breaks off whom features are acknowledged by that were not offered', () => {
      front.send(ID.SET_FEATURES, u64(1n << 34n));
      assert.match(front.broken[0] ?? '', /^SET_FEATURES: bits 0x400000000 /);
    });

    it('breaks off whom protocol features are acknowledged by that were not offered', () => {
      front.send(ID.SET_PROTOCOL_FEATURES, u64(1n << 9n));
      assert.match(front.broken[0] ?? '', /^SET_PROTOCOL_FEATURES: bits 0x200 /);
    });

    it('acknowledges every message that asks for it, once REPLY_ACK is negotiated', () => {
      front.send(ID.SET_OWNER, undefined, [], 9);
      assert.equal(front.reply(), null);
      assert.equal(front.acknowledged(ID.SET_PROTOCOL_FEATURES, u64(PROTOCOL_FEATURES)), 0n);
      assert.equal(front.acknowledged(ID.SET_OWNER), 0n);
      assert.equal(front.acknowledged(ID.SET_FEATURES, u64(FEATURES)), 0n);
      const event = createEventFd();
      assert.equal(front.acknowledged(ID.SET_BACKEND_REQ_FD, undefined, [event]), 0n);
      assert.equal(front.acknowledged(ID.SET_LOG_FD, undefined, [event]), 0n);
      assert.equal(front.acknowledged(ID.SET_VRING_ERR, u64(2), [event]), 0n);
      assert.equal(front.acknowledged(ID.SET_VRING_CALL, u64(2), [event]), 0n);
      assert.equal(front.acknowledged(ID.SET_VRING_CALL, u64(0x102)), 0n);
      close(event);
      assert.equal(front.acknowledged(ID.SET_VRING_NUM, u32(2, 32)), 0n);
      assert.equal(front.acknowledged(ID.SET_VRING_BASE, u32(2, 0)), 0n);
      assert.equal(front.acknowledged(ID.SET_VRING_ENABLE, u32(2, 1)), 0n);
      assert.equal(front.acknowledged(ID.SET_STATUS, u64(8)), 0n);
      assert.equal(front.ask(ID.GET_STATUS), 8n);
      assert.equal(front.acknowledged(ID.RESET_DEVICE), 0n);
      assert.equal(front.acknowledged(ID.RESET_OWNER), 0n);
      // A message with an answer of its own gets no second one.
      assert.equal(front.ask(ID.GET_FEATURES, undefined, [], 9), 0x1_7400_0007n);
      assert.equal(front.reply(), null);
    });

    it('says in the words of the protocol that configuration space is not its business', () => {
      front.negotiate();
      front.send(ID.GET_CONFIG, Buffer.concat([u32(0, 36, 0), Buffer.alloc(36)]));
      assert.equal(front.reply()?.payload.length, 0);
      assert.equal(front.acknowledged(ID.SET_CONFIG, Buffer.concat([u32(0, 4, 0), u32(1)])), 1n);
      front.send(ID.SET_CONFIG, Buffer.concat([u32(0, 4, 0), u32(1)]));
      assert.equal(front.reply(), null);
      assert.deepEqual(front.broken, []);
    });
  });

  describe('rings', () => {
    it('serves commands', () => {
      front.start().clear();
      front.offer(READ_10, 4, 512);
      front.turn();
      assert.deepEqual(ring().take(), { id: 4, length: 108 + 512 });
      assert.deepEqual(front.outcome(4), GOOD);
      assert.equal(drainEventFd(front.calls[2] as number), true);
    });

    it('wait for SET_VRING_ENABLE, and stop and go on with it', () => {
      front.negotiate();
      front.share();
      front.setUp(2);
      front.offer(TEST_UNIT_READY);
      front.turn();
      assert.equal(front.served.size, 0);
      assert.equal(ring().take(), null);
      front.enable(2);
      assert.equal(ring().take()?.id, 0, 'a ring that starts is looked at without a kick');
      front.enable(2, false);
      front.offer(TEST_UNIT_READY);
      front.turn();
      assert.equal(ring().take(), null);
      front.enable(2);
      front.turn();
      assert.equal(ring().take()?.id, 0);
    });

    it('start at once without PROTOCOL_FEATURES', () => {
      front.negotiate(FEATURES & ~(1n << 30n));
      front.share();
      front.setUp(2);
      assert.deepEqual([...front.served.keys()], [2], 'one may start alone');
    });

    it('signal every new call descriptor once', () => {
      front.start();
      const fresh = createEventFd();
      front.send(ID.SET_VRING_CALL, u64(2), [fresh]);
      assert.equal(drainEventFd(fresh), true);
      drainEventFd(front.calls[2] as number);
      front.offer(TEST_UNIT_READY);
      front.turn();
      assert.equal(drainEventFd(fresh), true);
      assert.equal(drainEventFd(front.calls[2] as number), false, 'the old one is quiet');
      front.send(ID.SET_VRING_CALL, u64(0x102));
      front.offer(TEST_UNIT_READY);
      front.turn();
      assert.equal(drainEventFd(fresh), false, 'without one nobody is interrupted');
      assert.equal(ring().usedIndex, 2);
      close(fresh);
    });

    it('GET_VRING_BASE answers with the next index after every request was answered', () => {
      front.start().clear();
      const { store } = backEnd.bed;
      store.hold = true;
      const done = ring().usedIndex;
      front.offer(READ_10, 0, 512);
      front.offer(READ_10, 4, 512);
      front.turn();
      front.send(ID.GET_VRING_BASE, u32(2, 0));
      assert.equal(front.suspended, true);
      assert.equal(front.reply(), null);
      // Nothing else is read meanwhile.
      front.send(ID.GET_FEATURES);
      assert.equal(front.reply(), null);
      store.release();
      front.turn();
      assert.equal(front.reply(), null);
      store.release();
      front.turn();
      const base = front.reply();
      assert.equal(base?.request, ID.GET_VRING_BASE);
      assert.deepEqual([...(base?.payload ?? [])], [...u32(2, done + 2)]);
      assert.equal(ring().usedIndex, done + 2);
      front.turn();
      assert.equal(front.reply()?.request, ID.GET_FEATURES);
      assert.deepEqual([...front.served.keys()], [0, 1]);
    });

    it('RESET_DEVICE is acknowledged when no command can touch the memory any more', () => {
      front.start().clear();
      const { store } = backEnd.bed;
      store.hold = true;
      front.offer(READ_10, 0, 512);
      front.turn();
      const used = ring().usedIndex;
      front.send(ID.RESET_DEVICE, undefined, [], 9);
      assert.equal(front.served.size, 0);
      assert.equal(front.reply(), null);
      store.releaseAll();
      front.turn();
      assert.equal(front.reply()?.payload.readBigUInt64LE(0), 0n);
      assert.equal(ring().usedIndex, used, 'it is answered to nobody');
      store.hold = false;
      for (const index of [0, 1, 2]) front.setUp(index);
      for (const index of [0, 1, 2]) front.enable(index);
      front.offer(TEST_UNIT_READY);
      front.turn();
      assert.equal(front.outcome().status, 2, 'the nexus was lost: a unit attention waits');
    });

    it('refuse what would change them while they are served, naming message and ring', () => {
      front.start();
      front.send(ID.SET_VRING_NUM, u32(2, 64));
      assert.match(front.broken[0] ?? '', /^SET_VRING_NUM: ring 2 is being served/);
    });

    for (const [what, request, payload, text] of [
      ['an index past the last ring', ID.SET_VRING_NUM, u32(66, 32), /^SET_VRING_NUM: index 66/],
      ['an index of 32 ones', ID.SET_VRING_ENABLE, u32(0xffff_ffff, 1), /^SET_VRING_ENABLE: index/],
      ['a base past 16 bits', ID.SET_VRING_BASE, u32(0, 0x1_0000), /^SET_VRING_BASE: num 65536/],
      ['polling instead of kicks', ID.SET_VRING_KICK, u64(0x100), /^SET_VRING_KICK: ring 0/],
      ['a descriptor that is missing', ID.SET_VRING_CALL, u64(1), /^SET_VRING_CALL: the no-desc/],
      [
        'addresses past 2^53',
        ID.SET_VRING_ADDR,
        Buffer.concat([u32(0, 0), u64(2n ** 63n, 0, 0, 0)]),
        /^SET_VRING_ADDR: descriptor 0x8000000000000000/,
      ],
    ] as const) {
      it(`break off over ${what}`, () => {
        front.negotiate();
        front.send(request, payload);
        assert.equal(front.broken.length, 1);
        assert.match(front.broken[0] ?? '', text);
      });
    }

    it('break off over descriptors that are no eventfds', () => {
      front.negotiate();
      front.send(ID.SET_VRING_KICK, u64(0), [front.guest.fd]);
      assert.match(front.broken[0] ?? '', /^SET_VRING_KICK: the descriptor of ring 0 is no/);
    });

    for (const [field, size, at] of [
      ['num', 3, 0],
      ['num', 2048, 0],
      ['descriptor table', 32, 1],
    ] as const) {
      it(`break off over ${field} ${size} at ${at}`, () => {
        front.negotiate();
        front.share();
        const kick = createEventFd();
        front.send(ID.SET_VRING_NUM, u32(2, size));
        const base = USER_BASE + 0x8000 + at;
        front.send(
          ID.SET_VRING_ADDR,
          Buffer.concat([u32(2, 0), u64(base, base + 0x2000, base + 0x1000, 0)]),
        );
        front.send(ID.SET_VRING_KICK, u64(2), [kick]);
        close(kick);
        assert.deepEqual(front.broken, []);
        front.enable(2);
        assert.match(front.broken[0] ?? '', new RegExp(`^${field} `));
      });
    }
  });

  describe('memory', () => {
    it('that is not shared is reported once, with what to change; the connection stays', () => {
      front.negotiate();
      for (const index of [0, 1, 2]) front.setUp(index);
      for (const index of [0, 1, 2]) front.enable(index);
      assert.equal(front.logged.length, 1);
      assert.match(front.logged[0] as string, /not shared.*memory-backend-memfd.*share=on/);
      assert.deepEqual(front.broken, []);
      front.share();
      assert.equal(front.served.size, 3, 'rings start when there is memory after all');
    });

    it('comes as a table, too, and is replaced when no command uses it', () => {
      front.negotiate();
      const { guestAddress, bytes } = front.guest.region;
      const table = Buffer.concat([u32(1, 0), u64(guestAddress, bytes, USER_BASE, 0)]);
      assert.equal(front.acknowledged(ID.SET_MEM_TABLE, table, [front.guest.fd]), 0n);
      for (const index of [0, 1, 2]) front.setUp(index);
      for (const index of [0, 1, 2]) front.enable(index);
      front.clear();
      const { store } = backEnd.bed;
      store.hold = true;
      front.offer(READ_10, 0, 512);
      front.turn();
      front.send(ID.SET_MEM_TABLE, table, [front.guest.fd], 9);
      assert.equal(front.reply(), null);
      store.releaseAll();
      store.hold = false;
      front.turn();
      assert.equal(front.reply()?.payload.readBigUInt64LE(0), 0n);
      assert.deepEqual(front.outcome(), GOOD);
      assert.equal(ring().take()?.id, 0);
      front.offer(READ_10, 4, 512);
      front.turn();
      assert.equal(ring().take()?.id, 4, 'rings go on where they stopped');
    });

    it('is taken away when no command uses it', () => {
      front.start().clear();
      const { store } = backEnd.bed;
      store.hold = true;
      front.offer(READ_10, 0, 512);
      front.turn();
      // The mmap offset is ignored, and a descriptor is closed.
      const { guestAddress, bytes } = front.guest.region;
      const region = u64(0, guestAddress, bytes, USER_BASE, 77);
      front.send(ID.REM_MEM_REG, region, [front.guest.fd], 9);
      assert.equal(front.reply(), null);
      assert.equal(front.connection.memory.regionCount, 1);
      store.releaseAll();
      front.turn();
      assert.equal(front.reply()?.payload.readBigUInt64LE(0), 0n);
      assert.equal(front.connection.memory.regionCount, 0);
      assert.deepEqual(front.outcome(), GOOD);
    });

    it('that could be truncated is refused: nack, then the end, with what would do', () => {
      front.negotiate();
      const loose = createMemoryFile('spec-loose', 4096);
      const region = u64(0, 0, 4096, 0x1000, 0);
      assert.equal(front.acknowledged(ID.ADD_MEM_REG, region, [loose]), 1n);
      close(loose);
      assert.match(front.broken[0] ?? '', /sealed against shrinking.*memory-backend-memfd/);
    });

    it('that is no region cannot be removed', () => {
      front.start();
      assert.equal(front.acknowledged(ID.REM_MEM_REG, u64(0, 0, 4096, 0, 0)), 1n);
      assert.match(front.broken[0] ?? '', /^REM_MEM_REG: guest_phys_addr 0x0 is no region/);
    });
  });

  describe('the stream', () => {
    it('may be cut anywhere', () => {
      const seed = randomInt(2 ** 31);
      let state = seed;
      const next = (below: number): number => {
        state = (Math.imul(state, 1103515245) + 12345) & 0x7fff_ffff;
        return (state >>> 8) % below;
      };
      const messages = Array.from({ length: 50 }, (_, i) =>
        i % 2 === 0 ? messageOf(ID.GET_FEATURES) : messageOf(ID.SET_STATUS, u64(i)),
      );
      const bytes = Buffer.concat([...messages, messageOf(ID.GET_STATUS)]);
      for (let at = 0; at < bytes.length; ) {
        const part = 1 + next(40);
        front.raw(bytes.subarray(at, at + part));
        front.turn();
        at += part;
      }
      front.turn();
      for (let i = 0; i < 25; i += 1) {
        assert.equal(front.reply()?.request, ID.GET_FEATURES, `seed ${seed}`);
      }
      assert.equal(front.reply()?.payload.readBigUInt64LE(0), 49n, `seed ${seed}`);
      assert.deepEqual(front.broken, []);
    });

    it('may end in the middle of a message with descriptors', () => {
      front.raw(messageOf(ID.ADD_MEM_REG, front.region()).subarray(0, 30), [front.guest.fd]);
      front.turn();
      assert.deepEqual(front.broken, []);
    });

    it('breaks the device off when a request is unknown, naming it', () => {
      front.send(99, u64(1), [], 9);
      assert.deepEqual(front.broken, ['request 99 is unknown']);
      front.send(ID.GET_FEATURES);
      assert.equal(front.reply(), null, 'nothing is answered any more');
    });
  });

  it('T6: descriptors that no message asked for are closed, from 1 to 253 of them', () => {
    front.end();
    const requests = Object.values(ID);
    for (let count = 1; count <= 253; count += 1) {
      front = new FrontEnd(backEnd);
      const request = requests[count % requests.length] as number;
      const surplus = Array.from({ length: count }, () => front.guest.fd);
      const open = openFds();
      front.raw(messageOf(request, Buffer.alloc(0)), surplus);
      front.turn();
      front.turn();
      if (count > 1) assert.equal(front.broken.length, 1, `${request} with ${count}`);
      front.connection.detach();
      if (count < 253) front.end();
      assert.ok(openFds() <= open + count);
    }
  });

  it('T5: fields at their limits leak nothing and are named, or do no harm', () => {
    const values = [
      0n,
      1n,
      0xffffn,
      0xffff_ffffn,
      2n ** 32n,
      2n ** 53n - 1n,
      2n ** 63n,
      2n ** 64n - 1n,
    ];
    const sizes: readonly [request: number, bytes: number, descriptors: number][] = [
      [ID.SET_FEATURES, 8, 0],
      [ID.SET_PROTOCOL_FEATURES, 8, 0],
      [ID.SET_LOG_BASE, 16, 1],
      [ID.SET_VRING_NUM, 8, 0],
      [ID.SET_VRING_ADDR, 40, 0],
      [ID.SET_VRING_BASE, 8, 0],
      [ID.GET_VRING_BASE, 8, 0],
      [ID.SET_VRING_KICK, 8, 1],
      [ID.SET_VRING_CALL, 8, 1],
      [ID.SET_VRING_ENABLE, 8, 0],
      [ID.SET_INFLIGHT_FD, 24, 1],
      [ID.GET_INFLIGHT_FD, 24, 0],
      [ID.ADD_MEM_REG, 40, 1],
      [ID.REM_MEM_REG, 40, 0],
      [ID.SET_STATUS, 8, 0],
    ];
    for (const [request, bytes, descriptors] of sizes) {
      for (let at = 0; at < bytes; at += 8) {
        for (const value of values) {
          front.end();
          front = new FrontEnd(backEnd).start();
          const payload = Buffer.alloc(bytes);
          payload.writeBigUInt64LE(value, at);
          front.send(request, payload, descriptors === 0 ? [] : [front.guest.fd]);
          for (const reason of front.broken) {
            assert.match(reason, /^[ -~]+$/, 'one line');
            assert.doesNotMatch(reason, /internal failure/, `${request} at ${at}: ${value}`);
          }
        }
      }
    }
  }).timeout(60_000);

  it('several front ends on one socket are served, each a nexus of its own', () => {
    front.start().clear();
    const second = new FrontEnd(backEnd).start();
    second.clear();
    for (const one of [front, second]) {
      one.offer(TEST_UNIT_READY);
      one.turn();
      assert.deepEqual(one.outcome(), GOOD);
    }
    assert.notEqual(front.connection.device.nexus.index, second.connection.device.nexus.index);
    second.raw(u32(99, 1, 0));
    second.turn();
    assert.equal(second.broken.length, 1);
    second.end();
    front.offer(TEST_UNIT_READY);
    front.turn();
    assert.deepEqual(front.outcome(), GOOD);
  });
});
