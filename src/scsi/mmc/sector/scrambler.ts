/** The scrambler of data sectors: x^15 + x + 1, over everything behind the sync pattern (ECMA-130 annex B). */
import { FRAME_BYTES, SYNC_BYTES } from './frame.ts';
import { absoluteFrames, putBcdMsf } from './msf.ts';

function sequence(): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES - SYNC_BYTES);
  let register = 1;
  for (let i = 0; i < bytes.length; i += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      bytes[i] = (bytes[i] as number) | ((register & 1) << bit);
      register = (register >> 1) | (((register ^ (register >> 1)) & 1) << 14);
    }
  }
  return bytes;
}

export const SCRAMBLER_SEQUENCE: Uint8Array = sequence();

/** Scrambles the 2352 bytes at `at`, or undoes it. */
export function scramble(frame: Uint8Array, at = 0): void {
  for (let i = 0; i < SCRAMBLER_SEQUENCE.length; i += 1) {
    const where = at + SYNC_BYTES + i;
    frame[where] = (frame[where] as number) ^ (SCRAMBLER_SEQUENCE[i] as number);
  }
}

const ADDRESS_BYTES = 3;

/** Whether the header of a sector is the scrambled one of its address: hosts that write raw have scrambled data sectors already. */
export function isScrambled(frame: Uint8Array, lba: number): boolean {
  const address = new Uint8Array(ADDRESS_BYTES);
  putBcdMsf(address, 0, absoluteFrames(lba));
  return address.every(
    (part, i) => ((frame[SYNC_BYTES + i] as number) ^ (SCRAMBLER_SEQUENCE[i] as number)) === part,
  );
}
