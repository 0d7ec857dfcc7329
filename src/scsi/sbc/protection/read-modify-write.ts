/** COMPARE AND WRITE and ORWRITE of blocks with protection information (SBC-3 5.2, 5.9). */
import { unitOf } from '../../parameter-data.ts';
import { INVALID_FIELD_IN_CDB, MISCOMPARE_DURING_VERIFY_OPERATION } from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { blockDeviceOf, noteCached, refuse, refuseLength, refuseRange } from '../access.ts';
import type { ProtectedBlocks } from './information.ts';
import { type ProtectionRequest, readRequest } from './request.ts';
import { fuaOf } from './rows.ts';
import { Run } from './run.ts';
import { fetchBlocks, firstDifferentByte, sentIsWrong } from './verify.ts';

const durable = (task: Task): boolean => fuaOf(task.cdb) || !unitOf(task).writeCacheEnabled;

/** What was written is not stable yet, unless it had to be. */
function end(run: Run): void {
  if (!fuaOf(run.task.cdb)) noteCached(run.task);
  run.end();
}

/** Makes the information of blocks that came without. */
function generate(run: Run, blocks: ProtectedBlocks): void {
  for (let i = 0; i < run.blocks; i += 1) {
    blocks.generate(i, run.lba + i, run.device.protectionType);
  }
}

/**
 * Runs COMPARE AND WRITE. User data is compared, information is not: what came of it is checked, in both halves. INFORMATION is the
 * offset in the data-out buffer, information included where it came.
 */
export function compareAndWriteProtected(task: Task): void {
  const block = blockDeviceOf(task);
  const request = readRequest(task);
  if (request === null) return;
  if (refuseLength(task, block.maxCompareAndWriteBlocks) || refuseRange(task, block)) return;
  const count = task.blocks;
  task.dataOutWanted = count * 2 * request.unitBytes;
  if (task.dataOut.bytes !== task.dataOutWanted) {
    refuse(task, INVALID_FIELD_IN_CDB);
    return;
  }
  if (count === 0) {
    unitOf(task).finish(task);
    return;
  }
  const compared = fetchBlocks(task, 0, count, request);
  const written = fetchBlocks(task, count, count, request);
  task.dataOutMoved = task.dataOutWanted;
  if (
    sentIsWrong(task, compared, count, 0, request) ||
    sentIsWrong(task, written, count, 0, request)
  ) {
    unitOf(task).finish(task);
    return;
  }
  const piece = (run: Run): void => compareThenWrite(run, compared, written, request);
  new Run(task, count, { piece }).start();
}

function compareThenWrite(
  run: Run,
  compared: ProtectedBlocks,
  written: ProtectedBlocks,
  { comparedMediumChecks, moved, unitBytes, expected }: ProtectionRequest,
): void {
  const { task, held, blocks } = run;
  run.read((good) => {
    const right = run.firstWrong(good, comparedMediumChecks, expected, true);
    for (let i = 0; i < right; i += 1) {
      const offset = firstDifferentByte(held, i, compared, i);
      if (offset < 0) continue;
      task.check(MISCOMPARE_DURING_VERIFY_OPERATION, i * unitBytes + offset);
      run.end();
      return;
    }
    if (right < blocks || task.aborting) {
      run.end();
      return;
    }
    held.bytes.set(written.bytes);
    if (!moved) generate(run, held);
    run.write(durable(task), () => end(run));
  });
}

/**
 * Runs ORWRITE. Each block gets the guard of what is written; its tags are those that came with it, or are made as for WRITE when
 * none came. Once it has begun to write, an abort waits for its end.
 */
export function orWriteProtected(task: Task): void {
  const block = blockDeviceOf(task);
  const request = readRequest(task);
  if (request === null) return;
  if (refuseLength(task, block.maxTransferBlocks) || refuseRange(task, block)) return;
  const { unitBytes } = request;
  task.dataOutWanted = task.blocks * unitBytes;
  const arrived = Math.floor(Math.min(task.dataOutWanted, task.dataOut.bytes) / unitBytes);
  if (arrived === 0) {
    unitOf(task).finish(task);
    return;
  }
  const piece = (run: Run): void => orPiece(run, request);
  new Run(task, arrived, { piece, done: end, whole: true }).start();
}

function orPiece(run: Run, request: ProtectionRequest): void {
  const { task, held, first, blocks } = run;
  const sent = fetchBlocks(task, first, blocks, request);
  if (sentIsWrong(task, sent, blocks, first, request)) {
    run.end();
    return;
  }
  run.read((good) => {
    if (run.firstWrong(good, request.mediumChecks, request.expected, true) < blocks) {
      run.end();
      return;
    }
    for (let i = 0; i < blocks; i += 1) orBlock(held, sent, i);
    if (!request.moved) generate(run, held);
    run.write(durable(task), () => {
      task.dataOutMoved = (first + blocks) * request.unitBytes;
      run.next();
    });
  });
}

function orBlock(held: ProtectedBlocks, sent: ProtectedBlocks, index: number): void {
  const at = index * held.stride;
  for (let i = at; i < at + held.blockBytes; i += 1) {
    held.bytes[i] = (held.bytes[i] as number) | (sent.bytes[i] as number);
  }
  held.takeTags(index, sent, index);
  held.seal(index);
}
