/** CD-TEXT as hosts write it: packs in R to W of the lead-in, four to a sector (MMC-6 annex J). */
import { getPacks, isPackIntact, PACK_BYTES, PACKS_PER_SECTOR } from '../sector/cd-text.ts';

const FIRST_TYPE = 0x80;

/** Collects the packs of a lead-in, which says them again and again. */
export class CdTextReader {
  readonly #packs = new Map<string, string>();

  /** Takes what a host writes of one sector. Packs that are damaged, or none, are left out. */
  take(sector: Uint8Array): void {
    const packs = new Uint8Array(PACKS_PER_SECTOR * PACK_BYTES);
    getPacks(sector, 0, packs, 0);
    for (let at = 0; at < packs.length; at += PACK_BYTES) {
      if ((packs[at] as number) < FIRST_TYPE || !isPackIntact(packs, at)) continue;
      const text = Buffer.from(packs.subarray(at, at + PACK_BYTES)).toString('hex');
      // Type, track, sequence and block say which pack it is.
      this.#packs.set(text.slice(0, 8), text);
    }
  }

  /** All packs in hexadecimal, or null. */
  get text(): string | null {
    return this.#packs.size === 0 ? null : [...this.#packs.values()].join('');
  }
}
