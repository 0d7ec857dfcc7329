/** Time that reading and writing take at the speed that was chosen (option `paced`): what a disc does not need that is a file. */
import { DONE, PENDING } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import type { Task } from '../task.ts';

/** Bytes of a buffer that takes what is written while the disc is not as fast. */
export const BUFFER_BYTES: number = 2 * 1024 * 1024;

/** Most milliseconds that an abort waits for a command that waits. */
export const SLICE_MS = 50;

/** A disc under a laser that does one thing after the other. Speeds are kB/s, which are bytes in a millisecond. */
export class Pace {
  readonly #now: () => number;
  /** When it will have done what it was given, in milliseconds. */
  #idleAt = Number.NEGATIVE_INFINITY;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  #give(bytes: number, speed: number): void {
    if (speed > 0) this.#idleAt = Math.max(this.#now(), this.#idleAt) + bytes / speed;
  }

  /** Goes on with a task when `bytes` will have been read, or soon after it is aborted. */
  read(task: Task, bytes: number, speed: number, go: (task: Task) => void): void {
    this.#give(bytes, speed);
    this.#hold(task, this.#idleAt, go);
  }

  /** Goes on when the buffer has room for the last of `bytes`, which are written from it. */
  write(task: Task, bytes: number, speed: number, go: (task: Task) => void): void {
    this.#give(bytes, speed);
    this.#hold(task, speed > 0 ? this.#idleAt - BUFFER_BYTES / speed : 0, go);
  }

  #hold(task: Task, untilMs: number, go: (task: Task) => void): void {
    const leftMs = untilMs - this.#now();
    if (!(leftMs > 0) || task.aborting) {
      go(task);
      return;
    }
    task.await(PENDING, () => this.#hold(task, untilMs, go));
    unitOf(task).target.timers.after(Math.min(leftMs, SLICE_MS), () => task.stored(DONE));
  }

  /** Milliseconds until all is done that it was given. */
  get leftMs(): number {
    return Math.max(0, this.#idleAt - this.#now());
  }

  /** Bytes that wait in the buffer. */
  buffered(speed: number): number {
    return Math.min(BUFFER_BYTES, Math.ceil(this.leftMs * speed));
  }

  /** Nothing is to be done: another disc is there. */
  reset(): void {
    this.#idleAt = Number.NEGATIVE_INFINITY;
  }
}
