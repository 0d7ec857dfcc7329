/** Tasks that no initiator sent: what works on a store on its own account. They are in no task set and are never answered. */
import { assert } from '../assert.ts';
import type { TargetPort } from './contracts.ts';
import type { Nexus } from './nexus.ts';
import { Segments } from './segments.ts';
import { ENABLED, Task } from './task.ts';

const NOBODY: TargetPort = {
  lunPresentation: 'native',
  respond: () => assert(false, 'a private task has nobody to answer'),
  drop: () => assert(false, 'a private task is not dropped'),
  taskManagementDone: () => assert(false, 'a private task is no function'),
};
const WORKER: Nexus = {
  index: -1,
  identity: '',
  port: '',
  name: 'private task',
  present: true,
  anonymous: true,
};

/** Buffers of a task that moves nothing. */
export const noSegments = (): Segments => new Segments({ words: new Uint32Array(4), address: 0 });

/** A task for one store request after the other, enabled for good. */
export function newPrivateTask(): Task {
  const task = new Task(NOBODY, 0, noSegments(), noSegments());
  task.receive(WORKER);
  task.transition(task.state, ENABLED);
  return task;
}
