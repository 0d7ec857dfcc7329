/** Nero images: the sectors, and behind them chunks that describe them, with 32-bit (version 1) or 64-bit offsets (version 2). */
import type { SectorForm, StoredForm } from '../../scsi/mmc/disc.ts';
import { BLOCK_BYTES } from '../../scsi/mmc/optical-drive.ts';
import { fromBcd, isBcd, LEADING_PAUSE_FRAMES, lbaOf } from '../../scsi/mmc/sector/msf.ts';
import type { DiscImage } from './disc-image.ts';
import type { ImageFile, ImageFiles } from './image-files.ts';
import { dataDiscImage } from './iso.ts';
import { type Keeping, LayoutBuilder, MOST_CD_BLOCKS, nextSessionStart } from './layout-builder.ts';
import { catalogOf, cdTextPacks, isrcOf, MOST_SHEET_BYTES } from './sheet-text.ts';
import { mode2FormAt } from './stored-sectors.ts';

const FOOTER_1_BYTES = 8;
const FOOTER_2_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
const MOST_CHUNKS = 1024;

/** How the tracks of a mode are kept. `null`: whether XA or formless is seen in the first sector. */
const MODES = new Map<
  number,
  { form: SectorForm | null; stored: StoredForm; bytes: number; subAt?: number }
>([
  [0x00, { form: 'mode1', stored: 'user', bytes: 2048 }],
  [0x02, { form: 'form1', stored: 'user', bytes: 2048 }],
  [0x03, { form: null, stored: 'mode2', bytes: 2336 }],
  [0x05, { form: 'mode1', stored: 'raw', bytes: 2352 }],
  [0x06, { form: null, stored: 'raw', bytes: 2352 }],
  [0x07, { form: 'audio', stored: 'raw', bytes: 2352 }],
  [0x0f, { form: 'mode1', stored: 'raw', bytes: 2448, subAt: 2352 }],
  [0x10, { form: 'audio', stored: 'raw', bytes: 2448, subAt: 2352 }],
  [0x11, { form: null, stored: 'raw', bytes: 2448, subAt: 2352 }],
]);

interface Chunk {
  readonly id: string;
  readonly data: DataView;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const textAt = (view: DataView, at: number, bytes: number): string =>
  String.fromCharCode(...Array.from({ length: bytes }, (_, i) => view.getUint8(at + i)));

/** Byte where the chunks begin, and whether offsets have 64 bits; null: the file is no Nero image. */
function footerOf(files: ImageFiles, file: ImageFile): { at: number; wide: boolean } | null {
  const footer = files.read(file, Math.max(0, file.bytes - FOOTER_2_BYTES), FOOTER_2_BYTES);
  if (footer.length < FOOTER_2_BYTES) return null;
  const view = viewOf(footer);
  if (textAt(view, 0, 4) === 'NER5') return { at: Number(view.getBigUint64(4)), wide: true };
  if (textAt(view, 4, 4) === 'NERO') return { at: view.getUint32(8), wide: false };
  return null;
}

export function isNrg(files: ImageFiles, file: ImageFile): boolean {
  return footerOf(files, file) !== null;
}

function chunksOf(files: ImageFiles, file: ImageFile, from: number, wide: boolean): Chunk[] {
  const end = file.bytes - (wide ? FOOTER_2_BYTES : FOOTER_1_BYTES);
  if (from >= end || end - from > MOST_SHEET_BYTES) {
    files.refuse('footer', `it says that the chunks begin at byte ${from} of ${file.bytes}`);
  }
  const view = viewOf(files.read(file, from, end - from));
  const chunks: Chunk[] = [];
  let at = 0;
  while (at + CHUNK_HEADER_BYTES <= view.byteLength && chunks.length < MOST_CHUNKS) {
    const id = textAt(view, at, 4);
    const bytes = view.getUint32(at + 4);
    at += CHUNK_HEADER_BYTES;
    if (id === 'END!') return chunks;
    if (bytes > view.byteLength - at) {
      files.refuse(
        `chunk ${JSON.stringify(id)}`,
        `its ${bytes} bytes go beyond the end of the file`,
      );
    }
    chunks.push({ id, data: new DataView(view.buffer, view.byteOffset + at, bytes) });
    at += bytes;
  }
  return files.refuse('chunks', 'there is no chunk "END!"');
}

/** A point of a cue chunk. */
interface CuePoint {
  readonly track: number;
  readonly index: number;
  readonly lba: number;
  readonly control: number;
}

const CUE_BYTES = 8;
const LEAD_OUT = 0xaa;

function cuePointsOf({ id, data }: Chunk): CuePoint[] {
  const points: CuePoint[] = [];
  for (let at = 0; at + CUE_BYTES <= data.byteLength; at += CUE_BYTES) {
    const track = data.getUint8(at + 1);
    const index = data.getUint8(at + 2);
    if (track !== LEAD_OUT && (!isBcd(track) || !isBcd(index))) continue;
    points.push({
      track: track === LEAD_OUT ? track : fromBcd(track),
      index: fromBcd(index),
      control: data.getUint8(at) >> 4,
      lba:
        id === 'CUEX'
          ? data.getInt32(at + 4)
          : lbaOf(data.getUint8(at + 5), data.getUint8(at + 6), data.getUint8(at + 7)),
    });
  }
  return points;
}

const DAO_HEADER_BYTES = 22;
const DAO_BYTES = { wide: 42, narrow: 30 };
const ETN_BYTES = { wide: 32, narrow: 20 };

class NrgImage {
  readonly #files: ImageFiles;
  readonly #file: ImageFile;
  readonly #builder: LayoutBuilder;
  readonly #chunks: readonly Chunk[];
  readonly #wide: boolean;
  #points: readonly CuePoint[] = [];
  #sessions = 0;
  #end = 0;

