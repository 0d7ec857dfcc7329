/** One way to do I/O, as the measuring loop sees it: numbered slots that are started, published and end. */

/** A request that the server answers after all its checks, without I/O. */
export const NOTHING = 0;
export const READ = 1;
export const WRITE = 2;
/** The ring alone, one at a time: the other end answers as soon as it sees it. */
export const PING = 3;
export type Operation = typeof NOTHING | typeof READ | typeof WRITE | typeof PING;

/** Longest I/O of a workload, and most of them at a time. */
export const MAX_BYTES = 65536;
export const MAX_DEPTH = 32;

export interface Lane {
  /** The slots that ended in the last `poll`, in order. */
  readonly ended: Int32Array;
  /** Rings when the lane was armed; -1 when everything ends before `poll` is called. */
  readonly doorbellFd: number;
  /** Begins an I/O of `bytes` bytes at byte `position` of the disk into or from the slot's own buffer. */
  start(slot: number, operation: Operation, position: number, bytes: number): void;
  /** Publishes what was started. */
  flush(): void;
  /** Fills `ended` and returns how many ended. Throws LaneError when one failed. */
  poll(): number;
  /** Asks for the doorbell. False: something ended meanwhile. */
  arm(): boolean;
  /** No doorbell wanted. */
  disarm(): void;
  close(): void;
}

export class LaneError extends Error {
  readonly code = 'ERR_LANE';
}
