/** Hostile virtio-scsi drivers: rings, chains and requests that lie. Each ends in an answer or in one reason, and harms nobody else. */
import { strict as assert } from 'node:assert';
import { Worker } from 'node:worker_threads';
import { ringAddress } from '../../src/initiator/vhost/handshake.ts';
import {
  encodeMessage,
  quads,
  SET_FEATURES,
  SET_LOG_BASE,
  SET_VRING_ADDR,
} from '../../src/initiator/vhost/message.ts';
import {
  CONTROL,
  EVENTS,
  lunField,
  REQUESTS,
  RESPONSE_BYTES,
} from '../../src/initiator/vhost/scsi-driver.ts';
import { INDIRECT, NEXT, WRITE } from '../../src/initiator/vhost/split-queue.ts';
import { addSeals, close, createMemoryFile, F_SEAL_SHRINK } from '../../src/libc.ts';
import { HostileBench, Pair } from '../support/vhost/back-end.ts';

import {
  HEADER_BYTES,
  header,
  offerChain,
  offerTable,
  POISON,
  READ_1,
  ring,
  room,
  writeDescriptor,
} from './vhost-chains.ts';

const F_LOG_ALL = 1n << 26n;

type Attack = (pair: Pair) => void;

/** What T2 and the list of bad input have about chains; each is one head offered on the request queue. */
const CHAINS: readonly (readonly [name: string, reason: RegExp, attack: Attack])[] = [
  [
    'a descriptor that follows itself',
    /descriptor chain of head 0 is longer than the queue's 32/,
    (pair) => {
      ring(pair).describe(0, header(pair, READ_1), NEXT, 0);
      ring(pair).offer(0);
    },
  ],
  [
    'two that follow each other',
    /descriptor chain of head 3 is longer/,
    (pair) => {
      ring(pair).describe(3, header(pair, READ_1), NEXT, 4);
      ring(pair).describe(4, header(pair, READ_1), NEXT, 3);
      ring(pair).offer(3);
    },
  ],
  [
    'next that is no descriptor',
    /descriptor next 32 is no descriptor/,
    (pair) => {
      ring(pair).describe(0, header(pair, READ_1), NEXT, 32);
      ring(pair).offer(0);
    },
  ],
  [
    'a head that is no descriptor',
    /available ring entry 32 is no descriptor/,
    (pair) => ring(pair).offer(32),
  ],
  [
    'an indirect table inside an indirect table',
    /indirect table flags \d+ say INDIRECT again/,
    (pair) => {
      const table = room(pair, 16);
      ring(pair).describe(0, table, INDIRECT, 0);
      writeDescriptor(pair, table.address, table, INDIRECT, 0);
      ring(pair).offer(0);
    },
  ],
  [
    'an indirect table that loops',
    /indirect table of descriptor 0 chains in a loop/,
    (pair) => {
      const table = room(pair, 32);
      ring(pair).describe(0, table, INDIRECT, 0);
      writeDescriptor(pair, table.address, header(pair, READ_1), NEXT, 1);
      writeDescriptor(pair, table.address + 16, header(pair, READ_1), NEXT, 0);
      ring(pair).offer(0);
    },
  ],
  [
    'an indirect next past its table',
    /indirect table next 1 is past its 1/,
    (pair) => {
      const table = room(pair, 16);
      ring(pair).describe(0, table, INDIRECT, 0);
      writeDescriptor(pair, table.address, header(pair, READ_1), NEXT, 1);
      ring(pair).offer(0);
    },
  ],
  [
    'an indirect table of no whole entries',
    /indirect table len 17/,
    (pair) => offerTable(pair, 17),
  ],
  ['an indirect table of nothing', /indirect table len 0/, (pair) => offerTable(pair, 0)],
  [
    'an indirect table of 4 GiB',
    /indirect table len 4294967280/,
    (pair) => offerTable(pair, 0xfffffff0),
  ],
  [
    'an indirect table elsewhere',
    /indirect table addr of descriptor 0 lies outside/,
    (pair) => {
      ring(pair).describe(0, { address: 2 ** 45, length: 16 }, INDIRECT, 0);
      ring(pair).offer(0);
    },
  ],
  [
    'INDIRECT and NEXT',
    /descriptor flags 5 say INDIRECT and NEXT/,
    (pair) => {
      ring(pair).describe(0, room(pair, 16), INDIRECT | NEXT, 1);
      ring(pair).offer(0);
    },
  ],
  [
    'a readable descriptor behind a writable one',
    /descriptor flags 0 make it readable after/,
    (pair) =>
      offerChain(pair, [header(pair, READ_1)], [room(pair, RESPONSE_BYTES)], [room(pair, 8)]),
  ],
  [
    'lengths whose sum passes 2^31',
    /descriptor len \d+ makes the chain 2 GiB/,
    (pair) => {
      const huge = { address: room(pair, 16).address, length: 0x7fffffff };
      offerChain(pair, [header(pair, READ_1)], [room(pair, RESPONSE_BYTES), huge, huge]);
    },
  ],
  [
    'a length of 2^32 - 1',
    /descriptor len 4294967295 is 2 GiB or more/,
    (pair) =>
      offerChain(
        pair,
        [header(pair, READ_1)],
        [room(pair, 200), { address: 0, length: 0xffffffff }],
      ),
  ],
  [
    'a buffer outside every region',
    /descriptor addr 0x200000000000 with len 512 lies outside/,
    (pair) =>
      offerChain(
        pair,
        [header(pair, READ_1)],
        [room(pair, RESPONSE_BYTES), { address: 2 ** 45, length: 512 }],
      ),
  ],
  [
    'a buffer that leaves its region',
    /descriptor addr 0x1ffff0 with len 32 lies outside/,
    (pair) =>
      offerChain(
        pair,
        [header(pair, READ_1)],
        [room(pair, RESPONSE_BYTES), { address: 0x1ffff0, length: 32 }],
      ),
  ],
  [
    'a header outside every region',
    /descriptor addr 0x200000000000 with len 51 lies outside/,
    (pair) =>
      offerChain(pair, [{ address: 2 ** 45, length: HEADER_BYTES }], [room(pair, RESPONSE_BYTES)]),
  ],
  [
    'no room for the response',
    /request with 51 readable and 107 writable bytes/,
    (pair) => offerChain(pair, [header(pair, READ_1)], [room(pair, 107)]),
  ],
  [
    'half a header',
    /request with 50 readable and 108 writable bytes/,
    (pair) => offerChain(pair, [room(pair, 50)], [room(pair, RESPONSE_BYTES)]),
  ],
  [
    'an empty chain',
    /request with 0 readable and 0 writable bytes/,
    (pair) => {
      ring(pair).describe(0, { address: 0, length: 0 }, 0, 0);
      ring(pair).offer(0);
    },
  ],
];

