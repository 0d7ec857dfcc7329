/** How a command begins an operation on the whole medium, and waits for its end or does not. */
import { assert } from '../../assert.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { ABORTED_OTHERWISE } from '../log/self-test-results.ts';
import { unitOf } from '../parameter-data.ts';
import { INTERNAL_TARGET_FAILURE } from '../sense-codes.ts';
import { ENABLED, type Task } from '../task.ts';
import { blockDeviceOf } from './access.ts';
import { encodePlan, MediumOperation, type OperationPlan } from './medium-operation.ts';

/** Keeps the plan, then begins; `immediately`: the command is answered then, else when the operation has ended. */
export function beginOperation(task: Task, plan: OperationPlan, immediately: boolean): void {
  const unit = unitOf(task);
  const { operationStore } = unit;
  assert(operationStore !== null, 'a unit without a place to keep operations has none');
  const kept = (_: Task, reply: StoreReply): void => {
    if (reply !== DONE || task.aborting) {
      if (reply !== DONE) task.check(INTERNAL_TARGET_FAILURE);
      unit.finish(task);
      return;
    }
    run(task, plan, !immediately);
  };
  task.await(operationStore.save(task, unit.lun, encodePlan(plan, false)), kept);
}

function run(task: Task, plan: OperationPlan, waits: boolean): void {
  const unit = unitOf(task);
  const { sequence } = task;
  const ended = (failed: boolean): void => {
    // It may have been aborted since: the operation is not.
    if (!task.resting || task.state !== ENABLED || task.sequence !== sequence) return;
    task.resting = false;
    if (failed) task.check(operation.sense);
    unit.finish(task);
  };
  // Nothing is left that could be tested.
  unit.selfTest.abort(ABORTED_OTHERWISE);
  if (waits) unit.taskSet.rest(task);
  const operation = new MediumOperation(unit, blockDeviceOf(task), plan, ended);
  operation.start();
  if (!waits) unit.finish(task);
}
