/** Puts a disc together from its start: sessions, tracks, and where their sectors are kept. */
import {
  CONTROL_DATA,
  type DiscLayout,
  SESSION_CD_DA_OR_ROM,
  SESSION_XA,
  type SectorForm,
  type SectorRun,
  type Session,
  type StoredForm,
  type StoredSubChannel,
  SUB_CHANNEL_BYTES,
  type Track,
} from '../../scsi/mmc/disc.ts';
import { CD_ROM } from '../../scsi/mmc/profile.ts';
import { LEADING_PAUSE_FRAMES } from '../../scsi/mmc/sector/msf.ts';
import type { ImageFile, ImageFiles } from './image-files.ts';

/** Sectors from the lead-out of a session to the first track of the next: lead-out, lead-in and pause (MMC-6 4.2.3). */
const LEAD_IN_BLOCKS = 4500;
const FIRST_LEAD_OUT_BLOCKS = 6750;
const LATER_LEAD_OUT_BLOCKS = 2250;
/** Addresses from 90 minutes on are those of the lead-in. */
export const MOST_CD_BLOCKS = 404_850;
const MOST_TRACKS = 99;

/** How sectors are kept. */
export interface Keeping {
  readonly form: SectorForm;
  readonly stored: StoredForm;
  readonly strideBytes: number;
  /** Sub-channels behind each sector, from this byte of it; absent: none there. */
  readonly subAt?: number;
}

/** Sub-channels in a file of their own, 96 bytes a sector. */
export interface KeptSub {
  readonly file: ImageFile;
  readonly at: number;
  readonly subChannel: StoredSubChannel;
}

/** Nothing is kept. */
export function nothing(form: SectorForm): Keeping {
  return { form, stored: 'nothing', strideBytes: 0 };
}

/** A track while the disc is put together. */
export interface DraftTrack {
  readonly number: number;
  readonly session: number;
  control: number;
  form: SectorForm;
  pregap: number;
  /** First block of index 1; null: not known yet. */
  start: number | null;
  end: number;
  readonly indexes: number[];
  isrc: string | null;
  copy: boolean;
}

interface DraftSession {
  readonly number: number;
  firstTrack: number;
  lastTrack: number;
  leadOut: number;
}

/** Where the first track of a session begins by the length of the one before. */
export function nextSessionStart(leadOut: number, sessionBefore: number): number {
  const leadOutBlocks = sessionBefore === 1 ? FIRST_LEAD_OUT_BLOCKS : LATER_LEAD_OUT_BLOCKS;
  return leadOut + leadOutBlocks + LEAD_IN_BLOCKS + LEADING_PAUSE_FRAMES;
}

function follows(last: SectorRun, next: SectorRun): boolean {
  if (last.first + last.blocks !== next.first) return false;
  if (last.form !== next.form || last.stored !== next.stored) return false;
  if (last.strideBytes !== next.strideBytes || last.subChannel !== next.subChannel) return false;
  if (last.subStrideBytes !== next.subStrideBytes) return false;
  const end = last.position + last.blocks * last.strideBytes;
  const subEnd = last.subPosition + last.blocks * last.subStrideBytes;
  const isNothing = next.stored === 'nothing';
  return (
    (isNothing || end === next.position) &&
    (next.subChannel === 'none' || subEnd === next.subPosition)
  );
}

export class LayoutBuilder {
  readonly #files: ImageFiles;
  readonly #sessions: DraftSession[] = [];
  readonly #tracks: DraftTrack[] = [];
  readonly #runs: SectorRun[] = [];
  #lba = 0;
  catalog: string | null = null;
  cdText: Uint8Array | null = null;

  constructor(files: ImageFiles) {
    this.#files = files;
  }

  /** Address of the sector that comes next. */
  get lba(): number {
    return this.#lba;
  }

  get tracks(): readonly DraftTrack[] {
    return this.#tracks;
  }

