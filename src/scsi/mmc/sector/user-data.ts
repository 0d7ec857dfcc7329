/** Where the 2048 bytes of user data are in what a store keeps of a sector. */
import type { SectorRun } from '../disc.ts';
import { BODY_AT, SUBHEADER_BYTES, xaFormAt } from './frame.ts';

/** Offset of the user data of the sector that is kept at `at`, or -1: it is a form 2 sector. */
export function userDataAt(run: SectorRun, bytes: Uint8Array, at: number): number {
  if (run.stored === 'user') return at;
  const body = run.stored === 'raw' ? at + BODY_AT : at;
  if (run.form === 'mode1') return body;
  if (run.form === 'mixed' && xaFormAt(bytes, body) === 'form2') return -1;
  return body + SUBHEADER_BYTES;
}