  constructor(files: ImageFiles, file: ImageFile) {
    this.#files = files;
    this.#file = file;
    const footer = footerOf(files, file);
    if (footer === null) files.refuse('footer', 'it has neither "NER5" nor "NERO"');
    this.#wide = footer.wide;
    this.#chunks = chunksOf(files, file, footer.at, footer.wide);
    this.#builder = new LayoutBuilder(files);
  }

  read(): DiscImage {
    const single = this.#bigDisc();
    if (single !== null) return single;
    for (const chunk of this.#chunks) {
      switch (chunk.id) {
        case 'CUEX':
        case 'CUES':
          this.#points = cuePointsOf(chunk);
          break;
        case 'DAOX':
        case 'DAOI':
          this.#dao(chunk);
          break;
        case 'ETN2':
        case 'ETNF':
          this.#etn(chunk);
          break;
        case 'CDTX':
          this.#builder.cdText = cdTextPacks(bytesOf(chunk), this.#files, 'chunk "CDTX"');
          break;
        default:
          break;
      }
    }
    return { layout: this.#builder.finish(), files: this.#files.list };
  }

  /** A DVD or BD: one track of user data that no CD holds. */
  #bigDisc(): DiscImage | null {
    const chunks = this.#chunks.filter(({ id }) => /^(DAO|ETN)/.test(id));
    const [chunk] = chunks;
    if (chunks.length !== 1 || chunk === undefined || !chunk.id.startsWith('ETN')) return null;
    const { wide, narrow } = ETN_BYTES;
    if (chunk.data.byteLength !== (this.#wide ? wide : narrow)) return null;
    const { at, bytes, mode } = this.#etnAt(chunk.data, 0);
    const isBig = bytes / BLOCK_BYTES > MOST_CD_BLOCKS;
    if (!isBig || mode !== 0 || at + bytes > this.#file.bytes) return null;
    return dataDiscImage(this.#files, Math.floor(bytes / BLOCK_BYTES), at);
  }

  #offset(data: DataView, at: number): number {
    return this.#wide ? Number(data.getBigUint64(at)) : data.getUint32(at);
  }

  #beginSession(start: number | null): void {
    this.#sessions += 1;
    if (this.#sessions === 1) this.#builder.session(start ?? 0);
    else this.#builder.session(start ?? nextSessionStart(this.#end, this.#sessions - 1));
  }

  #keepingOf(mode: number, bytes: number, at: number, where: string): Keeping {
    const known = MODES.get(mode);
    if (known === undefined || known.bytes !== bytes) {
      this.#files.refuse(
        where,
        `sectors of mode ${mode.toString(16)}h with ${bytes} bytes are not read`,
      );
    }
    const bodyAt = at + (known.stored === 'raw' ? 16 : 0);
    const form = known.form ?? mode2FormAt(this.#files, this.#file, bodyAt);
    const keeping = { form, stored: known.stored, strideBytes: bytes };
    return known.subAt === undefined ? keeping : { ...keeping, subAt: known.subAt };
  }

  #dao(chunk: Chunk): void {
    const { data, id } = chunk;
    const where = `chunk "${id}"`;
    if (data.byteLength < DAO_HEADER_BYTES) this.#files.refuse(where, 'it is too short');
    const catalog = textAt(data, 4, 13).replaceAll('\0', '');
    if (catalog !== '') this.#builder.catalog = catalogOf(catalog, this.#files, where);
    const first = data.getUint8(20);
    const last = data.getUint8(21);
    const entry = this.#wide ? DAO_BYTES.wide : DAO_BYTES.narrow;
    const count = last - first + 1;
    if (count < 1 || data.byteLength < DAO_HEADER_BYTES + count * entry) {
      this.#files.refuse(where, `it is too short for tracks ${first} to ${last}`);
    }
    for (let i = 0; i < count; i += 1) {
      this.#daoTrack(data, DAO_HEADER_BYTES + i * entry, first + i, i === 0, where);
    }
    this.#points = [];
  }

  #daoTrack(data: DataView, at: number, number: number, opens: boolean, where: string): void {
    const offset = (i: number): number => this.#offset(data, at + 18 + i * (this.#wide ? 8 : 4));
    const [pregapAt, startAt, endAt] = [offset(0), offset(1), offset(2)];
    const bytes = data.getUint16(at + 12);
    if (pregapAt > startAt || startAt >= endAt || endAt > this.#file.bytes || bytes === 0) {
      this.#files.refuse(where, `the offsets of track ${number} are not inside the file`);
    }
    const keeping = this.#keepingOf(daoMode(data, at, bytes), bytes, startAt, where);
    const pregap = Math.floor((startAt - pregapAt) / bytes);
    const points = this.#points.filter(({ track }) => track === number);
    const start = points.find(({ index }) => index === 1)?.lba ?? null;
    if (opens)
      this.#beginSession(
        start === null ? null : start - Math.max(0, pregap - LEADING_PAUSE_FRAMES),
      );
    const draft = this.#builder.track(number, points[0]?.control ?? 0, keeping.form, where);
    // Of the pause in front of a session is kept what is kept; it is no pregap.
    const paused = opens ? Math.min(pregap, LEADING_PAUSE_FRAMES) : 0;
    const kept = pregap - paused;
    this.#builder.sectors(kept, keeping, this.#file, startAt - kept * bytes);
    draft.start = this.#builder.lba;
    const blocks = Math.floor((endAt - startAt) / bytes);
    this.#builder.sectors(blocks, keeping, this.#file, startAt);
    this.#end = this.#builder.lba;
    for (const { index, lba } of points) {
      if (index > 1 && lba > draft.start && lba < this.#end) draft.indexes.push(lba);
    }
    const isrc = textAt(data, at, 12).replaceAll('\0', '');
    if (isrc !== '') draft.isrc = isrcOf(isrc, this.#files, where);
  }

  #etnAt(data: DataView, at: number) {
    const wide = this.#wide;
    return {
      at: this.#offset(data, at),
      bytes: this.#offset(data, at + (wide ? 8 : 4)),
      mode: data.getUint8(at + (wide ? 19 : 11)),
      lba: data.getInt32(at + (wide ? 20 : 12)),
    };
  }

