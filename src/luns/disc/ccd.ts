/** CloneCD images: a description (.ccd), raw sectors (.img) and, when they were read, their sub-channels (.sub). */
import { type SectorForm, SUB_CHANNEL_BYTES } from '../../scsi/mmc/disc.ts';
import { PACK_BYTES } from '../../scsi/mmc/sector/cd-text.ts';
import { FRAME_BYTES } from '../../scsi/mmc/sector/frame.ts';
import type { DiscImage } from './disc-image.ts';
import type { ImageFile, ImageFiles } from './image-files.ts';
import { LayoutBuilder } from './layout-builder.ts';
import { catalogOf, cdTextPacks, isrcOf } from './sheet-text.ts';
import { mode2FormAt, rawFormAt } from './stored-sectors.ts';

type Section = ReadonlyMap<string, string>;

const LEAD_OUT = 0xa2;
const MOST_TRACKS = 99;

/** Sections by name in lower case. */
function sectionsOf(text: string, files: ImageFiles): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section: Map<string, string> | null = null;
  text.split(/\r\n|\r|\n/).forEach((line, i) => {
    const trimmed = line.replace(/^\ufeff/, '').trim();
    if (trimmed === '' || trimmed.startsWith(';')) return;
    const head = /^\[(.*)\]$/.exec(trimmed)?.[1];
    const equals = trimmed.indexOf('=');
    if (head !== undefined) {
      section = new Map();
      sections.set(head.trim().replace(/\s+/g, ' ').toLowerCase(), section);
    } else if (equals > 0 && section !== null) {
      section.set(trimmed.slice(0, equals).trim().toLowerCase(), trimmed.slice(equals + 1).trim());
    } else {
      files.refuse(`line ${i + 1}`, 'it is no [section] and no name=value of one');
    }
  });
  return sections;
}

