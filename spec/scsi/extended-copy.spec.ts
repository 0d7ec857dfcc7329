/** EXTENDED COPY(LID1) and its results (SPC-4 6.5, 6.22, 6.25): what is copied, in which order, and how it fails. */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { MEDIUM_READ, MEDIUM_WRITE } from '../../src/scsi/contracts.ts';
import { copyCdb, copyList, cscd, segment } from '../support/copy-list.ts';
import type { Outcome, Pending } from '../support/direct-port.ts';
import { disk, type TestNexus } from '../support/target.ts';

const BLOCK = 512;
const MAX_CSCDS = 16;
const MAX_SEGMENTS = 64;
const COPY_STATUS = (id: number): number[] => [0x84, 0, id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];

function bench(options = {}) {
  const bed = disk({ blocks: 4096, ...options });
  bed.add({ lun: 1, blocks: 1024, blockBytes: 4096 });
  const a = bed.nexus('a').clear();
  const [zero, one] = bed.target.units().map(({ identity }) => cscd(identity.naa));
  const other = bed.stores.get(1);
  for (let lba = 0; lba < 4096; lba += 1) {
    bed.store.memory.fill(lba & 0xff, lba * BLOCK, (lba + 1) * BLOCK);
  }
  assert(zero !== undefined && one !== undefined && other !== undefined);
  return { bed, a, zero, one, store: bed.store, other };
}

function start(n: TestNexus, list: Uint8Array): Pending {
  return n.start(copyCdb(list.length), { out: list });
}
function finish({ bed }: ReturnType<typeof bench>, pending: Pending): Outcome {
  while (!pending.done && bed.timers.run());
  return pending.result;
}
function run(all: ReturnType<typeof bench>, list: Uint8Array): Outcome {
  return finish(all, start(all.a, list));
}

