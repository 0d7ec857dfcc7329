/** Order in the task set (SAM-5 clause 8), seen from outside: which store requests were made, in what order. */
import { strict as assert } from 'node:assert';
import type { Pending } from '../support/direct-port.ts';
import { disk, type TestNexus } from '../support/target.ts';

const BLOCK = 512;
const SIMPLE = 0;
const HEAD = 1;
const ORDERED = 2;

const lbaBytes = (lba: number): string => lba.toString(16).padStart(8, '0');
const read = (n: TestNexus, lba: number, attribute = SIMPLE, blocks = 1): Pending =>
  n.start(`28 00 ${lbaBytes(lba)} 00 00 ${blocks.toString(16).padStart(2, '0')} 00`, {
    in: blocks * BLOCK,
    attribute,
  });
const write = (n: TestNexus, lba: number, fill: number, attribute = SIMPLE, blocks = 1): Pending =>
  n.start(`2a 00 ${lbaBytes(lba)} 00 00 ${blocks.toString(16).padStart(2, '0')} 00`, {
    out: new Uint8Array(blocks * BLOCK).fill(fill),
    attribute,
  });

function held() {
  const bed = disk({ blocks: 4096 });
  const a = bed.nexus('a').clear();
  const b = bed.nexus('b').clear();
  bed.store.hold = true;
  /** Block numbers of the requests that reached the store and are held, in order. */
  const there = (): number[] => bed.store.held.map((request) => request.position / BLOCK);
  return { bed, a, b, store: bed.store, there };
}

