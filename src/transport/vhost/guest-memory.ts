/**
 * Memory of a vhost-user guest: its regions, mapped in windows, and `translate`, the only maker of raw addresses for data.
 *
 *     region   |0 ------------------------------------------------------------------------- bytes|
 *     window 0 |0 ------------ 2 GiB|
 *     window 1            |STRIDE ------------ STRIDE + 2 GiB|
 *     window 2                       |2 STRIDE -------------------- the rest|
 *
 * Neighbours overlap by 1 MiB, so a ring (at most 512 KiB) lies whole in one of them.
 */
import { type Mapping, mapShared, SystemError, unmap } from '../../libc.ts';
import type { SegmentMemory, Segments } from '../../scsi/segments.ts';
import { memoryFileFault } from '../memory-file.ts';

/** Longest view this process makes; a longer one kills the runtime. */
export const WINDOW_BYTES = 2 ** 31;
/** From the start of one window to that of the next. */
export const WINDOW_STRIDE = WINDOW_BYTES - 2 ** 20;
/** Most regions of a guest: memory slots as GET_MAX_MEM_SLOTS reports them. */
export const MAX_MEMORY_REGIONS = 64;

const PAGE_BYTES = 4096;
const TWO_32 = 2 ** 32;
/** Flips a signed 32-bit number so that it compares as an unsigned one. */
const SIGN = -(2 ** 31);
/** The part of the upper address word that leaves a double exact. */
const HIGH_LIMIT = 2 ** 21;

/** One region as the front end describes it. Numbers are exact below 2^53. */
export interface RegionRequest {
  /** Guest physical address. */
  readonly guestAddress: number;
  readonly bytes: number;
  /** Virtual address in the front end, which is how it names rings. */
  readonly userAddress: number;
  /** Where the region starts in its file. */
  readonly mmapOffset: number;
}

/** A region that cannot be served. The message names the field, what it is, and what would do. */
export class VhostMemoryError extends Error {
  readonly code = 'ERR_VHOST_MEMORY';
}

/** One mapping of guest memory. */
export class MemoryWindow implements SegmentMemory {
  readonly view: Uint8Array;
  readonly address: number;
  readonly bytes: number;
  readonly data: DataView;
  /** 16- and 32-bit words, for rings. */
  readonly halves: Uint16Array;
  readonly words: Int32Array;
  /** Guest physical address of the first byte. */
  readonly guestAddress: number;
  /** Its region was removed: what lies in it is used to its end, and nothing new begins. */
  retired = false;

  constructor(mapping: Mapping, guestAddress: number) {
    this.address = mapping.address;
    this.bytes = mapping.bytes;
    this.view = new Uint8Array(mapping.buffer);
    this.data = new DataView(mapping.buffer);
    this.halves = new Uint16Array(mapping.buffer, 0, Math.floor(mapping.bytes / 2));
    this.words = new Int32Array(mapping.buffer, 0, Math.floor(mapping.bytes / 4));
    this.guestAddress = guestAddress;
  }
}

/** Where a ring lies: whole in one window. */
export interface RingPlace {
  readonly window: MemoryWindow;
  readonly offset: number;
  readonly guestAddress: number;
}

interface Region {
  readonly request: RegionRequest;
  readonly windows: readonly MemoryWindow[];
  readonly mappings: readonly Mapping[];
}

const hexadecimal = (value: number): string => `0x${value.toString(16)}`;

function checkRequest(request: RegionRequest): void {
  const { guestAddress, bytes, userAddress, mmapOffset } = request;
  for (const [field, value] of Object.entries({ guestAddress, bytes, userAddress, mmapOffset })) {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new VhostMemoryError(`region ${field} is ${value}; below 2^53 is served`);
    }
  }
  if (bytes === 0) throw new VhostMemoryError('region size is 0; at least 1 byte is served');
  for (const [field, start] of Object.entries({ guestAddress, userAddress, mmapOffset })) {
    if (!Number.isSafeInteger(start + bytes)) {
      throw new VhostMemoryError(`region ${field} plus size is past 2^53; a region ends below`);
    }
    if (start % PAGE_BYTES !== 0) {
      throw new VhostMemoryError(
        `region ${field} is ${hexadecimal(start)}; a multiple of ${PAGE_BYTES} is served`,
      );
    }
  }
}

