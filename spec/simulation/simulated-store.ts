/** A store without a clock: the simulation decides when a request ends and how. Effects may be seen by halves before. */
import { strict as assert } from 'node:assert';
import {
  type AllocationRun,
  type BlockStore,
  DATA,
  DONE,
  FULL,
  GONE,
  MEDIUM_READ,
  MEDIUM_WRITE,
  PENDING,
  type StoreReply,
} from '../../src/scsi/contracts.ts';
import type { Segments } from '../../src/scsi/segments.ts';
import type { Task } from '../../src/scsi/task.ts';
import { BLOCK_BYTES } from './command.ts';
import type { Random } from './random.ts';

export type Call = 'read' | 'write' | 'flush' | 'discard' | 'writeZeroes';

export interface StoreRequest {
  readonly call: Call;
  readonly task: Task;
  readonly position: number;
  readonly length: number;
  readonly durable: boolean;
  readonly segments: Segments | null;
  /** Bytes of a write that were put on the medium before its end. */
  early: number;
  cancelled: boolean;
  /** What a flush covers: memory as it was when it was asked for. */
  readonly covered: Uint8Array | null;
  readonly order: number;
}

export interface StoreWatcher {
  accessed(request: StoreRequest): void;
  /** Before the core hears of it. `goodBytes` is that of a fault. */
  ended(request: StoreRequest, reply: StoreReply): void;
}

export class SimulatedStore implements BlockStore {
  bytes: number;
  readonly readOnly = false;
  readonly canDiscard = true;
  readonly canReserve = false;
  readonly discardBytes = 4096;
  readonly volatileCache = true;
  /** No atomic writes: the unit must refuse them itself. */
  readonly key = null;
  readonly atomicBytes = 0;
  memory: Uint8Array;
  stable: Uint8Array;
  readonly pending: StoreRequest[] = [];
  /** Chance that a request ends with a fault. */
  faults = 0;
  /** Chance that a request ends inside the call. */
  immediate = 0.4;
  flushFailed = false;
  readonly #random: Random;
  readonly #watcher: StoreWatcher;
  readonly #durableAt: Uint32Array;
  #order = 0;

  constructor(bytes: number, largestBytes: number, random: Random, watcher: StoreWatcher) {
    this.bytes = bytes;
    this.memory = new Uint8Array(largestBytes);
    this.stable = new Uint8Array(largestBytes);
    this.#durableAt = new Uint32Array(largestBytes / BLOCK_BYTES);
    this.#random = random;
    this.#watcher = watcher;
  }

  read(task: Task, position: number, length: number, into: Segments): StoreReply {
    return this.#take('read', task, position, length, into, false);
  }
  write(task: Task, at: number, length: number, from: Segments, durable: boolean): StoreReply {
    return this.#take('write', task, at, length, from, durable);
  }
  writeAtomic(): StoreReply {
    return assert.fail('a store without atomic writes is not asked for one');
  }
  flush(task: Task): StoreReply {
    return this.#take('flush', task, 0, 0, null, false);
  }
  discard(task: Task, position: number, length: number): StoreReply {
    return this.#take('discard', task, position, length, null, false);
  }
  writeZeroes(task: Task, position: number, length: number, durable: boolean): StoreReply {
    return this.#take('writeZeroes', task, position, length, null, durable);
  }
  allocation(): AllocationRun {
    return { state: DATA, end: this.bytes };
  }
  cancel(task: Task): void {
    for (const request of this.pending) if (request.task === task) request.cancelled = true;
  }

  /** Lets a pending request end. */
  complete(index: number): void {
    const [request] = this.pending.splice(index, 1);
    assert(request, 'there is a request to complete');
    request.task.stored(this.#end(request));
  }

  #take(
    call: Call,
    task: Task,
    position: number,
    length: number,
    segments: Segments | null,
    durable: boolean,
  ): StoreReply {
    assert(position >= 0 && position + length <= this.bytes, `${call} stays inside the store`);
    this.#order += 1;
    const covered = call === 'flush' ? this.memory.slice() : null;
    const request: StoreRequest = {
      call,
      task,
      position,
      length,
      durable,
      segments,
      early: 0,
      cancelled: false,
      covered,
      order: this.#order,
    };
    this.#watcher.accessed(request);
    if (this.#random.chance(this.immediate)) return this.#end(request);
    if (call === 'write' && this.#random.chance(0.3)) {
      request.early = this.#random.below(length / BLOCK_BYTES + 1) * BLOCK_BYTES;
      segments?.get(0, this.memory, position, request.early);
    }
    this.pending.push(request);
    return PENDING;
  }

  #fault(request: StoreRequest): StoreReply {
    if (request.call === 'flush' && this.flushFailed) return MEDIUM_WRITE;
    if (request.cancelled ? !this.#random.chance(0.3) : !this.#random.chance(this.faults)) {
      return DONE;
    }
    if (request.call === 'read') return this.#random.pick([MEDIUM_READ, GONE]);
    if (request.call === 'flush') return MEDIUM_WRITE;
    return this.#random.pick([MEDIUM_WRITE, FULL, GONE]);
  }

  #end(request: StoreRequest): StoreReply {
    const reply = this.#fault(request);
    let { length } = request;
    if (reply !== DONE) {
      length = this.#random.below(Math.floor(length / BLOCK_BYTES) + 1) * BLOCK_BYTES;
      request.task.storedBytes = length;
    }
    this.#move(request, length);
    if (request.call === 'flush') this.#flushed(request, reply);
    this.#watcher.ended(request, reply);
    return reply;
  }

  #move({ call, position, segments, durable }: StoreRequest, length: number): void {
    if (call === 'read') segments?.put(0, this.memory, position, length);
    else if (call === 'write') segments?.get(0, this.memory, position, length);
    else if (call !== 'flush') this.memory.fill(0, position, position + length);
    if (!durable || length === 0) return;
    this.#order += 1;
    this.stable.set(this.memory.subarray(position, position + length), position);
    this.#durableAt.fill(this.#order, position / BLOCK_BYTES, (position + length) / BLOCK_BYTES);
  }

  #flushed({ covered, order }: StoreRequest, reply: StoreReply): void {
    if (reply !== DONE) {
      this.flushFailed = true;
      return;
    }
    for (let block = 0; covered !== null && block < this.#durableAt.length; block += 1) {
      if ((this.#durableAt[block] as number) > order) continue;
      const at = block * BLOCK_BYTES;
      this.stable.set(covered.subarray(at, at + BLOCK_BYTES), at);
      this.#durableAt[block] = order;
    }
  }
}
