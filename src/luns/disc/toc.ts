/** TOC files of cdrdao: tracks of pieces of files, silence and gaps. */
import {
  CONTROL_COPY_PERMITTED,
  CONTROL_FOUR_CHANNELS,
  CONTROL_PRE_EMPHASIS,
  type SectorForm,
  type StoredForm,
  SUB_CHANNEL_BYTES,
} from '../../scsi/mmc/disc.ts';
import type { DiscImage } from './disc-image.ts';
import type { ImageFile, ImageFiles } from './image-files.ts';
import { type Keeping, LayoutBuilder, nothing } from './layout-builder.ts';
import { catalogOf, cdTextOf, framesOfText, isrcOf } from './sheet-text.ts';
import { mode2FormAt } from './stored-sectors.ts';
import { TocText } from './toc-text.ts';
import { TocReader, tocWords } from './toc-words.ts';
import { waveSamples } from './wave.ts';

interface TocMode {
  /** `null`: seen in the first sector. */
  readonly form: SectorForm | null;
  readonly stored: StoredForm;
  readonly bytes: number;
}

const MODES = new Map<string, TocMode>([
  ['AUDIO', { form: 'audio', stored: 'swapped', bytes: 2352 }],
  ['MODE1', { form: 'mode1', stored: 'user', bytes: 2048 }],
  ['MODE1_RAW', { form: 'mode1', stored: 'raw', bytes: 2352 }],
  ['MODE2', { form: 'mode2', stored: 'mode2', bytes: 2336 }],
  ['MODE2_RAW', { form: null, stored: 'raw', bytes: 2352 }],
  ['MODE2_FORM1', { form: 'form1', stored: 'user', bytes: 2048 }],
  ['MODE2_FORM2', { form: 'form2', stored: 'form2', bytes: 2324 }],
  ['MODE2_FORM_MIX', { form: 'mixed', stored: 'mode2', bytes: 2336 }],
]);
const DISC_TYPES = ['CD_DA', 'CD_ROM', 'CD_ROM_XA', 'CD_I'];
const SUB_MODES = ['RW', 'RW_RAW'];
/** Bytes of a sample of both channels, and samples of a sector. */
const SAMPLE_BYTES = 4;
const SECTOR_SAMPLES = 588;
const SECTOR_BYTES = SAMPLE_BYTES * SECTOR_SAMPLES;

/** A track as far as it is read. */
interface TocTrack {
  readonly mode: TocMode;
  readonly hasSub: boolean;
  /** First block, pregap included. */
  readonly first: number;
  /** Sectors of the pregap, or null: there is none. */
  pregap: number | null;
  readonly indexes: number[];
}

const MAKING = new Set(['FILE', 'AUDIOFILE', 'DATAFILE', 'SILENCE', 'ZERO', 'FIFO']);

class TocImage {
  readonly #files: ImageFiles;
  readonly #reader: TocReader;
  readonly #builder: LayoutBuilder;
  readonly #text = new TocText();
  #firstNumber = 1;
  #track: TocTrack | null = null;
  /** The track has ended inside a sector: nothing can follow. */
  #isRagged = false;

  constructor(text: string, files: ImageFiles) {
    this.#files = files;
    this.#reader = new TocReader(tocWords(text, files), files);
    this.#builder = new LayoutBuilder(files);
  }

