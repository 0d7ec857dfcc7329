/**
 * What makes a drive a burner: who is burning, what is under way, and how a disc goes from one state to the next so that losing
 * power at any point leaves one of both (decision 17).
 *
 *     data -> flush -> state -> GOOD          (SYNCHRONIZE CACHE, CLOSE, the end of a session at once)
 *     state without it -> discard -> flush -> state          (BLANK, FORMAT UNIT)
 */
import { assert } from '../../../assert.ts';
import type { CommandRow } from '../../command-table.ts';
import { type DiscJournal, DONE, GONE, type StoreReply } from '../../contracts.ts';
import type { LogicalUnit } from '../../logical-unit.ts';
import type { Nexus } from '../../nexus.ts';
import { nexusOf, unitOf } from '../../parameter-data.ts';
import { newPrivateTask } from '../../private-task.ts';
import { loseCachedWrites } from '../../sbc/store-fault.ts';
import { DEFERRED, NONE, progressPointer } from '../../sense.ts';
import {
  COMMAND_SEQUENCE_ERROR,
  LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS,
  MEDIUM_REMOVAL_PREVENTED,
  SESSION_FIXATION_ERROR,
} from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import type { Disc } from '../disc.ts';
import {
  afterInterruption,
  type DiscState,
  encodeDiscState,
  isBeingWritten,
} from './disc-state.ts';
import { RecordableDisc, sectorBytesOf } from './recordable-disc.ts';
import type { Recording } from './recording.ts';
import { faultOf } from './state-fault.ts';
import type { WritePlan } from './write-plan.ts';

/** How long operations seem to take, in milliseconds: media of files need no time. */
export interface BurnDurations {
  readonly blankMs: number;
  readonly formatMs: number;
  readonly closeMs: number;
  /** A format in the background, which nobody waits for. */
  readonly backgroundFormatMs: number;
}

export const AT_ONCE: BurnDurations = {
  blankMs: 0,
  formatMs: 0,
  closeMs: 0,
  backgroundFormatMs: 600_000,
};

export interface BurnerOptions {
  /** Keeps the state of the disc that is in the drive. */
  readonly journal: DiscJournal;
  readonly durations?: BurnDurations;
}

/** How a disc changes when no data is written. */
export interface Transition {
  readonly state: DiscState;
  /** What it is while the rest is done; null: what it was. */
  readonly interim: DiscState | null;
  /** What was recorded is given up. */
  readonly wipes: boolean;
  /** What others are told meanwhile, and what the command ends with when it fails. */
  readonly sense: number;
  readonly failure: number;
  readonly durationMs: number;
  /** What is on the disc has changed for whoever reads it. */
  readonly changesContents: boolean;
  /** Nobody is burning afterwards. */
  readonly ends: boolean;
}

const STEPS = 16;
const WHOLE = 0x10000;
const START_STOP_UNIT = 0x1b;
const LOEJ = 0x02;
/** Commands that change what is being burnt, besides those whose row says that they write. */
const CHANGING = new Set([0x15, 0x35, 0x53, 0x54, 0x55, 0x58, 0x5b, 0x5d, 0xbf]);
/** Blocks that are written before the state of the disc is kept without being asked for. */
const MOST_UNKEPT_BLOCKS = 32_768;

/** A transition under way. */
interface Operation {
  readonly transition: Transition;
  readonly disc: RecordableDisc;
  readonly by: Nexus;
  readonly unit: LogicalUnit;
  /** The command that waits for it; null: it has been answered. */
  readonly task: Task | null;
  step: number;
  timer: object | null;
}

export class Burner {
  readonly #journal: DiscJournal;
  readonly #durations: BurnDurations;
  readonly #worker = newPrivateTask();
  #owner: Nexus | null = null;
  /** The disc that is burnt. */
  #disc: RecordableDisc | null = null;
  #operation: Operation | null = null;
  #idle: (() => void)[] = [];
  /** Stops the format in the background. */
  #background: (() => void) | null = null;
  /** The session that is written at once. */
  recording: Recording | null = null;
  /** A disc that test writes seem to write to. */
  shadow: DiscState | null = null;
  /** Blocks that were written since the state was kept. */
  #unkept = 0;
  /** The WRITE under way: there is one at a time, they all exclude each other. */
  plan: WritePlan | null = null;

  constructor(options: BurnerOptions) {
    this.#journal = options.journal;
    this.#durations = options.durations ?? AT_ONCE;
  }

  get durations(): BurnDurations {
    return this.#durations;
  }

  /** Who is burning; null: nobody. */
  get owner(): Nexus | null {
    return this.#owner;
  }

  /** A command begins, or goes on with, burning a disc. */
  claim(task: Task, disc: RecordableDisc): void {
    this.#owner = nexusOf(task);
    this.#disc = disc;
  }

  /** Nobody is burning: it has ended, or the host says that it must. A session that was written at once is damaged. */
  release(): void {
    if (this.recording !== null && !this.recording.test) {
      this.#disc?.adopt(afterInterruption(this.#disc.state));
    }
    this.#owner = null;
    this.#disc = null;
    this.recording = null;
    this.shadow = null;
  }

