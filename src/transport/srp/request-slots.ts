/** The request slots of a channel: a preallocated task each, and private memory for its IU. */
import { type Mapping, mapAnonymous, unmap } from '../../libc.ts';
import type { TargetPort } from '../../scsi/contracts.ts';
import { ABORT_TASK, I_T_NEXUS_RESET } from '../../scsi/sam.ts';
import { FREE, type Task } from '../../scsi/task.ts';
import type { MemoryRegion } from '../memory.ts';
import { TaskPool } from '../task-pool.ts';
import { MAX_IT_IU_BYTES } from './iu.ts';

/** Most segments of one data buffer. */
export const MAX_SEGMENTS = 256;

/**
 *   | IU of slot 0 | IU of slot 1 | ... | IU of nobody |
 *
 * The last IU buffer takes IUs that arrive while every slot is in use, to see what they are.
 */
export class RequestSlots extends TaskPool {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Raw address of the first IU buffer. */
  readonly address: number;
  readonly #words: Int32Array;
  readonly #mapping: Mapping;
  /** Per slot: where the response goes, byte 1 of the request, the login it came under, whether it manages tasks. */
  readonly responseAt: Uint32Array;
  readonly solicited: Uint8Array;
  readonly login: Uint32Array;
  readonly managing: Uint8Array;

  constructor(port: TargetPort, slots: number) {
    super(port, MAX_SEGMENTS);
    this.grow(slots);
    const iuBytes = (slots + 1) * MAX_IT_IU_BYTES;
    this.responseAt = new Uint32Array(slots);
    this.solicited = new Uint8Array(slots);
    this.login = new Uint32Array(slots);
    this.managing = new Uint8Array(slots);
    this.#mapping = mapAnonymous(iuBytes);
    this.address = this.#mapping.address;
    this.bytes = new Uint8Array(this.#mapping.buffer, 0, iuBytes);
    this.view = new DataView(this.#mapping.buffer, 0, iuBytes);
    this.#words = new Int32Array(this.#mapping.buffer, 0, iuBytes / 4);
  }

  /** Whether a task management function in flight under `login` is about `task`. */
  manages(task: Task, login: number): boolean {
    for (const request of this.tasks) {
      const { slot } = request;
      if (this.managing[slot] === 0 || request.state === FREE) continue;
      if (this.login[slot] !== login) continue;
      if (request.managementFunction === I_T_NEXUS_RESET) return true;
      if (request.lun !== task.lun) continue;
      if (request.managementFunction !== ABORT_TASK) return true;
      if (request.managedTagLow !== task.tagLow) continue;
      if (request.managedTagHigh === task.tagHigh) return true;
    }
    return false;
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

  override close(): void {
    super.close();
    unmap(this.#mapping);
  }
}
