/** Kinds of recordable media and what each can do: one table, which every rule of burning is read from (MMC-6 4.2 to 4.6, 6.3, 6.5). */
import {
  BD_R,
  BD_RE,
  CD_R,
  CD_RW,
  type DiscFamily,
  DVD_PLUS_R,
  DVD_PLUS_R_DUAL_LAYER,
  DVD_PLUS_RW,
  DVD_R,
  DVD_R_DUAL_LAYER,
  DVD_RAM,
  DVD_RW_RESTRICTED_OVERWRITE,
  DVD_RW_SEQUENTIAL,
  type Profile,
} from '../profile.ts';

export type MediumKind =
  | 'cd-r'
  | 'cd-rw'
  | 'dvd-r'
  | 'dvd-rw'
  | 'dvd-r-dl'
  | 'dvd+r'
  | 'dvd+r-dl'
  | 'dvd+rw'
  | 'dvd-ram'
  | 'bd-r'
  | 'bd-re';

/**
 * What CLOSE TRACK/SESSION does (MMC-6 6.3).
 *   track     ends a track
 *   session   ends the session; the write parameters say whether another may follow
 *   border    ends the session; another may always follow
 *   final     ends the session and the disc
 *   stop      stops a format in the background; the disc stays as it is
 *   readable  the same, and what was written can be read in other drives
 *   nothing   there is nothing to do, and that is well
 */
export type CloseAction =
  | 'track'
  | 'session'
  | 'border'
  | 'final'
  | 'stop'
  | 'readable'
  | 'nothing';

/**
 * What FORMAT UNIT does (MMC-6 6.5).
 *   full        all of it can be overwritten
 *   quick       restricted overwrite; what is written first makes it longer
 *   grow        the same, and what is there stays
 *   session     the last session is made longer, by as many blocks
 *   add         a session is formatted behind the last
 *   border      the same, and what is written makes it longer
 *   background  can be overwritten at once, the rest is formatted meanwhile
 *   spare       spare areas are made anew, nothing else
 *   sequential  written track by track; which of them can be overwritten, SUB-TYPE says
 */
export type FormatAction =
  | 'full'
  | 'quick'
  | 'grow'
  | 'session'
  | 'add'
  | 'border'
  | 'background'
  | 'spare'
  | 'sequential';

export interface FormatFacts {
  /** FORMAT TYPE. */
  readonly type: number;
  /** FORMAT SUB-TYPEs that exist. */
  readonly subTypes: readonly number[];
  readonly action: FormatAction;
  /** Blocks it is offered with (READ FORMAT CAPACITIES), or the most of the disc for one that adds to what is there; the first is what is taken when the host names none. */
  readonly blocks: readonly number[];
  /** TYPE DEPENDENT PARAMETER it is offered with. */
  readonly parameter: number;
}

export interface MediumFacts {
  readonly kind: MediumKind;
  readonly family: DiscFamily;
  /** Profile while it is written track by track, or has not been formatted. */
  readonly profile: Profile;
  /** Profile when it is formatted, where that is another. */
  readonly formattedProfile: Profile;
  /** Blocks it has room for: the last possible lead-out of a CD. */
  readonly blocks: number;
  /** Blocks that are written in one piece; tracks are padded to a multiple of them. */
  readonly writeBlocks: number;
  /** Blocks from the lead-out of a session to the first block of the next: of the first session, and of the others. */
  readonly sessionGap: readonly [first: number, later: number];
  /** Pregap between two tracks of a session, and blocks that the drive adds to a track that is written at once. */
  readonly trackGap: number;
  readonly runOut: number;
  /** First block of the first lead-in that a host may write itself; 0: it never does. */
  readonly leadIn: number;
  readonly erasable: boolean;
  /** It can be written anywhere when it is formatted; it is never written track by track (`formatted`), or is until then. */
  readonly overwrite: 'never' | 'formatted' | 'either';
  /** It leaves the factory formatted. */
  readonly preformatted: boolean;
  readonly mostTracks: number;
  /** By CLOSE FUNCTION. */
  readonly closes: Readonly<Record<number, CloseAction>>;
  /** The same when it is formatted. */
  readonly formattedCloses: Readonly<Record<number, CloseAction>>;
  readonly formats: readonly FormatFacts[];
  /** BLANKING TYPEs. */
  readonly blanks: readonly number[];
  readonly layers: 1 | 2;
}

