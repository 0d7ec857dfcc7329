/** Faults and delays on demand: a store in front of another one that acts on the requests its rules match. */
import { assert } from '../../assert.ts';
import {
  type AllocationRun,
  DONE,
  type EncryptionKey,
  FULL,
  GONE,
  MEDIUM_READ,
  MEDIUM_WRITE,
  PENDING,
  READ_ONLY,
  type StoreReply,
  type Timers,
} from '../../scsi/contracts.ts';
import type { Segments } from '../../scsi/segments.ts';
import type { Task } from '../../scsi/task.ts';
import type { DiskStore, StoreCounters } from './disk-store.ts';

/** What happens to the requests that match. The first rule that matches a request acts on it. */
export interface FaultRule {
  /** `write` covers zeroes and atomic writes, too; `calibration` and `close` are what burners do (`disc-faults.ts`), and no request here. */
  readonly operation: 'read' | 'write' | 'flush' | 'discard' | 'any' | 'calibration' | 'close';
  /** First and last logical block; absent: from the first, to the last. A rule with either never matches a flush. */
  readonly firstLba?: number;
  readonly lastLba?: number;
  /** What the request ends with; absent: it works. */
  readonly fault?: 'medium' | 'full' | 'gone' | 'read-only';
  /** How long the request takes before it is performed. */
  readonly delayMs?: number;
  /** An abort does not end the delay, as it does not end what a device works on. */
  readonly held?: boolean;
  /** Requests it acts on before it goes away; absent: all, until the rules are replaced. */
  readonly count?: number;
}

type Operation = 'read' | 'write' | 'atomic' | 'discard' | 'zero' | 'flush';

interface ActiveRule {
  readonly rule: FaultRule;
  readonly first: number;
  readonly end: number;
  readonly ranged: boolean;
  left: number;
}

interface Request {
  readonly task: Task;
  readonly operation: Operation;
  readonly position: number;
  readonly length: number;
  readonly segments: Segments | null;
  readonly durable: boolean;
}

interface Delayed extends Request {
  readonly rule: ActiveRule;
  timer: object | null;
}

export interface FaultStoreOptions {
  readonly timers: Timers;
  /** What LBAs in the rules count in. */
  readonly blockBytes: number;
}

function mediumFault(operation: Operation): StoreReply {
  return operation === 'read' ? MEDIUM_READ : MEDIUM_WRITE;
}

function faultReply(fault: NonNullable<FaultRule['fault']>, operation: Operation): StoreReply {
  if (fault === 'medium') return mediumFault(operation);
  if (fault === 'full') return FULL;
  return fault === 'gone' ? GONE : READ_ONLY;
}

function covers(rule: FaultRule, operation: Operation): boolean {
  if (rule.operation === 'any' || rule.operation === operation) return true;
  return rule.operation === 'write' && (operation === 'zero' || operation === 'atomic');
}

/**
 * Without rules every call is handed straight on. A delayed request reaches the inner store at the end of its delay, so
 * that an abort which is answered before the request has stopped shows as a late write or a late change of memory.
 * An injected flush failure lasts as long as its rule: it is not latched, because no data was lost.
 */
export class FaultStore implements DiskStore {
  #inner: DiskStore;
  readonly #timers: Timers;
  readonly #blockBytes: number;
  #rules: ActiveRule[] = [];
  #delayed: Delayed[] = [];

  constructor(inner: DiskStore, options: FaultStoreOptions) {
    this.#inner = inner;
    this.#timers = options.timers;
    this.#blockBytes = options.blockBytes;
  }

