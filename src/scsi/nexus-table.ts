/** The nexuses a target knows: present ones, and lost ones whose initiator may come back. */
import { assert } from '../assert.ts';
import { MAX_NEXUSES, type Nexus } from './nexus.ts';

export class NexusTable {
  readonly #byIdentity = new Map<string, Nexus>();
  readonly #byIndex = new Array<Nexus | null>(MAX_NEXUSES).fill(null);
  #cursor = 0;

  /** The nexus of this identity if it is known. */
  find(identity: string): Nexus | undefined {
    return this.#byIdentity.get(identity);
  }

  /** A record for a new nexus. Recycles the one lost longest when all are in use; null when all are present. */
  create(
    identity: string,
    port: string,
    name: string,
    anonymous: boolean,
    recycled: (nexus: Nexus) => void,
  ): Nexus | null {
    assert(!this.#byIdentity.has(identity), 'a nexus is created once');
    let index = this.#freeIndex();
    if (index < 0) {
      const oldest = this.#oldestAbsent();
      if (oldest === undefined) return null;
      this.remove(oldest);
      recycled(oldest);
      index = oldest.index;
    }
    const nexus: Nexus = { index, identity, port, name, present: true, anonymous };
    this.#byIdentity.set(identity, nexus);
    this.#byIndex[index] = nexus;
    return nexus;
  }

  remove(nexus: Nexus): void {
    this.#byIdentity.delete(nexus.identity);
    this.#byIndex[nexus.index] = null;
  }

  /** Marks a nexus as most recently used, so that it is recycled last. */
  touch(nexus: Nexus): void {
    this.#byIdentity.delete(nexus.identity);
    this.#byIdentity.set(nexus.identity, nexus);
  }

  all(): IterableIterator<Nexus> {
    return this.#byIdentity.values();
  }

  #freeIndex(): number {
    for (let i = 0; i < MAX_NEXUSES; i += 1) {
      const index = (this.#cursor + i) % MAX_NEXUSES;
      if (this.#byIndex[index] === null) {
        this.#cursor = (index + 1) % MAX_NEXUSES;
        return index;
      }
    }
    return -1;
  }

  #oldestAbsent(): Nexus | undefined {
    for (const nexus of this.#byIdentity.values()) if (!nexus.present) return nexus;
    return undefined;
  }
}
