/** Begins the copy of a command, and keeps what became of it. */
import { assert } from '../../assert.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import type { Nexus } from '../nexus.ts';
import { refuse, unitOf } from '../parameter-data.ts';
import { BUSY } from '../sam.ts';
import { NONE } from '../sense.ts';
import { INVALID_FIELD_IN_PARAMETER_LIST, OPERATION_IN_PROGRESS } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import { CopyCommands } from './copy-commands.ts';
import {
  COPY_ABORTED_NO_ADDITIONAL_SENSE,
  CopyOperation,
  type CopyPlan,
} from './copy-operation.ts';
import type { CopyRecord, CopyRequest } from './copy-results.ts';
import { EXTENDED_COPY_LID1, EXTENDED_COPY_LID4 } from './limits.ts';

/** A record for the copy that `task` asks for; null, with the task ended, when it may not begin. */
export function beginCopy(task: Task, request: Omit<CopyRequest, 'nexus'>): CopyRecord | null {
  const { nexus } = task;
  assert(nexus !== null, 'a running task has a nexus');
  const unit = unitOf(task);
  if (unit.copies.full) {
    task.status = BUSY;
    unit.finish(task);
    return null;
  }
  const record = unit.copies.begin({ ...request, nexus });
  if (record === null) refuse(task, refusalOfDuplicate(unit, nexus, request));
  return record;
}

/** Of two EXTENDED COPYs with one list identifier and lists of two formats the second is wrong in itself (SPC-4 6.4.3.2). */
function refusalOfDuplicate(
  { copies }: LogicalUnit,
  nexus: Nexus,
  { serviceAction, listIdentifier }: Omit<CopyRequest, 'nexus'>,
): number {
  const first = listIdentifier === null ? undefined : copies.find(nexus, listIdentifier);
  const actions = [first?.request.serviceAction, serviceAction];
  const isOtherFormat =
    actions.includes(EXTENDED_COPY_LID1) && actions.includes(EXTENDED_COPY_LID4);
  return isOtherFormat ? INVALID_FIELD_IN_PARAMETER_LIST : OPERATION_IN_PROGRESS;
}

/**
 * Carries out a plan. In the foreground `task` ends with the copy, in the background at once. `ended` is called when the copy has,
 * before the task.
 */
export function runCopy(
  task: Task,
  record: CopyRecord,
  plan: Pick<CopyPlan, 'next' | 'spoilt'>,
  ended: () => void = () => undefined,
): void {
  const { nexus } = task;
  const unit = unitOf(task);
  const { block } = unit;
  assert(nexus !== null && block !== null, 'copies belong to units with blocks');
  const { foreground } = record.request;
  const isAborted = (): boolean => foreground && task.aborting;
  const whole: CopyPlan = {
    next: () => plan.next(),
    spoilt: () => plan.spoilt(),
    stopped: () => record.stopping || isAborted(),
    progressed: ({ ways, bytes, commands }) => {
      record.segments = ways;
      record.bytes = bytes;
      record.commands = commands;
      record.blocks = Math.floor(bytes / block.blockBytes);
    },
  };
  const commands = new CopyCommands(nexus, block.bounce);
  const operation = new CopyOperation(unit.target, commands, whole, (fault) => {
    const terminated = whole.stopped();
    if (terminated) record.end('terminated', null);
    else record.end(fault === null ? 'completed' : 'failed', fault);
    ended();
    if (!foreground) return;
    if (terminated) task.check(COPY_ABORTED_NO_ADDITIONAL_SENSE);
    else if (fault !== null) task.check(fault.sense, NONE, fault.pointer);
    unit.finish(task);
  });
  if (!foreground) unit.finish(task);
  operation.start();
}
