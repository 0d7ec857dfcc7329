/** READ(6), (10), (12), (16) and (32) of blocks with protection information (SBC-3 5.10 to 5.14). */
import { DONE } from '../../contracts.ts';
import { unitOf } from '../../parameter-data.ts';
import type { Task } from '../../task.ts';
import { blockDeviceOf, mayBeDirty, refuseLength, refuseRange } from '../access.ts';
import { checkFlushFault } from '../store-fault.ts';
import { type ProtectionRequest, plainRequest, readRequest } from './request.ts';
import { fuaOf } from './rows.ts';
import { Run } from './run.ts';

/** READ(6), which has neither FUA nor RDPROTECT. */
export function readProtected6(task: Task): void {
  start(task, plainRequest(task), false);
}

/** READ(10), READ(12), READ(16), READ(32). */
export function readProtected(task: Task): void {
  const request = readRequest(task);
  if (request !== null) start(task, request, fuaOf(task.cdb));
}

function start(task: Task, request: ProtectionRequest, forced: boolean): void {
  const block = blockDeviceOf(task);
  if (refuseLength(task, block.maxTransferBlocks) || refuseRange(task, block)) return;
  task.dataInWanted = task.blocks * request.unitBytes;
  // A buffer shorter than the transfer gets what fits; the port reports the overflow.
  const fitting = Math.min(task.dataInWanted, task.dataIn.bytes);
  if (fitting === 0) {
    unitOf(task).finish(task);
    return;
  }
  const count = Math.ceil(fitting / request.unitBytes);
  const run = new Run(task, count, { piece: (each) => readPiece(each, request) });
  if (forced && mayBeDirty(task)) flushThen(task, run);
  else run.start();
}

/** FUA: what a volatile cache holds is on the medium before it is returned. */
function flushThen(task: Task, run: Run): void {
  task.await(blockDeviceOf(task).store.flush(task), (_, reply) => {
    if (reply === DONE && !task.aborting) {
      run.start();
      return;
    }
    if (reply !== DONE) checkFlushFault(task, reply);
    unitOf(task).finish(task);
  });
}

function readPiece(
  run: Run,
  { unitBytes, moved, mediumChecks, expected }: ProtectionRequest,
): void {
  const { task } = run;
  run.read((read) => {
    const good = run.firstWrong(read, mediumChecks, expected, true);
    if (!moved) run.held.strip(good);
    const at = run.first * unitBytes;
    const bytes = Math.min(good * unitBytes, task.dataIn.bytes - at);
    task.dataIn.put(at, run.held.bytes, 0, bytes);
    task.dataInMoved = at + bytes;
    if (good < run.blocks) run.end();
    else run.next();
  });
}
