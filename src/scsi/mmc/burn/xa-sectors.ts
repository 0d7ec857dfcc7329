/** XA sectors whose subheader the host gave: what is kept of them is what is behind the header, EDC and parity included. */
import {
  isSubheader,
  MODE_1_DATA_BYTES,
  MODE_2_DATA_BYTES,
  SUBHEADER_BYTES,
  sealBody,
  xaFormAt,
} from '../sector/frame.ts';
import type { Piece } from './write-plan.ts';

/** Bytes of a sector of `piece` that are kept. */
export function keptBytes({ seal, bytes }: Piece): number {
  return seal === undefined ? bytes : MODE_2_DATA_BYTES;
}

/** Byte of what is kept where that begins which the host sends. */
export function sentAt({ seal }: Piece): number {
  return seal === undefined || seal === 'sent' ? 0 : SUBHEADER_BYTES;
}

/**
 * Makes what is kept of the sector whose sent bytes are at `at`, from `sentAt` on. False: it is none, its subheader is not there
 * twice or says another form than the track has.
 */
export function seal(piece: Piece, bytes: Uint8Array, at: number): boolean {
  const { seal: how, form: wanted } = piece;
  if (how === undefined) return true;
  if (how !== 'sent') {
    bytes.set(how, at);
    bytes.set(how, at + how.length);
  }
  const form = xaFormAt(bytes, at);
  if (!isSubheader(bytes, at) || (wanted !== 'mixed' && wanted !== form)) return false;
  const from = at + sentAt(piece) + piece.bytes;
  bytes.fill(0, from, at + MODE_2_DATA_BYTES);
  sealBody(bytes, at, form);
  return true;
}

/** Bytes of a sector of `piece`, as the host sends it, that are kept as they are: a form 1 sector has fewer than a mixed block. */
export function comparableBytes(piece: Piece, kept: Uint8Array, at: number): number {
  if (piece.seal !== 'sent' || xaFormAt(kept, at) === 'form2') return piece.bytes;
  return SUBHEADER_BYTES + MODE_1_DATA_BYTES;
}
