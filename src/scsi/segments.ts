/** A data buffer as a list of segments of shared memory: what JavaScript sees of it and what the kernel is told. */
import { assert } from '../assert.ts';

const NO_MEMORY: SegmentMemory = { view: new Uint8Array(0), address: 0 };
const IOVEC_BYTES = 16;
const TWO_32 = 2 ** 32;

/** Memory that segments lie in: what JavaScript sees of it, and the raw address of its first byte. */
export interface SegmentMemory {
  readonly view: Uint8Array;
  readonly address: number;
}

/** Memory for the iovec array of one Segments: `words` lies at raw address `address`. */
export interface IovecMemory {
  readonly words: Uint32Array;
  readonly address: number;
}

/**
 * The segments of one data-in or data-out buffer, in order. Preallocated with its task; `append` is called by the
 * transport after every check, so whoever reads segments may trust their bounds.
 * JavaScript reaches the bytes through `memory[i].view` at `offset[i]`; the kernel through the iovec array at `iovAddress`.
 */
export class Segments {
  count = 0;
  /** Sum of the segment lengths. */
  bytes = 0;
  /** These grow to the most segments ever used: a pool of tasks would be megabytes if each were made for `capacity`. */
  readonly memory: SegmentMemory[] = [];
  readonly offset: number[] = [];
  readonly length: number[] = [];
  /** struct iovec[capacity] as words (address low, high, length, 0), little-endian hosts only (x86-64, arm64). */
  readonly iovecs: Uint32Array;
  /** Raw address of the iovec array. */
  readonly iovAddress: number;
  readonly capacity: number;

  constructor(iovecs: IovecMemory) {
    const capacity = iovecs.words.length / 4;
    assert(Number.isInteger(capacity) && capacity > 0, 'iovec memory holds whole entries');
    this.capacity = capacity;
    this.iovecs = iovecs.words;
    this.iovAddress = iovecs.address;
  }

  /** Bytes of iovec memory that `capacity` segments need. */
  static iovecBytes(capacity: number): number {
    return capacity * IOVEC_BYTES;
  }

  /** Forgets every segment and drops the references to its memory, so that it can be unmapped. */
  clear(): void {
    for (let i = 0; i < this.count; i += 1) this.memory[i] = NO_MEMORY;
    this.count = 0;
    this.bytes = 0;
  }

  /** Appends one checked segment. False when the list is full; a segment of no bytes is not stored. */
  append(memory: SegmentMemory, offset: number, length: number): boolean {
    if (length === 0) return true;
    const i = this.count;
    if (i === this.capacity) return false;
    this.memory[i] = memory;
    this.offset[i] = offset;
    this.length[i] = length;
    // The address is made here and not handed in: a double that crosses a call costs a heap number.
    const address = memory.address + offset;
    const high = Math.floor(address / TWO_32);
    this.iovecs[i * 4] = address - high * TWO_32;
    this.iovecs[i * 4 + 1] = high;
    this.iovecs[i * 4 + 2] = length;
    this.iovecs[i * 4 + 3] = 0;
    this.count = i + 1;
    this.bytes += length;
    return true;
  }

  /**
   * Makes the iovec array describe the first `bytes` bytes and returns how many entries that takes.
   * `count`, `bytes` and the rest keep describing the whole buffer.
   */
  iovecsFor(bytes: number): number {
    assert(bytes <= this.bytes, 'a transfer fits its data buffer');
    let left = bytes;
    let i = 0;
    while (left > 0) {
      const whole = this.length[i] as number;
      const used = Math.min(whole, left);
      this.iovecs[i * 4 + 2] = used;
      left -= used;
      i += 1;
    }
    return i;
  }

  /**
   * Appends bytes [at, at + bytes) of this buffer to `into`, as many as it has room for, and returns how many that were.
   * For the rest of a transfer that stopped short.
   */
  partInto(at: number, bytes: number, into: Segments): number {
    assert(at + bytes <= this.bytes, 'a part lies inside its data buffer');
    let skip = at;
    let done = 0;
    for (let i = 0; i < this.count && done < bytes; i += 1) {
      const whole = this.length[i] as number;
      if (skip >= whole) {
        skip -= whole;
        continue;
      }
      const length = Math.min(whole - skip, bytes - done);
      const offset = (this.offset[i] as number) + skip;
      if (!into.append(this.memory[i] as SegmentMemory, offset, length)) break;
      done += length;
      skip = 0;
    }
    return done;
  }

  /** Copies `source[from, from + bytes)` to the buffer at byte `at`. Cold path (parameter data). */
  put(at: number, source: Uint8Array, from: number, bytes: number): void {
    this.#each(at, bytes, (view, offset, length, done) => {
      view.set(source.subarray(from + done, from + done + length), offset);
    });
  }

  /** Sets buffer bytes [at, at + bytes) to zero. */
  zero(at: number, bytes: number): void {
    this.#each(at, bytes, (view, offset, length) => {
      view.fill(0, offset, offset + length);
    });
  }

  /** Copies buffer bytes [at, at + bytes) to `target` at `to`. Cold path (parameter lists). */
  get(at: number, target: Uint8Array, to: number, bytes: number): void {
    this.#each(at, bytes, (view, offset, length, done) => {
      target.set(view.subarray(offset, offset + length), to + done);
    });
  }

  #each(
    at: number,
    bytes: number,
    visit: (view: Uint8Array, offset: number, length: number, done: number) => void,
  ): void {
    assert(at + bytes <= this.bytes, 'a copy fits the data buffer');
    let skip = at;
    let done = 0;
    for (let i = 0; i < this.count && done < bytes; i += 1) {
      const whole = this.length[i] as number;
      if (skip >= whole) {
        skip -= whole;
        continue;
      }
      const length = Math.min(whole - skip, bytes - done);
      const { view } = this.memory[i] as SegmentMemory;
      visit(view, (this.offset[i] as number) + skip, length, done);
      done += length;
      skip = 0;
    }
  }
}
