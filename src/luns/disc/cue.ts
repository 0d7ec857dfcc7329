/** CUE sheets: tracks in one file or several, with titles, indexes and gaps. */
import {
  CONTROL_COPY_PERMITTED,
  CONTROL_FOUR_CHANNELS,
  CONTROL_PRE_EMPHASIS,
  type SectorForm,
  type StoredForm,
} from '../../scsi/mmc/disc.ts';
import { type CdTextField, ENGLISH } from '../../scsi/mmc/sector/cd-text.ts';
import { LEADING_PAUSE_FRAMES } from '../../scsi/mmc/sector/msf.ts';
import type { DiscImage } from './disc-image.ts';
import type { ImageFile, ImageFiles } from './image-files.ts';
import { type DraftTrack, type Keeping, LayoutBuilder, nothing } from './layout-builder.ts';
import {
  catalogOf,
  cdTextOf,
  cdTextPacks,
  framesOfText,
  isrcOf,
  MOST_SHEET_BYTES,
} from './sheet-text.ts';
import { mode2FormAt } from './stored-sectors.ts';
import { waveSamples } from './wave.ts';

/** How a track is kept. `null`: whether XA or formless is seen in its first sector. */
interface CueMode {
  readonly form: SectorForm | null;
  readonly stored: StoredForm;
  readonly bytes: number;
  readonly subAt?: number;
}

const MODES = new Map<string, CueMode>([
  ['AUDIO', { form: 'audio', stored: 'raw', bytes: 2352 }],
  ['CDG', { form: 'audio', stored: 'raw', bytes: 2448, subAt: 2352 }],
  ['MODE1/2048', { form: 'mode1', stored: 'user', bytes: 2048 }],
  ['MODE1/2352', { form: 'mode1', stored: 'raw', bytes: 2352 }],
  ['MODE2/2048', { form: 'form1', stored: 'user', bytes: 2048 }],
  ['MODE2/2324', { form: 'form2', stored: 'form2', bytes: 2324 }],
  ['MODE2/2336', { form: null, stored: 'mode2', bytes: 2336 }],
  ['MODE2/2352', { form: null, stored: 'raw', bytes: 2352 }],
  ['CDI/2336', { form: null, stored: 'mode2', bytes: 2336 }],
  ['CDI/2352', { form: null, stored: 'raw', bytes: 2352 }],
]);

const FLAGS = new Map<string, number>([
  ['DCP', CONTROL_COPY_PERMITTED],
  ['4CH', CONTROL_FOUR_CHANNELS],
  ['PRE', CONTROL_PRE_EMPHASIS],
  ['SCMS', 0],
  ['DATA', 0],
]);

const TITLES = new Map<string, CdTextField>([
  ['TITLE', 'title'],
  ['PERFORMER', 'performer'],
  ['SONGWRITER', 'songwriter'],
  ['COMPOSER', 'composer'],
  ['ARRANGER', 'arranger'],
  ['MESSAGE', 'message'],
]);

/** A track of the sheet. What precedes its first INDEX is known before it begins on the disc. */
interface CueTrack {
  readonly number: number;
  readonly mode: CueMode;
  readonly where: string;
  readonly opensSession: boolean;
  control: number;
  copy: boolean;
  isrc: string | null;
  pregap: number;
  postgap: number;
  lastIndex: number;
  keeping: Keeping | null;
  draft: DraftTrack | null;
}

/** A file that is being gone through. */
interface CueFile {
  readonly file: ImageFile;
  readonly isMotorola: boolean;
  readonly isWave: boolean;
  /** Behind its last byte. */
  readonly end: number;
  /** Next byte, and the time that is. */
  at: number;
  frames: number;
}

const WORDS = /"([^"]*)"|(\S+)/g;

function wordsOf(line: string): string[] {
  return Array.from(line.matchAll(WORDS), (match) => match[1] ?? match[2] ?? '');
}

class CueReader {
  readonly #files: ImageFiles;
  readonly #builder: LayoutBuilder;
  readonly #texts = new Map<CdTextField, string[]>();
  #where = '';
  #file: CueFile | null = null;
  /** The track that the sheet is at, and the one that what comes next of the file belongs to. */
  #track: CueTrack | null = null;
  #owner: CueTrack | null = null;
  #session = 1;
  #opensSession = false;

  constructor(files: ImageFiles) {
    this.#files = files;
    this.#builder = new LayoutBuilder(files);
  }