function mapWindows(request: RegionRequest, fd: number): Region {
  const mappings: Mapping[] = [];
  const windows: MemoryWindow[] = [];
  try {
    for (let at = 0; ; at += WINDOW_STRIDE) {
      const bytes = Math.min(WINDOW_BYTES, request.bytes - at);
      const mapping = mapShared(fd, bytes, request.mmapOffset + at);
      mappings.push(mapping);
      windows.push(new MemoryWindow(mapping, request.guestAddress + at));
      if (at + bytes === request.bytes) break;
    }
  } catch (error) {
    for (const mapping of mappings) unmap(mapping);
    if (!(error instanceof SystemError)) throw error;
    throw new VhostMemoryError(`region of ${request.bytes} bytes: ${error.message}`, {
      cause: error,
    });
  }
  return { request, windows, mappings };
}

export class VhostMemory {
  readonly #regions: Region[] = [];
  /** Regions that were removed and may still be in use by a task. */
  #retired: Region[] = [];
  /** Every window: where it starts, where the next one takes over, where it ends. */
  #windows: MemoryWindow[] = [];
  #first = new Float64Array(0);
  #next = new Float64Array(0);
  #end = new Float64Array(0);
  /** The same in 32-bit halves: first address, and bytes less one. */
  #firstHigh = new Int32Array(0);
  #firstLow = new Int32Array(0);
  #lastByte = new Int32Array(0);
  /** The window of the last hit: neighbours in a request are neighbours in memory. */
  #last = 0;

  /** Bytes of every region. */
  get bytes(): number {
    let sum = 0;
    for (const { request } of this.#regions) sum += request.bytes;
    return sum;
  }

  get regionCount(): number {
    return this.#regions.length;
  }

  /** Maps a region. The descriptor stays the caller's. Throws VhostMemoryError and is unchanged then. */
  add(request: RegionRequest, fd: number): void {
    checkRequest(request);
    if (this.#regions.length >= MAX_MEMORY_REGIONS) {
      throw new VhostMemoryError(`regions are ${MAX_MEMORY_REGIONS} already; no more are served`);
    }
    const { guestAddress, bytes, mmapOffset } = request;
    for (const { request: other } of this.#regions) {
      if (
        guestAddress < other.guestAddress + other.bytes &&
        other.guestAddress < guestAddress + bytes
      ) {
        throw new VhostMemoryError(
          `region guestAddress ${hexadecimal(guestAddress)} overlaps the region at ${hexadecimal(other.guestAddress)}`,
        );
      }
    }
    const fault = memoryFileFault(fd, mmapOffset + bytes);
    if (fault !== null) {
      throw new VhostMemoryError(
        `region fd ${fault}; use "-object memory-backend-memfd,id=mem,size=...,share=on" without hugetlb`,
      );
    }
    this.#regions.push(mapWindows(request, fd));
    this.#index();
  }

  /**
   * Takes a region away: nothing is translated to it any more. It stays mapped for the tasks that use it until
   * `unmapRetired`. False when there is no such region.
   */
  remove(request: RegionRequest): boolean {
    const at = this.#regions.findIndex(
      ({ request: own }) =>
        own.guestAddress === request.guestAddress &&
        own.userAddress === request.userAddress &&
        own.bytes === request.bytes,
    );
    if (at < 0) return false;
    const [region] = this.#regions.splice(at, 1) as [Region];
    for (const window of region.windows) window.retired = true;
    this.#retired.push(region);
    this.#index();
    return true;
  }

  /** Whether a removed region is still mapped. */
  get retiring(): boolean {
    return this.#retired.length > 0;
  }

  /** Unmaps what was removed. Only when no task is in flight. */
  unmapRetired(): void {
    const retired = this.#retired;
    this.#retired = [];
    for (const { mappings } of retired) for (const mapping of mappings) unmap(mapping);
  }

