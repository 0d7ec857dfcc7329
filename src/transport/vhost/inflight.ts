/**
 * The area in which requests in flight survive this process (vhost-user, Inflight I/O tracking, split virtqueue).
 *
 *     | queue 0: features 8, version 2, desc_num 2, last_batch_head 2, used_idx 2, then desc_num x 16 bytes | queue 1 | ...
 *     one descriptor state: inflight 1, padding 5, next 2, counter 8
 *
 * The front end only keeps it, but it shares it: what is read back is checked like anything a guest wrote.
 */
import {
  addSeals,
  createMemoryFile,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  type Mapping,
  mapShared,
  unmap,
} from '../../libc.ts';
import { memoryFileFault } from '../memory-file.ts';
import { VhostMemoryError, WINDOW_BYTES } from './guest-memory.ts';

const HEADER_BYTES = 16;
const STATE_BYTES = 16;
/** Queues start on cache lines. */
const ALIGN_BYTES = 64;
const PAGE_BYTES = 4096;
const VERSION = 1;

const VERSION_AT = 8;
const COUNT_AT = 10;
const LAST_HEAD_AT = 12;
const USED_INDEX_AT = 14;
const NEXT_AT = 6;
const COUNTER_AT = 8;

const queueBytes = (size: number): number =>
  Math.ceil((HEADER_BYTES + size * STATE_BYTES) / ALIGN_BYTES) * ALIGN_BYTES;

export class InflightArea {
  readonly queues: number;
  readonly size: number;
  readonly #mapping: Mapping;
  readonly #offset: number;

  constructor(mapping: Mapping, queues: number, size: number, offset = 0) {
    this.#mapping = mapping;
    this.queues = queues;
    this.size = size;
    this.#offset = offset;
  }

  /** Bytes of the area for `queues` queues of `size` descriptors. */
  static bytesFor(queues: number, size: number): number {
    return queues * queueBytes(size);
  }

