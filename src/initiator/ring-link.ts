/** The link over the shared-memory ring: attachment, doorbells through the waiter thread, orderly end. */

import type { Link } from '../transport/link.ts';
import { connectRing, type RingConnection } from '../transport/ring/connector.ts';
import { type DoorbellWatch, watchDoorbells } from './doorbell-waiter.ts';

export interface RingLinkOptions {
  readonly path: string;
  readonly name: string;
  readonly queuePairs: number;
  readonly regionBytes: number;
  readonly timeoutMs: number;
}

class RingLink implements Link {
  readonly #connection: RingConnection;
  #watch: DoorbellWatch | null = null;
  #closed = false;

  constructor(connection: RingConnection) {
    this.#connection = connection;
  }

  get memory(): RingConnection['memory'] {
    return this.#connection.memory;
  }
  get arenaOffset(): number {
    return this.#connection.arenaOffset;
  }
  get arenaBytes(): number {
    return this.#connection.arenaBytes;
  }
  get queuePairs(): RingConnection['queuePairs'] {
    return this.#connection.queuePairs;
  }

  watch(wake: () => void, gone: (why: string) => void): void {
    const { callFds, socketFd } = this.#connection;
    this.#watch = watchDoorbells(callFds, socketFd, wake, gone);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const pair of this.#connection.queuePairs) pair.detach();
    // The waiter must have let go of the descriptors before their numbers can mean something else.
    await this.#watch?.end();
    this.#connection.close();
  }
}

/** Attaches to the target listening at `options.path`. Rejects with RingAttachError. */
export async function openRingLink(options: RingLinkOptions): Promise<Link> {
  const connection = await connectRing({
    path: options.path,
    name: options.name,
    queuePairs: options.queuePairs,
    regions: [{ handle: 0, bytes: options.regionBytes }],
    timeoutMs: options.timeoutMs,
  });
  return new RingLink(connection);
}
