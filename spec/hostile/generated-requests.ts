/** Fills the rings of a generated guest: requests as virtio 1.2, 5.6.6 has them, then some words changed. */
import type { Seeded } from '../transport/control/seeded.ts';
import { hostileWord, pick } from './generated-case.ts';

export const GUEST_BASE = 0x1_0000_0000;
export const BYTES = 0x10000;
/** Tables, headers and data-out lie below, what the device writes from here on. */
export const DATA_AT = 0x8000;
const TABLES_AT = 0x1000;
const HEADERS_AT = 0x2000;
const TABLE_BYTES = 0x100;
const HEADER_STRIDE = 0x600;
const DATA_STRIDE = 0x800;
const CHAINS = 16;

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const POISON = 0xa5;
const CDB_AT = 19;

export interface Ring {
  readonly size: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
}

export const RINGS: readonly [Ring, Ring, Ring] = [
  { size: 8, desc: 0x000, avail: 0x100, used: 0x180 },
  { size: 4, desc: 0x400, avail: 0x500, used: 0x580 },
  { size: 16, desc: 0x800, avail: 0xa00, used: 0xa80 },
];

export interface RingPlan {
  readonly eventIndex: boolean;
  readonly indirect: boolean;
}

interface Part {
  readonly at: number;
  readonly length: number;
  readonly write: boolean;
}

