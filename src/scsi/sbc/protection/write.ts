/** WRITE(6), (10), (12), (16), (32), WRITE ATOMIC(16) and WRITE AND VERIFY of blocks with protection information (SBC-3 5.32 to 5.40). */

import { field } from '../../cdb.ts';
import { unitOf } from '../../parameter-data.ts';
import type { Task } from '../../task.ts';
import { blockDeviceOf, noteCached, refuseField, refuseLength, refuseRange } from '../access.ts';
import { COMPARE_EACH } from '../verify.ts';
import { WRITE_ATOMIC_16 } from '../write-atomic.ts';
import { ProtectedBlocks } from './information.ts';
import { type ProtectionRequest, plainRequest, readRequest } from './request.ts';
import { bytchkField, fuaOf } from './rows.ts';
import { Run } from './run.ts';
import { verifyHeld } from './verify.ts';

/** WRITE(6), which has neither FUA nor WRPROTECT. */
export function writeProtected6(task: Task): void {
  start(task, plainRequest(task), false);
}

/** WRITE(10), WRITE(12), WRITE(16), WRITE(32). */
export function writeProtected(task: Task): void {
  const request = readRequest(task);
  if (request !== null) start(task, request, fuaOf(task.cdb));
}

/** Blocks that have arrived whole; -1 when the command was refused, or has nothing to write and has ended. */
function arrivedBlocks(task: Task, { unitBytes }: ProtectionRequest): number {
  const block = blockDeviceOf(task);
  if (refuseLength(task, block.maxTransferBlocks) || refuseRange(task, block)) return -1;
  task.dataOutWanted = task.blocks * unitBytes;
  const arrived = Math.floor(Math.min(task.dataOutWanted, task.dataOut.bytes) / unitBytes);
  if (arrived > 0) return arrived;
  unitOf(task).finish(task);
  return -1;
}

function start(task: Task, request: ProtectionRequest, forced: boolean): void {
  const count = arrivedBlocks(task, request);
  if (count < 0) return;
  const durable = forced || !unitOf(task).writeCacheEnabled;
  const piece = (run: Run): void => {
    if (!fetchPiece(run, request)) {
      run.end();
      return;
    }
    run.write(durable, () => movedOn(run, request));
  };
  const done = (run: Run): void => {
    if (!durable) noteCached(task);
    run.end();
  };
  new Run(task, count, { piece, done }).start();
}

function movedOn(run: Run, { unitBytes }: ProtectionRequest): void {
  run.task.dataOutMoved = (run.first + run.blocks) * unitBytes;
  run.next();
}

/**
 * Copies the piece in hand out of the data-out buffer and sees to its information: checks what came, or makes it. False, with
 * the outcome set, when a check fails; then nothing of the piece is written.
 */
function fetchPiece(run: Run, request: ProtectionRequest): boolean {
  const { held, task, blocks, first, lba } = run;
  const { unitBytes, moved, sentChecks, expected } = request;
  task.dataOut.get(first * unitBytes, held.bytes, 0, blocks * unitBytes);
  if (moved) return run.firstWrong(blocks, sentChecks, expected, false) === blocks;
  held.spread(blocks);
  for (let i = 0; i < blocks; i += 1) held.generate(i, lba + i, run.device.protectionType);
  return true;
}

/** WRITE ATOMIC(16): what one bounce buffer holds, in one request of the store (SBC-4 5.48). */
export function writeAtomicProtected(task: Task): void {
  const block = blockDeviceOf(task);
  const request = readRequest(task);
  if (request === null) return;
  if (refuseRange(task, block) || refuseLength(task, block.maxAtomicBlocks)) return;
  const { lba, blocks: length } = WRITE_ATOMIC_16.fields;
  const unit = block.atomicUnitBlocks;
  if (task.lba % unit !== 0 || task.blocks % unit !== 0) {
    refuseField(task, task.lba % unit !== 0 ? lba : length);
    return;
  }
  task.dataOutWanted = task.blocks * request.unitBytes;
  if (task.blocks === 0) {
    unitOf(task).finish(task);
    return;
  }
  // A buffer shorter than the transfer cannot be written whole, so nothing of it is.
  if (task.dataOut.bytes < task.dataOutWanted) {
    refuseField(task, length);
    return;
  }
  const piece = (run: Run): void => {
    if (fetchPiece(run, request)) run.writeAtomic(() => movedOn(run, request));
    else run.end();
  };
  new Run(task, task.blocks, { piece }).start();
}

/** WRITE AND VERIFY(10), (12), (16), (32): each piece goes to the medium and is read back. */
export function writeAndVerifyProtected(task: Task): void {
  const at = bytchkField(task.cdb);
  const check = field(task.cdb, at);
  if (check > COMPARE_EACH) {
    refuseField(task, at);
    return;
  }
  const request = readRequest(task);
  if (request === null) return;
  const count = arrivedBlocks(task, request);
  if (count < 0) return;
  const piece = (run: Run): void => {
    if (!fetchPiece(run, request)) {
      run.end();
      return;
    }
    const { held, blocks } = run;
    const sent = new ProtectedBlocks(held.bytes.slice(0, blocks * held.stride), held.blockBytes);
    run.write(true, () => {
      task.dataOutMoved = (run.first + blocks) * request.unitBytes;
      run.read((good) => {
        const compared =
          check === COMPARE_EACH ? { blocks: sent, count: blocks, single: false } : null;
        if (verifyHeld(run, good, request, compared)) run.next();
        else run.end();
      });
    });
  };
  new Run(task, count, { piece }).start();
}
