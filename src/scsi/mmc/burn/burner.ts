/** What makes a drive a burner: who is burning, the session that is written at once, and what the disc is kept as (decision 17). */
import { burnEffect, type CommandRow } from '../../command-table.ts';
import { type DiscJournal, DONE, GONE, type StoreReply } from '../../contracts.ts';
import type { Nexus } from '../../nexus.ts';
import { nexusOf, unitOf } from '../../parameter-data.ts';
import { NONE, progressPointer } from '../../sense.ts';
import {
  COMMAND_SEQUENCE_ERROR,
  LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS,
  MEDIUM_REMOVAL_PREVENTED,
} from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import type { Disc } from '../disc.ts';
import { BackgroundFormat } from './background-format.ts';
import { BurnOwner } from './burn-owner.ts';
import {
  afterInterruption,
  type DiscState,
  encodeDiscState,
  isBeingWritten,
} from './disc-state.ts';
import { type Operation, Operations, STEPS, type Transition } from './operation.ts';
import { RecordableDisc } from './recordable-disc.ts';
import type { Recording } from './recording.ts';
import { faultOf } from './state-fault.ts';
import type { WriteUnderWay } from './write-under-way.ts';

export interface BurnerOptions {
  /** Keeps the state of the disc that is in the drive. */
  readonly journal: DiscJournal;
  /** Monotonic milliseconds; absent: those of the process. */
  readonly now?: () => number;
}

const WHOLE = 0x10000;
/** Blocks that are written before the state of the disc is kept without being asked for. */
const MOST_UNKEPT_BLOCKS = 32_768;

export class Burner {
  readonly #journal: DiscJournal;
  readonly #owner: BurnOwner;
  readonly #operations: Operations;
  readonly #background = new BackgroundFormat();
  /** The disc that is burnt. */
  #disc: RecordableDisc | null = null;
  /** All of the disc is written at once (DVD-R, DISC AT ONCE). */
  #wholeDisc = false;
  /** The session that is written at once. */
  recording: Recording | null = null;
  /** A disc that test writes seem to write to. */
  shadow: DiscState | null = null;
  /** Blocks that were written since the state was kept. */
  #unkept = 0;
  /** The WRITE under way: there is one at a time, they all exclude each other. */
  write: WriteUnderWay | null = null;

