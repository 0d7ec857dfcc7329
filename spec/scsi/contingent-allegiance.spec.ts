/** Auto contingent allegiance (SAM-5 5.9): what a CHECK CONDITION with NACA = 1 stops, who may go on, and how it ends. */
import { strict as assert } from 'node:assert';
import { MEDIUM_WRITE } from '../../src/scsi/contracts.ts';
import { setControl } from '../support/control-page.ts';
import type { Outcome, Pending } from '../support/direct-port.ts';
import { disk, type TestNexus } from '../support/target.ts';

const BLOCK = 512;
const HEAD = 1;
const ORDERED = 2;
const ACA = 4;
const ABORT_TASK_SET = 0x02;
const CLEAR_TASK_SET = 0x04;
const LOGICAL_UNIT_RESET = 0x08;
const CLEAR_ACA = 0x40;
const I_T_NEXUS_RESET = 0x80;
const COMPLETE = 0;
const REJECTED = 1;
const GOOD = 0x00;
const CHECK = 0x02;
const BUSY = 0x08;
const ACA_ACTIVE = 0x30;

const READY = '00 00 00 00 00 00';
const READY_NACA = '00 00 00 00 00 04';
/** Beyond the capacity of 4096 blocks: 5/21/00. */
const BAD_READ = '28 00 00 00 10 00 00 00 01 00';
const BAD_READ_NACA = '28 00 00 00 10 00 00 00 01 04';
const READ_1 = '28 00 00 00 00 01 00 00 01 00';

const write = (n: TestNexus, lba: number, attribute = 0): Pending =>
  n.start(`2a 00 00 00 00 ${lba.toString(16).padStart(2, '0')} 00 00 01 00`, {
    out: new Uint8Array(BLOCK).fill(lba),
    attribute,
  });
const fault = (n: TestNexus, attribute = 0): Outcome =>
  n.run(BAD_READ_NACA, { in: BLOCK, attribute });
const ready = (n: TestNexus, options = {}): number => n.run(READY, options).status;
const outcome = (pending: Pending): number => pending.result.managementOutcome;

function bench() {
  const bed = disk({ blocks: 4096 });
  const a = bed.nexus('a').clear();
  const b = bed.nexus('b').clear();
  return { bed, a, b, store: bed.store };
}

