/** Steps shared by the commands that name a range of logical blocks: range, length and the end (SBC-3 clause 5). */
import { assert } from '../../assert.ts';
import type { CdbField } from '../cdb.ts';
import { bits } from '../cdb.ts';
import { nexusIndexOf, unitOf } from '../parameter-data.ts';
import { cdbPointer, NONE } from '../sense.ts';
import { INVALID_FIELD_IN_CDB, LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import type { BlockDevice } from './block-device.ts';

/** DPO is a hint, FUA is a promise; FUA_NV (obsolete) is taken as FUA. Same place in READ and WRITE(10), (12) and (16). */
export const DPO = bits(1, 4, 4);
export const FUA = bits(1, 3, 3);
export const FUA_NV = bits(1, 1, 1);
const FUA_BITS = FUA.mask | FUA_NV.mask;

/** The block device a running task works on: SBC tables are only composed for units that have one. */
export function blockDeviceOf(task: Task): BlockDevice {
  const { block } = unitOf(task);
  assert(block !== null, 'a block command runs on a block device');
  return block;
}

/** Whether FUA or FUA_NV is set; not for READ(6) and WRITE(6), which have LBA bits there. */
export function forcesUnitAccess(task: Task): boolean {
  return ((task.cdb[FUA.byte] as number) & FUA_BITS) !== 0;
}

/** Whether data that was answered with GOOD may still wait in a volatile cache in front of the medium. */
export function mayBeDirty(task: Task): boolean {
  return blockDeviceOf(task).store.volatileCache && unitOf(task).writeCacheEnabled;
}

/** Notes that what the task has written, and is going to be told, is not stable yet. */
export function noteCached(task: Task): void {
  if (mayBeDirty(task) && !task.aborting) unitOf(task).cachedWrites.wrote(nexusIndexOf(task));
}

/** Ends the command with CHECK CONDITION. */
export function refuse(
  task: Task,
  sense: number,
  information: number = NONE,
  fieldPointer: number = NONE,
): void {
  task.check(sense, information, fieldPointer);
  unitOf(task).finish(task);
}

/** Ends the command with 5/24/00 and a pointer to a field. */
export function refuseField(task: Task, at: CdbField): void {
  refuse(task, INVALID_FIELD_IN_CDB, NONE, cdbPointer(at.byte, 31 - Math.clz32(at.mask)));
}

/** True, and the command has ended with 5/24/00 at its length field, when it names more than `limit` blocks. */
export function refuseLength(task: Task, limit: number): boolean {
  if (task.blocks <= limit) return false;
  const at = task.row === null ? null : task.row.blocks;
  assert(at !== null, 'a command with a length limit has a length field');
  refuseField(task, at);
  return true;
}

/**
 * First block of [lba, lba + blocks) that does not exist, or -1. No blocks at LBA = capacity are in range (SBC-3 lets a
 * device choose), above it they are not. An LBA beyond 2^53 arrives rounded, but above every capacity all the same.
 */
export function firstMissingBlock(block: BlockDevice, lba: number, blocks: number): number {
  const capacity = block.blocks;
  if (lba <= capacity && blocks <= capacity - lba) return -1;
  return Math.max(lba, capacity);
}

/** INFORMATION for an LBA: none when it is too large to be exact. */
export function exactInformation(lba: number): number {
  return lba <= Number.MAX_SAFE_INTEGER ? lba : NONE;
}

/** True, and the command has ended with 5/21/00 naming the first missing LBA, when its blocks do not all exist. */
export function refuseRange(task: Task, block: BlockDevice): boolean {
  const missing = firstMissingBlock(block, task.lba, task.blocks);
  if (missing < 0) return false;
  refuse(task, LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE, exactInformation(missing));
  return true;
}

/** Ends a command that may hold a bounce buffer: answered first, then the buffer goes to the next who waits. */
export function endWithBuffer(task: Task): void {
  const { bounce } = blockDeviceOf(task);
  const held = task.scratch;
  unitOf(task).finish(task);
  if (held !== NO_BUFFER) bounce.release(held);
}

/** `task.scratch` of a command that holds no bounce buffer. */
export const NO_BUFFER = -1;
