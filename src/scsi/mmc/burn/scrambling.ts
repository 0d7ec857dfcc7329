/** The scrambler of data sectors (ECMA-130 annex B): hosts that write raw have scrambled them already. */
import { timeOf } from './sub-channel-reader.ts';

const SYNC_BYTES = 12;
const SECTOR_BYTES = 2352;

/** x^15 + x + 1 from 1 on, least significant bit first. */
function sequence(): Uint8Array {
  const bytes = new Uint8Array(SECTOR_BYTES - SYNC_BYTES);
  let register = 1;
  for (let i = 0; i < bytes.length * 8; i += 1) {
    if ((register & 1) !== 0) bytes[i >> 3] = (bytes[i >> 3] as number) | (1 << (i & 7));
    const fed = (register ^ (register >> 1)) & 1;
    register = (register >> 1) | (fed << 14);
  }
  return bytes;
}

const SEQUENCE: Uint8Array = sequence();

/** Whether the header of a sector is the scrambled one of its address. */
export function isScrambled(sector: Uint8Array, lba: number): boolean {
  return timeOf(lba).every(
    (part, i) => ((sector[SYNC_BYTES + i] as number) ^ (SEQUENCE[i] as number)) === part,
  );
}

/** Takes the scrambling away, or puts it on. */
export function descramble(sector: Uint8Array): void {
  for (let i = 0; i < SEQUENCE.length; i += 1) {
    sector[SYNC_BYTES + i] = (sector[SYNC_BYTES + i] as number) ^ (SEQUENCE[i] as number);
  }
}