  /** Ends the session and begins another, at `start` or where the standard gap ends. */
  session(start?: number): void {
    this.#closeTrack();
    const last = this.#sessions.at(-1);
    if (last === undefined) {
      this.#lba = start ?? 0;
    } else {
      if (last.firstTrack === 0) this.#files.refuse('', `session ${last.number} has no track`);
      last.leadOut = this.#lba;
      this.#lba = start ?? nextSessionStart(this.#lba, last.number);
      if (this.#lba < last.leadOut) {
        this.#files.refuse(
          '',
          `session ${last.number + 1} begins in front of the end of the one before`,
        );
      }
    }
    this.#sessions.push({
      number: (last?.number ?? 0) + 1,
      firstTrack: 0,
      lastTrack: 0,
      leadOut: 0,
    });
  }

  /** Begins a track with what is added next; its number follows on. */
  track(number: number, control: number, form: SectorForm, where: string): DraftTrack {
    if (this.#sessions.length === 0) this.session();
    this.#closeTrack();
    const last = this.#tracks.at(-1);
    const isNumber = Number.isInteger(number) && number >= 1 && number <= MOST_TRACKS;
    if (!isNumber || (last !== undefined && number !== last.number + 1)) {
      const expected = last === undefined ? 'from 1 to 99' : `${last.number + 1}`;
      this.#files.refuse(where, `track ${number} is there where the number has to be ${expected}`);
    }
    const session = this.#sessions.at(-1) as DraftSession;
    if (session.firstTrack === 0) session.firstTrack = number;
    session.lastTrack = number;
    const track: DraftTrack = {
      number,
      session: session.number,
      control: form === 'audio' ? control & ~CONTROL_DATA : control | CONTROL_DATA,
      form,
      pregap: this.#lba,
      start: null,
      end: this.#lba,
      indexes: [],
      isrc: null,
      copy: false,
    };
    this.#tracks.push(track);
    return track;
  }

  #closeTrack(): void {
    const track = this.#tracks.at(-1);
    if (track === undefined || track.session !== this.#sessions.at(-1)?.number) return;
    track.end = this.#lba;
    track.start ??= track.pregap;
    if (track.start >= track.end) this.#files.refuse(`track ${track.number}`, 'it has no sectors');
  }

  /** Adds `blocks` sectors that are kept from byte `at` of `file`. */
  sectors(
    blocks: number,
    keeping: Keeping,
    file: ImageFile | null,
    at: number,
    sub?: KeptSub,
  ): void {
    if (blocks <= 0) return;
    if (this.#lba + blocks > MOST_CD_BLOCKS) {
      this.#files.refuse('', 'it is longer than a CD can be: 90 minutes, 404 850 sectors');
    }
    const { form, stored, strideBytes, subAt } = keeping;
    const position = stored === 'nothing' ? 0 : (file?.base ?? 0) + at;
    const inside = subAt !== undefined;
    const run: SectorRun = {
      first: this.#lba,
      blocks,
      form,
      stored,
      position,
      strideBytes,
      subChannel: inside ? 'interleaved' : (sub?.subChannel ?? 'none'),
      subPosition: inside ? position + subAt : sub === undefined ? 0 : sub.file.base + sub.at,
      subStrideBytes: inside ? strideBytes : sub === undefined ? 0 : SUB_CHANNEL_BYTES,
    };
    const last = this.#runs.at(-1);
    if (last !== undefined && follows(last, run)) {
      this.#runs[this.#runs.length - 1] = { ...last, blocks: last.blocks + blocks };
    } else {
      this.#runs.push(run);
    }
    this.#lba += blocks;
  }

  /** Fills up to `lba` with sectors of which nothing is kept. */
  fillTo(lba: number, form: SectorForm): void {
    this.sectors(lba - this.#lba, nothing(form), null, 0);
  }

  finish(): DiscLayout {
    this.#closeTrack();
    const open = this.#sessions.at(-1);
    if (open === undefined || this.#tracks.length === 0) this.#files.refuse('', 'it has no track');
    if (open.firstTrack === 0) this.#files.refuse('', `session ${open.number} has no track`);
    open.leadOut = this.#lba;
    const tracks = this.#tracks.map(finished);
    return {
      profile: CD_ROM,
      sessions: this.#sessions.map((session): Session => {
        const own = tracks.filter((track) => track.session === session.number);
        const isXa = own.some(({ form }) => form !== 'audio' && form !== 'mode1');
        return { ...session, type: isXa ? SESSION_XA : SESSION_CD_DA_OR_ROM };
      }),
      tracks,
      runs: this.#runs,
      catalog: this.catalog,
      cdText: this.cdText,
    };
  }
}

function finished(track: DraftTrack): Track {
  return {
    ...track,
    start: track.start ?? track.pregap,
    state: 'complete',
    nextWritable: null,
    lastRecorded: track.end - 1,
    packetBlocks: 0,
    packet: false,
    damaged: false,
  };
}
