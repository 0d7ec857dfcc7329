/**
 * Power conditions of a logical unit (SPC-4 5.11, SBC-3 4.20): a disk of this target saves no power, but it can be quiet. In
 * standby everything it holds is on the medium; what a host sees and sets is as the standards have it.
 *
 *   ACTIVE --idle timer, IDLE--> IDLE_A --standby timer, STANDBY--> STANDBY_Z
 *      ^------------------- a command that needs the medium, ACTIVE ------------+
 *
 * idle_b, idle_c and standby_y do not exist here. The stopped state is another matter (`BlockDevice.stopped`).
 */
import { DONE, type StoreReply } from './contracts.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { newPrivateTask } from './private-task.ts';
import { checkFlushFault } from './sbc/store-fault.ts';
import {
  IDLE_CONDITION_ACTIVATED_BY_COMMAND,
  IDLE_CONDITION_ACTIVATED_BY_TIMER,
  STANDBY_CONDITION_ACTIVATED_BY_COMMAND,
  STANDBY_CONDITION_ACTIVATED_BY_TIMER,
} from './sense-codes.ts';

export const ACTIVE = 0;
export const IDLE_A = 1;
export const STANDBY_Z = 2;
export type Condition = typeof ACTIVE | typeof IDLE_A | typeof STANDBY_Z;

/** Fields of the Power Condition mode page (1Ah). Timers count in units of 100 ms. */
export const POWER_PAGE = 0x1a;
export const POWER_PAGE_BYTES = 40;
export const ENABLE_BYTE = 3;
export const IDLE_A_ENABLE = 0x02;
export const STANDBY_Z_ENABLE = 0x01;
export const IDLE_A_TIMER = 4;
export const STANDBY_Z_TIMER = 8;
const TIMER_UNIT_MS = 100;
/** A timer is looked at this often in its time: it may expire that much later, never earlier. */
const LOOKS = 4;
/** The longest time the event loop can wait for. */
const LONGEST_LOOK_MS = 2 ** 31 - 1;

export class PowerCondition {
  readonly #unit: LogicalUnit;
  #condition: Condition = ACTIVE;
  #byTimer = false;
  /** Milliseconds without access until a condition; infinite: its timer is disabled. */
  #idleMs = Number.POSITIVE_INFINITY;
  #standbyMs = Number.POSITIVE_INFINITY;
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
    if (this.#condition === IDLE_A) {
      return this.#byTimer
        ? IDLE_CONDITION_ACTIVATED_BY_TIMER
        : IDLE_CONDITION_ACTIVATED_BY_COMMAND;
    }
    if (this.#condition === STANDBY_Z) {
      return this.#byTimer
        ? STANDBY_CONDITION_ACTIVATED_BY_TIMER
        : STANDBY_CONDITION_ACTIVATED_BY_COMMAND;
    }
    return 0;
  }

  /** The mode page has these values now. */
  configure(page: Uint8Array): void {
    const view = new DataView(page.buffer, page.byteOffset);
    const enabled = view.getUint8(ENABLE_BYTE);
    const after = (bit: number, at: number): number =>
      (enabled & bit) === 0 ? Number.POSITIVE_INFINITY : view.getUint32(at) * TIMER_UNIT_MS;
    this.#idleMs = after(IDLE_A_ENABLE, IDLE_A_TIMER);
    this.#standbyMs = after(STANDBY_Z_ENABLE, STANDBY_Z_TIMER);
    this.#restart();
  }

  /** A command needs the medium: the unit is active. */
  wake(): void {
    this.#condition = ACTIVE;
    this.#restart();
  }

  /** START STOP UNIT chooses a condition, which timers leave alone. For STANDBY_Z the caller has flushed. */
  choose(condition: Condition): void {
    this.#condition = condition;
    this.#byTimer = false;
    this.#held = true;
    this.#stop();
  }

  /** LU_CONTROL, or a start: the timers rule again. */
  release(): void {
    this.#held = false;
    this.#restart();
  }

  /** FORCE_IDLE_0: the timer counts as expired, if it is enabled. */
  forceIdle(): void {
    if (this.#idleMs === Number.POSITIVE_INFINITY || this.#condition !== ACTIVE) return;
    this.#condition = IDLE_A;
    this.#byTimer = true;
  }

  /** FORCE_STANDBY_0. The caller has flushed. */
  forceStandby(): void {
    if (this.#standbyMs === Number.POSITIVE_INFINITY) return;
    this.#condition = STANDBY_Z;
    this.#byTimer = true;
  }

  /** Logical unit reset: active, and the timers rule. */
  reset(): void {
    this.#condition = ACTIVE;
    this.release();
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
    const first = Math.min(this.#idleMs, this.#standbyMs);
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

  #look(): void {
    const unit = this.#unit;
    if (unit.target.unit(unit.lun) !== unit) return;
    const { accesses } = unit.counters;
    const busy = accesses !== this.#accesses || unit.taskSet.count > 0;
    this.#quietMs = busy ? 0 : this.#quietMs + this.#lookMs;
    this.#accesses = accesses;
    if (this.#quietMs >= this.#idleMs) this.forceIdle();
    if (this.#quietMs >= this.#standbyMs) this.#standBy();
    else if (this.#condition === ACTIVE || this.#standbyMs !== Number.POSITIVE_INFINITY)
      this.#wait();
  }

  /** What is in the volatile cache goes to the medium first; when that fails there is no standby, and who wrote is told. */
  #standBy(): void {
    const unit = this.#unit;
    if (this.#flushing || unit.block === null || unit.standby || unit.operation !== null) return;
    if (unit.medium?.loaded === false) return;
    this.#flushing = true;
    const work = newPrivateTask();
    work.unit = unit;
    const { accesses } = unit.counters;
    const flushed = (_: unknown, reply: StoreReply): void => {
      this.#flushing = false;
      if (reply !== DONE) checkFlushFault(work, reply);
      else if (unit.counters.accesses === accesses && unit.taskSet.count === 0) this.forceStandby();
      else this.#restart();
      for (const quiet of this.#awaiting.splice(0)) quiet();
    };
    work.await(unit.block.store.flush(work), flushed);
  }
}
