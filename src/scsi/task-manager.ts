/** Task management functions (SAM-5 clause 7): what each one aborts, who is told, and when it may be answered. */
import type { LogicalUnit } from './logical-unit.ts';
import {
  ABORT_TASK,
  ABORT_TASK_SET,
  ACA,
  CLEAR_ACA,
  CLEAR_TASK_SET,
  FUNCTION_COMPLETE,
  FUNCTION_REJECTED,
  FUNCTION_SUCCEEDED,
  I_T_NEXUS_RESET,
  INCORRECT_LOGICAL_UNIT_NUMBER,
  LOGICAL_UNIT_RESET,
  QUERY_ASYNCHRONOUS_EVENT,
  QUERY_TASK,
  QUERY_TASK_SET,
} from './sam.ts';
import { ascOf, ascqOf, packSense, senseKeyOf } from './sense.ts';
import { I_T_NEXUS_LOSS_OCCURRED } from './sense-codes.ts';
import { DORMANT, ENDED, type Task } from './task.ts';

function answer(request: Task, outcome: number): void {
  request.managementOutcome = outcome;
  request.transition(DORMANT, ENDED);
  request.port.taskManagementDone(request);
}

function isQuery(managementFunction: number): boolean {
  return managementFunction === QUERY_TASK || managementFunction === QUERY_TASK_SET;
}

function isKnown(managementFunction: number): boolean {
  return (
    isQuery(managementFunction) ||
    managementFunction === ABORT_TASK ||
    managementFunction === ABORT_TASK_SET ||
    managementFunction === CLEAR_TASK_SET ||
    managementFunction === CLEAR_ACA ||
    managementFunction === LOGICAL_UNIT_RESET ||
    managementFunction === QUERY_ASYNCHRONOUS_EVENT
  );
}

/** The tasks in the set that a function is about. */
function scope(request: Task, unit: LogicalUnit): (task: Task) => boolean {
  const { nexus, managedTagHigh, managedTagLow } = request;
  switch (request.managementFunction) {
    case ABORT_TASK:
    case QUERY_TASK:
      return (task) =>
        task.nexus === nexus && task.tagHigh === managedTagHigh && task.tagLow === managedTagLow;
    case ABORT_TASK_SET:
    case QUERY_TASK_SET:
      return (task) => task.nexus === nexus;
    default:
      // CLEAR TASK SET: the task set is the nexus' own when TST = 001b.
      return (task) => !unit.taskSetPerNexus || task.nexus === nexus;
  }
}

/** LOGICAL UNIT RESET: all tasks of all nexuses end; no unit attention but the reset's own (SAM-5 6.3.3). */
function resetUnit(request: Task, unit: LogicalUnit): void {
  const stopping = unit.taskSet.abort(
    () => true,
    (task) => task.nexus !== request.nexus && unit.taskAbortedStatus,
    LOGICAL_UNIT_RESET,
  );
  let waiting = 2;
  const stopped = (): void => {
    waiting -= 1;
    if (waiting === 0) answer(request, FUNCTION_COMPLETE);
  };
  unit.taskSet.whenStopped(stopping, stopped);
  unit.reset(stopped);
}

/** CLEAR ACA (SAM-5 7.4), for the faulted nexus alone; an ACA command that runs is aborted first. */
function clearAca(request: Task, unit: LogicalUnit): void {
  const { nexus } = request;
  const { taskSet } = unit;
  const faulted = taskSet.acaOf(nexus);
  if (faulted === null || nexus === null || faulted !== nexus) {
    answer(request, faulted === null ? FUNCTION_COMPLETE : FUNCTION_REJECTED);
    return;
  }
  const isIts = (task: Task): boolean => task.attribute === ACA && task.nexus === nexus;
  taskSet.whenStopped(taskSet.abort(isIts, false, CLEAR_ACA), () => {
    answer(request, FUNCTION_COMPLETE);
    taskSet.clearAca(nexus);
  });
}

/** UADE DEPTH, bits 5 and 4 of the first byte of the additional response information: one event, or more. */
const ONE_EVENT = 0x100000;
const MORE_EVENTS = 0x200000;

/**
 * QUERY ASYNCHRONOUS EVENT (SAM-5 7.10): the unit attention or deferred error that the nexus would be told next, which stays
 * pending. The information is UADE DEPTH and sense key, additional sense code, qualifier.
 */
function queryEvent(request: Task, unit: LogicalUnit): void {
  const index = request.nexus === null ? -1 : request.nexus.index;
  const count = unit.attention.pending[index] ?? 0;
  if (count === 0) {
    answer(request, FUNCTION_COMPLETE);
    return;
  }
  const sense = unit.attention.peek(index);
  const depth = count === 1 ? ONE_EVENT : MORE_EVENTS;
  request.managementInformation = depth | packSense(senseKeyOf(sense), ascOf(sense), ascqOf(sense));
  answer(request, FUNCTION_SUCCEEDED);
}

/**
 * Executes the function in `request`. It is answered when no effect of a task it aborts can reach the medium or the
 * initiator's memory any more. The asker's own tasks end without a status; tasks of others get TASK ABORTED (TAS = 1)
 * or silence and a unit attention (TAS = 0).
 */
export function manage(request: Task, unit: LogicalUnit | null): void {
  const { managementFunction, nexus } = request;
  if (!isKnown(managementFunction)) {
    answer(request, FUNCTION_REJECTED);
  } else if (unit === null) {
    answer(request, INCORRECT_LOGICAL_UNIT_NUMBER);
  } else if (managementFunction === CLEAR_ACA) {
    clearAca(request, unit);
  } else if (managementFunction === LOGICAL_UNIT_RESET) {
    resetUnit(request, unit);
  } else if (managementFunction === QUERY_ASYNCHRONOUS_EVENT) {
    queryEvent(request, unit);
  } else if (isQuery(managementFunction)) {
    const found = unit.taskSet.holds(scope(request, unit));
    answer(request, found ? FUNCTION_SUCCEEDED : FUNCTION_COMPLETE);
  } else {
    const { taskSet } = unit;
    const stopping = taskSet.abortFor(nexus, scope(request, unit), managementFunction);
    taskSet.whenStopped(stopping, () => answer(request, FUNCTION_COMPLETE));
  }
}

/**
 * I_T NEXUS RESET (SAM-5 7.6): every task of the asking nexus ends without a status, at `units`, which report the nexus
 * loss (29/07) afterwards, and at `others`. Answered when the last task has stopped.
 */
export function resetNexus(
  request: Task,
  units: readonly LogicalUnit[],
  others: readonly LogicalUnit[],
): void {
  const { nexus } = request;
  if (nexus === null) {
    answer(request, FUNCTION_REJECTED);
    return;
  }
  // One for this call, so that the answer waits for every unit to be asked.
  let waiting = units.length + others.length + 1;
  const stopped = (): void => {
    waiting -= 1;
    if (waiting === 0) answer(request, FUNCTION_COMPLETE);
  };
  const own = (task: Task): boolean => task.nexus === nexus;
  // First: what its commands held up runs when they are gone, and may be an eject.
  for (const { medium } of units) medium?.allow(nexus);
  for (const { taskSet } of [...units, ...others]) {
    taskSet.whenStopped(taskSet.abort(own, false, I_T_NEXUS_RESET), stopped);
  }
  for (const { attention } of units) attention.post(nexus.index, I_T_NEXUS_LOSS_OCCURRED);
  for (const { taskSet, reservations, copies } of units) {
    waiting += 1;
    copies.lose(nexus, stopped);
    taskSet.clearAca(nexus);
    reservations.release(nexus);
  }
  stopped();
}
