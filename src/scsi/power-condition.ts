/**
 * Power conditions of a logical unit (SPC-4 5.11, SBC-3 4.20): a disk of this target saves no power, but it can be quiet. In the
 * standby conditions everything it holds is on the medium; what a host sees and sets is as the standards have it.
 *
 *   ACTIVE ---> IDLE_A ---> IDLE_B ---> IDLE_C ---> STANDBY_Y ---> STANDBY_Z
 *      ^        a timer, or a command, takes it to any condition further right        |
 *      +------------------- a command that needs the medium, ACTIVE ------------------+
 *
 * The stopped state is another matter (`BlockDevice.stopped`).
 */
import { DONE, type StoreReply } from './contracts.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { newPrivateTask } from './private-task.ts';
import { checkFlushFault } from './sbc/store-fault.ts';
import {
  IDLE_B_CONDITION_ACTIVATED_BY_COMMAND,
  IDLE_B_CONDITION_ACTIVATED_BY_TIMER,
  IDLE_C_CONDITION_ACTIVATED_BY_COMMAND,
  IDLE_C_CONDITION_ACTIVATED_BY_TIMER,
  IDLE_CONDITION_ACTIVATED_BY_COMMAND,
  IDLE_CONDITION_ACTIVATED_BY_TIMER,
  STANDBY_CONDITION_ACTIVATED_BY_COMMAND,
  STANDBY_CONDITION_ACTIVATED_BY_TIMER,
  STANDBY_Y_CONDITION_ACTIVATED_BY_COMMAND,
  STANDBY_Y_CONDITION_ACTIVATED_BY_TIMER,
} from './sense-codes.ts';

/** In the order in which they get quieter. */
export const ACTIVE = 0;
export const IDLE_A = 1;
export const IDLE_B = 2;
export const IDLE_C = 3;
export const STANDBY_Y = 4;
export const STANDBY_Z = 5;
export type Condition =
  | typeof ACTIVE
  | typeof IDLE_A
  | typeof IDLE_B
  | typeof IDLE_C
  | typeof STANDBY_Y
  | typeof STANDBY_Z;

/** What a condition is in the Power Condition mode page (1Ah), and what REQUEST SENSE says of it. */
interface QuietCondition {
  readonly condition: Condition;
  readonly enableByte: number;
  readonly enable: number;
  /** Offset of its timer, which counts in units of 100 ms. */
  readonly timer: number;
  readonly byTimer: number;
  readonly byCommand: number;
}

export const POWER_PAGE = 0x1a;
export const POWER_PAGE_BYTES = 40;
export const QUIET_CONDITIONS: readonly QuietCondition[] = [
  {
    condition: IDLE_A,
    enableByte: 3,
    enable: 0x02,
    timer: 4,
    byTimer: IDLE_CONDITION_ACTIVATED_BY_TIMER,
    byCommand: IDLE_CONDITION_ACTIVATED_BY_COMMAND,
  },
  {
    condition: IDLE_B,
    enableByte: 3,
    enable: 0x04,
    timer: 12,
    byTimer: IDLE_B_CONDITION_ACTIVATED_BY_TIMER,
    byCommand: IDLE_B_CONDITION_ACTIVATED_BY_COMMAND,
  },
  {
    condition: IDLE_C,
    enableByte: 3,
    enable: 0x08,
    timer: 16,
    byTimer: IDLE_C_CONDITION_ACTIVATED_BY_TIMER,
    byCommand: IDLE_C_CONDITION_ACTIVATED_BY_COMMAND,
  },
  {
    condition: STANDBY_Y,
    enableByte: 2,
    enable: 0x01,
    timer: 20,
    byTimer: STANDBY_Y_CONDITION_ACTIVATED_BY_TIMER,
    byCommand: STANDBY_Y_CONDITION_ACTIVATED_BY_COMMAND,
  },
  {
    condition: STANDBY_Z,
    enableByte: 3,
    enable: 0x01,
    timer: 8,
    byTimer: STANDBY_CONDITION_ACTIVATED_BY_TIMER,
    byCommand: STANDBY_CONDITION_ACTIVATED_BY_COMMAND,
  },
];
/** ACTIVE and the quiet ones. */
export const CONDITIONS: number = QUIET_CONDITIONS.length + 1;
const TIMER_UNIT_MS = 100;
/** A timer is looked at this often in its time: it may expire that much later, never earlier. */
const LOOKS = 4;
/** The longest time the event loop can wait for. */
const LONGEST_LOOK_MS = 2 ** 31 - 1;

export class PowerCondition {
  readonly #unit: LogicalUnit;
  #condition: Condition = ACTIVE;
  #byTimer = false;
  /** Milliseconds without access until each condition; infinite: its timer is disabled. */
  readonly #afterMs = new Float64Array(CONDITIONS).fill(Number.POSITIVE_INFINITY);
  /** A START STOP UNIT has chosen the condition: timers do nothing until they are given control. */
  #held = false;
  #timer: object | null = null;
  #lookMs = 0;
  #quietMs = 0;
  #accesses = 0;
  #flushing = false;
  /** Who waits until no flush is under way. */
  readonly #awaiting: (() => void)[] = [];

  constructor(unit: LogicalUnit) {
    this.#unit = unit;
  }

