/**
 * How long a logical unit had commands, and which (SPC-4 7.3.6). Time passes in turns of whatever runs the target, because a look at
 * the clock costs as much as a tenth of a command: a command counts from the beginning of the turn that took it to the end of the
 * turn that answered it, and its answer leaves no sooner.
 */
import { type CommandRow, readsBlocks, writesBlocks } from '../command-table.ts';

const READ_MS = 0;
const WRITE_MS = 1;
const IDLE_MS = 2;
const IDLE_SINCE_MS = 3;

/** The turns of a target, and the units that had commands in the one under way. */
export class TurnClock {
  readonly #time: Float64Array;
  readonly #turnMs = new Float64Array(1);
  readonly #awake: ProcessingTimes[] = [];

  /** `time`: one number, monotonic milliseconds; whoever runs the target keeps it and calls `pass`. Nobody: no time passes. */
  constructor(time: Float64Array) {
    this.#time = time;
  }

  /** When the turn under way began. */
  get turnMs(): number {
    return this.#turnMs[0] as number;
  }

  /** `times` has commands in this turn. */
  wake(times: ProcessingTimes): void {
    this.#awake.push(times);
  }

  /** A turn is over, or one begins after a rest. */
  pass(): void {
    const beganMs = this.#turnMs[0] as number;
    this.#turnMs[0] = this.#time[0] as number;
    const awake = this.#awake;
    let kept = 0;
    for (let i = 0; i < awake.length; i += 1) {
      const times = awake[i] as ProcessingTimes;
      if (!times.pass(beganMs)) continue;
      awake[kept] = times;
      kept += 1;
    }
    if (kept < awake.length) awake.length = kept;
  }
}

export class ProcessingTimes {
  readonly #clock: TurnClock;
  /** Typed: plain numbers that are no small integers cost an allocation each time they change. */
  readonly #sums = new Float64Array(4);
  #awake = false;
  /** Commands in the task set; reads and writes among them. */
  #here = 0;
  #reads = 0;
  #writes = 0;
  /** Reads and writes that were there in this turn. */
  #readsSeen = 0;
  #writesSeen = 0;

  constructor(clock: TurnClock) {
    this.#clock = clock;
    this.#sums[IDLE_SINCE_MS] = clock.turnMs;
  }

  /** The times of all reads, added up. */
  get readMs(): number {
    return this.#sums[READ_MS] as number;
  }
  get writeMs(): number {
    return this.#sums[WRITE_MS] as number;
  }
  /** Time without commands. */
  get idleMs(): number {
    const idleMs = this.#sums[IDLE_MS] as number;
    return this.#awake ? idleMs : idleMs + this.#restMs();
  }

  /** A command enters the task set (1), or leaves it (-1). */
  tally(row: CommandRow | null, by: number): void {
    if (!this.#awake) this.#wake();
    this.#here += by;
    if (row === null) return;
    if (readsBlocks(row)) {
      this.#reads += by;
      if (by > 0) this.#readsSeen += 1;
    } else if (writesBlocks(row)) {
      this.#writes += by;
      if (by > 0) this.#writesSeen += 1;
    }
  }

  /** The turn that began at `beganMs` is over. False: nothing is left for the next one. */
  pass(beganMs: number): boolean {
    const sums = this.#sums;
    const tookMs = this.#clock.turnMs - beganMs;
    (sums[READ_MS] as number) += tookMs * this.#readsSeen;
    (sums[WRITE_MS] as number) += tookMs * this.#writesSeen;
    this.#readsSeen = this.#reads;
    this.#writesSeen = this.#writes;
    if (this.#here > 0) return true;
    this.#awake = false;
    sums[IDLE_SINCE_MS] = this.#clock.turnMs;
    return false;
  }

  #restMs(): number {
    return this.#clock.turnMs - (this.#sums[IDLE_SINCE_MS] as number);
  }

  #wake(): void {
    (this.#sums[IDLE_MS] as number) += this.#restMs();
    this.#awake = true;
    this.#clock.wake(this);
  }
}
