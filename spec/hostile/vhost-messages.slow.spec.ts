/** Hostile vhost-user front ends, message by message: broken off with one reason that names message and field, nothing kept, nobody else harmed. */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { closeSync, constants, openSync } from 'node:fs';
import {
  addRegion,
  memoryTable,
  ringAddress,
  type Steps,
} from '../../src/initiator/vhost/handshake.ts';
import * as message from '../../src/initiator/vhost/message.ts';
import {
  encodeMessage,
  encodeStep,
  quads,
  type Step,
  state,
} from '../../src/initiator/vhost/message.ts';
import { lunField } from '../../src/initiator/vhost/scsi-driver.ts';
import { addSeals, close, createMemoryFile, F_SEAL_SHRINK } from '../../src/libc.ts';
import { HostileBench, Pair } from '../support/vhost/back-end.ts';
import { performNow } from '../support/vhost/perform-now.ts';

const NEED_REPLY = 8;
const EMPTY = Buffer.alloc(0);
const F_SEAL_WRITE = 8;
const READ_8 = new Uint8Array([0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0]);

/** A memory file as a guest has one, with other seals. */
function memoryFile(seals: number): number {
  const fd = createMemoryFile('hostile-file', 2 * 2 ** 20);
  if (seals !== 0) addSeals(fd, seals);
  return fd;
}

/** What the front end would send, with the replies it expects, in order. */
function record(pair: Pair): Step[] {
  const sent: Step[] = [];
  function* noting(steps: Steps): Steps {
    let result = steps.next(null);
    while (result.done !== true) {
      sent.push(result.value);
      result = steps.next(yield result.value);
    }
  }
  const { frontEnd, served } = pair;
  for (const steps of [frontEnd.realize(), frontEnd.reset(), frontEnd.start()]) {
    performNow(frontEnd, noting(steps), () => served.pump());
  }
  return sent;
}

/** What a reason begins with: the message, or what it describes. */
const FIELD =
  /^[\w:, ]*(SET_|GET_|ADD_|region|descriptor|available|used|num|base|virtqueue|inflight)/;

/** Requests by name, as the specification writes them. */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(message).flatMap(([name, value]) =>
    typeof value === 'number' ? [[value, name] as const] : [],
  ),
);

