/**
 * Ringing a doorbell that the other end shares: a write to an eventfd, announced to a watchdog (docs/srp-ring.md section 7).
 *
 * Whoever holds a descriptor of an eventfd may fill its counter and clear O_NONBLOCK, and then a write blocks. The thread that
 * writes says so in `doorbellWords` first; a watchdog in another thread unblocks a write that lasts and marks it.
 *
 *     IDLE 0 --- ring: fd << 1 | 0 ---> BUSY --- write returned ---> IDLE        (the writer)
 *                                        |  ^
 *                               claim    v  |  release                          (the watchdog)
 *                                      CLAIMED: the writer waits before it goes on, so the descriptor cannot be
 *                                               closed and used again while the watchdog reads it
 */
import { signalEventFd } from '../libc.ts';

/** Index of the busy word: 0, or (fd + 1) << 1, plus CLAIMED while the watchdog works on it. */
export const DOORBELL_BUSY = 0;
/** Index of the number of the last write begun. */
export const DOORBELL_OPERATION = 1;
/** Index of the number of the last write that returned. */
export const DOORBELL_RETURNED = 2;
/** Index of the number of the last write that the watchdog had to unblock. */
export const DOORBELL_STRUCK = 3;
export const CLAIMED = 1;

/** This thread's doorbell words. Their SharedArrayBuffer goes to the thread with the watchdog. */
export const doorbellWords: Int32Array<SharedArrayBuffer> = new Int32Array(
  new SharedArrayBuffer(16),
);

/** Writes one to the eventfd. False when the write blocked so long that the watchdog had to end it. */
export function ringDoorbell(fd: number): boolean {
  const operation = ((doorbellWords[DOORBELL_OPERATION] as number) + 1) | 0;
  const busy = (fd + 1) << 1;
  Atomics.store(doorbellWords, DOORBELL_OPERATION, operation);
  Atomics.store(doorbellWords, DOORBELL_BUSY, busy);
  signalEventFd(fd);
  Atomics.store(doorbellWords, DOORBELL_RETURNED, operation);
  while (Atomics.compareExchange(doorbellWords, DOORBELL_BUSY, busy, 0) !== busy) {
    Atomics.wait(doorbellWords, DOORBELL_BUSY, busy | CLAIMED);
  }
  return (doorbellWords[DOORBELL_STRUCK] as number) !== operation || operation === 0;
}