  /**
   * Why the disc must not leave: somebody else than `nexus` (null: the operator) is burning, or the nexus itself writes what an
   * interruption would damage. `release` ends that.
   */
  keepsDisc(nexus: Nexus | null): boolean {
    if (this.#owner === null || this.#disc === null) return false;
    return (
      this.#owner !== nexus || this.recording?.begun === true || isBeingWritten(this.#disc.state)
    );
  }

  /** Keeps what is not kept yet of a disc that is about to leave; what was written is flushed. */
  settle(task: Task, disc: Disc | null): StoreReply {
    if (!(disc instanceof RecordableDisc) || !disc.changed) return DONE;
    return this.keep(task, disc.state);
  }

  /** Its initiator is gone. */
  nexusLost(nexus: Nexus): void {
    if (this.#owner === nexus) this.release();
  }

  /** Another disc is in the drive, or none. */
  discChanged(): void {
    this.release();
    this.#unkept = 0;
    this.#stopBackground();
  }

  /** Sense that a command is refused with because of what is under way, or 0. */
  refusal(task: Task, row: CommandRow): number {
    const touches = row.medium === 'required';
    const isStartStop = row.opcode === START_STOP_UNIT;
    if (this.sense !== 0) {
      return row.attention === 'report' && (touches || isStartStop) ? this.sense : 0;
    }
    if (this.#owner === null || this.#owner === task.nexus) return 0;
    if (isStartStop) return ((task.cdb[4] as number) & LOEJ) !== 0 ? MEDIUM_REMOVAL_PREVENTED : 0;
    if (touches && this.recording !== null) return LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS;
    return row.writes === true || CHANGING.has(row.opcode) ? COMMAND_SEQUENCE_ERROR : 0;
  }

  /** What is under way when its command has been answered, as REQUEST SENSE tells it, or 0. What a command waits for others wait for, too. */
  get sense(): number {
    return this.#operation?.task === null ? this.#operation.transition.sense : 0;
  }

  /**
   * What is under way, whether its command waits for it or not: the sense that tells of it, and the part that is done, from 0 to 1;
   * null when it seems to take no time. Null: nothing is.
   */
  get underWay(): { readonly sense: number; readonly done: number | null } | null {
    if (this.#operation === null) return null;
    const { transition, step } = this.#operation;
    return { sense: transition.sense, done: transition.durationMs > 0 ? step / STEPS : null };
  }

  /** How much of it is done. */
  get pointer(): number {
    if (this.#operation === null) return NONE;
    const { step } = this.#operation;
    return progressPointer(Math.min(WHOLE - 1, Math.floor((step * WHOLE) / STEPS)));
  }

  /** Keeps a state of the disc. One that is not legal would be refused when it is read back: it is a bug, and never kept. */
  keep(task: Task, state: DiscState): StoreReply {
    const fault = faultOf(state);
    if (fault !== null) {
      unitOf(task).target.onInternalError(new Error(`Cannot keep the disc: ${fault}`), task);
      return GONE;
    }
    this.#unkept = 0;
    return this.#journal.save(task, encodeDiscState(state));
  }

  /** Counts what was written; true when it is time to keep the state. */
  wrote(blocks: number): boolean {
    this.#unkept += blocks;
    return this.#unkept >= MOST_UNKEPT_BLOCKS;
  }

  /** Calls `idle` when nothing is under way; what only seems to take time is done at once. */
  whenIdle(idle: () => void): void {
    const operation = this.#operation;
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
    assert(
      this.#operation === null,
      'a command that changes a disc begins when nothing is under way',
    );
    const unit = unitOf(task);
    const operation: Operation = {
      transition,
      disc,
      by: nexusOf(task),
      unit,
      task: immediately ? null : task,
      step: 0,
      timer: null,
    };
    this.#operation = operation;
    this.#worker.unit = unit;
    if (immediately) unit.finish(task);
    this.#tick(operation);
  }

  /** The time that it takes passes, in steps. */
  #tick(operation: Operation): void {
    const { durationMs } = operation.transition;
    if (durationMs <= 0 || operation.step >= STEPS) {
      this.#work(operation);
      return;
    }
    operation.timer = operation.unit.target.timers.after(durationMs / STEPS, () => {
      operation.step += 1;
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
    this.#await(operation, this.keep(this.#worker, interim), () => {
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
      flush();
      return;
    }
    const bytes = sectorBytesOf(disc.facts);
    this.#await(operation, store.discard(this.#worker, disc.base, bytes), flush);
  }

  #settle(operation: Operation): void {
    const { transition, disc, unit } = operation;
    const closes = transition.failure === SESSION_FIXATION_ERROR;
    if (closes && unit.optical?.faults.fails('close') === true) {
      this.#end(operation, transition.failure);
      return;
    }
    this.#await(operation, this.keep(this.#worker, transition.state), () => {
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
    const { transition, unit, by, task, disc } = operation;
    this.#operation = null;
    if (failure === 0) {
      if (transition.ends) {
        this.recording = null;
        this.release();
      }
      unit.onFlushed(by.index);
      if (transition.changesContents) unit.optical?.contentsChanged(by);
      this.#formatInBackground(unit, disc);
    } else if (task === null) {
      unit.attention.post(by.index, failure | DEFERRED);
    }
    if (task !== null) {
      if (failure !== 0) task.check(failure);
      unit.finish(task);
    }
    for (const idle of this.#idle.splice(0)) idle();
  }

  #stopBackground(): void {
    this.#background?.();
    this.#background = null;
  }

  /** A format that goes on in the background comes to its end, if nobody stops it. */
  #formatInBackground(unit: LogicalUnit, disc: RecordableDisc): void {
    const { timers } = unit.target;
    this.#stopBackground();
    if (disc.state.format?.background !== 'running') return;
    const timer = timers.after(this.#durations.backgroundFormatMs, () => {
      this.#background = null;
      const { state } = disc;
      if (state.format?.background !== 'running') return;
      if (this.#operation !== null || this.plan !== null) {
        this.#formatInBackground(unit, disc);
        return;
      }
      const done: DiscState = { ...state, format: { ...state.format, background: 'complete' } };
      // Kept with what is kept next: a disc that is found again as one that was stopped is legal.
      disc.adopt(done);
    });
    this.#background = () => timers.cancel(timer);
  }
}