describe('EXTENDED COPY(LID1)', () => {
  it('copies within a unit', () => {
    const all = bench();
    const before = all.store.memory.slice();
    const r = run(all, copyList([all.zero], [segment({ from: 8, to: 2048, blocks: 1000 })]));
    assert.equal(r.status, 0);
    const copied = all.store.memory.subarray(2048 * BLOCK, 3048 * BLOCK);
    assert.ok(Buffer.compare(copied, before.subarray(8 * BLOCK, 1008 * BLOCK)) === 0);
    const rest = all.store.memory.subarray(0, 2048 * BLOCK);
    assert.ok(Buffer.compare(rest, before.subarray(0, 2048 * BLOCK)) === 0);
  });

  it('within a unit onto blocks of its own, in either direction, as if all had been read first', () => {
    for (const [from, to] of [
      [100, 300],
      [300, 100],
      [5, 5],
    ] as const) {
      const all = bench();
      const before = all.store.memory.slice();
      assert.equal(run(all, copyList([all.zero], [segment({ from, to, blocks: 700 })])).status, 0);
      const copied = all.store.memory.subarray(to * BLOCK, (to + 700) * BLOCK);
      assert.deepEqual(
        copied,
        before.subarray(from * BLOCK, (from + 700) * BLOCK),
        `${from}→${to}`,
      );
    }
  });

  it('from one unit to another, block sizes apart; DC counts the blocks of the destination', () => {
    for (const [blocks, countsDestination] of [
      [64, false],
      [8, true],
    ] as const) {
      const all = bench();
      const list = copyList(
        [all.zero, all.one],
        [segment({ source: 0, destination: 1, from: 16, to: 3, blocks, countsDestination })],
      );
      assert.equal(run(all, list).status, 0);
      assert.deepEqual(
        all.other.memory.subarray(3 * 4096, 11 * 4096),
        all.store.memory.subarray(16 * BLOCK, 80 * BLOCK),
      );
    }
  });

  it('several segments in order: a later one sees what an earlier one copied', () => {
    const all = bench();
    const list = copyList(
      [all.zero],
      [segment({ from: 7, to: 100, blocks: 1 }), segment({ from: 100, to: 200, blocks: 1 })],
    );
    assert.equal(run(all, list).status, 0);
    assert.equal(all.store.memory[200 * BLOCK], 7);
  });

  it('nothing to do is GOOD: no list, no segments, no blocks', () => {
    const all = bench();
    assert.equal(all.a.run(copyCdb(0)).status, 0);
    assert.equal(run(all, copyList([], [])).status, 0);
    assert.equal(
      run(all, copyList([all.zero], [segment({ from: 0, to: 1, blocks: 0 })])).status,
      0,
    );
    assert.equal(all.store.requests.length, 0);
  });

  it('a list that is too short, cut off or of wrong lengths is 5/1A/00', () => {
    const all = bench();
    const good = copyList([all.zero], [segment({ from: 0, to: 9, blocks: 1 })]);
    const wrong = Buffer.from(good);
    wrong.writeUInt16BE(25, 16 + 32 + 2);
    for (const list of [good.subarray(0, 15), good.subarray(0, 40), good.subarray(0, -1), wrong]) {
      assert.equal(run(all, list).sense, '5/1a/00');
    }
    assert.equal(all.a.run(copyCdb(16 + 4097)).sense, '5/1a/00');
    assert.equal(all.store.requests.length, 0);
  });

  it('too many descriptors and those of other types have codes of their own', () => {
    const all = bench();
    const way = segment({ from: 0, to: 9, blocks: 1 });
    const many = (count: number, one: Uint8Array): Uint8Array[] => new Array(count).fill(one);
    assert.equal(run(all, copyList(many(MAX_CSCDS + 1, all.zero), [way])).sense, '5/26/06');
    assert.equal(run(all, copyList([all.zero], many(MAX_SEGMENTS + 1, way))).sense, '5/26/08');
    const foreign = run(all, copyList([cscd(all.zero.subarray(8, 24), 0xe0)], [way]));
    assert.deepEqual([foreign.sense, foreign.pointer], ['5/26/07', 'list 16']);
    const stream = run(
      all,
      copyList([all.zero], [segment({ from: 0, to: 1, blocks: 1, type: 3 })]),
    );
    assert.deepEqual([stream.sense, stream.pointer], ['5/26/09', 'list 48']);
    const inline = copyList([all.zero], [way]);
    inline.writeUInt32BE(4, 12);
    assert.equal(run(all, inline).sense, '5/26/0b');
    assert.equal(all.store.requests.length, 0);
  });

  it('units that are not here, and ranges that do not exist, abort the copy', () => {
    const all = bench();
    const way = segment({ from: 0, to: 9, blocks: 1 });
    const elsewhere = cscd(new Uint8Array(16).fill(0x77));
    assert.equal(run(all, copyList([elsewhere], [way])).sense, 'a/08/04');
    const index = segment({ source: 1, from: 0, to: 9, blocks: 1 });
    assert.equal(run(all, copyList([all.zero], [index])).sense, 'a/08/04');
    for (const [from, to] of [
      [4096, 0],
      [0, 4096],
      [2 ** 53, 0],
    ] as const) {
      const beyond = copyList([all.zero], [segment({ from, to, blocks: 1 })]);
      assert.equal(run(all, beyond).sense, 'a/00/00');
    }
    const odd = segment({ source: 0, destination: 1, from: 0, to: 0, blocks: 7 });
    assert.equal(run(all, copyList([all.zero, all.one], [odd])).sense, 'a/26/0a');
    assert.equal(all.store.requests.length, 0);
  });

  it('a fault of a medium is A/0D/01, and its status says how far it came', () => {
    for (const [call, reply] of [
      ['read', MEDIUM_READ],
      ['write', MEDIUM_WRITE],
    ] as const) {
      const all = bench();
      const ways = [0, 1].map((at) => segment({ from: at, to: 100 + at, blocks: 1 }));
      const pending = start(all.a, copyList([all.zero], ways, { listIdentifier: 9 }));
      all.store.fail(call, reply);
      assert.equal(finish(all, pending).sense, 'a/0d/01');
      const { dataIn } = all.a.run(COPY_STATUS(9), { in: 256 });
      assert.deepEqual([...dataIn.subarray(4, 7)], [2, 0, 1]);
    }
  });

  it('meets the reservations of its initiator: it may where that may', () => {
    const all = bench();
    const b = all.bed.nexus('b').clear();
    assert.equal(b.run('16 00 00 00 00 00', { lun: 1 }).status, 0);
    const way = segment({ source: 0, destination: 1, from: 0, to: 0, blocks: 8 });
    const list = copyList([all.zero, all.one], [way]);
    assert.equal(run(all, list).sense, 'a/0d/01');
    assert.equal(all.other.memory[0], 0);
    b.run('16 00 00 00 00 00', { lun: 0 });
    assert.equal(all.a.run(copyCdb(list.length), { out: list }).status, 0x18);
  });

  it('copies onto what its own initiator has reserved by RESERVE(6)', () => {
    const all = bench();
    assert.equal(all.a.run('16 00 00 00 00 00', { lun: 1 }).status, 0);
    const way = segment({ source: 0, destination: 1, from: 1, to: 0, blocks: 8 });
    assert.equal(run(all, copyList([all.zero, all.one], [way])).status, 0);
    assert.equal(all.other.memory[0], 1);
  });

  it('never writes to a unit that took the LUN of its destination', () => {
    const all = bench();
    all.store.memory.fill(0x5a);
    const way = segment({ source: 0, destination: 1, from: 0, to: 0, blocks: 4096 });
    const copy = start(all.a, copyList([all.zero, all.one], [way]));
    assert.equal(copy.done, false);
    all.bed.target.removeUnit(1, () => undefined);
    all.bed.add({ lun: 1, blocks: 1024, blockBytes: 4096 });
    assert.equal(finish(all, copy).sense, 'a/08/04');
    assert.equal(all.bed.stores.get(1)?.requests.length, 0);
  });

  it('waits for writes of its blocks, and they for it', () => {
    const all = bench();
    all.store.hold = true;
    const write = all.a.start('2a 00 00 00 00 08 00 00 01 00', {
      out: new Uint8Array(BLOCK).fill(0xee),
    });
    const copy = start(all.a, copyList([all.zero], [segment({ from: 8, to: 20, blocks: 1 })]));
    assert.equal(all.store.held.length, 1);
    while (!copy.done) {
      all.store.releaseAll();
      all.bed.timers.run();
    }
    assert.equal(write.result.status, 0);
    assert.equal(copy.result.status, 0);
    assert.equal(all.store.memory[20 * BLOCK], 0xee);
  });

  it('aborted, nothing of it reaches a medium after the answer', () => {
    const all = bench();
    all.store.hold = true;
    const list = copyList([all.zero], [segment({ from: 0, to: 2048, blocks: 1024 })]);
    const copy = all.a.start(copyCdb(list.length), { out: list, tag: 5 });
    all.store.releaseAt(0);
    assert.equal(all.store.held[0]?.call, 'write');
    const abort = all.a.manage(0x01, 5);
    assert.equal(abort.done, false);
    all.store.releaseAll();
    while (!abort.done) assert.ok(all.bed.timers.run());
    assert.equal(copy.result.dropped, true);
    const requests = all.store.requests.length;
    while (all.bed.timers.run());
    assert.equal(all.store.requests.length, requests);
    all.bed.unit.taskSet.verify();
  });

  it('a reset of the other unit ends it, and leaves no unit attention to whoever copies next', () => {
    const all = bench();
    all.other.hold = true;
    const way = segment({ source: 0, destination: 1, from: 0, to: 0, blocks: 8 });
    const list = copyList([all.zero, all.one], [way], { usage: 3 });
    const copy = start(all.a, list);
    all.a.manage(0x08, 0, { lun: 1 });
    all.other.releaseAll();
    assert.equal(finish(all, copy).sense, 'a/0d/01');
    all.other.hold = false;
    all.a.clear();
    assert.equal(run(all, list).status, 0);
  });

  it('a full task set is no failure: it goes on when there is room', () => {
    const all = bench();
    all.bed.unit.taskSet.capacity = 1;
    const copy = start(all.a, copyList([all.zero], [segment({ from: 0, to: 9, blocks: 1 })]));
    for (let i = 0; i < 3; i += 1) all.bed.timers.run();
    assert.equal(copy.done, false);
    all.bed.unit.taskSet.capacity = 4;
    assert.equal(finish(all, copy).status, 0);
  });

  it('gives its buffer back whole: others read as before', () => {
    const all = bench({ bounceBuffers: 1 });
    const list = copyList([all.zero], [segment({ from: 0, to: 9, blocks: 1 })]);
    for (let i = 0; i < 3; i += 1) assert.equal(run(all, list).status, 0);
    assert.equal(all.a.run('2f 00 00 00 00 00 00 00 80 00').status, 0, 'VERIFY of 64 KiB');
  });

  it('does not go on to the medium that comes next', () => {
    const all = bench({ removable: true });
    all.store.hold = true;
    const copy = start(all.a, copyList([all.zero], [segment({ from: 0, to: 2100, blocks: 8 })]));
    all.bed.unit.medium?.insert(all.bed.unit, 2, null);
    const before = all.store.memory.slice();
    all.store.hold = false;
    all.store.releaseAll();
    assert.equal(finish(all, copy).sense, 'a/0d/01');
    assert.ok(Buffer.compare(all.store.memory, before) === 0);
  });
});

