/** Who follows the command trace: the reactor records only while somebody does. */
import { Mutex } from 'async-mutex';
import type { TraceEntry } from './reactor-messages.ts';

/** Entries of one event: far below the largest frame. */
const ENTRIES_PER_EVENT = 256;

/** A connection that events can be sent to. */
export interface TraceFollower {
  send(event: string, value: unknown): boolean;
  onClosed: (() => void) | null;
}

export class TraceFeed {
  readonly #switch: (on: boolean) => Promise<unknown>;
  readonly #followers = new Set<TraceFollower>();
  /** Switching takes a round trip to the reactor; the last one asked for must be the last one done. */
  readonly #order = new Mutex();
  #on = false;

  constructor(setRecording: (on: boolean) => Promise<unknown>) {
    this.#switch = setRecording;
  }

  /** From now on `follower` gets events `traced` with a list of TraceEntry. */
  start(follower: TraceFollower): Promise<void> {
    this.#followers.add(follower);
    follower.onClosed = () => {
      // The daemon may be stopping: then there is nothing left to switch off.
      this.stop(follower).catch(() => undefined);
    };
    return this.#settle();
  }

  stop(follower: TraceFollower): Promise<void> {
    this.#followers.delete(follower);
    follower.onClosed = null;
    return this.#settle();
  }

  publish(entries: readonly TraceEntry[]): void {
    for (let at = 0; at < entries.length; at += ENTRIES_PER_EVENT) {
      const part = entries.slice(at, at + ENTRIES_PER_EVENT);
      for (const follower of this.#followers) follower.send('traced', part);
    }
  }

  #settle(): Promise<void> {
    return this.#order.runExclusive(async () => {
      const wanted = this.#followers.size > 0;
      if (wanted === this.#on) return;
      await this.#switch(wanted);
      this.#on = wanted;
    });
  }
}
