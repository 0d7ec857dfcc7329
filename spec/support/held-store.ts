/** A block store in plain JavaScript memory for specs: it can hold completions, fail on demand, and lose what is not durable. */
import { strict as assert } from 'node:assert';
import {
  type AllocationRun,
  type BlockStore,
  DATA,
  DONE,
  type EncryptionKey,
  HOLE,
  MEDIUM_WRITE,
  PENDING,
  RESERVED,
  type StoreReply,
} from '../../src/scsi/contracts.ts';
import type { Segments } from '../../src/scsi/segments.ts';
import type { Task } from '../../src/scsi/task.ts';

export type StoreCall = 'read' | 'write' | 'writeAtomic' | 'flush' | 'discard' | 'writeZeroes';

export interface HeldRequest {
  readonly call: StoreCall;
  readonly task: Task;
  readonly position: number;
  readonly length: number;
  readonly durable: boolean;
  readonly segments: Segments | null;
}

interface Fault {
  readonly call: StoreCall;
  readonly reply: StoreReply;
  readonly goodBytes: number;
  times: number;
}

export interface HeldStoreOptions {
  readonly bytes: number;
  readonly readOnly?: boolean;
  readonly canDiscard?: boolean;
  readonly canReserve?: boolean;
  readonly discardBytes?: number;
  readonly volatileCache?: boolean;
  readonly atomicBytes?: number;
}

export class HeldStore implements BlockStore {
  bytes: number;
  readOnly: boolean;
  canDiscard: boolean;
  canReserve: boolean;
  discardBytes: number;
  volatileCache: boolean;
  atomicBytes: number;
  key: EncryptionKey | null = null;
  /** What reads see. */
  memory: Uint8Array;
  /** What a power cut leaves. */
  stable: Uint8Array;
  /** While true, every request is PENDING until `release`; its effect happens at release. */
  hold = false;
  /** Requests that wait for `release`, in order of arrival. */
  readonly held: HeldRequest[] = [];
  /** Every request ever, in order. */
  readonly requests: HeldRequest[] = [];
  readonly calls: Record<StoreCall | 'cancel', number> = {
    read: 0,
    write: 0,
    writeAtomic: 0,
    flush: 0,
    discard: 0,
    writeZeroes: 0,
    cancel: 0,
  };
  /** A failed flush stays failed, as the contract says. */
  flushFailed = false;
  readonly #faults: Fault[] = [];
  /** Where pages start that space is kept for. */
  readonly #reserved = new Set<number>();

  constructor(options: HeldStoreOptions) {
    this.bytes = options.bytes;
    this.readOnly = options.readOnly ?? false;
    this.canDiscard = options.canDiscard ?? true;
    this.canReserve = options.canReserve ?? false;
    this.discardBytes = options.discardBytes ?? 4096;
    this.volatileCache = options.volatileCache ?? true;
    this.atomicBytes = options.atomicBytes ?? 0;
    this.memory = new Uint8Array(options.bytes);
    this.stable = new Uint8Array(options.bytes);
  }

  /** The next `times` requests of this kind end with `reply` after `goodBytes` good bytes. */
  fail(call: StoreCall, reply: StoreReply, goodBytes = 0, times = 1): void {
    this.#faults.push({ call, reply, goodBytes, times });
  }

  /** Lets the oldest `count` held requests happen and end. */
  release(count = 1): void {
    for (let i = 0; i < count; i += 1) this.releaseAt(0);
  }

