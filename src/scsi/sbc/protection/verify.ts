/** VERIFY(10), (12), (16) and (32) of blocks with protection information (SBC-3 5.29 to 5.32). */
import { field } from '../../cdb.ts';
import { DONE } from '../../contracts.ts';
import { unitOf } from '../../parameter-data.ts';
import { ascOf, ascqOf, MISCOMPARE, packSense } from '../../sense.ts';
import { MISCOMPARE_DURING_VERIFY_OPERATION } from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { blockDeviceOf, mayBeDirty, refuseField, refuseLength, refuseRange } from '../access.ts';
import { checkFlushFault } from '../store-fault.ts';
import { COMPARE_EACH } from '../verify.ts';
import { ProtectedBlocks } from './information.ts';
import { type ProtectionRequest, readRequest } from './request.ts';
import { bytchkField } from './rows.ts';
import { Run } from './run.ts';

const COMPARE_NONE = 0;
const RESERVED = 2;

/** Offset in the user data of the first byte in which two blocks differ, or -1. */
export function firstDifferentByte(
  ours: ProtectedBlocks,
  index: number,
  theirs: ProtectedBlocks,
  theirIndex: number,
): number {
  const at = index * ours.stride;
  const there = theirIndex * theirs.stride;
  for (let i = 0; i < ours.blockBytes; i += 1) {
    if (ours.bytes[at + i] !== theirs.bytes[there + i]) return i;
  }
  return -1;
}

/** What the piece in hand is compared with. */
export interface Sent {
  readonly blocks: ProtectedBlocks;
  /** How many blocks of the piece have something to be compared with. */
  readonly count: number;
  /** All of them are compared with the one block there is. */
  readonly single: boolean;
}

/**
 * Verifies the piece in `held`, of which `good` blocks could be read: its information, and against `sent` when there is such.
 * False when the outcome is set.
 */
export function verifyHeld(
  run: Run,
  good: number,
  request: ProtectionRequest,
  sent: Sent | null,
): boolean {
  const fields = sent === null ? request.mediumChecks : request.comparedMediumChecks;
  const right = run.firstWrong(good, fields, request.expected, true);
  const compared = sent === null ? 0 : Math.min(right, sent.count);
  for (let i = 0; sent !== null && i < compared; i += 1) {
    const sense = compareBlock(run, i, sent, request);
    if (sense === 0) continue;
    run.task.check(sense, run.lba + i);
    return false;
  }
  return right === run.blocks;
}

/** Sense of the difference between block `index` of the piece and what came, or 0. */
function compareBlock(run: Run, index: number, sent: Sent, request: ProtectionRequest): number {
  const { held, device, first } = run;
  const their = sent.single ? 0 : index;
  if (firstDifferentByte(held, index, sent.blocks, their) >= 0) {
    return MISCOMPARE_DURING_VERIFY_OPERATION;
  }
  // The single block stands for what WRITE SAME makes of it: reference tags count on from its own, but for type 3.
  const ahead = sent.single && device.protectionType !== 3 ? first + index : 0;
  const sense = held.difference(index, sent.blocks, their, request.comparisons, ahead);
  return sense === 0 ? 0 : packSense(MISCOMPARE, ascOf(sense), ascqOf(sense));
}

/** Copies `count` blocks from the data-out buffer at block `first`, room for information included when none came. */
export function fetchBlocks(
  task: Task,
  first: number,
  count: number,
  { unitBytes, moved }: ProtectionRequest,
): ProtectedBlocks {
  const { blockBytes, storedBlockBytes } = blockDeviceOf(task);
  const blocks = new ProtectedBlocks(new Uint8Array(count * storedBlockBytes), blockBytes);
  task.dataOut.get(first * unitBytes, blocks.bytes, 0, count * unitBytes);
  if (!moved) blocks.spread(count);
  return blocks;
}

/** First of `count` blocks that came whose information is wrong: sets the outcome. `lba` is the one of the first. */
export function sentIsWrong(
  task: Task,
  sent: ProtectedBlocks,
  count: number,
  first: number,
  { sentChecks, expected }: ProtectionRequest,
): boolean {
  for (let i = 0; i < count; i += 1) {
    const sense = sent.check(i, first + i, sentChecks, expected);
    if (sense === 0) continue;
    task.check(sense, task.lba + first + i);
    return true;
  }
  return false;
}

/** Runs VERIFY. */
export function verifyProtected(task: Task): void {
  const block = blockDeviceOf(task);
  const at = bytchkField(task.cdb);
  const check = field(task.cdb, at);
  if (check === RESERVED) {
    refuseField(task, at);
    return;
  }
  const request = readRequest(task);
  if (request === null) return;
  if (refuseLength(task, block.maxTransferBlocks) || refuseRange(task, block)) return;
  if (task.blocks === 0) {
    unitOf(task).finish(task);
    return;
  }
  const { unitBytes } = request;
  if (check !== COMPARE_NONE) {
    task.dataOutWanted = (check === COMPARE_EACH ? task.blocks : 1) * unitBytes;
  }
  // Of a data-out buffer that is too short its whole blocks are compared, the rest of the range is only read.
  const arrived = Math.floor(Math.min(task.dataOutWanted, task.dataOut.bytes) / unitBytes);
  task.dataOutMoved = arrived * unitBytes;
  const piece = check === COMPARE_NONE ? onlyMedium(request) : against(request, check, arrived);
  begin(task, new Run(task, task.blocks, { piece }));
}

/** It is the medium that is verified, not a volatile cache in front of it. */
function begin(task: Task, run: Run): void {
  if (!mayBeDirty(task)) {
    run.start();
    return;
  }
  task.await(blockDeviceOf(task).store.flush(task), (_, reply) => {
    if (reply === DONE) {
      run.start();
      return;
    }
    checkFlushFault(task, reply);
    unitOf(task).finish(task);
  });
}

function onlyMedium(request: ProtectionRequest): (run: Run) => void {
  return (run) =>
    run.read((good) => {
      if (verifyHeld(run, good, request, null)) run.next();
      else run.end();
    });
}

function against(request: ProtectionRequest, check: number, arrived: number): (run: Run) => void {
  const each = check === COMPARE_EACH;
  return (run) => {
    const { task, first, blocks } = run;
    const count = each ? Math.max(0, Math.min(blocks, arrived - first)) : arrived;
    const at = each ? first : 0;
    const sent = fetchBlocks(task, at, count, request);
    if (sentIsWrong(task, sent, count, at, request)) {
      run.end();
      return;
    }
    const comparable = { blocks: sent, count: each || count === 0 ? count : blocks, single: !each };
    run.read((good) => {
      if (verifyHeld(run, good, request, comparable)) run.next();
      else run.end();
    });
  };
}
