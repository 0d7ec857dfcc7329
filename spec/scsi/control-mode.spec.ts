/** Control mode page fields that act (SPC-4 7.5.8): TST, QERR, QUEUE ALGORITHM MODIFIER, UA_INTLCK_CTRL. */
import { strict as assert } from 'node:assert';
import { setControl } from '../support/control-page.ts';
import type { Pending } from '../support/direct-port.ts';
import { disk, type TestNexus } from '../support/target.ts';

const BLOCK = 512;
const SIMPLE = 0;
const HEAD = 1;
const ORDERED = 2;
const ABORT_TASK = 0x01;
const CLEAR_TASK_SET = 0x04;
const TASK_ABORTED = 0x40;
const BAD_READ = '28 00 00 00 10 00 00 00 01 00';
const READY = '00 00 00 00 00 00';

const TST = [2, 0xe0, 0x20] as const;
const QAM = [3, 0xf0, 0x10] as const;
const QERR_ALL = [3, 0x06, 0x02] as const;
const QERR_NEXUS = [3, 0x06, 0x06] as const;
const INTERLOCK = [4, 0x30, 0x20] as const;
const INTERLOCK_ESTABLISH = [4, 0x30, 0x30] as const;
const NO_TAS = [5, 0x40, 0x00] as const;

const lba = (n: number): string => `00 00 00 ${n.toString(16).padStart(2, '0')}`;
const write = (n: TestNexus, at: number, attribute = SIMPLE, tag?: number): Pending =>
  n.start(`2a 00 ${lba(at)} 00 00 01 00`, {
    out: new Uint8Array(BLOCK).fill(at),
    attribute,
    ...(tag === undefined ? {} : { tag }),
  });
const read = (n: TestNexus, at: number, attribute = SIMPLE): Pending =>
  n.start(`28 00 ${lba(at)} 00 00 01 00`, { in: BLOCK, attribute });

function bench(...fields: readonly (readonly [number, number, number])[]) {
  const bed = disk({ blocks: 4096 });
  const a = bed.nexus('a').clear();
  const b = bed.nexus('b').clear();
  for (const [byte, mask, bits] of fields) {
    setControl(a, byte, mask, bits);
    // MODE PARAMETERS HAVE CHANGED; REQUEST SENSE clears it under every UA_INTLCK_CTRL.
    b.run('03 00 00 00 12 00', { in: 18 });
  }
  const there = (): number[] => bed.store.held.map((request) => request.position / BLOCK);
  return { bed, a, b, store: bed.store, there };
}

describe('TST = 001b, a task set per nexus', () => {
  it('an ORDERED task waits for its nexus’s tasks and holds up no other nexus', () => {
    const { a, b, store, there } = bench(TST);
    store.hold = true;
    read(b, 1);
    write(a, 2, ORDERED);
    read(a, 3);
    read(b, 4);
    assert.deepEqual(there(), [1, 2, 4]);
    store.releaseAt(1);
    assert.deepEqual(there(), [1, 4, 3]);
    store.releaseAll();
  });

  it('a HEAD OF QUEUE task holds up its own nexus alone', () => {
    const { a, b, store, there } = bench(TST);
    store.hold = true;
    read(a, 1, HEAD);
    read(a, 2);
    read(b, 3);
    assert.deepEqual(there(), [1, 3]);
    store.releaseAll();
  });

  it('still lets no two overlapping tasks run at once, whoever sent them', () => {
    const { a, b, store, there } = bench(TST);
    store.hold = true;
    write(a, 5);
    read(b, 5);
    assert.deepEqual(there(), [5]);
    store.releaseAt(0);
    assert.deepEqual(there(), [5]);
    store.releaseAll();
  });

  it('does not wait for tasks of another nexus that wait themselves', () => {
    const { a, b, store, there } = bench(TST);
    store.hold = true;
    read(a, 1);
    write(a, 9, ORDERED);
    read(b, 9);
    assert.deepEqual(there(), [1, 9], 'the read of b, not the write of a');
    store.releaseAll();
  });

  it('CLEAR TASK SET clears the set of the asking nexus', () => {
    const { a, b, store } = bench(TST);
    store.hold = true;
    const mine = write(a, 1);
    const other = write(b, 2);
    a.manage(CLEAR_TASK_SET);
    store.releaseAll();
    assert.equal(mine.result.dropped, true);
    assert.equal(other.result.status, 0);
  });
});

