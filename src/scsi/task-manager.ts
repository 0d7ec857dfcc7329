/** Task management functions (SAM-5 clause 7): what each one aborts, who is told, and when it may be answered. */
import type { LogicalUnit } from './logical-unit.ts';
import {
  ABORT_TASK,
  ABORT_TASK_SET,
  CLEAR_TASK_SET,
  FUNCTION_COMPLETE,
  FUNCTION_REJECTED,
  FUNCTION_SUCCEEDED,
  I_T_NEXUS_RESET,
  INCORRECT_LOGICAL_UNIT_NUMBER,
  LOGICAL_UNIT_RESET,
  QUERY_TASK,
  QUERY_TASK_SET,
} from './sam.ts';
import { COMMANDS_CLEARED_BY_ANOTHER_INITIATOR, I_T_NEXUS_LOSS_OCCURRED } from './sense-codes.ts';
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
    managementFunction === LOGICAL_UNIT_RESET
  );
}

/** The tasks in the set that a function is about. */
function scope(request: Task): (task: Task) => boolean {
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
      return () => true;
  }
}

/** CLEAR TASK SET with TAS = 0 tells the other nexuses that lost a command by 2F/00 (SAM-5 5.6). */
function attentionForLosers(request: Task, unit: LogicalUnit, lost: ReadonlySet<number>): void {
  if (request.managementFunction !== CLEAR_TASK_SET || unit.taskAbortedStatus) return;
  for (const index of lost) unit.attention.post(index, COMMANDS_CLEARED_BY_ANOTHER_INITIATOR);
}

/**
 * Executes the function in `request`. It is answered when no effect of a task it aborts can reach the medium or the
 * initiator's memory any more. The asker's own tasks end without a status; tasks of others get TASK ABORTED (TAS = 1)
 * or silence and a unit attention (TAS = 0).
 */
export function manage(request: Task, unit: LogicalUnit | null): void {
  if (!isKnown(request.managementFunction)) {
    answer(request, FUNCTION_REJECTED);
    return;
  }
  if (unit === null) {
    answer(request, INCORRECT_LOGICAL_UNIT_NUMBER);
    return;
  }
  const lost = new Set<number>();
  const selects = scope(request);
  if (isQuery(request.managementFunction)) {
    answer(request, unit.taskSet.holds(selects) ? FUNCTION_SUCCEEDED : FUNCTION_COMPLETE);
    return;
  }
  const stopping = unit.taskSet.abort(
    (task) => {
      if (!selects(task)) return false;
      if (task.nexus !== null && task.nexus !== request.nexus) lost.add(task.nexus.index);
      if (task.port === request.port && !task.aborting) request.abortedCount += 1;
      return true;
    },
    (task) => task.nexus !== request.nexus && unit.taskAbortedStatus,
    request.managementFunction,
  );
  attentionForLosers(request, unit, lost);
  if (request.managementFunction === LOGICAL_UNIT_RESET) unit.reset();
  unit.taskSet.whenStopped(stopping, () => answer(request, FUNCTION_COMPLETE));
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
  for (const { taskSet } of [...units, ...others]) {
    taskSet.whenStopped(taskSet.abort(own, false, I_T_NEXUS_RESET), stopped);
  }
  for (const { attention } of units) attention.post(nexus.index, I_T_NEXUS_LOSS_OCCURRED);
  stopped();
}
