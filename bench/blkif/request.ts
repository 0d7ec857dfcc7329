/** blkif requests and responses, x86_64 and x86_32 layouts (xen/include/public/io/blkif.h); 64-bit fields are two halves. */
import { record } from '../../src/record.ts';

export const READ = 0;
export const WRITE = 1;
export const WRITE_BARRIER = 2;
export const FLUSH_DISKCACHE = 3;
/** Not a request of blkif proper: SUSE's packet extension used it. */
export const RESERVED = 4;
export const DISCARD = 5;
export const INDIRECT = 6;

export const STATUS_OKAY = 0;
export const STATUS_ERROR = -1;
export const STATUS_NOT_SUPPORTED = -2;

/** Sectors of every field of blkif, whatever the logical block of the disk. */
export const SECTOR_BYTES = 512;
export const MAX_SEGMENTS = 11;
export const MAX_INDIRECT_PAGES = 8;
/** `flag` of DISCARD. */
export const DISCARD_SECURE = 1;

const SEGMENT = record(8, { gref: 'u32le', first: 'u8', last: 'u8', unused: ['pad', 2] });

const TRANSFER_64 = record(24, {
  operation: 'u8',
  segments: 'u8',
  handle: 'u16le',
  unused: ['pad', 4],
  idLow: 'u32le',
  idHigh: 'u32le',
  sectorLow: 'u32le',
  sectorHigh: 'u32le',
});
const TRANSFER_32 = record(20, {
  operation: 'u8',
  segments: 'u8',
  handle: 'u16le',
  idLow: 'u32le',
  idHigh: 'u32le',
  sectorLow: 'u32le',
  sectorHigh: 'u32le',
});
const DISCARD_64 = record(32, {
  operation: 'u8',
  flag: 'u8',
  handle: 'u16le',
  unused: ['pad', 4],
  idLow: 'u32le',
  idHigh: 'u32le',
  sectorLow: 'u32le',
  sectorHigh: 'u32le',
  countLow: 'u32le',
  countHigh: 'u32le',
});
const DISCARD_32 = record(28, {
  operation: 'u8',
  flag: 'u8',
  handle: 'u16le',
  idLow: 'u32le',
  idHigh: 'u32le',
  sectorLow: 'u32le',
  sectorHigh: 'u32le',
  countLow: 'u32le',
  countHigh: 'u32le',
});
const INDIRECT_64 = record(64, {
  operation: 'u8',
  inner: 'u8',
  segments: 'u16le',
  unused: ['pad', 4],
  idLow: 'u32le',
  idHigh: 'u32le',
  sectorLow: 'u32le',
  sectorHigh: 'u32le',
  handle: 'u16le',
  alignment: ['pad', 2],
  grefs: ['bytes', 4 * MAX_INDIRECT_PAGES],
  tail: ['pad', 4],
});
const INDIRECT_32 = record(64, {
  operation: 'u8',
  inner: 'u8',
  segments: 'u16le',
  idLow: 'u32le',
  idHigh: 'u32le',
  sectorLow: 'u32le',
  sectorHigh: 'u32le',
  handle: 'u16le',
  alignment: ['pad', 2],
  grefs: ['bytes', 4 * MAX_INDIRECT_PAGES],
  tail: ['pad', 8],
});
const RESPONSE_64 = record(16, {
  idLow: 'u32le',
  idHigh: 'u32le',
  operation: 'u8',
  unused: ['pad', 1],
  status: 'u16le',
  tail: ['pad', 4],
});
const RESPONSE_32 = record(12, {
  idLow: 'u32le',
  idHigh: 'u32le',
  operation: 'u8',
  unused: ['pad', 1],
  status: 'u16le',
});

const SEGMENT_GREF = SEGMENT.at.gref;
const SEGMENT_FIRST = SEGMENT.at.first;
const SEGMENT_LAST = SEGMENT.at.last;