describe('QERR, what a CHECK CONDITION does to other commands', () => {
  it('00b: nothing', () => {
    const { a, b, store } = bench();
    store.hold = true;
    const tasks = [write(a, 1), write(a, 2, ORDERED), write(b, 3)];
    assert.equal(a.run(BAD_READ, { in: BLOCK, attribute: HEAD }).sense, '5/21/00');
    store.releaseAll();
    for (const task of tasks) assert.equal(task.result.status, 0);
  });

  it('01b: all others are aborted, and it is reported when they have stopped', () => {
    const { bed, a, b, store } = bench(QERR_ALL);
    store.hold = true;
    const mine = [write(a, 1), write(a, 2, ORDERED)];
    const other = write(b, 3);
    const bad = a.start(BAD_READ, { in: BLOCK, attribute: HEAD });
    assert.equal(mine[1]?.result.dropped, true, 'it had not begun');
    assert.equal(bad.done, false, 'who hears of it may send the aborted commands again');
    store.releaseAll();
    assert.equal(bad.result.sense, '5/21/00');
    assert.equal(mine[0]?.result.dropped, true);
    assert.equal(other.result.status, TASK_ABORTED);
    assert.deepEqual(b.attentions(), []);
    bed.unit.taskSet.verify();
  });

  it('01b with TAS = 0: others lose their commands in silence and hear 2F/00', () => {
    const { a, b, store } = bench(QERR_ALL, NO_TAS);
    store.hold = true;
    const other = write(b, 3);
    a.start(BAD_READ, { in: BLOCK });
    store.releaseAll();
    assert.equal(other.result.dropped, true);
    assert.deepEqual(a.attentions(), []);
    assert.equal(b.run(READY).sense, '6/2f/00');
  });

  it('01b and TST = 001b: those of the nexus’s own set', () => {
    const { a, b, store } = bench(QERR_ALL, TST);
    store.hold = true;
    const mine = write(a, 1);
    const other = write(b, 3);
    a.start(BAD_READ, { in: BLOCK });
    store.releaseAll();
    assert.equal(mine.result.dropped, true);
    assert.equal(other.result.status, 0);
  });

  it('11b: those of the same nexus', () => {
    const { a, b, store } = bench(QERR_NEXUS);
    store.hold = true;
    const mine = write(a, 1);
    const other = write(b, 3);
    const bad = a.start(BAD_READ, { in: BLOCK });
    store.releaseAll();
    assert.equal(bad.result.status, 2);
    assert.equal(mine.result.dropped, true);
    assert.equal(other.result.status, 0);
  });

  it('a unit attention is a CHECK CONDITION as well', () => {
    const { bed, a, store } = bench(QERR_ALL);
    store.hold = true;
    const mine = write(a, 1);
    bed.unit.attentionForAll(0x062a09);
    const told = a.start(READY);
    store.releaseAll();
    assert.equal(told.result.sense, '6/2a/09');
    assert.equal(mine.result.dropped, true);
  });

  it('nothing runs that came after a unit attention which is still to be reported (found by the simulation)', () => {
    const { bed, a, store, there } = bench(QERR_ALL);
    store.hold = true;
    const mine = write(a, 1);
    bed.unit.attentionForAll(0x062a09);
    const told = a.start(READY);
    const later = write(a, 7);
    assert.deepEqual(there(), [1]);
    store.releaseAt(0);
    assert.equal(mine.result.dropped, true);
    assert.equal(told.result.sense, '6/2a/09');
    assert.deepEqual(there(), [7]);
    store.releaseAll();
    assert.equal(later.result.status, 0);
  });

  it('a unit attention whose report is aborted is still pending (found by the simulation)', () => {
    const { bed, a, store } = bench(QERR_ALL);
    store.hold = true;
    write(a, 1);
    bed.unit.attentionForAll(0x062a09);
    const told = a.start(READY, { tag: 5 });
    const abort = a.manage(ABORT_TASK, 5);
    store.releaseAll();
    assert.equal(told.result.dropped, true);
    assert.equal(abort.result.managementOutcome, 0);
    assert.deepEqual(a.attentions(), ['6/2a/09']);
  });

  it('a command that waits to report its CHECK CONDITION can itself be aborted', () => {
    const { bed, a, store } = bench(QERR_ALL);
    store.hold = true;
    write(a, 1);
    const bad = a.start(BAD_READ, { in: BLOCK, tag: 77 });
    const abort = a.manage(ABORT_TASK, 77);
    assert.equal(abort.done, false);
    store.releaseAll();
    assert.equal(abort.result.managementOutcome, 0);
    assert.equal(bad.result.dropped, true);
    assert.equal(bed.unit.taskSet.count, 0);
  });

  it('two that fail at once: the second has its turn when the first is reported', () => {
    const { bed, a, store } = bench(QERR_ALL);
    store.hold = true;
    const slow = write(a, 1);
    const first = a.start(BAD_READ, { in: BLOCK });
    const second = a.start(BAD_READ, { in: BLOCK });
    store.releaseAll();
    assert.equal(slow.result.dropped, true);
    assert.equal(first.result.sense, '5/21/00');
    assert.equal(second.result.sense, '5/21/00');
    assert.equal(bed.unit.taskSet.count, 0);
    bed.unit.taskSet.verify();
  });
});

