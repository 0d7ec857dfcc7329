/** READ(6), READ(10), READ(12) and READ(16) (SBC-3 5.11 to 5.13; READ(6): SBC-2 5.5). */
import { bits, u, wide } from '../cdb.ts';
import { command, READS_EXTENT } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import type { Task } from '../task.ts';
import {
  blockDeviceOf,
  DPO,
  FUA,
  FUA_NV,
  forcesUnitAccess,
  mayBeDirty,
  refuseLength,
  refuseRange,
} from './access.ts';
import { checkFlushFault, checkTransferFault } from './store-fault.ts';

const POLICY = {
  data: 'in',
  medium: 'required',
  attention: 'report',
  reservation: 'reads',
  extent: READS_EXTENT,
  zeroBlocks: 'none',
} as const;

export const READ_6 = command(
  0x08,
  'READ(6)',
  6,
  { lba: wide(1, 3, 0x1f), blocks: u(4, 1) },
  { ...POLICY, zeroBlocks: '256', clause: 'SBC-2 5.5' },
);
export const READ_10 = command(
  0x28,
  'READ(10)',
  10,
  { dpo: DPO, fua: FUA, fuaNv: FUA_NV, lba: u(2, 4), group: bits(6, 4, 0), blocks: u(7, 2) },
  { ...POLICY, clause: 'SBC-3 5.11' },
);
export const READ_12 = command(
  0xa8,
  'READ(12)',
  12,
  { dpo: DPO, fua: FUA, fuaNv: FUA_NV, lba: u(2, 4), blocks: u(6, 4), group: bits(10, 4, 0) },
  { ...POLICY, clause: 'SBC-3 5.12' },
);
export const READ_16 = command(
  0x88,
  'READ(16)',
  16,
  { dpo: DPO, fua: FUA, fuaNv: FUA_NV, lba: u(2, 8), blocks: u(10, 4), group: bits(14, 4, 0) },
  { ...POLICY, clause: 'SBC-3 5.13' },
);

/** READ(6), which has no FUA bit. */
export function read6(task: Task): void {
  start(task, false);
}

/** READ(10), READ(12), READ(16). */
export function read(task: Task): void {
  start(task, forcesUnitAccess(task));
}

function start(task: Task, forced: boolean): void {
  const block = blockDeviceOf(task);
  if (refuseLength(task, block.maxTransferBlocks) || refuseRange(task, block)) return;
  const wanted = task.blocks * block.blockBytes;
  task.dataInWanted = wanted;
  // A buffer shorter than the transfer gets what fits; the port reports the overflow.
  task.remaining = Math.min(wanted, task.dataIn.bytes);
  if (task.remaining === 0) {
    unitOf(task).finish(task);
  } else if (forced && mayBeDirty(task)) {
    task.await(block.store.flush(task), flushed);
  } else {
    transfer(task);
  }
}

/** FUA: what a volatile cache holds is on the medium before it is returned (SBC-3 5.11, FUA bit). */
function flushed(task: Task, reply: StoreReply): void {
  if (reply === DONE && !task.aborting) {
    transfer(task);
    return;
  }
  if (reply !== DONE) checkFlushFault(task, reply);
  unitOf(task).finish(task);
}

function transfer(task: Task): void {
  const { store, blockBytes } = blockDeviceOf(task);
  const position = task.lba * blockBytes;
  task.await(store.read(task, position, task.remaining, task.dataIn), transferred);
}

function transferred(task: Task, reply: StoreReply): void {
  if (reply === DONE) {
    task.dataInMoved = task.remaining;
  } else {
    task.dataInMoved = Math.min(task.storedBytes, task.remaining);
    checkTransferFault(task, reply, task.lba * blockDeviceOf(task).blockBytes);
  }
  unitOf(task).finish(task);
}
