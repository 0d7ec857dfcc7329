/**
 * A split virtqueue from the device's side (virtio 1.2, 2.7): takes descriptor chains, each word of them read once, and
 * gives heads back in batches.
 *
 *     descriptor table   16 x size    address 8, len 4, flags 2, next 2
 *     available ring     6 + 2 x size flags 2, idx 2, ring, used_event 2      written by the driver
 *     used ring          6 + 8 x size flags 2, idx 2, ring, avail_event 2     written by the device
 *
 * What cannot be trusted stops the queue: `take` says BROKEN and `reason` names the field.
 */
import { Segments } from '../../scsi/segments.ts';
import { ringDoorbell } from '../doorbell.ts';
import type { DirtyLog } from './dirty-log.ts';
import type { RingPlace, VhostMemory } from './guest-memory.ts';
import type { InflightQueue } from './inflight.ts';

/** Longest queue that is served: QEMU's own limit. */
export const MAX_QUEUE_SIZE = 1024;
/** Most entries of an indirect descriptor table, and most descriptors of one chain. */
export const MAX_CHAIN = 1024;

/** `take`: nothing is available. */
export const NOTHING = -1;
/** `take`: the queue cannot be trusted, see `reason`. */
export const BROKEN = -2;

const F_NEXT = 1;
const F_WRITE = 2;
const F_INDIRECT = 4;
const NO_INTERRUPT = 1;
const NO_NOTIFY = 1;
const DESCRIPTOR_BYTES = 16;
const DESCRIPTOR_WORDS = 4;
const MAX_SUM = 2 ** 31 - 1;

export interface VirtqueueOptions {
  readonly memory: VhostMemory;
  readonly size: number;
  /** Front-end virtual addresses, as in SET_VRING_ADDR. */
  readonly descAddress: number;
  readonly availAddress: number;
  readonly usedAddress: number;
  /** Where the used ring lies in the guest for the dirty log; null without VHOST_VRING_F_LOG. */
  readonly usedLogGuestAddress: number | null;
  /** Next entry of the available ring, from SET_VRING_BASE. An inflight area knows better. */
  readonly base: number;
  /** Eventfd that interrupts the driver, or -1. Not owned. */
  readonly callFd: number;
  /** Negotiated VIRTIO_F_EVENT_IDX and VIRTIO_F_INDIRECT_DESC. */
  readonly eventIndex: boolean;
  readonly indirect: boolean;
  readonly log: DirtyLog | null;
  readonly inflight: InflightQueue | null;
}

/** A queue that cannot be served. The message names the field. */
export class VirtqueueError extends Error {
  readonly code = 'ERR_VIRTQUEUE';
}

function place(
  memory: VhostMemory,
  field: string,
  address: number,
  bytes: number,
  alignment: number,
): RingPlace {
  const found = Number.isSafeInteger(address) ? memory.ring(address, bytes) : null;
  if (found === null) {
    throw new VirtqueueError(
      `${field} 0x${address.toString(16)} with ${bytes} bytes lies in no memory region`,
    );
  }
  if (found.offset % alignment !== 0) {
    throw new VirtqueueError(
      `${field} 0x${address.toString(16)} is not a multiple of ${alignment}`,
    );
  }
  return found;
}

/** Whether an index that moved from `before` to `now` passed `event` (2.7.7.2). */
function passed(event: number, now: number, before: number): boolean {
  return ((now - event - 1) & 0xffff) < ((now - before) & 0xffff);
}

export class Virtqueue {
  readonly size: number;
  /** Interrupts sent so far. */
  rings = 0;
  /** An interrupt blocked and the watchdog ended it: the front end is hostile and no longer interrupted. */
  stuck = false;
  /** What is wrong with the queue, or empty. */
  reason = '';
  log: DirtyLog | null;

  /** The chain `take` found: readable entries first, then writable ones; addresses and lengths as signed halves. */
  readonly addressHigh = new Int32Array(MAX_CHAIN);
  readonly addressLow = new Int32Array(MAX_CHAIN);
  readonly lengths = new Int32Array(MAX_CHAIN);
  count = 0;
  readableCount = 0;
  readableBytes = 0;
  writableBytes = 0;

