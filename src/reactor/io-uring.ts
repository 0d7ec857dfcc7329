/** An io_uring for reads and syncs: requests are prepared in a batch, handed over in one call, and reaped without one. */
import { assert } from '../assert.ts';
import {
  close,
  createEventFd,
  ioUringEnter,
  ioUringRegister,
  ioUringSetup,
  type Mapping,
  mapAnonymous,
  mapShared,
  unmap,
} from '../libc.ts';

/** Sizes and offsets of struct io_uring_params, io_uring_sqe and io_uring_cqe (linux/io_uring.h). */
const PARAMS_BYTES = 120;
const SQ_ENTRIES_AT = 0;
const CQ_ENTRIES_AT = 4;
const FLAGS_AT = 8;
const SQ_OFFSETS_AT = 40;
const CQ_OFFSETS_AT = 80;
const TAIL = 4;
const MASK = 8;
const HEAD = 0;
const SQ_ARRAY = 24;
const CQ_CQES = 20;
const SQE_BYTES = 64;
const CQE_BYTES = 16;
const SQE_WORDS = SQE_BYTES / 4;
const CQE_WORDS = CQE_BYTES / 4;
/** Words of an entry: flags of the operation, user data. */
const FLAGS_WORD = 7;
const SLOT_WORD = 8;
const OFF_SQES = 0x10000000;

/** One thread uses the ring and completions are run when it enters the kernel, not by interrupting it (Linux 6.1). */
const SETUP_SINGLE_ISSUER_DEFER_TASKRUN = 0x3000;
const SETUP_PLAIN = 0;
const ENTER_GETEVENTS = 1;
const REGISTER_FILES = 2;
const REGISTER_EVENTFD = 4;
const REGISTER_FILES_UPDATE = 6;
const SQE_FIXED_FILE = 1;
const OP_READV = 1;
const OP_FSYNC = 3;
const OP_READ = 22;
const FSYNC_DATASYNC = 1;
const TWO_32 = 2 ** 32;

/** Files that can be registered at a time; others are read by the system call. */
const MAX_FILES = 256;

function setUp(entries: number, params: Mapping): number {
  const words = new Uint32Array(params.buffer, 0, PARAMS_BYTES / 4);
  let fd = -1;
  for (const flags of [SETUP_SINGLE_ISSUER_DEFER_TASKRUN, SETUP_PLAIN]) {
    words.fill(0);
    words[FLAGS_AT / 4] = flags;
    fd = ioUringSetup(entries, params.address);
    if (fd >= 0) return fd;
  }
  return fd;
}

export class IoUring {
  /**
   * An eventfd, signalled when a completion waits to be reaped or to be run by `submit`; whoever waits for it drains it. The ring's
   * own descriptor will not do: while completions are run by this thread alone, a wait for it sleeps on (seen on Linux 6.18).
   */
  readonly fd: number;
  readonly #ringFd: number;
  /** Requests that may be prepared between two calls of `submit`; as many may be under way. */
  readonly entries: number;
  /** Of the completion that `reap` took. */
  slot = 0;
  /** Bytes read or -errno. */
  result = 0;
  readonly #argument: Mapping;
  readonly #ring: Mapping;
  readonly #queue: Mapping;
  readonly #words: Int32Array;
  readonly #sqes: Int32Array;
  readonly #submissionTail: number;
  readonly #submissionMask: number;
  readonly #completionHead: number;
  readonly #completionTail: number;
  readonly #completionMask: number;
  readonly #firstCompletion: number;
  /** Descriptor registered at each index, -1 for none. */
  readonly #files = new Int32Array(MAX_FILES).fill(-1);
  #tail = 0;
  #head = 0;
  #unsubmitted = 0;

  private constructor(fd: number, wakeFd: number, argument: Mapping) {
    const at = new DataView(argument.buffer);
    const submission = (field: number): number => at.getUint32(SQ_OFFSETS_AT + field, true);
    const completion = (field: number): number => at.getUint32(CQ_OFFSETS_AT + field, true);
    this.fd = wakeFd;
    this.#ringFd = fd;
    this.entries = at.getUint32(SQ_ENTRIES_AT, true);
    this.#argument = argument;
    const ringBytes = Math.max(
      submission(SQ_ARRAY) + this.entries * 4,
      completion(CQ_CQES) + at.getUint32(CQ_ENTRIES_AT, true) * CQE_BYTES,
    );
    this.#ring = mapShared(fd, ringBytes);
    this.#queue = mapShared(fd, this.entries * SQE_BYTES, OFF_SQES);
    this.#words = new Int32Array(this.#ring.buffer);
    this.#sqes = new Int32Array(this.#queue.buffer);
    this.#submissionTail = submission(TAIL) / 4;
    this.#submissionMask = this.#words[submission(MASK) / 4] as number;
    this.#completionHead = completion(HEAD) / 4;
    this.#completionTail = completion(TAIL) / 4;
    this.#completionMask = this.#words[completion(MASK) / 4] as number;
    this.#firstCompletion = completion(CQ_CQES) / 4;
    const array = submission(SQ_ARRAY) / 4;
    for (let i = 0; i < this.entries; i += 1) this.#words[array + i] = i;
  }

