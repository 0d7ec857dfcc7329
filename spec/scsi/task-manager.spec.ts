/** Task management (SAM-5 clause 7): what is aborted, who is told, and that the answer waits until work has stopped. */
import { strict as assert } from 'node:assert';
import { MEDIUM_WRITE } from '../../src/scsi/contracts.ts';
import type { Pending } from '../support/direct-port.ts';
import { disk, type TestNexus } from '../support/target.ts';

const BLOCK = 512;
const ABORT_TASK = 0x01;
const ABORT_TASK_SET = 0x02;
const CLEAR_TASK_SET = 0x04;
const LOGICAL_UNIT_RESET = 0x08;
const I_T_NEXUS_RESET = 0x80;
const QUERY_TASK = 0x81;
const QUERY_TASK_SET = 0x82;
const QUERY_ASYNCHRONOUS_EVENT = 0x83;
const COMPLETE = 0;
const REJECTED = 1;
const INCORRECT_LUN = 2;
const SUCCEEDED = 3;

const write = (n: TestNexus, lba: number, fill: number, tag: number): Pending =>
  n.start(`2a 00 ${lba.toString(16).padStart(8, '0')} 00 00 01 00`, {
    out: new Uint8Array(BLOCK).fill(fill),
    tag,
  });
const outcome = (pending: Pending): number => pending.result.managementOutcome;

/** Control mode page with TAS as given, by MODE SELECT(6). */
function setTas(n: TestNexus, tas: boolean): void {
  const page = n.run('1a 08 0a 00 ff 00', { in: 255 }).dataIn;
  const list = page.slice();
  list[0] = 0;
  list[2] = 0;
  list[4 + 5] = ((list[4 + 5] as number) & ~0x40) | (tas ? 0x40 : 0);
  assert.equal(
    n.run(['15', '10', '00', '00', list.length.toString(16).padStart(2, '0'), '00'].join(' '), {
      out: list,
    }).status,
    0,
  );
}

function held(tas = true) {
  const bed = disk({ blocks: 4096 });
  const a = bed.nexus('a').clear();
  const b = bed.nexus('b').clear();
  setTas(a, tas);
  a.clear();
  b.clear();
  bed.store.hold = true;
  return { bed, a, b, store: bed.store };
}

