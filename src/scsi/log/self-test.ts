/**
 * Self-tests of a disk (SPC-4 5.13): first segment, the medium is read (short: 64 places from the first block to the last;
 * extended: all of it); second segment, what the cache holds is made stable.
 *
 *   begin -> read, read, .. -> flush -> COMPLETED
 *              |   ^ extended: a pause every PIECES_PER_TICK
 *              +-> fault, abort: its result is logged
 *
 * In background mode it is a guest of the unit: commands go on. In foreground mode its command ends when the test does, and
 * meanwhile others are told 2/04/09.
 */
import { assert } from '../../assert.ts';
import type { CommandRow } from '../command-table.ts';
import { DONE, PENDING, type StoreReply } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { newPrivateTask } from '../private-task.ts';
import type { BlockDevice } from '../sbc/block-device.ts';
import { BOUNCE_BYTES } from '../sbc/bounce.ts';
import { checkFlushFault, checkTransferFault } from '../sbc/store-fault.ts';
import { NONE, progressPointer } from '../sense.ts';
import { LOGICAL_UNIT_NOT_READY_SELF_TEST_IN_PROGRESS } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import {
  type ABORTED_BY_SEND_DIAGNOSTIC,
  ABORTED_OTHERWISE,
  COMPLETED,
  FIRST_SEGMENT_FAILED,
  SECOND_SEGMENT_FAILED,
  type SelfTestFailure,
} from './self-test-results.ts';

/** Places a short test reads. */
const SHORT_PIECES = 64;
const TICK_MS = 16;
/** Of an extended test; 1 MiB a tick: 64 MiB a second. */
const PIECES_PER_TICK = 16;

/** Minutes an extended test of this many bytes takes at most when nothing else happens, rounded up. */
export function extendedTestMinutes(bytes: number): number {
  const perMinute = ((PIECES_PER_TICK * BOUNCE_BYTES) / TICK_MS) * 60_000;
  return Math.max(1, Math.ceil(bytes / perMinute));
}

export interface SelfTestPlan {
  /** SELF-TEST CODE it is logged under; 0: the default self-test, which is not logged. */
  readonly code: number;
  readonly extended: boolean;
}

/** A test under way. */
interface Run {
  readonly plan: SelfTestPlan;
  readonly block: BlockDevice;
  /** The command of a foreground test, else a private task. */
  readonly task: Task;
  readonly foreground: boolean;
  readonly pieces: number;
  /** Its result and, of a foreground test, its failure. The task holds the sense of the fault. */
  readonly ended: (outcome: number) => void;
  next: number;
  inTick: number;
  /** SELF-TEST RESULTS value of an abort, or -1. */
  aborted: number;
}

export class SelfTest {
  readonly #unit: LogicalUnit;
  #run: Run | null = null;
  /** Called when the test that is being stopped has ended. */
  readonly #stopped: (() => void)[] = [];

  constructor(unit: LogicalUnit) {
    this.#unit = unit;
  }

  get running(): boolean {
    return this.#run !== null;
  }

