/** CD-TEXT as hosts write it: packs of 18 bytes in R to W of the lead-in, four to a sector (MMC-6 annex J). */

const SECTOR_BYTES = 96;
const PACK_BYTES = 18;
const PACKS = 4;
/** Symbols of six bits that a pack takes: four for three bytes. */
const PACK_SYMBOLS = 24;

/** CRC-16 (1021h) of a pack: the last two bytes are the complement of that of the others. */
export function packCrc(pack: Uint8Array): number {
  let crc = 0;
  for (const byte of pack.subarray(0, PACK_BYTES - 2)) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    crc &= 0xffff;
  }
  return ~crc & 0xffff;
}

function packAt(sector: Uint8Array, at: number): Uint8Array {
  const pack = new Uint8Array(PACK_BYTES);
  for (let i = 0; i < PACK_BYTES / 3; i += 1) {
    const symbol = (n: number): number => (sector[at + i * 4 + n] as number) & 0x3f;
    const bits = (symbol(0) << 18) | (symbol(1) << 12) | (symbol(2) << 6) | symbol(3);
    pack.set([bits >> 16, (bits >> 8) & 0xff, bits & 0xff], i * 3);
  }
  return pack;
}

/** Collects the packs of a lead-in, which says them again and again. */
export class CdTextReader {
  readonly #packs = new Map<string, string>();

  /** Takes what a host writes of one sector. Packs that are damaged, or none, are left out. */
  take(sector: Uint8Array): void {
    for (let i = 0; i < PACKS && (i + 1) * PACK_SYMBOLS <= SECTOR_BYTES; i += 1) {
      const pack = packAt(sector, i * PACK_SYMBOLS);
      const crc = ((pack[16] as number) << 8) | (pack[17] as number);
      if ((pack[0] as number) < 0x80 || crc !== packCrc(pack)) continue;
      const text = Buffer.from(pack).toString('hex');
      // Type, track, sequence and block say which pack it is.
      this.#packs.set(text.slice(0, 8), text);
    }
  }

  /** All packs in hexadecimal, or null. */
  get text(): string | null {
    return this.#packs.size === 0 ? null : [...this.#packs.values()].join('');
  }
}
