/** SYNCHRONIZE CACHE(10) and SYNCHRONIZE CACHE(16) (SBC-3 5.26, 5.27). */
import { bits, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { nexusIndexOf, unitOf } from '../parameter-data.ts';
import type { Task } from '../task.ts';
import { blockDeviceOf, refuseRange } from './access.ts';
import { checkFlushFault } from './store-fault.ts';

/** SYNC_NV is obsolete: what reaches the medium has passed every non-volatile cache too. */
const SYNC_NV = bits(1, 2, 2);
const IMMED = bits(1, 1, 1);

const POLICY = {
  data: 'none',
  medium: 'required',
  attention: 'report',
  reservation: 'writes',
  extent: TOUCHES_NOTHING,
  zeroBlocks: 'rest',
} as const;

export const SYNCHRONIZE_CACHE_10 = command(
  0x35,
  'SYNCHRONIZE CACHE(10)',
  10,
  { syncNv: SYNC_NV, immed: IMMED, lba: u(2, 4), group: bits(6, 4, 0), blocks: u(7, 2) },
  { ...POLICY, clause: 'SBC-3 5.26' },
);
export const SYNCHRONIZE_CACHE_16 = command(
  0x91,
  'SYNCHRONIZE CACHE(16)',
  16,
  { syncNv: SYNC_NV, immed: IMMED, lba: u(2, 8), blocks: u(10, 4), group: bits(14, 4, 0) },
  { ...POLICY, clause: 'SBC-3 5.27' },
);

/**
 * Flushes the whole unit, whatever range is named. IMMED = 1 allows status before the end; waiting for the end is
 * allowed too, and needs no deferred error when the flush fails.
 */
export function synchronizeCache(task: Task): void {
  const block = blockDeviceOf(task);
  if (refuseRange(task, block)) return;
  task.position = unitOf(task).cachedWrites.count;
  task.await(block.store.flush(task), flushed);
}

function flushed(task: Task, reply: StoreReply): void {
  const unit = unitOf(task);
  if (reply === DONE) {
    unit.cachedWrites.stable(task.position);
    unit.onFlushed(nexusIndexOf(task));
  } else {
    checkFlushFault(task, reply);
  }
  unit.finish(task);
}
