/** Alcohol images: a description (.mds) and the sectors (.mdf). */
import { type SectorForm, type StoredForm, SUB_CHANNEL_BYTES } from '../../scsi/mmc/disc.ts';
import { BLOCK_BYTES } from '../../scsi/mmc/optical-drive.ts';
import { lbaOf } from '../../scsi/mmc/sector/msf.ts';
import type { DiscImage } from './disc-image.ts';
import type { ImageFile, ImageFiles } from './image-files.ts';
import { dataDiscImage } from './iso.ts';
import { type Keeping, LayoutBuilder, nothing } from './layout-builder.ts';
import { mode2FormAt } from './stored-sectors.ts';

export const MDS_SIGNATURE = 'MEDIA DESCRIPTOR';
const HEADER_BYTES = 88;
const SESSION_BYTES = 24;
const TRACK_BYTES = 80;
const EXTRA_BYTES = 8;
const FOOTER_BYTES = 16;
const MOST_SESSIONS = 99;
const MOST_NAME_BYTES = 1024;
/** Medium types from here on are DVDs. */
const DVD = 0x10;
const VERSION = 1;
const LEAD_OUT = 0xa2;
const SUB_CHANNEL = 0x08;

/** Low bits of the track mode. */
const FORMS: readonly (SectorForm | null)[] = [
  null,
  'audio',
  'mode1',
  null,
  'form1',
  'form2',
  null,
  null,
];
const STORED = new Map<number, StoredForm>([
  [2048, 'user'],
  [2324, 'form2'],
  [2336, 'mode2'],
  [2352, 'raw'],
]);

/** A track block. */
interface MdsTrack {
  readonly point: number;
  readonly mode: number;
  readonly control: number;
  readonly hasSub: boolean;
  readonly sectorBytes: number;
  readonly start: number;
  readonly at: number;
  readonly leadOut: number;
  readonly pregap: number;
  readonly blocks: number;
  readonly file: ImageFile;
}

class MdsImage {
  readonly #files: ImageFiles;
  readonly #view: DataView;
  readonly #builder: LayoutBuilder;

  constructor(bytes: Uint8Array, files: ImageFiles) {
    this.#files = files;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#builder = new LayoutBuilder(files);
  }

  read(): DiscImage {
    const header = this.#part(0, HEADER_BYTES, 'header');
    const version = header.getUint8(16);
    if (version !== VERSION) {
      this.#files.refuse(
        'header',
        `version ${version} is not read; make it again as version 1 (.mds)`,
      );
    }
    const sessions = header.getUint16(20, true);
    if (sessions < 1 || sessions > MOST_SESSIONS) {
      this.#files.refuse('header', `it says that there are ${sessions} sessions`);
    }
    const from = header.getUint32(80, true);
    if (header.getUint16(18, true) >= DVD) return this.#dvd(from);
    for (let i = 0; i < sessions; i += 1) this.#session(from + i * SESSION_BYTES, i + 1);
    return { layout: this.#builder.finish(), files: this.#files.list };
  }

  #part(at: number, bytes: number, where: string): DataView {
    if (at + bytes > this.#view.byteLength) {
      this.#files.refuse(where, `its ${bytes} bytes at ${at} go beyond the end of the file`);
    }
    return new DataView(this.#view.buffer, this.#view.byteOffset + at, bytes);
  }