describe('QUEUE ALGORITHM MODIFIER = 1, unrestricted reordering', () => {
  it('a task does not wait for an overlapping one that has not begun', () => {
    const { a, store, there } = bench(QAM);
    store.hold = true;
    write(a, 1);
    const second = a.start('2a 00 00 00 00 01 00 00 02 00', { out: new Uint8Array(2 * BLOCK) });
    write(a, 2);
    assert.deepEqual(there(), [1, 2], 'the third passes the second');
    assert.equal(second.done, false);
    store.releaseAll();
    assert.equal(second.result.status, 0);
  });

  it('with 0 it waits', () => {
    const { a, store, there } = bench();
    store.hold = true;
    write(a, 1);
    a.start('2a 00 00 00 00 01 00 00 02 00', { out: new Uint8Array(2 * BLOCK) });
    write(a, 2);
    assert.deepEqual(there(), [1]);
    store.releaseAll();
  });

  it('never runs overlapping writes at once, and ORDERED stays a barrier', () => {
    const { a, store, there } = bench(QAM);
    store.hold = true;
    write(a, 1);
    write(a, 1);
    assert.deepEqual(there(), [1]);
    write(a, 7, ORDERED);
    read(a, 8);
    assert.deepEqual(there(), [1]);
    store.releaseAt(0);
    assert.deepEqual(there(), [1]);
    store.releaseAt(0);
    assert.deepEqual(there(), [7]);
    store.releaseAll();
  });
});

describe('UA_INTLCK_CTRL', () => {
  it('00b: a unit attention is reported once', () => {
    const { bed, a } = bench();
    bed.unit.attentionForAll(0x062a09);
    assert.deepEqual(a.attentions(), ['6/2a/09']);
  });

  it('10b: it is reported until REQUEST SENSE clears it', () => {
    const { bed, a, b } = bench(INTERLOCK);
    bed.unit.attentionForAll(0x062a09);
    for (let i = 0; i < 3; i += 1) assert.equal(a.run(READY).sense, '6/2a/09');
    const { dataIn } = a.run('03 00 00 00 12 00', { in: 18 });
    assert.deepEqual([dataIn[2], dataIn[12], dataIn[13]], [6, 0x2a, 9]);
    assert.equal(a.run(READY).status, 0);
    assert.equal(b.run(READY).sense, '6/2a/09', 'another nexus clears its own');
  });

  it('10b: REPORT LUNS does not clear 3F/0E', () => {
    const { bed, a } = bench(INTERLOCK);
    bed.unit.attentionForAll(0x063f0e);
    assert.equal(a.run('a0 00 00 00 00 00 00 00 01 00 00 00', { in: 256 }).status, 0);
    assert.equal(a.run(READY).sense, '6/3f/0e');
  });

  it('11b: BUSY and TASK SET FULL leave a unit attention, each once', () => {
    const { bed, a, b, store } = bench(INTERLOCK_ESTABLISH);
    store.hold = true;
    bed.unit.taskSet.capacity = 1;
    const mine = write(a, 1);
    for (let i = 0; i < 3; i += 1) {
      assert.equal(a.run(READY).status, 0x28);
      assert.equal(b.run(READY).status, 0x08);
    }
    store.releaseAll();
    assert.equal(mine.result.status, 0);
    for (const [nexus, sense] of [
      [a, '6/2c/08'],
      [b, '6/2c/07'],
    ] as const) {
      assert.equal(nexus.run(READY).sense, sense);
      nexus.run('03 00 00 00 12 00', { in: 18 });
      assert.equal(nexus.run(READY).status, 0);
    }
  });

  it('10b: they leave none', () => {
    const { bed, a, store } = bench(INTERLOCK);
    store.hold = true;
    bed.unit.taskSet.capacity = 1;
    write(a, 1);
    assert.equal(a.run(READY).status, 0x28);
    store.releaseAll();
    assert.equal(a.run(READY).status, 0);
  });
});