  /** Tracks that were written one by one. A chunk is a session. */
  #etn({ id, data }: Chunk): void {
    const where = `chunk "${id}"`;
    const entry = this.#wide ? ETN_BYTES.wide : ETN_BYTES.narrow;
    const count = Math.floor(data.byteLength / entry);
    if (count === 0) this.#files.refuse(where, 'it has no track');
    for (let i = 0; i < count; i += 1) {
      const track = this.#etnAt(data, i * entry);
      if (track.bytes === 0 || track.at + track.bytes > this.#file.bytes) {
        this.#files.refuse(where, `track ${i + 1} is not inside the file`);
      }
      const sector = MODES.get(track.mode)?.bytes ?? 0;
      const keeping = this.#keepingOf(track.mode, sector, track.at, where);
      if (i === 0) this.#beginSession(track.lba);
      else if (track.lba < this.#builder.lba)
        this.#files.refuse(where, `track ${i + 1} begins too early`);
      const number = this.#builder.tracks.length + 1;
      const draft = this.#builder.track(number, 0, keeping.form, where);
      this.#builder.fillTo(track.lba, keeping.form);
      draft.start = this.#builder.lba;
      this.#builder.sectors(Math.floor(track.bytes / sector), keeping, this.#file, track.at);
      this.#end = this.#builder.lba;
    }
  }
}

/** The mode is the first of two bytes, in some images the second. */
function daoMode(data: DataView, at: number, bytes: number): number {
  const first = data.getUint8(at + 14);
  return MODES.get(first)?.bytes === bytes ? first : data.getUint8(at + 15) || first;
}

function bytesOf({ data }: Chunk): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** The disc of a Nero image. Throws DiscImageError. */
export function nrgImage(files: ImageFiles): DiscImage {
  return new NrgImage(files, files.addItself()).read();
}
