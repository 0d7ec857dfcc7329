/** blkif client: preallocated requests, and the checks a client owes itself before it believes a response. */
import { assert } from '../../src/assert.ts';
import { type Abi, DISCARD, MAX_SEGMENTS, Request, Response, SECTOR_BYTES } from './request.ts';
import { type ClientRing, PAGE_BYTES } from './ring.ts';

const LAST_SECTOR = PAGE_BYTES / SECTOR_BYTES - 1;
const TWO_32 = 2 ** 32;
/** The id of a request is its index under this constant upper half, so that the whole 64 bits are checked. */
const ID_HIGH = 0x626c6b69;
const NOTHING = -1;

/** Longest transfer of one request: eleven whole pages. */
export const MAX_TRANSFER_BYTES = MAX_SEGMENTS * PAGE_BYTES;

/** A request has ended: its index and STATUS_*. */
export type Completed = (index: number, status: number) => void;

export class Frontend {
  readonly ring: ClientRing;
  /** The server answered with an unknown id, another operation or an impossible producer: nothing more is believed. */
  broken = false;
  readonly #abi: Abi;
  readonly #handle: number;
  /** Operation of each outstanding request, or NOTHING. */
  readonly #operation: Int32Array;
  readonly #completed: Completed;
  readonly #request = new Request();
  readonly #response = new Response();
  readonly #copy: Int32Array;
  readonly #copyData: DataView;

  /** `handle` is the virtual device number. */
  constructor(ring: ClientRing, abi: Abi, handle: number, completed: Completed) {
    this.ring = ring;
    this.#abi = abi;
    this.#handle = handle;
    this.#operation = new Int32Array(ring.slots).fill(NOTHING);
    this.#completed = completed;
    const buffer = new ArrayBuffer(abi.responseBytes);
    this.#copy = new Int32Array(buffer);
    this.#copyData = new DataView(buffer);
  }

  /** Writes a request for `bytes` bytes at `sector` to or from the granted pages `gref`, `gref + 1`, … `bytes` may be 0. */
  transfer(index: number, operation: number, sector: number, gref: number, bytes: number): void {
    assert(
      bytes <= MAX_TRANSFER_BYTES && bytes % SECTOR_BYTES === 0,
      'a transfer fits its segments',
    );
    const request = this.#begin(index, operation, sector);
    const pages = Math.ceil(bytes / PAGE_BYTES);
    request.segments = pages;
    for (let i = 0; i < pages; i += 1) {
      request.gref[i] = gref + i;
      request.first[i] = 0;
      request.last[i] = LAST_SECTOR;
    }
    const rest = bytes % PAGE_BYTES;
    if (rest > 0) request.last[pages - 1] = rest / SECTOR_BYTES - 1;
    this.#abi.encodeRequest(this.ring.data, this.ring.nextRequest(), request);
  }

  /** Writes a DISCARD of `sectors` sectors. */
  discard(index: number, sector: number, sectors: number, flag: number): void {
    const request = this.#begin(index, DISCARD, sector);
    request.flag = flag;
    request.countHigh = Math.floor(sectors / TWO_32);
    request.countLow = sectors >>> 0;
    this.#abi.encodeRequest(this.ring.data, this.ring.nextRequest(), request);
  }

  #begin(index: number, operation: number, sector: number): Request {
    assert(this.#operation[index] === NOTHING && this.ring.free() > 0, 'a request slot is free');
    this.#operation[index] = operation;
    const request = this.#request;
    request.operation = operation;
    request.handle = this.#handle;
    request.idHigh = ID_HIGH;
    request.idLow = index;
    request.sectorHigh = Math.floor(sector / TWO_32);
    request.sectorLow = sector >>> 0;
    return request;
  }

  /** Takes every response that is there and returns how many; none once broken. */
  poll(): number {
    const available = this.ring.available();
    if (this.ring.broken) this.broken = true;
    let taken = 0;
    while (taken < available && !this.broken) {
      this.ring.take(this.#copy);
      this.#abi.decodeResponse(this.#copyData, 0, this.#response);
      this.#complete(this.#response);
      taken += 1;
    }
    return taken;
  }

  #complete(response: Response): void {
    const index = response.idLow;
    const known = response.idHigh === ID_HIGH && index < this.#operation.length;
    const operation = known ? (this.#operation[index] as number) : NOTHING;
    if (operation === NOTHING || response.operation !== operation) {
      this.broken = true;
      return;
    }
    this.#operation[index] = NOTHING;
    this.#completed(index, response.status);
  }
}