  /** Makes the memory file that answers GET_INFLIGHT_FD: zeroed, sealed against resizing. The caller closes it. */
  static createFile(queues: number, size: number): number {
    const fd = createMemoryFile('ringscsi-inflight', InflightArea.bytesFor(queues, size));
    addSeals(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    return fd;
  }

  /** Maps the area of SET_INFLIGHT_FD. The descriptor stays the caller's. Throws VhostMemoryError. */
  static map(
    fd: number,
    bytes: number,
    offset: number,
    queues: number,
    size: number,
  ): InflightArea {
    const needed = InflightArea.bytesFor(queues, size);
    if (!(bytes >= needed && bytes <= WINDOW_BYTES)) {
      throw new VhostMemoryError(
        `inflight mmap_size is ${bytes}; ${queues} queues of ${size} need ${needed} bytes`,
      );
    }
    if (!(offset >= 0 && offset % ALIGN_BYTES === 0 && Number.isSafeInteger(offset + bytes))) {
      throw new VhostMemoryError(
        `inflight mmap_offset is ${offset}; a multiple of ${ALIGN_BYTES} below 2^53 is served`,
      );
    }
    const fault = memoryFileFault(fd, offset + bytes);
    if (fault !== null) throw new VhostMemoryError(`inflight fd ${fault}`);
    const skip = offset % PAGE_BYTES;
    return new InflightArea(mapShared(fd, skip + needed, offset - skip), queues, size, skip);
  }

  /** The part of one queue, or null when the area has none for it or was made for another size. */
  queue(index: number, size: number): InflightQueue | null {
    if (index >= this.queues || size !== this.size) return null;
    return new InflightQueue(
      this.#mapping.buffer,
      this.#offset + index * queueBytes(this.size),
      this.size,
    );
  }

  /** Forgets what is recorded of a queue on which nothing is in flight: its ring may begin anew. */
  clear(index: number): void {
    if (index >= this.queues) return;
    const bytes = queueBytes(this.size);
    new Uint8Array(this.#mapping.buffer, this.#offset + index * bytes, bytes).fill(0);
  }

  /** Unmaps. No queue of this area may be used afterwards. */
  close(): void {
    unmap(this.#mapping);
  }
}

export class InflightQueue {
  readonly #bytes: Uint8Array;
  readonly #halves: Uint16Array;
  readonly #words: Uint32Array;
  readonly #at: number;
  readonly #size: number;
  /** Order of arrival: a 64-bit counter in two halves. */
  readonly #counter = new Uint32Array(2);
  /** Heads answered since the used index was last published. */
  readonly #ended: Uint16Array;
  #endedCount = 0;

  constructor(buffer: ArrayBuffer, at: number, size: number) {
    this.#bytes = new Uint8Array(buffer);
    this.#halves = new Uint16Array(buffer);
    this.#words = new Uint32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
    this.#at = at;
    this.#size = size;
    this.#ended = new Uint16Array(size);
  }

  /**
   * Takes up what an earlier process left, given the used index in the ring: a batch that was published but not yet
   * taken out here has ended. A fresh area (version 0) is initialized. Returns what is wrong with it, or null.
   */
  recover(usedIndex: number): string | null {
    const halves = this.#halves;
    const at = this.#at / 2;
    const version = halves[at + VERSION_AT / 2] as number;
    if (version === 0) {
      halves[at + VERSION_AT / 2] = VERSION;
      halves[at + COUNT_AT / 2] = this.#size;
      halves[at + LAST_HEAD_AT / 2] = 0;
      halves[at + USED_INDEX_AT / 2] = usedIndex;
      return null;
    }
    if (version !== VERSION) return `inflight version is ${version}; ${VERSION} is served`;
    const count = halves[at + COUNT_AT / 2] as number;
    if (count !== this.#size) return `inflight desc_num is ${count}; the queue has ${this.#size}`;
    const published = (usedIndex - (halves[at + USED_INDEX_AT / 2] as number)) & 0xffff;
    if (published > this.#size) {
      return `inflight used_idx is ${published} behind the ring; at most ${this.#size} can be`;
    }
    let head = halves[at + LAST_HEAD_AT / 2] as number;
    for (let i = 0; i < published; i += 1) {
      if (head >= this.#size) return `inflight next is ${head}; the queue has ${this.#size}`;
      this.#bytes[this.#stateAt(head)] = 0;
      head = halves[(this.#stateAt(head) + NEXT_AT) / 2] as number;
    }
    halves[at + USED_INDEX_AT / 2] = usedIndex;
    return null;
  }

  /** Heads in flight, oldest first; arrivals from now on count as younger. */
  pending(): number[] {
    const heads: { readonly head: number; readonly counter: bigint }[] = [];
    for (let head = 0; head < this.#size; head += 1) {
      const at = this.#stateAt(head);
      if (this.#bytes[at] !== 1) continue;
      const word = (at + COUNTER_AT) / 4;
      const low = BigInt(this.#words[word] as number);
      heads.push({ head, counter: (BigInt(this.#words[word + 1] as number) << 32n) | low });
    }
    heads.sort((a, b) => (a.counter < b.counter ? -1 : a.counter > b.counter ? 1 : 0));
    const next = (heads.at(-1)?.counter ?? -1n) + 1n;
    this.#counter[0] = Number(next & 0xffffffffn);
    this.#counter[1] = Number((next >> 32n) & 0xffffffffn);
    return heads.map(({ head }) => head);
  }

  /** A head was taken from the available ring. */
  begin(head: number): void {
    const at = this.#stateAt(head);
    const word = (at + COUNTER_AT) / 4;
    const counter = this.#counter;
    this.#words[word] = counter[0] as number;
    this.#words[word + 1] = counter[1] as number;
    counter[0] = (counter[0] as number) + 1;
    if (counter[0] === 0) counter[1] = (counter[1] as number) + 1;
    Atomics.store(this.#bytes, at, 1);
  }

  /** A head was written to the used ring, whose index is not published yet. */
  end(head: number): void {
    const last = (this.#at + LAST_HEAD_AT) / 2;
    this.#halves[(this.#stateAt(head) + NEXT_AT) / 2] = this.#halves[last] as number;
    Atomics.store(this.#halves, last, head);
    this.#ended[this.#endedCount] = head;
    this.#endedCount += 1;
  }

  /** The used index was published: the heads of the batch are in flight no more. */
  published(usedIndex: number): void {
    for (let i = 0; i < this.#endedCount; i += 1) {
      Atomics.store(this.#bytes, this.#stateAt(this.#ended[i] as number), 0);
    }
    this.#endedCount = 0;
    Atomics.store(this.#halves, (this.#at + USED_INDEX_AT) / 2, usedIndex);
  }

  #stateAt(head: number): number {
    return this.#at + HEADER_BYTES + head * STATE_BYTES;
  }
}
