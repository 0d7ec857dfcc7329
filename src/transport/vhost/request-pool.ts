/** The request slots of a vhost-user device: preallocated tasks with private memory for their iovecs, enough for every queue it has started. */
import { type Mapping, mapAnonymous, unmap } from '../../libc.ts';
import type { TargetPort } from '../../scsi/contracts.ts';
import type { LogicalUnit } from '../../scsi/logical-unit.ts';
import { Segments } from '../../scsi/segments.ts';
import { FREE, Task } from '../../scsi/task.ts';
import { RESPONSE } from './virtio-scsi.ts';

/** Most segments of one data buffer: what one vectored read or write of the kernel takes. */
export const MAX_SEGMENTS = 1024;
/** Most slots of a device, those of requests that outlive a reset included. */
export const MAX_SLOTS = 16_384;
/** A response may be scattered to single bytes. */
const RESPONSE_SEGMENTS = RESPONSE.size;
const SLOT_BYTES = 2 * Segments.iovecBytes(MAX_SEGMENTS) + Segments.iovecBytes(RESPONSE_SEGMENTS);

export class RequestPool {
  readonly tasks: Task[] = [];
  /** Per slot: where its response goes. */
  readonly responses: Segments[] = [];
  /** Per slot: head of its chain, its queue, and the life of the device it came in. */
  head = new Uint16Array(0);
  queue = new Uint16Array(0);
  life = new Uint32Array(0);
  readonly #port: TargetPort;
  readonly #mappings: Mapping[] = [];
  /** Stack of free slots. */
  #free = new Uint16Array(0);
  #freeCount = 0;

  constructor(port: TargetPort) {
    this.#port = port;
  }

  /** Slots in use. */
  get busy(): number {
    return this.tasks.length - this.#freeCount;
  }

  /** Makes sure that `slots` are free. False when that would be more than a device may have. */
  reserve(slots: number): boolean {
    const lacking = slots - this.#freeCount;
    if (lacking <= 0) return true;
    const first = this.tasks.length;
    if (first + lacking > MAX_SLOTS) return false;
    const mapping = mapAnonymous(lacking * SLOT_BYTES);
    this.#mappings.push(mapping);
    this.head = grown(this.head, new Uint16Array(first + lacking));
    this.queue = grown(this.queue, new Uint16Array(first + lacking));
    this.life = grown(this.life, new Uint32Array(first + lacking));
    this.#free = grown(this.#free, new Uint16Array(first + lacking));
    for (let i = 0; i < lacking; i += 1) {
      const at = i * SLOT_BYTES;
      const half = Segments.iovecBytes(MAX_SEGMENTS);
      const dataOut = segments(mapping, at, MAX_SEGMENTS);
      const dataIn = segments(mapping, at + half, MAX_SEGMENTS);
      this.tasks.push(new Task(this.#port, first + i, dataOut, dataIn));
      this.responses.push(segments(mapping, at + 2 * half, RESPONSE_SEGMENTS));
      this.#free[this.#freeCount] = first + i;
      this.#freeCount += 1;
    }
    return true;
  }

  /** Takes a free slot; there is one, for a queue has at most as many requests in flight as it has descriptors. */
  take(): Task {
    this.#freeCount -= 1;
    return this.tasks[this.#free[this.#freeCount] as number] as Task;
  }

  /** Gives a slot back; its task has ended. */
  put(task: Task): void {
    const { slot } = task;
    (this.responses[slot] as Segments).clear();
    task.release();
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
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
}

function segments(mapping: Mapping, at: number, capacity: number): Segments {
  const words = new Uint32Array(mapping.buffer, at, Segments.iovecBytes(capacity) / 4);
  return new Segments({ words, address: mapping.address + at });
}

function grown<T extends Uint16Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