  readonly #memory: VhostMemory;
  readonly #desc: RingPlace;
  readonly #avail: RingPlace;
  readonly #used: RingPlace;
  readonly #descWord: number;
  readonly #availHalf: number;
  readonly #usedHalf: number;
  readonly #mask: number;
  readonly #eventIndex: boolean;
  readonly #indirect: boolean;
  readonly #inflight: InflightQueue | null;
  #usedLogGuestAddress: number | null;
  #callFd: number;
  #open = true;
  /** Next entry of the available ring, and its index as last read. */
  #base: number;
  #availSeen: number;
  /** Next entry of the used ring, and the index the driver was last shown. */
  #usedIndex: number;
  #shown: number;
  /** An interrupt was held back for the entries since this index; -1: none was. */
  #heldSince = -1;
  /** Heads that were taken and not given back. */
  readonly #taken: Uint8Array;
  /** Heads an earlier process left in flight, served again first. */
  readonly #again: readonly number[];
  #againAt = 0;
  /** Private copy of an indirect table. */
  readonly #table = new Int32Array(MAX_CHAIN * DESCRIPTOR_WORDS);
  readonly #tablePlace = new Segments({ words: new Uint32Array(4 * 4), address: 0 });

  /** Throws VirtqueueError. */
  constructor(options: VirtqueueOptions) {
    const { memory, size, base } = options;
    if (!(size >= 1 && size <= MAX_QUEUE_SIZE && (size & (size - 1)) === 0)) {
      throw new VirtqueueError(
        `num ${size} is not a power of two from 1 to ${MAX_QUEUE_SIZE} (virtqueue_size)`,
      );
    }
    if (!(Number.isInteger(base) && base >= 0 && base <= 0xffff)) {
      throw new VirtqueueError(`base ${base} is not a 16-bit index`);
    }
    this.size = size;
    this.#memory = memory;
    this.#desc = place(memory, 'descriptor table', options.descAddress, 16 * size, 16);
    this.#avail = place(memory, 'available ring', options.availAddress, 6 + 2 * size, 2);
    this.#used = place(memory, 'used ring', options.usedAddress, 6 + 8 * size, 4);
    this.#descWord = this.#desc.offset / 4;
    this.#availHalf = this.#avail.offset / 2;
    this.#usedHalf = this.#used.offset / 2;
    this.#mask = size - 1;
    this.#eventIndex = options.eventIndex;
    this.#indirect = options.indirect;
    this.#inflight = options.inflight;
    this.#callFd = options.callFd;
    this.log = options.log;
    this.#usedLogGuestAddress = options.usedLogGuestAddress;
    this.#taken = new Uint8Array(size);
    this.#usedIndex = Atomics.load(this.#used.window.halves, this.#usedHalf + 1);
    this.#shown = this.#usedIndex;
    this.#again = this.#recover();
    this.#base = this.#inflight === null ? base : (this.#usedIndex + this.#again.length) & 0xffff;
    this.#availSeen = this.#base;
  }

  /** Next entry of the available ring that would be taken: what GET_VRING_BASE answers. */
  get base(): number {
    return this.#base;
  }

  /** Heads taken and not given back. */
  get outstanding(): number {
    let count = 0;
    for (let i = 0; i < this.size; i += 1) count += this.#taken[i] as number;
    return count;
  }

  /** Another eventfd interrupts the driver from now on; the caller signals it once, for what the old one may have lost. */
  setCall(fd: number): void {
    this.#callFd = fd;
    this.stuck = false;
  }

  /** Migration begins or ends: from now on written pages are marked, or not. */
  setLog(log: DirtyLog | null, usedLogGuestAddress: number | null): void {
    this.log = log;
    this.#usedLogGuestAddress = usedLogGuestAddress;
  }

