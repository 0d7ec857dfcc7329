/** What a ring offers, read from guest memory by virtio 1.2 clause 2.7: heads, and which bytes the device may write. */
import { DATA_AT, GUEST_BASE, type Ring } from './generated-requests.ts';

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

export interface RingModel {
  /** Offered, in order. */
  readonly heads: readonly number[];
  readonly writableBytes: ReadonlyMap<number, number>;
  /** Offset and length of every writable buffer that a head leads to. */
  readonly writes: readonly (readonly [at: number, bytes: number])[];
  /** The device may write to rings, tables or headers. */
  readonly overlaps: boolean;
}

class ChainWalk {
  readonly #data: DataView;
  readonly #indirect: boolean;
  readonly writes: [number, number][] = [];
  writable = 0;

  constructor(data: DataView, indirect: boolean) {
    this.#data = data;
    this.#indirect = indirect;
  }

  /** Follows a table; what is not allowed ends the walk, for the device reads no further either. */
  follow(table: number, entries: number, first: number, direct: boolean): void {
    let index = first;
    for (let links = 0; links < entries && index < entries; links += 1) {
      const at = table + 16 * index;
      const address = Number(this.#data.getBigUint64(at, true)) - GUEST_BASE;
      const length = this.#data.getUint32(at + 8, true);
      const flags = this.#data.getUint16(at + 12, true);
      if ((flags & INDIRECT) !== 0) {
        if (direct && this.#indirect) this.#enter(address, length);
        return;
      }
      if ((flags & WRITE) !== 0) this.#write(address, length);
      if ((flags & NEXT) === 0) return;
      index = this.#data.getUint16(at + 14, true);
    }
  }

  #enter(address: number, length: number): void {
    const inside = address >= 0 && address + length <= this.#data.byteLength;
    if (inside && length % 16 === 0) this.follow(address, length / 16, 0, false);
  }

  /** Memory behind the end of the region is nobody's. */
  #write(address: number, length: number): void {
    this.writable += length;
    const from = Math.max(0, address);
    const to = Math.min(this.#data.byteLength, address + length);
    if (to > from) this.writes.push([from, to - from]);
  }
}

export function modelRing(data: DataView, ring: Ring, indirect: boolean): RingModel {
  const index = data.getUint16(ring.avail + 2, true);
  const heads: number[] = [];
  const writes: [number, number][] = [];
  const writableBytes = new Map<number, number>();
  for (let i = 0; i < Math.min(index, ring.size); i += 1) {
    const head = data.getUint16(ring.avail + 4 + 2 * i, true);
    heads.push(head);
    const walk = new ChainWalk(data, indirect);
    walk.follow(ring.desc, ring.size, head, true);
    writes.push(...walk.writes);
    writableBytes.set(head, walk.writable);
  }
  return { heads, writableBytes, writes, overlaps: writes.some(([at]) => at < DATA_AT) };
}