describe('task management', () => {
  it('ABORT TASK is answered only when the write has really stopped', () => {
    const { a, store } = held();
    const slow = write(a, 1, 0xaa, 1);
    const abort = a.manage(ABORT_TASK, 1);
    assert.equal(abort.done, false);
    store.releaseAll();
    assert.equal(outcome(abort), COMPLETE);
    assert.equal(slow.result.dropped, true);
  });

  it('the classic: a write after the abort of an older one to the same block wins', () => {
    const { bed, a, store } = held();
    write(a, 1, 0xaa, 1);
    const abort = a.manage(ABORT_TASK, 1);
    const rewrite = write(a, 1, 0xbb, 2);
    assert.equal(rewrite.done, false);
    store.releaseAll();
    store.releaseAll();
    assert.equal(outcome(abort), COMPLETE);
    assert.equal(rewrite.result.status, 0);
    assert.equal(bed.store.memory[BLOCK], 0xbb);
  });

  it('ABORT TASK of a dormant task ends it at once, and it never touches the medium', () => {
    const { bed, a, store } = held();
    write(a, 1, 0xaa, 1);
    const dormant = write(a, 1, 0xbb, 2);
    const abort = a.manage(ABORT_TASK, 2);
    assert.equal(outcome(abort), COMPLETE);
    assert.equal(dormant.result.dropped, true);
    store.releaseAll();
    assert.equal(bed.store.memory[BLOCK], 0xaa);
  });

  it('ABORT TASK of a task that is not there is complete', () => {
    const { a } = held();
    assert.equal(outcome(a.manage(ABORT_TASK, 99)), COMPLETE);
  });

  it('ABORT TASK does not reach the same tag of another nexus', () => {
    const { a, b, store } = held();
    const other = write(b, 1, 0xaa, 1);
    assert.equal(outcome(a.manage(ABORT_TASK, 1)), COMPLETE);
    store.releaseAll();
    assert.equal(other.result.status, 0);
  });

  it('T18: aborting the same tag again and again answers every request once', () => {
    const { a, store } = held();
    const slow = write(a, 1, 0xaa, 1);
    const aborts = Array.from({ length: 20 }, () => a.manage(ABORT_TASK, 1));
    assert.equal(
      aborts.some((abort) => abort.done),
      false,
    );
    store.releaseAll();
    assert.deepEqual(aborts.map(outcome), new Array(20).fill(COMPLETE));
    assert.equal(slow.result.dropped, true);
  });

  it('ABORT TASK SET ends the commands of its nexus and no others', () => {
    const { a, b, store } = held();
    const mine = [write(a, 1, 1, 1), write(a, 2, 2, 2)];
    const other = write(b, 3, 3, 1);
    const abort = a.manage(ABORT_TASK_SET);
    store.releaseAll();
    assert.equal(outcome(abort), COMPLETE);
    assert.deepEqual(
      mine.map((pending) => pending.result.dropped),
      [true, true],
    );
    assert.equal(other.result.status, 0);
    assert.deepEqual(b.attentions(), []);
  });

  it('CLEAR TASK SET with TAS = 1 tells other nexuses TASK ABORTED and no unit attention', () => {
    const { a, b, store } = held(true);
    const mine = write(a, 1, 1, 1);
    const other = write(b, 3, 3, 1);
    const clear = a.manage(CLEAR_TASK_SET);
    store.releaseAll();
    store.hold = false;
    assert.equal(outcome(clear), COMPLETE);
    assert.equal(mine.result.dropped, true);
    assert.equal(other.result.status, 0x40);
    assert.deepEqual(b.attentions(), []);
  });

  it('CLEAR TASK SET with TAS = 0 is silent to other nexuses and leaves them 6/2F/00', () => {
    const { a, b, store } = held(false);
    const other = write(b, 3, 3, 1);
    a.manage(CLEAR_TASK_SET);
    store.releaseAll();
    store.hold = false;
    assert.equal(other.result.dropped, true);
    assert.deepEqual(b.attentions(), ['6/2f/00']);
    assert.deepEqual(a.attentions(), []);
  });

  it('CLEAR TASK SET leaves a nexus that lost nothing without a unit attention', () => {
    const { a, b } = held(false);
    a.manage(CLEAR_TASK_SET);
    assert.deepEqual(b.attentions(), []);
  });

  it('LOGICAL UNIT RESET is a unit attention 6/29/03 on every nexus, the asking one too', () => {
    const { a, b, store } = held();
    const other = write(b, 3, 3, 1);
    const reset = a.manage(LOGICAL_UNIT_RESET);
    assert.equal(reset.done, false);
    store.releaseAll();
    store.hold = false;
    assert.equal(outcome(reset), COMPLETE);
    assert.equal(other.result.status, 0x40);
    assert.deepEqual(b.attentions(), ['6/29/03']);
    assert.deepEqual(a.attentions(), ['6/29/03']);
  });

  it('LOGICAL UNIT RESET keeps acknowledged data (bug 3)', () => {
    const { bed, a } = held();
    bed.store.hold = false;
    assert.equal(write(a, 9, 0x99, 1).result.status, 0);
    a.manage(LOGICAL_UNIT_RESET);
    a.clear();
    assert.equal(a.run('35 00 00 00 00 00 00 00 00 00').status, 0);
    bed.store.powerCut();
    assert.equal(bed.store.memory[9 * BLOCK], 0x99);
  });

  it('LOGICAL UNIT RESET starts a stopped unit and restores mode values', () => {
    const { bed, a } = held();
    bed.store.hold = false;
    setTas(a, false);
    assert.equal(a.run('1b 00 00 00 00 00').status, 0);
    assert.equal(a.run('00 00 00 00 00 00').sense, '2/04/02');
    a.manage(LOGICAL_UNIT_RESET);
    assert.deepEqual(a.attentions(), ['6/29/03']);
    assert.equal(a.run('00 00 00 00 00 00').status, 0);
    assert.equal(bed.unit.taskAbortedStatus, true);
  });

  it('refuses functions it does not have, the old TARGET RESET among them', () => {
    const { a } = held();
    for (const unknown of [0x00, 0x03, 0x10, 0x20, 0x84, 0xff]) {
      assert.equal(outcome(a.manage(unknown)), REJECTED);
    }
  });

  it('names a LUN that is not there', () => {
    const { a } = held();
    for (const known of [ABORT_TASK, ABORT_TASK_SET, CLEAR_TASK_SET, LOGICAL_UNIT_RESET]) {
      assert.equal(outcome(a.manage(known, 0, { lun: 77 })), INCORRECT_LUN);
    }
  });

  it('is not held up by unit attentions and does not consume them', () => {
    const { bed, a } = held();
    bed.unit.attentionForAll(0x062a09);
    assert.equal(outcome(a.manage(ABORT_TASK, 1)), COMPLETE);
    assert.deepEqual(a.attentions(), ['6/2a/09']);
  });

  it('waits for work that an earlier abort is still waiting for', () => {
    const { a, store } = held();
    write(a, 1, 0xaa, 1);
    const first = a.manage(ABORT_TASK, 1);
    const reset = a.manage(LOGICAL_UNIT_RESET);
    assert.equal(reset.done, false);
    store.releaseAll();
    assert.equal(outcome(first), COMPLETE);
    assert.equal(outcome(reset), COMPLETE);
  });

  it('I_T nexus loss aborts silently, keeps others running, and is 6/29/07 on return', () => {
    const { bed, a, b, store } = held();
    const mine = write(a, 1, 1, 1);
    const other = write(b, 3, 3, 1);
    bed.target.nexusLost(a.nexus);
    store.releaseAll();
    store.hold = false;
    assert.equal(mine.result.dropped, true);
    assert.equal(other.result.status, 0);
    const again = bed.nexus('a');
    assert.equal(again.nexus, a.nexus);
    assert.deepEqual(again.attentions(), ['6/29/07']);
  });

  it('removing a unit tells waiting commands TASK ABORTED and ends when the last has stopped', () => {
    const { bed, a, store } = held();
    const running = write(a, 1, 1, 1);
    const dormant = write(a, 1, 2, 2);
    let gone = false;
    assert.equal(
      bed.target.removeUnit(0, () => {
        gone = true;
      }),
      true,
    );
    assert.equal(dormant.result.status, 0x40);
    assert.equal(gone, false);
    store.releaseAll();
    assert.equal(gone, true);
    assert.equal(running.result.status, 0x40);
    assert.equal(a.run('28 00 00 00 00 00 00 00 01 00', { in: BLOCK }).sense, '5/25/00');
  });
});

