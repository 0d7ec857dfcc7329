/** WRITE SAME(10), (16) and (32) of a block with protection information (SBC-3 5.43 to 5.45). */
import { DONE } from '../../contracts.ts';
import { unitOf } from '../../parameter-data.ts';
import { INVALID_FIELD_IN_CDB } from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { blockDeviceOf, noteCached, refuse, refuseLength, refuseRange } from '../access.ts';
import { MAX_WRITE_SAME_BLOCKS } from '../limits.ts';
import { checkTransferFault } from '../store-fault.ts';
import type { ProtectedBlocks } from './information.ts';
import { type ProtectionRequest, readRequest } from './request.ts';
import { ndobOf } from './rows.ts';
import { Run } from './run.ts';
import { fetchBlocks, sentIsWrong } from './verify.ts';

/** WRITE SAME(10), which always has a data-out buffer. */
export function writeSameProtected10(task: Task): void {
  start(task, false);
}

/** WRITE SAME(16) and WRITE SAME(32); with NDOB = 1 there is no data-out buffer and zeros are meant. */
export function writeSameProtected(task: Task): void {
  start(task, ndobOf(task.cdb));
}

const durable = (task: Task): boolean => !unitOf(task).writeCacheEnabled;

function start(task: Task, noData: boolean): void {
  const block = blockDeviceOf(task);
  const request = readRequest(task);
  if (request === null) return;
  if (refuseLength(task, MAX_WRITE_SAME_BLOCKS) || refuseRange(task, block)) return;
  if (!noData && task.dataOut.bytes !== request.unitBytes) {
    refuse(task, INVALID_FIELD_IN_CDB);
    return;
  }
  if (!noData) task.dataOutWanted = request.unitBytes;
  if (task.blocks === 0) unitOf(task).finish(task);
  else if (noData) zero(task);
  else repeat(task, request);
}

/** Zeros with information of FFFFFFFFFFFFFFFFh, which the medium has as zeros, too. */
function zero(task: Task): void {
  const { store, storedBlockBytes } = blockDeviceOf(task);
  const position = task.lba * storedBlockBytes;
  const length = task.blocks * storedBlockBytes;
  task.await(store.writeZeroes(task, position, length, durable(task)), (_, reply) => {
    if (reply === DONE) noteCached(task);
    else checkTransferFault(task, reply, position);
    unitOf(task).finish(task);
  });
}

function repeat(task: Task, request: ProtectionRequest): void {
  const sent = fetchBlocks(task, 0, 1, request);
  task.dataOutMoved = request.unitBytes;
  if (sentIsWrong(task, sent, 1, 0, request)) {
    unitOf(task).finish(task);
    return;
  }
  if (!request.moved) sent.generate(0, task.lba, blockDeviceOf(task).protectionType);
  const piece = (run: Run): void => {
    fill(run, sent, request);
    run.write(false, () => run.next());
  };
  const settle = (run: Run): void => {
    if (durable(task) && run.device.store.volatileCache) run.flush();
    else {
      noteCached(task);
      run.end();
    }
  };
  new Run(task, task.blocks, { piece, done: settle }).start();
}

/**
 * The guard and the application tag are the same in every block. The reference tag of each is one more than the one before it,
 * but for type 3; and where none came, by type 2 it says that nobody knows.
 */
function fill(
  { held, blocks, first, device }: Run,
  sent: ProtectedBlocks,
  request: ProtectionRequest,
): void {
  const { protectionType } = device;
  const counts = protectionType === 1 || (protectionType === 2 && request.moved);
  for (let i = 0; i < blocks; i += 1) {
    held.bytes.set(sent.bytes, i * held.stride);
    if (counts) held.setReference(i, sent.reference(0) + first + i);
  }
}
