/**
 * A model of one queue with its sleep word and doorbell: every interleaving of the two ends' steps, by exhaustive search.
 * It restates docs/srp-ring.md sections 5 and 6 and shares no code with the implementation.
 *
 * A step is one access to shared memory or one system call. Plain stores may linger in the store buffer of their processor (as on
 * x86); a sequentially consistent access empties the buffer first and takes effect at once.
 */

/** What may be wrong with the protocol. */
export interface Variant {
  /** The consumer sleeps without looking again after it declared itself asleep. */
  readonly noRecheck?: boolean;
  /** The producer looks at the sleep word before it publishes, not after. */
  readonly lookFirst?: boolean;
  /** The producer's store of the first word may linger. */
  readonly plainPublish?: boolean;
  /** The consumer's store to the sleep word may linger. */
  readonly plainSleep?: boolean;
  /** The consumer empties the doorbell after its second look instead of when it wakes. */
  readonly drainLate?: boolean;
  /** The first word is stored before the body. */
  readonly bodyLast?: boolean;
  /** The producer reads the sleep word and clears it in two steps: harmless, and the model must say so. */
  readonly lookThenExchange?: boolean;
  /** The producer does not ring when the queue is full and it has to wait. */
  readonly silentWhenFull?: boolean;
}

/** Store buffers: [address, value] pairs flattened. Addresses: 0 sleep word, 1 + 2i valid of slot i, 2 + 2i its body. */
interface State {
  /** Producer: program counter, element being sent, position in the list of batches, sleep word as last seen. */
  pp: string;
  sent: number;
  inBatch: number;
  batch: number;
  seen: number;
  /** Consumer: program counter, elements taken. */
  cp: string;
  taken: number;
  /** Shared memory and the doorbell. */
  memory: number[];
  bell: number;
  producerStores: number[];
  consumerStores: number[];
}

export interface Verdict {
  readonly states: number;
  /** An element is there or still to come, and nobody will ever move again. */
  readonly lostWakeUps: number;
  /** The consumer read a body that its element does not have. */
  readonly wrongBodies: number;
  /** States from which the good end (everything taken, consumer asleep) cannot be reached any more. */
  readonly hopeless: number;
}

const SLEEPS = 0;
const validOf = (slot: number): number => 1 + slot * 2;
const bodyOf = (slot: number): number => 2 + slot * 2;

class Machine {
  readonly slots: number;
  readonly batches: readonly number[];
  readonly total: number;
  readonly variant: Variant;
  wrongBodies = 0;

  constructor(slots: number, batches: readonly number[], variant: Variant) {
    this.slots = slots;
    this.batches = batches;
    this.total = batches.reduce((sum, n) => sum + n, 0);
    this.variant = variant;
  }

  start(): State {
    return {
      pp: 'check',
      sent: 0,
      inBatch: 0,
      batch: 0,
      seen: 0,
      cp: 'look',
      taken: 0,
      memory: new Array(1 + this.slots * 2).fill(0),
      bell: 0,
      producerStores: [],
      consumerStores: [],
    };
  }