  read(text: string): DiscImage {
    text.split(/\r\n|\r|\n/).forEach((line, i) => {
      const [word, ...rest] = wordsOf(line.replace(/^\ufeff/, ''));
      if (word === undefined) return;
      this.#where = `line ${i + 1}`;
      this.#command(word.toUpperCase(), rest, line);
    });
    this.#where = '';
    this.#endFile();
    if (this.#track !== null && this.#track !== this.#owner) this.#lacksIndex(this.#track);
    this.#endTrack();
    const { tracks } = this.#builder;
    const first = tracks[0]?.number ?? 1;
    if (this.#builder.cdText === null && tracks.some(({ form }) => form === 'audio')) {
      const fields = Object.fromEntries(this.#texts);
      const blocks = [{ language: ENGLISH, fields }];
      this.#builder.cdText = cdTextOf(blocks, first, tracks.at(-1)?.number ?? 1, this.#files);
    }
    return { layout: this.#builder.finish(), files: this.#files.list };
  }

  #refuse(why: string): never {
    return this.#files.refuse(this.#where, why);
  }

  #lacksIndex(track: CueTrack): never {
    return this.#files.refuse(track.where, `track ${track.number} has no INDEX 01`);
  }

  #command(word: string, rest: readonly string[], line: string): void {
    const field = TITLES.get(word);
    if (field !== undefined) {
      this.#title(field, rest.join(' '));
      return;
    }
    switch (word) {
      case 'REM':
        if (rest[0]?.toUpperCase() === 'SESSION') this.#beginSession(Number(rest[1]));
        return;
      case 'CATALOG':
        this.#builder.catalog = catalogOf(rest[0] ?? '', this.#files, this.#where);
        return;
      case 'CDTEXTFILE':
        this.#cdTextFile(rest.join(' '));
        return;
      case 'FILE':
        this.#beginFile(rest, line);
        return;
      case 'TRACK':
        this.#beginTrack(rest);
        return;
      default:
        this.#trackCommand(word, rest);
    }
  }

  #trackCommand(word: string, rest: readonly string[]): void {
    const track = this.#track;
    const known = ['FLAGS', 'ISRC', 'PREGAP', 'POSTGAP', 'INDEX'];
    if (!known.includes(word)) this.#refuse(`"${word}" is no command of a CUE sheet`);
    if (track === null) this.#refuse(`${word} has to be behind a TRACK`);
    switch (word) {
      case 'FLAGS':
        this.#flags(track, rest);
        return;
      case 'ISRC':
        track.isrc = isrcOf(rest[0] ?? '', this.#files, this.#where);
        return;
      case 'PREGAP':
        if (track === this.#owner) this.#refuse('PREGAP has to be in front of INDEX');
        track.pregap = this.#time(rest[0]);
        return;
      case 'POSTGAP':
        track.postgap = this.#time(rest[0]);
        return;
      default:
        this.#index(track, rest);
    }
  }

  #title(field: CdTextField, text: string): void {
    const texts = this.#texts.get(field) ?? [];
    const number = this.#track?.number ?? 0;
    for (let i = texts.length; i < number; i += 1) texts.push('');
    texts[number] = text;
    this.#texts.set(field, texts);
  }