describe('auto contingent allegiance', () => {
  it('is established by NACA = 1 alone', () => {
    const { a } = bench();
    assert.equal(a.run(BAD_READ, { in: BLOCK }).sense, '5/21/00');
    assert.equal(ready(a), GOOD);
    assert.equal(a.run(READY_NACA).status, GOOD);
    assert.equal(ready(a), GOOD);
    assert.equal(fault(a).sense, '5/21/00');
    assert.equal(ready(a), ACA_ACTIVE);
  });

  it('comes of an unknown command and of a unit attention too', () => {
    const { bed, a } = bench();
    assert.equal(a.run('ff 00 00 00 00 04').sense, '5/20/00');
    assert.equal(ready(a), GOOD, 'vendor specific: where its CONTROL byte is, nobody knows');
    assert.equal(a.run('0c 00 00 00 00 04').sense, '5/20/00');
    assert.equal(ready(a), ACA_ACTIVE);
    assert.equal(outcome(a.manage(CLEAR_ACA)), COMPLETE);
    bed.unit.attentionForAll(0x062a09);
    assert.equal(a.run(READY_NACA).sense, '6/2a/09');
    assert.equal(ready(a), ACA_ACTIVE);
  });

  it('answers other nexuses BUSY, or ACA ACTIVE when they ask for ACA themselves', () => {
    const { a, b } = bench();
    fault(a);
    assert.equal(ready(b), BUSY);
    assert.equal(b.run(READY_NACA).status, ACA_ACTIVE);
    assert.equal(b.run(READY, { attribute: ACA }).status, BUSY);
    assert.equal(b.run('12 00 00 00 60 00', { in: 96 }).status, BUSY);
  });

  it('takes precedence over unit attentions, which stay', () => {
    const { bed, a, b } = bench();
    fault(a);
    bed.unit.attentionForAll(0x062a09);
    assert.equal(ready(a), ACA_ACTIVE);
    assert.equal(ready(b), BUSY);
    a.manage(CLEAR_ACA);
    assert.deepEqual(a.attentions(), ['6/2a/09']);
    assert.deepEqual(b.attentions(), ['6/2a/09']);
  });

  it('lets the faulted nexus run ACA commands, one at a time, over everything that waits', () => {
    const { a, store } = bench();
    store.hold = true;
    const slow = write(a, 1);
    const waits = write(a, 2, ORDERED);
    fault(a, HEAD);
    assert.equal(store.held.length, 1, 'the ORDERED write is blocked');
    const first = a.start('28 00 00 00 00 05 00 00 01 00', { in: BLOCK, attribute: ACA });
    assert.equal(store.held.length, 2);
    assert.equal(a.run(READY, { attribute: ACA }).status, ACA_ACTIVE, 'one is there');
    store.releaseAt(1);
    assert.equal(first.result.status, GOOD);
    assert.equal(a.run(READY, { attribute: ACA }).status, GOOD);
    store.releaseAll();
    assert.equal(slow.done, false, 'a blocked command has no status');
    assert.equal(waits.done, false);
    assert.equal(store.held.length, 0);
    assert.equal(outcome(a.manage(CLEAR_ACA)), COMPLETE);
    assert.equal(slow.result.status, GOOD);
    assert.equal(store.held.length, 1, 'the ORDERED write runs');
    store.releaseAll();
    assert.equal(waits.result.status, GOOD);
    assert.equal(ready(a), GOOD);
  });

  it('lets an ACA command touch the blocks of a command that is blocked after its end', () => {
    const { a, store } = bench();
    store.hold = true;
    const slow = write(a, 1);
    fault(a);
    const look = a.start(READ_1, { in: BLOCK, attribute: ACA });
    assert.equal(store.held.length, 1, 'not while the write runs');
    store.releaseAt(0);
    assert.equal(store.held.length, 1);
    store.releaseAll();
    assert.equal(look.result.dataIn[0], 1);
    assert.equal(slow.done, false);
  });

  it('blocks commands of every nexus that had arrived before', () => {
    const { a, b, store } = bench();
    store.hold = true;
    const other = write(b, 3);
    fault(a);
    store.releaseAll();
    assert.equal(other.done, false);
    a.manage(CLEAR_ACA);
    assert.equal(other.result.status, GOOD);
  });

  it('is replaced when an ACA command fails with NACA = 1, and ends when one fails without', () => {
    const { a, b } = bench();
    fault(a);
    assert.equal(fault(a, ACA).status, CHECK);
    assert.equal(ready(b), BUSY);
    assert.equal(a.run(BAD_READ, { in: BLOCK, attribute: ACA }).status, CHECK);
    assert.equal(ready(b), GOOD);
    assert.equal(ready(a), GOOD);
  });

  it('is cleared by the faulted nexus only', () => {
    const { a, b } = bench();
    assert.equal(outcome(a.manage(CLEAR_ACA)), COMPLETE, 'none is there');
    fault(a);
    assert.equal(outcome(b.manage(CLEAR_ACA)), REJECTED);
    assert.equal(ready(b), BUSY);
    assert.equal(outcome(a.manage(CLEAR_ACA)), COMPLETE);
    assert.equal(ready(b), GOOD);
  });

  it('CLEAR ACA ends the ACA command that runs, and waits until it has stopped', () => {
    const { a, store } = bench();
    fault(a);
    store.hold = true;
    const last = a.start('2a 00 00 00 00 05 00 00 01 00', {
      out: new Uint8Array(BLOCK),
      attribute: ACA,
    });
    const cleared = a.manage(CLEAR_ACA);
    assert.equal(cleared.done, false);
    store.releaseAll();
    assert.equal(outcome(cleared), COMPLETE);
    assert.equal(last.result.dropped, true);
    store.hold = false;
    assert.equal(ready(a), GOOD);
  });

  for (const [name, end] of [
    ['LOGICAL UNIT RESET', (b: TestNexus) => b.manage(LOGICAL_UNIT_RESET)],
    ['I_T NEXUS RESET', (_: TestNexus, a: TestNexus) => a.manage(I_T_NEXUS_RESET)],
  ] as const) {
    it(`ends with ${name}`, () => {
      const { a, b } = bench();
      fault(a);
      end(b, a);
      a.clear();
      b.clear();
      assert.equal(ready(a), GOOD);
      assert.equal(ready(b), GOOD);
    });
  }

  it('ends when the faulted nexus is lost: what others had going comes to its end', () => {
    const { bed, a, b, store } = bench();
    store.hold = true;
    const other = write(b, 3);
    const mine = write(a, 4);
    fault(a);
    store.releaseAll();
    assert.equal(other.done, false);
    bed.target.nexusLost(a.nexus);
    assert.equal(mine.result.dropped, true);
    assert.equal(other.result.status, GOOD);
  });

  it('stays when another nexus resets itself or is lost', () => {
    const { bed, a, b } = bench();
    fault(a);
    b.manage(I_T_NEXUS_RESET);
    bed.target.nexusLost(b.nexus);
    assert.equal(ready(a), ACA_ACTIVE);
  });

  it('blocked commands can be aborted: their nexus’s without a status, others’ with TASK ABORTED', () => {
    const { bed, a, b, store } = bench();
    store.hold = true;
    const mine = write(a, 1);
    const other = write(b, 2);
    const dormant = write(b, 3, ORDERED);
    fault(a, HEAD);
    store.releaseAll();
    assert.equal(outcome(a.manage(ABORT_TASK_SET)), COMPLETE);
    assert.equal(mine.result.dropped, true);
    assert.equal(outcome(a.manage(CLEAR_TASK_SET)), COMPLETE);
    assert.equal(other.result.status, 0x40);
    assert.equal(dormant.result.status, 0x40);
    assert.equal(ready(a), ACA_ACTIVE, 'no task set function clears ACA');
    assert.equal(bed.unit.taskSet.count, 0);
    bed.unit.taskSet.verify();
  });

  it('a blocked command that failed with NACA = 1 itself begins the next one', () => {
    const { a, b, store } = bench();
    store.hold = true;
    const failing = b.start('2a 00 00 00 00 07 00 00 01 04', { out: new Uint8Array(BLOCK) });
    const behind = write(b, 8);
    fault(a);
    store.fail('write', MEDIUM_WRITE);
    store.releaseAll();
    assert.equal(failing.done, false);
    a.manage(CLEAR_ACA);
    assert.equal(failing.result.sense, '3/0c/00');
    assert.equal(behind.done, false, 'blocked again');
    assert.equal(ready(a), BUSY);
    b.manage(CLEAR_ACA);
    assert.equal(behind.result.status, GOOD);
  });

  it('holds up commands that were enabled together with the one that failed (found by the simulation)', () => {
    const { a, store } = bench();
    store.hold = true;
    const barrier = write(a, 1, ORDERED);
    const faulted = a.start(BAD_READ_NACA, { in: BLOCK });
    const behind = write(a, 2);
    store.releaseAll();
    assert.equal(barrier.result.status, GOOD);
    assert.equal(faulted.result.sense, '5/21/00');
    assert.equal(store.held.length, 0, 'not a single block is touched');
    a.manage(CLEAR_ACA);
    assert.equal(store.held.length, 1);
    store.releaseAll();
    assert.equal(behind.result.status, GOOD);
  });

  it('an ACA command that outlives its ACA condition is not overtaken (found by the simulation)', () => {
    const { bed, a, b, store } = bench();
    store.hold = true;
    const barrier = write(b, 9);
    const waits = b.start('2a 00 00 00 00 05 00 00 01 00', {
      out: new Uint8Array(BLOCK).fill(0xbb),
      attribute: ORDERED,
    });
    fault(a, HEAD);
    a.start('2a 00 00 00 00 05 00 00 01 00', {
      out: new Uint8Array(BLOCK).fill(0xaa),
      attribute: ACA,
    });
    bed.target.nexusLost(a.nexus);
    store.releaseAt(0);
    assert.equal(barrier.result.status, GOOD);
    assert.equal(store.held.length, 1, 'the lost write is still in the store');
    store.releaseAt(0);
    store.releaseAll();
    assert.equal(waits.result.status, GOOD);
    assert.equal(store.memory[5 * BLOCK], 0xbb);
  });

  it('with QERR = 01b the others are aborted, not blocked', () => {
    const { a, b, store } = bench();
    setControl(a, 3, 0x06, 0x02);
    b.clear();
    store.hold = true;
    const mine = write(a, 1);
    const other = write(b, 2);
    const faulted = a.start(BAD_READ_NACA, { in: BLOCK });
    assert.equal(faulted.done, false, 'not before what it aborts has stopped');
    store.releaseAll();
    assert.equal(faulted.result.sense, '5/21/00');
    assert.equal(mine.result.dropped, true);
    assert.equal(other.result.status, 0x40);
    assert.equal(ready(b), BUSY);
  });

  it('with a task set per nexus concerns nobody else', () => {
    const { a, b, store } = bench();
    setControl(a, 2, 0xe0, 0x20);
    b.clear();
    fault(a);
    assert.equal(ready(a), ACA_ACTIVE);
    assert.equal(ready(b), GOOD);
    assert.equal(fault(b).status, CHECK);
    assert.equal(outcome(a.manage(CLEAR_ACA)), COMPLETE);
    assert.equal(ready(a), GOOD);
    assert.equal(ready(b), ACA_ACTIVE);
    store.hold = true;
    const write1 = write(a, 1);
    store.releaseAll();
    assert.equal(write1.result.status, GOOD);
  });

  it('with a task set per nexus an ACA command does not wait for one that another ACA has stopped', () => {
    const { a, b, store } = bench();
    setControl(a, 2, 0xe0, 0x20);
    b.run('03 00 00 00 12 00', { in: 18 });
    store.hold = true;
    write(a, 5, ORDERED);
    const failing = a.start(BAD_READ_NACA, { in: BLOCK });
    const stopped = write(a, 5);
    fault(b);
    const allowed = write(b, 5, ACA);
    store.release();
    assert.equal(failing.result.sense, '5/21/00');
    store.release();
    assert.equal(allowed.result.status, GOOD);
    assert.equal(stopped.done, false);
  });

  it('does not exist at LUNs that have no logical unit: one initiator’s error is not another’s', () => {
    const { a, b } = bench();
    const absent = { lun: 99 };
    assert.equal(a.run(READY_NACA, absent).sense, '5/25/00');
    assert.equal(a.run(READY, absent).sense, '5/25/00');
    assert.equal(b.run(READY, absent).sense, '5/25/00');
    assert.equal(a.run('12 00 00 00 60 04', { in: 96, ...absent }).sense, '5/24/00');
  });

  it('an ACA attribute without ACA is 5/49/00', () => {
    const { a } = bench();
    assert.equal(a.run(READY, { attribute: ACA }).sense, '5/49/00');
  });
});