/** A decoded request, preallocated and reused. Fields an operation does not have keep their last value. */
export class Request {
  operation = 0;
  handle = 0;
  idHigh = 0;
  idLow = 0;
  sectorHigh = 0;
  sectorLow = 0;
  /** As the client said it, not checked: only the first MAX_SEGMENTS of a direct request are decoded. */
  segments = 0;
  readonly gref = new Uint32Array(MAX_SEGMENTS);
  /** First and last sector of each segment within its page, both included. */
  readonly first = new Uint8Array(MAX_SEGMENTS);
  readonly last = new Uint8Array(MAX_SEGMENTS);
  /** DISCARD. */
  flag = 0;
  countHigh = 0;
  countLow = 0;
  /** INDIRECT: the operation it carries, and the pages of its segment list. */
  inner = 0;
  readonly listGref = new Uint32Array(MAX_INDIRECT_PAGES);
}

/** A decoded response, preallocated and reused. */
export class Response {
  idHigh = 0;
  idLow = 0;
  operation = 0;
  /** STATUS_*. */
  status = 0;
}

type Layouts =
  | readonly [typeof TRANSFER_64, typeof DISCARD_64, typeof INDIRECT_64, typeof RESPONSE_64]
  | readonly [typeof TRANSFER_32, typeof DISCARD_32, typeof INDIRECT_32, typeof RESPONSE_32];

/** One ABI: where each field lies. Offsets are those of the first byte of the entry in `data`. */
export class Abi {
  /** Bytes of a ring entry: the longest request. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly #transferBytes: number;
  readonly #transfer: (typeof TRANSFER_64)['at'];
  readonly #discard: (typeof DISCARD_64)['at'];
  readonly #discardBytes: number;
  readonly #indirect: (typeof INDIRECT_64)['at'];
  readonly #indirectBytes: number;
  readonly #response: (typeof RESPONSE_64)['at'];

  constructor([transfer, discard, indirect, response]: Layouts) {
    this.requestBytes = transfer.size + MAX_SEGMENTS * SEGMENT.size;
    this.responseBytes = response.size;
    this.#transferBytes = transfer.size;
    this.#transfer = transfer.at;
    this.#discard = discard.at;
    this.#discardBytes = discard.size;
    this.#indirect = indirect.at;
    this.#indirectBytes = indirect.size;
    this.#response = response.at;
  }

  /** Reads the request at byte `at` of private memory into `into`. */
  decodeRequest(data: DataView, at: number, into: Request): void {
    const t = this.#transfer;
    into.operation = data.getUint8(at + t.operation);
    into.idLow = data.getUint32(at + t.idLow, true);
    into.idHigh = data.getUint32(at + t.idHigh, true);
    into.sectorLow = data.getUint32(at + t.sectorLow, true);
    into.sectorHigh = data.getUint32(at + t.sectorHigh, true);
    if (into.operation === INDIRECT) this.#decodeIndirect(data, at, into);
    else if (into.operation === DISCARD) this.#decodeDiscard(data, at, into);
    else this.#decodeTransfer(data, at, into);
  }

