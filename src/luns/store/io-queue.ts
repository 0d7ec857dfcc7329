/**
 * Requests to files that are done together: queued while a turn hands out commands, submitted in one system call, completed
 * at once where the data is in the page cache and later where a device has to be waited for (always, for a sync).
 *
 *   FREE --read, sync--> QUEUED --settle--> done (in memory)
 *                               \---------> SUBMITTED --settle, when it has completed--> done
 */
import { canReadNow, readVectorNow } from '../../libc.ts';
import type { Segments } from '../../scsi/segments.ts';
import type { Task } from '../../scsi/task.ts';

/** The kernel's side: an io_uring. Its methods are those of `reactor/io-uring.ts`; specs script them. */
export interface IoRing {
  /** Readable when `settle` has something to do. */
  readonly fd: number;
  readonly entries: number;
  slot: number;
  result: number;
  registerFile(fd: number): number;
  unregisterFile(index: number): void;
  prepareRead(
    slot: number,
    file: number,
    low: number,
    high: number,
    length: number,
    position: number,
  ): void;
  prepareReadVector(
    slot: number,
    file: number,
    iovAddress: number,
    count: number,
    position: number,
  ): void;
  prepareSync(slot: number, file: number): void;
  submit(): number;
  withdraw(): number;
  reap(): boolean;
}

/** A store as the queue sees it. */
export interface IoOwner {
  readonly fd: number;
  /** What `IoQueue.attach` gave. */
  readonly ringFile: number;
  /** The sync has ended: 0 or -errno. One is under way at a time. */
  syncDone(result: number): void;
  /** The kernel did not take the sync: the store does it by itself. */
  syncUndone(): void;
  /** The read has ended: `got` bytes or -errno, of which the store makes the task's reply. */
  readDone(task: Task, position: number, length: number, into: Segments, got: number): void;
  /** The kernel did not take the read: the store does it by itself. */
  readUndone(task: Task, position: number, length: number, into: Segments): void;
}

/** So few reads are cheaper one by one, as long as what they ask for is in memory. */
const FEW = 3;
/** Settlings with few reads that go to the ring at once after one found nothing in memory: a vain look costs 9 us. */
const PATIENCE = 16;

export class IoQueue {
  readonly #ring: IoRing;
  /** Null for a sync, which is nobody's alone. */
  readonly #tasks: (Task | null)[] = [];
  readonly #owners: (IoOwner | null)[] = [];
  readonly #into: (Segments | null)[] = [];
  readonly #positions: Float64Array;
  readonly #lengths: Float64Array;
  readonly #free: Int32Array;
  #freeCount: number;
  /** Slots that wait for `settle`. */
  readonly #queued: Int32Array;
  #queuedCount = 0;
  #underWay = 0;
  #patience = 0;

  constructor(ring: IoRing) {
    const { entries } = ring;
    this.#ring = ring;
    this.#positions = new Float64Array(entries);
    this.#lengths = new Float64Array(entries);
    this.#queued = new Int32Array(entries);
    this.#free = Int32Array.from({ length: entries }, (_, i) => entries - 1 - i);
    this.#freeCount = entries;
    for (let i = 0; i < entries; i += 1) {
      this.#tasks.push(null);
      this.#owners.push(null);
      this.#into.push(null);
    }
  }

  /** Readable when a request that had to wait has completed. */
  get fd(): number {
    return this.#ring.fd;
  }

  /** Requests that were queued and have not ended. */
  get outstanding(): number {
    return this.#queued.length - this.#freeCount;
  }

  /**
   * Index under which reads of the file are queued, or -1: then it is read by the system call. That is so for files that
   * cannot say whether a read has to wait (tmpfs): the ring would give each of their reads to a kernel thread.
   */
  attach(fd: number): number {
    return canReadNow(fd) ? this.#ring.registerFile(fd) : -1;
  }

  /** No read of the file may be outstanding. */
  detach(ringFile: number): void {
    if (ringFile >= 0) this.#ring.unregisterFile(ringFile);
  }

