/** Allocator of data buffers in a region: first fit, whole cache-friendly units, neighbours merged when they come back. */
import { assert } from '../assert.ts';

/** Every buffer starts and ends on this boundary: direct I/O on the target's side can use it as it is. */
export const ARENA_UNIT_BYTES = 512;

interface Extent {
  offset: number;
  bytes: number;
}

const whole = (bytes: number): number => Math.ceil(bytes / ARENA_UNIT_BYTES) * ARENA_UNIT_BYTES;

export class Arena {
  /** Free extents in ascending order, never adjacent. */
  readonly #free: Extent[];
  readonly bytes: number;

  /** Manages [offset, offset + bytes) of a region. */
  constructor(offset: number, bytes: number) {
    const first = whole(offset);
    const room = Math.max(0, offset + bytes - first);
    this.bytes = room - (room % ARENA_UNIT_BYTES);
    this.#free = this.bytes > 0 ? [{ offset: first, bytes: this.bytes }] : [];
  }

  /** Offset of `bytes` free bytes, or -1 when no free extent is long enough now. */
  allocate(bytes: number): number {
    const wanted = whole(bytes);
    for (let i = 0; i < this.#free.length; i += 1) {
      const extent = this.#free[i] as Extent;
      if (extent.bytes < wanted) continue;
      const offset = extent.offset;
      extent.offset += wanted;
      extent.bytes -= wanted;
      if (extent.bytes === 0) this.#free.splice(i, 1);
      return offset;
    }
    return -1;
  }

  /** Gives back what `allocate(bytes)` returned. */
  release(offset: number, bytes: number): void {
    const length = whole(bytes);
    let i = 0;
    while (i < this.#free.length && (this.#free[i] as Extent).offset < offset) i += 1;
    const before = i > 0 ? (this.#free[i - 1] as Extent) : null;
    const after = this.#free[i] ?? null;
    assert(before === null || before.offset + before.bytes <= offset, 'a buffer comes back once');
    assert(after === null || offset + length <= after.offset, 'a buffer comes back once');
    const joinsBefore = before !== null && before.offset + before.bytes === offset;
    const joinsAfter = after !== null && offset + length === after.offset;
    if (joinsBefore && joinsAfter) {
      before.bytes += length + after.bytes;
      this.#free.splice(i, 1);
    } else if (joinsBefore) before.bytes += length;
    else if (joinsAfter) {
      after.offset = offset;
      after.bytes += length;
    } else this.#free.splice(i, 0, { offset, bytes: length });
  }

  /** Free bytes in all; a single buffer may find less. */
  get freeBytes(): number {
    return this.#free.reduce((sum, extent) => sum + extent.bytes, 0);
  }
}
