/** What a front end shares for migration and reconnects: the dirty page log, and the area of requests in flight. */
import assert from 'node:assert/strict';
import {
  addSeals,
  close,
  createMemoryFile,
  getSeals,
  mapShared,
  unmap,
} from '../../../src/libc.ts';
import { BackEnd, FrontEnd } from './front-end.ts';
import { FEATURES, ID, LOG_ALL, openFds, sharedMappings, u32, u64 } from './front-end-socket.ts';
import type { Driver } from './guest.ts';

const SEAL_SHRINK = 2;
const READ_10 = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const PAGE = 4096;

/** 16 bytes of header and 16 of each descriptor, to the next cache line. */
const queueBytes = (size: number): number => Math.ceil((16 + 16 * size) / 64) * 64;

describe('vhost-user migration and reconnects', () => {
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

  describe('SET_LOG_BASE', () => {
    /** One bit for each page of the guest, which begins at 4 GiB; the log lies one page into its file. */
    const LOG_BYTES = 0x1_0000_0000 / PAGE / 8 + 4096;

    function withLog(body: (dirty: () => number[]) => void): void {
      const fd = createMemoryFile('spec-log', PAGE + LOG_BYTES);
      addSeals(fd, SEAL_SHRINK);
      const mapping = mapShared(fd, PAGE + LOG_BYTES);
      const bits = new Uint8Array(mapping.buffer, PAGE);
      assert.equal(front.ask(ID.SET_LOG_BASE, u64(LOG_BYTES, PAGE), [fd]), 0n);
      close(fd);
      const firstPage = front.guest.base / PAGE;
      try {
        body(() => {
          const found: number[] = [];
          for (let page = 0; page < front.guest.bytes / PAGE; page += 1) {
            const at = firstPage + page;
            if (((bits[at >> 3] as number) & (1 << (at & 7))) !== 0) found.push(page);
          }
          bits.fill(0);
          return found;
        });
      } finally {
        unmap(mapping);
      }
    }

    const pageOf = (at: number): number => Math.floor(at / PAGE);

    it('marks response, data and used ring while LOG_ALL is acknowledged', () => {
      front.start().clear();
      withLog((dirty) => {
        front.offer(READ_10, 0, 512);
        front.turn();
        assert.deepEqual(dirty(), [], 'not before LOG_ALL');
        front.send(ID.SET_FEATURES, u64(FEATURES | LOG_ALL));
        front.send(ID.SET_VRING_ADDR, front.address(2, true));
        front.offer(READ_10, 0, 512);
        front.turn();
        const used = pageOf(ring().used);
        assert.deepEqual(dirty(), [used, pageOf(0x10_1000), pageOf(0x10_2000)]);
        front.send(ID.SET_VRING_ADDR, front.address(2, false));
        front.offer(READ_10, 0, 512);
        front.turn();
        assert.deepEqual(
          dirty(),
          [pageOf(0x10_1000), pageOf(0x10_2000)],
          'the used ring only with its flag',
        );
        front.send(ID.SET_FEATURES, u64(FEATURES));
        front.offer(READ_10, 0, 512);
        front.turn();
        assert.deepEqual(dirty(), []);
        assert.deepEqual(front.broken, []);
      });
    });

    it('replaces the log that was there', () => {
      front.negotiate(FEATURES | LOG_ALL);
      front.share();
      withLog(() => withLog(() => undefined));
      assert.deepEqual(front.broken, []);
    });

    it('breaks off over a log that can be truncated or ends too early', () => {
      front.negotiate();
      const fd = createMemoryFile('spec-log', PAGE);
      addSeals(fd, SEAL_SHRINK);
      front.send(ID.SET_LOG_BASE, u64(2 * PAGE, 0), [fd]);
      close(fd);
      assert.match(front.broken[0] ?? '', /^log fd ends at byte 4096/);
    });
  });

  describe('INFLIGHT_FD', () => {
    const SIZE = 32;
    const shape = (queues: number, size: number, bytes = 0): Buffer =>
      Buffer.concat([u64(bytes, 0), Buffer.from(Uint16Array.of(queues, size, 0, 0).buffer)]);

    function ask(queues = 3, size = SIZE): { fd: number; payload: Buffer } {
      front.send(ID.GET_INFLIGHT_FD, shape(queues, size));
      const reply = front.reply();
      assert.ok(reply !== null);
      const [fd] = reply.descriptors;
      assert.ok(fd !== undefined && reply.descriptors.length === 1);
      return { fd, payload: reply.payload };
    }

    function read<T>(fd: number, body: (data: DataView) => T): T {
      const mapping = mapShared(fd, 3 * queueBytes(SIZE));
      try {
        return body(new DataView(mapping.buffer));
      } finally {
        unmap(mapping);
      }
    }

    const inFlight = (fd: number): number[] =>
      read(fd, (data) =>
        Array.from({ length: SIZE }, (_, head) => head).filter(
          (head) => data.getUint8(2 * queueBytes(SIZE) + 16 + 16 * head) === 1,
        ),
      );

    it('is answered with zeroed memory that nobody can resize', () => {
      front.negotiate();
      const { fd, payload } = ask();
      assert.deepEqual([...payload], [...shape(3, SIZE, 3 * queueBytes(SIZE))]);
      assert.equal(getSeals(fd) & 7, 7, 'SEAL, SHRINK, GROW');
      assert.deepEqual(
        read(fd, (data) => new Uint8Array(data.buffer).some((byte) => byte !== 0)),
        false,
      );
      close(fd);
    });

    it('records what is in flight; a new connection serves that again first', () => {
      front.negotiate();
      front.share();
      const { fd, payload } = ask();
      assert.equal(front.acknowledged(ID.SET_INFLIGHT_FD, payload, [fd]), 0n);
      for (const index of [0, 1, 2]) front.setUp(index);
      for (const index of [0, 1, 2]) front.enable(index);
      front.clear();
      assert.deepEqual(inFlight(fd), []);
      const { store } = backEnd.bed;
      store.hold = true;
      front.offer(READ_10, 8, 512);
      front.offer(READ_10, 4, 512);
      front.turn();
      assert.deepEqual(inFlight(fd), [4, 8]);
      const used = ring().usedIndex;

      // The back end dies in the middle: its memory is what the front end has.
      const { connection, served } = front;
      served.clear();
      connection.detach();
      store.releaseAll();
      store.hold = false;
      assert.deepEqual(inFlight(fd), [4, 8]);

      const again = new FrontEnd(backEnd);
      again.negotiate();
      const { guestAddress, bytes, userAddress } = front.guest.region;
      again.acknowledged(ID.ADD_MEM_REG, u64(0, guestAddress, bytes, userAddress, 0), [
        front.guest.fd,
      ]);
      again.send(ID.SET_INFLIGHT_FD, payload, [fd]);
      again.drivers[2] = ring();
      again.send(ID.SET_VRING_NUM, u32(2, SIZE));
      again.send(ID.SET_VRING_BASE, u32(2, used));
      again.send(ID.SET_VRING_ADDR, again.address(2));
      again.send(ID.SET_VRING_KICK, u64(2), [front.kicks[2] as number]);
      again.enable(2);
      again.turn();
      assert.deepEqual(again.broken, []);
      assert.equal(ring().usedIndex, used + 2);
      assert.deepEqual([ring().take()?.id, ring().take()?.id], [8, 4], 'in the order they came');
      assert.deepEqual(inFlight(fd), []);
      again.end();
      close(fd);
    });

    it('a ring that was stopped or reset may begin anew in the same area', () => {
      front.negotiate();
      front.share();
      const { fd, payload } = ask();
      for (const stop of [
        () => {
          front.send(ID.GET_VRING_BASE, u32(2, 0));
          assert.equal(front.reply()?.request, ID.GET_VRING_BASE);
          front.enable(2, false);
        },
        () => {
          backEnd.bed.store.hold = true;
          front.offer(READ_10, 0, 512);
          front.turn();
          front.send(ID.RESET_DEVICE, undefined, [], 9);
          backEnd.bed.store.releaseAll();
          backEnd.bed.store.hold = false;
          front.turn();
          assert.equal(front.reply()?.request, ID.RESET_DEVICE);
        },
        () => undefined,
      ]) {
        assert.equal(front.acknowledged(ID.SET_INFLIGHT_FD, payload, [fd]), 0n);
        front.setUp(2);
        front.enable(2);
        front.clear();
        for (let i = 0; i < 40; i += 1) {
          front.offer(READ_10, 0, 512);
          front.turn();
          assert.equal(ring().take()?.id, 0);
        }
        assert.deepEqual(front.broken, []);
        stop();
      }
      close(fd);
    });

    for (const [what, queues, size, bytes, text] of [
      ['no queue', 0, 32, 4096, /^SET_INFLIGHT_FD: num_queues 0/],
      ['too many queues', 67, 32, 65536, /^SET_INFLIGHT_FD: num_queues 67/],
      ['queues of no size', 3, 0, 4096, /^SET_INFLIGHT_FD: num_queues 3 of queue_size 0/],
      ['an area too short', 3, 32, 100, /^inflight mmap_size is 100/],
      ['an area past its file', 3, 32, 1 << 20, /^inflight fd ends at byte/],
    ] as const) {
      it(`breaks off over ${what}`, () => {
        front.negotiate();
        const { fd } = ask();
        assert.equal(front.acknowledged(ID.SET_INFLIGHT_FD, shape(queues, size, bytes), [fd]), 1n);
        close(fd);
        assert.match(front.broken[0] ?? '', text);
      });
    }

    it('breaks off over an area for rings that are served already', () => {
      front.start();
      const { fd, payload } = ask();
      assert.equal(front.acknowledged(ID.SET_INFLIGHT_FD, payload, [fd]), 1n);
      close(fd);
      assert.match(front.broken[0] ?? '', /^SET_INFLIGHT_FD: 3 rings are being served/);
    });
  });
});
