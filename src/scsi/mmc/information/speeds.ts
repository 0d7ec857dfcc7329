/** Speeds of a drive: what it can do with the disc in it, and what it was told to do (SET CD SPEED, SET STREAMING). */
import type { Disc } from '../disc.ts';
import { type DiscFamily, familyOf } from '../profile.ts';

/** kB/s, fastest first: 48, 40, 24, 16, 10 and 4 times a CD, 8, 6 and 4 times a DVD, 4 and 2 times a BD. */
const STEPS: Readonly<Record<DiscFamily, readonly number[]>> = {
  cd: [8467, 7056, 4234, 2822, 1764, 706],
  dvd: [11_080, 8310, 5540],
  bd: [17_984, 8992],
};
const NONE: readonly number[] = [];

/** The fastest of `steps` that is not above `wanted`, or the slowest; 0: there are none. */
function stepBelow(steps: readonly number[], wanted: number): number {
  return steps.find((step) => step <= wanted) ?? steps.at(-1) ?? 0;
}

export class Speeds {
  readonly #writes: boolean;
  #read = Number.POSITIVE_INFINITY;
  #write = Number.POSITIVE_INFINITY;

  constructor(writes: boolean) {
    this.#writes = writes;
  }

  /** What it can read `disc` at, fastest first; without a disc: a CD. */
  readSteps(disc: Disc | null): readonly number[] {
    return STEPS[disc === null ? 'cd' : familyOf(disc.profile)];
  }

  /** What it can write at; empty: it only reads. */
  writeSteps(disc: Disc | null): readonly number[] {
    return this.#writes ? this.readSteps(disc) : NONE;
  }

  read(disc: Disc | null): number {
    return stepBelow(this.readSteps(disc), this.#read);
  }

  write(disc: Disc | null): number {
    return stepBelow(this.writeSteps(disc), this.#write);
  }

  /** The host wishes these from now on, in kB/s; infinite: the fastest. */
  choose(read: number, write: number): void {
    this.#read = read;
    this.#write = write;
  }
}
