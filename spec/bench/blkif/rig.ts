/** Both ends of a blkif ring in one process, over a store that records what it is asked. */

import { Backend } from '../../../bench/blkif/backend.ts';
import { Frontend } from '../../../bench/blkif/frontend.ts';
import { GrantTable } from '../../../bench/blkif/grant-table.ts';
import { MAX_SEGMENTS, X86_64 } from '../../../bench/blkif/request.ts';
import { ClientRing, initializeRing, ServerRing } from '../../../bench/blkif/ring.ts';
import { mapAnonymous, unmap } from '../../../src/libc.ts';
import {
  type AllocationRun,
  type BlockStore,
  DATA,
  DONE,
  MEDIUM_WRITE,
  PENDING,
  type StoreReply,
} from '../../../src/scsi/contracts.ts';
import type { Segments } from '../../../src/scsi/segments.ts';
import type { Task } from '../../../src/scsi/task.ts';
import { GuestMemory, MemoryRegion } from '../../../src/transport/memory.ts';

/** Bytes in memory, a log of calls, and requests that wait for `release` while `holding`. */
export class RecordingStore implements BlockStore {
  readonly bytes: number;
  readonly readOnly = false;
  readonly canDiscard = true;
  readonly canReserve = false;
  readonly discardBytes = 512;
  readonly volatileCache = true;
  readonly key = null;
  readonly atomicBytes = 0;
  readonly medium: Uint8Array;
  readonly log: string[] = [];
  holding = false;
  flushReply: StoreReply = DONE;
  readonly #held: Task[] = [];

  constructor(bytes: number) {
    this.bytes = bytes;
    this.medium = new Uint8Array(bytes);
  }

  read(task: Task, position: number, length: number, into: Segments): StoreReply {
    into.put(0, this.medium, position, length);
    return this.#logged(task, `read ${position} ${length}`, DONE);
  }

  write(
    task: Task,
    position: number,
    length: number,
    from: Segments,
    durable: boolean,
  ): StoreReply {
    from.get(0, this.medium, position, length);
    return this.#logged(task, `write ${position} ${length}${durable ? ' durable' : ''}`, DONE);
  }

  writeAtomic(): StoreReply {
    return MEDIUM_WRITE;
  }

  flush(task: Task): StoreReply {
    return this.#logged(task, 'flush', this.flushReply);
  }

  discard(task: Task, position: number, length: number): StoreReply {
    this.medium.fill(0, position, position + length);
    return this.#logged(task, `discard ${position} ${length}`, DONE);
  }

  writeZeroes(): StoreReply {
    return MEDIUM_WRITE;
  }

  allocation(): AllocationRun {
    return { state: DATA, end: this.bytes };
  }

  cancel(): void {}

  /** Ends the oldest request that waits. */
  release(): void {
    this.log.push('release');
    this.#held.shift()?.stored(DONE);
  }

  #logged(task: Task, call: string, reply: StoreReply): StoreReply {
    this.log.push(call);
    if (!this.holding) return reply;
    this.#held.push(task);
    return PENDING;
  }
}

export interface RigOptions {
  readonly diskBytes?: number;
  readonly blockBytes?: number;
  readonly readOnly?: boolean;
}

export const PAGES = 64;
const PAGE = 4096;

/** One page of ring, 63 granted pages behind it. */
export class Rig {
  readonly store: RecordingStore;
  readonly bytes: Uint8Array;
  readonly ring: Uint8Array;
  readonly server: ServerRing;
  readonly client: ClientRing;
  readonly backend: Backend;
  readonly frontend: Frontend;
  /** `index:status` of every completion, in order. */
  readonly completed: string[] = [];
  readonly #mappings = [mapAnonymous(PAGES * PAGE), mapAnonymous(2 * PAGE * 4)] as const;

  constructor(options: RigOptions = {}) {
    const [memory, iovecs] = this.#mappings;
    this.store = new RecordingStore(options.diskBytes ?? 1024 * 1024);
    this.bytes = new Uint8Array(memory.buffer);
    this.ring = this.bytes.subarray(0, PAGE);
    initializeRing(this.ring);
    this.server = new ServerRing(this.ring, X86_64.requestBytes);
    this.client = new ClientRing(this.ring, X86_64.requestBytes);
    const guest = new GuestMemory([new MemoryRegion(7, memory)]);
    const disk = {
      store: this.store,
      blockBytes: options.blockBytes ?? 512,
      readOnly: options.readOnly ?? false,
    };
    this.backend = new Backend(this.server, X86_64, new GrantTable(guest, 7, 1, PAGES), disk, {
      words: new Uint32Array(iovecs.buffer, 0, (this.server.slots * MAX_SEGMENTS * 16) / 4),
      address: iovecs.address,
    });
    this.frontend = new Frontend(this.client, X86_64, 0xca00, (index, status) => {
      this.completed.push(`${index}:${status}`);
    });
  }

  /** Puts a raw request into the next slot. */
  raw(hex: string): void {
    this.ring.set(Buffer.from(hex, 'hex'), this.client.nextRequest());
  }

  /** Publishes requests and lets the server work. */
  serve(): void {
    this.client.push();
    this.backend.poll(32);
  }

  /** `serve`, then takes the responses. */
  run(): string[] {
    this.serve();
    this.frontend.poll();
    return this.completed;
  }

  /** Status of the response in slot `index`, as the bytes of the ring say it. */
  status(index: number): number {
    return new DataView(this.ring.buffer).getInt16(64 + 112 * index + 10, true);
  }

  close(): void {
    for (const mapping of this.#mappings) unmap(mapping);
  }
}
