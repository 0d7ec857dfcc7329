/** Cue sheets: what a session that is written at once is going to be (SEND CUE SHEET, MMC-6 6.33). */
import type { SectorForm, StoredForm } from '../disc.ts';
import { framesOf, LEADING_PAUSE_FRAMES } from '../sector/msf.ts';

const ENTRY_BYTES = 8;
const LEAD_OUT = 0xaa;
const CATALOG_ADR = 2;
const ISRC_ADR = 3;
const COPY = 0x80;
/** Sub-channel bits of DATA FORM: none, 96 bytes raw, 96 bytes packed. */
const SUB_RAW = 0x40;
const SUB_PACKED = 0xc0;
const SUB_BYTES = 96;

/** What the host sends of a sector, by the main bits of DATA FORM (MMC-6 tables 629 to 633). */
interface DataForm {
  readonly bytes: number;
  readonly form: SectorForm;
  readonly stored: StoredForm;
}

const DATA_FORMS: ReadonlyMap<number, DataForm> = new Map<number, DataForm>([
  [0x00, { bytes: 2352, form: 'audio', stored: 'raw' }],
  [0x01, { bytes: 0, form: 'audio', stored: 'nothing' }],
  [0x10, { bytes: 2048, form: 'mode1', stored: 'user' }],
  [0x11, { bytes: 2352, form: 'mode1', stored: 'raw' }],
  [0x12, { bytes: 2048, form: 'mode1', stored: 'user' }],
  [0x13, { bytes: 2352, form: 'mode1', stored: 'raw' }],
  [0x14, { bytes: 0, form: 'mode1', stored: 'nothing' }],
  [0x20, { bytes: 2336, form: 'mixed', stored: 'mode2' }],
  [0x21, { bytes: 2352, form: 'mixed', stored: 'raw' }],
  [0x22, { bytes: 2336, form: 'mixed', stored: 'mode2' }],
  [0x23, { bytes: 2352, form: 'mixed', stored: 'raw' }],
  [0x24, { bytes: 0, form: 'form1', stored: 'nothing' }],
  [0x30, { bytes: 2336, form: 'mode2', stored: 'mode2' }],
  [0x31, { bytes: 2352, form: 'mode2', stored: 'raw' }],
  [0x32, { bytes: 2336, form: 'mode2', stored: 'mode2' }],
  [0x33, { bytes: 2352, form: 'mode2', stored: 'raw' }],
  [0x34, { bytes: 0, form: 'mode2', stored: 'nothing' }],
]);

/** Sectors of one form; `bytes` is what the host sends of each, 0: nothing, the drive makes them. */
export interface CueSegment {
  readonly first: number;
  readonly end: number;
  readonly bytes: number;
  readonly form: SectorForm;
  readonly stored: StoredForm;
  readonly sub: boolean;
}

export interface CueTrack {
  readonly number: number;
  readonly control: number;
  readonly copy: boolean;
  readonly form: SectorForm;
  readonly pregap: number;
  readonly start: number;
  readonly end: number;
  readonly indexes: readonly number[];
  readonly isrc: string | null;
}

export interface CuePlan {
  readonly tracks: readonly CueTrack[];
  readonly segments: readonly CueSegment[];
  readonly catalog: string | null;
  readonly leadOut: number;
  /** The host writes R to W of the lead-in (CD-TEXT). */
  readonly leadIn: boolean;
}

interface Entry {
  readonly at: number;
  readonly control: number;
  readonly adr: number;
  readonly track: number;
  readonly index: number;
  readonly dataForm: number;
  readonly scms: number;
  readonly lba: number;
}

function entryAt(sheet: Uint8Array, at: number): Entry {
  const byte = (i: number): number => sheet[at + i] as number;
  return {
    at,
    control: byte(0) >> 4,
    adr: byte(0) & 0x0f,
    track: byte(1),
    index: byte(2),
    dataForm: byte(3),
    scms: byte(4),
    lba: framesOf(byte(5), byte(6), byte(7)) - LEADING_PAUSE_FRAMES,
  };
}

const letters = (sheet: Uint8Array, at: number, from: number, to: number): string =>
  String.fromCharCode(...sheet.subarray(at + from, at + to));

/** Offset in the sheet of what is wrong. */
export class CueSheetFault {
  readonly at: number;

  constructor(at: number) {
    this.at = at;
  }
}

/** Where the session that is to be written begins, and what it may hold. */
export interface CueRoom {
  readonly firstTrack: number;
  readonly start: number;
  readonly end: number;
}

class Reading {
  readonly #sheet: Uint8Array;
  readonly #room: CueRoom;
  #catalog = '';
  readonly #isrc = new Map<number, string>();
  readonly #entries: Entry[] = [];
  #leadIn = false;

