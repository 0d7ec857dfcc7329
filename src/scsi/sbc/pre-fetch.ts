/** PRE-FETCH(10) and PRE-FETCH(16): brings blocks into the cache and says whether all of them are there (SBC-3 5.7, 5.8). */
import { bits, u } from '../cdb.ts';
import { command, READS_EXTENT } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import { CONDITION_MET } from '../sam.ts';
import type { Task } from '../task.ts';
import { blockDeviceOf, endWithBuffer, refuseRange } from './access.ts';
import { BOUNCE_BYTES } from './bounce.ts';
import { checkTransferFault } from './store-fault.ts';

/** IMMED = 1 allows status before the end; waiting for the end is allowed, too, and tells more. */
const IMMED = bits(1, 1, 1);

const POLICY = {
  data: 'none',
  medium: 'required',
  attention: 'report',
  reservation: 'reads',
  extent: READS_EXTENT,
  zeroBlocks: 'rest',
} as const;

export const PRE_FETCH_10 = command(
  0x34,
  'PRE-FETCH(10)',
  10,
  { immed: IMMED, lba: u(2, 4), group: bits(6, 4, 0), blocks: u(7, 2) },
  { ...POLICY, clause: 'SBC-3 5.7' },
);
export const PRE_FETCH_16 = command(
  0x90,
  'PRE-FETCH(16)',
  16,
  { immed: IMMED, lba: u(2, 8), blocks: u(10, 4), group: bits(14, 4, 0) },
  { ...POLICY, clause: 'SBC-3 5.8' },
);

/**
 * Runs PRE-FETCH. At most one transfer's worth of blocks is brought in: a longer range ends GOOD (not all of it is in the
 * cache), a whole one CONDITION MET.
 */
export function preFetch(task: Task): void {
  const block = blockDeviceOf(task);
  if (refuseRange(task, block)) return;
  task.position = task.lba * block.storedBlockBytes;
  task.remaining = Math.min(task.blocks, block.maxTransferBlocks) * block.storedBlockBytes;
  if (task.remaining > 0) {
    block.bounce.acquire(task, readPiece);
    return;
  }
  task.status = CONDITION_MET;
  unitOf(task).finish(task);
}

function readPiece(task: Task): void {
  const { store, bounce } = blockDeviceOf(task);
  const length = Math.min(task.remaining, BOUNCE_BYTES);
  task.await(store.read(task, task.position, length, bounce.segmentsOf(task)), pieceRead);
}

function pieceRead(task: Task, reply: StoreReply): void {
  const block = blockDeviceOf(task);
  if (reply !== DONE) {
    checkTransferFault(task, reply, task.position);
    endWithBuffer(task);
    return;
  }
  const length = Math.min(task.remaining, BOUNCE_BYTES);
  task.position += length;
  task.remaining -= length;
  if (task.remaining > 0 && !task.aborting) {
    readPiece(task);
    return;
  }
  if (task.blocks <= block.maxTransferBlocks) task.status = CONDITION_MET;
  endWithBuffer(task);
}
