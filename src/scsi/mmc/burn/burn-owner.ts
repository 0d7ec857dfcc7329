/**
 * Who burns: one nexus at a time, from its first command that writes until it has ended the session, it is lost, or it has sent
 * nothing for a while and somebody else wants the disc.
 */
import type { Nexus } from '../../nexus.ts';

/** A burn without a command for so long no longer keeps others away. */
const IDLE_MS = 60_000;

export class BurnOwner {
  readonly #now: () => number;
  #nexus: Nexus | null = null;
  #lastMs = 0;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whose burn others have to respect; null: nobody's. */
  get nexus(): Nexus | null {
    const nexus = this.#nexus;
    if (nexus === null || !nexus.present) return null;
    return this.#now() - this.#lastMs > IDLE_MS ? null : nexus;
  }

  /** It begins to burn, or goes on. */
  claim(nexus: Nexus): void {
    this.#nexus = nexus;
    this.#lastMs = this.#now();
  }

  /** It has sent a command, or one of its commands has ended; nothing, when the burn is not its own. True: it is. */
  heard(nexus: Nexus | null): boolean {
    if (nexus === null || this.#nexus !== nexus) return false;
    this.#lastMs = this.#now();
    return true;
  }

  release(): void {
    this.#nexus = null;
  }
}
