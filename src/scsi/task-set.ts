/**
 * The task set of a logical unit: admission, order and retirement (SAM-5 clause 8). TST = 001b makes it one set per nexus:
 * then "every", "older" and "in the set" below mean tasks of the same nexus, but never do two overlapping tasks of which
 * one writes run at once, whoever sent them.
 *
 * A task may be enabled when no ACA condition holds it up (contingent-allegiance.ts) and
 *   HEAD OF QUEUE  no enabled task overlaps its blocks
 *   ORDERED        every older task has ended, and no HEAD OF QUEUE task is in the set
 *   SIMPLE         every older ORDERED task has ended, no HEAD OF QUEUE task is in the set, and no older task overlaps
 *                  its blocks with one of both writing (QUEUE ALGORITHM MODIFIER = 0; with 1, no enabled one does)
 */
import { assert } from '../assert.ts';
import { READS_EXTENT, READS_UNIT } from './command-table.ts';
import { asksForAca, ContingentAllegiance } from './contingent-allegiance.ts';
import {
  INTERLOCK_ESTABLISH,
  INTERLOCK_NONE,
  QERR_ABORT_ALL,
  QERR_CONTINUE,
} from './control-mode.ts';
import { decode, execute } from './device-server.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { COPY_MANAGER_INDEX, type Nexus } from './nexus.ts';
import {
  ACA,
  ACA_ACTIVE,
  BUSY,
  CHECK_CONDITION,
  HEAD_OF_QUEUE,
  ORDERED,
  SIMPLE,
  TASK_ABORTED,
  TASK_SET_FULL,
} from './sam.ts';
import { DEFERRED, senseKeyOf, UNIT_ATTENTION } from './sense.ts';
import {
  COMMANDS_CLEARED_BY_ANOTHER_INITIATOR,
  INVALID_MESSAGE_ERROR,
  OVERLAPPED_COMMANDS_ATTEMPTED,
} from './sense-codes.ts';
import { DORMANT, ENABLED, ENDED, type Task } from './task.ts';
import { attentionAfter } from './unit-attention.ts';

/** Most tasks of one logical unit; past it BUSY or TASK SET FULL. */
export const TASK_SET_CAPACITY = 4096;

/** Somebody who waits until certain tasks have really stopped. */
interface Stopping {
  readonly tasks: Set<Task>;
  readonly stopped: () => void;
  /** What it waits for is over when a task does no more work, even if an ACA condition keeps it from saying so. */
  readonly ofWork?: boolean;
}

const NOBODY: ReadonlySet<Task> = new Set();

export class TaskSet {
  readonly #unit: LogicalUnit;
  /** Lowered by tests that want a full task set. */
  capacity = TASK_SET_CAPACITY;
  /** Tasks in the set, dormant and enabled. */
  count = 0;
  #head: Task | null = null;
  #tail: Task | null = null;
  #sequence = 0;
  #dormant = 0;
  /** HEAD OF QUEUE and ACA tasks, which overtake. */
  #headOfQueue = 0;
  #ordered = 0;
  /** Commands of the copy manager: they overtake, and hold up only what overlaps. */
  #copying = 0;
  /** Tasks in the set that write blocks. */
  #writing = 0;
  #runHead: Task | null = null;
  #runTail: Task | null = null;
  #running = false;
  readonly #stopping: Stopping[] = [];
  readonly #aca = new ContingentAllegiance();
  /** Tasks that have failed and wait to say so. */
  #reporting = 0;

  constructor(unit: LogicalUnit) {
    this.#unit = unit;
  }

