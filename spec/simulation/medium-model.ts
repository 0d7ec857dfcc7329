/**
 * What the medium may hold: per block, the values it can have. One after a write that ended GOOD; more after one that failed
 * or was aborted, until a read says which.
 */
import { BLOCK_BYTES } from './command.ts';
import { must } from './violation.ts';

export interface StoreContents {
  readonly memory: Uint8Array;
  readonly stable: Uint8Array;
}

export class MediumModel {
  readonly #possible: Set<number>[];
  /** When the last write of each block began. */
  readonly #begun: Float64Array;
  /** When it was over; infinity while it is under way. */
  readonly #over: Float64Array;

  constructor(blocks: number) {
    this.#possible = Array.from({ length: blocks }, () => new Set([0]));
    this.#begun = new Float64Array(blocks);
    this.#over = new Float64Array(blocks);
  }

  /** Whether the block may come to exist in this simulation. */
  known(block: number): boolean {
    return block < this.#possible.length;
  }

  possible(block: number): ReadonlySet<number> {
    return this.#possible[block] as Set<number>;
  }

  /** A write of `block` begins: from here on it may hold the new values. */
  begin(block: number, values: Iterable<number>, now: number): void {
    const possible = this.#possible[block] as Set<number>;
    for (const value of values) possible.add(value);
    this.#begun[block] = now;
    this.#over[block] = Number.POSITIVE_INFINITY;
  }

  /** The write that began at `at` is over, however it ended. */
  over(block: number, at: number, now: number): void {
    if (this.#begun[block] === at) this.#over[block] = now;
  }

  /** The write that began at `at` ended GOOD: only its values are left. False, and nothing done, when a later one began. */
  end(block: number, values: Iterable<number>, at: number): boolean {
    if (this.#begun[block] !== at) return false;
    this.#possible[block] = new Set(values);
    return true;
  }

  /** A read that began at `since` returned this. Its data may be older than a write that began later (ACA held it back). */
  observe(block: number, bytes: Uint8Array, offset: number, since: number): void {
    const value = uniform(bytes, offset);
    must(value >= 0, `block ${block} is torn`);
    if ((this.#begun[block] as number) > since) return;
    const possible = this.#possible[block] as Set<number>;
    must(
      possible.has(value),
      `block ${block} reads ${value.toString(16)}, ${text(possible)} allowed`,
    );
    this.#possible[block] = new Set([value]);
  }

  /** What was written last may be lost, which somebody was told: it holds what is on stable storage now. */
  settle({ stable }: StoreContents): void {
    for (const block of this.#possible.keys()) {
      const value = uniform(stable, block * BLOCK_BYTES);
      must(value >= 0, `block ${block} is torn`);
      this.#possible[block] = new Set([value]);
    }
  }

  /** After a flush that was asked for at `at`: every write that was over before is on stable storage. */
  checkStable(block: number, contents: StoreContents, at: number): void {
    if ((this.#over[block] as number) >= at) return;
    const value = uniform(contents.stable, block * BLOCK_BYTES);
    const possible = this.#possible[block] as Set<number>;
    must(possible.has(value), `block ${block} is not on stable storage`);
  }
}

function text(values: ReadonlySet<number>): string {
  return [...values].map((value) => value.toString(16)).join(' or ');
}

/** The value a block holds over and over, -1 when it does not. */
export function uniform(bytes: Uint8Array, offset: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, BLOCK_BYTES);
  const value = view.getUint32(0);
  for (let at = 4; at < BLOCK_BYTES; at += 4) if (view.getUint32(at) !== value) return -1;
  return value;
}
