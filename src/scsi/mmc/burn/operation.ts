/**
 * What a burner does with a disc when no data is written: one transition at a time, in an order such that losing power at any point
 * leaves the disc as it was or as it is to be (decision 17).
 *
 *     fill -> flush -> state -> GOOD                          (SYNCHRONIZE CACHE, CLOSE TRACK/SESSION)
 *     state without it -> discard -> flush -> state           (BLANK, FORMAT UNIT)
 */
import { assert } from '../../../assert.ts';
import { type BlockStore, DONE, type StoreReply } from '../../contracts.ts';
import type { LogicalUnit } from '../../logical-unit.ts';
import type { Nexus } from '../../nexus.ts';
import { nexusOf, unitOf } from '../../parameter-data.ts';
import { newPrivateTask } from '../../private-task.ts';
import { loseCachedWrites } from '../../sbc/store-fault.ts';
import { DEFERRED } from '../../sense.ts';
import { SESSION_FIXATION_ERROR } from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { driveOf } from '../optical-drive.ts';
import { SLICE_MS } from '../pace.ts';
import type { DiscState } from './disc-state.ts';
import { type RecordableDisc, sectorBytesOf, slotBytesOf } from './recordable-disc.ts';

export interface SectorRange {
  readonly first: number;
  readonly blocks: number;
}

/** How a disc changes when no data is written. */
export interface Transition {
  readonly state: DiscState;
  /** What it is while the rest is done; null: what it was. */
  readonly interim: DiscState | null;
  /** What was recorded is given up. */
  readonly wipes: boolean;
  /** Sectors that the drive writes zeros to; absent: none. */
  readonly fills?: readonly SectorRange[];
  /** What others are told meanwhile, and what the command ends with when it fails. */
  readonly sense: number;
  readonly failure: number;
  /** Blocks that pass the laser for it, of a drive that is paced. */
  readonly blocks: number;
  /** Somebody else may find another disc than before. */
  readonly changesContents: boolean;
  /** Nobody is burning afterwards. */
  readonly ends: boolean;
}

/** Steps that the time of an operation passes in. */
export const STEPS = 16;
/** What a sum of slices may miss of a step. */
const ROUNDING = 1e-6;

/** A transition under way. */
export interface Operation {
  readonly transition: Transition;
  /** Milliseconds that it seems to take; 0: none. */
  readonly durationMs: number;
  readonly disc: RecordableDisc;
  /** What the disc was. */
  readonly before: DiscState;
  readonly by: Nexus;
  readonly unit: LogicalUnit;
  /** The command that waits for it; null: it has been answered. */
  readonly task: Task | null;
  passedMs: number;
  /** Of STEPS. */
  step: number;
  timer: object | null;
}

/** What a transition needs of its burner. */
export interface OperationHost {
  keep(task: Task, state: DiscState): StoreReply;
  /** It is done, and the disc has adopted its state. */
  done(operation: Operation): void;
}

export class Operations {
  readonly #host: OperationHost;
  readonly #worker = newPrivateTask();
  #now: Operation | null = null;
  #idle: (() => void)[] = [];

  constructor(host: OperationHost) {
    this.#host = host;
  }

  /** What is under way; null: nothing. */
  get underWay(): Readonly<Operation> | null {
    return this.#now;
  }

  /** Calls `idle` when nothing is under way; what only seems to take time is done at once. */
  whenIdle(idle: () => void): void {
    const operation = this.#now;
    if (operation === null) {
      idle();
      return;
    }
    this.#idle.push(idle);
    if (operation.timer === null) return;
    operation.unit.target.timers.cancel(operation.timer);
    operation.step = STEPS;
    this.#work(operation);
  }