  /** Removes every region; they stay mapped until `unmapRetired`. */
  removeAll(): void {
    for (const { request } of [...this.#regions]) this.remove(request);
  }

  /** Removes and unmaps everything. Only when no task is in flight. */
  clear(): void {
    this.removeAll();
    this.unmapRetired();
  }

  /**
   * Appends the guest's bytes [address, address + length) to `segments`, as many pieces as windows and regions make of
   * them. The address comes as two 32-bit halves, signed or not. False when a byte lies in no region or the list is full:
   * what was appended by then is the caller's to clear.
   * Every raw address the kernel is given for guest data is made here.
   */
  translate(addressHigh: number, addressLow: number, length: number, segments: Segments): boolean {
    if (length <= 0) return length === 0;
    const i = this.#last;
    if (i < this.#windows.length) {
      // In the window of the last hit, and whole in it: what nearly every buffer is. 64-bit arithmetic on 32-bit halves, for
      // a double costs a heap number as soon as it is not kept in a register.
      const firstLow = this.#firstLow[i] as number;
      const offset = (addressLow - firstLow) | 0;
      const borrow = ((addressLow ^ SIGN) | 0) < ((firstLow ^ SIGN) | 0) ? 1 : 0;
      const inside = ((addressHigh - (this.#firstHigh[i] as number) - borrow) | 0) === 0;
      if (inside && offset >= 0 && length - 1 <= (this.#lastByte[i] as number) - offset) {
        return segments.append(this.#windows[i] as MemoryWindow, offset, length);
      }
    }
    return this.#translateElsewhere(addressHigh, addressLow, length, segments);
  }

  /** A buffer in another window than the last one, or in several. */
  #translateElsewhere(
    addressHigh: number,
    addressLow: number,
    length: number,
    segments: Segments,
  ): boolean {
    if (addressHigh >>> 0 >= HIGH_LIMIT) return false;
    let address = (addressHigh >>> 0) * TWO_32 + (addressLow >>> 0);
    let left = length;
    const count = this.#windows.length;
    while (left > 0) {
      let i = 0;
      while (i < count) {
        if (address >= (this.#first[i] as number) && address < (this.#next[i] as number)) break;
        i += 1;
      }
      if (i === count) return false;
      this.#last = i;
      const part = Math.min(left, (this.#end[i] as number) - address) | 0;
      const offset = (address - (this.#first[i] as number)) | 0;
      if (!segments.append(this.#windows[i] as MemoryWindow, offset, part)) return false;
      address += part;
      left -= part;
    }
    return true;
  }

  /** Where the ring at a front-end virtual address lies, or null when no region holds all of it. */
  ring(userAddress: number, bytes: number): RingPlace | null {
    for (const { request, windows } of this.#regions) {
      const at = userAddress - request.userAddress;
      if (!(at >= 0 && at + bytes <= request.bytes)) continue;
      const i = Math.min(Math.floor(at / WINDOW_STRIDE), windows.length - 1);
      const window = windows[i] as MemoryWindow;
      const offset = at - i * WINDOW_STRIDE;
      if (offset + bytes > window.bytes) return null;
      return { window, offset, guestAddress: request.guestAddress + at };
    }
    return null;
  }

  #index(): void {
    this.#windows = this.#regions.flatMap(({ windows }) => windows);
    this.#first = Float64Array.from(this.#windows, (window) => window.guestAddress);
    this.#end = Float64Array.from(this.#windows, (window) => window.guestAddress + window.bytes);
    this.#next = Float64Array.from(this.#regions.flatMap(takeovers));
    this.#firstHigh = Int32Array.from(this.#first, (address) => Math.floor(address / TWO_32));
    this.#firstLow = Int32Array.from(this.#first, (address) => (address % TWO_32) | 0);
    this.#lastByte = Int32Array.from(this.#windows, (window) => window.bytes - 1);
    this.#last = 0;
  }
}

/** Where each window of a region hands over to the next; the last one at the end of the region. */
function takeovers({ request, windows }: Region): number[] {
  const starts = Array.from(windows, (window) => window.guestAddress);
  return [...starts.toSpliced(0, 1), request.guestAddress + request.bytes];
}