describe('RECEIVE COPY RESULTS(LID1)', () => {
  it('COPY STATUS: unknown is 5/24/00, done is told once, each nexus has its own', () => {
    const all = bench();
    const b = all.bed.nexus('b').clear();
    assert.equal(all.a.run(COPY_STATUS(1), { in: 256 }).sense, '5/24/00');
    assert.equal(
      run(all, copyList([all.zero], [segment({ from: 0, to: 9, blocks: 1 })])).status,
      0,
    );
    assert.equal(b.run(COPY_STATUS(1), { in: 256 }).sense, '5/24/00');
    const { dataIn } = all.a.run(COPY_STATUS(1), { in: 256 });
    assert.deepEqual([...dataIn], [0, 0, 0, 8, 1, 0, 1, 0, 0, 0, 0, 0]);
    assert.equal(all.a.run(COPY_STATUS(1), { in: 256 }).sense, '5/24/00');
  });

  it('in progress it says so, and its identifier is taken', () => {
    const all = bench();
    all.store.hold = true;
    const list = copyList([all.zero], [segment({ from: 0, to: 9, blocks: 1 })]);
    const copy = start(all.a, list);
    assert.equal(all.a.run(COPY_STATUS(1), { in: 256 }).dataIn[4], 0);
    assert.equal(all.a.run(copyCdb(list.length), { out: list }).sense, '5/00/16');
    while (!copy.done) {
      all.store.releaseAll();
      all.bed.timers.run();
    }
    assert.equal(copy.result.status, 0);
  });

  it('LIST ID USAGE 11b keeps nothing', () => {
    const all = bench();
    const list = copyList([all.zero], [segment({ from: 0, to: 9, blocks: 1 })], { usage: 3 });
    assert.equal(run(all, list).status, 0);
    assert.equal(all.a.run(COPY_STATUS(1), { in: 256 }).sense, '5/24/00');
  });

  it('OPERATING PARAMETERS and VPD page 8Fh say the same', () => {
    const { a } = bench();
    const cdb = [0x84, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
    const parameters = Buffer.from(a.run(cdb, { in: 256 }).dataIn);
    assert.equal(parameters.readUInt32BE(0), parameters.length - 4);
    assert.equal(parameters[4], 1, 'SNLID: LIST ID USAGE 11b is taken');
    assert.deepEqual([...parameters.subarray(43)], [2, 0x02, 0xe4]);
    const page = Buffer.from(a.run('12 01 8f 02 00 00', { in: 512 }).dataIn);
    assert.equal(page.readUInt16BE(2), page.length - 4);
    const found = new Map<number, Buffer>();
    for (let at = 4; at < page.length; at += 4 + page.readUInt16BE(at + 2)) {
      assert.equal(page.readUInt16BE(at + 2) % 4, 0);
      found.set(page.readUInt16BE(at), page.subarray(at, at + 4 + page.readUInt16BE(at + 2)));
    }
    const commands = [16, 0x83, 5, 0, 1, 0x10, 0x11, 0x1c, 0x84, 7, 0, 3, 4, 5, 6, 7, 8];
    assert.deepEqual([...(found.get(1)?.subarray(4, 21) ?? [])], commands);
    assert.deepEqual(found.get(4)?.subarray(8, 16), parameters.subarray(8, 16));
    assert.deepEqual([...(found.get(8)?.subarray(4, 7) ?? [])], [2, 0x02, 0xe4]);
    assert.deepEqual([...(found.get(0xc)?.subarray(4, 10) ?? [])], [0, 4, 0xf8, 0, 0xff, 0xff]);
    assert.deepEqual(found.get(0xc001)?.subarray(4), Buffer.alloc(28), 'no data is held');
    assert.deepEqual(found.get(0x8001)?.subarray(12, 16), parameters.subarray(16, 20));
  });
});
