/**
 * Xen shared ring with event indices (xen/include/public/io/ring.h), both ends.
 *
 *      client                     ring memory                     server
 *      req_prod_pvt --publish-->  req_prod   ------------------>  req_cons
 *                    <--notify?-  req_event  <--- "wake me at" -
 *      rsp_cons     <-----------  rsp_prod   <---publish--------  rsp_prod_pvt
 *       - "wake me at" -------->  rsp_event  --notify?-->
 *
 * Indices are free-running 32-bit counters; a slot is index & (slots - 1). A response overwrites a slot whose request
 * has been consumed.
 */
import { assert } from '../../src/assert.ts';
import { record } from '../../src/record.ts';

export const PAGE_BYTES = 4096;

const HEADER = record(64, {
  requestProducer: 'u32le',
  requestEvent: 'u32le',
  responseProducer: 'u32le',
  responseEvent: 'u32le',
  deviceBytes: ['pad', 4],
  unused: ['pad', 44],
});

export const RING_HEADER_BYTES = HEADER.size;

const REQUEST_PRODUCER = HEADER.at.requestProducer / 4;
const REQUEST_EVENT = HEADER.at.requestEvent / 4;
const RESPONSE_PRODUCER = HEADER.at.responseProducer / 4;
const RESPONSE_EVENT = HEADER.at.responseEvent / 4;

/** Slots of a ring of `ringBytes` bytes with entries of `entryBytes`: a power of two. */
export function ringSlots(ringBytes: number, entryBytes: number): number {
  const whole = Math.floor((ringBytes - RING_HEADER_BYTES) / entryBytes);
  assert(whole > 0, 'a ring holds an entry');
  return 2 ** Math.floor(Math.log2(whole));
}

/** Whether moving a producer from `from` to `to` passes the index the peer asked to be woken at. */
export function passesEvent(from: number, to: number, event: number): boolean {
  return (to - event) >>> 0 < (to - from) >>> 0;
}

/** Writes an empty ring: producers 0, both events 1. The client does it before the server looks. */
export function initializeRing(ring: Uint8Array): void {
  ring.fill(0);
  const words = new Int32Array(ring.buffer, ring.byteOffset, RING_HEADER_BYTES / 4);
  Atomics.store(words, REQUEST_EVENT, 1);
  Atomics.store(words, RESPONSE_EVENT, 1);
}

/** Where one end of a ring lives: `bytes` over the whole ring memory, 4-byte aligned. */
class RingMemory {
  readonly slots: number;
  readonly entryBytes: number;
  /** The ring as 32-bit words, for the indices and for copying entries. */
  readonly words: Int32Array;
  /** The ring as bytes, for encoding entries. */
  readonly data: DataView;

  constructor(bytes: Uint8Array, entryBytes: number) {
    assert(entryBytes % 4 === 0, 'ring entries are whole words');
    this.slots = ringSlots(bytes.length, entryBytes);
    this.entryBytes = entryBytes;
    this.words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Byte offset of the slot of a free-running index. */
  slotAt(index: number): number {
    return RING_HEADER_BYTES + (index & (this.slots - 1)) * this.entryBytes;
  }

  /** Copies the first `into.length` words of a slot into private memory, each shared word read once. */
  copySlot(index: number, into: Int32Array): void {
    const from = this.slotAt(index) >>> 2;
    for (let i = 0; i < into.length; i += 1) into[i] = this.words[from + i] as number;
  }
}

/** The end that takes requests. `copy*` then check then use: the client may change a slot at any time. */
export class ServerRing extends RingMemory {
  /** req_cons: next request to take. */
  consumed = 0;
  /** rsp_prod_pvt: responses written, published or not. */
  produced = 0;
  /** The client published an impossible request producer; the ring has stopped for good. */
  broken = false;
  #published = 0;

  /** Requests that may be taken now. 0 for ever once the producer was bogus. */
  available(): number {
    if (this.broken) return 0;
    const producer = Atomics.load(this.words, REQUEST_PRODUCER);
    if ((producer - this.produced) >>> 0 > this.slots) {
      this.broken = true;
      return 0;
    }
    const published = (producer - this.consumed) >>> 0;
    const room = this.slots - ((this.consumed - this.produced) >>> 0);
    return Math.min(published, room);
  }

  /** Takes the next request into `into`; the caller has seen that one is available. */
  take(into: Int32Array): void {
    this.copySlot(this.consumed, into);
    this.consumed = (this.consumed + 1) >>> 0;
  }

  /** Byte offset of the next response slot, which the caller fills. */
  nextResponse(): number {
    const at = this.slotAt(this.produced);
    this.produced = (this.produced + 1) >>> 0;
    return at;
  }

  /** Publishes the responses written since the last push. True when the client wants to be notified. */
  push(): boolean {
    const from = this.#published;
    if (from === this.produced) return false;
    this.#published = this.produced;
    Atomics.store(this.words, RESPONSE_PRODUCER, this.produced | 0);
    return passesEvent(from, this.produced, Atomics.load(this.words, RESPONSE_EVENT) >>> 0);
  }

  /** Asks to be notified of the next request, then looks again. True when there is work after all: do not sleep. */
  arm(): boolean {
    if (this.available() > 0) return true;
    Atomics.store(this.words, REQUEST_EVENT, (this.consumed + 1) | 0);
    return this.available() > 0;
  }
}

/** The end that makes requests. */
export class ClientRing extends RingMemory {
  /** req_prod_pvt: requests written, published or not. */
  produced = 0;
  /** rsp_cons: next response to take. */
  consumed = 0;
  /** The server published an impossible response producer; the ring has stopped for good. */
  broken = false;
  #published = 0;

  /** Requests that still fit. */
  free(): number {
    return this.slots - ((this.produced - this.consumed) >>> 0);
  }

  /** Byte offset of the next request slot, which the caller fills; it has seen that one is free. */
  nextRequest(): number {
    const at = this.slotAt(this.produced);
    this.produced = (this.produced + 1) >>> 0;
    return at;
  }

  /** Publishes the requests written since the last push. True when the server wants to be notified. */
  push(): boolean {
    const from = this.#published;
    if (from === this.produced) return false;
    this.#published = this.produced;
    Atomics.store(this.words, REQUEST_PRODUCER, this.produced | 0);
    return passesEvent(from, this.produced, Atomics.load(this.words, REQUEST_EVENT) >>> 0);
  }

  /** Responses that may be taken now. 0 for ever once the producer was bogus. */
  available(): number {
    if (this.broken) return 0;
    const producer = Atomics.load(this.words, RESPONSE_PRODUCER);
    const published = (producer - this.consumed) >>> 0;
    if (published > (this.produced - this.consumed) >>> 0) {
      this.broken = true;
      return 0;
    }
    return published;
  }

  /** Takes the next response into `into`; the caller has seen that one is available. */
  take(into: Int32Array): void {
    this.copySlot(this.consumed, into);
    this.consumed = (this.consumed + 1) >>> 0;
  }

  /**
   * Asks to be notified of the next response, then looks again. True when there is one after all: do not sleep.
   * With nothing outstanding there can be none, and the second look is spared, as the Linux client does.
   */
  arm(): boolean {
    if (this.available() > 0) return true;
    Atomics.store(this.words, RESPONSE_EVENT, (this.consumed + 1) | 0);
    return this.consumed !== this.produced && this.available() > 0;
  }
}
