/** WRITE(6), WRITE(10), WRITE(12) and WRITE(16) (SBC-3 5.33 to 5.35; WRITE(6): SBC-2 5.24). */
import { bits, u, wide } from '../cdb.ts';
import { command, WRITES_EXTENT } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import type { Task } from '../task.ts';
import {
  blockDeviceOf,
  DPO,
  FUA,
  FUA_NV,
  forcesUnitAccess,
  noteCached,
  refuseLength,
  refuseRange,
} from './access.ts';
import { checkTransferFault } from './store-fault.ts';

const POLICY = {
  data: 'out',
  medium: 'required',
  attention: 'report',
  reservation: 'writes',
  extent: WRITES_EXTENT,
  zeroBlocks: 'none',
  writes: true,
} as const;

export const WRITE_6 = command(
  0x0a,
  'WRITE(6)',
  6,
  { lba: wide(1, 3, 0x1f), blocks: u(4, 1) },
  { ...POLICY, zeroBlocks: '256', clause: 'SBC-2 5.24' },
);
export const WRITE_10 = command(
  0x2a,
  'WRITE(10)',
  10,
  { dpo: DPO, fua: FUA, fuaNv: FUA_NV, lba: u(2, 4), group: bits(6, 4, 0), blocks: u(7, 2) },
  { ...POLICY, clause: 'SBC-3 5.33' },
);
export const WRITE_12 = command(
  0xaa,
  'WRITE(12)',
  12,
  { dpo: DPO, fua: FUA, fuaNv: FUA_NV, lba: u(2, 4), blocks: u(6, 4), group: bits(10, 4, 0) },
  { ...POLICY, clause: 'SBC-3 5.34' },
);
export const WRITE_16 = command(
  0x8a,
  'WRITE(16)',
  16,
  { dpo: DPO, fua: FUA, fuaNv: FUA_NV, lba: u(2, 8), blocks: u(10, 4), group: bits(14, 4, 0) },
  { ...POLICY, clause: 'SBC-3 5.35' },
);

/** WRITE(6), which has no FUA bit. */
export function write6(task: Task): void {
  start(task, false);
}

/** WRITE(10), WRITE(12), WRITE(16). */
export function write(task: Task): void {
  start(task, forcesUnitAccess(task));
}

function start(task: Task, forced: boolean): void {
  const block = blockDeviceOf(task);
  const unit = unitOf(task);
  if (refuseLength(task, block.maxTransferBlocks) || refuseRange(task, block)) return;
  const { blockBytes } = block;
  const wanted = task.blocks * blockBytes;
  const arrived = Math.min(wanted, task.dataOut.bytes);
  task.dataOutWanted = wanted;
  // Of a buffer shorter than the transfer only the whole blocks are written; the port reports the overflow.
  task.remaining = arrived - (arrived % blockBytes);
  if (task.remaining === 0) {
    unit.finish(task);
    return;
  }
  const durable = forced || !unit.writeCacheEnabled;
  const position = task.lba * blockBytes;
  task.scratch = durable ? 1 : 0;
  task.await(block.store.write(task, position, task.remaining, task.dataOut, durable), transferred);
}

function transferred(task: Task, reply: StoreReply): void {
  if (reply === DONE) {
    task.dataOutMoved = task.remaining;
    if (task.scratch === 0) noteCached(task);
  } else {
    task.dataOutMoved = Math.min(task.storedBytes, task.remaining);
    checkTransferFault(task, reply, task.lba * blockDeviceOf(task).blockBytes);
  }
  unitOf(task).finish(task);
}
