/** WRITE SAME(10) and WRITE SAME(16): one block written many times, or zeros, or unmapped (SBC-3 5.43, 5.44). */
import { bits, type CdbFields, field, u } from '../cdb.ts';
import { type CommandRow, command, WRITES_EXTENT } from '../command-table.ts';
import { DONE, PENDING, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import { INVALID_FIELD_IN_CDB } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import {
  blockDeviceOf,
  endWithBuffer,
  NO_BUFFER,
  noteCached,
  refuse,
  refuseField,
  refuseLength,
  refuseRange,
} from './access.ts';
import { BOUNCE_BYTES } from './bounce.ts';
import { MAX_WRITE_SAME_BLOCKS } from './limits.ts';
import { checkFlushFault, checkTransferFault } from './store-fault.ts';

/** A row without UNMAP or ANCHOR refuses the bit: there the handlers find it clear. PBDATA and LBDATA no row honours. */
const UNMAP_BIT = bits(1, 3, 3);
const ANCHOR = bits(1, 4, 4);
const NDOB = bits(1, 0, 0);

const POLICY = {
  data: 'out',
  medium: 'required',
  attention: 'report',
  reservation: 'writes',
  extent: WRITES_EXTENT,
  zeroBlocks: 'rest',
  writes: true,
} as const;

const FIELDS_10 = { lba: u(2, 4), group: bits(6, 4, 0), blocks: u(7, 2) };
const FIELDS_16 = { ndob: NDOB, lba: u(2, 8), blocks: u(10, 4), group: bits(14, 4, 0) };

const row10 = (fields: CdbFields): CommandRow =>
  command(0x41, 'WRITE SAME(10)', 10, fields, { ...POLICY, clause: 'SBC-3 5.43' });
const row16 = (fields: CdbFields): CommandRow =>
  command(0x93, 'WRITE SAME(16)', 16, fields, { ...POLICY, clause: 'SBC-3 5.44' });

export const WRITE_SAME_10 = row10(FIELDS_10);
export const WRITE_SAME_16 = row16(FIELDS_16);
export const WRITE_SAME_10_THIN = row10({ unmap: UNMAP_BIT, ...FIELDS_10 });
export const WRITE_SAME_16_THIN = row16({ unmap: UNMAP_BIT, ...FIELDS_16 });
export const WRITE_SAME_10_ANCHOR = row10({ anchor: ANCHOR, unmap: UNMAP_BIT, ...FIELDS_10 });
export const WRITE_SAME_16_ANCHOR = row16({ anchor: ANCHOR, unmap: UNMAP_BIT, ...FIELDS_16 });

/** WRITE SAME(10), which always has a data-out buffer. */
export function writeSame10(task: Task): void {
  start(task, false);
}

/** WRITE SAME(16); with NDOB = 1 there is no data-out buffer and zeros are meant. */
export function writeSame16(task: Task): void {
  start(task, field(task.cdb, NDOB) !== 0);
}

function start(task: Task, noData: boolean): void {
  const block = blockDeviceOf(task);
  const { blockBytes } = block;
  if (field(task.cdb, ANCHOR) !== 0 && field(task.cdb, UNMAP_BIT) === 0) {
    refuseField(task, ANCHOR);
    return;
  }
  if (refuseLength(task, MAX_WRITE_SAME_BLOCKS) || refuseRange(task, block)) return;
  if (!noData && task.dataOut.bytes !== blockBytes) {
    refuse(task, INVALID_FIELD_IN_CDB);
    return;
  }
  if (!noData) task.dataOutWanted = blockBytes;
  if (task.blocks === 0) {
    unitOf(task).finish(task);
    return;
  }
  task.position = task.lba * blockBytes;
  task.remaining = task.blocks * blockBytes;
  if (noData) {
    task.scratch = NO_BUFFER;
    zero(task);
  } else {
    block.bounce.acquire(task, granted);
  }
}

/** The block is copied out of the initiator's memory once; whether it is zero is asked of the copy. */
function granted(task: Task): void {
  const { blockBytes, bounce } = blockDeviceOf(task);
  const bytes = bounce.bytesOf(task);
  task.dataOut.get(0, bytes, 0, blockBytes);
  task.dataOutMoved = blockBytes;
  if (isZero(bytes, blockBytes)) {
    zero(task);
    return;
  }
  const filled = Math.min(task.remaining, BOUNCE_BYTES);
  for (let at = blockBytes; at < filled; at *= 2) bytes.copyWithin(at, 0, at);
  writeOn(task);
}

function isZero(bytes: Uint8Array, length: number): boolean {
  for (let i = 0; i < length; i += 1) if (bytes[i] !== 0) return false;
  return true;
}

const durable = (task: Task): boolean => !unitOf(task).writeCacheEnabled;

/** Zeros are written, unmapped (UNMAP = 1), or unmapped with their space kept (ANCHOR = 1). */
function zero(task: Task): void {
  const { store } = blockDeviceOf(task);
  const { cdb, position, remaining } = task;
  const deallocate = field(cdb, UNMAP_BIT) !== 0 && field(cdb, ANCHOR) === 0;
  const reply = deallocate
    ? store.discard(task, position, remaining)
    : store.writeZeroes(task, position, remaining, durable(task));
  task.await(reply, zeroed);
}

function zeroed(task: Task, reply: StoreReply): void {
  if (reply === DONE) {
    settle(task);
    return;
  }
  checkTransferFault(task, reply, task.position);
  endWithBuffer(task);
}

function writeOn(task: Task): void {
  const { store, bounce } = blockDeviceOf(task);
  const from = bounce.segmentsOf(task);
  while (task.remaining > 0 && !task.aborting) {
    const length = Math.min(task.remaining, BOUNCE_BYTES);
    const reply = store.write(task, task.position, length, from, false);
    if (reply === PENDING) {
      task.await(PENDING, pieceWritten);
      return;
    }
    if (!accept(task, reply)) {
      endWithBuffer(task);
      return;
    }
  }
  settle(task);
}

function pieceWritten(task: Task, reply: StoreReply): void {
  if (accept(task, reply)) writeOn(task);
  else endWithBuffer(task);
}

function accept(task: Task, reply: StoreReply): boolean {
  if (reply !== DONE) {
    checkTransferFault(task, reply, task.position);
    return false;
  }
  const length = Math.min(task.remaining, BOUNCE_BYTES);
  task.position += length;
  task.remaining -= length;
  return true;
}

/** All blocks are written: with the write cache off, one flush makes the whole of it stable before GOOD. */
function settle(task: Task): void {
  const { store } = blockDeviceOf(task);
  if (durable(task) && store.volatileCache && !task.aborting) {
    task.await(store.flush(task), flushed);
  } else {
    noteCached(task);
    endWithBuffer(task);
  }
}

function flushed(task: Task, reply: StoreReply): void {
  if (reply !== DONE) checkFlushFault(task, reply);
  endWithBuffer(task);
}
