/** Optical drives over HeldStores, and discs to put into them. */
import { createOptical, type OpticalOptions, type OpticalParts } from '../../src/luns/optical.ts';
import { DONE } from '../../src/scsi/contracts.ts';
import type { LogicalUnit } from '../../src/scsi/logical-unit.ts';
import type { Disc, DiscLayout, SectorForm, SectorRun, Track } from '../../src/scsi/mmc/disc.ts';
import { FinishedDisc } from '../../src/scsi/mmc/finished-disc.ts';
import { opticalModePages } from '../../src/scsi/mmc/mode-pages.ts';
import { CD_ROM, type Profile } from '../../src/scsi/mmc/profile.ts';
import { HeldStore } from './held-store.ts';
import { bouncePool, Testbed } from './target.ts';

/** A run of `blocks` sectors whose 2048 bytes of user data begin at byte `position` of the store. */
export function userRun(first: number, blocks: number, position = 0): SectorRun {
  return {
    first,
    blocks,
    form: 'mode1',
    stored: 'user',
    position,
    strideBytes: 2048,
    subChannel: 'none',
    subPosition: 0,
    subStrideBytes: 0,
  };
}

/** A finished track. */
export function track(number: number, start: number, end: number, form: SectorForm): Track {
  return {
    number,
    session: 1,
    control: form === 'audio' ? 0 : 4,
    form,
    pregap: start,
    start,
    end,
    indexes: [],
    isrc: null,
    state: 'complete',
    nextWritable: null,
    lastRecorded: end - 1,
    packetBlocks: 0,
    packet: false,
    damaged: false,
    copy: false,
  };
}

/** A disc of one session with one track of user data. */
export function dataDisc(blocks: number, profile: Profile = CD_ROM): DiscLayout {
  return {
    profile,
    sessions: [{ number: 1, type: 0, firstTrack: 1, lastTrack: 1, leadOut: blocks }],
    tracks: [track(1, 0, blocks, 'mode1')],
    runs: [userRun(0, blocks)],
    catalog: null,
    cdText: null,
  };
}

/** An audio CD of one session; a track begins where the one before it ends. Nothing is kept of it: it is silence. */
export function audioDisc(starts: readonly number[], leadOut: number): DiscLayout {
  const tracks = starts.map((start, i) => track(i + 1, start, starts[i + 1] ?? leadOut, 'audio'));
  return {
    ...dataDisc(leadOut),
    sessions: [{ number: 1, type: 0, firstTrack: 1, lastTrack: starts.length, leadOut }],
    tracks,
    runs: [{ ...userRun(0, leadOut), form: 'audio', stored: 'nothing' }],
  };
}

export interface BenchOptions
  extends Pick<OpticalOptions, 'mediaChangeStyle' | 'medium'>,
    Pick<OpticalParts, 'faults' | 'paced'> {
  /** It is a writer. */
  readonly writes?: boolean;
  /** Milliseconds that audio is played by. */
  readonly now?: () => number;
  /** The disc itself, for those that no layout describes. */
  readonly disc?: Disc | null;
}

export interface OpticalBed {
  readonly bed: Testbed;
  readonly unit: LogicalUnit;
  /** What the sectors of the disc are kept in. */
  readonly store: HeldStore;
}

/** A target with one drive at LUN 0 that has the disc of `layout` in it, whose sectors are kept in `bytes`. */
export function optical(
  layout: DiscLayout,
  bytes: Uint8Array,
  {
    writes = false,
    now,
    disc = new FinishedDisc(layout),
    faults = [],
    paced = false,
    ...options
  }: BenchOptions = {},
): OpticalBed {
  const bed = new Testbed();
  const store = new HeldStore({ bytes: bytes.length, readOnly: true });
  store.memory.set(bytes);
  bed.stores.set(0, store);
  const naa = new Uint8Array(16).fill(0x22);
  naa[0] = 0x60;
  const unit = createOptical(
    bed.target,
    {
      lun: 0,
      identity: { vendor: 'RINGSCSI', product: 'SPEC DRIVE', revision: '0001', serial: 'OD1', naa },
      disc,
      ...options,
    },
    {
      store,
      bounce: bouncePool(2),
      modePages: opticalModePages({ writes }),
      reservationStore: null,
      faults,
      paced,
      burner: writes ? { journal: { save: () => DONE } } : null,
      ...(now === undefined ? {} : { now }),
    },
  );
  bed.target.addUnit(unit);
  return { bed, unit, store };
}