describe('task management that SRP does not carry', () => {
  it('QUERY TASK finds a task of the asker by its tag, QUERY TASK SET any of them; neither stops it', () => {
    const { a, b, store } = held();
    assert.equal(outcome(a.manage(QUERY_TASK_SET)), COMPLETE);
    const slow = write(a, 1, 0xaa, 1);
    const dormant = write(a, 1, 0xbb, 2);
    assert.equal(outcome(a.manage(QUERY_TASK, 1)), SUCCEEDED);
    assert.equal(outcome(a.manage(QUERY_TASK, 2)), SUCCEEDED);
    assert.equal(outcome(a.manage(QUERY_TASK, 3)), COMPLETE);
    assert.equal(outcome(a.manage(QUERY_TASK_SET)), SUCCEEDED);
    assert.equal(outcome(b.manage(QUERY_TASK, 1)), COMPLETE);
    assert.equal(outcome(b.manage(QUERY_TASK_SET)), COMPLETE);
    assert.equal(outcome(a.manage(QUERY_TASK, 1, { lun: 9 })), INCORRECT_LUN);
    store.releaseAll();
    store.releaseAll();
    assert.equal(slow.result.status, 0);
    assert.equal(dormant.result.status, 0);
  });

  it('QUERY ASYNCHRONOUS EVENT: nothing pending is complete', () => {
    const { a } = held();
    const query = a.manage(QUERY_ASYNCHRONOUS_EVENT);
    assert.equal(outcome(query), COMPLETE);
    assert.equal(query.result.managementInformation, 0);
  });

  it('QUERY ASYNCHRONOUS EVENT tells the unit attention that comes next, and it stays pending', () => {
    const { bed } = held();
    const fresh = bed.nexus('fresh');
    for (let i = 0; i < 2; i += 1) {
      const query = fresh.manage(QUERY_ASYNCHRONOUS_EVENT);
      assert.equal(outcome(query), SUCCEEDED);
      // UADE DEPTH 01b, sense key 6h, 29/00.
      assert.equal(query.result.managementInformation, 0x162900);
    }
    assert.deepEqual(fresh.attentions(), ['6/29/00']);
  });

  it('QUERY ASYNCHRONOUS EVENT says when there are more than one', () => {
    const { bed, a, b } = held();
    setTas(b, false);
    bed.add({ lun: 1 });
    const query = a.manage(QUERY_ASYNCHRONOUS_EVENT);
    // UADE DEPTH 10b; MODE PARAMETERS CHANGED came first, then REPORTED LUNS DATA HAS CHANGED.
    assert.equal(query.result.managementInformation, 0x262a01);
  });

  it('QUERY ASYNCHRONOUS EVENT tells a deferred error', () => {
    const { a, b, store } = held();
    const wrote = write(a, 1, 1, 1);
    store.releaseAll();
    assert.equal(wrote.result.status, 0);
    store.hold = false;
    store.fail('flush', MEDIUM_WRITE);
    assert.equal(b.run('35 00 00 00 00 00 00 00 00 00').sense, '3/0c/00');
    assert.equal(a.manage(QUERY_ASYNCHRONOUS_EVENT).result.managementInformation, 0x130c00);
  });

  it('QUERY ASYNCHRONOUS EVENT of a unit that is not there names the LUN as the reason', () => {
    const { a } = held();
    assert.equal(outcome(a.manage(QUERY_ASYNCHRONOUS_EVENT, 0, { lun: 9 })), INCORRECT_LUN);
  });

  it('I_T NEXUS RESET ends the tasks of the asker at every unit, whatever LUN it names, and reports 29/07 there', () => {
    const { bed, a, b, store } = held();
    bed.add({ lun: 1 });
    a.clear();
    b.clear();
    const other = bed.stores.get(1);
    assert.ok(other);
    other.hold = true;
    const slow = write(a, 1, 0xaa, 1);
    const dormant = write(a, 1, 0xbb, 2);
    const elsewhere = a.start('2a 00 00000001 00 00 01 00', {
      out: new Uint8Array(BLOCK),
      tag: 3,
      lun: 1,
    });
    const theirs = write(b, 9, 0xcc, 1);
    const reset = a.manage(I_T_NEXUS_RESET, 0, { lun: 77 });
    assert.equal(dormant.result.dropped, true);
    assert.equal(reset.done, false);
    store.release();
    assert.equal(reset.done, false);
    other.releaseAll();
    assert.equal(outcome(reset), COMPLETE);
    assert.equal(slow.result.dropped, true);
    assert.equal(elsewhere.result.dropped, true);
    assert.equal(theirs.done, false);
    store.releaseAll();
    assert.equal(theirs.result.status, 0);
    assert.deepEqual([a.attentions(0), a.attentions(1)], [['6/29/07'], ['6/29/07']]);
    assert.deepEqual([b.attentions(0), b.attentions(1)], [[], []]);
  });

  it('I_T NEXUS RESET without a task to stop is complete at once', () => {
    const { a } = held();
    assert.equal(outcome(a.manage(I_T_NEXUS_RESET)), COMPLETE);
  });
});
