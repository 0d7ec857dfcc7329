/** What a front end shares besides its guest's memory: the dirty page log and the area of requests in flight. */
import { Buffer } from 'node:buffer';
import { DirtyLog } from './dirty-log.ts';
import { F_LOG_ALL } from './features.ts';
import { InflightArea, type InflightQueue } from './inflight.ts';
import { exact, type VhostMessage, VhostProtocolError } from './message.ts';
import { MAX_VRINGS } from './vring.ts';

/** Offsets in the payloads of SET_LOG_BASE, GET_INFLIGHT_FD and SET_INFLIGHT_FD. */
const SIZE_AT = 0;
const OFFSET_AT = 8;
const QUEUES_AT = 16;
const QUEUE_SIZE_AT = 18;
/** Longest split virtqueue there can be (virtio 1.2, 2.7). */
const MAX_SIZE = 32_768;

interface InflightFile {
  /** Belongs to the caller. */
  readonly fd: number;
  readonly payload: Buffer;
}

function inflightShape(message: VhostMessage): [queues: number, size: number] {
  const queues = message.payload.readUInt16LE(QUEUES_AT);
  const size = message.payload.readUInt16LE(QUEUE_SIZE_AT);
  if (queues < 1 || queues > MAX_VRINGS || size < 1 || size > MAX_SIZE) {
    throw new VhostProtocolError(
      `${message.name}: num_queues ${queues} of queue_size ${size}; 1 to ${MAX_VRINGS} of 1 to ${MAX_SIZE} are served`,
    );
  }
  return [queues, size];
}

export class SharedAreas {
  #log: DirtyLog | null = null;
  #inflight: InflightArea | null = null;

  /** Makes the memory file that answers GET_INFLIGHT_FD, and the payload about it. */
  static createInflight(message: VhostMessage): InflightFile {
    const [queues, size] = inflightShape(message);
    const payload = Buffer.from(message.payload);
    payload.writeBigUInt64LE(BigInt(InflightArea.bytesFor(queues, size)), SIZE_AT);
    payload.writeBigUInt64LE(0n, OFFSET_AT);
    return { fd: InflightArea.createFile(queues, size), payload };
  }

  /** SET_LOG_BASE. The old log is unmapped after `switched`, in which the rings take up the new one. */
  setLog(message: VhostMessage, switched: () => void): void {
    const [fd] = message.descriptors;
    const bytes = exact(message, 'log size', SIZE_AT);
    const old = this.#log;
    this.#log = DirtyLog.map(fd as number, bytes, exact(message, 'log offset', OFFSET_AT));
    switched();
    old?.close();
  }

  /** The log while pages are to be marked: LOG_ALL is acknowledged, and there is one. */
  activeLog(features: bigint): DirtyLog | null {
    return (features & F_LOG_ALL) === 0n ? null : this.#log;
  }

  /** SET_INFLIGHT_FD, while no ring is served. */
  setInflight(message: VhostMessage): void {
    const [queues, size] = inflightShape(message);
    const [fd] = message.descriptors;
    const bytes = exact(message, 'mmap_size', SIZE_AT);
    const offset = exact(message, 'mmap_offset', OFFSET_AT);
    const area = InflightArea.map(fd as number, bytes, offset, queues, size);
    this.#inflight?.close();
    this.#inflight = area;
  }

  inflightQueue(index: number, size: number): InflightQueue | null {
    return this.#inflight?.queue(index, size) ?? null;
  }

  /** A ring has stopped with nothing in flight. It may begin anew, with indexes from 0, in the same area. */
  clearInflight(index: number): void {
    this.#inflight?.clear(index);
  }

  /** Unmaps everything. Nothing is marked or recorded afterwards. */
  close(): void {
    this.#log?.close();
    this.#inflight?.close();
    this.#log = null;
    this.#inflight = null;
  }
}
