/** Queues of 16-byte CRQ elements in shared memory (LoPAR app. B), one producer and one consumer (docs/srp-ring.md section 5). */
import { assert } from '../../assert.ts';
import type { MemoryRegion } from '../memory.ts';
import type { CrqElement } from '../srp/channel.ts';

export const ELEMENT_BYTES = 16;
const ELEMENT_WORDS = 4;
/** Elements of a cache line, less one. */
const LINE_MASK = 3;
/** VALID is the first byte in memory, the lowest one of a little-endian word. Both supported machines are little-endian. */
const VALID_MASK = 0xff;

function checkPlace(region: MemoryRegion, offset: number, entries: number): void {
  assert((entries & (entries - 1)) === 0 && entries > 0, 'queue entries are a power of two');
  assert(offset % ELEMENT_BYTES === 0, 'a queue is aligned to its elements');
  assert(offset + entries * ELEMENT_BYTES <= region.bytes, 'a queue lies inside its region');
}

/** The end that fills the queue. Its cursor is private: shared memory holds no indices. */
export class QueueProducer {
  readonly #words: Int32Array;
  readonly #data: DataView;
  readonly #firstWord: number;
  readonly #mask: number;
  #cursor = 0;
  /** First words of the elements before the cursor that are written and not yet published. */
  readonly #staged = new Int32Array(LINE_MASK + 1);
  #stagedCount = 0;

  constructor(region: MemoryRegion, offset: number, entries: number) {
    checkPlace(region, offset, entries);
    this.#words = region.words;
    this.#data = region.data;
    this.#firstWord = offset / 4;
    this.#mask = entries - 1;
  }

  /**
   * Writes one element. It is published with the last element of its cache line or by `publish`, whichever is first: a
   * consumer that polls takes the line away after every store, so the fewer times it is stored to, the better. False when the next slot has not been freed: the queue is full. */
  put(
    valid: number,
    format: number,
    status: number,
    timeout: number,
    length: number,
    high: number,
    low: number,
  ): boolean {
    const word = this.#firstWord + this.#cursor * ELEMENT_WORDS;
    if ((Atomics.load(this.#words, word) & VALID_MASK) !== 0) return false;
    const at = word * 4;
    this.#data.setUint16(at + 4, timeout);
    this.#data.setUint16(at + 6, length);
    this.#data.setUint32(at + 8, high);
    this.#data.setUint32(at + 12, low);
    this.#staged[this.#stagedCount] = valid | (format << 8) | (status << 24);
    this.#stagedCount += 1;
    const lineIsFull = (this.#cursor & LINE_MASK) === LINE_MASK;
    this.#cursor = (this.#cursor + 1) & this.#mask;
    if (lineIsFull) this.publish();
    return true;
  }

  /** Publishes what `put` has written, in order. */
  publish(): void {
    const count = this.#stagedCount;
    this.#stagedCount = 0;
    const first = this.#cursor - count;
    for (let i = 0; i < count; i += 1) {
      const word = this.#firstWord + ((first + i) & this.#mask) * ELEMENT_WORDS;
      // Sequentially consistent: publishes the element's other bytes, and is ordered before the look at the sleep word.
      Atomics.store(this.#words, word, this.#staged[i] as number);
    }
  }
}

/** The end that empties the queue. Every word of an element is read once, into a private copy. */
export class QueueConsumer {
  readonly #words: Int32Array;
  readonly #data: DataView;
  readonly #firstWord: number;
  readonly #mask: number;
  #cursor = 0;

  constructor(region: MemoryRegion, offset: number, entries: number) {
    checkPlace(region, offset, entries);
    this.#words = region.words;
    this.#data = region.data;
    this.#firstWord = offset / 4;
    this.#mask = entries - 1;
  }

  /** Whether an element waits at the head. */
  ready(): boolean {
    const word = this.#firstWord + this.#cursor * ELEMENT_WORDS;
    return (Atomics.load(this.#words, word) & VALID_MASK) !== 0;
  }

  /** Copies the element at the head and frees its slot. False, with `element` untouched, when there is none. */
  take(element: CrqElement): boolean {
    const word = this.#firstWord + this.#cursor * ELEMENT_WORDS;
    const first = Atomics.load(this.#words, word);
    if ((first & VALID_MASK) === 0) return false;
    const at = word * 4;
    const second = this.#data.getUint32(at + 4);
    element.valid = first & VALID_MASK;
    element.format = (first >>> 8) & 0xff;
    element.reserved = (first >>> 16) & 0xff;
    element.status = first >>> 24;
    element.timeout = second >>> 16;
    element.length = second & 0xffff;
    element.high = this.#data.getUint32(at + 8);
    element.low = this.#data.getUint32(at + 12);
    Atomics.store(this.#words, word, 0);
    this.#cursor = (this.#cursor + 1) & this.#mask;
    return true;
  }
}