describe('task set', () => {
  it('runs SIMPLE tasks side by side', () => {
    const { a, b, there } = held();
    read(a, 1);
    read(b, 2);
    write(a, 3, 0x11);
    assert.deepEqual(there(), [1, 2, 3]);
  });

  it('lets them end in any order', () => {
    const { a, store } = held();
    const first = read(a, 1);
    const second = read(a, 2);
    store.releaseAt(1);
    assert.equal(first.done, false);
    assert.equal(second.done, true);
    store.releaseAll();
    assert.equal(first.result.status, 0);
  });

  it('holds an ORDERED task until every older task of every nexus has ended', () => {
    const { a, b, store, there } = held();
    read(a, 1);
    read(b, 2);
    const ordered = write(a, 100, 0x22, ORDERED);
    assert.deepEqual(there(), [1, 2]);
    store.releaseAt(0);
    assert.deepEqual(there(), [2]);
    store.releaseAt(0);
    assert.deepEqual(there(), [100]);
    store.releaseAll();
    assert.equal(ordered.result.status, 0);
  });

  it('lets nothing SIMPLE pass a waiting ORDERED task (the bug of tgt)', () => {
    const { a, b, store, there } = held();
    read(a, 1);
    write(a, 100, 0x22, ORDERED);
    read(b, 3);
    read(a, 4);
    assert.deepEqual(there(), [1]);
    store.releaseAt(0);
    assert.deepEqual(there(), [100]);
    store.releaseAt(0);
    assert.deepEqual(there(), [3, 4]);
  });

  it('keeps two ORDERED tasks in order', () => {
    const { a, store, there } = held();
    write(a, 1, 1, ORDERED);
    write(a, 2, 2, ORDERED);
    write(a, 3, 3, ORDERED);
    for (const lba of [1, 2, 3]) {
      assert.deepEqual(there(), [lba]);
      store.releaseAt(0);
    }
  });

  it('treats an ORDERED command without a medium as a barrier too', () => {
    const { a, store, there } = held();
    read(a, 1);
    const barrier = a.start('00 00 00 00 00 00', { attribute: ORDERED });
    read(a, 2);
    assert.equal(barrier.done, false);
    assert.deepEqual(there(), [1]);
    store.releaseAt(0);
    assert.equal(barrier.result.status, 0);
    assert.deepEqual(there(), [2]);
  });

  it('runs HEAD OF QUEUE at once, before dormant tasks, and holds those until it ends', () => {
    const { a, store, there } = held();
    read(a, 1);
    write(a, 2, 2, ORDERED);
    read(a, 3);
    const head = read(a, 50, HEAD);
    assert.deepEqual(there(), [1, 50]);
    store.releaseAt(0);
    assert.deepEqual(there(), [50]);
    store.releaseAt(0);
    assert.equal(head.done, true);
    assert.deepEqual(there(), [2]);
  });

  it('holds new SIMPLE tasks while a HEAD OF QUEUE task runs', () => {
    const { a, b, store, there } = held();
    read(a, 50, HEAD);
    read(b, 1);
    assert.deepEqual(there(), [50]);
    store.releaseAt(0);
    assert.deepEqual(there(), [1]);
  });

  it('runs two HEAD OF QUEUE tasks side by side', () => {
    const { a, there } = held();
    read(a, 50, HEAD);
    read(a, 60, HEAD);
    assert.deepEqual(there(), [50, 60]);
  });

  it('keeps overlapping writes in order (QUEUE ALGORITHM MODIFIER 0)', () => {
    const { bed, a, store, there } = held();
    write(a, 10, 0xaa, SIMPLE, 4);
    write(a, 12, 0xbb, SIMPLE, 4);
    assert.deepEqual(there(), [10]);
    store.releaseAll();
    store.releaseAll();
    assert.equal(bed.store.memory[12 * BLOCK], 0xbb);
    assert.equal(bed.store.memory[11 * BLOCK], 0xaa);
  });

  it('never lets a read pass an overlapping older write, or a write an overlapping older read', () => {
    const { a, store, there } = held();
    write(a, 10, 0xaa);
    const after = read(a, 10);
    assert.deepEqual(there(), [10]);
    store.releaseAll();
    store.releaseAll();
    assert.deepEqual([...new Set(after.result.dataIn)], [0xaa]);
    const before = read(a, 10);
    write(a, 10, 0xcc);
    assert.deepEqual(there(), [10]);
    store.releaseAll();
    store.releaseAll();
    assert.deepEqual([...new Set(before.result.dataIn)], [0xaa]);
  });

  it('lets overlapping reads and touching extents run together', () => {
    const { a, there } = held();
    read(a, 10, SIMPLE, 4);
    read(a, 12, SIMPLE, 4);
    write(a, 20, 1, SIMPLE, 2);
    write(a, 22, 2, SIMPLE, 2);
    assert.deepEqual(there(), [10, 12, 20, 22]);
  });

  it('lets HEAD OF QUEUE wait for a running write to its blocks: no block is torn', () => {
    const { a, store, there } = held();
    write(a, 10, 0xaa);
    const head = read(a, 10, HEAD);
    assert.deepEqual(there(), [10]);
    store.releaseAt(0);
    store.releaseAt(0);
    assert.deepEqual([...new Set(head.result.dataIn)], [0xaa]);
  });

  it('refuses the ACA attribute while ACA does not exist: 5/49/00', () => {
    const { a } = held();
    assert.equal(a.run('00 00 00 00 00 00', { attribute: 4 }).sense, '5/49/00');
  });

  it('answers TASK SET FULL to a nexus with tasks and BUSY to one without', () => {
    const { bed, a, b, store } = held();
    bed.unit.taskSet.capacity = 2;
    read(a, 1);
    read(a, 2);
    assert.equal(read(a, 3).result.status, 0x28);
    assert.equal(read(b, 4).result.status, 0x08);
    store.releaseAll();
    store.hold = false;
    assert.equal(read(b, 4).result.status, 0x00);
  });

  it('leaves a unit attention pending under TASK SET FULL', () => {
    const { bed, a, b, store } = held();
    bed.unit.attentionForAll(0x062a09);
    bed.unit.taskSet.capacity = 1;
    bed.unit.attention.forget(a.nexus.index);
    read(a, 1);
    assert.equal(read(b, 2).result.status, 0x08);
    store.releaseAll();
    store.hold = false;
    assert.deepEqual(b.attentions(), ['6/2a/09']);
  });

  it('K30 aborts every command of the nexus and ends the new one with B/4E/00 when a tag is reused', () => {
    const { a, b, store } = held();
    const first = a.start('28 00 00 00 00 01 00 00 01 00', { in: BLOCK, tag: 7 });
    const second = a.start('28 00 00 00 00 02 00 00 01 00', { in: BLOCK, tag: 8 });
    const other = b.start('28 00 00 00 00 03 00 00 01 00', { in: BLOCK, tag: 7 });
    const third = a.start('28 00 00 00 00 04 00 00 01 00', { in: BLOCK, tag: 7 });
    assert.equal(third.done, false, 'who hears of it may send them again');
    store.releaseAll();
    assert.equal(third.result.sense, 'b/4e/00');
    assert.equal(first.result.dropped, true);
    assert.equal(second.result.dropped, true);
    assert.equal(other.result.status, 0);
  });

  it('lets an initiator that comes back use the tags of tasks that were lost with its nexus and still run', () => {
    const { bed, a, store } = held();
    const lost = a.start(`2a 00 ${lbaBytes(1)} 00 00 01 00`, {
      out: new Uint8Array(BLOCK).fill(1),
      tag: 7,
    });
    bed.target.nexusLost(a.nexus);
    const again = bed.nexus('a');
    assert.equal(again.run('00 00 00 00 00 00', { tag: 8 }).sense, '6/29/07');
    assert.equal(again.run('00 00 00 00 00 00', { tag: 7 }).status, 0);
    assert.equal(store.held.length, 1);
    store.releaseAll();
    assert.equal(lost.done, true);
  });

  it('survives thousands of dormant tasks ending one after the other without growing the stack', () => {
    const { bed, a, store } = held();
    bed.unit.taskSet.capacity = 20_000;
    const first = write(a, 0, 1, ORDERED);
    const rest: Pending[] = [];
    for (let i = 0; i < 3000; i += 1)
      rest.push(a.start('00 00 00 00 00 00', { attribute: ORDERED }));
    store.releaseAll();
    assert.equal(first.done, true);
    assert.equal(
      rest.every((pending) => pending.done),
      true,
    );
    bed.unit.taskSet.verify();
  });

  it('reports a unit attention raised after a command was queued, not executed, when its turn comes', () => {
    const { bed, a, store } = held();
    read(a, 1);
    const queued = write(a, 5, 0x55, ORDERED);
    bed.unit.attentionForAll(0x062a09);
    store.releaseAll();
    assert.equal(queued.result.sense, '6/2a/09');
    assert.equal(bed.store.memory[5 * BLOCK], 0);
  });
});
