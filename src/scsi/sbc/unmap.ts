/** UNMAP, for thin units (SBC-3 5.28, 4.7). */
import { bits, type CdbFields, field, u } from '../cdb.ts';
import { type CommandRow, command, WRITES_UNIT } from '../command-table.ts';
import { DONE, PENDING, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import { NONE, parameterBytePointer } from '../sense.ts';
import {
  INVALID_FIELD_IN_PARAMETER_LIST,
  LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE,
  PARAMETER_LIST_LENGTH_ERROR,
} from '../sense-codes.ts';
import type { Task } from '../task.ts';
import {
  blockDeviceOf,
  endWithBuffer,
  exactInformation,
  firstMissingBlock,
  refuse,
} from './access.ts';
import { MAX_UNMAP_BLOCKS, MAX_UNMAP_DESCRIPTORS } from './limits.ts';
import { checkFlushFault, checkTransferFault } from './store-fault.ts';

const LIST_LENGTH = u(7, 2);
/** A row without ANCHOR refuses the bit: there the handler finds it clear. */
const ANCHOR = bits(1, 0, 0);
const FIELDS = { group: bits(6, 4, 0), parameterListLength: LIST_LENGTH };

const rowOf = (fields: CdbFields): CommandRow =>
  command(0x42, 'UNMAP', 10, fields, {
    data: 'out',
    medium: 'required',
    attention: 'report',
    reservation: 'writes',
    extent: WRITES_UNIT,
    writes: true,
    clause: 'SBC-3 5.28',
  });

export const UNMAP = rowOf(FIELDS);
export const UNMAP_ANCHOR = rowOf({ anchor: ANCHOR, ...FIELDS });

/** UNMAP parameter list: UNMAP DATA LENGTH (n - 1), BLOCK DESCRIPTOR DATA LENGTH (n - 7), reserved, descriptors. */
const HEADER_BYTES = 8;
const DATA_LENGTH = u(0, 2);
const DESCRIPTOR_DATA_LENGTH = u(2, 2);
/** Descriptor: LBA (8), NUMBER OF LOGICAL BLOCKS (4), reserved (4). */
const DESCRIPTOR_BYTES = 16;
const NUMBER_OFFSET = 8;
const LONGEST_LIST_BYTES = HEADER_BYTES + MAX_UNMAP_DESCRIPTORS * DESCRIPTOR_BYTES;

/** Runs UNMAP: nothing is touched before every descriptor has been found good. */
export function unmap(task: Task): void {
  const listBytes = field(task.cdb, LIST_LENGTH);
  if (listBytes === 0) {
    unitOf(task).finish(task);
    return;
  }
  task.dataOutWanted = listBytes;
  // A list that did not arrive whole is refused: half of it may mean something else.
  if (listBytes < HEADER_BYTES || task.dataOut.bytes < listBytes) {
    refuse(task, PARAMETER_LIST_LENGTH_ERROR);
    return;
  }
  blockDeviceOf(task).bounce.acquire(task, granted);
}

/** The list is copied out of the initiator's memory once, into the bounce buffer, and only the copy is read. */
function granted(task: Task): void {
  const list = blockDeviceOf(task).bounce.bytesOf(task);
  const listBytes = field(task.cdb, LIST_LENGTH);
  task.dataOut.get(0, list, 0, Math.min(listBytes, LONGEST_LIST_BYTES));
  task.dataOutMoved = listBytes;
  const count = descriptorsIn(list, listBytes);
  task.position = 0;
  task.remaining = count;
  if (refuses(task, list, count)) endWithBuffer(task);
  else discardOn(task);
}

/** Whole descriptors inside every length that speaks about them; an incomplete last one is ignored. */
function descriptorsIn(list: Uint8Array, listBytes: number): number {
  const bytes = Math.min(
    listBytes - HEADER_BYTES,
    field(list, DATA_LENGTH) - (HEADER_BYTES - 2),
    field(list, DESCRIPTOR_DATA_LENGTH),
  );
  return Math.max(0, Math.floor(bytes / DESCRIPTOR_BYTES));
}

const descriptorAt = (index: number): number => HEADER_BYTES + index * DESCRIPTOR_BYTES;
const lbaAt = (list: Uint8Array, at: number): number => number(list, at, 8);
const blocksAt = (list: Uint8Array, at: number): number => number(list, at + NUMBER_OFFSET, 4);

function number(list: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = at; i < at + width; i += 1) value = value * 256 + (list[i] as number);
  return value;
}

/** Checks every descriptor; true when the outcome is set. */
function refuses(task: Task, list: Uint8Array, count: number): boolean {
  if (count > MAX_UNMAP_DESCRIPTORS) {
    const pointer = parameterBytePointer(DESCRIPTOR_DATA_LENGTH.byte);
    task.check(INVALID_FIELD_IN_PARAMETER_LIST, NONE, pointer);
    return true;
  }
  const block = blockDeviceOf(task);
  let sum = 0;
  for (let i = 0; i < count; i += 1) {
    const at = descriptorAt(i);
    const blocks = blocksAt(list, at);
    sum += blocks;
    if (sum > MAX_UNMAP_BLOCKS) {
      const pointer = parameterBytePointer(at + NUMBER_OFFSET);
      task.check(INVALID_FIELD_IN_PARAMETER_LIST, NONE, pointer);
      return true;
    }
    const missing = firstMissingBlock(block, lbaAt(list, at), blocks);
    if (missing >= 0) {
      task.check(LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE, exactInformation(missing));
      return true;
    }
  }
  return false;
}

/** The blocks read as zeros afterwards. Anchored they keep their space, and get it where they had none (SBC-3 4.7.4). */
function unmapBytes(task: Task, position: number, length: number): StoreReply {
  const { store } = blockDeviceOf(task);
  if (length === 0) return DONE;
  return field(task.cdb, ANCHOR) === 0
    ? store.discard(task, position, length)
    : store.writeZeroes(task, position, length, false);
}

/** Unmaps descriptor `task.position` and the following ones, `task.remaining` in all. */
function discardOn(task: Task): void {
  const { bounce, blockBytes } = blockDeviceOf(task);
  const list = bounce.bytesOf(task);
  while (task.remaining > 0 && !task.aborting) {
    const at = descriptorAt(task.position);
    const bytes = blocksAt(list, at) * blockBytes;
    const reply = unmapBytes(task, lbaAt(list, at) * blockBytes, bytes);
    if (reply === PENDING) {
      task.await(PENDING, discarded);
      return;
    }
    if (!accept(task, reply)) {
      endWithBuffer(task);
      return;
    }
  }
  settle(task);
}

/** All is unmapped: with the write cache off that is stable before GOOD, or a power cut brought the old data back. */
function settle(task: Task): void {
  const { store } = blockDeviceOf(task);
  const durable = !unitOf(task).writeCacheEnabled && store.volatileCache;
  if (durable && task.position > 0 && !task.aborting) task.await(store.flush(task), flushed);
  else endWithBuffer(task);
}

function flushed(task: Task, reply: StoreReply): void {
  if (reply !== DONE) checkFlushFault(task, reply);
  endWithBuffer(task);
}

function discarded(task: Task, reply: StoreReply): void {
  if (accept(task, reply)) discardOn(task);
  else endWithBuffer(task);
}

function accept(task: Task, reply: StoreReply): boolean {
  if (reply === DONE) {
    task.position += 1;
    task.remaining -= 1;
    return true;
  }
  const { bounce, blockBytes } = blockDeviceOf(task);
  const lba = lbaAt(bounce.bytesOf(task), descriptorAt(task.position));
  checkTransferFault(task, reply, lba * blockBytes);
  return false;
}
