/** Files of an image in plain memory, and a disc as lines of text. */
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type DiscFile,
  type DiscImage,
  DiscImageError,
} from '../../../src/luns/disc/disc-image.ts';
import { type FileSource, ImageFiles } from '../../../src/luns/disc/image-files.ts';

/** Files by name: their bytes, or how many zeros. */
export type MemoryFiles = Readonly<Record<string, Uint8Array | number>>;

class MemorySource implements FileSource {
  readonly #files: MemoryFiles;

  constructor(files: MemoryFiles) {
    this.#files = files;
  }

  find(name: string): DiscFile | null {
    const file = Object.hasOwn(this.#files, name) ? this.#files[name] : undefined;
    if (file === undefined) return null;
    return { path: name, bytes: typeof file === 'number' ? file : file.length };
  }

  read(path: string, at: number, bytes: number): Uint8Array {
    const file = this.#files[path];
    return typeof file === 'object' ? file.slice(at, at + bytes) : new Uint8Array(bytes);
  }
}

export function memoryFiles(path: string, files: MemoryFiles): ImageFiles {
  return new ImageFiles(path, new MemorySource(files));
}

/** Tracks as "number/session form control pregap-start-end", runs as "first+blocks form stored @position/stride". */
export function shape({ layout }: DiscImage): {
  tracks: string[];
  runs: string[];
  leadOuts: (number | null)[];
} {
  return {
    tracks: layout.tracks.map((t) =>
      [
        `${t.number}/${t.session} ${t.form} ${t.control} ${t.pregap}-${t.start}-${t.end}`,
        ...t.indexes,
      ].join(' '),
    ),
    runs: layout.runs.map((r) => {
      const sub =
        r.subChannel === 'none' ? '' : ` ${r.subChannel} @${r.subPosition}/${r.subStrideBytes}`;
      const main = r.stored === 'nothing' ? '' : ` @${r.position}/${r.strideBytes}`;
      return `${r.first}+${r.blocks} ${r.form} ${r.stored}${main}${sub}`;
    }),
    leadOuts: layout.sessions.map(({ leadOut }) => leadOut),
  };
}

/** Asserts that reading ends with DiscImageError and this message. */
export function refuses(read: () => unknown, message: RegExp): void {
  assert.throws(read, (error) => {
    assert.ok(error instanceof DiscImageError, String(error));
    assert.match(error.message, message);
    assert.match(error.message, /^Cannot use the disc image "/);
    return true;
  });
}

const VECTORS = join(
  dirname(fileURLToPath(import.meta.url)),
  '..',
  '..',
  '..',
  '..',
  'spec',
  'vectors',
  'disc-images',
);

export function sheetVector(name: string): string {
  return readFileSync(join(VECTORS, name), 'utf8');
}

/** Tracks as `cdrdao show-toc` prints them: [number, mode, first, start, end] and what is between. */
export function shownToc(text: string): string[] {
  return text
    .split(/^TRACK /m)
    .slice(1)
    .map((track) => {
      const lba = (word: string): number =>
        Number(new RegExp(`${word}.*\\(\\s*(\\d+)\\)`).exec(track)?.[1] ?? -1);
      const number = Number.parseInt(track, 10);
      const form = /Mode (\S+):/.exec(track)?.[1] === 'AUDIO' ? 'audio' : 'mode1';
      const control =
        (form === 'audio' ? 0 : 4) +
        (/COPY PERMITTED/.test(track) ? 2 : 0) +
        (/ PRE-EMPHASIS/.test(track) && !/NO PRE-EMPHASIS/.test(track) ? 1 : 0);
      const start = lba('START');
      const pregap = Math.max(0, lba('PREGAP'));
      const indexes = Array.from(track.matchAll(/INDEX .*\(\s*(\d+)\)/g), (match) => match[1]);
      return [
        `${number}/1 ${form} ${control} ${start - pregap}-${start}-${lba('END')}`,
        ...indexes,
      ].join(' ');
    });
}

/** Bytes of WAVE files with `samples` bytes of CD audio. */
export function wave(samples: number): Uint8Array {
  const bytes = Buffer.alloc(44 + samples);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + samples, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(2, 22);
  bytes.writeUInt32LE(44100, 24);
  bytes.writeUInt32LE(176400, 28);
  bytes.writeUInt16LE(4, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(samples, 40);
  return bytes;
}
