/** WRITE ATOMIC(16): all of its blocks are written or none, over a power cut, too (SBC-4 5.48, 4.29). */
import { bits, u } from '../cdb.ts';
import { command, WRITES_EXTENT } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import type { Task } from '../task.ts';
import { blockDeviceOf, DPO, FUA, refuseField, refuseLength, refuseRange } from './access.ts';
import { checkTransferFault } from './store-fault.ts';

const LBA = u(2, 8);
const BLOCKS = u(12, 2);

/**
 * ATOMIC BOUNDARY (bytes 10 and 11) is not declared: MAXIMUM ATOMIC BOUNDARY SIZE is zero, so a value other than zero is refused
 * like a reserved field. FUA asks for nothing more: the blocks are stable before the command ends.
 */
export const WRITE_ATOMIC_16 = command(
  0x9c,
  'WRITE ATOMIC(16)',
  16,
  { dpo: DPO, fua: FUA, lba: LBA, blocks: BLOCKS, group: bits(14, 4, 0) },
  {
    data: 'out',
    medium: 'required',
    attention: 'report',
    reservation: 'writes',
    extent: WRITES_EXTENT,
    zeroBlocks: 'none',
    writes: true,
    clause: 'SBC-4 5.48',
  },
);

/** Runs WRITE ATOMIC(16). */
export function writeAtomic(task: Task): void {
  const block = blockDeviceOf(task);
  // The range first: a range that does not exist is that, however long it is.
  if (refuseRange(task, block) || refuseLength(task, block.maxAtomicBlocks)) return;
  const unit = block.atomicUnitBlocks;
  if (task.lba % unit !== 0) {
    refuseField(task, LBA);
    return;
  }
  if (task.blocks % unit !== 0) {
    refuseField(task, BLOCKS);
    return;
  }
  const length = task.blocks * block.blockBytes;
  task.dataOutWanted = length;
  if (length === 0) {
    unitOf(task).finish(task);
    return;
  }
  // A buffer shorter than the transfer cannot be written whole, so nothing of it is.
  if (task.dataOut.bytes < length) {
    refuseField(task, BLOCKS);
    return;
  }
  const position = task.lba * block.blockBytes;
  task.await(block.store.writeAtomic(task, position, length, task.dataOut), written);
}

function written(task: Task, reply: StoreReply): void {
  if (reply === DONE) task.dataOutMoved = task.dataOutWanted;
  else checkTransferFault(task, reply, task.lba * blockDeviceOf(task).blockBytes);
  unitOf(task).finish(task);
}
