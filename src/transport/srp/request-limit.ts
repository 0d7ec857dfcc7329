/** REQUEST LIMIT of one channel: what the initiator was given, and what it is still owed (SRP r16a clause 5; LoPAR flow control). */

/** Fewest credits a login is worth: a command and a task management function. */
const LEAST_CREDITS = 2;

/**
 * Invariant, while an initiator is logged in: the credits it holds + `inFlight` + `owed` = `granted`. Nothing is lost
 * and nothing is given twice.
 */
export class RequestLimit {
  readonly #most: number;
  /** Credits in circulation. Grows to the limit as slots of earlier logins come free; never shrinks. */
  granted = 0;
  /** Requests of this login in flight. */
  inFlight = 0;
  /** Credits freed in silence, to be given with the next IU that can carry them. */
  owed = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** A login, with so many slots free. False when they are too few. */
  open(freeSlots: number): boolean {
    const credits = Math.min(this.#most, freeSlots);
    if (credits < LEAST_CREDITS) return false;
    this.granted = credits;
    return true;
  }

  /** The end of a login. */
  close(): void {
    this.inFlight = 0;
    this.owed = 0;
  }

  /** A slot that a task of an earlier login kept is free. True when the initiator gets a credit for it. */
  grow(): boolean {
    if (this.granted === this.#most) return false;
    this.granted += 1;
    this.owed += 1;
    return true;
  }

  /** REQUEST LIMIT DELTA of an IU that answers `answered` requests: those and whatever is owed. */
  takeDelta(answered: number): number {
    const delta = answered + this.owed;
    this.owed = 0;
    return delta;
  }
}
