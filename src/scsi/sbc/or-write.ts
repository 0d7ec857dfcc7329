/** ORWRITE: sets bits on the medium without touching those that are set already (SBC-3 5.9). */
import { bits, u } from '../cdb.ts';
import { command, WRITES_EXTENT } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import type { Segments } from '../segments.ts';
import type { Task } from '../task.ts';
import {
  blockDeviceOf,
  DPO,
  endWithBuffer,
  FUA,
  FUA_NV,
  forcesUnitAccess,
  noteCached,
  refuseLength,
  refuseRange,
} from './access.ts';
import { BOUNCE_BYTES } from './bounce.ts';
import { checkTransferFault } from './store-fault.ts';

export const ORWRITE = command(
  0x8b,
  'ORWRITE',
  16,
  { dpo: DPO, fua: FUA, fuaNv: FUA_NV, lba: u(2, 8), blocks: u(10, 4), group: bits(14, 4, 0) },
  {
    data: 'out',
    medium: 'required',
    attention: 'report',
    reservation: 'writes',
    extent: WRITES_EXTENT,
    zeroBlocks: 'none',
    writes: true,
    clause: 'SBC-3 5.9',
  },
);

/** Runs ORWRITE, a bounce buffer at a time. Once it has begun to write, an abort waits for its end: all or nothing. */
export function orWrite(task: Task): void {
  const block = blockDeviceOf(task);
  const { blockBytes } = block;
  if (refuseLength(task, block.maxTransferBlocks) || refuseRange(task, block)) return;
  const wanted = task.blocks * blockBytes;
  const arrived = Math.min(wanted, task.dataOut.bytes);
  task.dataOutWanted = wanted;
  task.dataOutMoved = 0;
  task.position = task.lba * blockBytes;
  // Of a buffer shorter than the transfer only the whole blocks count; the port reports the overflow.
  task.remaining = arrived - (arrived % blockBytes);
  if (task.remaining === 0) unitOf(task).finish(task);
  else block.bounce.acquire(task, readPiece);
}

const pieceBytes = (task: Task): number => Math.min(task.remaining, BOUNCE_BYTES);

function readPiece(task: Task): void {
  const { store, bounce } = blockDeviceOf(task);
  if (task.aborting && task.dataOutMoved === 0) {
    endWithBuffer(task);
    return;
  }
  const into = bounce.segmentsOf(task);
  task.await(store.read(task, task.position, pieceBytes(task), into), pieceRead);
}

function pieceRead(task: Task, reply: StoreReply): void {
  const { store, bounce } = blockDeviceOf(task);
  if (reply !== DONE) {
    checkTransferFault(task, reply, task.position);
    endWithBuffer(task);
    return;
  }
  const length = pieceBytes(task);
  orInto(task.dataOut, task.dataOutMoved, bounce.bytesOf(task), length);
  const durable = forcesUnitAccess(task) || !unitOf(task).writeCacheEnabled;
  const from = bounce.segmentsOf(task);
  task.await(store.write(task, task.position, length, from, durable), pieceWritten);
}

function pieceWritten(task: Task, reply: StoreReply): void {
  if (reply !== DONE) {
    checkTransferFault(task, reply, task.position);
    endWithBuffer(task);
    return;
  }
  const length = pieceBytes(task);
  task.dataOutMoved += length;
  task.position += length;
  task.remaining -= length;
  if (task.remaining > 0) {
    readPiece(task);
    return;
  }
  if (!forcesUnitAccess(task)) noteCached(task);
  endWithBuffer(task);
}

/** ORs buffer bytes [at, at + length) into the first `length` bytes of `bytes`, each read once. */
function orInto(buffer: Segments, at: number, bytes: Uint8Array, length: number): void {
  const piece = new Uint8Array(length);
  buffer.get(at, piece, 0, length);
  for (let i = 0; i < length; i += 1) bytes[i] = (bytes[i] as number) | (piece[i] as number);
}
