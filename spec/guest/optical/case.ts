/** What one row of the optical tests is: a medium, a program, a way to use it, and what must be true afterwards. */

/** What `--lun N:burner,media=…` calls its blanks. */
export const BLANKS = [
  'cd-r',
  'cd-rw',
  'dvd-r',
  'dvd-rw',
  'dvd-r-dl',
  'dvd+r',
  'dvd+r-dl',
  'dvd+rw',
  'dvd-ram',
  'bd-r',
  'bd-re',
] as const;

export type Blank = (typeof BLANKS)[number];

/** Finished discs in a drive that only reads, and the image of each among the sources. */
export const FINISHED = {
  'cd-rom': 'a.iso',
  'dvd-rom': 'dvd.iso',
  'audio-cd': 'audio.cue',
  'mixed-cd': 'mixed.cue',
} as const;

export type Finished = keyof typeof FINISHED;

export type Medium = Blank | Finished;

export interface Step {
  /**
   * A line of shell. $D is the drive, $S the folder of the sources; `functions.ts` has what it can call. Standard input
   * is /dev/null.
   */
  readonly line: string;
  /** Exit code; 0 when it is not said. */
  readonly exit?: number;
  /** What its output must say. */
  readonly says?: RegExp;
  /** What its output must not say. */
  readonly never?: RegExp;
  /** How long it may take. */
  readonly seconds?: number;
  /** Checks only: a short name for the table. */
  readonly name?: string;
}

/** What is to be on the disc after the steps. */
export type Leaves =
  /** This image of the sources from block 0 on. */
  | { readonly kind: 'image'; readonly image: string; readonly state: DiscState }
  /** A file system that has f0 and f1 of the sources, however many sessions it took. */
  | { readonly kind: 'files'; readonly state: DiscState }
  /**
   * Audio tracks: t1 and t2 of the sources, with silence between them or not, with CD-TEXT or not, with the catalogue number and
   * the ISRCs of the sheets or not.
   */
  | {
      readonly kind: 'audio';
      readonly gaps: boolean;
      readonly text: boolean;
      readonly codes: boolean;
    }
  /** An image of the sources as track 1, t1 as audio track 2. */
  | { readonly kind: 'mixed'; readonly image: string }
  /** Nothing: it is as it was bought. */
  | { readonly kind: 'blank' }
  /** What the last steps have looked at themselves. */
  | { readonly kind: 'looked at' };

export type DiscState = 'closed' | 'appendable' | 'overwritable';

export interface OpticalCase {
  readonly medium: Medium;
  readonly tool: string;
  readonly mode: string;
  readonly steps: readonly Step[];
  readonly leaves: Leaves;
  /** It is in the run that CI does. */
  readonly quick?: true;
  /** The guest reaches the drive through a second daemon, inside the guest, whose unit is the drive by SG_IO. */
  readonly through?: true;
  /** Only our own drive can have it, QEMU's cannot: why. */
  readonly notOnQemu?: string;
}

export function isBlank(medium: Medium): medium is Blank {
  return (BLANKS as readonly string[]).includes(medium);
}

/** As the list of known limits and `test:optical NAME` have it. */
export function caseName({ medium, tool, mode }: OpticalCase): string {
  return `${medium} ${tool} ${mode}`;
}