  /** One is under way whose command waits for it. */
  get #inForeground(): boolean {
    return this.#run?.foreground === true;
  }

  /** What REQUEST SENSE says and, in foreground mode, other commands are told; 0: no test is under way. */
  get sense(): number {
    return this.#run === null ? 0 : LOGICAL_UNIT_NOT_READY_SELF_TEST_IN_PROGRESS;
  }

  /** Progress, which goes with it. */
  get pointer(): number {
    const run = this.#run;
    return run === null
      ? NONE
      : progressPointer(Math.min(0xffff, Math.floor((run.next / (run.pieces + 1)) * 0x10000)));
  }

  /** Whether a command cannot be served meanwhile: in foreground mode all but those that ask who is there. */
  refuses(row: CommandRow): boolean {
    return this.#inForeground && row.attention === 'report';
  }

  /** Begins a test in background mode; what it finds is logged. */
  begin(plan: SelfTestPlan): void {
    const task = newPrivateTask();
    task.unit = this.#unit;
    this.#begin(plan, task, false, () => undefined);
  }

  /** Begins a test that `task` waits for. `ended` gets its SELF-TEST RESULTS value; the task has not been finished then. */
  beginFor(task: Task, plan: SelfTestPlan, ended: (outcome: number) => void): void {
    this.#begin(plan, task, true, ended);
  }

  /** The test in background mode ends as soon as its request has. False: there is none. */
  abort(outcome: typeof ABORTED_BY_SEND_DIAGNOSTIC | typeof ABORTED_OTHERWISE): boolean {
    const run = this.#run;
    if (run === null || run.foreground) return false;
    run.aborted = outcome;
    return true;
  }

  /** Ends a test in background mode; `stopped` is called when it does nothing any more. */
  stop(stopped: () => void): void {
    if (!this.abort(ABORTED_OTHERWISE)) {
      stopped();
      return;
    }
    this.#stopped.push(stopped);
  }

  #begin(
    plan: SelfTestPlan,
    task: Task,
    foreground: boolean,
    ended: (outcome: number) => void,
  ): void {
    const { block, logs } = this.#unit;
    assert(block !== null && this.#run === null, 'one self-test at a time, of a unit with blocks');
    const all = Math.ceil(block.store.bytes / BOUNCE_BYTES);
    const pieces = plan.extended ? all : Math.min(all, SHORT_PIECES);
    const run = { plan, block, task, foreground, pieces, ended, next: 0, inTick: 0, aborted: -1 };
    this.#run = run;
    if (plan.code !== 0) logs.selfTests.begin(plan.code, logs.hours);
    this.#step(run);
  }

  /** Byte position of a piece: one after the other, or spread from the first to the last. */
  #position({ plan, block, pieces, next }: Run): number {
    if (plan.extended || pieces === 1) return next * BOUNCE_BYTES;
    const { bytes } = block.store;
    const last = Math.floor((bytes - 1) / BOUNCE_BYTES);
    return Math.floor((next * last) / (pieces - 1)) * BOUNCE_BYTES;
  }

  #step(run: Run): void {
    const { task } = run;
    const outcome = task.aborting ? ABORTED_OTHERWISE : run.aborted;
    if (outcome >= 0) {
      this.#end(run, outcome, null);
    } else if (run.next >= run.pieces) {
      task.await(run.block.store.flush(task), (_, reply) => this.#flushed(run, reply));
    } else if (run.plan.extended && run.inTick >= PIECES_PER_TICK) {
      run.inTick = 0;
      task.await(PENDING, () => this.#step(run));
      this.#unit.target.timers.after(TICK_MS, () => task.stored(DONE));
    } else {
      run.block.bounce.acquire(task, () => this.#read(run));
    }
  }

  #read(run: Run): void {
    const { task, block } = run;
    const position = this.#position(run);
    // A disk that shrank behind our back, or a medium that changed, ends the test by the store's own word.
    const length = Math.min(BOUNCE_BYTES, block.store.bytes - position);
    const into = block.bounce.segmentsOf(task);
    task.await(block.store.read(task, position, length, into), (_, reply) => {
      block.bounce.release(task.scratch);
      if (reply === DONE) {
        run.next += 1;
        run.inTick += 1;
        this.#step(run);
      } else {
        checkTransferFault(task, reply, position);
        this.#fail(run, FIRST_SEGMENT_FAILED, 1);
      }
    });
  }

  #flushed(run: Run, reply: StoreReply): void {
    if (reply === DONE) {
      this.#end(run, run.task.aborting ? ABORTED_OTHERWISE : COMPLETED, null);
      return;
    }
    checkFlushFault(run.task, reply);
    this.#fail(run, SECOND_SEGMENT_FAILED, 2);
  }

  #fail(run: Run, outcome: number, segment: 1 | 2): void {
    const { sense, senseInformation: lba } = run.task;
    this.#end(run, outcome, { segment, lba, sense });
  }

  #end(run: Run, outcome: number, failure: SelfTestFailure | null): void {
    const { logs, exceptions } = this.#unit;
    this.#run = null;
    if (run.plan.code !== 0) logs.selfTests.end(outcome, failure);
    const ran = failure !== null || outcome === COMPLETED;
    if (ran && !run.foreground) exceptions.selfTestEnded(failure !== null);
    const stopped = this.#stopped.splice(0);
    // Whoever hears of a result finds it in the log, after a crash too.
    const over = (): void => {
      run.ended(outcome);
      for (const each of stopped) each();
    };
    if (run.plan.code === 0) over();
    else logs.saveImplicitly(over);
  }
}
