/** XDWRITEREAD(10): writes blocks, and returns what they change: old and new data, XORed (SBC-3 5.50). Bidirectional. */
import { bits, field, u } from '../cdb.ts';
import { command, WRITES_EXTENT } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
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

const DISABLE_WRITE = bits(1, 2, 2);

export const XDWRITEREAD_10 = command(
  0x53,
  'XDWRITEREAD(10)',
  10,
  {
    dpo: DPO,
    fua: FUA,
    disableWrite: DISABLE_WRITE,
    fuaNv: FUA_NV,
    lba: u(2, 4),
    group: bits(6, 4, 0),
    blocks: u(7, 2),
  },
  {
    data: 'both',
    medium: 'required',
    attention: 'report',
    reservation: 'writes',
    extent: WRITES_EXTENT,
    zeroBlocks: 'none',
    writes: true,
    clause: 'SBC-3 5.50',
  },
);

/**
 * Runs XDWRITEREAD, a bounce buffer at a time. Blocks that did not come are neither read nor written; of the answer goes as much as
 * fits. Once it has begun to write, an abort waits for its end: all or nothing.
 */
export function xdWriteRead(task: Task): void {
  const block = blockDeviceOf(task);
  const { blockBytes } = block;
  if (refuseLength(task, block.maxTransferBlocks) || refuseRange(task, block)) return;
  const wanted = task.blocks * blockBytes;
  const arrived = Math.min(wanted, task.dataOut.bytes);
  task.dataOutWanted = wanted;
  task.dataInWanted = wanted;
  task.position = task.lba * blockBytes;
  task.remaining = arrived - (arrived % blockBytes);
  if (task.remaining === 0) unitOf(task).finish(task);
  else block.bounce.acquire(task, readPiece);
}

/** DISABLE WRITE = 0. */
const writes = (task: Task): boolean => field(task.cdb, DISABLE_WRITE) === 0;
const pieceBytes = (task: Task): number => Math.min(task.remaining, BOUNCE_BYTES);

function readPiece(task: Task): void {
  const { store, bounce } = blockDeviceOf(task);
  if (task.aborting && (task.dataOutMoved === 0 || !writes(task))) {
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
  const old = bounce.bytesOf(task);
  // The initiator may change its memory, or have one buffer for both directions: what is written is what was XORed.
  const sent = new Uint8Array(length);
  task.dataOut.get(task.dataOutMoved, sent, 0, length);
  for (let i = 0; i < length; i += 1) old[i] = (old[i] as number) ^ (sent[i] as number);
  const fitting = Math.max(0, Math.min(length, task.dataIn.bytes - task.dataInMoved));
  task.dataIn.put(task.dataInMoved, old, 0, fitting);
  task.dataInMoved += fitting;
  if (!writes(task)) {
    pieceWritten(task, DONE);
    return;
  }
  old.set(sent);
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
  if (writes(task) && !forcesUnitAccess(task)) noteCached(task);
  endWithBuffer(task);
}