  #decodeTransfer(data: DataView, at: number, into: Request): void {
    const t = this.#transfer;
    into.segments = data.getUint8(at + t.segments);
    into.handle = data.getUint16(at + t.handle, true);
    const held = Math.min(into.segments, MAX_SEGMENTS);
    let segment = at + this.#transferBytes;
    for (let i = 0; i < held; i += 1) {
      into.gref[i] = data.getUint32(segment + SEGMENT_GREF, true);
      into.first[i] = data.getUint8(segment + SEGMENT_FIRST);
      into.last[i] = data.getUint8(segment + SEGMENT_LAST);
      segment += SEGMENT.size;
    }
  }

  #decodeDiscard(data: DataView, at: number, into: Request): void {
    const d = this.#discard;
    into.segments = 0;
    into.flag = data.getUint8(at + d.flag);
    into.handle = data.getUint16(at + d.handle, true);
    into.countLow = data.getUint32(at + d.countLow, true);
    into.countHigh = data.getUint32(at + d.countHigh, true);
  }

  #decodeIndirect(data: DataView, at: number, into: Request): void {
    const n = this.#indirect;
    into.inner = data.getUint8(at + n.inner);
    into.segments = data.getUint16(at + n.segments, true);
    into.handle = data.getUint16(at + n.handle, true);
    for (let i = 0; i < MAX_INDIRECT_PAGES; i += 1) {
      into.listGref[i] = data.getUint32(at + n.grefs + 4 * i, true);
    }
  }

  /** Writes `from` at byte `at` and returns how many bytes the request takes. Its segment count fits. */
  encodeRequest(data: DataView, at: number, from: Request): number {
    const t = this.#transfer;
    data.setUint32(at, 0);
    if (t.idLow > 4) data.setUint32(at + 4, 0);
    data.setUint8(at + t.operation, from.operation);
    data.setUint32(at + t.idLow, from.idLow, true);
    data.setUint32(at + t.idHigh, from.idHigh, true);
    data.setUint32(at + t.sectorLow, from.sectorLow, true);
    data.setUint32(at + t.sectorHigh, from.sectorHigh, true);
    if (from.operation === INDIRECT) return this.#encodeIndirect(data, at, from);
    if (from.operation === DISCARD) return this.#encodeDiscard(data, at, from);
    return this.#encodeTransfer(data, at, from);
  }

  #encodeTransfer(data: DataView, at: number, from: Request): number {
    const t = this.#transfer;
    data.setUint8(at + t.segments, from.segments);
    data.setUint16(at + t.handle, from.handle, true);
    let segment = at + this.#transferBytes;
    for (let i = 0; i < from.segments; i += 1) {
      data.setUint32(segment + SEGMENT_GREF, from.gref[i] as number, true);
      data.setUint32(segment + SEGMENT_FIRST, 0);
      data.setUint8(segment + SEGMENT_FIRST, from.first[i] as number);
      data.setUint8(segment + SEGMENT_LAST, from.last[i] as number);
      segment += SEGMENT.size;
    }
    return segment - at;
  }

  #encodeDiscard(data: DataView, at: number, from: Request): number {
    const d = this.#discard;
    data.setUint8(at + d.flag, from.flag);
    data.setUint16(at + d.handle, from.handle, true);
    data.setUint32(at + d.countLow, from.countLow, true);
    data.setUint32(at + d.countHigh, from.countHigh, true);
    return this.#discardBytes;
  }

  #encodeIndirect(data: DataView, at: number, from: Request): number {
    const n = this.#indirect;
    data.setUint8(at + n.inner, from.inner);
    data.setUint16(at + n.segments, from.segments, true);
    for (let i = at + n.handle; i < at + this.#indirectBytes; i += 4) data.setUint32(i, 0);
    data.setUint16(at + n.handle, from.handle, true);
    for (let i = 0; i < MAX_INDIRECT_PAGES; i += 1) {
      data.setUint32(at + n.grefs + 4 * i, from.listGref[i] as number, true);
    }
    return this.#indirectBytes;
  }

  /** Writes a whole response at byte `at`, padding included: no byte of the server's memory goes along. */
  encodeResponse(
    data: DataView,
    at: number,
    idHigh: number,
    idLow: number,
    operation: number,
    status: number,
  ): void {
    const r = this.#response;
    data.setUint32(at + r.idLow, idLow, true);
    data.setUint32(at + r.idHigh, idHigh, true);
    data.setUint32(at + r.operation, operation | ((status & 0xffff) << 16), true);
    if (this.responseBytes > r.operation + 4) data.setUint32(at + r.operation + 4, 0);
  }

  /** Reads the response at byte `at` of private memory into `into`. */
  decodeResponse(data: DataView, at: number, into: Response): void {
    const r = this.#response;
    into.idLow = data.getUint32(at + r.idLow, true);
    into.idHigh = data.getUint32(at + r.idHigh, true);
    into.operation = data.getUint8(at + r.operation);
    into.status = data.getInt16(at + r.status, true);
  }
}

export const X86_64 = new Abi([TRANSFER_64, DISCARD_64, INDIRECT_64, RESPONSE_64]);
export const X86_32 = new Abi([TRANSFER_32, DISCARD_32, INDIRECT_32, RESPONSE_32]);
