/** A store over another one that holds only encrypted blocks, so that replacing the key erases all of it at once. */
import { assert } from '../../assert.ts';
import { type Mapping, mapAnonymous } from '../../libc.ts';
import {
  type AllocationRun,
  DONE,
  type EncryptionKey,
  MEDIUM_WRITE,
  PENDING,
  type StoreReply,
} from '../../scsi/contracts.ts';
import { newPrivateTask } from '../../scsi/private-task.ts';
import { Segments } from '../../scsi/segments.ts';
import type { Task } from '../../scsi/task.ts';
import type { DiskStore, StoreCounters } from './disk-store.ts';
import type { MediumKey } from './medium-key.ts';

/** Reads under way at once, and bytes that are read or written in one piece. */
const LANES = 4;
const LANE_BYTES = 256 * 1024;
const IOVEC_PAGE_BYTES = 4096;

/** Private memory: what is encrypted never lies where an initiator reaches it. */
interface Lane {
  readonly work: Task;
  readonly bytes: Uint8Array;
  readonly segments: Segments;
}

/** A read that the inner store may make wait. */
interface Read {
  readonly task: Task;
  readonly position: number;
  readonly length: number;
  readonly into: Segments;
  /** Bytes that are done. */
  done: number;
}

/** Memory of stores that were closed, for the next ones: it is mapped for good. */
const spare: Mapping[] = [];

function openLanes(memory: Mapping): Lane[] {
  const view = new Uint8Array(memory.buffer);
  return Array.from({ length: LANES + 1 }, (_, i) => {
    const iovecAt = i * Segments.iovecBytes(1);
    const words = new Uint32Array(memory.buffer, iovecAt, Segments.iovecBytes(1) / 4);
    const segments = new Segments({ words, address: memory.address + iovecAt });
    const at = IOVEC_PAGE_BYTES + i * LANE_BYTES;
    segments.append({ view, address: memory.address }, at, LANE_BYTES);
    const bytes = view.subarray(at, at + LANE_BYTES);
    return { work: newPrivateTask(), bytes, segments };
  });
}

/**
 * Blocks that were never written, or given back, are holes of the inner store: they read as whatever zeros decrypt to.
 * Owns the inner store and the key.
 */
export class EncryptedStore implements DiskStore {
  readonly key: EncryptionKey;
  /** Zeros are written as what they encrypt to: space is kept for them, but as for any other data. */
  readonly canReserve = false;
  readonly atomicBytes: number;
  readonly #inner: DiskStore;
  readonly #key: MediumKey;
  readonly #blockBytes: number;
  readonly #memory: Mapping;
  readonly #free: Lane[];
  /** For what is done inside one call. */
  readonly #now: Lane;
  readonly #waiting: Read[] = [];

