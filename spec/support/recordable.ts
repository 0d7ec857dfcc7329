/** Discs that are recorded or can be, as plain facts: what the commands that tell of a disc see of a burner's work. */
import type {
  Atip,
  AtipBytes,
  Disc,
  FormattableCapacity,
  Recordable,
  Session,
  Track,
} from '../../src/scsi/mmc/disc.ts';
import {
  BD_R,
  BD_RE,
  CD_R,
  CD_RW,
  DVD_PLUS_R,
  DVD_PLUS_R_DUAL_LAYER,
  DVD_PLUS_RW,
  DVD_R,
  DVD_RAM,
  DVD_RW_SEQUENTIAL,
  type Profile,
} from '../../src/scsi/mmc/profile.ts';
import { track } from './optical.ts';

const CD_BLOCKS = 359_847;

/** Pregroove of a CD whose lead-in begins at block `leadIn`. */
function atip(leadIn: number, additional: AtipBytes | null): Atip {
  return {
    indicativeWritePower: 4,
    referenceSpeed: 0,
    unrestrictedUse: false,
    subtype: 1,
    leadIn,
    lastLeadOut: CD_BLOCKS,
    additional: [additional, null, null],
  };
}

/** What is true of a disc of `capacity` blocks when nobody says otherwise. */
export function recordable(capacity: number, more: Partial<Recordable> = {}): Recordable {
  return {
    atip: null,
    capacity,
    currentCapacity: { blocks: capacity, state: 'unformatted' },
    formats: [],
    manufacturer: 'VBURN',
    mediaType: '001',
    layers: 1,
    layerBreak: null,
    backgroundFormat: 'none',
    pow: null,
    spares: null,
    mostTracks: 99,
    mostOpenTracks: 1,
    ...more,
  };
}

/** The next track, which nothing has been written to. */
export function invisibleTrack(number: number, session: number, start: number, end: number): Track {
  return {
    ...track(number, start, end, 'mode1'),
    session,
    state: 'invisible',
    nextWritable: start,
    lastRecorded: null,
  };
}

export const OPEN_SESSION: Session = {
  number: 1,
  type: 0,
  firstTrack: 1,
  lastTrack: 1,
  leadOut: null,
};

/** A blank disc of these facts. */
export function blank(profile: Profile, facts: Recordable, more: Partial<Disc> = {}): Disc {
  return {
    profile,
    status: 'blank',
    lastSession: 'empty',
    erasable: false,
    sessions: [OPEN_SESSION],
    tracks: [invisibleTrack(1, 1, 0, facts.capacity)],
    catalog: null,
    cdText: null,
    blocks: 0,
    runAt: () => null,
    unreadable: null,
    recordable: facts,
    ...more,
  };
}

const formats = (...rows: readonly (readonly [number, number, number])[]): FormattableCapacity[] =>
  rows.map(([blocks, type, parameter]) => ({ blocks, type, parameter }));

/** 97:26:65 and 97:34:23. */
const LEAD_IN_R = -11_635;
const LEAD_IN_RW = -11_077;

export const blankCdR = (): Disc =>
  blank(CD_R, recordable(CD_BLOCKS, { atip: atip(LEAD_IN_R, null) }));

export const blankCdRw = (): Disc =>
  blank(
    CD_RW,
    recordable(CD_BLOCKS, {
      atip: atip(LEAD_IN_RW, [0x26, 0x5e, 0x50]),
      formats: formats([CD_BLOCKS, 0x10, 32]),
    }),
    { erasable: true },
  );

export const blankDvdR = (): Disc => blank(DVD_R, recordable(2_298_496));
export const blankDvdPlusR = (): Disc => blank(DVD_PLUS_R, recordable(2_295_104));
export const blankDvdPlusRDualLayer = (): Disc =>
  blank(DVD_PLUS_R_DUAL_LAYER, recordable(4_173_824, { layers: 2 }));

const DVD_RW_BLOCKS = 2_297_888;
export const blankDvdRw = (): Disc =>
  blank(
    DVD_RW_SEQUENTIAL,
    recordable(DVD_RW_BLOCKS, {
      formats: formats([DVD_RW_BLOCKS, 0x00, 16], [DVD_RW_BLOCKS, 0x10, 16], [0, 0x15, 16]),
    }),
    { erasable: true },
  );

const BD_SPARED = 11_826_176;
const BD_WHOLE = 12_219_392;
export const blankBdR = (): Disc =>
  blank(
    BD_R,
    recordable(BD_WHOLE, { formats: formats([BD_SPARED, 0x00, 2048], [BD_SPARED, 0x32, 2048]) }),
  );

/** A rewritable disc that was never formatted: a track without an end that could be written to. */
function unformatted(profile: Profile, facts: Recordable): Disc {
  const whole = { ...track(1, 0, facts.capacity, 'mode1'), lastRecorded: null } as const;
  return blank(profile, facts, { erasable: true, tracks: [{ ...whole, state: 'open' }] });
}

export const blankDvdPlusRw = (): Disc =>
  unformatted(DVD_PLUS_RW, recordable(2_295_104, { formats: formats([2_295_104, 0x26, 0]) }));
export const blankBdRe = (): Disc =>
  unformatted(
    BD_RE,
    recordable(BD_SPARED, {
      formats: formats(
        [BD_SPARED, 0x00, 2048],
        [BD_SPARED, 0x30, 2048],
        [11_564_032, 0x30, 2048],
        [BD_WHOLE, 0x31, 2048],
      ),
    }),
  );

const RAM_BLOCKS = 2_236_704;
/** A DVD-RAM comes formatted. */
export const blankDvdRam = (): Disc =>
  blank(
    DVD_RAM,
    recordable(RAM_BLOCKS, {
      currentCapacity: { blocks: RAM_BLOCKS, state: 'formatted' },
      formats: formats([RAM_BLOCKS, 0x00, 2048], [RAM_BLOCKS, 0x01, 2048]),
    }),
    {
      status: 'complete',
      lastSession: 'complete',
      erasable: true,
      sessions: [{ ...OPEN_SESSION, leadOut: RAM_BLOCKS }],
      tracks: [track(1, 0, RAM_BLOCKS, 'mode1')],
      blocks: RAM_BLOCKS,
    },
  );
