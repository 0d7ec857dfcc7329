/** The one table from a store's fault to sense data (sense keys and codes: SPC-4 4.5.6). */
import {
  BUFFER,
  FULL,
  GONE,
  MEDIUM_READ,
  MEDIUM_WRITE,
  READ_ONLY,
  type StoreReply,
} from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { nexusIndexOf, unitOf } from '../parameter-data.ts';
import { DEFERRED, NONE, retryCountPointer } from '../sense.ts';
import {
  DATA_PHASE_ERROR,
  INTERNAL_TARGET_FAILURE,
  SPACE_ALLOCATION_FAILED_WRITE_PROTECT,
  UNRECOVERED_READ_ERROR,
  WRITE_ERROR,
  WRITE_PROTECTED,
} from '../sense-codes.ts';
import type { Task } from '../task.ts';
import { blockDeviceOf } from './access.ts';

/** A request that failed is not repeated (Read-Write Error Recovery mode page, retry counts 0): the system below has done that. */
const NO_RETRIES = retryCountPointer(0);

function senseOf(fault: StoreReply): number {
  switch (fault) {
    case MEDIUM_READ:
      return UNRECOVERED_READ_ERROR;
    case MEDIUM_WRITE:
      return WRITE_ERROR;
    case FULL:
      return SPACE_ALLOCATION_FAILED_WRITE_PROTECT;
    case READ_ONLY:
      return WRITE_PROTECTED;
    case BUFFER:
      return DATA_PHASE_ERROR;
    case GONE:
      return INTERNAL_TARGET_FAILURE;
    default:
      // DONE and PENDING are no faults: who passes one here has a bug that must not end as GOOD.
      return INTERNAL_TARGET_FAILURE;
  }
}

/**
 * Sets the outcome of a store request that began at byte `position` of the medium and ended with `fault`. Medium errors
 * name the first bad LBA, which follows from `task.storedBytes`.
 */
export function checkTransferFault(task: Task, fault: StoreReply, position: number): void {
  const named = fault === MEDIUM_READ || fault === MEDIUM_WRITE;
  const { storedBlockBytes } = blockDeviceOf(task);
  const bad = position + task.storedBytes;
  const information = named ? Math.floor(bad / storedBlockBytes) : NONE;
  task.check(senseOf(fault), information, named ? NO_RETRIES : NONE);
}

/** A flush has failed: every nexus that has written since the last one has a deferred error, but for the one that is told (or -1). */
export function loseCachedWrites(unit: LogicalUnit, fault: StoreReply, told: number): void {
  for (const index of unit.cachedWrites.lost()) {
    if (index !== told) unit.attention.post(index, senseOf(fault) | DEFERRED);
  }
}

/**
 * Sets the outcome of a failed flush: nobody knows which blocks were lost, so no LBA is named. Every other nexus that has
 * written since the last flush has a deferred error (SPC-4 4.5.7): it was told GOOD, and may never flush itself.
 */
export function checkFlushFault(task: Task, fault: StoreReply): void {
  const sense = senseOf(fault);
  // Who is aborted hears nothing of this one.
  loseCachedWrites(unitOf(task), fault, task.aborting ? -1 : nexusIndexOf(task));
  task.check(sense, NONE, fault === MEDIUM_WRITE ? NO_RETRIES : NONE);
}