/** Switches dirty logging on; the log has one bit for each of the first pages of memory. */
function logPages(pair: Pair, bytes: number): void {
  const { frontEnd, served } = pair;
  const log = createMemoryFile('hostile-log', bytes);
  addSeals(log, F_SEAL_SHRINK);
  frontEnd.socket.send(encodeMessage(SET_FEATURES, quads(0x1_7000_0006n | F_LOG_ALL)));
  for (const [index, queue] of frontEnd.queues.entries()) {
    frontEnd.socket.send(encodeMessage(SET_VRING_ADDR, ringAddress(frontEnd.ram, index, queue, 1)));
  }
  frontEnd.socket.send(encodeMessage(SET_LOG_BASE, quads(bytes, 0)), [log]);
  served.pump();
  assert.equal(frontEnd.socket.take()?.request, SET_LOG_BASE);
  close(log);
}

describe('hostile virtio-scsi driver', function () {
  this.timeout(20_000);
  let bench: HostileBench;
  beforeEach(() => {
    bench = new HostileBench();
  });
  afterEach(() => {
    assert.deepEqual(bench.backEnd.internalErrors, []);
    bench.end();
  });

  for (const [name, reason, attack] of CHAINS) {
    it(`T2: ${name}`, () => {
      bench.expectBroken(reason, (pair) => {
        attack(pair.attach());
      });
    });
    it(`T8: ${name}, while pages are logged`, () => {
      bench.expectBroken(reason, (pair) => {
        logPages(pair.attach(), 1);
        attack(pair);
      });
    });
  }

  it('T1: descriptors, table, header and CDB that change all the time: what is served is one of what was there', async () => {
    const pair = new Pair(bench.backEnd).attach();
    const { frontEnd, served } = pair;
    const blocks = [0x11, 0x22];
    blocks.forEach((value, lba) => {
      const cdb = new Uint8Array([0x2a, 0, 0, 0, 0, lba, 0, 0, 1, 0]);
      pair.run({ lun: lunField(0), cdb, dataOut: new Uint8Array(512).fill(value) });
    });
    const read = header(pair, READ_1);
    const response = room(pair, RESPONSE_BYTES);
    const data = room(pair, 4096);
    const table = room(pair, 48);
    writeDescriptor(pair, table.address, read, NEXT, 1);
    writeDescriptor(pair, table.address + 16, response, NEXT | WRITE, 2);
    writeDescriptor(
      pair,
      table.address + 32,
      { address: data.address + 512, length: 512 },
      WRITE,
      0,
    );
    // The data buffer jumps between two places, its length between 512 and 513, the LBA between two blocks.
    const words = [
      [table.address + 32, data.address + 512, data.address + 2048, 4],
      [table.address + 40, 512, 513, 4],
      [read.address + 19 + 5, 0, 1, 1],
    ];
    const stop = new Int32Array(new SharedArrayBuffer(8));
    const orders = { fd: frontEnd.ram.fd, bytes: frontEnd.ram.view.length, stop, words };
    const worker = new Worker(new URL('./flipping-thread.js', import.meta.url), {
      workerData: orders,
    });
    await new Promise((resolve) => worker.once('message', resolve));
    for (let round = 0; round < 3000; round += 1) {
      frontEnd.ram.view.fill(POISON, data.address, data.address + 4096);
      ring(pair).describe(0, { address: table.address, length: 48 }, INDIRECT, 0);
      ring(pair).offer(0);
      served.pump();
      assert.deepEqual(served.broken, [], `round ${round}`);
      const places = [512, 2048].filter((at) => frontEnd.ram.view[data.address + at] !== POISON);
      assert.equal(places.length, 1, 'data lie in one place');
      const at = data.address + (places[0] as number);
      const seen = new Set(frontEnd.ram.view.subarray(at, at + 512));
      assert.ok(seen.size === 1 && (seen.has(0x11) || seen.has(0x22)), 'one block, whole');
      const rest = frontEnd.ram.view.slice(data.address, data.address + 4096);
      rest.fill(POISON, places[0], (places[0] as number) + 512);
      assert.ok(
        rest.every((byte) => byte === POISON),
        'nothing is written anywhere else',
      );
    }
    Atomics.store(stop, 0, 1);
    await new Promise((resolve) => worker.once('exit', resolve));
    pair.end();
    bench.check();
  });

  it('T1: rings of noise that goes on: broken off or served, never more', async () => {
    const pair = new Pair(bench.backEnd).attach();
    const { frontEnd } = pair;
    const stop = new Int32Array(new SharedArrayBuffer(8));
    const noise = { from: ring(pair).desc, to: ring(pair).avail };
    const orders = { fd: frontEnd.ram.fd, bytes: frontEnd.ram.view.length, stop, words: [], noise };
    const worker = new Worker(new URL('./flipping-thread.js', import.meta.url), {
      workerData: orders,
    });
    await new Promise((resolve) => worker.once('message', resolve));
    for (let round = 0; round < 200; round += 1) {
      if (pair.served.broken.length === 0) ring(pair).offer(round % 32);
      pair.served.turn();
      if (round % 20 === 0) bench.healthy.smoke();
    }
    assert.equal(pair.served.broken.length, 1);
    assert.match(pair.served.broken[0] as string, /^virtqueue 2: /);
    Atomics.store(stop, 0, 1);
    await new Promise((resolve) => worker.once('exit', resolve));
    pair.end();
    bench.check();
  });

  it('T3: a driver that offers faster than it is served gets its budget and no more', () => {
    const pair = new Pair(bench.backEnd).attach();
    const { driver } = pair.frontEnd;
    let answered = 0;
    const again = (): void => {
      answered += 1;
      driver.submit({ lun: lunField(0), cdb: new Uint8Array(6) }, again);
    };
    for (let i = 0; i < 32; i += 1)
      driver.submit({ lun: lunField(0), cdb: new Uint8Array(6) }, again);
    for (let turn = 0; turn < 200; turn += 1) {
      const before = answered;
      pair.served.turn();
      driver.collect(REQUESTS);
      assert.ok(answered - before <= 32);
      bench.healthy.smoke();
    }
    assert.ok(answered > 3000);
    pair.end();
    bench.check();
  });

  it('a poll in which the device breaks off counts as work, so that the reactor sees to it before it sleeps', () => {
    const pair = new Pair(bench.backEnd).attach();
    ring(pair).offer(32);
    assert.equal(pair.served.connection.device.poll(REQUESTS, 32), 1);
    pair.expectBroken(/available ring entry 32/);
    pair.end();
    bench.check();
  });

  it('T4: an available index too far ahead, and a head that is offered while it is in flight', () => {
    bench.expectBroken(/^virtqueue 2: available ring idx \d+ is 33 ahead of/, (pair) => {
      performIndex(pair.attach(), 33);
    });
    bench.expectBroken(/^virtqueue 2: available ring entry 0 is in flight already/, (pair) => {
      pair.attach();
      bench.backEnd.inventory.inject(0, [{ operation: 'read', delayMs: 500, count: 1 }]);
      offerChain(pair, [header(pair, READ_1)], [room(pair, RESPONSE_BYTES), room(pair, 512)]);
      ring(pair).offer(0);
    });
    bench.backEnd.inventory.inject(0, []);
  });

  /** Moves the available index of the request queue. */
  function performIndex(pair: Pair, ahead: number): void {
    const at = ring(pair).avail + 2;
    const now = pair.frontEnd.ram.data.getUint16(at, true);
    pair.frontEnd.ram.data.setUint16(at, (now + ahead) & 0xffff, true);
  }

  it('T4: a driver that never looks at what comes back costs a ring, and nothing that grows', () => {
    const pair = new Pair(bench.backEnd).attach();
    const piece = header(pair, [0, 0, 0, 0, 0, 0]);
    const response = room(pair, RESPONSE_BYTES);
    for (let i = 0; i < 20_000; i += 1) {
      ring(pair).describe(0, piece, NEXT, 1);
      ring(pair).describe(1, response, WRITE, 0);
      ring(pair).offer(0);
      pair.served.turn();
      assert.ok(pair.served.connection.device.outstanding <= 1);
    }
    assert.deepEqual(pair.served.broken, []);
    pair.end();
    bench.check();
  });

  for (const logged of [false, true]) {
    it(`${logged ? 'T8, ' : ''}T7: header and response cut at every byte, in one to twenty pieces, over borders of regions`, () => {
      const pair = new Pair(bench.backEnd, { layout: 'shuffled', requestQueues: 2 }).attach();
      if (logged) logPages(pair, 1);
      const dataOut = Uint8Array.from({ length: 4096 }, (_, i) => (i * 7) & 0xff);
      for (let at = 1; at < HEADER_BYTES; at += 1) {
        const readableCuts = at % 5 === 0 ? new Array(19).fill(at % 11 || 1) : [at];
        const write = pair.run({
          lun: lunField(0),
          cdb: new Uint8Array([0x2a, 0, 0, 0, 0, at, 0, 0, 8, 0]),
          dataOut,
          readableCuts,
        });
        assert.deepEqual([write.response, write.status, write.residual], [0, 0, 0]);
        const read = pair.run({
          lun: lunField(0),
          cdb: new Uint8Array([0x28, 0, 0, 0, 0, at, 0, 0, 8, 0]),
          dataInBytes: 4096,
          readableCuts: [at],
          writableCuts: at % 3 === 0 ? new Array(20).fill(at) : [2 * at],
        });
        assert.deepEqual([read.response, read.status, read.written], [0, 0, RESPONSE_BYTES + 4096]);
        assert.deepEqual(read.dataIn, dataOut);
      }
      pair.end();
      bench.check();
    });
  }

  it('T9: every type and function on the control queue, with LUNs that are and are not', () => {
    const luns = [
      lunField(0),
      lunField(9),
      lunField(300),
      lunField(0, 7),
      [0xc1, 1, 0, 0, 0, 0, 0, 0],
      [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
      [0, 0, 0, 0, 0, 0, 0, 0],
      [1, 0, 0x80, 0, 0, 0, 0, 0],
    ];
    const responses = new Set<number>();
    const pair = new Pair(bench.backEnd).attach();
    for (const lun of luns) {
      for (const subtype of [0, 1, 2, 3, 4, 5, 6, 7, 8, 99, 0xffffffff]) {
        responses.add(pair.manage(subtype, lun, 12345n));
      }
    }
    // FUNCTION_COMPLETE, BAD_TARGET, FUNCTION_REJECTED, INCORRECT_LUN (virtio 1.2, 5.6.6.2); a LUN that cannot be is rejected.
    for (const code of [0, 3, 11, 12]) assert.ok(responses.has(code), `${[...responses]}`);
    assert.ok(
      [...responses].every((code) => [0, 3, 9, 10, 11, 12].includes(code)),
      `${[...responses]}`,
    );
    let asked: number[] = [];
    for (const type of [1, 2] as const) {
      pair.frontEnd.driver.notification(type, 0xffffffff, (actual, response) => {
        asked = [actual, response];
      });
      pair.turn();
      assert.deepEqual(asked, [0, 0]);
    }
    pair.end();
    for (const type of [3, 4, 0xffff, 0x80000000]) {
      bench.expectBroken(/^virtqueue 0: control request type \d+ is none/, (hostile) => {
        const bytes = new Uint8Array(24);
        new DataView(bytes.buffer).setUint32(0, type, true);
        hostile.attach().frontEnd.driver.control(bytes, 5, () => undefined);
      });
    }
    for (let length = 1; length < 24; length += 1) {
      bench.expectBroken(/^virtqueue 0: control request /, (hostile) => {
        hostile.attach().frontEnd.driver.control(new Uint8Array(length), 1, () => undefined);
      });
    }
    bench.expectBroken(/^virtqueue 1: event buffer with/, (hostile) => {
      hostile.attach();
      const queue = ring(hostile, EVENTS);
      queue.add([room(hostile, 16)], []);
      for (let i = 0; i < 9; i += 1) hostile.served.connection.device.unitAdded(5);
    });
    assert.ok(CONTROL === 0);
  });
});
