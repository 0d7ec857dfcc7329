/** The port and the target of a simulation: they tell what arrives and what comes back, when it does. */
import { Target } from '../../src/scsi/target.ts';
import type { Task } from '../../src/scsi/task.ts';
import { DirectPort, type Outcome } from '../support/direct-port.ts';

/** A port that tells who came back before its slot is used again. */
export class WatchedPort extends DirectPort {
  returned: (task: Task, outcome: Outcome) => void = () => undefined;

  override respond(task: Task): void {
    super.respond(task);
    this.#tell(task);
  }
  override drop(task: Task): void {
    super.drop(task);
    this.#tell(task);
  }
  override taskManagementDone(task: Task): void {
    super.taskManagementDone(task);
    this.#tell(task);
  }
  #tell(task: Task): void {
    const pending = this.ended.pop();
    if (pending?.outcome) this.returned(task, pending.outcome);
  }
}

/** A target that tells what arrives before it does anything about it. */
export class WatchedTarget extends Target {
  arriving: (task: Task) => void = () => undefined;

  override receive(task: Task): void {
    this.arriving(task);
    super.receive(task);
  }
  override receiveManagement(task: Task): void {
    this.arriving(task);
    super.receiveManagement(task);
  }
}
