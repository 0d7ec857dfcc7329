/** The store over an open file: positional I/O, reads and syncs queued where that pays, and every way a file can fail told apart. */
import { fstatSync } from 'node:fs';
import { assert } from '../../assert.ts';
import {
  close,
  EFAULT,
  EINVAL,
  EIO,
  EOPNOTSUPP,
  type FileState,
  mapAnonymous,
} from '../../libc.ts';
import {
  type AllocationRun,
  DONE,
  GONE,
  MEDIUM_WRITE,
  PENDING,
  READ_ONLY,
  type StoreReply,
} from '../../scsi/contracts.ts';
import { Segments } from '../../scsi/segments.ts';
import type { Task } from '../../scsi/task.ts';
import { allocationRun, tellsReservations } from './allocation.ts';
import { type AtomicJournal, MAX_ATOMIC_BYTES, UNKNOWN } from './atomic-journal.ts';
import { writeAtomically } from './atomic-write.ts';
import { type DiskStore, StoreCounters } from './disk-store.ts';
import { isFull, isUnsupported, isWriteRefused, readFault, writeFault } from './errno-fault.ts';
import { type IoEngine, systemCalls } from './io-engine.ts';
import type { IoOwner, IoQueue } from './io-queue.ts';
import { zeroSegments } from './zeros.ts';

/** The kernel takes at most this many iovecs in one call (UIO_MAXIOV). */
const MAX_IOVECS = 1024;
const REST_IOVECS = 256;
const DEFAULT_GRANULE_BYTES = 4096;
/** Past the end of every file: punching there finds out whether punching works and changes nothing. */
const PROBE_BYTES = 4096;

let sharedRest: Segments | null = null;

/** Iovecs for the rest of a transfer that stopped short. One per thread: stores use it inside one call only. */
function restSegments(): Segments {
  if (sharedRest === null) {
    const memory = mapAnonymous(Segments.iovecBytes(REST_IOVECS));
    sharedRest = new Segments({
      words: new Uint32Array(memory.buffer),
      address: memory.address,
    });
  }
  return sharedRest;
}

export interface FileStoreOptions {
  /** Owned by the store from here on. Opened for reading, and for writing unless `readOnly`. */
  readonly fd: number;
  /** Capacity. The file must be at least this long. */
  readonly bytes: number;
  readonly readOnly: boolean;
  /** The system calls; tests give others. */
  readonly engine?: IoEngine;
  /** Where reads and syncs are queued; absent: each is done at once. */
  readonly queue?: IoQueue | null;
  /** The journal of atomic writes, owned by the store; null or absent: there are none. */
  readonly journal?: AtomicJournal | null;
  /** Where its requests are counted; absent: in counters of its own. */
  readonly counters?: StoreCounters;
}

/** What the kinds of file stores differ in. */
export interface FileTraits {
  readonly canDiscard: boolean;
  readonly discardBytes: number;
  /** A named file can be truncated or deleted by anyone at any time: its size and links are looked at again. */
  readonly watched: boolean;
  /** Nothing survives a power cut: atomic writes need no journal. */
  readonly transient?: boolean;
  /** Zeroed ranges keep their space and can be told from holes; absent: no promise. */
  readonly canReserve?: boolean;
}

function granuleOf(fd: number): number {
  const { blksize } = fstatSync(fd);
  const usable = blksize >= 512 && (blksize & (blksize - 1)) === 0;
  return usable ? blksize : DEFAULT_GRANULE_BYTES;
}

/** What a regular file can do, found out without changing it. */
export function probeTraits(options: FileStoreOptions): FileTraits {
  const engine = options.engine ?? systemCalls;
  const discardBytes = granuleOf(options.fd);
  const past = Math.ceil(fstatSync(options.fd).size / discardBytes) * discardBytes;
  const canDiscard = !options.readOnly && engine.discard(options.fd, past, PROBE_BYTES) === 0;
  const canReserve = !options.readOnly && tellsReservations(options.fd);
  return { canDiscard, canReserve, discardBytes, watched: true };
}

/**
 * States it can fall into and never leaves:
 *   gone         the file is shorter than the capacity or was deleted. Every request is GONE: nothing is read as zeros
 *                that once was data, and no write makes the file whole again behind its owner's back.
 *   flushFailed  the kernel could not write dirty pages back. It has dropped them and reports that once (fsync(2)), so
 *                the next fdatasync would succeed with data lost: every later flush and durable write fails instead.
 */
