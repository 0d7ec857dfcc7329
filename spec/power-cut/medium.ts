/**
 * A medium behind a volatile cache, as a log of what happened to its files, and what a power cut at any point may leave of it:
 * everything before the last sync that had ended, and every write that had ended durable, is there. Each other write may be there
 * wholly, in some of its 512-byte sectors, or not at all, whatever became of the others. Sectors are never mixed; neither are the
 * bytes of an indivisible range.
 */
import type { Seeded } from '../transport/control/seeded.ts';

const SECTOR_BYTES = 512;

export type MediumEvent =
  | {
      readonly kind: 'write';
      readonly file: number;
      readonly position: number;
      readonly bytes: Uint8Array;
      /** It was on stable storage when it ended. */
      readonly durable: boolean;
    }
  | {
      readonly kind: 'zero';
      readonly file: number;
      readonly position: number;
      readonly length: number;
    }
  /** Has ended; every event of the file before index `from` is durable. */
  | { readonly kind: 'sync'; readonly file: number; readonly from: number };

/** Bytes [from, end) of a file that a cut leaves all old or all new. */
export interface Indivisible {
  readonly file: number;
  readonly from: number;
  readonly end: number;
}

export class Medium {
  readonly events: MediumEvent[] = [];
  readonly #indivisible: readonly Indivisible[];
  /** What each file held before the first event. */
  readonly start: readonly Uint8Array[];

  constructor(start: readonly Uint8Array[], indivisible: readonly Indivisible[] = []) {
    this.start = start;
    this.#indivisible = indivisible;
  }

  /**
   * The files after a cut when `events[0 .. at - 1]` had ended and `events[at]`, if there is one, was under way. A file has its
   * first length: what was appended lies inside it.
   */
  cut(at: number, random: Seeded): Uint8Array[] {
    const files = this.start.map((bytes) => bytes.slice());
    const stable = this.start.map(() => 0);
    for (const event of this.events.slice(0, at)) {
      if (event.kind === 'sync') {
        stable[event.file] = Math.max(stable[event.file] ?? 0, event.from);
      }
    }
    for (const [i, event] of this.events.slice(0, at + 1).entries()) {
      const file = files[event.file];
      if (event.kind === 'sync' || file === undefined) continue;
      const ended = i < at;
      const durable = event.kind === 'write' && event.durable && ended;
      const sure = durable || (ended && i < (stable[event.file] ?? 0));
      const ranges = this.#indivisible.filter((range) => range.file === event.file);
      survive(file, event, sure ? 'whole' : fate(random), random, ranges);
    }
    return files;
  }
}

type Fate = 'whole' | 'part' | 'none';

function fate(random: Seeded): Fate {
  const n = random.below(3);
  if (n === 0) return 'none';
  return n === 1 ? 'whole' : 'part';
}

/**
 * In the order of the events: a sector that several volatile writes touched ends with any of their versions or the one before,
 * never with an older one on top of a durable one, because a cache holds each sector once.
 */
function survive(
  file: Uint8Array,
  event: Exclude<MediumEvent, { kind: 'sync' }>,
  what: Fate,
  random: Seeded,
  indivisible: readonly Indivisible[],
): void {
  if (what === 'none') return;
  const length = event.kind === 'write' ? event.bytes.length : event.length;
  let at = 0;
  while (at < length) {
    const position = event.position + at;
    const whole = indivisible.find(({ from, end }) => position >= from && position < end);
    const end = whole?.end ?? position - (position % SECTOR_BYTES) + SECTOR_BYTES;
    const bytes = Math.min(length - at, end - position);
    if (what === 'whole' || random.below(2) === 0) {
      if (event.kind === 'write') file.set(event.bytes.subarray(at, at + bytes), position);
      else file.fill(0, position, position + bytes);
    }
    at += bytes;
  }
}
