/** Splits a descriptor chain into the parts of a request, whatever its framing: header, response, data buffers (virtio 1.2, 2.7.4). */
import { Segments } from '../../scsi/segments.ts';
import type { MemoryWindow, VhostMemory } from './guest-memory.ts';
import type { Virtqueue } from './virtqueue.ts';

/** Longest header of a request. */
export const HEADER_BYTES = 64;

const TWO_32 = 2 ** 32;
const FAILED = -1;

export class ChainReader {
  /** Private copy of the header. Bytes past it are of an earlier one. */
  readonly bytes: Uint8Array = new Uint8Array(HEADER_BYTES);
  readonly view: DataView = new DataView(this.bytes.buffer);
  /** What was wrong with the chain that `read` refused. */
  reason = '';
  readonly #memory: VhostMemory;
  readonly #header = new Segments({ words: new Uint32Array(4 * HEADER_BYTES), address: 0 });

  constructor(memory: VhostMemory) {
    this.#memory = memory;
  }

  /**
   * Reads the chain that `queue` has taken: copies the first `headerBytes` of its readable part, and describes the first
   * `responseBytes` of its writable part by `response`, the rest of both by the data buffers (null: not of interest).
   * Both parts are at least that long. False, with `reason`, when a buffer lies outside the memory or has too many pieces.
   */
  read(
    queue: Virtqueue,
    headerBytes: number,
    responseBytes: number,
    response: Segments,
    dataOut: Segments | null,
    dataIn: Segments | null,
  ): boolean {
    const { readableCount, count } = queue;
    const header = this.#header;
    let left = headerBytes;
    for (let i = 0; i < readableCount; i += 1) {
      left = this.#split(queue, i, left, header, dataOut);
      if (left === FAILED) return this.#failed();
    }
    left = responseBytes;
    for (let i = readableCount; i < count; i += 1) {
      left = this.#split(queue, i, left, response, dataIn);
      if (left === FAILED) return this.#failed();
    }
    this.#copyHeader();
    return true;
  }

  /** Gives the first `left` bytes of a buffer to `first` and what is beyond to `rest`. Returns what `first` still lacks. */
  #split(
    queue: Virtqueue,
    i: number,
    left: number,
    first: Segments,
    rest: Segments | null,
  ): number {
    const length = queue.lengths[i] as number;
    const high = queue.addressHigh[i] as number;
    const low = queue.addressLow[i] as number;
    const part = Math.min(left, length);
    if (part > 0 && !this.#memory.translate(high, low, part, first)) {
      return this.#outside(high, low, part, first);
    }
    if (part < length && rest !== null) {
      const sum = (low >>> 0) + part;
      const carry = sum >= TWO_32 ? 1 : 0;
      if (!this.#memory.translate(high + carry, sum | 0, length - part, rest)) {
        return this.#outside(high, low, length, rest);
      }
    }
    return left - part;
  }

  #outside(high: number, low: number, length: number, list: Segments): typeof FAILED {
    const address = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    this.reason =
      list.count === list.capacity
        ? `descriptor chain has more than ${list.capacity} pieces in one buffer`
        : `descriptor addr 0x${address.toString(16)} with len ${length} lies outside the memory regions`;
    return FAILED;
  }

  #failed(): false {
    this.#header.clear();
    return false;
  }

  /** Each byte of the guest's memory is read once. */
  #copyHeader(): void {
    const header = this.#header;
    const { bytes } = this;
    let to = 0;
    for (let i = 0; i < header.count; i += 1) {
      const { view } = header.memory[i] as MemoryWindow;
      const from = header.offset[i] as number;
      const length = header.length[i] as number;
      for (let at = 0; at < length; at += 1) {
        bytes[to] = view[from + at] as number;
        to += 1;
      }
    }
    header.clear();
  }
}
