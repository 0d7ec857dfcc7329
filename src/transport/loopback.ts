/** Two ends of a channel in one process: bounded queues of CRQ elements over plain arrays, and memory both ends share. */
import { type Mapping, mapAnonymous, unmap } from '../libc.ts';
import { GuestMemory, MemoryRegion } from './memory.ts';
import type { Channel, CrqElement } from './srp/channel.ts';

/** valid, format, reserved, status, timeout, length, high, low. */
const NUMBERS = 8;
const DEFAULT_ENTRIES = 256;

/** One direction. */
class ElementQueue {
  readonly #numbers: Float64Array;
  readonly #entries: number;
  #head = 0;
  #count = 0;

  constructor(entries: number) {
    this.#entries = entries;
    this.#numbers = new Float64Array(entries * NUMBERS);
  }

  put(element: Readonly<CrqElement>): boolean {
    if (this.#count === this.#entries) return false;
    const at = ((this.#head + this.#count) % this.#entries) * NUMBERS;
    const numbers = this.#numbers;
    numbers[at] = element.valid;
    numbers[at + 1] = element.format;
    numbers[at + 2] = element.reserved;
    numbers[at + 3] = element.status;
    numbers[at + 4] = element.timeout;
    numbers[at + 5] = element.length;
    numbers[at + 6] = element.high;
    numbers[at + 7] = element.low;
    this.#count += 1;
    return true;
  }

  take(element: CrqElement): boolean {
    if (this.#count === 0) return false;
    const at = this.#head * NUMBERS;
    const numbers = this.#numbers;
    element.valid = numbers[at] as number;
    element.format = numbers[at + 1] as number;
    element.reserved = numbers[at + 2] as number;
    element.status = numbers[at + 3] as number;
    element.timeout = numbers[at + 4] as number;
    element.length = numbers[at + 5] as number;
    element.high = numbers[at + 6] as number;
    element.low = numbers[at + 7] as number;
    this.#head = (this.#head + 1) % this.#entries;
    this.#count -= 1;
    return true;
  }
}

/** One end. */
export class LoopbackEnd implements Channel {
  readonly memory: GuestMemory;
  readonly #sent: ElementQueue;
  readonly #taken: ElementQueue;
  readonly #scratch: CrqElement = {
    valid: 0,
    format: 0,
    reserved: 0,
    status: 0,
    timeout: 0,
    length: 0,
    high: 0,
    low: 0,
  };
  /** Batches that would have rung the doorbell. */
  flushes = 0;
  #unflushed = false;

  constructor(memory: GuestMemory, sent: ElementQueue, taken: ElementQueue) {
    this.memory = memory;
    this.#sent = sent;
    this.#taken = taken;
  }

  send(
    valid: number,
    format: number,
    status: number,
    timeout: number,
    length: number,
    high: number,
    low: number,
  ): boolean {
    const element = this.#scratch;
    element.valid = valid;
    element.format = format;
    element.reserved = 0;
    element.status = status;
    element.timeout = timeout;
    element.length = length;
    element.high = high;
    element.low = low;
    return this.inject(element);
  }

  /** Sends an element as it stands, byte 2 included. */
  inject(element: Readonly<CrqElement>): boolean {
    this.#unflushed = true;
    return this.#sent.put(element);
  }

  take(element: CrqElement): boolean {
    return this.#taken.take(element);
  }

  flush(): void {
    if (this.#unflushed) this.flushes += 1;
    this.#unflushed = false;
  }
}

export interface LoopbackRegion {
  readonly handle: number;
  /** Bytes; pages cost memory when they are touched, so a region may be large and sparse. */
  readonly bytes: number;
}

export interface LoopbackOptions {
  readonly regions: readonly LoopbackRegion[];
  /** Elements each queue holds. */
  readonly entries?: number;
  /** Queue pairs over the same memory. */
  readonly queuePairs?: number;
}

export interface LoopbackPair {
  readonly initiator: LoopbackEnd;
  readonly target: LoopbackEnd;
}

/** Whatever takes elements from a channel; `poll` handles at most `budget` of them and returns how many. */
export interface Polled {
  poll(budget: number): number;
}

export class Loopback {
  readonly memory: GuestMemory;
  readonly pairs: readonly LoopbackPair[];
  readonly #mappings: readonly Mapping[];

  constructor(options: LoopbackOptions) {
    this.#mappings = options.regions.map((region) => mapAnonymous(region.bytes));
    this.memory = new GuestMemory(
      this.#mappings.map(
        (mapping, i) => new MemoryRegion((options.regions[i] as LoopbackRegion).handle, mapping),
      ),
    );
    const entries = options.entries ?? DEFAULT_ENTRIES;
    this.pairs = Array.from({ length: options.queuePairs ?? 1 }, () => {
      const commands = new ElementQueue(entries);
      const responses = new ElementQueue(entries);
      return {
        initiator: new LoopbackEnd(this.memory, commands, responses),
        target: new LoopbackEnd(this.memory, responses, commands),
      };
    });
  }

  /** The ends of the first queue pair. */
  get initiator(): LoopbackEnd {
    return (this.pairs[0] as LoopbackPair).initiator;
  }

  get target(): LoopbackEnd {
    return (this.pairs[0] as LoopbackPair).target;
  }

  /** Unmaps the memory. Nothing may touch it afterwards. */
  close(): void {
    for (const mapping of this.#mappings) unmap(mapping);
  }
}

/** Polls every port in turn until a whole round finds nothing to do; returns how many elements were handled. */
export function pump(...ports: readonly Polled[]): number {
  let total = 0;
  for (;;) {
    let round = 0;
    for (const port of ports) round += port.poll(Number.MAX_SAFE_INTEGER);
    if (round === 0) return total;
    total += round;
  }
}