  /** Does what a command asks for, which is answered at once (`immediately`) or when it is done. */
  run(task: Task, disc: RecordableDisc, transition: Transition, immediately: boolean): void {
    assert(this.#now === null, 'a command that changes a disc begins when nothing is under way');
    const unit = unitOf(task);
    const operation: Operation = {
      transition,
      durationMs: driveOf(unit).pacedMs(transition.blocks),
      disc,
      before: disc.state,
      by: nexusOf(task),
      unit,
      task: immediately ? null : task,
      passedMs: 0,
      step: 0,
      timer: null,
    };
    this.#now = operation;
    this.#worker.unit = unit;
    if (immediately) unit.finish(task);
    this.#tick(operation);
  }

  /** The time that it takes passes, in steps; what only seems to take time is done soon after the command that waits for it is aborted. */
  #tick(operation: Operation): void {
    const { durationMs, step, unit, task } = operation;
    if (durationMs <= 0 || step >= STEPS || task?.aborting === true) {
      operation.step = STEPS;
      this.#work(operation);
      return;
    }
    const stepMs = durationMs / STEPS;
    const sliceMs = task === null ? stepMs : Math.min(stepMs, SLICE_MS);
    operation.timer = unit.target.timers.after(sliceMs, () => {
      operation.passedMs += sliceMs;
      operation.step = Math.floor((operation.passedMs / durationMs) * STEPS + ROUNDING);
      this.#tick(operation);
    });
  }

  #work(operation: Operation): void {
    operation.timer = null;
    const { interim } = operation.transition;
    if (interim === null) {
      this.#wipe(operation);
      return;
    }
    this.#await(operation, this.#host.keep(this.#worker, interim), () => {
      operation.disc.adopt(interim);
      this.#wipe(operation);
    });
  }

  #wipe(operation: Operation): void {
    const { transition, disc } = operation;
    const store = operation.unit.block?.store;
    assert(store !== undefined, 'a burner has a store');
    const flush = (): void => {
      const upTo = operation.unit.cachedWrites.count;
      this.#await(operation, store.flush(this.#worker), () => {
        operation.unit.cachedWrites.stable(upTo);
        this.#settle(operation);
      });
    };
    if (!transition.wipes) {
      this.#fill(operation, store, transition.fills ?? [], flush);
      return;
    }
    const bytes = sectorBytesOf(disc.facts);
    this.#await(operation, store.discard(this.#worker, disc.base, bytes), flush);
  }

  #fill(
    operation: Operation,
    store: BlockStore,
    [range, ...more]: readonly SectorRange[],
    filled: () => void,
  ): void {
    if (range === undefined) {
      filled();
      return;
    }
    const { disc } = operation;
    const at = disc.positionOf(range.first);
    const bytes = range.blocks * slotBytesOf(disc.facts);
    const reply = store.writeZeroes(this.#worker, at, bytes, false);
    this.#await(operation, reply, () => this.#fill(operation, store, more, filled));
  }

  #settle(operation: Operation): void {
    const { transition, disc, unit } = operation;
    const closes = transition.failure === SESSION_FIXATION_ERROR;
    if (closes && driveOf(unit).faults.fails('close')) {
      this.#end(operation, transition.failure);
      return;
    }
    this.#await(operation, this.#host.keep(this.#worker, transition.state), () => {
      disc.adopt(transition.state);
      this.#end(operation, 0);
    });
  }

  #await(operation: Operation, reply: StoreReply, next: () => void): void {
    this.#worker.await(reply, (_, later) => {
      if (later === DONE) next();
      else this.#fail(operation, later);
    });
  }

  /** Whoever has written since the last flush cannot rely on it. */
  #fail(operation: Operation, fault: StoreReply): void {
    const { task, unit, by, transition } = operation;
    loseCachedWrites(unit, fault, task === null ? -1 : by.index);
    this.#end(operation, transition.failure);
  }

  #end(operation: Operation, failure: number): void {
    const { unit, by, task } = operation;
    this.#now = null;
    if (failure === 0) {
      unit.onFlushed(by.index);
      this.#host.done(operation);
    } else if (task === null) {
      unit.attention.post(by.index, failure | DEFERRED);
    }
    if (task !== null) {
      if (failure !== 0) task.check(failure);
      unit.finish(task);
    }
    for (const idle of this.#idle.splice(0)) idle();
  }
}