  /** Replaces every rule. Requests that are delayed already stay so. */
  setRules(rules: readonly FaultRule[]): void {
    const block = this.#blockBytes;
    this.#rules = rules.map((rule) => ({
      rule,
      first: (rule.firstLba ?? 0) * block,
      end: rule.lastLba === undefined ? Number.POSITIVE_INFINITY : (rule.lastLba + 1) * block,
      ranged: rule.firstLba !== undefined || rule.lastLba !== undefined,
      left: rule.count ?? Number.POSITIVE_INFINITY,
    }));
  }

  /** Stands in front of another store from now on; no request may be under way. Returns the one it stood in front of. */
  replace(inner: DiskStore): DiskStore {
    assert(this.#delayed.length === 0, 'a store is replaced when its last request has ended');
    const old = this.#inner;
    this.#inner = inner;
    return old;
  }

  /** Requests that wait for the end of their delay. */
  get delayedRequests(): number {
    return this.#delayed.length;
  }

  get bytes(): number {
    return this.#inner.bytes;
  }
  get readOnly(): boolean {
    return this.#inner.readOnly;
  }
  get canDiscard(): boolean {
    return this.#inner.canDiscard;
  }
  get canReserve(): boolean {
    return this.#inner.canReserve;
  }
  get discardBytes(): number {
    return this.#inner.discardBytes;
  }
  get volatileCache(): boolean {
    return this.#inner.volatileCache;
  }
  get atomicBytes(): number {
    return this.#inner.atomicBytes;
  }
  get key(): EncryptionKey | null {
    return this.#inner.key;
  }
  get counters(): StoreCounters {
    return this.#inner.counters;
  }

  turn(): void {
    this.#inner.turn();
  }

  grow(bytes: number): void {
    this.#inner.grow(bytes);
  }

  syncNow(): StoreReply {
    return this.#inner.syncNow();
  }

  close(): void {
    assert(this.#delayed.length === 0, 'a store is closed when its last request has ended');
    this.#inner.close();
  }

  read(task: Task, position: number, length: number, into: Segments): StoreReply {
    if (this.#rules.length === 0) return this.#inner.read(task, position, length, into);
    return this.#meet({
      task,
      operation: 'read',
      position,
      length,
      segments: into,
      durable: false,
    });
  }

  readNow(task: Task, position: number, length: number, into: Segments): StoreReply {
    return this.#inner.readNow(task, position, length, into);
  }

  write(
    task: Task,
    position: number,
    length: number,
    from: Segments,
    durable: boolean,
  ): StoreReply {
    if (this.#rules.length === 0) return this.#inner.write(task, position, length, from, durable);
    return this.#meet({ task, operation: 'write', position, length, segments: from, durable });
  }

  writeAtomic(task: Task, position: number, length: number, from: Segments): StoreReply {
    if (this.#rules.length === 0) return this.#inner.writeAtomic(task, position, length, from);
    return this.#meet({
      task,
      operation: 'atomic',
      position,
      length,
      segments: from,
      durable: true,
    });
  }

  flush(task: Task): StoreReply {
    if (this.#rules.length === 0) return this.#inner.flush(task);
    return this.#meet({
      task,
      operation: 'flush',
      position: 0,
      length: 0,
      segments: null,
      durable: true,
    });
  }

  discard(task: Task, position: number, length: number): StoreReply {
    if (this.#rules.length === 0) return this.#inner.discard(task, position, length);
    return this.#meet({
      task,
      operation: 'discard',
      position,
      length,
      segments: null,
      durable: false,
    });
  }

  writeZeroes(task: Task, position: number, length: number, durable: boolean): StoreReply {
    if (this.#rules.length === 0) return this.#inner.writeZeroes(task, position, length, durable);
    return this.#meet({ task, operation: 'zero', position, length, segments: null, durable });
  }

  allocation(position: number): AllocationRun {
    return this.#inner.allocation(position);
  }

  /**
   * A delayed request of the task ends soon, unperformed, unless its rule holds it; one that has reached the inner store is
   * that store's to end.
   */
  cancel(task: Task): void {
    const delayed = this.#delayed.find((d) => d.task === task);
    if (delayed === undefined) {
      this.#inner.cancel(task);
      return;
    }
    if (delayed.rule.rule.held === true) return;
    if (delayed.timer !== null) this.#timers.cancel(delayed.timer);
    // Not from here: whoever aborts is in the middle of walking its tasks.
    delayed.timer = this.#timers.after(0, () => {
      this.#forget(delayed);
      task.storedBytes = 0;
      task.stored(mediumFault(delayed.operation));
    });
  }

  #meet(request: Request): StoreReply {
    const rule = this.#match(request);
    if (rule === undefined) return this.#perform(request, request.length);
    rule.left -= 1;
    if (rule.left === 0) this.#rules = this.#rules.filter((r) => r !== rule);
    const { delayMs } = rule.rule;
    if (delayMs === undefined) return this.#outcome(request, rule);
    const delayed: Delayed = { ...request, rule, timer: null };
    this.#delayed.push(delayed);
    delayed.timer = this.#timers.after(delayMs, () => {
      this.#forget(delayed);
      const reply = this.#outcome(delayed, rule);
      if (reply !== PENDING) request.task.stored(reply);
    });
    return PENDING;
  }

  #match(request: Request): ActiveRule | undefined {
    const { operation, position, length } = request;
    return this.#rules.find((active) => {
      if (!covers(active.rule, operation)) return false;
      if (operation === 'flush') return !active.ranged;
      return active.first < position + length && position < active.end;
    });
  }

  /** The request works, or works up to the first block the rule covers and faults there. */
  #outcome(request: Request, active: ActiveRule): StoreReply {
    const { fault } = active.rule;
    if (fault === undefined) return this.#perform(request, request.length);
    const good = Math.max(0, active.first - request.position);
    // An atomic write has no good part.
    if (good > 0 && request.operation !== 'atomic') {
      // Not durable: the command fails anyway, and only a durable write would be answered later.
      const reply = this.#perform({ ...request, durable: false }, good);
      assert(reply !== PENDING, 'the good part of a request is done at once');
      if (reply !== DONE) return reply;
    }
    request.task.storedBytes = good;
    return faultReply(fault, request.operation);
  }

  #perform(request: Request, length: number): StoreReply {
    const { task, operation, position, segments, durable } = request;
    switch (operation) {
      case 'flush':
        return this.#inner.flush(task);
      case 'discard':
        return this.#inner.discard(task, position, length);
      case 'zero':
        return this.#inner.writeZeroes(task, position, length, durable);
      case 'atomic':
        assert(segments !== null, 'a transfer has segments');
        return this.#inner.writeAtomic(task, position, length, segments);
      default:
        assert(segments !== null, 'a transfer has segments');
        return operation === 'read'
          ? this.#inner.readNow(task, position, length, segments)
          : this.#inner.write(task, position, length, segments, durable);
    }
  }

  #forget(delayed: Delayed): void {
    this.#delayed = this.#delayed.filter((d) => d !== delayed);
  }
}
