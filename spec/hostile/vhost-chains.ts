/** Descriptors, headers and buffers that a hostile driver writes by hand into the memory of its guest. */

import { lunField, REQUESTS } from '../../src/initiator/vhost/scsi-driver.ts';
import {
  INDIRECT,
  NEXT,
  type Piece,
  type SplitQueue,
  WRITE,
} from '../../src/initiator/vhost/split-queue.ts';
import type { Pair } from '../support/vhost/back-end.ts';

export const HEADER_BYTES = 51;
export const POISON = 0xa5;

/** The request queue of a guest, to be written by hand. */
export const ring = (pair: Pair, index = REQUESTS): SplitQueue =>
  pair.frontEnd.queues[index] as SplitQueue;

/** Memory of a guest, filled with poison. */
export function room(pair: Pair, bytes: number): Piece {
  const address = pair.frontEnd.ram.allocate(bytes);
  pair.frontEnd.ram.write(address, new Uint8Array(bytes).fill(POISON));
  return { address, length: bytes };
}

/** A request header in the guest's memory. */
export function header(pair: Pair, cdb: readonly number[], lun = lunField(0), tag = 7): Piece {
  const piece = room(pair, HEADER_BYTES);
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(lun, 0);
  bytes[8] = tag;
  bytes.set(cdb, 19);
  pair.frontEnd.ram.write(piece.address, bytes);
  return piece;
}

export const READ_1 = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];

export function writeDescriptor(
  pair: Pair,
  at: number,
  piece: Piece,
  flags: number,
  next: number,
): void {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(piece.address), true);
  view.setUint32(8, piece.length, true);
  view.setUint16(12, flags, true);
  view.setUint16(14, next, true);
  pair.frontEnd.ram.write(at, bytes);
}

export function offerTable(pair: Pair, length: number): void {
  ring(pair).describe(0, { address: room(pair, 64).address, length }, INDIRECT, 0);
  ring(pair).offer(0);
}

/** A direct chain: readable, writable, and what does not belong behind it. */
export function offerChain(
  pair: Pair,
  readable: readonly Piece[],
  writable: readonly Piece[],
  late: readonly Piece[] = [],
): void {
  const pieces = [...readable, ...writable, ...late];
  pieces.forEach((piece, i) => {
    const writes = i >= readable.length && i < readable.length + writable.length;
    const flags = (writes ? WRITE : 0) | (i < pieces.length - 1 ? NEXT : 0);
    ring(pair).describe(i, piece, flags, i + 1);
  });
  ring(pair).offer(0);
}
