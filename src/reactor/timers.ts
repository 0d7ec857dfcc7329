/** Timers of a reactor: few, coarse, driven by its loop instead of the event loop. */

export interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

export class Timers {
  /** In order of dueMs. */
  readonly #timers: Timer[] = [];
  /** What the present `run` has left to call. */
  #due: Timer[] = [];
  readonly #nowMs: () => number;

  /** `nowMs` is a monotonic clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get count(): number {
    return this.#timers.length;
  }

  /** Calls `callback` once, `delayMs` from now or a little later. */
  after(delayMs: number, callback: () => void): Timer {
    const timer = { dueMs: this.#nowMs() + delayMs, callback };
    let at = this.#timers.length;
    while (at > 0 && (this.#timers[at - 1] as Timer).dueMs > timer.dueMs) at -= 1;
    this.#timers.splice(at, 0, timer);
    return timer;
  }

  /** The timer is not called any more, even if it is due in the `run` this is called from. */
  cancel(timer: Timer): void {
    const at = this.#timers.indexOf(timer);
    if (at >= 0) this.#timers.splice(at, 1);
    else this.#due = this.#due.filter((other) => other !== timer);
  }

  /** Milliseconds until the first timer is due, 0 when one is, -1 when there is none. */
  untilNextMs(): number {
    const first = this.#timers[0];
    return first === undefined ? -1 : Math.max(0, Math.ceil(first.dueMs - this.#nowMs()));
  }

  /** Runs what is due and returns how many ran. Timers made meanwhile wait for the next call. */
  run(): number {
    if (this.#timers.length === 0) return 0;
    const now = this.#nowMs();
    let due = 0;
    while (due < this.#timers.length && (this.#timers[due] as Timer).dueMs <= now) due += 1;
    this.#due = this.#timers.splice(0, due);
    for (let next = this.#due.shift(); next !== undefined; next = this.#due.shift())
      next.callback();
    return due;
  }
}
