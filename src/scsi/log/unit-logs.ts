/**
 * What a logical unit logs of itself, apart from what its counters count: where each count began, cycles, a date, the results of
 * self-tests. Kept over a restart where there is a place for it (SPC-4 7.3).
 */
import { performance } from 'node:perf_hooks';
import { DONE, type StoreReply } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { CONDITIONS, type Condition } from '../power-condition.ts';
import { newPrivateTask } from '../private-task.ts';
import type { Task } from '../task.ts';
import { decodeResults, SelfTestResults } from './self-test-results.ts';

/** Counts that LOG SELECT can set or set back, by index. */
export const BYTES_WRITTEN = 0;
export const WRITE_ERRORS = 1;
export const BYTES_READ = 2;
export const READ_ERRORS = 3;
/** Those of the General Statistics and Performance page, which are set back apart from the others. */
export const READ_COMMANDS = 4;
export const WRITE_COMMANDS = 5;
export const BYTES_RECEIVED = 6;
export const BYTES_TRANSMITTED = 7;
/** Milliseconds, and fractions of them. */
export const READ_TIME = 8;
export const WRITE_TIME = 9;
export const IDLE_TIME = 10;
const COUNTS: readonly ((unit: LogicalUnit) => number)[] = [
  ({ counters }) => counters.bytesWritten,
  ({ counters }) => counters.writeErrors,
  ({ counters }) => counters.bytesRead,
  ({ counters }) => counters.readErrors,
  ({ counters }) => counters.reads,
  ({ counters }) => counters.writes,
  ({ counters }) => counters.bytesWritten,
  ({ counters }) => counters.bytesRead,
  ({ times }) => times.readMs,
  ({ times }) => times.writeMs,
  ({ times }) => times.idleMs,
];

/** Year and week, four and two characters; not set: spaces. */
const DATE_BYTES = 6;
const SPACE = 0x20;
const MS_PER_HOUR = 3_600_000;

/**
 * Layout of what is kept: this byte, the counts, three numbers and transitions to each power condition (f64), the date, the
 * results of self-tests. The first layout had no times and no transitions.
 */
const LAYOUT = 2;
const FIRST_LAYOUT = 1;
const FIRST_COUNTS = READ_TIME;
const NUMBERS_AT = 1;
const FURTHER_NUMBERS = 3;
const dateAt = (numbers: number): number => NUMBERS_AT + numbers * 8;

const MOST = Number.MAX_SAFE_INTEGER;

/** What LOG SELECT can change, for taking it back when it cannot be kept. */
interface Settings {
  readonly bases: Float64Array;
  readonly date: Uint8Array;
}

/** What is kept over a restart. */
export interface KeptLogs {
  readonly counts: readonly number[];
  readonly startStopCycles: number;
  readonly loadUnloadCycles: number;
  readonly ageMs: number;
  readonly transitions: readonly number[];
  readonly date: Uint8Array;
  readonly results: readonly Uint8Array[];
}

/** What `UnitLogs.encode` made these bytes from, or null. */
export function decodeLogs(bytes: Uint8Array): KeptLogs | null {
  const layout = bytes[0];
  if (layout !== LAYOUT && layout !== FIRST_LAYOUT) return null;
  const known = layout === LAYOUT ? COUNTS.length : FIRST_COUNTS;
  const length = known + FURTHER_NUMBERS + (layout === LAYOUT ? CONDITIONS : 0);
  const at = dateAt(length);
  if (bytes.length < at + DATE_BYTES) return null;
  const results = decodeResults(bytes.subarray(at + DATE_BYTES));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const numbers = Array.from({ length }, (_, i) => view.getFloat64(NUMBERS_AT + i * 8));
  if (results === null || !numbers.every((value) => value >= 0 && value <= MOST)) return null;
  const [startStopCycles = 0, loadUnloadCycles = 0, ageMs = 0] = numbers.slice(known);
  const counts = numbers.slice(0, known);
  const transitions = numbers.slice(known + FURTHER_NUMBERS);
  const date = bytes.slice(at, at + DATE_BYTES);
  return { counts, startStopCycles, loadUnloadCycles, ageMs, transitions, date, results };
}