  /** A command arrives: it is refused, runs at once, or waits for its turn. */
  admit(task: Task): void {
    decode(task, this.#unit);
    if (this.#aca.active && !this.#passesAca(task)) return;
    if (this.count > 0 && !this.#admissible(task)) return;
    if (task.attribute === ACA && this.#aca.governing(task.nexus, this.#unit) === null) {
      this.#check(task, INVALID_MESSAGE_ERROR, NOBODY);
      return;
    }
    this.#insert(task);
    if (this.#mayEnable(task)) {
      this.#enable(task);
      this.#run();
    } else {
      this.#dormant += 1;
    }
  }

  /** Refuses what may not enter the task set while an ACA condition lasts (SAM-5 5.9.2). */
  #passesAca(task: Task): boolean {
    const faulted = this.#aca.governing(task.nexus, this.#unit);
    if (faulted === null) return true;
    if (task.nexus !== faulted && this.#aca.blocks(task, this.#unit)) {
      this.#refuse(task, asksForAca(task, this.#unit) ? ACA_ACTIVE : BUSY);
      return false;
    }
    const isThere = (other: Task): boolean => other.attribute === ACA && other.nexus === faulted;
    if (task.nexus !== faulted || (task.attribute === ACA && !this.holds(isThere))) return true;
    this.#refuse(task, ACA_ACTIVE);
    return false;
  }

  /** Refuses an overlapped tag (SAM-5 5.10) and a task that finds no room. */
  #admissible(task: Task): boolean {
    let ofNexus = false;
    let overlapped = false;
    for (let other = this.#head; other !== null; other = other.next) {
      if (other.nexus !== task.nexus) continue;
      ofNexus = true;
      // Its initiator has heard the last of a task that was lost with the nexus; one being aborted by a function it has not.
      if (other.aborting && other.abortedBy === 0) continue;
      if (other.tagLow === task.tagLow && other.tagHigh === task.tagHigh) overlapped = true;
    }
    if (overlapped) {
      const stopping = this.abort((other) => other.nexus === task.nexus, false);
      this.#check(task, OVERLAPPED_COMMANDS_ATTEMPTED, stopping);
      return false;
    }
    if (this.count < this.capacity) return true;
    this.#refuse(task, ofNexus ? TASK_SET_FULL : BUSY);
    return false;
  }

  /** Answers a task that does not enter the task set. */
  #refuse(task: Task, status: number): void {
    task.status = status;
    task.transition(DORMANT, ENDED);
    this.#unit.counters.count(task);
    this.#remember(task);
    task.port.respond(task);
  }

