/** Preallocated tasks of a target port, with private memory for the iovecs of their data buffers. */
import { type Mapping, mapAnonymous, unmap } from '../libc.ts';
import type { TargetPort } from '../scsi/contracts.ts';
import type { LogicalUnit } from '../scsi/logical-unit.ts';
import { Segments } from '../scsi/segments.ts';
import { FREE, Task } from '../scsi/task.ts';

/** Index of a task in its pool is its slot; a port keeps what it knows of a request in arrays by slot. */
export class TaskPool {
  readonly tasks: Task[] = [];
  freeCount = 0;
  readonly #port: TargetPort;
  readonly #maxSegments: number;
  readonly #mappings: Mapping[] = [];
  /** Stack of free slots. */
  #free = new Uint16Array(0);

  /** `maxSegments`: most segments of one data buffer. */
  constructor(port: TargetPort, maxSegments: number) {
    this.#port = port;
    this.#maxSegments = maxSegments;
  }

  /** Slots in use. */
  get busy(): number {
    return this.tasks.length - this.freeCount;
  }

  /** The slot that `take` gives next; one past the last when none is free. */
  get next(): number {
    return this.freeCount === 0 ? this.tasks.length : (this.#free[this.freeCount - 1] as number);
  }

  /** Adds `count` free slots; of those the one that is taken first has the lowest number. */
  grow(count: number): void {
    const first = this.tasks.length;
    const lists = this.mapSegments(2 * count, this.#maxSegments);
    for (let i = 0; i < count; i += 1) {
      const [dataOut, dataIn] = [lists[2 * i] as Segments, lists[2 * i + 1] as Segments];
      this.tasks.push(new Task(this.#port, first + i, dataOut, dataIn));
    }
    const free = new Uint16Array(first + count);
    free.set(this.#free);
    this.#free = free;
    for (let i = count - 1; i >= 0; i -= 1) {
      free[this.freeCount] = first + i;
      this.freeCount += 1;
    }
  }

  /** Takes the next slot; there is one. */
  take(): Task {
    const slot = this.next;
    this.freeCount -= 1;
    return this.tasks[slot] as Task;
  }

  /** Gives a slot back; its task has ended. */
  put(task: Task): void {
    task.release();
    this.#free[this.freeCount] = task.slot;
    this.freeCount += 1;
  }

  /** Aborts every command in flight, answered to nobody; each ends when its store says so. */
  abortAll(): void {
    const units = new Set<LogicalUnit>();
    for (const { state, unit } of this.tasks) if (state !== FREE && unit !== null) units.add(unit);
    const own = new Set(this.tasks);
    for (const unit of units) unit.taskSet.abort((task) => own.has(task), false);
  }

  /** Unmaps. No task of this pool may be in flight or touched afterwards. */
  close(): void {
    for (const mapping of this.#mappings) unmap(mapping);
    this.#mappings.length = 0;
  }

  /** Segment lists in one mapping, which `close` unmaps. Their pages cost memory when they are first used. */
  protected mapSegments(count: number, capacity: number): Segments[] {
    const bytes = Segments.iovecBytes(capacity);
    const mapping = mapAnonymous(count * bytes);
    this.#mappings.push(mapping);
    return Array.from({ length: count }, (_, i) => {
      const words = new Uint32Array(mapping.buffer, i * bytes, bytes / 4);
      return new Segments({ words, address: mapping.address + i * bytes });
    });
  }
}