  constructor(sheet: Uint8Array, room: CueRoom) {
    this.#sheet = sheet;
    this.#room = room;
  }

  read(): CuePlan | CueSheetFault {
    for (let at = 0; at < this.#sheet.length; at += ENTRY_BYTES) {
      if (!this.#take(entryAt(this.#sheet, at))) return new CueSheetFault(at);
    }
    const end = this.#entries.at(-1);
    if (end?.track !== LEAD_OUT || this.#entries.length < 2) {
      return new CueSheetFault(this.#sheet.length - ENTRY_BYTES);
    }
    if (end.lba > this.#room.end) return new CueSheetFault(end.at);
    return this.#plan(end);
  }

  #take(entry: Entry): boolean {
    const { adr, track, at } = entry;
    if (adr === CATALOG_ADR) {
      this.#catalog += letters(this.#sheet, at, 1, ENTRY_BYTES);
      return true;
    }
    if (adr === ISRC_ADR) {
      const before = this.#isrc.get(track) ?? '';
      this.#isrc.set(track, before + letters(this.#sheet, at, 2, ENTRY_BYTES));
      return true;
    }
    if (adr !== 1) return false;
    return track === 0 ? this.#takeLeadIn(entry) : this.#takeSector(entry);
  }

  #takeLeadIn({ dataForm, index }: Entry): boolean {
    if (this.#entries.length > 0 || index !== 0) return false;
    this.#leadIn = (dataForm & SUB_PACKED) !== 0;
    return DATA_FORMS.get(dataForm & 0x3f)?.bytes === 0 || this.#leadIn;
  }

  /** Tracks go up by one, their indexes too; every entry is behind the one before it. */
  #takeSector(entry: Entry): boolean {
    const before = this.#entries.at(-1);
    const { track, index, lba, dataForm } = entry;
    if (before?.track === LEAD_OUT || !DATA_FORMS.has(dataForm & 0x3f)) return false;
    if (![0, SUB_RAW, SUB_PACKED].includes(dataForm & 0xc0)) return false;
    const { firstTrack, start } = this.#room;
    if (before === undefined) {
      if (track !== firstTrack || lba !== start - LEADING_PAUSE_FRAMES || index !== 0) return false;
    } else {
      if (lba <= before.lba) return false;
      const isNext = track === before.track + 1 && index <= 1 && before.index >= 1;
      const isSame = track === before.track && index === before.index + 1;
      const ends = track === LEAD_OUT && before.index >= 1;
      if (!isNext && !isSame && !ends) return false;
    }
    this.#entries.push(entry);
    return true;
  }

  #plan(end: Entry): CuePlan {
    const segments = this.#entries.slice(0, -1).map((entry, i): CueSegment => {
      const { bytes, form, stored } = DATA_FORMS.get(entry.dataForm & 0x3f) as DataForm;
      const sub = (entry.dataForm & SUB_PACKED) !== 0;
      return {
        first: entry.lba,
        end: (this.#entries[i + 1] as Entry).lba,
        bytes: sub ? 2352 + SUB_BYTES : bytes,
        form,
        stored: sub ? 'raw' : stored,
        sub,
      };
    });
    return {
      tracks: this.#tracks(end),
      segments,
      catalog: /^\d{13}/.test(this.#catalog) ? this.#catalog.slice(0, 13) : null,
      leadOut: end.lba,
      leadIn: this.#leadIn,
    };
  }

  #tracks(end: Entry): CueTrack[] {
    const { start: sessionStart } = this.#room;
    return this.#entries
      .filter(({ index, track }) => index === 1 && track !== LEAD_OUT)
      .map((entry) => {
        const mine = this.#entries.filter(({ track }) => track === entry.track);
        const next = this.#entries.find(({ track, at }) => track !== entry.track && at > entry.at);
        const isrc = this.#isrc.get(entry.track) ?? null;
        const pregap = (mine.find(({ index }) => index === 0) ?? entry).lba;
        return {
          number: entry.track,
          control: entry.control,
          copy: (entry.scms & COPY) !== 0,
          form: (DATA_FORMS.get(entry.dataForm & 0x3f) as DataForm).form,
          pregap: pregap < sessionStart ? entry.lba : pregap,
          start: entry.lba,
          end: (next ?? end).lba,
          indexes: mine.filter(({ index }) => index > 1).map(({ lba }) => lba),
          isrc: isrc !== null && /^[0-9A-Z]{12}$/.test(isrc) ? isrc : null,
        };
      });
  }
}

/** Reads a cue sheet for a session that begins in `room`. */
export function readCueSheet(sheet: Uint8Array, room: CueRoom): CuePlan | CueSheetFault {
  if (sheet.length === 0 || sheet.length % ENTRY_BYTES !== 0) return new CueSheetFault(0);
  return new Reading(sheet, room).read();
}