describe('hostile vhost-user front end: messages', function () {
  this.timeout(60_000);
  let bench: HostileBench;
  before(() => {
    bench = new HostileBench();
  });
  after(() => bench.end());

  const send = (
    pair: Pair,
    request: number,
    payload: Buffer = EMPTY,
    descriptors: readonly number[] = [],
    flags = 0,
  ): void => {
    pair.frontEnd.socket.send(encodeMessage(request, payload, flags), descriptors);
    pair.served.pump();
  };
  const realized = (pair: Pair): Pair => {
    performNow(pair.frontEnd, pair.frontEnd.realize(), () => pair.served.pump());
    return pair;
  };

  it('unknown requests, of the specification or not', () => {
    for (const request of [0, 19, 20, 22, 33, 41, 42, 44, 1000, 0x7fffffff, 0xffffffff]) {
      bench.expectBroken(
        new RegExp(`request ${request} (is unknown|belongs to .* not offered)$`),
        (pair) => send(pair, request, quads(0)),
      );
    }
  });

  it('flags: a wrong version, and a reply that nobody asked for', () => {
    const flagged = (flags: number) => (pair: Pair) => {
      const bytes = encodeMessage(message.GET_FEATURES, EMPTY);
      bytes.writeUInt32LE(flags, 4);
      pair.frontEnd.socket.send(bytes);
    };
    for (const flags of [0, 2, 3]) {
      bench.expectBroken(/^GET_FEATURES: flags version/, flagged(flags));
    }
    bench.expectBroken(/^GET_FEATURES: flags say it is a reply/, flagged(5));
  });

  it('T5: wrong sizes of every payload name message and size', () => {
    const probe = bench.healthy.frontEnd;
    assert.ok(probe.queues.length > 2);
    for (const [request, name] of NAMES) {
      for (const size of [3, 9, 1000, 2 ** 20, 0xffffffff]) {
        bench.expectBroken(new RegExp(`^${name}: (size|num_regions)`), (pair) => {
          const bytes = encodeMessage(request, Buffer.alloc(Math.min(size, 1000), 0xff));
          bytes.writeUInt32LE(size, 8);
          pair.frontEnd.socket.send(bytes);
        });
      }
    }
  });

  it('half a message at every byte, then the end', () => {
    const whole = encodeStep(
      addRegion(bench.healthy.frontEnd.ram, {
        guestAddress: 0,
        bytes: 4096,
        userAddress: 0,
        fileOffset: 0,
      }),
    );
    for (let bytes = 1; bytes < whole.length; bytes += 1) {
      bench.expectBroken(/in the middle of a message/, (pair) => {
        const { frontEnd } = pair;
        frontEnd.socket.send(whole.subarray(0, bytes), [frontEnd.ram.fd]);
        pair.served.pump();
        assert.deepEqual(pair.served.broken, [], 'a half message may become whole');
        frontEnd.hangUp();
      });
    }
  });

  it('a message that comes byte by byte is a message', () => {
    const pair = new Pair(bench.backEnd);
    for (const byte of encodeMessage(message.GET_QUEUE_NUM, EMPTY)) {
      pair.frontEnd.socket.send(Buffer.from([byte]));
      pair.served.pump();
    }
    assert.equal(pair.frontEnd.socket.take()?.request, message.GET_QUEUE_NUM);
    pair.end();
    bench.check();
  });

  it('T6: surplus descriptors, one to 253, on every message', () => {
    for (const [request, name] of NAMES) {
      for (const count of [2, 8, 9, 64, 253]) {
        const size = sizeOf(request);
        bench.expectBroken(new RegExp(`${name}.*descriptors|^a message with more than`), (pair) => {
          const fds = Array.from({ length: count }, () => pair.frontEnd.ram.fd);
          send(pair, request, Buffer.alloc(size), fds);
        });
      }
    }
  });

  it('descriptors that are missing, or announced and missing', () => {
    for (const request of [message.ADD_MEM_REG, message.SET_LOG_BASE, message.SET_INFLIGHT_FD]) {
      bench.expectBroken(/^[A-Z_]+: 0 descriptors came, 1 belong/, (pair) =>
        send(pair, request, Buffer.alloc(sizeOf(request))),
      );
    }
    for (const request of [message.SET_VRING_KICK, message.SET_VRING_CALL, message.SET_VRING_ERR]) {
      bench.expectBroken(/^SET_VRING_(KICK|CALL|ERR):/, (pair) => send(pair, request, quads(0)));
      bench.expectBroken(/^SET_VRING_(KICK|CALL|ERR):/, (pair) =>
        send(pair, request, quads(0x100), [pair.frontEnd.requestFd]),
      );
    }
  });

  it('descriptors of the wrong kind: no eventfd, no memory file, not sealed, read-only', () => {
    bench.expectBroken(/^SET_VRING_CALL: .*no eventfd/, (pair) =>
      send(pair, message.SET_VRING_CALL, quads(0), [pair.frontEnd.ram.fd]),
    );
    const region = { guestAddress: 0, bytes: 4096, userAddress: 0, fileOffset: 0 };
    const offer = (fd: number) => (pair: Pair) => {
      const step = addRegion(pair.frontEnd.ram, region);
      send(pair, step.request, step.payload, [fd]);
      close(fd);
    };
    bench.expectBroken(/region fd is no memory file/, offer(openSync('/dev/zero', 'r+')));
    bench.expectBroken(/region fd is not sealed/, offer(memoryFile(0)));
    bench.expectBroken(
      /region fd is sealed against writing/,
      offer(memoryFile(F_SEAL_WRITE | F_SEAL_SHRINK)),
    );
    const file = memoryFile(F_SEAL_SHRINK);
    const readOnly = openSync(`/proc/self/fd/${file}`, constants.O_RDONLY);
    closeSync(file);
    bench.expectBroken(/^region of 4096 bytes: .*EACCES/, offer(readOnly));
  });

  it('T5: every field of every message of an attach, set to 0, 1, all ones, the middle, and one off', () => {
    const model = new Pair(bench.backEnd);
    const steps = record(model);
    model.end();
    let tried = 0;
    let broken = 0;
    for (const [i, step] of steps.entries()) {
      for (let at = 0; at + 4 <= step.payload.length; at += 4) {
        for (const value of [0, 1, 0xffffffff, 0x80000000, step.payload.readUInt32LE(at) + 1]) {
          const pair = new Pair(bench.backEnd);
          replay(pair, i, at, value >>> 0);
          const reasons = [...pair.served.broken];
          pair.end();
          tried += 1;
          broken += reasons.length;
          assert.ok(reasons.length <= 1, reasons.join(' | '));
          if (reasons[0] !== undefined) assert.match(reasons[0], FIELD);
        }
      }
    }
    assert.ok(
      tried >= 500 && broken > 100 && broken < tried,
      `${broken} of ${tried} were broken off`,
    );
    bench.check();
  });

  /** An attach in which one word of one message is another. */
  function replay(pair: Pair, index: number, at: number, value: number): void {
    const { frontEnd, served } = pair;
    let count = 0;
    /** Sends a step, changed if it is the one; its reply, or undefined at the end of the device. */
    const sendStep = (step: Step): message.Reply | null | undefined => {
      const bytes = encodeStep(step);
      if (count === index) bytes.writeUInt32LE(value, 12 + at);
      count += 1;
      frontEnd.socket.send(bytes, step.descriptors);
      served.pump();
      if (served.broken.length > 0) return undefined;
      return step.answer === 'none' ? null : frontEnd.socket.take();
    };
    function* attach(): Steps {
      yield* frontEnd.realize();
      yield* frontEnd.reset();
      yield* frontEnd.start();
    }
    const steps = attach();
    let result = steps.next(null);
    while (result.done !== true) {
      const reply = sendStep(result.value);
      // A front end that gets no inflight area gives up, too.
      const lost = result.value.request === message.GET_INFLIGHT_FD && !reply;
      if (reply === undefined || lost) return;
      result = steps.next(reply);
    }
    frontEnd.driver.submit({ lun: lunField(0), cdb: READ_8, dataInBytes: 4096 }, () => undefined);
    served.pump();
  }

  it('T5: rings that lie in no region, over two, past 2^53, or are not aligned', () => {
    const at = (change: (words: Buffer) => void) => (pair: Pair) => {
      const { frontEnd } = realized(pair);
      const queue = frontEnd.queues[2] as (typeof frontEnd.queues)[number];
      for (const region of frontEnd.ram.regions) frontEnd.send(addRegion(frontEnd.ram, region));
      const address = ringAddress(frontEnd.ram, 2, queue);
      change(address);
      send(pair, message.SET_FEATURES, quads(0x1_7000_0006));
      send(pair, message.SET_VRING_NUM, state(2, queue.size));
      send(pair, message.SET_VRING_ADDR, address);
      send(pair, message.SET_VRING_KICK, quads(2), [frontEnd.descriptors[2]?.kick as number]);
      send(pair, message.SET_VRING_ENABLE, state(2, 1));
    };
    bench.expectBroken(
      /^descriptor table 0x0 .*no memory region/,
      at((a) => a.fill(0, 8, 16)),
    );
    bench.expectBroken(
      /^used ring .*no memory region/,
      at((a) => a.fill(0, 16, 24)),
    );
    bench.expectBroken(
      /^available ring .*no memory region/,
      at((a) => a.fill(0, 24, 32)),
    );
    bench.expectBroken(
      /^SET_VRING_ADDR: descriptor .*2\^53/,
      at((a) => a.fill(255, 8, 16)),
    );
    bench.expectBroken(
      /^SET_VRING_ADDR: used .*2\^53/,
      at((a) => a.fill(255, 16, 24)),
    );
    bench.expectBroken(
      /^descriptor table .*multiple of 16/,
      at((a) => a.writeUInt8(a.readUInt8(8) ^ 8, 8)),
    );
    bench.expectBroken(
      /^used ring .*multiple of 4/,
      at((a) => a.writeUInt8(a.readUInt8(16) ^ 2, 16)),
    );
    const end = (pair: Pair): bigint => BigInt(pair.frontEnd.ram.regions[0]?.bytes ?? 0);
    bench.expectBroken(/^used ring .*no memory region/, (pair) =>
      at((a) => a.writeBigUInt64LE(BigInt(pair.frontEnd.ram.user(0)) + end(pair) - 8n, 16))(pair),
    );
  });

  it('T5: regions that are empty, overlap, leave their file, wrap, or are too many', () => {
    const add =
      (...words: (number | bigint)[]) =>
      (pair: Pair) => {
        const payload = quads(0, ...words);
        send(pair, message.ADD_MEM_REG, payload, [pair.frontEnd.ram.fd]);
      };
    bench.expectBroken(/region size is 0/, add(0, 0, 0, 0));
    bench.expectBroken(/region fd ends at byte/, add(0, 2 ** 30, 0, 0));
    bench.expectBroken(/region fd ends at byte|past 2\^53/, add(0, 4096, 0, 2n ** 52n));
    bench.expectBroken(/^ADD_MEM_REG: guest_phys_addr .*2\^53/, add(-1n, 4096, 0, 0));
    bench.expectBroken(/^ADD_MEM_REG: memory_size .*2\^53/, add(0, -4096n, 0, 0));
    bench.expectBroken(
      /region guestAddress plus size is past 2\^53/,
      add(2n ** 53n - 4096n, 8192, 0, 0),
    );
    bench.expectBroken(/region mmapOffset is .*multiple/, add(0, 4096, 0, 1));
    bench.expectBroken(/overlaps the region/, (pair) => {
      add(0, 8192, 0, 0)(pair);
      add(4096, 8192, 2 ** 40, 0)(pair);
    });
    bench.expectBroken(/regions are 64 already/, (pair) => {
      for (let i = 0; i < 65; i += 1) add(i * 4096, 4096, i * 4096, 0)(pair);
    });
    bench.expectBroken(/^SET_MEM_TABLE: num_regions 9/, (pair) => {
      const payload = Buffer.alloc(8 + 9 * 32);
      payload.writeUInt32LE(9, 0);
      send(pair, message.SET_MEM_TABLE, payload.subarray(0, 264), []);
    });
    bench.expectBroken(/^REM_MEM_REG: guest_phys_addr 0x1000 is no region/, (pair) => {
      add(0, 4096, 0, 0)(pair);
      send(pair, message.REM_MEM_REG, quads(0, 4096, 4096, 0, 0));
    });
  });

  it('a region removed under a running command: it ends in its old memory, then the rings are without', () => {
    bench.expectBroken(
      /descriptor table .*no memory region|memory region its rings lie in was removed/,
      (pair) => {
        pair.attach();
        bench.backEnd.inventory.inject(0, [{ operation: 'read', delayMs: 500 }]);
        const { frontEnd, served } = pair;
        frontEnd.driver.submit(
          { lun: lunField(0), cdb: READ_8, dataInBytes: 4096 },
          () => undefined,
        );
        frontEnd.kick();
        served.pump();
        assert.equal(served.connection.device.outstanding, 1);
        const region = frontEnd.ram.regions[0] as (typeof frontEnd.ram.regions)[number];
        const words = quads(0, region.guestAddress, region.bytes, region.userAddress, 0);
        send(pair, message.REM_MEM_REG, words, [], NEED_REPLY);
        assert.equal(served.connection.isSuspended, true, 'it waits for the command');
        assert.deepEqual(served.broken, []);
        bench.backEnd.advance(600);
        bench.backEnd.inventory.inject(0, []);
        served.pump();
        pair.served.pump();
        if (served.broken.length === 0) {
          // Without a region no ring can run; with another one theirs lies in none.
          frontEnd.send(addRegion(frontEnd.ram, { ...region, userAddress: 0 }));
        }
      },
    );
  });

  it('a region that is none, removed under a running command: the core that ends it does not hear of that', () => {
    bench.expectBroken(/^REM_MEM_REG: guest_phys_addr 0x3000 is no region/, (pair) => {
      pair.attach();
      bench.backEnd.inventory.inject(0, [{ operation: 'read', delayMs: 500, count: 1 }]);
      pair.frontEnd.driver.submit(
        { lun: lunField(0), cdb: READ_8, dataInBytes: 4096 },
        () => undefined,
      );
      pair.frontEnd.kick();
      pair.served.pump();
      send(pair, message.REM_MEM_REG, quads(0, 0x3000, 4096, 0, 0), [], NEED_REPLY);
      assert.equal(pair.served.connection.isSuspended, true, 'it waits for the command');
      bench.backEnd.advance(600);
      bench.backEnd.inventory.inject(0, []);
      assert.equal(pair.frontEnd.socket.take()?.payload.readBigUInt64LE(0), 1n, 'refused');
    });
  });

  it('memory is replaced under a running command, which ends where it began, and the rings go on', () => {
    const pair = new Pair(bench.backEnd).attach();
    bench.backEnd.inventory.inject(0, [{ operation: 'read', delayMs: 500, count: 1 }]);
    const statuses: number[] = [];
    const { frontEnd, served } = pair;
    frontEnd.driver.submit({ lun: lunField(0), cdb: READ_8, dataInBytes: 4096 }, (answer) =>
      statuses.push(answer.status),
    );
    frontEnd.kick();
    served.pump();
    frontEnd.send(memoryTable(frontEnd.ram));
    served.pump();
    assert.equal(frontEnd.socket.take(), null, 'not acknowledged while the command runs');
    bench.backEnd.advance(600);
    served.pump();
    assert.equal(frontEnd.socket.take()?.request, message.SET_MEM_TABLE);
    frontEnd.serveInterrupts();
    assert.deepEqual(statuses, [0]);
    bench.backEnd.inventory.inject(0, []);
    pair.smoke(0);
    pair.end();
    bench.check();
  });

  it('messages about a ring while it is served, and about rings that cannot be', () => {
    const { SET_VRING_NUM, SET_VRING_BASE, SET_VRING_KICK, GET_VRING_BASE } = message;
    bench.expectBroken(/^SET_VRING_NUM: ring 2 is being served/, (pair) =>
      send(pair.attach(), SET_VRING_NUM, state(2, 64)),
    );
    bench.expectBroken(/^SET_VRING_BASE: ring 2 is being served/, (pair) =>
      send(pair.attach(), SET_VRING_BASE, state(2, 0)),
    );
    bench.expectBroken(/^SET_VRING_KICK: ring 2 is being served/, (pair) =>
      send(pair.attach(), SET_VRING_KICK, quads(2), [pair.frontEnd.requestFd]),
    );
    for (const request of [
      SET_VRING_NUM,
      SET_VRING_BASE,
      GET_VRING_BASE,
      message.SET_VRING_ENABLE,
    ]) {
      for (const index of [66, 256, 0xffffffff]) {
        bench.expectBroken(new RegExp(`: index ${index}, rings 0 to`), (pair) =>
          send(pair, request, state(index, 1)),
        );
      }
    }
    bench.expectBroken(/^SET_VRING_BASE: num 65536/, (pair) =>
      send(pair, SET_VRING_BASE, state(0, 65_536)),
    );
  });

  it('ring sizes that cannot be, features that were not offered, an inflight area that lies', () => {
    for (const size of [0xffffffff, 3, 2048, 32_768]) {
      bench.expectBroken(new RegExp(`^num ${size} is not a power of two`), (pair) => {
        const { frontEnd } = realized(pair);
        for (const region of frontEnd.ram.regions) frontEnd.send(addRegion(frontEnd.ram, region));
        send(pair, message.SET_FEATURES, quads(0x1_7000_0006));
        const queue = frontEnd.queues[2] as (typeof frontEnd.queues)[number];
        send(pair, message.SET_VRING_NUM, state(2, size));
        send(pair, message.SET_VRING_ADDR, ringAddress(frontEnd.ram, 2, queue));
        send(pair, message.SET_VRING_KICK, quads(2), [frontEnd.descriptors[2]?.kick as number]);
        send(pair, message.SET_VRING_ENABLE, state(2, 1));
      });
    }
    bench.expectBroken(/^SET_FEATURES: bits 0x8000000000000000/, (pair) =>
      send(pair, message.SET_FEATURES, quads(1n << 63n)),
    );
    bench.expectBroken(/^SET_PROTOCOL_FEATURES: bits/, (pair) =>
      send(pair, message.SET_PROTOCOL_FEATURES, quads(-1n)),
    );
    const shape = (queues: number, size: number, bytes: bigint, offset = 0n): Buffer => {
      const payload = Buffer.concat([quads(bytes, offset), Buffer.alloc(8)]);
      payload.writeUInt16LE(queues, 16);
      payload.writeUInt16LE(size, 18);
      return payload;
    };
    bench.expectBroken(/^GET_INFLIGHT_FD: num_queues 0/, (pair) =>
      send(pair, message.GET_INFLIGHT_FD, shape(0, 128, 0n)),
    );
    for (const [bytes, offset] of [
      [16n, 0n],
      [2n ** 40n, 0n],
      [2n ** 20n, 2n ** 52n],
      [2n ** 20n, 1n],
    ] as const) {
      bench.expectBroken(/^inflight (mmap_size|mmap_offset|fd)/, (pair) =>
        send(pair, message.SET_INFLIGHT_FD, shape(3, 128, bytes, offset), [pair.frontEnd.ram.fd]),
      );
    }
    for (const [bytes, offset] of [
      [0n, 0n],
      [2n ** 40n, 0n],
      [4096n, 1n],
      [4096n, 2n ** 40n],
    ] as const) {
      bench.expectBroken(/^log (size|offset|fd)/, (pair) =>
        send(pair, message.SET_LOG_BASE, quads(bytes, offset), [pair.frontEnd.ram.fd]),
      );
    }
  });

  it('messages without end hold nobody up and leave nothing', () => {
    const pair = new Pair(bench.backEnd);
    const one = encodeMessage(message.GET_FEATURES, EMPTY);
    for (let round = 0; round < 50; round += 1) {
      while (pair.frontEnd.socket.send(one) === 0);
      pair.served.turn();
      bench.healthy.smoke();
      if (pair.served.broken.length > 0) break;
    }
    // It never reads an answer: its socket is full some day.
    pair.expectBroken(/^GET_FEATURES: the answer could not be sent: EAGAIN/);
    pair.end();
    bench.check();
  });

  it('1000 front ends attach, work and go: no descriptor, no mapping, no growth', () => {
    const cycle = (): void => {
      const pair = new Pair(bench.backEnd, { queueSize: 16 });
      pair.attach().smoke();
      pair.end();
    };
    for (let i = 0; i < 200; i += 1) cycle();
    globalThis.gc?.();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 800; i += 1) cycle();
    globalThis.gc?.();
    const grownMib = (process.memoryUsage.rss() - before) / 2 ** 20;
    assert.ok(grownMib < 48, `resident memory grew by ${grownMib.toFixed(1)} MiB`);
    bench.check();
  });
});

/** Bytes of a request's payload, as the specification has it. */
function sizeOf(request: number): number {
  const {
    SET_VRING_ADDR,
    ADD_MEM_REG,
    REM_MEM_REG,
    SET_LOG_BASE,
    GET_INFLIGHT_FD,
    SET_INFLIGHT_FD,
  } = message;
  const { SET_OWNER, RESET_OWNER, RESET_DEVICE, SET_LOG_FD, SET_BACKEND_REQ_FD } = message;
  if (request === SET_VRING_ADDR || request === ADD_MEM_REG || request === REM_MEM_REG) return 40;
  if (request === GET_INFLIGHT_FD || request === SET_INFLIGHT_FD) return 24;
  if (request === SET_LOG_BASE) return 16;
  const bare = [SET_OWNER, RESET_OWNER, RESET_DEVICE, SET_LOG_FD, SET_BACKEND_REQ_FD];
  const name = NAMES.get(request) ?? '';
  const asks = name.startsWith('GET_') && name !== 'GET_VRING_BASE';
  return bare.includes(request) || asks ? 0 : 8;
}