export class FileStore implements DiskStore, IoOwner {
  readonly readOnly: boolean;
  readonly canDiscard: boolean;
  readonly canReserve: boolean;
  readonly discardBytes: number;
  readonly volatileCache = true;
  readonly key = null;
  readonly counters: StoreCounters;
  readonly fd: number;
  readonly ringFile: number;
  readonly atomicBytes: number;
  readonly #journal: AtomicJournal | null;
  #bytes: number;
  readonly #queue: IoQueue | null;
  readonly #engine: IoEngine;
  readonly #watched: boolean;
  readonly #state: FileState = { links: 0, bytes: 0 };
  /** The file has to be looked at before the next write. */
  #stale = true;
  #gone = false;
  #flushFailed = false;
  /** Tasks whose sync is under way, and those that came since it started. */
  #syncing: Task[] = [];
  #waiting: Task[] = [];
  /** Whether the file can write durably in one call (RWF_DSYNC), and zero ranges; true until it refuses. */
  #durableWrites = true;
  #zeroRanges = true;

  constructor(options: FileStoreOptions, traits: FileTraits = probeTraits(options)) {
    this.fd = options.fd;
    this.#bytes = options.bytes;
    this.counters = options.counters ?? new StoreCounters();
    this.#engine = options.engine ?? systemCalls;
    this.readOnly = options.readOnly;
    this.canDiscard = traits.canDiscard;
    this.canReserve = traits.canReserve === true;
    this.discardBytes = traits.discardBytes;
    this.#watched = traits.watched;
    this.#journal = options.journal ?? null;
    const atomic = this.#journal !== null || traits.transient === true;
    this.atomicBytes = atomic && !options.readOnly ? MAX_ATOMIC_BYTES : 0;
    const queue = options.queue ?? null;
    this.ringFile = queue === null ? -1 : queue.attach(options.fd);
    this.#queue = this.ringFile < 0 ? null : queue;
  }

  get bytes(): number {
    return this.#bytes;
  }

  turn(): void {
    this.#stale = true;
  }

