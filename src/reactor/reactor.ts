/**
 * The reactor: polls its sources, and when nothing is to do, arms their doorbells and blocks in one system call.
 *
 *              work                     no work                    every source armed
 *     POLL ------------> POLL    POLL ----------> SPIN (bounded) --------------------> BLOCK in epoll_wait
 *       ^                                           | work                                |
 *       +-------------------------------------------+------ doorbell, socket, timer ------+
 */
import { performance } from 'node:perf_hooks';
import { drainEventFd, Poller } from '../libc.ts';
import { SpinBudget } from './spin-budget.ts';
import { Timers } from './timers.ts';

/**
 * Entries taken from one source in one turn: the share a guest gets before the next one's turn, and what is settled
 * together. With more, both ends of a full ring fall into lock-step: one waits for the batch the other works on.
 */
export const BUDGET = 16;
/** Turns between two looks at sockets, control and timers while sources keep the loop busy. */
const TURNS_PER_LOOK = 64;
/** Empty turns, in a loop that others keep busy, after which a source is armed and left alone. */
const EMPTY_TURNS = 256;
/** Tidyings in a row, while there is something to tidy up. */
const TIDYING_PASSES = 2;
/** Longest block, so that a lost thought of ours (not of a peer) cannot last. */
const MAX_BLOCK_MS = 60_000;

/** Something with a queue that is polled, and an eventfd that rings when it was armed. */
export interface Source {
  readonly doorbellFd: number;
  /** Handles at most `budget` entries and returns how many. */
  poll(budget: number): number;
  /** Publishes what was produced; called after every turn in which something happened. */
  flush(): void;
  /** Asks for the doorbell. False: something came in meanwhile, poll again. */
  arm(): boolean;
  /** No doorbell wanted: the source is being polled. */
  disarm(): void;
}

interface Entry {
  readonly source: Source;
  active: boolean;
  muted: boolean;
  emptyTurns: number;
}

export class Reactor {
  readonly timers = new Timers(() => performance.now());
  /** Milliseconds at the end of the last turn that did something, or later; an array, because a number would be allocated. */
  readonly time = new Float64Array([performance.now()]);
  readonly #poller = new Poller();
  readonly #spin: SpinBudget;
  readonly #entries: Entry[] = [];
  readonly #byFd = new Map<number, Entry>();
  readonly #watched = new Map<number, () => void>();
  #active = 0;
  /** The last turn handled something. */
  #busy = false;
  #stopping = false;
  /** Turns and blocks so far; typed, because a plain number that outgrows 31 bits costs a deoptimization. */
  readonly #sums = new Float64Array(2);
  /** Called when `time` has changed: a turn is over, or one begins after a rest. */
  onTime: () => void = () => undefined;
  /** Called after every turn in which something happened. True: commands may have run or ended by it. */
  onTurn: () => boolean = () => false;
  /**
   * Ends what the entries just handled have left to be done together, before their source is flushed. True: something of
   * other sources may have ended, too.
   */
  settle: () => boolean = () => false;

  constructor(cores: number) {
    this.#spin = new SpinBudget(cores);
  }

  get loops(): number {
    return this.#sums[0] as number;
  }
  get sleeps(): number {
    return this.#sums[1] as number;
  }

  /** Adds a source; it is polled from the next turn on. */
  add(source: Source): void {
    const entry: Entry = { source, active: true, muted: false, emptyTurns: 0 };
    this.#entries.push(entry);
    this.#byFd.set(source.doorbellFd, entry);
    this.#active += 1;
    this.#poller.add(source.doorbellFd);
  }

  /** Takes a source away; its doorbell descriptor must still be open. */
  remove(source: Source): void {
    const at = this.#entries.findIndex((entry) => entry.source === source);
    if (at < 0) return;
    const [entry] = this.#entries.splice(at, 1);
    if (entry?.active === true) this.#active -= 1;
    this.#byFd.delete(source.doorbellFd);
    this.#poller.remove(source.doorbellFd);
  }

  /** Polls a source no more; it is still flushed. */
  mute(source: Source): void {
    const entry = this.#entries.find((one) => one.source === source);
    if (entry === undefined || entry.muted) return;
    entry.muted = true;
    if (entry.active) this.#active -= 1;
    entry.active = false;
  }

  /** Calls `readable` whenever the descriptor is readable or hung up. */
  watch(fd: number, readable: () => void): void {
    this.#watched.set(fd, readable);
    this.#poller.add(fd);
  }

