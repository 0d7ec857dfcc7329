/** COMPARE AND WRITE: writes blocks if they hold what the initiator thinks they hold, and nothing otherwise (SBC-3 5.2). */
import { bits, u } from '../cdb.ts';
import { command, WRITES_EXTENT } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import { INVALID_FIELD_IN_CDB, MISCOMPARE_DURING_VERIFY_OPERATION } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import {
  blockDeviceOf,
  DPO,
  endWithBuffer,
  FUA,
  FUA_NV,
  forcesUnitAccess,
  noteCached,
  refuse,
  refuseLength,
  refuseRange,
} from './access.ts';
import { checkTransferFault } from './store-fault.ts';
import { firstDifference } from './verify.ts';

export const COMPARE_AND_WRITE = command(
  0x89,
  'COMPARE AND WRITE',
  16,
  { dpo: DPO, fua: FUA, fuaNv: FUA_NV, lba: u(2, 8), blocks: u(13, 1), group: bits(14, 4, 0) },
  {
    data: 'out',
    medium: 'required',
    attention: 'report',
    reservation: 'writes',
    extent: WRITES_EXTENT,
    zeroBlocks: 'none',
    writes: true,
    clause: 'SBC-3 5.2',
  },
);

/**
 * Runs COMPARE AND WRITE: the data-out buffer holds the N blocks to compare and then the N blocks to write. No other command
 * that touches these blocks runs meanwhile (the task set orders by extent), and the blocks reach the store in one request.
 */
export function compareAndWrite(task: Task): void {
  const block = blockDeviceOf(task);
  if (refuseLength(task, block.maxCompareAndWriteBlocks) || refuseRange(task, block)) return;
  const half = task.blocks * block.blockBytes;
  task.dataOutWanted = half * 2;
  if (task.dataOut.bytes !== half * 2) {
    // Neither a part of the comparison nor of the data may be made up; and 256 blocks, which the field cannot say, are not 0.
    refuse(task, INVALID_FIELD_IN_CDB);
    return;
  }
  if (half === 0) {
    unitOf(task).finish(task);
    return;
  }
  task.position = task.lba * block.blockBytes;
  task.remaining = half;
  block.bounce.acquire(task, granted);
}

function granted(task: Task): void {
  const { store, bounce } = blockDeviceOf(task);
  task.await(store.read(task, task.position, task.remaining, bounce.segmentsOf(task)), wasRead);
}

function wasRead(task: Task, reply: StoreReply): void {
  const { store, bounce } = blockDeviceOf(task);
  const { position, remaining: half } = task;
  if (reply !== DONE) {
    checkTransferFault(task, reply, position);
    endWithBuffer(task);
    return;
  }
  const bytes = bounce.bytesOf(task);
  task.dataOutMoved = half * 2;
  const different = firstDifference(task.dataOut, 0, bytes, 0, half);
  if (different >= 0) {
    // INFORMATION is the offset in the data-out buffer, not an LBA.
    task.check(MISCOMPARE_DURING_VERIFY_OPERATION, different);
  }
  if (different >= 0 || task.aborting) {
    endWithBuffer(task);
    return;
  }
  task.dataOut.get(half, bytes, 0, half);
  const durable = forcesUnitAccess(task) || !unitOf(task).writeCacheEnabled;
  task.await(store.write(task, position, half, bounce.segmentsOf(task), durable), written);
}

function written(task: Task, reply: StoreReply): void {
  if (reply !== DONE) checkTransferFault(task, reply, task.position);
  else if (!forcesUnitAccess(task)) noteCached(task);
  endWithBuffer(task);
}
