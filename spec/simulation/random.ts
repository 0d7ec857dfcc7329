/** Random numbers of a seed: the same seed gives the same simulation (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not begin alike.
    this.#state = Math.imul(seed + 1, 0x9e3779b1) | 0;
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }

  /** Picks by weight. */
  weighted<T>(from: readonly (readonly [number, T])[]): T {
    let sum = 0;
    for (const [weight] of from) sum += weight;
    let at = this.next() * sum;
    for (const [weight, value] of from) {
      at -= weight;
      if (at < 0) return value;
    }
    return (from[from.length - 1] as readonly [number, T])[1];
  }
}
