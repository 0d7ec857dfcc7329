/** A block store for specs that is as large as it likes and remembers only what was written, and in which order. */
import { strict as assert } from 'node:assert';
import {
  type AllocationRun,
  type BlockStore,
  DATA,
  DONE,
  MEDIUM_WRITE,
  type StoreReply,
} from '../../src/scsi/contracts.ts';
import type { Segments } from '../../src/scsi/segments.ts';
import type { Task } from '../../src/scsi/task.ts';

const PAGE_BYTES = 64 * 1024;

/** Pages of bytes; what is not there is zeros. */
export class SparseBytes {
  readonly #pages = new Map<number, Uint8Array>();

  get(position: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#each(position, length, (page, from, count, done) => {
      const there = this.#pages.get(page);
      if (there !== undefined) bytes.set(there.subarray(from, from + count), done);
    });
    return bytes;
  }

  set(position: number, bytes: Uint8Array): void {
    this.#each(position, bytes.length, (page, from, count, done) => {
      this.#page(page).set(bytes.subarray(done, done + count), from);
    });
  }

  setFrom(position: number, segments: Segments, length: number): void {
    this.#each(position, length, (page, from, count, done) => {
      segments.get(done, this.#page(page), from, count);
    });
  }

  /** Everything that was ever written, page by page. */
  *pages(): Generator<readonly [position: number, bytes: Uint8Array]> {
    for (const [page, bytes] of this.#pages) yield [page * PAGE_BYTES, bytes];
  }

  #page(page: number): Uint8Array {
    const there = this.#pages.get(page) ?? new Uint8Array(PAGE_BYTES);
    this.#pages.set(page, there);
    return there;
  }

  zero(position: number, length: number): void {
    const end = position + length;
    for (const [page, bytes] of this.#pages) {
      const first = page * PAGE_BYTES;
      if (first >= position && first + PAGE_BYTES <= end) this.#pages.delete(page);
      else if (first < end && first + PAGE_BYTES > position) {
        bytes.fill(0, Math.max(0, position - first), Math.min(PAGE_BYTES, end - first));
      }
    }
  }

  #each(
    position: number,
    length: number,
    visit: (page: number, from: number, count: number, done: number) => void,
  ): void {
    for (let done = 0; done < length; ) {
      const at = position + done;
      const from = at % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - from, length - done);
      visit(Math.floor(at / PAGE_BYTES), from, count, done);
      done += count;
    }
  }
}

interface Change {
  readonly kind: 'write' | 'flush' | 'discard';
  readonly position: number;
  readonly length: number;
  readonly bytes: Uint8Array | null;
  readonly durable: boolean;
}

export class SparseStore implements BlockStore {
  readonly bytes: number;
  readonly readOnly = false;
  readonly canDiscard = true;
  readonly canReserve = false;
  readonly discardBytes = 4096;
  readonly volatileCache = true;
  readonly atomicBytes = 0;
  readonly key = null;
  readonly memory = new SparseBytes();
  /** All that was done to it, when `records`. */
  readonly changes: Change[] = [];
  readonly records: boolean;
  #first: Uint8Array = new Uint8Array(0);
  /** Writes and flushes fail from now on. */
  failing = false;

  constructor(bytes: number, records = false) {
    this.bytes = bytes;
    this.records = records;
  }

  /** What lies in it at first, for good. */
  begin(bytes: Uint8Array): void {
    this.memory.set(0, bytes);
    this.#first = bytes;
  }

  read(_task: Task, position: number, length: number, into: Segments): StoreReply {
    this.#check(position, length);
    into.put(0, this.memory.get(position, length), 0, length);
    return DONE;
  }

  write(
    task: Task,
    position: number,
    length: number,
    from: Segments,
    durable: boolean,
  ): StoreReply {
    this.#check(position, length);
    if (this.failing) return fail(task);
    this.memory.setFrom(position, from, length);
    if (this.records) {
      const bytes = this.memory.get(position, length);
      this.changes.push({ kind: 'write', position, length, bytes, durable });
    }
    return DONE;
  }

  writeAtomic(task: Task, position: number, length: number, from: Segments): StoreReply {
    return this.write(task, position, length, from, true);
  }

  flush(task: Task): StoreReply {
    if (this.failing) return fail(task);
    this.#record({ kind: 'flush', position: 0, length: 0, bytes: null, durable: true });
    return DONE;
  }

  discard(_task: Task, position: number, length: number): StoreReply {
    this.#check(position, length);
    this.memory.zero(position, length);
    this.#record({ kind: 'discard', position, length, bytes: null, durable: false });
    return DONE;
  }

  writeZeroes(task: Task, position: number, length: number, _durable: boolean): StoreReply {
    return this.discard(task, position, length);
  }

  allocation(): AllocationRun {
    return { state: DATA, end: this.bytes };
  }

  cancel(): void {
    // Every request has ended when it returns.
  }

  /**
   * What a power cut in the last of the first `count` changes leaves: of what was not flushed by then each change as `survives` says, and
   * the very last one torn in the middle.
   */
  cutAfter(count: number, survives: () => boolean): SparseBytes {
    const left = new SparseBytes();
    left.set(0, this.#first);
    const done = this.changes.slice(0, count);
    const flushed = done.findLastIndex(({ kind }) => kind === 'flush');
    for (const [i, { kind, position, length, bytes, durable }] of done.entries()) {
      const certain = i < flushed || (durable && i < count - 1);
      if (kind === 'flush' || (!certain && !survives())) continue;
      if (kind === 'discard') left.zero(position, length);
      else if (bytes !== null) {
        const whole = certain || i < count - 1;
        left.set(position, whole ? bytes : bytes.subarray(0, length >> 1));
      }
    }
    return left;
  }

  #check(position: number, length: number): void {
    assert(position >= 0 && position + length <= this.bytes, 'a request stays inside the store');
  }

  #record(change: Change): void {
    if (this.records) this.changes.push(change);
  }
}

function fail(task: Task): StoreReply {
  task.storedBytes = 0;
  return MEDIUM_WRITE;
}
