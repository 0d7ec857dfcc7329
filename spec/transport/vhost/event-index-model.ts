/**
 * A model of one ring with event index, its consumer and its eventfd: every interleaving of the two ends' steps. It restates
 * virtio 1.2 clauses 2.7.7 and 2.7.10 and stands for both rings: available (the driver produces) and used (the device does).
 *
 * A step is one access to shared memory or one system call. A plain store may linger in the store buffer of its processor;
 * a sequentially consistent one empties the buffer and takes effect at once.
 */
import { type Searched, search, type Verdict } from '../ring/doorbell-model.ts';

/** What may be wrong, and what makes it good again. */
export interface Variant {
  /** The producer's store of the index may linger: a driver whose barrier was dropped offers a request. */
  readonly plainIndex?: boolean;
  /** The consumer's store of the event may linger: a driver whose barrier was dropped waits for an answer. */
  readonly plainEvent?: boolean;
  /** The consumer sleeps without looking again after it stored the event. */
  readonly noRecheck?: boolean;
  /** The producer reads the event before it stores the index. */
  readonly eventFirst?: boolean;
  /** The producer compares with the last entry of a batch only, as if it had published it alone. */
  readonly lastOnly?: boolean;
  /** The consumer empties the eventfd after its second look. */
  readonly drainLate?: boolean;
  /** A while after it fell asleep the consumer looks at the index again. */
  readonly consumerLooksAgain?: boolean;
  /** A while after it held a notification back the producer looks at the event again. */
  readonly producerLooksAgain?: boolean;
}

/** Memory: 0 the index, 1 the event. Store buffers are [address, value] pairs flattened. */
interface State {
  producer: 'early' | 'publish' | 'read' | 'ring' | 'rest' | 'again';
  batch: number;
  /** Index before the batch, and event as read early. */
  before: number;
  early: number;
  /** Index since which a notification was held back, or -1. */
  held: number;
  consumer: 'look' | 'store' | 'recheck' | 'drain' | 'asleep';
  taken: number;
  bell: number;
  memory: [number, number];
  producerStores: number[];
  consumerStores: number[];
}

const INDEX = 0;
const EVENT = 1;
/** Close to the end of 16 bits, so that everything wraps. */
const FIRST = 0xfffe;

/** Whether going from `before` to `now` steps over `event`: counted one by one. */
function stepsOver(event: number, now: number, before: number): boolean {
  for (let index = before; index !== now; index = (index + 1) & 0xffff) {
    if (index === event) return true;
  }
  return false;
}

class Machine implements Searched<State> {
  readonly wrongBodies = 0;
  readonly #batches: readonly number[];
  readonly #variant: Variant;
  readonly #last: number;

  constructor(batches: readonly number[], variant: Variant) {
    this.#batches = batches;
    this.#variant = variant;
    this.#last = (FIRST + batches.reduce((sum, n) => sum + n, 0)) & 0xffff;
  }

  start(): State {
    return {
      producer: 'early',
      batch: 0,
      before: FIRST,
      early: 0,
      held: -1,
      consumer: 'look',
      taken: FIRST,
      bell: 0,
      memory: [FIRST, 0],
      producerStores: [],
      consumerStores: [],
    };
  }

  next(state: State): State[] {
    const found: State[] = [];
    const move = (step: (s: State) => boolean): void => {
      const copy = structuredClone(state);
      if (step(copy)) found.push(copy);
    };
    move((s) => this.#producer(s));
    move((s) => this.#consumer(s));
    move((s) => settle(s, s.producerStores));
    move((s) => settle(s, s.consumerStores));
    return found;
  }

  isGoodEnd(s: State): boolean {
    return s.taken === this.#last && s.consumer === 'asleep';
  }

  #producer(s: State): boolean {
    switch (s.producer) {
      case 'early':
        if (s.batch === this.#batches.length) return false;
        s.early = load(s, s.producerStores, EVENT);
        s.producer = 'publish';
        return true;
      case 'publish':
        store(s, s.producerStores, INDEX, this.#indexAfter(s), this.#variant.plainIndex === true);
        s.producer = 'read';
        return true;
      case 'read':
        this.#decide(s);
        return true;
      case 'ring':
        s.bell = 1;
        s.producer = 'rest';
        return true;
      case 'rest':
        if (s.batch < this.#batches.length) s.producer = 'early';
        else if (this.#variant.producerLooksAgain === true && s.held >= 0) s.producer = 'again';
        else return false;
        return true;
      case 'again':
        return this.#lookAgain(s);
    }
  }

  #indexAfter(s: State): number {
    return (s.before + (this.#batches[s.batch] as number)) & 0xffff;
  }

  #decide(s: State): void {
    const { eventFirst, lastOnly } = this.#variant;
    const now = this.#indexAfter(s);
    const event = eventFirst === true ? s.early : load(s, s.producerStores, EVENT);
    const due = stepsOver(event, now, lastOnly === true ? (now - 1) & 0xffff : s.before);
    if (due) s.held = -1;
    else if (s.held < 0) s.held = s.before;
    s.before = now;
    s.batch += 1;
    s.producer = due ? 'ring' : 'rest';
  }

  /** A while later: nothing lingers any more. */
  #lookAgain(s: State): boolean {
    if (s.consumerStores.length > 0) return false;
    s.producer = stepsOver(s.memory[EVENT], s.before, s.held) ? 'ring' : 'rest';
    if (s.producer === 'ring' || s.consumer === 'asleep') s.held = -1;
    return true;
  }

  #consumer(s: State): boolean {
    const { plainEvent, noRecheck, drainLate, consumerLooksAgain } = this.#variant;
    const waits = (): boolean => load(s, s.consumerStores, INDEX) !== s.taken;
    switch (s.consumer) {
      case 'look':
        if (waits()) s.taken = (s.taken + 1) & 0xffff;
        else s.consumer = 'store';
        return true;
      case 'store':
        store(s, s.consumerStores, EVENT, s.taken, plainEvent === true);
        s.consumer = noRecheck === true ? 'asleep' : 'recheck';
        return true;
      case 'recheck':
        if (waits()) s.consumer = 'look';
        else s.consumer = drainLate === true ? 'drain' : 'asleep';
        return true;
      case 'drain':
        s.bell = 0;
        s.consumer = 'asleep';
        return true;
      case 'asleep':
        if (s.bell === 1) {
          if (drainLate !== true) s.bell = 0;
          s.consumer = 'look';
          return true;
        }
        if (consumerLooksAgain !== true || !waits()) return false;
        s.consumer = 'look';
        return true;
    }
  }
}

function load(s: State, stores: readonly number[], address: 0 | 1): number {
  for (let i = stores.length - 2; i >= 0; i -= 2) {
    if (stores[i] === address) return stores[i + 1] as number;
  }
  return s.memory[address];
}

function settle(s: State, stores: number[]): boolean {
  if (stores.length === 0) return false;
  const [address, value] = stores.splice(0, 2) as [0 | 1, number];
  s.memory[address] = value;
  return true;
}

function store(s: State, stores: number[], address: 0 | 1, value: number, plain: boolean): void {
  stores.push(address, value);
  while (!plain && settle(s, stores));
}

/** Searches every reachable state of a producer that sends `batches` and one consumer. */
export function exploreEventIndex(batches: readonly number[], variant: Variant = {}): Verdict {
  return search(new Machine(batches, variant));
}
