/** Parameter data and parameter lists: what commands other than reads and writes move (SPC-4 4.3.5.6, 4.3.5.7). */
import { assert } from '../assert.ts';
import type { LogicalUnit } from './logical-unit.ts';
import type { Nexus } from './nexus.ts';
import { NONE } from './sense.ts';
import { INVALID_FIELD_IN_CDB, PARAMETER_LIST_LENGTH_ERROR } from './sense-codes.ts';
import type { Task } from './task.ts';

/** The logical unit a running task belongs to. */
export function unitOf(task: Task): LogicalUnit {
  const { unit } = task;
  assert(unit !== null, 'a running task has a logical unit');
  return unit;
}

/** The nexus a running task came through. */
export function nexusOf(task: Task): Nexus {
  const { nexus } = task;
  assert(nexus !== null, 'a running task has a nexus');
  return nexus;
}

/** Its index. */
export function nexusIndexOf(task: Task): number {
  return nexusOf(task).index;
}

/**
 * Answers with the first `allocationLength` of `lengthBytes` bytes of parameter data and ends the task GOOD. The data
 * keeps the length fields it has, however much of it is moved.
 */
export function answer(
  task: Task,
  bytes: Uint8Array,
  lengthBytes: number,
  allocationLength: number,
): void {
  const wanted = Math.min(lengthBytes, allocationLength);
  const moved = Math.min(wanted, task.dataIn.bytes);
  task.dataIn.put(0, bytes, 0, moved);
  task.dataInWanted = wanted;
  task.dataInMoved = moved;
  unitOf(task).finish(task);
}

/**
 * Copies a parameter list of `lengthBytes` out of the data-out buffer: from here on only the copy is read, the initiator
 * may be changing its memory. Null, with the task ended by 5/1A/00, when the initiator sent less than that.
 */
export function parameterList(task: Task, lengthBytes: number): Uint8Array | null {
  task.dataOutWanted = lengthBytes;
  task.dataOutMoved = Math.min(lengthBytes, task.dataOut.bytes);
  if (task.dataOut.bytes < lengthBytes) {
    refuse(task, PARAMETER_LIST_LENGTH_ERROR);
    return null;
  }
  const list = new Uint8Array(lengthBytes);
  task.dataOut.get(0, list, 0, lengthBytes);
  return list;
}

/** Ends the task with CHECK CONDITION. */
export function refuse(task: Task, sense: number, fieldPointer: number = NONE): void {
  task.check(sense, NONE, fieldPointer);
  unitOf(task).finish(task);
}

/** Ends the task with 5/24/00 INVALID FIELD IN CDB and a pointer to the field. */
export function refuseField(task: Task, fieldPointer: number): void {
  refuse(task, INVALID_FIELD_IN_CDB, fieldPointer);
}
