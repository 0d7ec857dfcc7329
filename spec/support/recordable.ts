/** Discs that are recorded or can be, as plain facts that a spec varies: what the commands that tell of a disc see of a burner's work. */
import { newDiscState } from '../../src/scsi/mmc/burn/disc-state.ts';
import type { MediumKind } from '../../src/scsi/mmc/burn/media.ts';
import { RecordableDisc } from '../../src/scsi/mmc/burn/recordable-disc.ts';
import type { Disc, Recordable, Session, Track } from '../../src/scsi/mmc/disc.ts';
import { track } from './optical.ts';

/** What is true of a disc of `capacity` blocks when nobody says otherwise. */
export function recordable(capacity: number, more: Partial<Recordable> = {}): Recordable {
  return {
    atip: null,
    capacity,
    currentCapacity: { blocks: capacity, state: 'unformatted' },
    overwritable: false,
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

/** A disc of this kind as it comes out of its box, as plain facts. */
function outOfItsBox(kind: MediumKind): Disc {
  const disc = new RecordableDisc(newDiscState(kind), 0);
  const { profile, status, lastSession, erasable, sessions, tracks } = disc;
  const { catalog, cdText, blocks, recordable: facts } = disc;
  return {
    profile,
    status,
    lastSession,
    erasable,
    sessions,
    tracks,
    catalog,
    cdText,
    blocks,
    runAt: () => null,
    recordable: facts,
  };
}

export const blankCdR = (): Disc => outOfItsBox('cd-r');
export const blankDvdR = (): Disc => outOfItsBox('dvd-r');
export const blankDvdPlusR = (): Disc => outOfItsBox('dvd+r');
export const blankDvdPlusRDualLayer = (): Disc => outOfItsBox('dvd+r-dl');
export const blankDvdPlusRw = (): Disc => outOfItsBox('dvd+rw');
export const blankDvdRam = (): Disc => outOfItsBox('dvd-ram');
export const blankBdR = (): Disc => outOfItsBox('bd-r');
export const blankBdRe = (): Disc => outOfItsBox('bd-re');
