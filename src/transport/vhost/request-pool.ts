/** The request slots of a vhost-user device: enough for every queue it has started, and for requests that outlive a reset. */
import type { TargetPort } from '../../scsi/contracts.ts';
import type { Segments } from '../../scsi/segments.ts';
import type { Task } from '../../scsi/task.ts';
import { TaskPool } from '../task-pool.ts';
import { RESPONSE } from './virtio-scsi.ts';

/** Most segments of one data buffer: what one vectored read or write of the kernel takes. */
export const MAX_SEGMENTS = 1024;
/** Most slots of a device, those of requests that outlive a reset included. */
export const MAX_SLOTS = 16_384;
/** A response may be scattered to single bytes. */
const RESPONSE_SEGMENTS = RESPONSE.size;

export class RequestPool extends TaskPool {
  /** Per slot: where its response goes. */
  readonly responses: Segments[] = [];
  /** Per slot: head of its chain, its queue, and the life of the device it came in. */
  head = new Uint16Array(0);
  queue = new Uint16Array(0);
  life = new Uint32Array(0);

  constructor(port: TargetPort) {
    super(port, MAX_SEGMENTS);
  }

  /** Makes sure that `slots` are free. False when that would be more than a device may have. */
  reserve(slots: number): boolean {
    const lacking = slots - this.freeCount;
    if (lacking <= 0) return true;
    const total = this.tasks.length + lacking;
    if (total > MAX_SLOTS) return false;
    this.grow(lacking);
    this.responses.push(...this.mapSegments(lacking, RESPONSE_SEGMENTS));
    this.head = grown(this.head, new Uint16Array(total));
    this.queue = grown(this.queue, new Uint16Array(total));
    this.life = grown(this.life, new Uint32Array(total));
    return true;
  }

  override put(task: Task): void {
    (this.responses[task.slot] as Segments).clear();
    super.put(task);
  }
}

function grown<T extends Uint16Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
