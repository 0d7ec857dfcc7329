/** Unblocks a reactor thread that hangs in a write to a doorbell which a hostile initiator filled (docs/srp-ring.md section 7). */
import { drainEventFd } from '../libc.ts';
import {
  CLAIMED,
  DOORBELL_BUSY,
  DOORBELL_OPERATION,
  DOORBELL_RETURNED,
  DOORBELL_STRUCK,
} from './doorbell.ts';

/** An initiator that keeps refilling its doorbell is raced for at most this long in one tick. */
const RACE_MS = 20;

/** Lives in another thread than the one that rings. */
export class DoorbellWatchdog {
  readonly #words: Int32Array;
  /** The write seen under way in the last tick. */
  #operation = 0;
  #suspected = false;

  /** `shared`: the `doorbellWords` of the thread to watch. */
  constructor(shared: Int32Array) {
    this.#words = shared;
  }

  /**
   * Call at a steady pace, every second. A write that was under way in the last tick and still is gets unblocked by draining
   * its eventfd, and the thread that wrote learns that the initiator behind it is to be dropped.
   * Returns the descriptor number, or -1 when all is well.
   */
  tick(): number {
    const busy = Atomics.load(this.#words, DOORBELL_BUSY);
    const operation = Atomics.load(this.#words, DOORBELL_OPERATION);
    const lasting = this.#suspected && operation === this.#operation;
    this.#suspected = busy !== 0;
    this.#operation = operation;
    if (busy === 0 || !lasting) return -1;
    const claimed = busy | CLAIMED;
    if (Atomics.compareExchange(this.#words, DOORBELL_BUSY, busy, claimed) !== busy) return -1;
    // From here to the release the writer cannot get past its own write: the descriptor stays what it is.
    const same = Atomics.load(this.#words, DOORBELL_OPERATION) === operation;
    if (same) this.#unblock(busy, operation);
    Atomics.store(this.#words, DOORBELL_BUSY, busy);
    Atomics.notify(this.#words, DOORBELL_BUSY);
    return same ? (busy >> 1) - 1 : -1;
  }

  #unblock(busy: number, operation: number): void {
    Atomics.store(this.#words, DOORBELL_STRUCK, operation);
    const fd = (busy >> 1) - 1;
    const until = performance.now() + RACE_MS;
    while (Atomics.load(this.#words, DOORBELL_RETURNED) !== operation) {
      drainEventFd(fd);
      if (performance.now() > until) return;
    }
  }
}