  /** Queues a read of `length` bytes into the first `length` bytes of `into`. False: no room, or nothing to read. */
  read(owner: IoOwner, task: Task, position: number, length: number, into: Segments): boolean {
    if (this.#freeCount === 0 || length === 0) return false;
    const slot = this.#take(owner);
    this.#tasks[slot] = task;
    this.#into[slot] = into;
    this.#positions[slot] = position;
    this.#lengths[slot] = length;
    return true;
  }

  /** Queues a sync of the file's data: what was written before this call is on stable storage when it ends. False: no room. */
  sync(owner: IoOwner): boolean {
    if (this.#freeCount === 0) return false;
    this.#take(owner);
    return true;
  }

  #take(owner: IoOwner): number {
    this.#freeCount -= 1;
    const slot = this.#free[this.#freeCount] as number;
    this.#owners[slot] = owner;
    this.#queued[this.#queuedCount] = slot;
    this.#queuedCount += 1;
    return slot;
  }

  /** Does what was queued and ends what has completed. True when a request of an earlier turn may have been among it. */
  settle(): boolean {
    let late = false;
    do {
      const before = this.#underWay;
      if (this.#queuedCount > 0) this.#start();
      if (this.#underWay > 0 && this.#finish() > 0 && before > 0) late = true;
    } while (this.#queuedCount > 0);
    return late;
  }

  #start(): void {
    const count = this.#queuedCount;
    // Ending a read can let the next one of its task set in: that one waits for the next round.
    this.#queuedCount = 0;
    if (count > FEW || this.#patience > 0) {
      if (count <= FEW) this.#patience -= 1;
      for (let i = 0; i < count; i += 1) this.#prepare(this.#queued[i] as number);
      return;
    }
    // Taken out first: what is queued meanwhile goes to their places.
    const first = this.#queued[0] as number;
    const second = this.#queued[1] as number;
    const third = this.#queued[2] as number;
    this.#try(first);
    if (count > 1) this.#try(second);
    if (count > 2) this.#try(third);
  }

  #try(slot: number): void {
    const owner = this.#owners[slot] as IoOwner;
    const into = this.#into[slot] as Segments | null;
    if (into === null) {
      this.#prepare(slot);
      return;
    }
    const length = this.#lengths[slot] as number;
    const count = into.iovecsFor(length);
    const got = readVectorNow(owner.fd, into.iovAddress, count, this.#positions[slot] as number);
    if (got === length) {
      this.#end(slot, got);
      return;
    }
    this.#patience = PATIENCE;
    this.#prepare(slot);
  }

  #prepare(slot: number): void {
    const { ringFile } = this.#owners[slot] as IoOwner;
    const into = this.#into[slot] as Segments | null;
    this.#underWay += 1;
    if (into === null) {
      this.#ring.prepareSync(slot, ringFile);
      return;
    }
    const length = this.#lengths[slot] as number;
    const position = this.#positions[slot] as number;
    const count = into.iovecsFor(length);
    if (count === 1) {
      const low = into.iovecs[0] as number;
      const high = into.iovecs[1] as number;
      this.#ring.prepareRead(slot, ringFile, low, high, length, position);
    } else {
      this.#ring.prepareReadVector(slot, ringFile, into.iovAddress, count, position);
    }
  }

  /** Submits, and ends what has completed: returns how many that were. */
  #finish(): number {
    let refused = this.#ring.submit();
    while (refused > 0) {
      refused -= 1;
      this.#underWay -= 1;
      this.#undo(this.#ring.withdraw());
    }
    let ended = 0;
    while (this.#ring.reap()) {
      ended += 1;
      this.#underWay -= 1;
      this.#end(this.#ring.slot, this.#ring.result);
    }
    return ended;
  }

  #end(slot: number, got: number): void {
    const owner = this.#owners[slot] as IoOwner;
    const task = this.#tasks[slot] as Task | null;
    const into = this.#into[slot] as Segments | null;
    const position = this.#positions[slot] as number;
    const length = this.#lengths[slot] as number;
    this.#release(slot);
    if (task === null || into === null) owner.syncDone(got);
    else owner.readDone(task, position, length, into, got);
  }

  #undo(slot: number): void {
    const owner = this.#owners[slot] as IoOwner;
    const task = this.#tasks[slot] as Task | null;
    const into = this.#into[slot] as Segments | null;
    const position = this.#positions[slot] as number;
    const length = this.#lengths[slot] as number;
    this.#release(slot);
    if (task === null || into === null) owner.syncUndone();
    else owner.readUndone(task, position, length, into);
  }

  #release(slot: number): void {
    this.#tasks[slot] = null;
    this.#owners[slot] = null;
    this.#into[slot] = null;
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
  }
}
