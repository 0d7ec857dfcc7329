/**
 * Auto contingent allegiance (SAM-5 5.9): after a command with NACA = 1 ended in CHECK CONDITION, the task set it was in
 * stands still until its nexus has looked after the error.
 *
 *   command of            attribute, NACA            answer while the ACA lasts
 *   the faulted nexus     ACA, none of them there    runs, at once
 *                         anything else              ACA ACTIVE
 *   another nexus         PREEMPT AND ABORT          runs, at once
 *   (one task set)        NACA = 1                   ACA ACTIVE
 *                         NACA = 0                   BUSY
 *
 * With a task set per nexus (TST = 001b) the others do not notice.
 */
import { VARIABLE_LENGTH } from './cdb.ts';
import { NACA } from './command-table.ts';
import type { LogicalUnit } from './logical-unit.ts';
import type { Nexus } from './nexus.ts';
import { ACA } from './sam.ts';
import type { Task } from './task.ts';

const PERSISTENT_RESERVE_OUT = 0x5f;
const PREEMPT_AND_ABORT = 0x05;
/** Where the CONTROL byte of a command is, by the group code of its opcode (SPC-4 4.3.3). */
const CONTROL_BYTES = [5, 9, 9, 0, 15, 11, 0, 0] as const;

function controlByte(task: Task): number {
  if (task.row !== null) return task.row.controlByte;
  const opcode = task.cdb[0] as number;
  return opcode === VARIABLE_LENGTH ? 1 : (CONTROL_BYTES[opcode >> 5] as number);
}

/** Whether the command asks for an ACA condition should it end in CHECK CONDITION, and the unit has such (NORMACA = 1). */
export function asksForAca(task: Task, unit: LogicalUnit): boolean {
  const at = controlByte(task);
  return unit.normalAca && at > 0 && at < task.cdbBytes && ((task.cdb[at] as number) & NACA) !== 0;
}

function isPreemptAndAbort(task: Task): boolean {
  return (
    task.cdb[0] === PERSISTENT_RESERVE_OUT && ((task.cdb[1] as number) & 0x1f) === PREEMPT_AND_ABORT
  );
}

export class ContingentAllegiance {
  /** Nexuses that faulted: one at most while the unit has one task set. */
  readonly #faulted = new Set<Nexus>();

  get active(): boolean {
    return this.#faulted.size > 0;
  }

  /** The faulted nexus whose ACA stops commands of `nexus`, or null. */
  governing(nexus: Nexus | null, unit: LogicalUnit): Nexus | null {
    if (nexus !== null && this.#faulted.has(nexus)) return nexus;
    if (unit.taskSetPerNexus) return null;
    for (const faulted of this.#faulted) return faulted;
    return null;
  }

  establish(nexus: Nexus): void {
    this.#faulted.add(nexus);
  }

  /** True when there was one. */
  clear(nexus: Nexus): boolean {
    return this.#faulted.delete(nexus);
  }

  clearAll(): void {
    this.#faulted.clear();
  }

  /** Whether a task is held up: it neither starts nor ends before the ACA does. */
  blocks(task: Task, unit: LogicalUnit): boolean {
    if (this.#faulted.size === 0) return false;
    const faulted = this.governing(task.nexus, unit);
    return faulted !== null && !passes(task, faulted);
  }
}

/** Whether a task is one of those that run while the ACA of `faulted` lasts. */
function passes(task: Task, faulted: Nexus): boolean {
  if (task.nexus === faulted) return task.attribute === ACA;
  return isPreemptAndAbort(task);
}
