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

/**
 * A fixed set of bounce buffers and a first-come queue of the tasks that wait for one (linked through `task.queued`,
 * so bounded by the task set). The index of a granted buffer is in `task.scratch`, which the holder must not reuse.
 */
export class BouncePool {
  readonly #buffers: readonly BounceBuffer[];
  readonly #free: Int32Array;
  #freeCount: number;
  #head: Task | null = null;
  #tail: Task | null = null;
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
  }

  /** Buffers nobody holds. */
  get free(): number {
    return this.#freeCount;
  }

  /** Calls `granted` when `task` holds a buffer: now, or when one comes back. */
  acquire(task: Task, granted: Continuation): void {
    if (this.#freeCount > 0 && this.#head === null) {
      this.#grant(task);
      task.await(DONE, granted);
      return;
    }
    task.await(PENDING, granted);
    task.queued = null;
    if (this.#tail === null) this.#head = task;
    else this.#tail.queued = task;
    this.#tail = task;
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
    this.#free[this.#freeCount] = index;
    this.#freeCount += 1;
    assert(this.#freeCount <= this.#buffers.length, 'a bounce buffer is released once');
    if (this.#granting) return;
    this.#granting = true;
    try {
      while (this.#head !== null && this.#freeCount > 0) this.#grantFirst(this.#head);
    } finally {
      this.#granting = false;
    }
  }

  #grantFirst(task: Task): void {
    this.#head = task.queued;
    if (this.#head === null) this.#tail = null;
    task.queued = null;
    this.#grant(task);
    task.stored(DONE);
  }

  #grant(task: Task): void {
    this.#freeCount -= 1;
    task.scratch = this.#free[this.#freeCount] as number;
  }

  #held(task: Task): BounceBuffer {
    const buffer = this.#buffers[task.scratch];
    assert(buffer !== undefined, 'a task uses the bounce buffer it holds');
    return buffer;
  }
}
