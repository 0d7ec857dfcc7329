/** Who has written data that only a volatile cache holds: when a flush fails, more than the one who asked for it is to be told. */
import { MAX_NEXUSES } from './nexus.ts';

const NOW = MAX_NEXUSES + 1;

/** Numbers count writes; they live in one typed array, so that counting allocates nothing. */
export class CachedWrites {
  /** By nexus index: the number of its newest write that may not be stable, or 0. The copy manager's comes last. */
  readonly #newest = new Float64Array(NOW + 1);

  /** A write of the nexus has ended, and is not stable. Hot path. */
  wrote(nexusIndex: number): void {
    const now = (this.#newest[NOW] as number) + 1;
    this.#newest[NOW] = now;
    this.#newest[nexusIndex] = now;
  }

  /** Number of the newest write of all. */
  get count(): number {
    return this.#newest[NOW] as number;
  }

  /** Every write up to this number is stable. */
  stable(upTo: number): void {
    for (let i = 0; i < NOW; i += 1) if ((this.#newest[i] as number) <= upTo) this.#newest[i] = 0;
  }

  /** Some of it is lost, nobody knows what: the indices of all whom that may concern, who are forgotten. */
  lost(): number[] {
    const concerned: number[] = [];
    for (let i = 0; i < MAX_NEXUSES; i += 1) {
      if ((this.#newest[i] as number) > 0) concerned.push(i);
    }
    this.stable(this.count);
    return concerned;
  }

  /** The nexus record is recycled: what it wrote another initiator did. */
  forget(nexusIndex: number): void {
    this.#newest[nexusIndex] = 0;
  }
}
