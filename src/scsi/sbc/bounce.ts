/** Bounce buffers: private memory for commands whose medium data does not go to or come from the initiator as it is. */
import { assert } from '../../assert.ts';
import { DONE, PENDING } from '../contracts.ts';
import type { Segments } from '../segments.ts';
import type { Continuation, Task } from '../task.ts';

/** Bytes of one bounce buffer: a multiple of every logical block length. */
export const BOUNCE_BYTES = 64 * 1024;

/** One buffer: what JavaScript sees, and the same bytes as one segment a store can read into and write from. */
export interface BounceBuffer {
  readonly segments: Segments;
  readonly bytes: Uint8Array;
}

/** Tasks that wait for a buffer, first come first, linked through `task.queued`. */
class Waiting {
  head: Task | null = null;
  #tail: Task | null = null;

  push(task: Task): void {
    task.queued = null;
    if (this.#tail === null) this.head = task;
    else this.#tail.queued = task;
    this.#tail = task;
  }

  shift(task: Task): void {
    this.head = task.queued;
    if (this.head === null) this.#tail = null;
    task.queued = null;
  }
}

/**
 * A fixed set of bounce buffers and the tasks that wait for one (bounded by the task set). The index of a granted buffer is in
 * `task.scratch`, which the holder must not reuse.
 */
export class BouncePool {
  readonly #buffers: readonly BounceBuffer[];
  readonly #free: Int32Array;
  /** By index: who has it. */
  readonly #holders: (Task | null)[];
  #freeCount: number;
  readonly #waiting = new Waiting();
  /** Tasks that may not have all buffers together. */
  readonly #modest = new Waiting();
  /** By index: one of those has it. */
  readonly #isLent: Uint8Array;
  #lent = 0;
  /** Both kinds wait: they take turns. */
  #modestNext = false;
  #granting = false;

  constructor(buffers: readonly BounceBuffer[]) {
    assert(buffers.length > 0, 'a bounce pool has a buffer');
    for (const { segments, bytes } of buffers) {
      assert(
        bytes.length === BOUNCE_BYTES && segments.bytes === BOUNCE_BYTES && segments.count === 1,
        'a bounce buffer is one segment of BOUNCE_BYTES',
      );
    }
    this.#buffers = buffers;
    this.#free = Int32Array.from(buffers.keys());
    this.#freeCount = buffers.length;
    this.#holders = buffers.map(() => null);
    this.#isLent = new Uint8Array(buffers.length);
  }

  /** Buffers nobody holds. */
  get free(): number {
    return this.#freeCount;
  }

  /** Calls `granted` when `task` holds a buffer: now, or when one comes back. */
  acquire(task: Task, granted: Continuation): void {
    if (this.#freeCount > 0 && this.#waiting.head === null) {
      this.#grant(task);
      task.await(DONE, granted);
      return;
    }
    task.await(PENDING, granted);
    this.#waiting.push(task);
  }

  /**
   * The same for a task that sends commands while it holds its buffer. They may need buffers themselves, or wait for commands
   * that do: all such tasks together leave one. (A pool of one has no other, and no such commands.)
   */
  acquireSpare(task: Task, granted: Continuation): void {
    const isFirst = this.#waiting.head === null && this.#modest.head === null;
    if (this.#freeCount > 0 && isFirst && this.#mayLend) {
      this.#lend(task);
      task.await(DONE, granted);
      return;
    }
    task.await(PENDING, granted);
    this.#modest.push(task);
  }

  get #mayLend(): boolean {
    return this.#lent < Math.max(1, this.#buffers.length - 1);
  }

  /** Index of the buffer that `task` holds, whatever its `scratch` says; -1: none. */
  heldBy(task: Task): number {
    return this.#holders.indexOf(task);
  }

  /** The bytes of the buffer that `task` holds. */
  bytesOf(task: Task): Uint8Array {
    return this.#held(task).bytes;
  }

  /** The same bytes for a store. */
  segmentsOf(task: Task): Segments {
    return this.#held(task).segments;
  }

  /**
   * Gives buffer `index` back and lets waiting tasks have it. Call it with the saved `task.scratch` after the task has
   * finished: a waiter may run to its end inside this call.
   */
  release(index: number): void {
    this.#lent -= this.#isLent[index] as number;
    this.#isLent[index] = 0;
    this.#holders[index] = null;
    this.#free[this.#freeCount] = index;
    this.#freeCount += 1;
    assert(this.#freeCount <= this.#buffers.length, 'a bounce buffer is released once');
    if (this.#granting) return;
    this.#granting = true;
    try {
      while (this.#freeCount > 0 && this.#grantNext());
    } finally {
      this.#granting = false;
    }
  }

  #grantNext(): boolean {
    const { head } = this.#waiting;
    const modest = this.#mayLend ? this.#modest.head : null;
    if (modest !== null && (head === null || this.#modestNext)) {
      this.#modestNext = false;
      this.#modest.shift(modest);
      this.#lend(modest);
      modest.stored(DONE);
      return true;
    }
    if (head === null) return false;
    this.#modestNext = true;
    this.#waiting.shift(head);
    this.#grant(head);
    head.stored(DONE);
    return true;
  }

  #lend(task: Task): void {
    this.#grant(task);
    this.#isLent[task.scratch] = 1;
    this.#lent += 1;
  }

  #grant(task: Task): void {
    this.#freeCount -= 1;
    const index = this.#free[this.#freeCount] as number;
    this.#holders[index] = task;
    task.scratch = index;
  }

  #held(task: Task): BounceBuffer {
    const buffer = this.#buffers[task.scratch];
    assert(buffer !== undefined, 'a task uses the bounce buffer it holds');
    return buffer;
  }
}