const CD_BLOCKS = 359_847;
/** 97:26:65 and 97:34:23, where the lead-ins of the CD-R and the CD-RW that we make begin. */
const CD_R_LEAD_IN = -11_635;
const CD_RW_LEAD_IN = -11_077;

const CD = {
  family: 'cd',
  blocks: CD_BLOCKS,
  writeBlocks: 1,
  sessionGap: [11_400, 6_900],
  trackGap: 150,
  runOut: 2,
  preformatted: false,
  mostTracks: 99,
  closes: { 1: 'track', 2: 'session' },
  formattedCloses: { 1: 'nothing', 2: 'nothing' },
  layers: 1,
} as const;

const DISC = {
  writeBlocks: 16,
  sessionGap: [0, 0],
  trackGap: 0,
  runOut: 0,
  leadIn: 0,
  preformatted: false,
  mostTracks: 200,
  closes: {},
  formattedCloses: {},
  formats: [],
  blanks: [],
  layers: 1,
} as const;

/** Borders of DVD-R and DVD-RW, and the gaps of DVD+R. */
const MINUS = { ...DISC, family: 'dvd', sessionGap: [12_288, 12_288] } as const;
const PLUS = { ...DISC, family: 'dvd', sessionGap: [2_048, 2_048] } as const;
const SEQUENTIAL_CLOSES = { 1: 'track', 2: 'session' } as const;
const PLUS_CLOSES = { 1: 'track', 2: 'border', 5: 'final', 6: 'final' } as const;

const DVD_RW_BLOCKS = 2_297_888;
const DVD_PLUS_BLOCKS = 2_295_104;
const DVD_RAM_BLOCKS = 2_236_704;
const BD_BLOCKS = 12_219_392;
const BD_SPARED_BLOCKS = 11_826_176;
const BD_MORE_SPARED_BLOCKS = 11_564_032;

const ONE = [0] as const;

