/** What every store of this folder offers beyond the contract of the core: growth, counters, an end. */
import type { BlockStore, StoreReply } from '../../scsi/contracts.ts';
import type { Segments } from '../../scsi/segments.ts';
import type { Task } from '../../scsi/task.ts';

/** Requests a store has done. Sums live in one typed array: counting allocates nothing, however large they get. */
export class StoreCounters {
  readonly #sums = new Float64Array(6);

  get reads(): number {
    return this.#sums[0] as number;
  }
  get bytesRead(): number {
    return this.#sums[1] as number;
  }
  /** Writes, and zeroes written. */
  get writes(): number {
    return this.#sums[2] as number;
  }
  get bytesWritten(): number {
    return this.#sums[3] as number;
  }
  get flushes(): number {
    return this.#sums[4] as number;
  }
  get discards(): number {
    return this.#sums[5] as number;
  }

  countRead(bytes: number): void {
    (this.#sums[0] as number) += 1;
    (this.#sums[1] as number) += bytes;
  }

  countWrite(bytes: number): void {
    (this.#sums[2] as number) += 1;
    (this.#sums[3] as number) += bytes;
  }

  countFlush(): void {
    (this.#sums[4] as number) += 1;
  }

  countDiscard(): void {
    (this.#sums[5] as number) += 1;
  }
}

export interface DiskStore extends BlockStore {
  readonly counters: StoreCounters;
  /** A new turn of the reactor: what was found out about the backing before may have changed. */
  turn(): void;
  /** `read` that is never PENDING: it blocks until it has ended. */
  readNow(task: Task, position: number, length: number, into: Segments): StoreReply;
  /** Takes over a larger capacity in bytes. What is behind the store has been extended already, where it is a file. */
  grow(bytes: number): void;
  /** What `flush` does, outside any task: for an orderly end. Blocks. DONE or a fault. */
  syncNow(): StoreReply;
  /** Closes the descriptor. No request may be outstanding. */
  close(): void;
}