/** A number, decimal or with 0x in front. */
function numberOf(section: Section, key: string): number | null {
  const text = section.get(key);
  return text !== undefined && /^-?(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : null;
}

/** An entry of the table of contents. */
interface Entry {
  readonly session: number;
  readonly point: number;
  readonly control: number;
  readonly lba: number;
}

class CcdImage {
  readonly #files: ImageFiles;
  readonly #sections: ReadonlyMap<string, Section>;
  readonly #image: ImageFile;
  readonly #sub: ImageFile | null;
  readonly #builder: LayoutBuilder;
  /** Sectors of the image that are placed. */
  #sectors = 0;

  constructor(text: string, files: ImageFiles) {
    this.#files = files;
    this.#sections = sectionsOf(text, files);
    this.#builder = new LayoutBuilder(files);
    const image = files.addSibling('.img');
    if (image === null) files.refuse('', 'there is no .img file of the same name beside it');
    this.#image = image;
    this.#sub = files.addSibling('.sub');
  }

  read(): DiscImage {
    const disc = this.#sections.get('disc');
    if (disc === undefined) this.#files.refuse('', 'it has no section [Disc]');
    if ((numberOf(disc, 'datatracksscrambled') ?? 0) !== 0) {
      this.#files.refuse('[Disc]', 'DataTracksScrambled is not read; make it again without');
    }
    const catalog = disc.get('catalog');
    if (catalog !== undefined) {
      this.#builder.catalog = catalogOf(catalog, this.#files, '[Disc]');
    }
    const entries = this.#entries();
    const sessions = [...new Set(entries.map(({ session }) => session))].sort((a, b) => a - b);
    for (const session of sessions) {
      this.#session(
        session,
        entries.filter((entry) => entry.session === session),
      );
    }
    this.#builder.cdText = this.#cdText();
    return { layout: this.#builder.finish(), files: this.#files.list };
  }

  #entries(): Entry[] {
    const entries: Entry[] = [];
    for (const [name, section] of this.#sections) {
      if (!name.startsWith('entry ')) continue;
      const value = (key: string): number =>
        numberOf(section, key) ?? this.#files.refuse(`[${name}]`, `it has no number "${key}"`);
      const point = value('point');
      if (point > MOST_TRACKS && point !== LEAD_OUT) continue;
      const [session, control, lba] = [value('session'), value('control'), value('plba')];
      if (point < 1 || session < 1 || control < 0 || control > 15) {
        this.#files.refuse(`[${name}]`, 'its Point, Session or Control is out of range');
      }
      entries.push({ session, point, control, lba });
    }
    if (entries.length === 0) this.#files.refuse('', 'it has no [Entry] of a track');
    return entries;
  }

  #session(session: number, entries: readonly Entry[]): void {
    const leadOut = entries.find(({ point }) => point === LEAD_OUT);
    if (leadOut === undefined) {
      this.#files.refuse('', `session ${session} has no [Entry] with Point=0xa2, its lead-out`);
    }
    const tracks = entries.filter(({ point }) => point !== LEAD_OUT);
    tracks.sort((a, b) => a.point - b.point);
    const [first] = tracks;
    if (first === undefined) this.#files.refuse('', `session ${session} has no track`);
    this.#builder.session(Math.min(first.lba, this.#pregapOf(first) ?? first.lba));
    tracks.forEach((track, i) => {
      const next = tracks[i + 1];
      const end =
        next === undefined ? leadOut.lba : Math.min(next.lba, this.#pregapOf(next) ?? next.lba);
      this.#track(track, end);
    });
  }

  #section({ point }: Entry): Section {
    return this.#sections.get(`track ${point}`) ?? new Map<string, string>();
  }

  #pregapOf(track: Entry): number | null {
    const index = numberOf(this.#section(track), 'index 0');
    return index !== null && index >= 0 ? index : null;
  }

  #track(entry: Entry, end: number): void {
    const where = `[Entry] of track ${entry.point}`;
    const blocks = end - this.#builder.lba;
    const at = this.#sectors * FRAME_BYTES;
    if (blocks <= 0 || entry.lba < this.#builder.lba || entry.lba >= end) {
      this.#files.refuse(where, 'it does not begin between the tracks around it');
    }
    this.#sectors += blocks;
    this.#checkSize(this.#image, FRAME_BYTES, where);
    if (this.#sub !== null) this.#checkSize(this.#sub, SUB_CHANNEL_BYTES, where);
    const section = this.#section(entry);
    const form = this.#formOf(section, at + (entry.lba - this.#builder.lba) * FRAME_BYTES);
    const draft = this.#builder.track(entry.point, entry.control, form, where);
    draft.start = entry.lba;
    const isrc = section.get('isrc');
    if (isrc !== undefined) draft.isrc = isrcOf(isrc, this.#files, `[TRACK ${entry.point}]`);
    let last = entry.lba;
    for (let i = 2; i < 100; i += 1) {
      const index = numberOf(section, `index ${i}`);
      if (index === null) break;
      if (index <= last || index >= end) {
        this.#files.refuse(`[TRACK ${entry.point}]`, `INDEX ${i} is not where it can be`);
      }
      draft.indexes.push(index);
      last = index;
    }
    const sub =
      this.#sub === null
        ? undefined
        : {
            file: this.#sub,
            at: (at / FRAME_BYTES) * SUB_CHANNEL_BYTES,
            subChannel: 'separate' as const,
          };
    const keeping = { form, stored: 'raw' as const, strideBytes: FRAME_BYTES };
    this.#builder.sectors(blocks, keeping, this.#image, at, sub);
  }

  #checkSize(file: ImageFile, sectorBytes: number, where: string): void {
    const bytes = this.#sectors * sectorBytes;
    if (file.bytes < bytes) {
      this.#files.refuse(where, `"${file.path}" has ${file.bytes} bytes, the tracks need ${bytes}`);
    }
  }

  #formOf(section: Section, at: number): SectorForm {
    switch (numberOf(section, 'mode')) {
      case 0:
        return 'audio';
      case 1:
        return 'mode1';
      case 2:
        return mode2FormAt(this.#files, this.#image, at + 16);
      default:
        return rawFormAt(this.#files, this.#image, at);
    }
  }

  #cdText(): Uint8Array | null {
    const section = this.#sections.get('cdtext');
    const count = section === undefined ? 0 : (numberOf(section, 'entries') ?? 0);
    if (section === undefined || count <= 0) return null;
    const packs: number[] = [];
    for (let i = 0; i < count; i += 1) {
      const digits = (section.get(`entry ${i}`) ?? '').replace(/\s+/g, '');
      if (!/^([0-9a-f]{32}|[0-9a-f]{36})$/i.test(digits)) {
        this.#files.refuse('[CDText]', `Entry ${i} has to be 16 or 18 bytes`);
      }
      const bytes = Buffer.from(digits, 'hex');
      packs.push(...bytes, ...new Array<number>(PACK_BYTES - bytes.length).fill(0));
    }
    return cdTextPacks(Uint8Array.from(packs), this.#files, '[CDText]');
  }
}

/** The disc of a CloneCD description. Throws DiscImageError. */
export function ccdImage(text: string, files: ImageFiles): DiscImage {
  return new CcdImage(text, files).read();
}