const TABLE: Readonly<Record<MediumKind, Omit<MediumFacts, 'kind'>>> = {
  'cd-r': {
    ...CD,
    profile: CD_R,
    formattedProfile: CD_R,
    leadIn: CD_R_LEAD_IN,
    erasable: false,
    overwrite: 'never',
    formats: [],
    blanks: [],
  },
  'cd-rw': {
    ...CD,
    profile: CD_RW,
    formattedProfile: CD_RW,
    leadIn: CD_RW_LEAD_IN,
    erasable: true,
    overwrite: 'either',
    formats: [
      { type: 0x10, subTypes: ONE, action: 'full', blocks: [CD_BLOCKS], parameter: 32 },
      { type: 0x11, subTypes: ONE, action: 'session', blocks: [CD_BLOCKS], parameter: 32 },
      { type: 0x12, subTypes: ONE, action: 'add', blocks: [CD_BLOCKS], parameter: 32 },
    ],
    blanks: [0, 1, 2, 3, 4, 5, 6],
  },
  'dvd-r': {
    ...MINUS,
    profile: DVD_R,
    formattedProfile: DVD_R,
    blocks: 2_298_496,
    erasable: false,
    overwrite: 'never',
    closes: SEQUENTIAL_CLOSES,
  },
  'dvd-rw': {
    ...MINUS,
    profile: DVD_RW_SEQUENTIAL,
    formattedProfile: DVD_RW_RESTRICTED_OVERWRITE,
    blocks: DVD_RW_BLOCKS,
    erasable: true,
    overwrite: 'either',
    closes: SEQUENTIAL_CLOSES,
    formattedCloses: { 0: 'nothing', 1: 'nothing', 2: 'readable' },
    formats: [
      { type: 0x00, subTypes: ONE, action: 'full', blocks: [DVD_RW_BLOCKS], parameter: 16 },
      { type: 0x10, subTypes: ONE, action: 'full', blocks: [DVD_RW_BLOCKS], parameter: 16 },
      { type: 0x15, subTypes: ONE, action: 'quick', blocks: [0], parameter: 16 },
      { type: 0x13, subTypes: ONE, action: 'grow', blocks: [DVD_RW_BLOCKS], parameter: 16 },
      { type: 0x11, subTypes: ONE, action: 'session', blocks: [DVD_RW_BLOCKS], parameter: 16 },
      { type: 0x12, subTypes: ONE, action: 'add', blocks: [DVD_RW_BLOCKS], parameter: 16 },
      { type: 0x14, subTypes: ONE, action: 'border', blocks: [DVD_RW_BLOCKS], parameter: 16 },
    ],
    blanks: [0, 1, 2, 3, 4, 5, 6],
  },
  'dvd-r-dl': {
    ...MINUS,
    profile: DVD_R_DUAL_LAYER,
    formattedProfile: DVD_R_DUAL_LAYER,
    blocks: 4_171_712,
    erasable: false,
    overwrite: 'never',
    closes: SEQUENTIAL_CLOSES,
    layers: 2,
  },
  'dvd+r': {
    ...PLUS,
    profile: DVD_PLUS_R,
    formattedProfile: DVD_PLUS_R,
    blocks: DVD_PLUS_BLOCKS,
    erasable: false,
    overwrite: 'never',
    closes: PLUS_CLOSES,
  },
  'dvd+r-dl': {
    ...PLUS,
    profile: DVD_PLUS_R_DUAL_LAYER,
    formattedProfile: DVD_PLUS_R_DUAL_LAYER,
    blocks: 4_173_824,
    erasable: false,
    overwrite: 'never',
    closes: PLUS_CLOSES,
    layers: 2,
  },
  'dvd+rw': {
    ...PLUS,
    profile: DVD_PLUS_RW,
    formattedProfile: DVD_PLUS_RW,
    blocks: DVD_PLUS_BLOCKS,
    erasable: true,
    overwrite: 'formatted',
    formattedCloses: { 0: 'stop', 2: 'readable', 3: 'readable' },
    formats: [
      { type: 0x26, subTypes: ONE, action: 'background', blocks: [DVD_PLUS_BLOCKS], parameter: 0 },
    ],
  },
  'dvd-ram': {
    ...DISC,
    family: 'dvd',
    profile: DVD_RAM,
    formattedProfile: DVD_RAM,
    blocks: DVD_RAM_BLOCKS,
    erasable: true,
    overwrite: 'formatted',
    preformatted: true,
    formats: [
      { type: 0x00, subTypes: ONE, action: 'full', blocks: [DVD_RAM_BLOCKS], parameter: 2048 },
      { type: 0x01, subTypes: ONE, action: 'spare', blocks: [DVD_RAM_BLOCKS], parameter: 2048 },
    ],
  },
  'bd-r': {
    ...DISC,
    family: 'bd',
    profile: BD_R,
    formattedProfile: BD_R,
    blocks: BD_BLOCKS,
    writeBlocks: 32,
    erasable: false,
    overwrite: 'never',
    closes: { 1: 'track', 2: 'border', 6: 'final' },
    formats: [
      {
        type: 0x00,
        subTypes: [0, 1],
        action: 'sequential',
        blocks: [BD_SPARED_BLOCKS],
        parameter: 2048,
      },
      {
        type: 0x32,
        subTypes: [0, 1],
        action: 'sequential',
        blocks: [BD_SPARED_BLOCKS],
        parameter: 2048,
      },
    ],
  },
  'bd-re': {
    ...DISC,
    family: 'bd',
    profile: BD_RE,
    formattedProfile: BD_RE,
    blocks: BD_BLOCKS,
    writeBlocks: 32,
    erasable: true,
    overwrite: 'formatted',
    formats: [
      { type: 0x00, subTypes: ONE, action: 'full', blocks: [BD_SPARED_BLOCKS], parameter: 2048 },
      {
        type: 0x30,
        subTypes: [0, 2, 3],
        action: 'full',
        blocks: [BD_SPARED_BLOCKS, BD_MORE_SPARED_BLOCKS],
        parameter: 2048,
      },
      { type: 0x31, subTypes: [0, 2, 3], action: 'full', blocks: [BD_BLOCKS], parameter: 2048 },
    ],
  },
};

export const MEDIUM_KINDS: readonly MediumKind[] = Object.keys(TABLE).filter(isMediumKind);

export function isMediumKind(text: string): text is MediumKind {
  return Object.hasOwn(TABLE, text);
}

export function factsOf(kind: MediumKind): MediumFacts {
  return { kind, ...TABLE[kind] };
}
