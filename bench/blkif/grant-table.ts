/** Grant references of the comparator: page numbers of one shared region, the pages of the ring itself excepted. */
import type { Segments } from '../../src/scsi/segments.ts';
import type { GuestMemory } from '../../src/transport/memory.ts';
import { SECTOR_BYTES } from './request.ts';
import { PAGE_BYTES } from './ring.ts';

export class GrantTable {
  readonly #memory: GuestMemory;
  readonly #handle: number;
  readonly #firstPage: number;
  readonly #endPage: number;

  /** Grants pages [firstPage, endPage) of the region `handle`, for ever and writable (as persistent grants are). */
  constructor(memory: GuestMemory, handle: number, firstPage: number, endPage: number) {
    this.#memory = memory;
    this.#handle = handle;
    this.#firstPage = firstPage;
    this.#endPage = endPage;
  }

  /** Appends sectors [first, last] of page `gref`; the caller has checked that they lie within a page. False: not granted. */
  append(gref: number, first: number, last: number, segments: Segments): boolean {
    if (gref < this.#firstPage || gref >= this.#endPage) return false;
    const offset = gref * PAGE_BYTES + first * SECTOR_BYTES;
    const length = (last - first + 1) * SECTOR_BYTES;
    return this.#memory.translate(this.#handle, 0, offset, length, segments);
  }
}
