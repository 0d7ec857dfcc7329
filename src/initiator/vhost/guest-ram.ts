/** Memory of a synthetic guest: one sealed memory file that appears in guest physical space in one or several regions. */
import { assert } from '../../assert.ts';
import {
  addSeals,
  close,
  createMemoryFile,
  F_SEAL_SHRINK,
  type Mapping,
  mapShared,
  unmap,
} from '../../libc.ts';

export interface RamRegion {
  readonly guestAddress: number;
  readonly bytes: number;
  /** Virtual address in the front end: rings are named by it. */
  readonly userAddress: number;
  readonly fileOffset: number;
}

/**
 * 'whole': one region. 'hole': two, the second behind a hole at 4 GiB, as a PC has them. 'shuffled': neighbours in guest
 * physical space that lie in the file in reverse order, so that a buffer over a border is in two places.
 */
export type Layout = 'whole' | 'hole' | 'shuffled';

const RING_BYTES = 2 ** 20;
const SHUFFLED_PARTS = 6;
const FOUR_GIB = 2 ** 32;
const USER_BASE = 0x7f12_3450_0000;
/** User addresses of regions are not neighbours either. */
const USER_STRIDE = 0x1_0000_0000;

function regionsOf(layout: Layout, bytes: number): RamRegion[] {
  const region = (i: number, guestAddress: number, length: number, fileOffset: number) => ({
    guestAddress,
    bytes: length,
    userAddress: USER_BASE + i * USER_STRIDE,
    fileOffset,
  });
  if (layout === 'whole') return [region(0, 0, bytes, 0)];
  if (layout === 'hole') {
    const low = RING_BYTES + Math.floor((bytes - RING_BYTES) / 8192) * 4096;
    return [region(0, 0, low, 0), region(1, FOUR_GIB, bytes - low, low)];
  }
  const part = Math.floor((bytes - RING_BYTES) / SHUFFLED_PARTS / 4096) * 4096;
  const regions = [region(0, 0, RING_BYTES, 0)];
  for (let i = 0; i < SHUFFLED_PARTS; i += 1) {
    const fileOffset = RING_BYTES + (SHUFFLED_PARTS - 1 - i) * part;
    regions.push(region(i + 1, RING_BYTES + i * part, part, fileOffset));
  }
  return regions;
}

/** Allocations are whole units, so that each starts at a multiple of one. */
const UNIT_BYTES = 16;
const whole = (bytes: number): number => Math.ceil(bytes / UNIT_BYTES) * UNIT_BYTES;

interface Free {
  address: number;
  bytes: number;
}

export class GuestRam {
  readonly fd: number;
  readonly regions: readonly RamRegion[];
  readonly view: Uint8Array;
  readonly data: DataView;
  /** 16-bit words, for the indices of rings. */
  readonly halves: Uint16Array;
  readonly #mapping: Mapping;
  /** Where rings and tables go next: below RING_BYTES of the first region. */
  #ringNext = 4096;
  /** Free data memory in order of address. */
  readonly #free: Free[] = [];

  constructor(layout: Layout = 'whole', bytes = 8 * 2 ** 20, name = 'synthetic-guest') {
    this.fd = createMemoryFile(name, bytes);
    addSeals(this.fd, F_SEAL_SHRINK);
    this.#mapping = mapShared(this.fd, bytes);
    this.view = new Uint8Array(this.#mapping.buffer);
    this.data = new DataView(this.#mapping.buffer);
    this.halves = new Uint16Array(this.#mapping.buffer);
    this.regions = regionsOf(layout, bytes);
    for (const region of this.regions) {
      const address = Math.max(region.guestAddress, RING_BYTES);
      const end = region.guestAddress + region.bytes;
      const last = this.#free.at(-1);
      if (last !== undefined && last.address + last.bytes === address) last.bytes += end - address;
      else if (end > address) this.#free.push({ address, bytes: end - address });
    }
  }

  /** File offset of memory for a ring or a table, which is its guest physical address as well. */
  ring(bytes: number, alignment: number): number {
    const at = Math.ceil(this.#ringNext / alignment) * alignment;
    this.#ringNext = at + bytes;
    assert(this.#ringNext <= RING_BYTES, 'rings fit their part of memory');
    return at;
  }

  /** Front-end virtual address of something in the first region. */
  user(at: number): number {
    return (this.regions[0] as RamRegion).userAddress + at;
  }

  /** Guest physical address of `bytes` of free memory. */
  allocate(length: number): number {
    const bytes = whole(length);
    const free = this.#free.find((one) => one.bytes >= bytes);
    assert(free !== undefined, `${bytes} bytes of guest memory are free`);
    const { address } = free;
    free.address += bytes;
    free.bytes -= bytes;
    return address;
  }

  release(address: number, length: number): void {
    const bytes = whole(length);
    if (bytes === 0) return;
    let i = this.#free.findIndex((one) => one.address > address);
    if (i < 0) i = this.#free.length;
    this.#free.splice(i, 0, { address, bytes });
    const [before, here, after] = [this.#free[i - 1], this.#free[i] as Free, this.#free[i + 1]];
    if (after !== undefined && here.address + here.bytes === after.address) {
      here.bytes += after.bytes;
      this.#free.splice(i + 1, 1);
    }
    if (before !== undefined && before.address + before.bytes === here.address) {
      before.bytes += here.bytes;
      this.#free.splice(i, 1);
    }
  }

  write(address: number, bytes: Uint8Array): void {
    let done = 0;
    for (const piece of this.#pieces(address, bytes.length)) {
      this.view.set(bytes.subarray(done, done + piece.bytes), piece.at);
      done += piece.bytes;
    }
  }

  read(address: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    for (const piece of this.#pieces(address, length)) {
      bytes.set(this.view.subarray(piece.at, piece.at + piece.bytes), done);
      done += piece.bytes;
    }
    return bytes;
  }

  end(): void {
    unmap(this.#mapping);
    close(this.fd);
  }

  *#pieces(address: number, length: number): Generator<{ at: number; bytes: number }> {
    let at = address;
    let left = length;
    while (left > 0) {
      const from = at;
      const region = this.regions.find(
        (one) => from >= one.guestAddress && from < one.guestAddress + one.bytes,
      );
      assert(region !== undefined, `0x${from.toString(16)} is guest memory`);
      const bytes = Math.min(left, region.guestAddress + region.bytes - from);
      yield { at: region.fileOffset + from - region.guestAddress, bytes };
      at += bytes;
      left -= bytes;
    }
  }
}