  get condition(): Condition {
    return this.#condition;
  }

  /** What REQUEST SENSE says, or 0 when it is active. */
  get sense(): number {
    const quiet = QUIET_CONDITIONS.find(({ condition }) => condition === this.#condition);
    if (quiet === undefined) return 0;
    return this.#byTimer ? quiet.byTimer : quiet.byCommand;
  }

  /** The mode page has these values now. */
  configure(page: Uint8Array): void {
    const view = new DataView(page.buffer, page.byteOffset);
    for (const { condition, enableByte, enable, timer } of QUIET_CONDITIONS) {
      const enabled = (view.getUint8(enableByte) & enable) !== 0;
      // The page of some devices ends before the timers of conditions that they do not have.
      const afterMs = enabled ? view.getUint32(timer) * TIMER_UNIT_MS : 0;
      this.#afterMs[condition] = enabled ? afterMs : Number.POSITIVE_INFINITY;
    }
    this.#restart();
  }

  /** A command needs the medium: the unit is active. */
  wake(): void {
    this.#enter(ACTIVE, false);
    this.#restart();
  }

  /** START STOP UNIT chooses a condition, which timers leave alone. For a standby condition the caller has flushed. */
  choose(condition: Condition): void {
    this.#enter(condition, false);
    this.#held = true;
    this.#stop();
  }

  /** LU_CONTROL, or a start: the timers rule again. */
  release(): void {
    this.#held = false;
    this.#restart();
  }

  /**
   * FORCE_IDLE_0, FORCE_STANDBY_0: the timer of the condition counts as expired, if it is enabled. For a standby condition the
   * caller has flushed.
   */
  force(condition: Condition): void {
    if (this.#afterMs[condition] === Number.POSITIVE_INFINITY || condition <= this.#condition)
      return;
    this.#enter(condition, true);
  }

  /** Logical unit reset: active, and the timers rule. */
  reset(): void {
    this.#enter(ACTIVE, false);
    this.release();
  }

  #enter(condition: Condition, byTimer: boolean): void {
    if (condition !== this.#condition) this.#unit.logs.countTransition(condition);
    this.#condition = condition;
    this.#byTimer = byTimer;
  }

  /** Calls `quiet` when no flush of its own is under way. */
  whenQuiet(quiet: () => void): void {
    if (this.#flushing) this.#awaiting.push(quiet);
    else quiet();
  }

  #stop(): void {
    if (this.#timer !== null) this.#unit.target.timers.cancel(this.#timer);
    this.#timer = null;
  }

  #restart(): void {
    this.#stop();
    const first = Math.min(...this.#afterMs);
    if (this.#held || first === Number.POSITIVE_INFINITY) return;
    this.#lookMs = Math.min(Math.max(TIMER_UNIT_MS, Math.ceil(first / LOOKS)), LONGEST_LOOK_MS);
    this.#quietMs = 0;
    this.#accesses = this.#unit.counters.accesses;
    this.#wait();
  }

  #wait(): void {
    this.#timer = this.#unit.target.timers.after(this.#lookMs, () => {
      this.#timer = null;
      this.#look();
    });
  }

  /** Waits on if there is a timer that leads further. */
  #waitOn(): void {
    const further = this.#afterMs.subarray(this.#condition + 1);
    if (further.some((afterMs) => afterMs !== Number.POSITIVE_INFINITY)) this.#wait();
  }

  /** The quietest condition whose timer has expired. */
  #due(): Condition {
    const expired = QUIET_CONDITIONS.filter(({ condition }) => this.#hasExpired(condition));
    return expired.at(-1)?.condition ?? ACTIVE;
  }

  #hasExpired(condition: Condition): boolean {
    return this.#quietMs >= (this.#afterMs[condition] as number);
  }

  #look(): void {
    const unit = this.#unit;
    if (unit.target.unit(unit.lun) !== unit) return;
    const { accesses } = unit.counters;
    const busy = accesses !== this.#accesses || unit.taskSet.count > 0;
    this.#quietMs = busy ? 0 : this.#quietMs + this.#lookMs;
    this.#accesses = accesses;
    const due = this.#due();
    if (due >= STANDBY_Y && due > this.#condition) {
      this.#standBy(due);
      return;
    }
    if (due > this.#condition) this.#enter(due, true);
    this.#waitOn();
  }

  /** What is in the volatile cache goes to the medium first; when that fails there is no standby, and who wrote is told. */
  #standBy(condition: Condition): void {
    const unit = this.#unit;
    if (this.#flushing || unit.block === null || unit.standby || unit.operation !== null) return;
    if (unit.medium?.loaded === false) return;
    this.#flushing = true;
    const work = newPrivateTask();
    work.unit = unit;
    const { accesses } = unit.counters;
    const flushed = (_: unknown, reply: StoreReply): void => {
      this.#flushing = false;
      const quiet = unit.counters.accesses === accesses && unit.taskSet.count === 0;
      if (reply !== DONE) checkFlushFault(work, reply);
      else if (quiet && !this.#held && this.#hasExpired(condition)) {
        this.#enter(condition, true);
        this.#waitOn();
      } else this.#restart();
      for (const quietened of this.#awaiting.splice(0)) quietened();
    };
    work.await(unit.block.store.flush(work), flushed);
  }
}
