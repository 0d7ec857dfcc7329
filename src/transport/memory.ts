/** Shared memory of an initiator: its regions, and `translate`, the only maker of raw addresses for data. */
import { assert } from '../assert.ts';
import type { Mapping } from '../libc.ts';
import type { Segments } from '../scsi/segments.ts';

/** Longest region: a view of more kills the runtime. */
export const MAX_REGION_BYTES = 2 ** 31;

const TWO_32 = 2 ** 32;

/** One region: a handle the initiator chose, and this process's mapping of it. */
export class MemoryRegion {
  /** MEMORY HANDLE of the descriptors that name it. */
  readonly handle: number;
  readonly bytes: number;
  readonly address: number;
  readonly view: Uint8Array;
  readonly data: DataView;
  /** 32-bit words, for ring elements (Atomics). */
  readonly words: Int32Array;

  constructor(handle: number, mapping: Mapping) {
    assert(mapping.bytes <= MAX_REGION_BYTES, 'a region is at most 2 GiB');
    this.handle = handle;
    this.bytes = mapping.bytes;
    this.address = mapping.address;
    this.view = new Uint8Array(mapping.buffer);
    this.data = new DataView(mapping.buffer);
    this.words = new Int32Array(mapping.buffer, 0, Math.floor(mapping.bytes / 4));
  }
}

/** The regions of one initiator. The first one holds the rings and the IUs. */
export class GuestMemory {
  readonly regions: readonly MemoryRegion[];

  constructor(regions: readonly MemoryRegion[]) {
    assert(regions.length > 0, 'an initiator has memory');
    this.regions = regions;
  }

  /** The region of a handle, or null. */
  find(handle: number): MemoryRegion | null {
    for (let i = 0; i < this.regions.length; i += 1) {
      const region = this.regions[i] as MemoryRegion;
      if (region.handle === handle) return region;
    }
    return null;
  }

  /**
   * Checks [offset, offset + length) of region `handle` and appends it to `segments`. The 64-bit offset comes as two
   * unsigned halves. False, with nothing appended, when any byte lies outside the region or the list is full.
   * Every raw address the kernel is given for guest data is made here.
   */
  translate(
    handle: number,
    offsetHigh: number,
    offsetLow: number,
    length: number,
    segments: Segments,
  ): boolean {
    const region = this.find(handle);
    if (region === null || offsetHigh >= 0x200000) return false;
    const offset = offsetHigh * TWO_32 + offsetLow;
    if (!(length >= 0 && offset + length <= region.bytes)) return false;
    return segments.append(region, offset, length);
  }
}