  read(): DiscImage {
    const reader: TocReader = this.#reader;
    while (!reader.isAtEnd) {
      const word = reader.next();
      if (word === 'TRACK') this.#beginTrack();
      else if (this.#track === null) this.#discCommand(word);
      else this.#trackCommand(word, this.#track);
    }
    this.#endTrack();
    const { tracks } = this.#builder;
    const first = tracks[0]?.number ?? 1;
    const last = tracks.at(-1)?.number ?? 1;
    this.#builder.cdText = cdTextOf(this.#text.blocks, first, last, this.#files);
    return { layout: this.#builder.finish(), files: this.#files.list };
  }

  #discCommand(word: string): void {
    const reader: TocReader = this.#reader;
    if (DISC_TYPES.includes(word)) return;
    if (word === 'CATALOG') {
      this.#builder.catalog = catalogOf(reader.string(word), this.#files, reader.where);
    } else if (word === 'CD_TEXT') {
      this.#text.read(reader, 0);
    } else if (word === 'FIRST_TRACK_NO') {
      this.#firstNumber = Number(reader.next());
    } else {
      reader.refuse(`"${word}" is nothing that a TOC file begins with`);
    }
  }

  #beginTrack(): void {
    const reader: TocReader = this.#reader;
    this.#endTrack();
    const name = reader.next();
    const mode = MODES.get(name);
    if (mode === undefined) {
      reader.refuse(`the mode "${name}" is none of ${Array.from(MODES.keys()).join(', ')}`);
    }
    const hasSub = SUB_MODES.includes(reader.peek());
    if (hasSub) reader.next();
    const number = this.#builder.tracks.length + this.#firstNumber;
    this.#builder.track(number, 0, mode.form ?? 'mixed', reader.where);
    this.#track = { mode, hasSub, first: this.#builder.lba, pregap: null, indexes: [] };
    this.#isRagged = false;
  }

