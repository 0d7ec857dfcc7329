/** What carries an initiator's IUs: memory and queue pairs with doorbells. The ring is one; the in-process loopback another. */
import type { GuestMemory } from './memory.ts';
import type { Channel } from './srp/channel.ts';

/** A queue pair whose owner can sleep. */
export interface LinkQueue extends Channel {
  /** Asks for the doorbell. False: something came in meanwhile, poll again. */
  arm(): boolean;
  /** No doorbell wanted: the queue is being polled. */
  disarm(): void;
}

export interface Link {
  readonly memory: GuestMemory;
  /** Free space of the first region: IU buffers and data live there. */
  readonly arenaOffset: number;
  readonly arenaBytes: number;
  readonly queuePairs: readonly LinkQueue[];
  /** From now until `close`: `wake` when the doorbell of an armed queue rang, `gone` once when the other end went away. */
  watch(wake: () => void, gone: (why: string) => void): void;
  /** Ends it. No byte of the memory may be touched any more once this was called. */
  close(): Promise<void>;
}

/** Makes a link; called again for every reconnect. Rejects when the other end cannot be reached or refuses. */
export type OpenLink = () => Promise<Link>;