export class UnitLogs {
  readonly #unit: LogicalUnit;
  /** What each count was when it was set to zero; negative: it began with what was kept. */
  #bases = new Float64Array(COUNTS.length);
  readonly #bornMs = performance.now();
  /** Time it was there in earlier lives. */
  #earlierMs = 0;
  /** Accounting date (SPC-4 7.3.20). */
  #date = new Uint8Array(DATE_BYTES).fill(SPACE);
  /** Times a stopped unit was started. */
  startStopCycles = 0;
  /** Times a medium came into the drive. */
  loadUnloadCycles = 0;
  /** Times the unit entered each power condition, by its number. */
  readonly #transitions = new Float64Array(CONDITIONS);
  readonly selfTests = new SelfTestResults();

  constructor(unit: LogicalUnit) {
    this.#unit = unit;
  }

  /** Whole hours the unit was there, over all its lives. */
  get hours(): number {
    return Math.floor((this.#earlierMs + performance.now() - this.#bornMs) / MS_PER_HOUR);
  }

  count(index: number): number {
    return this.#counted(index) - (this.#bases[index] as number);
  }

  setCount(index: number, value: number): void {
    this.#bases[index] = this.#counted(index) - value;
  }

  transitionsTo(condition: Condition): number {
    return this.#transitions[condition] as number;
  }

  countTransition(condition: Condition): void {
    (this.#transitions[condition] as number) += 1;
  }

  get date(): Uint8Array {
    return this.#date;
  }

  set date(bytes: Uint8Array) {
    this.#date = bytes.slice();
  }

  get settings(): Settings {
    return { bases: this.#bases.slice(), date: this.#date.slice() };
  }

  restore({ bases, date }: Settings): void {
    this.#bases = Float64Array.from(bases);
    this.#date = date.slice();
  }

  encode(): Uint8Array {
    const results = this.selfTests.encode();
    const at = dateAt(COUNTS.length + FURTHER_NUMBERS + CONDITIONS);
    const bytes = new Uint8Array(at + DATE_BYTES + results.length);
    const view = new DataView(bytes.buffer);
    bytes[0] = LAYOUT;
    const ageMs = this.#earlierMs + performance.now() - this.#bornMs;
    const counts = COUNTS.map((_, index) => this.count(index));
    const cycles = [this.startStopCycles, this.loadUnloadCycles];
    const numbers = [...counts, ...cycles, ageMs, ...this.#transitions];
    for (const [i, value] of numbers.entries()) view.setFloat64(NUMBERS_AT + i * 8, value);
    bytes.set(this.#date, at);
    bytes.set(results, at + DATE_BYTES);
    return bytes;
  }

  /** Takes over what an earlier life had. */
  resume(kept: KeptLogs): void {
    for (const [index, value] of kept.counts.entries()) this.setCount(index, value);
    this.startStopCycles = kept.startStopCycles;
    this.loadUnloadCycles = kept.loadUnloadCycles;
    this.#earlierMs = kept.ageMs;
    this.#transitions.set(kept.transitions);
    this.date = kept.date;
    this.selfTests.resume(kept.results);
  }

  /** Makes it durable on behalf of `task`. Not without a log store. */
  save(task: Task): StoreReply {
    const { logStore, lun } = this.#unit;
    return logStore === null ? DONE : logStore.save(task, lun, this.encode());
  }

  /**
   * Saving that nobody asked for (TSD = 0), unless the Control mode page forbids it (GLTSD). What it misses is lost by a crash
   * only. `over` is called when it has been done, has failed, or need not be.
   */
  saveImplicitly(over: () => void = () => undefined): void {
    const unit = this.#unit;
    if (unit.logStore === null || unit.logSaveDisabled) {
      over();
      return;
    }
    const work = newPrivateTask();
    work.unit = unit;
    work.await(this.save(work), over);
  }

  #counted(index: number): number {
    return COUNTS[index]?.(this.#unit) ?? 0;
  }
}