  #endTrack(): void {
    const track = this.#track;
    const draft = this.#builder.tracks.at(-1);
    if (track === null || draft === undefined) return;
    const start = track.first + (track.pregap ?? 0);
    draft.start = start;
    if (start >= this.#builder.lba) {
      this.#reader.refuse(`track ${draft.number} ends in front of its START`);
    }
    let last = 0;
    for (const index of track.indexes) {
      if (index <= last || start + index >= this.#builder.lba) {
        this.#reader.refuse(`an INDEX of track ${draft.number} is not where it can be`);
      }
      draft.indexes.push(start + index);
      last = index;
    }
  }

  #trackCommand(word: string, track: TocTrack): void {
    const reader: TocReader = this.#reader;
    const draft = this.#builder.tracks.at(-1);
    if (draft === undefined) return;
    if (MAKING.has(word)) {
      this.#piece(word, track);
      return;
    }
    switch (word) {
      case 'NO':
        this.#flag(reader.next(), false);
        return;
      case 'COPY':
      case 'PRE_EMPHASIS':
        this.#flag(word, true);
        return;
      case 'TWO_CHANNEL_AUDIO':
        return;
      case 'FOUR_CHANNEL_AUDIO':
        draft.control |= CONTROL_FOUR_CHANNELS;
        return;
      case 'ISRC':
        draft.isrc = isrcOf(reader.string(word), this.#files, reader.where);
        return;
      case 'CD_TEXT':
        this.#text.read(reader, draft.number);
        return;
      case 'PREGAP':
        track.pregap = this.#time();
        this.#builder.sectors(track.pregap, nothing(draft.form), null, 0);
        return;
      case 'START':
        track.pregap = framesOfText(reader.peek()) === null ? this.#length() : this.#time();
        return;
      case 'END':
        if (framesOfText(reader.peek()) !== null) reader.next();
        return;
      case 'INDEX':
        track.indexes.push(this.#time());
        return;
      default:
        reader.refuse(`"${word}" is nothing that a track of a TOC file has`);
    }
  }

  /** Sectors of the track so far. */
  #length(): number {
    return this.#builder.lba - (this.#track?.first ?? 0);
  }

  #flag(name: string, isSet: boolean): void {
    const bit = new Map([
      ['COPY', CONTROL_COPY_PERMITTED],
      ['PRE_EMPHASIS', CONTROL_PRE_EMPHASIS],
    ]).get(name);
    const draft = this.#builder.tracks.at(-1);
    if (bit === undefined || draft === undefined) this.#reader.refuse(`"NO ${name}" is no flag`);
    draft.control = isSet ? draft.control | bit : draft.control & ~bit;
  }

  #time(): number {
    const text = this.#reader.next();
    const frames = framesOfText(text);
    if (frames === null) this.#reader.refuse(`"${text}" has to be a time, minutes:seconds:frames`);
    return frames;
  }

  /** A length in bytes: a time, or a number of samples or bytes. Null: there is none. */
  #bytes(track: TocTrack): number | null {
    const text = this.#reader.peek();
    if (!/^\d+(:\d+:\d+)?$/.test(text)) return null;
    if (text.includes(':')) return this.#time() * this.#stride(track);
    const number = Number(this.#reader.next());
    return track.mode.form === 'audio' ? number * SAMPLE_BYTES : number;
  }

  #stride({ mode, hasSub }: TocTrack): number {
    return mode.bytes + (hasSub ? SUB_CHANNEL_BYTES : 0);
  }

  #piece(word: string, track: TocTrack): void {
    const reader: TocReader = this.#reader;
    if (this.#isRagged) reader.refuse('only the last piece of a track may end inside a sector');
    if (word === 'FIFO') reader.refuse('FIFO is not read; name a file');
    if (word === 'SILENCE' || word === 'ZERO') {
      while (MODES.has(reader.peek()) || SUB_MODES.includes(reader.peek())) reader.next();
      const bytes = this.#bytes(track);
      if (bytes === null) reader.refuse(`${word} has to be followed by a length`);
      const form = this.#builder.tracks.at(-1)?.form ?? 'audio';
      this.#builder.sectors(this.#sectorsOf(bytes, track), nothing(form), null, 0);
      return;
    }
    this.#filePiece(word, track);
  }

  #filePiece(word: string, track: TocTrack): void {
    const reader: TocReader = this.#reader;
    const name = reader.string(word);
    const file = this.#files.add(name, reader.where);
    const isSwapped = reader.take('SWAP');
    while (MODES.has(reader.peek()) || SUB_MODES.includes(reader.peek())) reader.next();
    let offset = 0;
    if (/^#\d+$/.test(reader.peek())) offset = Number(reader.next().slice(1));
    const start = word === 'DATAFILE' ? 0 : this.#bytes(track);
    if (start === null) reader.refuse(`${word} has to be followed by where the track begins in it`);
    const isAudio = track.mode.form === 'audio';
    const isWave = isAudio && /\.wav$/i.test(name);
    const samples = isWave
      ? waveSamples(this.#files, file, reader.where)
      : { at: 0, bytes: file.bytes };
    const at = samples.at + offset + start;
    const end = samples.at + samples.bytes;
    const bytes = this.#bytes(track) ?? Math.max(0, end - at);
    if (at + bytes > end) {
      reader.refuse(`"${name}" has ${file.bytes} bytes, and ${at + bytes} are asked for`);
    }
    const blocks = this.#sectorsOf(bytes, track);
    // WAVE is little-endian, raw samples are big-endian, and SWAP says the other one.
    const stored = isAudio ? (isWave === isSwapped ? 'swapped' : 'raw') : track.mode.stored;
    this.#builder.sectors(blocks, this.#keepingOf(track, stored, file, at), file, at);
  }

  #keepingOf(track: TocTrack, stored: StoredForm, file: ImageFile, at: number): Keeping {
    const { mode, hasSub } = track;
    const draft = this.#builder.tracks.at(-1);
    let form = mode.form ?? draft?.form ?? 'mixed';
    if (mode.form === null && this.#length() === 0) {
      form = mode2FormAt(this.#files, file, at + 16);
      if (draft !== undefined) draft.form = form;
    }
    const keeping = { form, stored, strideBytes: this.#stride(track) };
    return hasSub ? { ...keeping, subAt: mode.bytes } : keeping;
  }

  /** Whole sectors of a piece. A rest is left out, and has to be the end of the track. */
  #sectorsOf(bytes: number, track: TocTrack): number {
    const stride =
      track.mode.form === 'audio' && !track.hasSub ? SECTOR_BYTES : this.#stride(track);
    if (bytes % stride !== 0) this.#isRagged = true;
    return Math.floor(bytes / stride);
  }
}

/** The disc of a TOC file. Throws DiscImageError. */
export function tocImage(text: string, files: ImageFiles): DiscImage {
  return new TocImage(text, files).read();
}