  #tracksOf(at: number, where: string): MdsTrack[] {
    const session = this.#part(at, SESSION_BYTES, where);
    const count = session.getUint8(10);
    const from = session.getUint32(20, true);
    return Array.from({ length: count }, (_, i) =>
      this.#trackAt(from + i * TRACK_BYTES, `${where}, track block ${i + 1}`),
    ).filter((track): track is MdsTrack => track !== null);
  }

  /** Null: the block is about no track and no lead-out. */
  #trackAt(at: number, where: string): MdsTrack | null {
    const block = this.#part(at, TRACK_BYTES, where);
    const point = block.getUint8(4);
    const isTrack = point >= 1 && point <= 99;
    if (!isTrack && point !== LEAD_OUT) return null;
    const extraAt = block.getUint32(12, true);
    const extra = isTrack && extraAt > 0 ? this.#extra(extraAt, where) : { pregap: 0, blocks: 0 };
    return {
      ...extra,
      point,
      mode: block.getUint8(0) & 7,
      control: block.getUint8(2) & 0xf,
      hasSub: block.getUint8(1) === SUB_CHANNEL,
      sectorBytes: block.getUint16(16, true),
      start: block.getInt32(36, true),
      at: Number(block.getBigUint64(40, true)),
      leadOut: lbaOf(block.getUint8(9), block.getUint8(10), block.getUint8(11)),
      file: isTrack ? this.#fileAt(block, where) : { path: '', bytes: 0, base: 0 },
    };
  }

  /** On a DVD the field has another meaning, and points to nothing. */
  #extra(at: number, where: string): { pregap: number; blocks: number } {
    if (at + EXTRA_BYTES > this.#view.byteLength) return { pregap: 0, blocks: 0 };
    const extra = this.#part(at, EXTRA_BYTES, where);
    return { pregap: extra.getUint32(0, true), blocks: extra.getUint32(4, true) };
  }

  #fileAt(block: DataView, where: string): ImageFile {
    if (block.getUint32(48, true) > 1) {
      this.#files.refuse(where, 'sectors in more than one file are not read; join them');
    }
    const footerAt = block.getUint32(52, true);
    if (footerAt === 0) return this.#sibling('.mdf', where);
    const footer = this.#part(footerAt, FOOTER_BYTES, where);
    const nameAt = footer.getUint32(0, true);
    const name = this.#nameAt(nameAt, footer.getUint32(4, true) !== 0, where);
    return name.startsWith('*.')
      ? this.#sibling(name.slice(1), where)
      : this.#files.add(name, where);
  }

  #sibling(ending: string, where: string): ImageFile {
    return (
      this.#files.addSibling(ending) ??
      this.#files.refuse(
        where,
        `there is no file of the same name that ends with "${ending}" beside it`,
      )
    );
  }

  #nameAt(at: number, isWide: boolean, where: string): string {
    const step = isWide ? 2 : 1;
    const codes: number[] = [];
    for (let i = 0; i < MOST_NAME_BYTES; i += step) {
      const part = this.#part(at + i, step, where);
      const code = isWide ? part.getUint16(0, true) : part.getUint8(0);
      if (code === 0) break;
      codes.push(code);
    }
    return String.fromCharCode(...codes);
  }

  #dvd(at: number): DiscImage {
    const [track] = this.#tracksOf(at, 'session 1').filter(({ point }) => point !== LEAD_OUT);
    if (track === undefined) this.#files.refuse('session 1', 'it has no track');
    const blocks = Math.floor((track.file.bytes - track.at) / BLOCK_BYTES);
    if (track.sectorBytes !== BLOCK_BYTES || blocks <= 0) {
      this.#files.refuse('session 1', 'the sectors of a DVD have to be 2048 bytes');
    }
    return dataDiscImage(this.#files, blocks, track.file.base + track.at);
  }

  #session(at: number, number: number): void {
    const where = `session ${number}`;
    const all = this.#tracksOf(at, where);
    const tracks = all.filter(({ point }) => point !== LEAD_OUT);
    const leadOut = all.find(({ point }) => point === LEAD_OUT)?.leadOut ?? null;
    const [first] = tracks;
    if (first === undefined) this.#files.refuse(where, 'it has no track');
    this.#builder.session(first.start);
    let end = 0;
    tracks.forEach((track, i) => {
      const next = tracks[i + 1];
      const limit = next === undefined ? leadOut : next.start - next.pregap;
      end = this.#track(track, i === 0, limit, end, `${where}, track ${track.point}`);
    });
  }

  /** Returns the byte of the file behind the track. */
  #track(
    track: MdsTrack,
    opens: boolean,
    limit: number | null,
    endBefore: number,
    where: string,
  ): number {
    const { start, sectorBytes, file, pregap } = track;
    const keeping = this.#keepingOf(track, where);
    const builder = this.#builder;
    if (start - (opens ? 0 : pregap) < builder.lba)
      this.#files.refuse(where, 'it begins in front of the end of the one before');
    const gap = opens ? 0 : pregap;
    // What is between the tracks and no pregap belongs to the one before.
    builder.fillTo(start - gap, builder.tracks.at(-1)?.form ?? keeping.form);
    const draft = builder.track(track.point, track.control, keeping.form, where);
    const isKept = track.at - gap * sectorBytes >= endBefore && gap > 0;
    const kept = isKept ? keeping : nothing(keeping.form);
    builder.sectors(gap, kept, file, track.at - gap * sectorBytes);
    draft.start = builder.lba;
    const blocks = limit === null ? track.blocks : Math.min(track.blocks, limit - start);
    if (blocks <= 0) this.#files.refuse(where, 'it has no sectors');
    const end = track.at + blocks * sectorBytes;
    if (end > file.bytes) {
      this.#files.refuse(where, `"${file.path}" has ${file.bytes} bytes, the track needs ${end}`);
    }
    builder.sectors(blocks, keeping, file, track.at);
    return end;
  }

  #keepingOf(track: MdsTrack, where: string): Keeping {
    const { hasSub, sectorBytes, file, at } = track;
    const own = sectorBytes - (hasSub ? SUB_CHANNEL_BYTES : 0);
    const stored = STORED.get(own);
    if (stored === undefined)
      this.#files.refuse(where, `sectors of ${sectorBytes} bytes are not read`);
    const bodyAt = at + (stored === 'raw' ? 16 : 0);
    const form = FORMS[track.mode] ?? this.#mode2Form(stored, file, bodyAt);
    if (!fits(form, stored)) {
      this.#files.refuse(
        where,
        `sectors of mode ${track.mode} are not kept as ${sectorBytes} bytes`,
      );
    }
    const keeping = { form, stored, strideBytes: sectorBytes };
    return hasSub ? { ...keeping, subAt: own } : keeping;
  }

  #mode2Form(stored: StoredForm, file: ImageFile, bodyAt: number): SectorForm {
    if (stored === 'user') return 'form1';
    return stored === 'form2' ? 'form2' : mode2FormAt(this.#files, file, bodyAt);
  }
}

/** Whether sectors of a form can be kept so. */
function fits(form: SectorForm, stored: StoredForm): boolean {
  if (stored === 'raw') return true;
  if (stored === 'user') return form === 'mode1' || form === 'form1';
  if (stored === 'form2') return form === 'form2';
  return form !== 'audio' && form !== 'mode1';
}

/** The disc of an Alcohol description. Throws DiscImageError. */
export function mdsImage(bytes: Uint8Array, files: ImageFiles): DiscImage {
  return new MdsImage(bytes, files).read();
}
