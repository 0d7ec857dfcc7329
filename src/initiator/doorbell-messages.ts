/** What the main thread and the doorbell waiter thread tell each other. */
import type { MessagePort } from 'node:worker_threads';

export interface WaiterData {
  readonly port: MessagePort;
  /** eventfd that says: look at the port. */
  readonly controlFd: number;
}

export type WaiterRequest =
  | {
      readonly kind: 'watch';
      readonly id: number;
      readonly callFds: readonly number[];
      readonly socketFd: number;
    }
  | { readonly kind: 'unwatch'; readonly id: number }
  | { readonly kind: 'end' };

export type WaiterReport =
  /** A doorbell of this watch rang. */
  | { readonly kind: 'wake'; readonly id: number }
  /** The socket of this watch is readable: the other end closed it, or broke the protocol by talking. */
  | { readonly kind: 'gone'; readonly id: number }
  /** The descriptors of this watch are no longer looked at. */
  | { readonly kind: 'unwatched'; readonly id: number };
