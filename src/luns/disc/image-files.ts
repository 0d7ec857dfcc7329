/** The files that a disc is in: found beside the sheet that names them, and counted through one behind the other. */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { type DiscFile, DiscImageError } from './disc-image.ts';

/** A file with a part of the disc in it. */
export interface ImageFile extends DiscFile {
  /** Its first byte in the count of `DiscLayout`. */
  readonly base: number;
}

/** Where files come from. */
export interface FileSource {
  /** What a sheet calls `name`; null: there is none. Throws DiscImageError when it is nothing that can be used. */
  find(name: string): DiscFile | null;
  /** At most `bytes` bytes from `at`. */
  read(path: string, at: number, bytes: number): Uint8Array;
}

/** Ends reading an image: names it, says what is wrong, and what would do. */
export function refuseImage(path: string, why: string): never {
  throw new DiscImageError(`Cannot use the disc image "${path}": ${why}`);
}

/** Size of a regular file or a device; null: there is no such file. */
function sizeOf(path: string): number | null {
  let stat: ReturnType<typeof statSync>;
  try {
    stat = statSync(path);
  } catch {
    return null;
  }
  return stat?.isFile() === true ? stat.size : null;
}

/** The one file of a folder that is called `name` but for upper and lower case, or null. */
function ignoringCase(path: string): string | null {
  let names: string[];
  try {
    names = readdirSync(dirname(path));
  } catch {
    return null;
  }
  const wanted = basename(path).toLowerCase();
  const [found, other] = names.filter((name) => name.toLowerCase() === wanted);
  return found !== undefined && other === undefined ? join(dirname(path), found) : null;
}

/** The files in and below the folder of a sheet. Others a sheet cannot name: it may come from anywhere. */
export class FolderSource implements FileSource {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = resolve(folder);
  }

  find(name: string): DiscFile | null {
    for (const candidate of this.#candidates(name)) {
      const path = sizeOf(candidate) === null ? ignoringCase(candidate) : candidate;
      const bytes = path === null ? null : sizeOf(path);
      if (path !== null && bytes !== null) return { path, bytes };
    }
    return null;
  }

  read(path: string, at: number, bytes: number): Uint8Array {
    const descriptor = openSync(path, 'r');
    try {
      const into = new Uint8Array(bytes);
      const read = readSync(descriptor, into, 0, bytes, at);
      return into.subarray(0, read);
    } finally {
      closeSync(descriptor);
    }
  }

  /** As it is written, with the separators of Windows, and the last part alone, as far as that is inside the folder. */
  #candidates(name: string): string[] {
    const slashes = name.replace(/\\/g, '/');
    return [name, slashes, basename(slashes)]
      .map((each) => resolve(this.#folder, each))
      .filter((path) => {
        const inside = relative(this.#folder, path);
        return (
          inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside)
        );
      });
  }
}

/** The files that one image is in, in the order in which they were named. */
export class ImageFiles {
  /** What the user named. */
  readonly path: string;
  readonly #source: FileSource;
  readonly #files = new Map<string, ImageFile>();
  #bytes = 0;

  constructor(path: string, source: FileSource) {
    this.path = path;
    this.#source = source;
  }

  get list(): readonly DiscFile[] {
    return Array.from(this.#files.values(), ({ path, bytes }) => ({ path, bytes }));
  }

  /** Ends reading: `where` is a line, a section or a chunk. */
  refuse(where: string, why: string): never {
    return refuseImage(this.path, where === '' ? why : `${where}: ${why}`);
  }

  /** The file that `where` calls `name`. */
  add(name: string, where: string): ImageFile {
    return (
      this.addIfThere(name) ??
      this.refuse(
        where,
        `there is no file "${name}" in the folder of the image; put it there (files elsewhere are not used)`,
      )
    );
  }

  addIfThere(name: string): ImageFile | null {
    const found = name === '' || name.includes('\0') ? null : this.#source.find(name);
    if (found === null) return null;
    const known = this.#files.get(found.path);
    if (known !== undefined) return known;
    const file = { ...found, base: this.#bytes };
    this.#files.set(found.path, file);
    this.#bytes += found.bytes;
    return file;
  }

  /** The image's own file. */
  addItself(): ImageFile {
    return this.add(basename(this.path), '');
  }

  /** The file beside the image that is called like it but for `ending` (".img"), or null. */
  addSibling(ending: string): ImageFile | null {
    return this.addIfThere(`${basename(this.path, extname(this.path))}${ending}`);
  }

  /** Bytes of a file; fewer where it ends. */
  read(file: DiscFile, at: number, bytes: number): Uint8Array {
    if (at >= file.bytes || at < 0) return new Uint8Array(0);
    try {
      return this.#source.read(file.path, at, Math.min(bytes, file.bytes - at));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return this.refuse('', `cannot read "${file.path}": ${why}`);
    }
  }
}