  /** Ends an arriving task with CHECK CONDITION, and its consequences (QERR, NACA), when `stopping` have stopped: they may come again. */
  #check(task: Task, sense: number, stopping: ReadonlySet<Task>): void {
    task.check(sense);
    task.extentFirst = 0;
    task.extentEnd = 0;
    this.#insert(task);
    task.transition(DORMANT, ENABLED);
    this.whenStopped(stopping, () => this.finish(task));
  }

  /** UA_INTLCK_CTRL = 11b: BUSY, TASK SET FULL and RESERVATION CONFLICT leave a unit attention. */
  #remember(task: Task): void {
    if (this.#unit.attentionInterlock !== INTERLOCK_ESTABLISH || task.nexus === null) return;
    const sense = attentionAfter(task.status);
    if (sense !== 0) this.#unit.attention.post(task.nexus.index, sense);
  }

  #insert(task: Task): void {
    task.sequence = this.#sequence;
    this.#sequence += 1;
    task.previous = this.#tail;
    task.next = null;
    if (this.#tail === null) this.#head = task;
    else this.#tail.next = task;
    this.#tail = task;
    this.#tally(task, 1);
  }

  #remove(task: Task): void {
    if (task.previous === null) this.#head = task.next;
    else task.previous.next = task.next;
    if (task.next === null) this.#tail = task.previous;
    else task.next.previous = task.previous;
    task.previous = null;
    task.next = null;
    this.#tally(task, -1);
  }

  #tally(task: Task, by: number): void {
    this.count += by;
    this.#unit.times.tally(task.row, by);
    if (isCopy(task)) this.#copying += by;
    // An ACA command that is aborted may outlive its ACA condition: it overtook others as well.
    else if (task.attribute === HEAD_OF_QUEUE || task.attribute === ACA) this.#headOfQueue += by;
    if (task.attribute === ORDERED) this.#ordered += by;
    if (writes(task)) this.#writing += by;
  }

  #mayEnable(task: Task): boolean {
    // Its initiator is to hear of the failure, which may be a unit attention, before anything it sent later runs.
    if (
      this.#reporting > 0 &&
      this.holds((other) => other.reporting && other.nexus === task.nexus)
    ) {
      return false;
    }
    if (this.#aca.active) {
      if (this.#aca.blocks(task, this.#unit)) return false;
      if (this.#aca.governing(task.nexus, this.#unit) !== null) return !this.#overlapsEnabled(task);
    }
    if (this.count === 1) return true;
    const { taskSetPerNexus, reordersFreely } = this.#unit;
    if (taskSetPerNexus || reordersFreely || this.#copying > 0) return this.#finds(task);
    if (task.attribute === HEAD_OF_QUEUE) return !this.#overlapsEnabled(task);
    if (this.#headOfQueue > 0) return false;
    if (task.attribute === ORDERED) return task.previous === null;
    if (this.#ordered === 0 && this.#writing === 0) return true;
    for (let older = task.previous; older !== null; older = older.previous) {
      if (older.attribute === ORDERED || conflict(older, task)) return false;
    }
    return true;
  }

  /** Whether a task finds its turn when TST or QUEUE ALGORITHM MODIFIER are not 0, or a copy is under way. */
  #finds(task: Task): boolean {
    if (this.#overlapsEnabled(task)) return false;
    if (task.attribute === HEAD_OF_QUEUE) return true;
    const { taskSetPerNexus, reordersFreely } = this.#unit;
    for (let other = this.#head; other !== null; other = other.next) {
      if (other === task || isCopy(other)) continue;
      if (taskSetPerNexus && other.nexus !== task.nexus) continue;
      if (other.attribute === HEAD_OF_QUEUE) return false;
      if (other.sequence > task.sequence) continue;
      if (task.attribute === ORDERED || other.attribute === ORDERED) return false;
      if (!reordersFreely && conflict(other, task)) return false;
    }
    return true;
  }

  #overlapsEnabled(task: Task): boolean {
    for (let other = this.#head; other !== null; other = other.next) {
      if (other === task || other.state !== ENABLED || other.blocked) continue;
      if (conflict(other, task)) return true;
    }
    return false;
  }

  /** Puts a task on the run queue; HEAD OF QUEUE goes first. */
  #enable(task: Task): void {
    task.transition(DORMANT, ENABLED);
    task.queued = null;
    if (this.#runTail === null) {
      this.#runHead = task;
      this.#runTail = task;
    } else if (task.attribute === HEAD_OF_QUEUE) {
      task.queued = this.#runHead;
      this.#runHead = task;
    } else {
      this.#runTail.queued = task;
      this.#runTail = task;
    }
  }

  /**
   * A unit attention or a deferred error has been reported; a unit attention that is interlocked only REQUEST SENSE clears
   * (SPC-4 7.5.8, UA_INTLCK_CTRL).
   */
  #attentionReported({ nexus, sense }: Task): void {
    if (nexus === null) return;
    const isDeferred = (sense & DEFERRED) !== 0;
    if (!isDeferred && senseKeyOf(sense) !== UNIT_ATTENTION) return;
    if (!isDeferred && this.#unit.attentionInterlock !== INTERLOCK_NONE) return;
    this.#unit.attention.reported(nexus.index, sense);
  }

  /** Runs what is enabled. A task that ends meanwhile may enable others: they run here, not deeper in the stack. */
  #run(): void {
    if (this.#running) return;
    this.#running = true;
    let disabled = false;
    while (this.#runHead !== null) {
      const task = this.#runHead;
      this.#runHead = task.queued;
      if (this.#runHead === null) this.#runTail = null;
      task.queued = null;
      if (task.aborting) this.finish(task);
      else if (this.#aca.active && this.#aca.blocks(task, this.#unit)) {
        this.#disable(task);
        disabled = true;
      } else execute(task, this.#unit);
    }
    this.#running = false;
    // An ACA command may have been waiting for its blocks.
    if (disabled) this.#wake();
  }

  /** An ACA condition began between its enabling and its turn. */
  #disable(task: Task): void {
    task.transition(ENABLED, DORMANT);
    this.#dormant += 1;
    if (this.#stopping.length > 0) this.#stopped(task, true);
  }

  #wake(): void {
    for (let task = this.#head; task !== null && this.#dormant > 0; task = task.next) {
      if (task.state !== DORMANT || !this.#mayEnable(task)) continue;
      this.#dormant -= 1;
      this.#enable(task);
    }
    this.#run();
  }

  /** An enabled task has ended with the outcome it carries: answers it and lets successors run. */
  finish(task: Task): void {
    if (!task.aborting) {
      if (this.#aca.active && this.#aca.blocks(task, this.#unit)) {
        task.blocked = true;
        if (this.#stopping.length > 0) this.#stopped(task, true);
        if (this.#dormant > 0) this.#wake();
        return;
      }
      if (task.status === CHECK_CONDITION && this.#hasConsequences(task)) {
        this.#fault(task);
        return;
      }
    }
    this.#retire(task);
  }

  #retire(task: Task): void {
    task.transition(ENABLED, ENDED);
    this.#remove(task);
    this.#settle(task);
    if (this.#dormant > 0) this.#wake();
  }

  #hasConsequences(task: Task): boolean {
    const unit = this.#unit;
    return (
      unit.queueErrorManagement !== QERR_CONTINUE || this.#aca.active || asksForAca(task, unit)
    );
  }

  /**
   * A CHECK CONDITION stops others (SAM-5 5.9.2.2): an ACA command's ends its ACA, NACA = 1 begins one, and QERR aborts.
   * It is sent when what it aborts has stopped: whoever hears of it may send those commands again.
   */
  #fault(task: Task): void {
    const { nexus } = task;
    assert(nexus !== null, 'a running task has a nexus');
    const ended = task.attribute === ACA && this.#aca.clear(nexus);
    const begun = asksForAca(task, this.#unit);
    if (begun) this.#aca.establish(nexus);
    const stopping = this.#abortByQueueError(task);
    task.reporting = true;
    this.#reporting += 1;
    this.whenStopped(stopping, () => {
      this.#reporting -= 1;
      this.#retire(task);
      if (ended && !begun) this.#unblock();
    });
  }

  /** A running task goes on in the background: it holds up nobody by its blocks, and an abort ends it at once. */
  rest(task: Task): void {
    this.#tally(task, -1);
    task.extentFirst = 0;
    task.extentEnd = 0;
    this.#tally(task, 1);
    task.resting = true;
    if (this.#dormant > 0) this.#wake();
  }

  /** Aborts what QERR says (SPC-4 7.5.8): all other commands of the task set, or those of the faulted nexus. */
  #abortByQueueError(task: Task): ReadonlySet<Task> {
    const { queueErrorManagement, taskSetPerNexus } = this.#unit;
    if (queueErrorManagement === QERR_CONTINUE) return NOBODY;
    const everybody = queueErrorManagement === QERR_ABORT_ALL && !taskSetPerNexus;
    return this.abortFor(
      task.nexus,
      (other) => other !== task && (everybody || other.nexus === task.nexus),
    );
  }

  /** An ACA condition has ended: what it held up ends, in order, unless a new one comes of that, and what waited may run. */
  #unblock(): void {
    for (let task = this.#head; task !== null; task = task.next) {
      if (!task.blocked || this.#aca.blocks(task, this.#unit)) continue;
      task.blocked = false;
      this.finish(task);
      // The list has changed.
      this.#unblock();
      return;
    }
    if (this.#dormant > 0) this.#wake();
  }

  /** The faulted nexus of the ACA condition that commands of `nexus` meet, or null. */
  acaOf(nexus: Nexus | null): Nexus | null {
    return this.#aca.governing(nexus, this.#unit);
  }

  /** Ends the ACA condition of a nexus, if it has one. */
  clearAca(nexus: Nexus): void {
    if (this.#aca.clear(nexus)) this.#unblock();
  }

  /** Logical unit reset. */
  clearAllAca(): void {
    if (!this.#aca.active) return;
    this.#aca.clearAll();
    this.#unblock();
  }

  /** Gives an ended task back to its port, in the one way that fits. */
  #settle(task: Task): void {
    this.#unit.counters.count(task);
    if (!task.aborting) {
      if (task.status === CHECK_CONDITION) this.#attentionReported(task);
      this.#remember(task);
      task.port.respond(task);
    } else if (task.abortedStatus) {
      task.status = TASK_ABORTED;
      task.sense = 0;
      task.port.respond(task);
    } else {
      task.port.drop(task);
    }
    if (this.#stopping.length > 0) this.#stopped(task);
  }

  /**
   * Aborts the tasks that `which` selects. Dormant ones end now; for enabled ones the store is asked to hurry, and they
   * end when it says so. `withStatus`: answer TASK ABORTED; a function decides per task. `by`: the task management
   * function that asks. Returns the selected tasks, those included that an earlier abort is still waiting for.
   */
  abort(
    which: (task: Task) => boolean,
    withStatus: boolean | ((task: Task) => boolean),
    by = 0,
  ): ReadonlySet<Task> {
    const victims = new Set<Task>();
    for (let task = this.#head; task !== null; task = task.next) if (which(task)) victims.add(task);
    const stillThere = new Set(victims);
    const watch: Stopping = { tasks: stillThere, stopped: () => undefined };
    this.#stopping.push(watch);
    for (const task of victims) {
      if (task.aborting) continue;
      task.aborting = true;
      task.abortedBy = by;
      task.abortedStatus = typeof withStatus === 'boolean' ? withStatus : withStatus(task);
      if (task.state === DORMANT || task.blocked || task.resting) this.#endIdle(task);
    }
    const store = this.#unit.block?.store;
    for (const task of victims) if (stillThere.has(task)) store?.cancel(task);
    const at = this.#stopping.indexOf(watch);
    if (at >= 0) this.#stopping.splice(at, 1);
    if (this.#dormant > 0) this.#wake();
    return stillThere;
  }

  /** Ends a task that nothing runs for; successors are not looked for. */
  #endIdle(task: Task): void {
    if (task.state === DORMANT) this.#dormant -= 1;
    task.transition(task.state, ENDED);
    this.#remove(task);
    this.#settle(task);
  }

  /**
   * Aborts what `which` selects on behalf of a nexus (SAM-5 5.6): its own tasks end without a status, those of others with
   * TASK ABORTED (TAS = 1) or in silence and with a unit attention for their nexuses (TAS = 0). Returns as `abort` does.
   */
  abortFor(nexus: Nexus | null, which: (task: Task) => boolean, by = 0): ReadonlySet<Task> {
    const { taskAbortedStatus, attention } = this.#unit;
    const losers = new Set<number>();
    const stopping = this.abort(
      (task) => {
        if (!which(task)) return false;
        if (task.nexus !== null && task.nexus !== nexus) losers.add(task.nexus.index);
        return true;
      },
      (task) => task.nexus !== nexus && taskAbortedStatus,
      by,
    );
    if (taskAbortedStatus) return stopping;
    for (const index of losers) attention.post(index, COMMANDS_CLEARED_BY_ANOTHER_INITIATOR);
    return stopping;
  }

  /** Calls `stopped` when none of `tasks` is in the set any more: at once when none is now. */
  whenStopped(tasks: ReadonlySet<Task>, stopped: () => void): void {
    if (tasks.size === 0) stopped();
    else this.#stopping.push({ tasks: new Set(tasks), stopped });
  }

  /** Calls `idle` when every task that is in the set now has left it. */
  whenIdle(idle: () => void): void {
    const tasks = new Set<Task>();
    for (let task = this.#head; task !== null; task = task.next) tasks.add(task);
    this.whenStopped(tasks, idle);
  }

  /** Calls `idle` when no task that has begun works any more, but for `except`; those that have not begun do not count. */
  whenWorkEnds(except: Task | null, idle: () => void): void {
    const tasks = this.#working(except);
    if (tasks.size === 0) idle();
    else this.#stopping.push({ tasks, stopped: idle, ofWork: true });
  }

  /** Aborts the tasks that have begun and still work, with TASK ABORTED. */
  abortWork(): void {
    const working = this.#working(null);
    this.abort((task) => working.has(task), true);
  }

  #working(except: Task | null): Set<Task> {
    const tasks = new Set<Task>();
    for (let task = this.#head; task !== null; task = task.next) {
      const works = task.state === ENABLED && !task.blocked && !task.resting && !task.reporting;
      if (works && task !== except) tasks.add(task);
    }
    return tasks;
  }

  #stopped(task: Task, works = false): void {
    const done: Stopping[] = [];
    for (const waiting of this.#stopping) {
      if (works && waiting.ofWork !== true) continue;
      if (waiting.tasks.delete(task) && waiting.tasks.size === 0) done.push(waiting);
    }
    for (const waiting of done) {
      const at = this.#stopping.indexOf(waiting);
      if (at >= 0) this.#stopping.splice(at, 1);
      waiting.stopped();
    }
  }

  /** I_T nexus loss: its tasks end without a word. */
  abortNexus(nexus: Nexus): void {
    this.abort((task) => task.nexus === nexus, false);
    this.clearAca(nexus);
  }

  /** The logical unit goes away: whoever waits is told TASK ABORTED. */
  abortAll(): void {
    this.abort(() => true, true);
  }

  /** Whether a task of the set is the one that `which` looks for. */
  holds(which: (task: Task) => boolean): boolean {
    for (let task = this.#head; task !== null; task = task.next) if (which(task)) return true;
    return false;
  }

  /** Tasks of one nexus in the set. */
  countOf(nexus: Nexus): number {
    let count = 0;
    for (let task = this.#head; task !== null; task = task.next)
      if (task.nexus === nexus) count += 1;
    return count;
  }

  /** Asserts the counters against the list; for simulations. */
  verify(): void {
    let count = 0;
    let dormant = 0;
    for (let task = this.#head; task !== null; task = task.next) {
      count += 1;
      if (task.state === DORMANT) dormant += 1;
      assert(task.state === DORMANT || task.state === ENABLED, 'a task in the set has not ended');
    }
    assert(count === this.count && dormant === this.#dormant, 'task set counters agree');
    assert(this.#runHead === null, 'nothing waits to run when nobody runs');
  }
}

function isCopy(task: Task): boolean {
  return task.nexus?.index === COPY_MANAGER_INDEX;
}

function writes(task: Task): boolean {
  if (task.extentEnd <= task.extentFirst || task.row === null) return false;
  return task.row.extent !== READS_EXTENT && task.row.extent !== READS_UNIT;
}

/** Whether two tasks touch a common block and one of them writes it. */
function conflict(a: Task, b: Task): boolean {
  if (a.extentFirst >= b.extentEnd || b.extentFirst >= a.extentEnd) return false;
  return writes(a) || writes(b);
}

/** Whether a task attribute is one the core knows. */
export function isTaskAttribute(attribute: number): boolean {
  return (
    attribute === SIMPLE ||
    attribute === HEAD_OF_QUEUE ||
    attribute === ORDERED ||
    attribute === ACA
  );
}