  /** Lets the held request at `index` happen and end: completions out of order. */
  releaseAt(index: number): void {
    const [request] = this.held.splice(index, 1);
    assert(request, `no held request ${index}`);
    request.task.stored(this.#apply(request));
  }

  releaseAll(): void {
    while (this.held.length > 0) this.release();
  }

  /** Everything that was not on stable storage is gone. */
  powerCut(): void {
    this.memory = this.stable.slice();
  }

  /** Grows or shrinks the store. */
  resize(bytes: number): void {
    const kept = Math.min(bytes, this.bytes);
    const memory = new Uint8Array(bytes);
    memory.set(this.memory.subarray(0, kept));
    const stable = new Uint8Array(bytes);
    stable.set(this.stable.subarray(0, kept));
    this.memory = memory;
    this.stable = stable;
    this.bytes = bytes;
  }

  read(task: Task, position: number, length: number, into: Segments): StoreReply {
    return this.#take('read', task, position, length, into, false);
  }

  write(
    task: Task,
    position: number,
    length: number,
    from: Segments,
    durable: boolean,
  ): StoreReply {
    return this.#take('write', task, position, length, from, durable);
  }

  writeAtomic(task: Task, position: number, length: number, from: Segments): StoreReply {
    return this.#take('writeAtomic', task, position, length, from, true);
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

  /** Pages of `discardBytes` that hold nothing but zeros count as holes, or as reserved. */
  allocation(position: number): AllocationRun {
    const page = this.discardBytes;
    const stateAt = (at: number): AllocationRun['state'] => {
      const held = this.memory.subarray(at, Math.min(at + page, this.bytes));
      if (held.some((byte) => byte !== 0)) return DATA;
      return this.#reserved.has(at) ? RESERVED : HOLE;
    };
    let at = position - (position % page);
    const state = stateAt(at);
    while (at < this.bytes && stateAt(at) === state) at += page;
    return { state, end: Math.min(at, this.bytes) };
  }

  /** Every page that a zeroed range touches is reserved; one that is discarded as a whole is not any more. */
  #reserve(zeroes: boolean, position: number, length: number): void {
    const page = this.discardBytes;
    const end = position + length;
    const first = zeroes ? Math.floor(position / page) : Math.ceil(position / page);
    for (let at = first * page; zeroes ? at < end : at + page <= end; at += page) {
      if (zeroes) this.#reserved.add(at);
      else this.#reserved.delete(at);
    }
  }

  cancel(_task: Task): void {
    this.calls.cancel += 1;
  }

  #take(
    call: StoreCall,
    task: Task,
    position: number,
    length: number,
    segments: Segments | null,
    durable: boolean,
  ): StoreReply {
    assert(position >= 0 && position + length <= this.bytes, `${call} stays inside the store`);
    const request: HeldRequest = { call, task, position, length, durable, segments };
    this.calls[call] += 1;
    this.requests.push(request);
    if (!this.hold) return this.#apply(request);
    this.held.push(request);
    return PENDING;
  }

  #apply(request: HeldRequest): StoreReply {
    const fault = this.#faults.find((f) => f.call === request.call);
    let length = request.length;
    let reply: StoreReply = DONE;
    if (fault !== undefined) {
      fault.times -= 1;
      if (fault.times === 0) this.#faults.splice(this.#faults.indexOf(fault), 1);
      request.task.storedBytes = fault.goodBytes;
      length = Math.min(length, fault.goodBytes);
      reply = fault.reply;
    }
    this.#move(request, length);
    if (request.call === 'flush') {
      if (reply !== DONE) this.flushFailed = true;
      if (this.flushFailed) return reply === DONE ? MEDIUM_WRITE : reply;
      this.stable.set(this.memory);
    }
    return reply;
  }

  #move(request: HeldRequest, length: number): void {
    const { call, position, segments, durable } = request;
    if (call === 'read') segments?.put(0, this.memory, position, length);
    if (call === 'write' || call === 'writeAtomic') segments?.get(0, this.memory, position, length);
    if (call === 'discard' || call === 'writeZeroes') {
      this.memory.fill(0, position, position + length);
      if (this.canReserve) this.#reserve(call === 'writeZeroes', position, length);
    }
    if (durable && length > 0) {
      this.stable.set(this.memory.subarray(position, position + length), position);
    }
  }
}
