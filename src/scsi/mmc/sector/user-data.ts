/** Where the 2048 bytes of user data are in what a store keeps of a sector. */
import type { SectorRun } from '../disc.ts';

/** Bytes in front of the user data: sync pattern and header, and the subheader of mode 2 (XA). */
const HEADER_BYTES = 16;
const SUBHEADER_BYTES = 8;
/** SUBMODE of a subheader (ECMA-130, CD-ROM XA): byte 2, bit 5 says form 2. */
const SUBMODE = 2;
const FORM_2 = 0x20;

/** Offset of the user data of the sector that is kept at `at`, or -1: it is a form 2 sector. */
export function userDataAt(run: SectorRun, bytes: Uint8Array, at: number): number {
  if (run.stored === 'user') return at;
  const body = run.stored === 'raw' ? at + HEADER_BYTES : at;
  if (run.form === 'mode1') return body;
  if (run.form === 'mixed' && ((bytes[body + SUBMODE] as number) & FORM_2) !== 0) return -1;
  return body + SUBHEADER_BYTES;
}
