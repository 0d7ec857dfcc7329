/** A queue pair as either end sees it: the queue it sends on, the queue it takes from, and who sleeps (docs/srp-ring.md section 6). */
import { assert } from '../../assert.ts';
import { ringDoorbell } from '../doorbell.ts';
import type { GuestMemory, MemoryRegion } from '../memory.ts';
import type { Channel, CrqElement } from '../srp/channel.ts';
import { QueueConsumer, QueueProducer } from './queue.ts';

export const CONTROL_BLOCK_BYTES = 128;
/** Bytes of the control block's words, each alone in its cache line. */
const TARGET_SLEEPS_AT = 0;
const INITIATOR_SLEEPS_AT = 64;

/** Where a queue pair lies in the first region, in bytes from its start. */
export interface QueuePairPlace {
  readonly commandOffset: number;
  readonly commandEntries: number;
  readonly responseOffset: number;
  readonly responseEntries: number;
  readonly controlOffset: number;
}

export type RingEnd = 'target' | 'initiator';

/** Not usable once its memory is unmapped: `detach` makes it empty and silent before that. */
export class QueuePair implements Channel {
  readonly memory: GuestMemory;
  readonly place: QueuePairPlace;
  /** Doorbells rung so far. */
  rings = 0;
  /** A doorbell write hung and the watchdog ended it: the other end is hostile and no longer rung. Drop it. */
  stuck = false;
  readonly #sent: QueueProducer;
  readonly #taken: QueueConsumer;
  readonly #words: Int32Array;
  readonly #ownSleep: number;
  readonly #peerSleep: number;
  readonly #bell: number;
  #unflushed = false;
  #open = true;

  /** `bellFd`: the eventfd that wakes the other end; this object does not own it. */
  constructor(memory: GuestMemory, place: QueuePairPlace, end: RingEnd, bellFd: number) {
    const region = memory.regions[0] as MemoryRegion;
    const { commandOffset, commandEntries, responseOffset, responseEntries } = place;
    assert(place.controlOffset % 4 === 0, 'a control block is aligned to its words');
    assert(
      place.controlOffset + CONTROL_BLOCK_BYTES <= region.bytes,
      'a control block lies inside its region',
    );
    const target = end === 'target';
    this.memory = memory;
    this.place = place;
    this.#sent = target
      ? new QueueProducer(region, responseOffset, responseEntries)
      : new QueueProducer(region, commandOffset, commandEntries);
    this.#taken = target
      ? new QueueConsumer(region, commandOffset, commandEntries)
      : new QueueConsumer(region, responseOffset, responseEntries);
    this.#words = region.words;
    const targetSleep = (place.controlOffset + TARGET_SLEEPS_AT) / 4;
    const initiatorSleep = (place.controlOffset + INITIATOR_SLEEPS_AT) / 4;
    this.#ownSleep = target ? targetSleep : initiatorSleep;
    this.#peerSleep = target ? initiatorSleep : targetSleep;
    this.#bell = bellFd;
  }

  send(
    valid: number,
    format: number,
    status: number,
    timeout: number,
    length: number,
    high: number,
    low: number,
  ): boolean {
    if (!this.#open) return false;
    if (!this.#sent.put(valid, format, status, timeout, length, high, low)) return false;
    this.#unflushed = true;
    return true;
  }

  take(element: CrqElement): boolean {
    return this.#open && this.#taken.take(element);
  }

  flush(): void {
    if (!this.#unflushed) return;
    this.#unflushed = false;
    this.#sent.publish();
    // A load first leaves the line shared while the other end is awake; only whoever sees it asleep pays for the exchange.
    if (Atomics.load(this.#words, this.#peerSleep) === 0) return;
    if (Atomics.exchange(this.#words, this.#peerSleep, 0) === 0 || this.stuck) return;
    this.rings += 1;
    if (!ringDoorbell(this.#bell)) this.stuck = true;
  }

  /** Whether something waits in the queue this end takes from. */
  ready(): boolean {
    return this.#open && this.#taken.ready();
  }

  /**
   * Declares this end asleep, then looks again. True: nothing is there and the other end will ring, so this end may sleep.
   * False: something arrived, and this end is declared awake again. Drain the doorbell before arming, never after.
   */
  arm(): boolean {
    if (!this.#open) return true;
    Atomics.store(this.#words, this.#ownSleep, 1);
    if (!this.#taken.ready()) return true;
    Atomics.store(this.#words, this.#ownSleep, 0);
    return false;
  }

  /** Declares this end awake: the other end need not ring. */
  disarm(): void {
    if (this.#open) Atomics.store(this.#words, this.#ownSleep, 0);
  }

  /** From now on nothing is sent, taken or touched: the memory may be unmapped. */
  detach(): void {
    this.#open = false;
    this.#unflushed = false;
  }
}
