/** How long a reactor polls before it blocks: grows while polling finds work, shrinks to nothing while it does not. */

/** A wake across cores costs 12 to 28 us; polling much longer than that cannot pay. */
export const MAX_SPIN_US = 50;
const FIRST_SPIN_US = 6;
/** A sleep shorter than this would have been worth polling through. */
const SHORT_SLEEP_US = 100;

export class SpinBudget {
  readonly #maxUs: number;
  /** Microseconds to poll before the next block. */
  us = 0;

  /** `cores` that this machine lets the process use: with one, polling only keeps the initiator from running. */
  constructor(cores: number) {
    this.#maxUs = cores > 1 ? MAX_SPIN_US : 0;
  }

  /** Work came while polling. */
  hit(): void {
    this.#grow();
  }

  /** Polling was in vain. */
  miss(): void {
    this.us = this.us <= FIRST_SPIN_US ? 0 : this.us / 2;
  }

  /** A block ended by work after `us` microseconds. */
  slept(us: number): void {
    if (us < SHORT_SLEEP_US) this.#grow();
  }

  #grow(): void {
    this.us = Math.min(this.#maxUs, Math.max(FIRST_SPIN_US, this.us * 2));
  }
}