  /** Loads see the processor's own lingering stores first. */
  #load(state: State, stores: readonly number[], address: number): number {
    for (let i = stores.length - 2; i >= 0; i -= 2) {
      if (stores[i] === address) return stores[i + 1] as number;
    }
    return state.memory[address] as number;
  }

  #drain(state: State, stores: number[]): void {
    while (stores.length > 0) {
      const [address, value] = stores.splice(0, 2) as [number, number];
      state.memory[address] = value;
    }
  }

  #store(state: State, stores: number[], address: number, value: number, plain: boolean): void {
    stores.push(address, value);
    if (!plain) this.#drain(state, stores);
  }

  /** Every state one step away. */
  next(state: State): State[] {
    const found: State[] = [];
    const move = (change: (s: State) => boolean): void => {
      const copy = structuredClone(state);
      if (change(copy)) found.push(copy);
    };
    move((s) => this.#producer(s));
    move((s) => this.#consumer(s));
    move((s) => this.#settle(s, s.producerStores));
    move((s) => this.#settle(s, s.consumerStores));
    return found;
  }

  #settle(s: State, stores: number[]): boolean {
    if (stores.length === 0) return false;
    const [address, value] = stores.splice(0, 2) as [number, number];
    s.memory[address] = value;
    return true;
  }

  /** One step of the producer; false when it has nothing to do or waits for a free slot. */
  #producer(s: State): boolean {
    const { variant } = this;
    const stores = s.producerStores;
    const slot = s.sent % this.slots;
    const valid = (): boolean => {
      this.#store(s, stores, validOf(slot), 1, variant.plainPublish === true);
      return true;
    };
    const body = (): boolean => {
      this.#store(s, stores, bodyOf(slot), s.sent + 1, true);
      return true;
    };
    switch (s.pp) {
      case 'check':
        if (s.sent === this.total) return false;
        if (this.#load(s, stores, validOf(slot)) === 0) {
          s.pp = variant.lookFirst === true ? 'lookFirst' : 'first';
          return true;
        }
        // Full: what was published so far is announced, then the producer waits for a slot.
        if (s.inBatch === 0 || variant.silentWhenFull === true) return false;
        s.inBatch = 0;
        s.pp = 'lookWhenFull';
        return true;
      case 'lookFirst':
        s.seen = this.#load(s, stores, SLEEPS);
        s.pp = 'first';
        return true;
      case 'first':
        s.pp = 'second';
        return variant.bodyLast === true ? valid() : body();
      case 'second':
        if (variant.bodyLast === true) body();
        else valid();
        return this.#published(s);
      case 'look':
      case 'lookWhenFull':
        return this.#look(s, stores);
      case 'exchange':
        return this.#exchange(s, stores);
      case 'ring':
        s.bell = 1;
        s.pp = 'check';
        return true;
      default:
        throw new Error(s.pp);
    }
  }

  #published(s: State): boolean {
    s.sent += 1;
    s.inBatch += 1;
    if (s.inBatch < (this.batches[s.batch] as number) && s.sent < this.total) {
      s.pp = 'check';
      return true;
    }
    s.batch = Math.min(s.batch + 1, this.batches.length - 1);
    s.inBatch = 0;
    if (this.variant.lookFirst === true) s.pp = s.seen === 0 ? 'check' : 'exchange';
    else s.pp = 'look';
    return true;
  }

  #look(s: State, stores: number[]): boolean {
    if (this.variant.lookThenExchange !== true) return this.#exchange(s, stores);
    s.pp = this.#load(s, stores, SLEEPS) === 0 ? 'check' : 'exchange';
    return true;
  }

  #exchange(s: State, stores: number[]): boolean {
    this.#drain(s, stores);
    s.pp = s.memory[SLEEPS] === 0 ? 'check' : 'ring';
    s.memory[SLEEPS] = 0;
    return true;
  }

  /** One step of the consumer; false while it sleeps and the doorbell is silent. */
  #consumer(s: State): boolean {
    const { variant } = this;
    const stores = s.consumerStores;
    const slot = s.taken % this.slots;
    const waits = (): boolean => this.#load(s, stores, validOf(slot)) !== 0;
    switch (s.cp) {
      case 'look':
        s.cp = waits() ? 'read' : 'declare';
        return true;
      case 'read':
        if (this.#load(s, stores, bodyOf(slot)) !== s.taken + 1) this.wrongBodies += 1;
        s.cp = 'free';
        return true;
      case 'free':
        this.#store(s, stores, validOf(slot), 0, false);
        s.taken += 1;
        s.cp = 'look';
        return true;
      case 'declare':
        this.#store(s, stores, SLEEPS, 1, variant.plainSleep === true);
        s.cp = variant.noRecheck === true ? 'asleep' : 'recheck';
        return true;
      case 'recheck':
        if (waits()) s.cp = 'awake';
        else s.cp = variant.drainLate === true ? 'drainLate' : 'asleep';
        return true;
      case 'awake':
        this.#store(s, stores, SLEEPS, 0, false);
        s.cp = 'look';
        return true;
      case 'drainLate':
        s.bell = 0;
        s.cp = 'asleep';
        return true;
      case 'asleep':
        if (s.bell === 0) return false;
        if (variant.drainLate !== true) s.bell = 0;
        s.cp = 'look';
        return true;
      default:
        throw new Error(s.cp);
    }
  }

  isGoodEnd(s: State): boolean {
    return s.taken === this.total && s.cp === 'asleep';
  }
}

/** Something whose every step can be tried. States are plain data: equal ones have equal JSON. */
export interface Searched<S> {
  readonly wrongBodies: number;
  start(): S;
  /** Every state one step away. */
  next(state: S): S[];
  isGoodEnd(state: S): boolean;
}

/** Searches every reachable state of a queue of `slots`, a producer that sends `batches`, and one consumer. */
export function explore(slots: number, batches: readonly number[], variant: Variant = {}): Verdict {
  return search(new Machine(slots, batches, variant));
}

/** Searches every reachable state. */
export function search<S>(machine: Searched<S>): Verdict {
  const first = machine.start();
  const known = new Map<string, number>([[JSON.stringify(first), 0]]);
  const queue: S[] = [first];
  const before: number[][] = [[]];
  const good: number[] = [];
  let lostWakeUps = 0;
  for (let i = 0; i < queue.length; i += 1) {
    const state = queue[i] as S;
    const successors = machine.next(state);
    if (machine.isGoodEnd(state)) good.push(i);
    else if (successors.length === 0) lostWakeUps += 1;
    for (const successor of successors) {
      const key = JSON.stringify(successor);
      let index = known.get(key);
      if (index === undefined) {
        index = queue.length;
        known.set(key, index);
        queue.push(successor);
        before.push([]);
      }
      (before[index] as number[]).push(i);
    }
  }
  const hopeful = new Set(good);
  const walk = [...good];
  for (let i = 0; i < walk.length; i += 1) {
    for (const index of before[walk[i] as number] as number[]) {
      if (hopeful.has(index)) continue;
      hopeful.add(index);
      walk.push(index);
    }
  }
  return {
    states: queue.length,
    lostWakeUps,
    wrongBodies: machine.wrongBodies,
    hopeless: queue.length - hopeful.size,
  };
}
