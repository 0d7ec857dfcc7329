/** Where the samples of a WAVE file are. */
import type { ImageFile, ImageFiles } from './image-files.ts';

const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
const FORMAT_BYTES = 16;
const PCM = 1;
const EXTENSIBLE = 0xfffe;
const MOST_CHUNKS = 64;

/** Bytes of a file that are samples. */
export interface Samples {
  readonly at: number;
  readonly bytes: number;
}

function text(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}

function viewOf(files: ImageFiles, file: ImageFile, at: number, bytes: number): DataView | null {
  const read = files.read(file, at, bytes);
  return read.length < bytes ? null : new DataView(read.buffer, read.byteOffset, bytes);
}

/** Refuses what is no CD audio. */
function checkFormat(files: ImageFiles, file: ImageFile, at: number, where: string): void {
  const format = viewOf(files, file, at, FORMAT_BYTES);
  const tag = format?.getUint16(0, true);
  const isCdAudio =
    (tag === PCM || tag === EXTENSIBLE) &&
    format?.getUint16(2, true) === 2 &&
    format.getUint32(4, true) === 44_100 &&
    format.getUint16(14, true) === 16;
  if (!isCdAudio) {
    files.refuse(
      where,
      `"${file.path}" has to have PCM of 44 100 Hz, 2 channels and 16 bits; convert it`,
    );
  }
}

/** The samples of a WAVE file. */
export function waveSamples(files: ImageFiles, file: ImageFile, where: string): Samples {
  const head = viewOf(files, file, 0, RIFF_HEADER_BYTES);
  if (head === null || text(head, 0) !== 'RIFF' || text(head, 8) !== 'WAVE') {
    files.refuse(where, `"${file.path}" is no WAVE file`);
  }
  let at = RIFF_HEADER_BYTES;
  let isChecked = false;
  for (let chunk = 0; chunk < MOST_CHUNKS; chunk += 1) {
    const header = viewOf(files, file, at, CHUNK_HEADER_BYTES);
    if (header === null) break;
    const id = text(header, 0);
    const bytes = header.getUint32(4, true);
    at += CHUNK_HEADER_BYTES;
    if (id === 'fmt ') {
      checkFormat(files, file, at, where);
      isChecked = true;
    } else if (id === 'data') {
      if (!isChecked) break;
      return { at, bytes: Math.min(bytes, file.bytes - at) };
    }
    at += bytes + (bytes % 2);
  }
  return files.refuse(where, `"${file.path}" has no chunks "fmt " and "data"`);
}