  /** A ring for `entries` requests, a power of two; null where the kernel has none or does not allow it. */
  static open(entries: number): IoUring | null {
    const argument = mapAnonymous(4096);
    const fd = setUp(entries, argument);
    if (fd < 0) {
      unmap(argument);
      return null;
    }
    const ring = new IoUring(fd, createEventFd(), argument);
    new Int32Array(argument.buffer).set(ring.#files);
    if (ioUringRegister(fd, REGISTER_FILES, argument.address, MAX_FILES) >= 0) {
      new Int32Array(argument.buffer)[0] = ring.fd;
      if (ioUringRegister(fd, REGISTER_EVENTFD, argument.address, 1) >= 0) return ring;
    }
    ring.close();
    return null;
  }

  /** Makes an open file known to the ring, which holds it open until `unregisterFile`. Its index, or -1 when it cannot be. */
  registerFile(fd: number): number {
    const index = this.#files.indexOf(-1);
    if (index < 0 || !this.#updateFile(index, fd)) return -1;
    return index;
  }

  /** No read of the file may be under way. */
  unregisterFile(index: number): void {
    this.#updateFile(index, -1);
  }

  /**
   * Prepares a read of `length` bytes at `position` into one piece of memory whose address comes in halves. `slot` names
   * the request when it completes. At most `entries` may be prepared or under way.
   */
  prepareRead(
    slot: number,
    file: number,
    low: number,
    high: number,
    length: number,
    position: number,
  ): void {
    this.#prepare(OP_READ, slot, file, low, high, length, position);
  }

  /** Prepares a read into the `count` iovecs at `iovAddress`; they may change once it is submitted. */
  prepareReadVector(
    slot: number,
    file: number,
    iovAddress: number,
    count: number,
    position: number,
  ): void {
    const high = Math.floor(iovAddress / TWO_32);
    this.#prepare(OP_READV, slot, file, iovAddress - high * TWO_32, high, count, position);
  }

  /** Prepares an fdatasync. A kernel thread does it: it completes later. */
  prepareSync(slot: number, file: number): void {
    const at = (this.#tail & this.#submissionMask) * SQE_WORDS;
    this.#prepare(OP_FSYNC, slot, file, 0, 0, 0, 0);
    this.#sqes[at + FLAGS_WORD] = FSYNC_DATASYNC;
  }

  /**
   * Hands over what was prepared and runs completions that wait for this thread; never blocks. Returns how many requests
   * the kernel did not take (it is short of memory): they stay prepared for the next call.
   */
  submit(): number {
    Atomics.store(this.#words, this.#submissionTail, this.#tail);
    while (true) {
      const taken = ioUringEnter(this.#ringFd, this.#unsubmitted, ENTER_GETEVENTS);
      if (taken <= 0) return this.#unsubmitted;
      this.#unsubmitted -= taken;
      if (this.#unsubmitted === 0) return 0;
    }
  }

  /** Takes back the last request that was prepared and not yet taken by the kernel; returns its slot. */
  withdraw(): number {
    assert(this.#unsubmitted > 0, 'there is a request to take back');
    this.#unsubmitted -= 1;
    this.#tail = (this.#tail - 1) | 0;
    Atomics.store(this.#words, this.#submissionTail, this.#tail);
    return this.#sqes[(this.#tail & this.#submissionMask) * SQE_WORDS + SLOT_WORD] as number;
  }

  /** Takes the next completion into `slot` and `result`. False when there is none. */
  reap(): boolean {
    if (this.#head === Atomics.load(this.#words, this.#completionTail)) return false;
    const at = this.#firstCompletion + (this.#head & this.#completionMask) * CQE_WORDS;
    this.slot = this.#words[at] as number;
    this.result = this.#words[at + 2] as number;
    this.#head = (this.#head + 1) | 0;
    Atomics.store(this.#words, this.#completionHead, this.#head);
    return true;
  }

  /** Nothing may be under way. */
  close(): void {
    close(this.fd);
    close(this.#ringFd);
    unmap(this.#queue);
    unmap(this.#ring);
    unmap(this.#argument);
  }

  #prepare(
    operation: number,
    slot: number,
    file: number,
    low: number,
    high: number,
    length: number,
    position: number,
  ): void {
    assert(this.#unsubmitted < this.entries, 'the submission queue has room');
    const sqes = this.#sqes;
    const at = (this.#tail & this.#submissionMask) * SQE_WORDS;
    const positionHigh = Math.floor(position / TWO_32);
    sqes[at] = operation | (SQE_FIXED_FILE << 8);
    sqes[at + 1] = file;
    sqes[at + 2] = position - positionHigh * TWO_32;
    sqes[at + 3] = positionHigh;
    sqes[at + 4] = low;
    sqes[at + 5] = high;
    sqes[at + 6] = length;
    sqes[at + FLAGS_WORD] = 0;
    sqes[at + SLOT_WORD] = slot;
    sqes[at + 9] = 0;
    sqes[at + 10] = 0;
    this.#tail = (this.#tail + 1) | 0;
    this.#unsubmitted += 1;
  }

  /** struct io_uring_files_update { offset, resv, fds } and the array it points to, in the argument page. */
  #updateFile(index: number, fd: number): boolean {
    const { address, buffer } = this.#argument;
    const view = new DataView(buffer);
    const fdsAt = 64;
    view.setUint32(0, index, true);
    view.setUint32(4, 0, true);
    view.setBigUint64(8, BigInt(address + fdsAt), true);
    view.setInt32(fdsAt, fd, true);
    if (ioUringRegister(this.#ringFd, REGISTER_FILES_UPDATE, address, 1) !== 1) return false;
    this.#files[index] = fd;
    return true;
  }
}