  #cdTextFile(name: string): void {
    const file = this.#files.add(name, this.#where);
    if (file.bytes > MOST_SHEET_BYTES) this.#refuse(`"${name}" is too long for CD-TEXT`);
    const packs = this.#files.read(file, 0, file.bytes);
    this.#builder.cdText = cdTextPacks(packs, this.#files, this.#where);
  }

  #flags(track: CueTrack, flags: readonly string[]): void {
    for (const flag of flags) {
      const bit = FLAGS.get(flag.toUpperCase());
      if (bit === undefined) this.#refuse(`the flag "${flag}" is none of DCP, 4CH, PRE and SCMS`);
      track.control |= bit;
      if (flag.toUpperCase() === 'SCMS') track.copy = true;
    }
  }

  #time(text: string | undefined): number {
    const frames = framesOfText(text ?? '');
    if (frames === null) this.#refuse(`"${text ?? ''}" has to be a time, minutes:seconds:frames`);
    return frames;
  }

  #beginSession(number: number): void {
    if (number === this.#session) return;
    if (number !== this.#session + 1) this.#refuse(`session ${this.#session + 1} has to come next`);
    this.#session = number;
    this.#opensSession = true;
  }

  #beginFile(rest: readonly string[], line: string): void {
    this.#endFile();
    const type = rest.at(-1)?.toUpperCase() ?? '';
    const unquoted = /^\s*\S+\s+(.*?)\s+\S+\s*$/.exec(line)?.[1] ?? '';
    const name = unquoted.startsWith('"') ? (rest[0] ?? '') : unquoted;
    if (!['BINARY', 'MOTOROLA', 'WAVE'].includes(type)) {
      this.#refuse(`files of the type "${type}" are not read; convert it to WAVE or BINARY`);
    }
    const file = this.#files.add(name, this.#where);
    const isWave = type === 'WAVE';
    const samples = isWave
      ? waveSamples(this.#files, file, this.#where)
      : { at: 0, bytes: file.bytes };
    const end = samples.at + samples.bytes;
    this.#file = { file, isWave, isMotorola: type === 'MOTOROLA', at: samples.at, end, frames: 0 };
  }

  /** What is left of the file belongs to the track that it is at; a rest of less than a sector is left out. */
  #endFile(): void {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    const owner = this.#owner;
    if (owner === null) this.#files.refuse('', `no track begins in "${file.file.path}"`);
    const blocks = Math.floor((file.end - file.at) / owner.mode.bytes);
    this.#take(file, owner, blocks);
  }

  /** Adds sectors of a file to a track that has begun. */
  #take(file: CueFile, track: CueTrack, blocks: number): void {
    if (blocks <= 0) return;
    const bytes = blocks * track.mode.bytes;
    if (file.at + bytes > file.end) {
      this.#refuse(`track ${track.number} goes on behind the end of "${file.file.path}"`);
    }
    this.#builder.sectors(blocks, this.#keepingOf(track, file), file.file, file.at);
    file.at += bytes;
    file.frames += blocks;
  }

  #keepingOf(track: CueTrack, { file, isMotorola, isWave, at }: CueFile): Keeping {
    const { mode } = track;
    if (isWave && mode.form !== 'audio') this.#refuse('a WAVE file has no data tracks');
    const form = track.keeping?.form ?? mode.form ?? 'mixed';
    const stored =
      isMotorola && form === 'audio' && mode.subAt === undefined ? 'swapped' : mode.stored;
    const { subAt } = mode;
    const keeping = {
      form,
      stored,
      strideBytes: mode.bytes,
      ...(subAt === undefined ? {} : { subAt }),
    };
    if (track.keeping === null && mode.form === null) {
      const sniffed = mode2FormAt(this.#files, file, at + (mode.stored === 'raw' ? 16 : 0));
      track.keeping = { ...keeping, form: sniffed };
      if (track.draft !== null) track.draft.form = sniffed;
      return track.keeping;
    }
    track.keeping ??= keeping;
    return { ...keeping, form: track.keeping.form };
  }

  #beginTrack([number, mode = '']: readonly string[]): void {
    const last = this.#track;
    if (last !== null && last !== this.#owner) this.#lacksIndex(last);
    const known = MODES.get(mode.toUpperCase());
    if (known === undefined) {
      this.#refuse(`the mode "${mode}" is none of ${Array.from(MODES.keys()).join(', ')}`);
    }
    if (!/^\d{1,2}$/.test(number ?? '')) this.#refuse('TRACK has to have a number from 1 to 99');
    this.#track = {
      number: Number(number),
      mode: known,
      where: this.#where,
      opensSession: this.#opensSession,
      control: 0,
      copy: false,
      isrc: null,
      pregap: 0,
      postgap: 0,
      lastIndex: -1,
      keeping: null,
      draft: null,
    };
    this.#opensSession = false;
  }

  /** The track begins on the disc; what came before belongs to the last one. */
  #open(track: CueTrack): DraftTrack {
    const before = this.#owner;
    this.#endTrack();
    if (track.opensSession && before !== null) this.#builder.session();
    const form = track.mode.form ?? 'mixed';
    const draft = this.#builder.track(track.number, track.control, form, track.where);
    const opensSession = before === null || track.opensSession;
    // The pause in front of a session is there anyway.
    const gap = opensSession ? Math.max(0, track.pregap - LEADING_PAUSE_FRAMES) : track.pregap;
    this.#builder.sectors(gap, nothing(form), null, 0);
    track.draft = draft;
    this.#owner = track;
    return draft;
  }

  #endTrack(): void {
    const owner = this.#owner;
    if (owner === null) return;
    const { draft } = owner;
    if (draft === null || draft.start === null) this.#lacksIndex(owner);
    draft.isrc = owner.isrc;
    draft.copy = owner.copy;
    draft.control |= owner.control;
    const form = owner.keeping?.form ?? 'audio';
    this.#builder.sectors(owner.postgap, nothing(form), null, 0);
  }

  #index(track: CueTrack, [number = '', time]: readonly string[]): void {
    const file = this.#file;
    if (file === null) this.#refuse('INDEX has to be behind a FILE');
    const index = Number(number);
    const isNext = track.lastIndex < 0 ? index <= 1 : index === track.lastIndex + 1;
    if (!/^\d{1,2}$/.test(number) || !isNext) {
      this.#refuse(`INDEX ${number} is not the one that comes next in track ${track.number}`);
    }
    track.lastIndex = index;
    const frames = this.#time(time) - file.frames;
    if (frames < 0) this.#refuse(`INDEX ${number} is in front of the one before it`);
    // What comes before the first track of all is its pregap.
    if (this.#owner !== null) this.#take(file, this.#owner, frames);
    const draft = track === this.#owner && track.draft !== null ? track.draft : this.#open(track);
    if (file.frames < this.#time(time)) this.#take(file, track, this.#time(time) - file.frames);
    if (index === 1) draft.start = this.#builder.lba;
    else if (index > 1) draft.indexes.push(this.#builder.lba);
  }
}

/** The disc of a CUE sheet. Throws DiscImageError. */
export function cueImage(text: string, files: ImageFiles): DiscImage {
  return new CueReader(files).read(text);
}