  grow(bytes: number): void {
    assert(bytes >= this.#bytes, 'a store only grows');
    this.#bytes = bytes;
    this.#stale = true;
  }

  close(): void {
    this.#queue?.detach(this.ringFile);
    this.#journal?.close();
    close(this.fd);
  }

  read(task: Task, position: number, length: number, into: Segments): StoreReply {
    const queue = this.#queue;
    if (queue !== null && !this.#gone && queue.read(this, task, position, length, into)) {
      return PENDING;
    }
    return this.readNow(task, position, length, into);
  }

  readDone(task: Task, position: number, length: number, into: Segments, got: number): void {
    let reply: StoreReply = DONE;
    if (got !== length) reply = this.#readRest(task, position, length, into, got);
    if (reply === DONE) this.counters.countRead(length);
    task.stored(reply);
  }

  readUndone(task: Task, position: number, length: number, into: Segments): void {
    task.stored(this.readNow(task, position, length, into));
  }

  readNow(task: Task, position: number, length: number, into: Segments): StoreReply {
    if (this.#gone) return this.#fail(task, 0, GONE);
    const count = into.iovecsFor(length);
    const got =
      count <= MAX_IOVECS
        ? this.#engine.read(this.fd, into.iovAddress, count, position)
        : this.#readPart(into, 0, length, position);
    if (got !== length) {
      const reply = this.#readRest(task, position, length, into, got);
      if (reply !== DONE) return reply;
    }
    this.counters.countRead(length);
    return DONE;
  }

  write(
    task: Task,
    position: number,
    length: number,
    from: Segments,
    durable: boolean,
  ): StoreReply {
    const refusal = this.#refusal(task, durable);
    if (refusal !== DONE) return refusal;
    // With a queue a durable write is a plain one and its share of a sync that nobody waits for in a system call.
    const atOnce = durable && this.#queue === null;
    const count = from.iovecsFor(length);
    const put =
      count <= MAX_IOVECS
        ? this.#put(from.iovAddress, count, position, atOnce)
        : this.#writePart(from, 0, length, position, atOnce);
    if (put !== length) {
      const reply = this.#writeRest(task, position, length, from, atOnce, put);
      if (reply !== DONE) return reply;
    }
    this.counters.countWrite(length);
    return durable && !atOnce ? this.#syncLater(task) : DONE;
  }

  writeAtomic(task: Task, position: number, length: number, from: Segments): StoreReply {
    assert(length <= this.atomicBytes, 'an atomic write is no longer than the store says');
    const refusal = this.#refusal(task, true);
    if (refusal !== DONE) return refusal;
    const target = { engine: this.#engine, fd: this.fd, journal: this.#journal };
    const result = writeAtomically(target, position, length, from);
    if (result === UNKNOWN) this.#flushFailed = true;
    if (result !== 0) return this.#fail(task, 0, result < 0 ? writeFault(-result) : MEDIUM_WRITE);
    this.counters.countWrite(length);
    return DONE;
  }

  flush(task: Task): StoreReply {
    task.storedBytes = 0;
    if (this.#queue === null) {
      const reply = this.syncNow();
      if (reply === DONE) this.counters.countFlush();
      return reply;
    }
    this.#stale = true;
    if (this.#isGone()) return GONE;
    if (this.#flushFailed) return MEDIUM_WRITE;
    this.counters.countFlush();
    return this.#syncLater(task);
  }

  /**
   * The task ends with a sync that starts after this call: all that come while one is under way share the next one.
   *
   *   idle --flush--> UNDER WAY (serves who waited when it started) --done--> idle, or UNDER WAY for who came meanwhile
   */
  #syncLater(task: Task): StoreReply {
    task.storedBytes = 0;
    this.#waiting.push(task);
    if (this.#syncing.length > 0) return PENDING;
    if (this.#startSync()) return PENDING;
    this.#waiting.length = 0;
    return this.syncNow();
  }

  #startSync(): boolean {
    if (this.#queue === null || !this.#queue.sync(this)) return false;
    const served = this.#waiting;
    this.#waiting = this.#syncing;
    this.#syncing = served;
    return true;
  }

  syncDone(result: number): void {
    if (result < 0) this.#flushFailed = true;
    const served = this.#syncing;
    this.#syncing = [];
    this.#answerSynced(served);
    if (this.#waiting.length === 0 || this.#syncing.length > 0) return;
    if (!this.#flushFailed && this.#startSync()) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (!this.#flushFailed) this.#sync();
    this.#answerSynced(waiting);
  }

  syncUndone(): void {
    this.syncDone(this.#sync());
  }

  /** A sync that failed fails for everyone it served: nobody knows whose pages the kernel dropped. */
  #answerSynced(served: readonly Task[]): void {
    const reply = this.#flushFailed ? MEDIUM_WRITE : DONE;
    for (const task of served) task.stored(reply);
  }

  syncNow(): StoreReply {
    this.#stale = true;
    if (this.#isGone()) return GONE;
    if (this.#flushFailed) return MEDIUM_WRITE;
    return this.#sync() < 0 ? MEDIUM_WRITE : DONE;
  }

  discard(task: Task, position: number, length: number): StoreReply {
    const refusal = this.#refusal(task, false);
    if (refusal !== DONE) return refusal;
    const reply = this.#discard(task, position, length);
    if (reply === DONE) this.counters.countDiscard();
    return reply;
  }

  writeZeroes(task: Task, position: number, length: number, durable: boolean): StoreReply {
    const refusal = this.#refusal(task, durable);
    if (refusal !== DONE) return refusal;
    const reply = this.#zero(task, position, length, durable);
    if (reply === DONE) this.counters.countWrite(length);
    return reply;
  }

  allocation(position: number): AllocationRun {
    return allocationRun(this.fd, position, this.#bytes, this.canReserve);
  }

  /** Every request has ended when its call returns: there is nothing to cancel. */
  cancel(_task: Task): void {}

  #fail(task: Task, goodBytes: number, fault: StoreReply): StoreReply {
    task.storedBytes = goodBytes;
    if (fault === GONE) this.#gone = true;
    return fault;
  }

  /** Looks at the file again, once a turn. */
  #isGone(): boolean {
    if (this.#gone || !this.#watched || !this.#stale) return this.#gone;
    this.#stale = false;
    const state = this.#state;
    if (this.#engine.state(this.fd, state) < 0) return false;
    this.#gone = state.links === 0 || state.bytes < this.#bytes;
    return this.#gone;
  }

  /** Why nothing may be written now: a fault, or DONE when it may. */
  #refusal(task: Task, durable: boolean): StoreReply {
    if (this.readOnly) return this.#fail(task, 0, READ_ONLY);
    if (this.#isGone()) return this.#fail(task, 0, GONE);
    return durable && this.#flushFailed ? this.#fail(task, 0, MEDIUM_WRITE) : DONE;
  }

  #sync(): number {
    const result = this.#engine.sync(this.fd);
    if (result < 0) this.#flushFailed = true;
    return result;
  }

  #readPart(into: Segments, done: number, length: number, position: number): number {
    const rest = restSegments();
    const bytes = into.partInto(done, length - done, rest);
    const count = rest.iovecsFor(bytes);
    const got = this.#engine.read(this.fd, rest.iovAddress, count, position + done);
    rest.clear();
    return got;
  }

  /** After a read that gave `first` instead of `length`: goes on until all is read, the file ends, or it fails. */
  #readRest(
    task: Task,
    position: number,
    length: number,
    into: Segments,
    first: number,
  ): StoreReply {
    let got = first;
    let done = Math.max(first, 0);
    while (got > 0 && done < length) {
      got = this.#readPart(into, done, length, position);
      if (got > 0) done += got;
    }
    if (done === length) return DONE;
    // The file ends inside the capacity. Whole blocks before its end are data still, the rest must not become zeros.
    return this.#fail(task, done, got === 0 ? GONE : readFault(-got));
  }

  /** One write; durable in one call where the file can, else followed by a sync. */
  #put(iovAddress: number, count: number, position: number, durable: boolean): number {
    const engine = this.#engine;
    if (!durable) return engine.write(this.fd, iovAddress, count, position, false);
    if (this.#durableWrites) {
      const put = engine.write(this.fd, iovAddress, count, position, true);
      if (put >= 0) return put;
      if (put !== -EOPNOTSUPP) return this.#durableFailure(put, iovAddress, count, position);
      this.#durableWrites = false;
    }
    const put = engine.write(this.fd, iovAddress, count, position, false);
    if (put <= 0) return put;
    const synced = this.#sync();
    return synced < 0 ? -EIO : put;
  }

  /**
   * A durable write failed: while writing, or while syncing? A failure while syncing may have been about pages of earlier
   * writes, and the kernel tells it once, so it counts as a failed flush. Only errors that cannot come from the sync do not.
   */
  #durableFailure(failure: number, iovAddress: number, count: number, position: number): number {
    const errno = -failure;
    if (errno === EFAULT || errno === EINVAL || isWriteRefused(errno)) return failure;
    if (isFull(errno)) {
      const again = this.#engine.write(this.fd, iovAddress, count, position, false);
      if (again < 0) return again;
    }
    this.#flushFailed = true;
    return -EIO;
  }

  #writePart(
    from: Segments,
    done: number,
    length: number,
    position: number,
    durable: boolean,
  ): number {
    const rest = restSegments();
    const bytes = from.partInto(done, length - done, rest);
    const count = rest.iovecsFor(bytes);
    const put = this.#put(rest.iovAddress, count, position + done, durable);
    rest.clear();
    return put;
  }

  #writeRest(
    task: Task,
    position: number,
    length: number,
    from: Segments,
    durable: boolean,
    first: number,
  ): StoreReply {
    let put = first;
    let done = Math.max(first, 0);
    while (put > 0 && done < length) {
      put = this.#writePart(from, done, length, position, durable);
      if (put > 0) done += put;
    }
    if (done === length) return DONE;
    return this.#fail(task, done, put === 0 ? MEDIUM_WRITE : writeFault(-put));
  }

  /** Punches the range; what cannot be punched at its alignment, or at all, is zeroed. */
  #discard(task: Task, position: number, length: number): StoreReply {
    if (!this.canDiscard || length === 0) return this.#zero(task, position, length, false);
    const result = this.#engine.discard(this.fd, position, length);
    if (result === 0) return DONE;
    if (!isUnsupported(-result)) return this.#fail(task, 0, writeFault(-result));
    const granule = this.discardBytes;
    const end = position + length;
    const first = Math.ceil(position / granule) * granule;
    const last = Math.floor(end / granule) * granule;
    const whole = first === position && last === end;
    if (whole || last <= first || this.#engine.discard(this.fd, first, last - first) !== 0) {
      return this.#zero(task, position, length, false);
    }
    const head = this.#zero(task, position, first - position, false);
    if (head !== DONE) return head;
    const tail = this.#zero(task, last, end - last, false);
    if (tail !== DONE) task.storedBytes += last - position;
    return tail;
  }

  #zero(task: Task, position: number, length: number, durable: boolean): StoreReply {
    if (length === 0) return DONE;
    if (this.#zeroRanges) {
      const result = this.#engine.zero(this.fd, position, length);
      if (result === 0) return this.#syncedZero(task, durable);
      if (!isUnsupported(-result)) return this.#fail(task, 0, writeFault(-result));
      // EINVAL speaks of this range only (its alignment); the others of the file.
      if (result !== -EINVAL) this.#zeroRanges = false;
    }
    const zeros = zeroSegments();
    let done = 0;
    while (done < length) {
      const bytes = Math.min(length - done, zeros.bytes);
      const count = zeros.iovecsFor(bytes);
      const put = this.#put(zeros.iovAddress, count, position + done, durable);
      if (put <= 0) return this.#fail(task, done, put === 0 ? MEDIUM_WRITE : writeFault(-put));
      done += put;
    }
    return DONE;
  }

  #syncedZero(task: Task, durable: boolean): StoreReply {
    return durable && this.#sync() < 0 ? this.#fail(task, 0, MEDIUM_WRITE) : DONE;
  }
}