  /** Ends `watch`; the descriptor must still be open. */
  unwatch(fd: number): void {
    if (this.#watched.delete(fd)) this.#poller.remove(fd);
  }

  /** Ends `run` after the current turn. */
  stop(): void {
    this.#stopping = true;
  }

  close(): void {
    this.#poller.close();
  }

  /** Runs until `stop`. */
  run(): void {
    let turns = 0;
    while (!this.#stopping) {
      if (this.#turn() > 0) {
        turns += 1;
        if (turns < TURNS_PER_LOOK) continue;
        turns = 0;
        this.#look(0);
      } else if (!this.#spinForWork()) {
        turns = 0;
        this.#block();
      }
    }
  }

  #turn(): number {
    (this.#sums[0] as number) += 1;
    let handled = 0;
    const entries = this.#entries;
    if (this.#active === 0) return 0;
    for (let i = 0; i < entries.length; i += 1) {
      const entry = entries[i];
      if (entry?.active !== true) continue;
      const took = entry.source.poll(BUDGET);
      if (took > 0) {
        handled += took;
        entry.emptyTurns = 0;
        if (this.settle()) this.#flushAll();
        else entry.source.flush();
      } else if (this.#busy) {
        entry.emptyTurns += 1;
        if (entry.emptyTurns >= EMPTY_TURNS) this.#deactivate(entry);
      }
    }
    this.#busy = handled > 0;
    if (this.#busy) {
      this.#endTurn();
      this.#lookAtClock();
    }
    return handled;
  }

  #lookAtClock(): void {
    this.time[0] = performance.now();
    this.onTime();
  }

  #deactivate(entry: Entry): void {
    entry.emptyTurns = 0;
    if (!entry.source.arm()) return;
    entry.active = false;
    this.#active -= 1;
  }

  #activate(entry: Entry): void {
    if (entry.active || entry.muted) return;
    entry.active = true;
    entry.emptyTurns = 0;
    this.#active += 1;
    entry.source.disarm();
  }

  /** Polls for at most the spin budget. True when work came. */
  #spinForWork(): boolean {
    if (this.#active === 0 || this.#spin.us === 0) return false;
    const endMs = (this.time[0] as number) + this.#spin.us / 1000;
    do {
      for (let i = 0; i < 16; i += 1) {
        if (this.#turn() > 0) {
          this.#spin.hit();
          return true;
        }
      }
      this.#lookAtClock();
    } while ((this.time[0] as number) < endMs && this.#active > 0);
    this.#spin.miss();
    return false;
  }

  /** Arms every source and blocks; comes back at once when one of them has something after all. */
  #block(): void {
    for (const entry of this.#entries) if (entry.active) this.#deactivate(entry);
    if (this.#active > 0) {
      this.#look(0);
      return;
    }
    const untilMs = this.timers.untilNextMs();
    const timeoutMs = untilMs < 0 ? MAX_BLOCK_MS : Math.min(untilMs, MAX_BLOCK_MS);
    // What ended since the last turn has no part in the rest.
    this.#lookAtClock();
    const beforeMs = this.time[0] as number;
    (this.#sums[1] as number) += 1;
    this.#look(timeoutMs);
    if (this.#active > 0) this.#spin.slept(((this.time[0] as number) - beforeMs) * 1000);
  }

  /** Waits for descriptors and serves them, then timers. */
  #look(timeoutMs: number): void {
    const ready = this.#poller.wait(timeoutMs);
    if (timeoutMs !== 0) this.#lookAtClock();
    for (let i = 0; i < ready; i += 1) {
      const fd = this.#poller.readable(i);
      const entry = this.#byFd.get(fd);
      if (entry !== undefined) {
        drainEventFd(fd);
        this.#activate(entry);
      } else {
        this.#watched.get(fd)?.();
      }
    }
    const ran = this.timers.run();
    // A request can have completed though the wait saw nothing: asking the kernel for completions is what posts them.
    const settled = this.settle();
    if (settled || ran > 0 || ready > 0) this.#flushAll();
    this.#endTurn();
  }

  /**
   * What tidying let run (a guest that is gone no longer holds up the others) is settled and told before the next sleep; and
   * what ended by that is tidied up after, too.
   */
  #endTurn(): void {
    for (let pass = 0; pass < TIDYING_PASSES && this.onTurn(); pass += 1) {
      this.settle();
      this.#flushAll();
    }
  }

  #flushAll(): void {
    for (const entry of this.#entries) entry.source.flush();
  }
}