  constructor(options: BurnerOptions) {
    this.#journal = options.journal;
    this.#owner = new BurnOwner(options.now ?? ((): number => performance.now()));
    this.#operations = new Operations({
      keep: (task, state) => this.keep(task, state),
      done: (operation) => this.#done(operation),
    });
  }

  /** Who is burning; null: nobody, or one that has been idle for so long that another may begin. */
  get owner(): Nexus | null {
    return this.#owner.nexus;
  }

  /** Who is at work on the disc: it burns, or the drive does by itself what it has asked for. */
  get user(): Nexus | null {
    return this.owner ?? this.#operations.underWay?.by ?? null;
  }

  /** A session or a disc is being written in one go: the laser is nobody else's until it has ended. */
  get isAtOnce(): boolean {
    return this.#wholeDisc || this.recording?.begun === true;
  }

  /** A command begins, or goes on with, burning a disc. `wholeDisc`: it is one of those that write all of it at once. */
  claim(task: Task, disc: RecordableDisc, wholeDisc = false): void {
    this.#owner.claim(nexusOf(task));
    this.#disc = disc;
    this.#wholeDisc = wholeDisc;
  }

  /** Nobody is burning: it has ended, or the host says that it must. A session that was written at once is damaged. */
  release(): void {
    if (this.recording !== null && !this.recording.test) {
      this.#disc?.adopt(afterInterruption(this.#disc.state));
    }
    this.#ended();
  }

  /** Nobody is burning, and nothing was interrupted. */
  #ended(): void {
    this.#owner.release();
    this.#disc = null;
    this.#wholeDisc = false;
    this.recording = null;
    this.shadow = null;
  }

  /** The session that was written at once is `closed`, and kept so. */
  finished(disc: RecordableDisc, closed: DiscState): void {
    disc.adopt(closed);
    this.#ended();
  }

  /**
   * Why the disc must not leave: somebody else than `nexus` (null: the operator) is burning, the nexus itself writes what an
   * interruption would damage, or the drive works on it by itself. `release` ends the first two, `whenIdle` the last.
   */
  keepsDisc(nexus: Nexus | null): boolean {
    if ((this.#operations.underWay?.durationMs ?? 0) > 0) return true;
    const { owner } = this;
    if (owner === null || this.#disc === null) return false;
    return owner !== nexus || this.recording?.begun === true || isBeingWritten(this.#disc.state);
  }

  /** Keeps what is not kept yet of a disc that is about to leave; what was written is flushed. */
  settle(task: Task, disc: Disc | null): StoreReply {
    if (!(disc instanceof RecordableDisc) || !disc.changed) return DONE;
    return this.keep(task, disc.state);
  }

  /** Its initiator is gone. */
  nexusLost(nexus: Nexus): void {
    if (this.#owner.heard(nexus)) this.release();
  }

  /** Another disc is in the drive, or none. */
  discChanged(): void {
    this.release();
    this.#unkept = 0;
    this.#background.stop();
  }

  /** Sense that a command is refused with because of what is under way, or 0. */
  refusal(task: Task, row: CommandRow): number {
    const { sense } = this;
    if (sense === 0 && this.#disc === null) return 0;
    const effect = burnEffect(row, task.cdb);
    const touches = row.medium === 'required';
    if (sense !== 0) {
      const needs = touches || effect === 'moves' || effect === 'uses';
      return row.attention === 'report' && needs ? sense : 0;
    }
    if (this.#owner.heard(task.nexus)) {
      return this.isAtOnce && effect === 'reads' ? COMMAND_SEQUENCE_ERROR : 0;
    }
    const refusal = this.#refusalOfOthers(touches, effect);
    if (refusal === 0 || this.owner !== null || this.#isBusy) return refusal;
    // The one that burns has been idle: its session ends where somebody else begins.
    if (effect === 'changes' || effect === 'moves') this.release();
    return 0;
  }

  #refusalOfOthers(touches: boolean, effect: ReturnType<typeof burnEffect>): number {
    if (effect === 'moves') return MEDIUM_REMOVAL_PREVENTED;
    if (touches && (this.isAtOnce || this.recording !== null)) {
      return LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS;
    }
    return effect === 'changes' ? COMMAND_SEQUENCE_ERROR : 0;
  }

  get #isBusy(): boolean {
    return this.#operations.underWay !== null || this.write !== null;
  }

  /** What is under way when its command has been answered, as REQUEST SENSE tells it, or 0. What a command waits for others wait for, too. */
  get sense(): number {
    const operation = this.#operations.underWay;
    return operation?.task === null ? operation.transition.sense : 0;
  }

  /**
   * What is under way, whether its command waits for it or not: the sense that tells of it, and the part that is done, from 0 to 1;
   * null when it seems to take no time. Null: nothing is.
   */
  get underWay(): { readonly sense: number; readonly done: number | null } | null {
    const operation = this.#operations.underWay;
    if (operation === null) return null;
    const { transition, durationMs, step } = operation;
    return { sense: transition.sense, done: durationMs > 0 ? step / STEPS : null };
  }

  /** How much of it is done. */
  get pointer(): number {
    const operation = this.#operations.underWay;
    if (operation === null) return NONE;
    return progressPointer(Math.min(WHOLE - 1, Math.floor((operation.step * WHOLE) / STEPS)));
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
    this.#operations.whenIdle(idle);
  }

  /** Does what a command asks for, which is answered at once (`immediately`) or when it is done. */
  run(task: Task, disc: RecordableDisc, transition: Transition, immediately: boolean): void {
    this.#operations.run(task, disc, transition, immediately);
  }

  #done({ transition, disc, before, by, unit }: Operation): void {
    if (transition.ends) this.#ended();
    else this.#owner.heard(by);
    const was = before.format?.background;
    const goesOn = !transition.wipes && disc.state.format?.background === 'running';
    // A format that goes on after a stop leaves all as it was.
    if (goesOn && was === 'stopped') unit.optical?.events.formatRestarted();
    else if (transition.changesContents) unit.optical?.contentsChanged(by);
    if (!goesOn || was !== 'running') this.#background.goOn(unit, disc, () => this.#isBusy);
  }
}
