/** What a blkif server does with each operation, in the order Linux's server checks it. */
import assert from 'node:assert/strict';
import { DONE, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { Rig, type RigOptions } from './rig.ts';

const READ = 0;
const WRITE = 1;
const BARRIER = 2;
const FLUSH = 3;

describe('blkif server', () => {
  let rig: Rig;
  const made: Rig[] = [];

  function make(options: RigOptions = {}): Rig {
    rig = new Rig(options);
    made.push(rig);
    return rig;
  }

  beforeEach(() => {
    make();
  });

  afterEach(() => {
    for (const old of made.splice(0)) old.close();
  });

  /** Header of a raw request: operation, segments, id 1, sector. */
  function header(operation: number, segments: number, sector: bigint): string {
    const bytes = Buffer.alloc(24);
    bytes.writeUInt8(operation, 0);
    bytes.writeUInt8(segments, 1);
    bytes.writeUInt8(1, 8);
    bytes.writeBigUInt64LE(sector, 16);
    return bytes.toString('hex');
  }

  function segment(gref: number, first: number, last: number): string {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(gref, 0);
    bytes.writeUInt8(first, 4);
    bytes.writeUInt8(last, 5);
    return bytes.toString('hex');
  }

  /** Sends one raw request and returns its status. */
  function answer(hex: string): number {
    rig.raw(hex);
    rig.serve();
    return rig.status(0);
  }

  it('writes and reads back through the pages granted, and no others', () => {
    rig.bytes.fill(0x5a, 4096 * 3, 4096 * 5);
    rig.frontend.transfer(0, WRITE, 16, 3, 8192);
    assert.deepEqual(rig.run(), ['0:0']);
    rig.frontend.transfer(1, READ, 17, 10, 1024);
    assert.deepEqual(rig.run(), ['0:0', '1:0']);
    assert.ok(rig.bytes.subarray(4096 * 10, 4096 * 10 + 1024).every((byte) => byte === 0x5a));
    assert.ok(rig.bytes.subarray(4096 * 10 + 1024, 4096 * 11).every((byte) => byte === 0));
    assert.deepEqual(rig.store.log, ['write 8192 8192', 'read 8704 1024']);
  });

  it('moves only the sectors a segment names', () => {
    rig.store.medium.fill(0x77);
    const hex = header(READ, 2, 4n) + segment(9, 2, 3) + segment(8, 7, 7);
    assert.equal(answer(hex), 0);
    const filled = (page: number, sector: number): boolean =>
      rig.bytes[page * 4096 + sector * 512] === 0x77;
    const seen = [1, 2, 3, 4].map((sector) => filled(9, sector));
    assert.deepEqual(seen, [false, true, true, false]);
    assert.deepEqual([filled(8, 6), filled(8, 7)], [false, true]);
    assert.deepEqual(rig.store.log, ['read 2048 1536']);
  });

  for (const operation of [4, 6, 7, 0x80, 0xff]) {
    it(`answers operation ${operation} with not supported, echoing it`, () => {
      assert.equal(answer(header(operation, 1, 0n) + segment(5, 0, 7)), -2);
      assert.equal(rig.ring[64 + 8], operation);
      assert.deepEqual(rig.store.log, []);
    });
  }

  const errors: readonly (readonly [string, () => string])[] = [
    ['a READ of no segments', () => header(READ, 0, 0n)],
    ['a WRITE of no segments', () => header(WRITE, 0, 0n)],
    ['twelve segments', () => header(READ, 12, 0n) + segment(5, 0, 7).repeat(11)],
    ['first after last', () => header(READ, 1, 0n) + segment(5, 4, 3)],
    ['last beyond the page', () => header(READ, 1, 0n) + segment(5, 0, 8)],
    ['the sector after the last', () => header(READ, 1, 2048n) + segment(5, 0, 0)],
    ['a transfer across the end', () => header(READ, 1, 2041n) + segment(5, 0, 7)],
    ['a sector number that wraps', () => header(READ, 1, 2n ** 64n - 1n) + segment(5, 0, 7)],
    ['a sector number beyond any disk', () => header(READ, 1, 2n ** 43n) + segment(5, 0, 7)],
    ['a page of the ring', () => header(READ, 1, 0n) + segment(0, 0, 7)],
    ['a page that is not granted', () => header(READ, 1, 0n) + segment(64, 0, 7)],
    ['a gref far away', () => header(READ, 1, 0n) + segment(0xffffffff, 0, 7)],
    [
      'a second segment not granted',
      () => header(READ, 2, 0n) + segment(5, 0, 7) + segment(99, 0, 7),
    ],
  ];
  for (const [name, hex] of errors) {
    it(`answers ${name} with error and touches nothing`, () => {
      assert.equal(answer(hex()), -1);
      assert.deepEqual(rig.store.log, []);
    });
  }

  it('takes the last sector', () => {
    assert.equal(answer(header(READ, 1, 2047n) + segment(5, 0, 0)), 0);
  });

  it('wants transfers of whole logical blocks', () => {
    const cases = [
      [header(READ, 1, 8n) + segment(5, 0, 7), 0],
      [header(READ, 1, 4n) + segment(5, 0, 7), -1],
      [header(READ, 1, 8n) + segment(5, 0, 3), -1],
    ] as const;
    for (const [hex, status] of cases) {
      make({ blockBytes: 4096 });
      assert.equal(answer(hex), status);
    }
  });

  it('lets nothing but reads reach a read-only disk', () => {
    const cases = [
      [header(READ, 1, 0n) + segment(5, 0, 7), 0],
      [header(WRITE, 1, 0n) + segment(5, 0, 7), -1],
      [header(BARRIER, 0, 0n), -1],
      [`050000ca${'00'.repeat(20)}0800000000000000`, -1],
    ] as const;
    for (const [hex, status] of cases) {
      make({ readOnly: true });
      assert.equal(answer(hex), status);
    }
    assert.deepEqual(rig.store.log, []);
  });

  it('flushes for an empty flush, and before the data of one that has some', () => {
    rig.frontend.transfer(0, FLUSH, 0, 1, 0);
    rig.frontend.transfer(1, FLUSH, 8, 1, 4096);
    assert.deepEqual(rig.run(), ['0:0', '1:0']);
    assert.deepEqual(rig.store.log, ['flush', 'flush', 'write 4096 4096']);
  });

  it('answers a failed flush with error and does not write after it', () => {
    rig.store.flushReply = MEDIUM_WRITE;
    rig.frontend.transfer(0, BARRIER, 8, 1, 4096);
    rig.frontend.transfer(1, FLUSH, 0, 1, 0);
    assert.deepEqual(rig.run(), ['0:-1', '1:-1']);
    assert.deepEqual(rig.store.log, ['flush', 'flush']);
    rig.store.flushReply = DONE;
    rig.frontend.transfer(2, BARRIER, 0, 1, 0);
    assert.equal(rig.run()[2], '2:0');
  });

  it('ends all before a barrier, makes it stable, then writes, and lets nothing overtake', () => {
    rig.store.holding = true;
    rig.frontend.transfer(0, WRITE, 0, 1, 4096);
    rig.frontend.transfer(1, WRITE, 8, 2, 4096);
    rig.frontend.transfer(2, BARRIER, 16, 3, 4096);
    rig.frontend.transfer(3, WRITE, 24, 4, 4096);
    rig.run();
    for (let i = 0; i < 5; i += 1) {
      rig.store.release();
      rig.run();
    }
    assert.deepEqual(rig.store.log, [
      'write 0 4096',
      'write 4096 4096',
      'release',
      'release',
      'flush',
      'release',
      'write 8192 4096',
      'release',
      'write 12288 4096',
      'release',
    ]);
    assert.deepEqual(rig.completed, ['0:0', '1:0', '2:0', '3:0']);
  });

  it('holds back what comes after a barrier that found nothing before it', () => {
    rig.store.holding = true;
    rig.frontend.transfer(0, BARRIER, 0, 1, 0);
    rig.frontend.transfer(1, READ, 0, 1, 512);
    rig.run();
    assert.deepEqual(rig.store.log, ['flush']);
    rig.store.release();
    rig.run();
    assert.deepEqual(rig.store.log, ['flush', 'release', 'read 0 512']);
  });

  it('discards sectors, refuses what it cannot do securely and what lies outside', () => {
    rig.store.medium.fill(0xff);
    rig.frontend.discard(0, 8, 16, 0);
    rig.frontend.discard(1, 8, 16, 1);
    rig.frontend.discard(2, 2040, 9, 0);
    rig.frontend.discard(3, 0, 2 ** 52, 0);
    assert.deepEqual(rig.run(), ['0:0', '1:-2', '2:-1', '3:-1']);
    assert.deepEqual(rig.store.log, ['discard 4096 8192']);
    const edges = [4095, 4096, 12287, 12288].map((at) => rig.store.medium[at]);
    assert.deepEqual(edges, [0xff, 0, 0, 0xff]);
  });

  it('uses its copy of a request, whatever happens to the slot afterwards', () => {
    rig.store.holding = true;
    rig.raw(header(READ, 1, 8n) + segment(5, 0, 7));
    rig.serve();
    rig.ring.fill(0xff, 64, 64 + 112);
    rig.store.holding = false;
    rig.store.release();
    rig.serve();
    assert.equal(Buffer.from(rig.ring.subarray(64, 72)).toString('hex'), '0100000000000000');
    assert.equal(rig.status(0), 0);
  });

  it('stops the ring for good at a bogus producer', () => {
    new DataView(rig.ring.buffer).setUint32(0, 33, true);
    assert.equal(rig.backend.poll(32), 0);
    assert.equal(rig.server.broken, true);
    new DataView(rig.ring.buffer).setUint32(0, 1, true);
    assert.equal(rig.backend.poll(32), 0);
  });

  it('goes around the ring many times', () => {
    for (let i = 0; i < 1000; i += 1) {
      rig.frontend.transfer(i % 32, i % 2, i % 2000, 1 + (i % 60), 512);
      rig.run();
    }
    assert.equal(rig.completed.length, 1000);
    assert.ok(rig.completed.every((entry) => entry.endsWith(':0')));
  });
});

describe('blkif client', () => {
  let rig: Rig;

  beforeEach(() => {
    rig = new Rig();
    rig.frontend.transfer(3, READ, 0, 1, 512);
    rig.serve();
  });

  afterEach(() => {
    rig.close();
  });

  const lies: readonly (readonly [string, number, number])[] = [
    ['an id of nothing outstanding', 0, 4],
    ['an id beyond the ring', 0, 200],
    ['another upper half of the id', 4, 0],
    ['another operation', 8, 1],
  ];
  for (const [name, offset, value] of lies) {
    it(`stops at ${name}`, () => {
      rig.ring[64 + offset] = value;
      rig.frontend.poll();
      assert.equal(rig.frontend.broken, true);
      assert.deepEqual(rig.completed, []);
    });
  }

  it('stops at an impossible producer', () => {
    new DataView(rig.ring.buffer).setUint32(8, 40, true);
    rig.frontend.poll();
    assert.equal(rig.frontend.broken, true);
    assert.deepEqual(rig.completed, []);
  });
});
