/** What a target port has answered. Sums live in one typed array: a plain number that outgrows 31 bits costs a deoptimization. */
import type { Task } from '../scsi/task.ts';

export class PortCounters {
  readonly #sums = new Float64Array(3);

  get commands(): number {
    return this.#sums[0] as number;
  }
  get bytesIn(): number {
    return this.#sums[1] as number;
  }
  get bytesOut(): number {
    return this.#sums[2] as number;
  }

  /** Counts a command that is answered. */
  count(task: Task): void {
    const sums = this.#sums;
    (sums[0] as number) += 1;
    (sums[1] as number) += task.dataInMoved;
    (sums[2] as number) += task.dataOutMoved;
  }
}
