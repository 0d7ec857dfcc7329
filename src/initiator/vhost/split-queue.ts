/** The driver's side of a split virtqueue (virtio 1.2, 2.7): descriptors, available ring, used ring, notifications. */
import { assert } from '../../assert.ts';
import { expect } from './back-end-error.ts';
import type { GuestRam } from './guest-ram.ts';

export interface Piece {
  readonly address: number;
  readonly length: number;
}

export const NEXT = 1;
export const WRITE = 2;
export const INDIRECT = 4;
const NO_NOTIFY = 1;
const TABLE_ENTRIES = 48;

export interface QueueOptions {
  readonly size: number;
  readonly eventIndex: boolean;
  readonly indirect: boolean;
}

export class SplitQueue {
  readonly size: number;
  /** File offsets and guest physical addresses of the three parts. */
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  readonly #ram: GuestRam;
  readonly #options: QueueOptions;
  /** One indirect table for each descriptor. */
  readonly #tables: number;
  #free: number[];
  /** Descriptors of the chain that starts at a head. */
  readonly #chains = new Map<number, number[]>();
  #next = 0;
  /** Available index when the device was last considered for a notification. */
  #announced = 0;
  #seen = 0;

  constructor(ram: GuestRam, options: QueueOptions) {
    const { size } = options;
    this.size = size;
    this.#ram = ram;
    this.#options = options;
    this.desc = ram.ring(16 * size, 16);
    this.avail = ram.ring(6 + 2 * size, 2);
    this.used = ram.ring(6 + 8 * size, 4);
    this.#tables = options.indirect ? ram.ring(size * TABLE_ENTRIES * 16, 16) : 0;
    this.#free = Array.from({ length: size }, (_, i) => i);
  }

  /** Descriptors nobody uses. */
  get free(): number {
    return this.#free.length;
  }

  /** Starts again from index zero, as a driver does after a device reset. */
  reset(): void {
    const { view } = this.#ram;
    view.fill(0, this.avail, this.avail + 6 + 2 * this.size);
    view.fill(0, this.used, this.used + 6 + 8 * this.size);
    this.#free = Array.from({ length: this.size }, (_, i) => i);
    this.#chains.clear();
    this.#next = 0;
    this.#announced = 0;
    this.#seen = 0;
  }

  /** Makes a chain available and returns its head. Readable pieces come first (2.7.4.2). */
  add(readable: readonly Piece[], writable: readonly Piece[]): number {
    const pieces = [...readable, ...writable];
    const flags = (i: number): number =>
      (i < readable.length ? 0 : WRITE) | (i < pieces.length - 1 ? NEXT : 0);
    let heads: number[];
    if (this.#options.indirect) {
      heads = this.#take(1);
      const head = heads[0] as number;
      const table = this.#tables + head * TABLE_ENTRIES * 16;
      assert(pieces.length <= TABLE_ENTRIES, 'the table holds the chain');
      pieces.forEach((piece, i) => {
        this.describe(i, piece, flags(i), i + 1, table);
      });
      this.describe(head, { address: table, length: pieces.length * 16 }, INDIRECT, 0);
    } else {
      heads = this.#take(pieces.length);
      pieces.forEach((piece, i) => {
        this.describe(heads[i] as number, piece, flags(i), heads[i + 1] ?? 0);
      });
    }
    const head = heads[0] as number;
    this.#chains.set(head, heads);
    this.offer(head);
    return head;
  }

  /** Writes descriptor `i` of a table. */
  describe(i: number, piece: Piece, flags: number, next: number, table = this.desc): void {
    const { data } = this.#ram;
    const at = table + 16 * i;
    data.setBigUint64(at, BigInt(piece.address), true);
    data.setUint32(at + 8, piece.length, true);
    data.setUint16(at + 12, flags, true);
    data.setUint16(at + 14, next & 0xffff, true);
  }

  /** Puts a head into the available ring. */
  offer(head: number): void {
    const { data, halves } = this.#ram;
    data.setUint16(this.avail + 4 + 2 * (this.#next % this.size), head, true);
    this.#next = (this.#next + 1) & 0xffff;
    Atomics.store(halves, this.avail / 2 + 1, this.#next);
  }

  /** Whether the device wants to hear of what was made available since the last time (2.7.10). */
  kickNeeded(): boolean {
    const { halves } = this.#ram;
    const [before, now] = [this.#announced, this.#next];
    this.#announced = now;
    if (before === now) return false;
    if (!this.#options.eventIndex) return (Atomics.load(halves, this.used / 2) & NO_NOTIFY) === 0;
    const event = Atomics.load(halves, this.used / 2 + 2 + 4 * this.size);
    return ((now - event - 1) & 0xffff) < ((now - before) & 0xffff);
  }

  /** The next used element, or null. Its descriptors are free again. */
  take(): { readonly head: number; readonly written: number } | null {
    const { data, halves } = this.#ram;
    if (Atomics.load(halves, this.used / 2 + 1) === this.#seen) return null;
    const at = this.used + 4 + 8 * (this.#seen % this.size);
    this.#seen = (this.#seen + 1) & 0xffff;
    const head = data.getUint32(at, true);
    const chain = this.#chains.get(head);
    expect(chain !== undefined, `uses element ${head}, which it was not given`);
    this.#chains.delete(head);
    this.#free.push(...chain);
    return { head, written: data.getUint32(at + 4, true) };
  }

  /** Asks for an interrupt at the next used element. True: something is there already (2.7.7.1). */
  arm(): boolean {
    const { halves } = this.#ram;
    if (this.#options.eventIndex) {
      Atomics.store(halves, this.avail / 2 + 2 + this.size, this.#seen);
    }
    return Atomics.load(halves, this.used / 2 + 1) !== this.#seen;
  }

  #take(count: number): number[] {
    assert(this.#free.length >= count, `${count} descriptors are free`);
    return this.#free.splice(0, count);
  }
}
