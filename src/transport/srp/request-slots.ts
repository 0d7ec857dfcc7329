/** The request slots of a channel: a preallocated task each, and private memory for its IU and iovecs in one mapping. */
import { type Mapping, mapAnonymous, unmap } from '../../libc.ts';
import type { TargetPort } from '../../scsi/contracts.ts';
import type { LogicalUnit } from '../../scsi/logical-unit.ts';
import { ABORT_TASK } from '../../scsi/sam.ts';
import { Segments } from '../../scsi/segments.ts';
import { FREE, Task } from '../../scsi/task.ts';
import type { MemoryRegion } from '../memory.ts';
import { MAX_IT_IU_BYTES } from './iu.ts';

/** Most segments of one data buffer. */
export const MAX_SEGMENTS = 256;

/**
 *   | IU of slot 0 | IU of slot 1 | ... | IU of nobody | out iovecs 0 | in iovecs 0 | out iovecs 1 | ...
 *
 * The last IU buffer takes IUs that arrive while every slot is in use, to see what they are.
 */
export class RequestSlots {
  readonly tasks: readonly Task[];
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Raw address of the first IU buffer. */
  readonly address: number;
  readonly #words: Int32Array;
  readonly #mapping: Mapping;
  readonly #iovecsAt: number;
  /** Per slot: where the response goes, byte 1 of the request, the login it came under, whether it manages tasks. */
  readonly responseAt: Uint32Array;
  readonly solicited: Uint8Array;
  readonly login: Uint32Array;
  readonly managing: Uint8Array;
  /** Stack of free slots. */
  readonly #free: Uint16Array;
  freeCount: number;

  constructor(port: TargetPort, slots: number) {
    const iuBytes = (slots + 1) * MAX_IT_IU_BYTES;
    this.freeCount = slots;
    this.#free = Uint16Array.from({ length: slots }, (_, i) => slots - 1 - i);
    this.responseAt = new Uint32Array(slots);
    this.solicited = new Uint8Array(slots);
    this.login = new Uint32Array(slots);
    this.managing = new Uint8Array(slots);
    this.#iovecsAt = Math.ceil(iuBytes / 16) * 16;
    this.#mapping = mapAnonymous(this.#iovecsAt + slots * 2 * Segments.iovecBytes(MAX_SEGMENTS));
    this.address = this.#mapping.address;
    this.bytes = new Uint8Array(this.#mapping.buffer, 0, iuBytes);
    this.view = new DataView(this.#mapping.buffer, 0, iuBytes);
    this.#words = new Int32Array(this.#mapping.buffer, 0, iuBytes / 4);
    this.tasks = Array.from(
      { length: slots },
      (_, i) => new Task(port, i, this.#segments(i * 2), this.#segments(i * 2 + 1)),
    );
  }

  /** Slots in use. */
  get busy(): number {
    return this.tasks.length - this.freeCount;
  }

  /** The slot that the next request gets; one past the last, whose IU buffer is that of nobody, when none is free. */
  get next(): number {
    return this.freeCount === 0 ? this.tasks.length : (this.#free[this.freeCount - 1] as number);
  }

  /** Takes the next slot. */
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

  /** Whether a task management function in flight under `login` is about `task`. */
  manages(task: Task, login: number): boolean {
    for (const request of this.tasks) {
      const { slot } = request;
      if (this.managing[slot] === 0 || request.state === FREE) continue;
      if (this.login[slot] !== login || request.lun !== task.lun) continue;
      if (request.managementFunction !== ABORT_TASK) return true;
      if (request.managedTagLow !== task.tagLow) continue;
      if (request.managedTagHigh === task.tagHigh) return true;
    }
    return false;
  }

  /** Aborts every command in flight, answered to nobody; each ends when its store says so. */
  abortAll(): void {
    const units = new Set<LogicalUnit>();
    for (const { state, unit } of this.tasks) if (state !== FREE && unit !== null) units.add(unit);
    const own = new Set(this.tasks);
    for (const unit of units) unit.taskSet.abort((task) => own.has(task), false);
  }

  /** Where the IU buffer of a slot starts. */
  iuAt(slot: number): number {
    return slot * MAX_IT_IU_BYTES;
  }

  /**
   * Copies [offset, offset + length) of a region to `at`, each byte read once. The caller has checked the bounds.
   * A word loop: cheaper than making a view for a few hundred bytes.
   */
  copyIn(region: MemoryRegion, offset: number, length: number, at: number): void {
    let done = 0;
    if ((offset & 3) === 0) {
      const source = region.words;
      const from = offset >>> 2;
      const to = at >>> 2;
      const words = length >>> 2;
      for (let i = 0; i < words; i += 1) this.#words[to + i] = source[from + i] as number;
      done = words << 2;
    }
    for (; done < length; done += 1) this.bytes[at + done] = region.view[offset + done] as number;
  }

  /** Unmaps. No task of this memory may be in flight or touched afterwards. */
  close(): void {
    unmap(this.#mapping);
  }

  #segments(index: number): Segments {
    const bytes = Segments.iovecBytes(MAX_SEGMENTS);
    const at = this.#iovecsAt + index * bytes;
    const words = new Uint32Array(this.#mapping.buffer, at, bytes / 4);
    return new Segments({ words, address: this.#mapping.address + at });
  }
}
