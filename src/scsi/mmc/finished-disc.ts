/** A disc that nothing can be written to: a pressed one, as image files describe it. */
import type {
  Disc,
  DiscLayout,
  DiscStatus,
  SectorRun,
  Session,
  SessionState,
  Track,
} from './disc.ts';
import type { Profile } from './profile.ts';

/** The last of `ranges` (ascending by what `first` returns) that begins at or before `lba`, or -1. */
export function rangeBefore<R>(
  ranges: readonly R[],
  lba: number,
  first: (range: R) => number,
): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (first(ranges[middle] as R) <= lba) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export class FinishedDisc implements Disc {
  readonly profile: Profile;
  readonly status: DiscStatus = 'complete';
  readonly lastSession: SessionState = 'complete';
  readonly erasable = false;
  readonly sessions: readonly Session[];
  readonly tracks: readonly Track[];
  readonly catalog: string | null;
  readonly cdText: Uint8Array | null;
  readonly blocks: number;
  readonly #runs: readonly SectorRun[];

  constructor(layout: DiscLayout) {
    this.profile = layout.profile;
    this.sessions = layout.sessions;
    this.tracks = layout.tracks;
    this.catalog = layout.catalog;
    this.cdText = layout.cdText;
    this.blocks = layout.sessions.at(-1)?.leadOut ?? 0;
    this.#runs = layout.runs;
  }

  runAt(lba: number): SectorRun | null {
    const run = this.#runs[rangeBefore(this.#runs, lba, ({ first }) => first)];
    return run !== undefined && lba < run.first + run.blocks ? run : null;
  }
}