/** Commands that leave the logical unit as it is, but for data. Reads from block 4096 on are slow. */
const COMMANDS: readonly (readonly number[])[] = [
  [0x00, 0, 0, 0, 0, 0],
  [0x03, 0, 0, 0, 252, 0],
  [0x12, 0, 0, 0, 96, 0],
  [0x12, 1, 0x83, 0, 255, 0],
  [0x1a, 0, 0x3f, 0, 255, 0],
  [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [0x28, 0, 0, 0, 0, 1, 0, 0, 2, 0],
  [0x28, 0, 0, 0, 0x10, 1, 0, 0, 1, 0],
  [0x2a, 0, 0, 0, 0, 1, 0, 0, 1, 0],
  [0x2f, 2, 0, 0, 0, 1, 0, 0, 1, 0],
  [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  [0x41, 0, 0, 0, 0, 1, 0, 0, 1, 0],
  [0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0],
  [0x88, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0],
  [0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0],
  [0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
  [0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
  [0xff, 0, 0, 0, 0, 0],
];

class Filling {
  readonly #random: Seeded;
  readonly #view: Uint8Array;
  readonly #data: DataView;
  readonly #plan: RingPlan;
  /** Next free descriptor of each ring, and chains made so far. */
  readonly #next = [0, 0, 0];
  readonly #offered = [0, 0, 0];
  #chains = 0;

  constructor(random: Seeded, view: Uint8Array, data: DataView, plan: RingPlan) {
    this.#random = random;
    this.#view = view;
    this.#data = data;
    this.#plan = plan;
  }

  /** A header at a place of its own: where it lies. */
  #header(bytes: readonly number[]): number {
    const at = HEADERS_AT + this.#chains * HEADER_STRIDE + this.#random.below(4);
    this.#view.set(bytes, at);
    return at;
  }

  /** A place for what the device writes. */
  get #room(): number {
    return DATA_AT + this.#chains * DATA_STRIDE + 16 + this.#random.below(4);
  }

  command(): void {
    const random = this.#random;
    const header = new Array<number>(51).fill(0);
    header[0] = 1;
    header[8] = random.below(4);
    header[16] = random.below(4) > 0 ? 0 : random.below(5);
    pick(random, COMMANDS).forEach((byte, i) => {
      header[CDB_AT + i] = byte;
    });
    const at = this.#header(header);
    const shape = random.below(4);
    const dataOut = shape === 1 ? random.below(1100) : 0;
    const dataIn = shape > 1 ? random.below(1200) : 0;
    this.#offer(2, [
      ...this.#cut(at, 51 + dataOut, false),
      ...this.#cut(this.#room, 108 + dataIn, true),
    ]);
  }

  control(): void {
    const random = this.#random;
    const isTmf = random.below(4) > 0;
    const bytes = new Array<number>(isTmf ? 24 : 16).fill(0);
    bytes[0] = isTmf ? 0 : 1 + random.below(2);
    if (isTmf) bytes[4] = random.below(9);
    bytes[isTmf ? 8 : 4] = 1;
    if (isTmf) bytes[16] = random.below(4);
    const at = this.#header(bytes);
    const room = { at: this.#room, length: isTmf ? 1 : 5, write: true };
    this.#offer(0, [{ at, length: bytes.length, write: false }, room]);
  }

  event(): void {
    this.#offer(1, [{ at: this.#room, length: 16 + this.#random.below(8), write: true }]);
  }

  /** Cuts memory into up to four buffers. */
  #cut(at: number, length: number, write: boolean): Part[] {
    const parts: Part[] = [];
    let done = 0;
    for (let i = this.#random.below(3); i > 0 && done < length; i -= 1) {
      const part = this.#random.below(length - done + 1);
      parts.push({ at: at + done, length: part, write });
      done += part;
    }
    return [...parts, { at: at + done, length: length - done, write }];
  }

  #offer(index: 0 | 1 | 2, parts: readonly Part[]): void {
    const ring = RINGS[index];
    const head = this.#next[index] as number;
    const inTable = this.#plan.indirect && this.#random.below(2) === 0;
    const needed = inTable ? 1 : parts.length;
    if (head + needed > ring.size || this.#chains === CHAINS - 1) return;
    if (inTable) {
      const table = TABLES_AT + this.#chains * TABLE_BYTES;
      this.#chain(table, 0, parts);
      this.#describe(ring.desc + 16 * head, table, parts.length * 16, INDIRECT, 0);
    } else {
      this.#chain(ring.desc, head, parts);
    }
    this.#next[index] = head + needed;
    const offered = this.#offered[index] as number;
    this.#data.setUint16(ring.avail + 4 + 2 * offered, head, true);
    this.#offered[index] = offered + 1;
    this.#data.setUint16(ring.avail + 2, offered + 1, true);
    this.#chains += 1;
  }

  #chain(table: number, first: number, parts: readonly Part[]): void {
    parts.forEach((part, i) => {
      const last = i === parts.length - 1;
      const flags = (part.write ? WRITE : 0) | (last ? 0 : NEXT);
      this.#describe(table + 16 * (first + i), part.at, part.length, flags, first + i + 1);
    });
  }

  #describe(at: number, offset: number, length: number, flags: number, next: number): void {
    this.#data.setBigUint64(at, BigInt(GUEST_BASE + offset), true);
    this.#data.setUint32(at + 8, length, true);
    this.#data.setUint16(at + 12, flags, true);
    this.#data.setUint16(at + 14, next, true);
  }

  /** Changes one word of a descriptor, of a table, of a header, or of an available ring. */
  disturb(): void {
    const random = this.#random;
    const data = this.#data;
    const kind = random.below(8);
    const ring = pick(random, RINGS);
    if (kind < 3) {
      this.#word(ring.desc + 4 * random.below(4 * ring.size));
    } else if (kind < 5) {
      this.#word(TABLES_AT + random.below(this.#chains + 1) * TABLE_BYTES + 4 * random.below(20));
    } else if (kind === 5) {
      const at = HEADERS_AT + random.below(this.#chains + 1) * HEADER_STRIDE + random.below(18);
      this.#view[at] = random.below(256);
    } else if (kind === 6) {
      const at = ring.avail + 2 * random.below(3 + ring.size);
      data.setUint16(at, hostileWord(random, data.getUint16(at, true)) & 0xffff, true);
    } else {
      // A buffer somewhere else in memory: rings, tables, other buffers.
      const at = ring.desc + 16 * random.below(ring.size);
      data.setBigUint64(at, BigInt(GUEST_BASE + random.below(BYTES + 64)), true);
    }
  }

  #word(at: number): void {
    const data = this.#data;
    data.setUint32(at, hostileWord(this.#random, data.getUint32(at, true)), true);
  }
}

/** Fills the memory of a guest; what the device may write is poison before. */
export function fillRings(random: Seeded, view: Uint8Array, data: DataView): RingPlan {
  const plan = { eventIndex: random.below(2) === 0, indirect: random.below(4) > 0 };
  view.fill(0, 0, TABLES_AT + CHAINS * TABLE_BYTES);
  view.fill(POISON, HEADERS_AT);
  const filling = new Filling(random, view, data, plan);
  for (let i = random.below(6); i >= 0; i -= 1) filling.command();
  for (let i = random.below(3); i > 0; i -= 1) filling.control();
  for (let i = random.below(3); i > 0; i -= 1) filling.event();
  for (let i = random.below(5); i > 0; i -= 1) filling.disturb();
  return plan;
}