  constructor(inner: DiskStore, key: MediumKey, blockBytes: number) {
    this.#inner = inner;
    this.#key = key;
    this.#blockBytes = blockBytes;
    this.atomicBytes = Math.min(inner.atomicBytes, LANE_BYTES);
    this.#memory = spare.pop() ?? mapAnonymous(IOVEC_PAGE_BYTES + (LANES + 1) * LANE_BYTES);
    const [now, ...free] = openLanes(this.#memory);
    assert(now !== undefined, 'a lane that never waits');
    this.#now = now;
    this.#free = free;
    this.key = { erase: () => this.#erase() };
  }

  get bytes(): number {
    return this.#inner.bytes;
  }
  get readOnly(): boolean {
    return this.#inner.readOnly;
  }
  get canDiscard(): boolean {
    return this.#inner.canDiscard;
  }
  get discardBytes(): number {
    return this.#inner.discardBytes;
  }
  get volatileCache(): boolean {
    return this.#inner.volatileCache;
  }
  get counters(): StoreCounters {
    return this.#inner.counters;
  }

  turn(): void {
    this.#inner.turn();
  }

  grow(bytes: number): void {
    this.#inner.grow(bytes);
  }

  syncNow(): StoreReply {
    return this.#inner.syncNow();
  }

  close(): void {
    assert(this.#free.length === LANES, 'a store is closed when its last request has ended');
    new Uint8Array(this.#memory.buffer).fill(0);
    spare.push(this.#memory);
    this.#key.close();
    this.#inner.close();
  }

  read(task: Task, position: number, length: number, into: Segments): StoreReply {
    const read: Read = { task, position, length, into, done: 0 };
    const lane = this.#waiting.length === 0 ? this.#free.pop() : undefined;
    if (lane !== undefined) return this.#go(lane, read);
    this.#waiting.push(read);
    return PENDING;
  }

  readNow(task: Task, position: number, length: number, into: Segments): StoreReply {
    const read: Read = { task, position, length, into, done: 0 };
    const { work, segments } = this.#now;
    while (read.done < length) {
      const bytes = Math.min(length - read.done, LANE_BYTES);
      const reply = this.#inner.readNow(work, position + read.done, bytes, segments);
      if (!this.#accept(this.#now, read, reply)) return reply;
    }
    return DONE;
  }

  write(
    task: Task,
    position: number,
    length: number,
    from: Segments,
    durable: boolean,
  ): StoreReply {
    return this.#put(task, position, length, from, durable);
  }

  writeAtomic(task: Task, position: number, length: number, from: Segments): StoreReply {
    assert(length <= LANE_BYTES, 'an atomic write is no longer than atomicBytes');
    const { segments } = this.#encrypt(position, length, from, 0);
    return this.#inner.writeAtomic(task, position, length, segments);
  }

  writeZeroes(task: Task, position: number, length: number, durable: boolean): StoreReply {
    return this.#put(task, position, length, null, durable);
  }

  flush(task: Task): StoreReply {
    return this.#inner.flush(task);
  }

  discard(task: Task, position: number, length: number): StoreReply {
    return this.#inner.discard(task, position, length);
  }

  allocation(position: number): AllocationRun {
    return this.#inner.allocation(position);
  }

  cancel(task: Task): void {
    this.#inner.cancel(task);
  }

  #erase(): StoreReply {
    try {
      this.#key.replace();
      return DONE;
    } catch {
      // A fault of the core names no file; the unit goes into the failure mode of SANITIZE.
      return MEDIUM_WRITE;
    }
  }

  /** Piece after piece until the inner store is PENDING, fails, or all is read. */
  #go(lane: Lane, read: Read): StoreReply {
    let reply: StoreReply = DONE;
    while (reply === DONE && read.done < read.length) {
      const bytes = Math.min(read.length - read.done, LANE_BYTES);
      reply = this.#inner.read(lane.work, read.position + read.done, bytes, lane.segments);
      if (reply === PENDING) {
        lane.work.await(PENDING, (_, later) => this.#goOn(lane, read, later));
        return PENDING;
      }
      this.#accept(lane, read, reply);
    }
    this.#free.push(lane);
    return reply;
  }

  #goOn(lane: Lane, read: Read, reply: StoreReply): void {
    let now = reply;
    if (this.#accept(lane, read, reply)) now = this.#go(lane, read);
    else this.#free.push(lane);
    if (now === PENDING) return;
    this.#admit();
    read.task.stored(now);
  }

  #admit(): void {
    while (this.#free.length > 0) {
      const read = this.#waiting.shift();
      if (read === undefined) return;
      const reply = this.#go(this.#free.pop() as Lane, read);
      if (reply !== PENDING) read.task.stored(reply);
    }
  }

  /** Gives the initiator the good part of a piece. False when it failed; then the task has its good bytes. */
  #accept(lane: Lane, read: Read, reply: StoreReply): boolean {
    const block = this.#blockBytes;
    const whole = lane.work.storedBytes - (lane.work.storedBytes % block);
    const good = reply === DONE ? Math.min(read.length - read.done, LANE_BYTES) : whole;
    const bytes = lane.bytes.subarray(0, good);
    this.#key.decrypt(bytes, (read.position + read.done) / block, block);
    read.into.put(read.done, bytes, 0, good);
    read.done += good;
    if (reply === DONE) return true;
    read.task.storedBytes = read.done;
    return false;
  }

  /** The lane with `length` encrypted bytes for `position`: those of `from` at `at`, or zeros. */
  #encrypt(position: number, length: number, from: Segments | null, at: number): Lane {
    const bytes = this.#now.bytes.subarray(0, length);
    if (from === null) bytes.fill(0);
    else from.get(at, bytes, 0, length);
    this.#key.encrypt(bytes, position / this.#blockBytes, this.#blockBytes);
    return this.#now;
  }

  /** Plain writes are done inside their call; what has to be durable is followed by a flush, which may be waited for. */
  #put(
    task: Task,
    position: number,
    length: number,
    from: Segments | null,
    durable: boolean,
  ): StoreReply {
    for (let done = 0; done < length; ) {
      const bytes = Math.min(length - done, LANE_BYTES);
      const { work, segments } = this.#encrypt(position + done, bytes, from, done);
      const reply = this.#inner.write(work, position + done, bytes, segments, false);
      assert(reply !== PENDING, 'a write that need not be durable is done at once');
      if (reply !== DONE) {
        task.storedBytes = done + work.storedBytes;
        return reply;
      }
      done += bytes;
    }
    return durable ? this.#inner.flush(task) : DONE;
  }
}