  /** Whether a chain waits to be taken. */
  ready(): boolean {
    if (!this.#usable()) return false;
    if (this.#againAt < this.#again.length) return true;
    return Atomics.load(this.#avail.window.halves, this.#availHalf + 1) !== this.#base;
  }

  /**
   * Takes the next chain and returns its head, NOTHING or BROKEN. The chain is in `addressHigh`, `addressLow`, `lengths`.
   */
  take(): number {
    if (!this.#usable()) return this.reason === '' ? NOTHING : BROKEN;
    const head = this.#nextHead();
    if (head < 0) return head;
    if (this.#taken[head] === 1)
      return this.#fault('available ring entry', head, 'is in flight already');
    this.#taken[head] = 1;
    if (!this.#walk(head)) return BROKEN;
    return head;
  }

  /** Gives a head back with the number of bytes written to its chain. The driver sees it after `flush`. */
  push(head: number, writtenBytes: number): void {
    this.#taken[head] = 0;
    if (!this.#usable()) return;
    const entry = this.#usedIndex & this.#mask;
    const { words } = this.#used.window;
    const word = this.#used.offset / 4 + 1 + entry * 2;
    words[word] = head;
    words[word + 1] = writtenBytes;
    this.#mark(4 + entry * 8, 8);
    this.#usedIndex = (this.#usedIndex + 1) & 0xffff;
    this.#inflight?.end(head);
  }

  /** Publishes what was pushed, once, and interrupts the driver if it wants to be. */
  flush(): void {
    const before = this.#shown;
    const now = this.#usedIndex;
    if (now === before || !this.#usable()) return;
    this.#shown = now;
    // Sequentially consistent: the elements are visible before it, and the look at the driver's wish comes after it.
    Atomics.store(this.#used.window.halves, this.#usedHalf + 1, now);
    this.#mark(2, 2);
    this.#inflight?.published(now);
    if (this.#wantsInterrupt(now, before)) {
      this.#heldSince = -1;
      this.#interrupt();
    } else if (this.#heldSince < 0) {
      this.#heldSince = before;
    }
  }

  /**
   * Asks the driver to notify, then looks again. True: nothing is there and a notification will come. False: something
   * arrived meanwhile. Drain the eventfd before arming, never after.
   */
  arm(): boolean {
    if (!this.#usable()) return true;
    if (this.ready()) return false;
    if (this.#eventIndex) {
      Atomics.store(this.#used.window.halves, this.#usedHalf + 2 + this.size * 4, this.#base);
      this.#mark(4 + this.size * 8, 2);
    } else {
      Atomics.store(this.#used.window.halves, this.#usedHalf, 0);
      this.#mark(0, 2);
    }
    return !this.ready();
  }

  /** The queue is polled: no notification is needed. With event index the old event simply stays behind (2.7.10.1). */
  disarm(): void {
    if (this.#eventIndex || !this.#usable()) return;
    Atomics.store(this.#used.window.halves, this.#usedHalf, NO_NOTIFY);
    this.#mark(0, 2);
  }

  /**
   * Interrupts the driver if it wants that now for entries it was not interrupted for: it may have asked just before it
   * looked, without a barrier. True when it did.
   */
  lookAgain(): boolean {
    const since = this.#heldSince;
    if (since < 0 || !this.#usable()) return false;
    this.#heldSince = -1;
    if (!this.#wantsInterrupt(this.#shown, since)) return false;
    this.#interrupt();
    return true;
  }

  /** From now on nothing is taken, given back or touched: the memory may be unmapped. */
  detach(): void {
    this.#open = false;
  }

  #recover(): readonly number[] {
    if (this.#inflight === null) return [];
    const wrong = this.#inflight.recover(this.#usedIndex);
    if (wrong !== null) throw new VirtqueueError(wrong);
    return this.#inflight.pending();
  }

  #usable(): boolean {
    if (!this.#open || this.reason !== '') return false;
    if (this.#desc.window.retired || this.#avail.window.retired || this.#used.window.retired) {
      this.reason = 'the memory region its rings lie in was removed';
      return false;
    }
    return true;
  }

  #nextHead(): number {
    if (this.#againAt < this.#again.length) {
      const head = this.#again[this.#againAt] as number;
      this.#againAt += 1;
      return head;
    }
    const { halves } = this.#avail.window;
    if (this.#base === this.#availSeen) {
      const seen = Atomics.load(halves, this.#availHalf + 1);
      if (seen === this.#base) return NOTHING;
      const ahead = (seen - this.#base) & 0xffff;
      if (ahead > this.size) {
        return this.#fault('available ring idx', seen, `is ${ahead} ahead of ${this.#base}`);
      }
      this.#availSeen = seen;
    }
    const head = halves[this.#availHalf + 2 + (this.#base & this.#mask)] as number;
    if (head >= this.size) return this.#fault('available ring entry', head, `is no descriptor`);
    this.#base = (this.#base + 1) & 0xffff;
    this.#inflight?.begin(head);
    return head;
  }

  /** Reads the chain of `head` into the arrays. False when it is none. */
  #walk(head: number): boolean {
    this.count = 0;
    this.readableCount = 0;
    this.readableBytes = 0;
    this.writableBytes = 0;
    const { words } = this.#desc.window;
    let index = head;
    for (let links = 0; links < this.size; links += 1) {
      const word = this.#descWord + index * DESCRIPTOR_WORDS;
      const low = words[word] as number;
      const high = words[word + 1] as number;
      const length = words[word + 2] as number;
      const last = words[word + 3] as number;
      if ((last & F_INDIRECT) !== 0) return this.#walkTable(index, high, low, length, last);
      if (!this.#entry(high, low, length, last)) return false;
      if ((last & F_NEXT) === 0) return true;
      index = last >>> 16;
      if (index >= this.size) return this.#refuse('descriptor next', index, 'is no descriptor');
    }
    return this.#refuse(
      'descriptor chain of head',
      head,
      `is longer than the queue's ${this.size}`,
    );
  }

  /** The last descriptor of a chain refers to a table of more (2.7.5.3). */
  #walkTable(index: number, high: number, low: number, bytes: number, flags: number): boolean {
    if (!this.#indirect) {
      return this.#refuse(
        'descriptor flags',
        flags & 0xffff,
        'say INDIRECT, which was not negotiated',
      );
    }
    if ((flags & F_NEXT) !== 0) {
      return this.#refuse('descriptor flags', flags & 0xffff, 'say INDIRECT and NEXT');
    }
    const entries = bytes >> 4;
    if (bytes <= 0 || bytes % DESCRIPTOR_BYTES !== 0 || entries > MAX_CHAIN) {
      return this.#refuse(
        'indirect table len',
        bytes >>> 0,
        `is not 1 to ${MAX_CHAIN} descriptors`,
      );
    }
    if (!this.#fetch(high, low, bytes)) {
      return this.#refuse(
        'indirect table addr of descriptor',
        index,
        'lies outside the memory regions',
      );
    }
    const table = this.#table;
    let at = 0;
    for (let links = 0; links < entries; links += 1) {
      const word = at * DESCRIPTOR_WORDS;
      const last = table[word + 3] as number;
      if ((last & F_INDIRECT) !== 0) {
        return this.#refuse('indirect table flags', last & 0xffff, 'say INDIRECT again');
      }
      const length = table[word + 2] as number;
      if (!this.#entry(table[word + 1] as number, table[word] as number, length, last))
        return false;
      if ((last & F_NEXT) === 0) return true;
      at = last >>> 16;
      if (at >= entries) return this.#refuse('indirect table next', at, `is past its ${entries}`);
    }
    return this.#refuse('indirect table of descriptor', index, `chains in a loop`);
  }

  /** Appends one buffer. */
  #entry(high: number, low: number, length: number, flags: number): boolean {
    const i = this.count;
    if (i === MAX_CHAIN) return this.#refuse('descriptor chain', i + 1, 'buffers is too long');
    if (length < 0) return this.#refuse('descriptor len', length >>> 0, 'is 2 GiB or more');
    if ((flags & F_WRITE) === 0) {
      if (this.readableCount !== i) {
        return this.#refuse(
          'descriptor flags',
          flags & 0xffff,
          'make it readable after a writable one',
        );
      }
      this.readableCount = i + 1;
      this.readableBytes += length;
    } else {
      this.writableBytes += length;
    }
    if (this.readableBytes > MAX_SUM || this.writableBytes > MAX_SUM) {
      return this.#refuse('descriptor len', length, 'makes the chain 2 GiB or more');
    }
    this.addressHigh[i] = high;
    this.addressLow[i] = low;
    this.lengths[i] = length;
    this.count = i + 1;
    return true;
  }

  /** Copies an indirect table, each word read once. False when it lies outside the regions. */
  #fetch(high: number, low: number, bytes: number): boolean {
    const found = this.#tablePlace;
    found.clear();
    if (!this.#memory.translate(high, low, bytes, found)) return false;
    const table = this.#table;
    let to = 0;
    for (let i = 0; i < found.count; i += 1) {
      const window = found.memory[i] as RingPlace['window'];
      const from = found.offset[i] as number;
      const end = from + (found.length[i] as number);
      if ((from & 3) !== 0 || (end & 3) !== 0) return this.#fetchBytes(bytes);
      for (let at = from; at < end; at += 4) {
        table[to] = window.words[at >>> 2] as number;
        to += 1;
      }
    }
    found.clear();
    return true;
  }

  /** A table may start at any byte. */
  #fetchBytes(bytes: number): boolean {
    const found = this.#tablePlace;
    found.get(0, new Uint8Array(this.#table.buffer), 0, bytes);
    found.clear();
    return true;
  }

  #wantsInterrupt(now: number, before: number): boolean {
    const { halves } = this.#avail.window;
    if (!this.#eventIndex) return (Atomics.load(halves, this.#availHalf) & NO_INTERRUPT) === 0;
    return passed(Atomics.load(halves, this.#availHalf + 2 + this.size), now, before);
  }

  #interrupt(): void {
    if (this.#callFd < 0 || this.stuck) return;
    this.rings += 1;
    if (!ringDoorbell(this.#callFd)) this.stuck = true;
  }

  #mark(at: number, bytes: number): void {
    if (this.log === null || this.#usedLogGuestAddress === null) return;
    this.log.mark(this.#usedLogGuestAddress + at, bytes);
  }

  #refuse(field: string, value: number, what: string): boolean {
    this.#fault(field, value, what);
    return false;
  }

  #fault(field: string, value: number, what: string): typeof BROKEN {
    this.reason = `${field} ${value} ${what}`;
    return BROKEN;
  }
}
