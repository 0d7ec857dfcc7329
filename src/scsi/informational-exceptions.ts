/**
 * Informational exceptions (SPC-4 5.6, mode page 1Ch): what a host wants to hear before something breaks. Here that is a
 * self-test in background mode that failed (a warning, EWASC = 1), and what TEST = 1 pretends.
 */
import type { LogicalUnit } from './logical-unit.ts';
import { MAX_NEXUSES } from './nexus.ts';
import { GOOD } from './sam.ts';
import { ascOf, ascqOf, NO_SENSE, packSense, RECOVERED_ERROR, UNIT_ATTENTION } from './sense.ts';
import {
  FAILURE_PREDICTION_THRESHOLD_EXCEEDED_FALSE,
  WARNING_BACKGROUND_SELF_TEST_FAILED,
} from './sense-codes.ts';
import type { Task } from './task.ts';

/** Fields of the Informational Exceptions Control mode page (SPC-4 7.5.11). Times count in units of 100 ms. */
export const EXCEPTIONS_PAGE = 0x1c;
export const EXCEPTIONS_PAGE_BYTES = 12;
export const FLAGS_BYTE = 2;
export const EWASC = 0x10;
export const DEXCPT = 0x08;
export const TEST = 0x04;
export const MRIE_BYTE = 3;
export const MRIE = 0x0f;
export const INTERVAL_TIMER = 4;
export const REPORT_COUNT = 8;
const TIMER_UNIT_MS = 100;
/** INTERVAL TIMER values that mean a time of the device's choice: once is enough. */
const NO_INTERVAL = new Set([0, 0xff_ff_ff_ff]);
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/**
 * Methods of reporting (SPC-4 table 402): never; as unit attention; with a command that has done its work, as recovered error if PER
 * allows it, as recovered error, as no sense; in REQUEST SENSE. Method 1h is obsolete.
 */
const NOT_REPORTED = 0x0;
const AS_ATTENTION = 0x2;
const AS_RECOVERED_IF_ALLOWED = 0x3;
const AS_RECOVERED = 0x4;
const AS_NO_SENSE = 0x5;
const ON_REQUEST = 0x6;
/** Sense key by method, of those that need a command. */
const WITH_COMMAND: ReadonlyMap<number, number> = new Map([
  [AS_RECOVERED_IF_ALLOWED, RECOVERED_ERROR],
  [AS_RECOVERED, RECOVERED_ERROR],
  [AS_NO_SENSE, NO_SENSE],
]);
const METHODS = new Set([NOT_REPORTED, AS_ATTENTION, ...WITH_COMMAND.keys(), ON_REQUEST]);

/** Offset of the first byte of the page with values that are not possible, or -1. */
export function impossibleIn(page: Uint8Array): number {
  const flags = page[FLAGS_BYTE] as number;
  if ((flags & TEST) !== 0 && (flags & DEXCPT) !== 0) return FLAGS_BYTE;
  return METHODS.has((page[MRIE_BYTE] as number) & MRIE) ? -1 : MRIE_BYTE;
}

export class InformationalExceptions {
  readonly #unit: LogicalUnit;
  #page = new Uint8Array(EXCEPTIONS_PAGE_BYTES);
  #selfTestFailed = false;
  /** The exception that is there, packed without a sense key; 0: none. */
  #condition = 0;
  #method = NOT_REPORTED;
  #intervalMs = 0;
  /** Reports that are left; infinite: no limit. */
  #left = 0;
  #timer: object | null = null;
  /** A report waits for a command that can carry it: every one that ends is shown to `tell`. */
  waiting = false;

  constructor(unit: LogicalUnit) {
    this.#unit = unit;
  }

  /** Additional sense code of the exception that is there (Informational Exceptions log page); 0: none. */
  get code(): number {
    return ascOf(this.#condition);
  }
  get qualifier(): number {
    return ascqOf(this.#condition);
  }

  /** What REQUEST SENSE says when nothing else is to be said (MRIE 6h), or 0. */
  get sense(): number {
    return this.#method === ON_REQUEST ? this.#as(NO_SENSE) : 0;
  }

  /** The mode page has these values now. The same ones again are no news. */
  configure(page: Uint8Array): void {
    if (page.every((byte, at) => byte === this.#page[at])) return;
    this.#page = page.slice();
    this.#decide();
  }

  /** A self-test in background mode has run to its end. */
  selfTestEnded(failed: boolean): void {
    if (failed === this.#selfTestFailed) return;
    this.#selfTestFailed = failed;
    this.#decide();
  }

  #decide(): void {
    const view = new DataView(this.#page.buffer);
    const flags = view.getUint8(FLAGS_BYTE);
    const interval = view.getUint32(INTERVAL_TIMER);
    const count = view.getUint32(REPORT_COUNT);
    this.#method = view.getUint8(MRIE_BYTE) & MRIE;
    this.#condition = this.#present(flags);
    this.#intervalMs = NO_INTERVAL.has(interval) ? 0 : interval * TIMER_UNIT_MS;
    this.#left = count === 0 ? Number.POSITIVE_INFINITY : count;
    if (this.#timer !== null) this.#unit.target.timers.cancel(this.#timer);
    this.#timer = null;
    this.waiting = false;
    // Not with the command that has brought it about, which is a MODE SELECT perhaps.
    if (this.#condition !== 0 && WITH_COMMAND.has(this.#method)) this.#wait(0);
    else this.#report();
  }

  /**
   * A command is about to be answered. If it has done what it was asked for it ends with CHECK CONDITION now, and the exception. Not
   * one that reports no unit attention either, and not one of the copy manager, who has nobody to tell.
   */
  tell(task: Task): void {
    const { row, nexus } = task;
    const key = WITH_COMMAND.get(this.#method);
    if (key === undefined || task.status !== GOOD || task.aborting) return;
    if (row?.attention !== 'report' || nexus === null || nexus.index >= MAX_NEXUSES) return;
    if (this.#method === AS_RECOVERED_IF_ALLOWED && !this.#unit.reportsRecoveredErrors) return;
    this.waiting = false;
    this.#left -= 1;
    task.check(this.#as(key));
    if (this.#intervalMs > 0 && this.#left > 0) this.#wait(this.#intervalMs);
  }

  #present(flags: number): number {
    if ((flags & DEXCPT) !== 0) return 0;
    if ((flags & TEST) !== 0) return FAILURE_PREDICTION_THRESHOLD_EXCEEDED_FALSE;
    return this.#selfTestFailed && (flags & EWASC) !== 0 ? WARNING_BACKGROUND_SELF_TEST_FAILED : 0;
  }

  #as(key: number): number {
    if (this.#condition === 0) return 0;
    return packSense(key, ascOf(this.#condition), ascqOf(this.#condition));
  }

  #report(): void {
    const unit = this.#unit;
    if (this.#condition === 0 || this.#left <= 0) return;
    this.waiting = WITH_COMMAND.has(this.#method);
    if (this.#method !== AS_ATTENTION) return;
    this.#left -= 1;
    unit.attentionForAll(this.#as(UNIT_ATTENTION));
    if (this.#intervalMs === 0 || this.#left <= 0) return;
    this.#wait(this.#intervalMs);
  }

  /** An interval may be longer than a timer can be. */
  #wait(ms: number): void {
    const part = Math.min(ms, LONGEST_WAIT_MS);
    this.#timer = this.#unit.target.timers.after(part, () => {
      this.#timer = null;
      const { target, lun } = this.#unit;
      if (target.unit(lun) !== this.#unit) return;
      if (ms > part) this.#wait(ms - part);
      else this.#report();
    });
  }
}
