/** VERIFY(10), VERIFY(12) and VERIFY(16): reads the medium, and compares it when asked to (SBC-3 5.29 to 5.31). */
import { bits, field, u } from '../cdb.ts';
import { command, READS_EXTENT } from '../command-table.ts';
import { DONE, PENDING, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import type { SegmentMemory, Segments } from '../segments.ts';
import { MISCOMPARE_DURING_VERIFY_OPERATION } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import {
  blockDeviceOf,
  DPO,
  endWithBuffer,
  mayBeDirty,
  refuseField,
  refuseLength,
  refuseRange,
} from './access.ts';
import { BOUNCE_BYTES } from './bounce.ts';
import { checkFlushFault, checkTransferFault } from './store-fault.ts';

/** BYTCHK: nothing is compared, every block with its own data, or every block with the same one (SBC-3 5.29). */
export const BYTCHK = bits(1, 2, 1);
const COMPARE_NONE = 0;
export const COMPARE_EACH = 1;
const RESERVED = 2;
const COMPARE_ONE = 3;

const POLICY = {
  data: 'out',
  medium: 'required',
  attention: 'report',
  reservation: 'reads',
  extent: READS_EXTENT,
  zeroBlocks: 'none',
} as const;

export const VERIFY_10 = command(
  0x2f,
  'VERIFY(10)',
  10,
  { dpo: DPO, bytchk: BYTCHK, lba: u(2, 4), group: bits(6, 4, 0), blocks: u(7, 2) },
  { ...POLICY, clause: 'SBC-3 5.29' },
);
export const VERIFY_12 = command(
  0xaf,
  'VERIFY(12)',
  12,
  { dpo: DPO, bytchk: BYTCHK, lba: u(2, 4), blocks: u(6, 4), group: bits(10, 4, 0) },
  { ...POLICY, clause: 'SBC-3 5.30' },
);
export const VERIFY_16 = command(
  0x8f,
  'VERIFY(16)',
  16,
  { dpo: DPO, bytchk: BYTCHK, lba: u(2, 8), blocks: u(10, 4), group: bits(14, 4, 0) },
  { ...POLICY, clause: 'SBC-3 5.31' },
);

/**
 * Runs VERIFY. The medium is read through a bounce buffer: what the initiator sent never mixes with what was read.
 * Of a data-out buffer that is too short its whole blocks are compared, the rest of the range is only read.
 */
export function verify(task: Task): void {
  const block = blockDeviceOf(task);
  const { blockBytes } = block;
  const check = field(task.cdb, BYTCHK);
  if (check === RESERVED) {
    refuseField(task, BYTCHK);
    return;
  }
  if (refuseLength(task, block.maxTransferBlocks) || refuseRange(task, block)) return;
  if (task.blocks === 0) {
    unitOf(task).finish(task);
    return;
  }
  if (check === COMPARE_EACH) task.dataOutWanted = task.blocks * blockBytes;
  if (check === COMPARE_ONE) task.dataOutWanted = blockBytes;
  const arrived = Math.min(task.dataOutWanted, task.dataOut.bytes);
  task.dataOutMoved = arrived - (arrived % blockBytes);
  task.position = task.lba * blockBytes;
  task.remaining = task.blocks * blockBytes;
  block.bounce.acquire(task, granted);
}

/**
 * Verifies what the running command has just written: `task.dataOutMoved` bytes at its LBA, on the medium already. Ends the
 * command; BYTCHK = 1 compares, 0 only reads.
 */
export function verifyWritten(task: Task): void {
  const { blockBytes, bounce } = blockDeviceOf(task);
  task.position = task.lba * blockBytes;
  task.remaining = task.dataOutMoved;
  bounce.acquire(task, readOn);
}

function granted(task: Task): void {
  if (mayBeDirty(task)) task.await(blockDeviceOf(task).store.flush(task), flushed);
  else readOn(task);
}

/** It is the medium that is verified, not a volatile cache in front of it. */
function flushed(task: Task, reply: StoreReply): void {
  if (reply === DONE) {
    readOn(task);
    return;
  }
  checkFlushFault(task, reply);
  endWithBuffer(task);
}

function readOn(task: Task): void {
  const { store, bounce } = blockDeviceOf(task);
  const into = bounce.segmentsOf(task);
  while (task.remaining > 0 && !task.aborting) {
    const length = Math.min(task.remaining, BOUNCE_BYTES);
    const reply = store.read(task, task.position, length, into);
    if (reply === PENDING) {
      task.await(PENDING, pieceRead);
      return;
    }
    if (!accept(task, reply)) break;
  }
  endWithBuffer(task);
}

function pieceRead(task: Task, reply: StoreReply): void {
  if (accept(task, reply)) readOn(task);
  else endWithBuffer(task);
}

/** Takes one piece that was read; false when the command has its outcome. */
function accept(task: Task, reply: StoreReply): boolean {
  const length = Math.min(task.remaining, BOUNCE_BYTES);
  if (reply !== DONE) {
    checkTransferFault(task, reply, task.position);
    return false;
  }
  const different = compare(task, length);
  if (different >= 0) {
    const { blockBytes } = blockDeviceOf(task);
    const lba = Math.floor((task.position + different) / blockBytes);
    task.check(MISCOMPARE_DURING_VERIFY_OPERATION, lba);
    return false;
  }
  task.position += length;
  task.remaining -= length;
  return true;
}

/** Offset in the piece of the first byte that differs from the data-out buffer, or -1. */
function compare(task: Task, length: number): number {
  const { blockBytes, bounce } = blockDeviceOf(task);
  const bytes = bounce.bytesOf(task);
  const check = field(task.cdb, BYTCHK);
  if (check === COMPARE_NONE) return -1;
  if (check === COMPARE_ONE) {
    if (task.dataOutMoved === 0) return -1;
    for (let at = 0; at < length; at += blockBytes) {
      const different = firstDifference(task.dataOut, 0, bytes, at, blockBytes);
      if (different >= 0) return different;
    }
    return -1;
  }
  const done = task.position - task.lba * blockBytes;
  const comparable = Math.min(length, task.dataOutMoved - done);
  return comparable <= 0 ? -1 : firstDifference(task.dataOut, done, bytes, 0, comparable);
}

/** First index of bytes[from, from + length) that differs from the buffer's bytes at `at`, or -1. */
export function firstDifference(
  buffer: Segments,
  at: number,
  bytes: Uint8Array,
  from: number,
  length: number,
): number {
  const end = from + length;
  let skip = at;
  let next = from;
  for (let i = 0; i < buffer.count && next < end; i += 1) {
    const whole = buffer.length[i] as number;
    if (skip >= whole) {
      skip -= whole;
      continue;
    }
    const { view } = buffer.memory[i] as SegmentMemory;
    let source = (buffer.offset[i] as number) + skip;
    const stop = Math.min(end, next + whole - skip);
    for (; next < stop; next += 1) {
      if (view[source] !== bytes[next]) return next;
      source += 1;
    }
    skip = 0;
  }
  return -1;
}
