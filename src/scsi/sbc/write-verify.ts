/** WRITE AND VERIFY(10), (12) and (16): writes through to the medium, reads it back, compares it when asked to (SBC-3 5.36 to 5.38). */
import { bits, field, u } from '../cdb.ts';
import { command, WRITES_EXTENT } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import type { Task } from '../task.ts';
import { blockDeviceOf, DPO, refuseField, refuseLength, refuseRange } from './access.ts';
import { checkTransferFault } from './store-fault.ts';
import { BYTCHK, COMPARE_EACH, verifyWritten } from './verify.ts';

const POLICY = {
  data: 'out',
  medium: 'required',
  attention: 'report',
  reservation: 'writes',
  extent: WRITES_EXTENT,
  zeroBlocks: 'none',
  writes: true,
} as const;

export const WRITE_AND_VERIFY_10 = command(
  0x2e,
  'WRITE AND VERIFY(10)',
  10,
  { dpo: DPO, bytchk: BYTCHK, lba: u(2, 4), group: bits(6, 4, 0), blocks: u(7, 2) },
  { ...POLICY, clause: 'SBC-3 5.36' },
);
export const WRITE_AND_VERIFY_12 = command(
  0xae,
  'WRITE AND VERIFY(12)',
  12,
  { dpo: DPO, bytchk: BYTCHK, lba: u(2, 4), blocks: u(6, 4), group: bits(10, 4, 0) },
  { ...POLICY, clause: 'SBC-3 5.37' },
);
export const WRITE_AND_VERIFY_16 = command(
  0x8e,
  'WRITE AND VERIFY(16)',
  16,
  { dpo: DPO, bytchk: BYTCHK, lba: u(2, 8), blocks: u(10, 4), group: bits(14, 4, 0) },
  { ...POLICY, clause: 'SBC-3 5.38' },
);

/** Runs WRITE AND VERIFY. What is verified is the medium: the write is durable whatever the write cache says. */
export function writeAndVerify(task: Task): void {
  const block = blockDeviceOf(task);
  const { blockBytes } = block;
  if (field(task.cdb, BYTCHK) > COMPARE_EACH) {
    refuseField(task, BYTCHK);
    return;
  }
  if (refuseLength(task, block.maxTransferBlocks) || refuseRange(task, block)) return;
  const wanted = task.blocks * blockBytes;
  const arrived = Math.min(wanted, task.dataOut.bytes);
  task.dataOutWanted = wanted;
  // Of a buffer shorter than the transfer only the whole blocks are written; the port reports the overflow.
  task.remaining = arrived - (arrived % blockBytes);
  if (task.remaining === 0) {
    unitOf(task).finish(task);
    return;
  }
  const position = task.lba * blockBytes;
  task.await(block.store.write(task, position, task.remaining, task.dataOut, true), written);
}

function written(task: Task, reply: StoreReply): void {
  if (reply === DONE) {
    task.dataOutMoved = task.remaining;
    verifyWritten(task);
    return;
  }
  task.dataOutMoved = Math.min(task.storedBytes, task.remaining);
  checkTransferFault(task, reply, task.lba * blockDeviceOf(task).blockBytes);
  unitOf(task).finish(task);
}
