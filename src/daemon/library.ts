/** The library of a daemon: one entry with one name for each medium, kept in the state directory. */

import { realpathSync, statSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { lookAtMedium, type MediumLook } from '../luns/medium-look.ts';
import { messageOf } from '../message-of.ts';
import { isMediumKind } from '../scsi/mmc/burn/media.ts';
import type { DiscStatus } from '../scsi/mmc/disc.ts';
import type { AttachedDisk } from './attached-disk.ts';
import type { DeviceTypeName } from './config.ts';
import { identityOf, isSameFile, stampOf } from './file-identity.ts';
import { unknownWord } from './known-keys.ts';
import type { Log } from './log.ts';
import type { LibraryEntry, StateDirectory } from './state.ts';

/** The library cannot do what was asked. */
export class LibraryError extends Error {
  readonly code = 'ERR_LIBRARY';
}

export interface LibraryStatus {
  readonly name: string;
  /** Without symbolic links. */
  readonly path: string;
  readonly kind: string;
  /** Of a recordable disc what it has room for, of a disc image what can be read, of a disk all; 0: it cannot be used. */
  readonly bytes: number;
  /** `present`: an image; recordable discs are blank, appendable or complete. `unusable`: `why` says so. */
  readonly status: DiscStatus | 'present' | 'missing' | 'unusable';
  readonly why: string | null;
  /** It is write protected in every drive. */
  readonly readOnly: boolean;
  /** LUNs that have it, in the drive or its tray. */
  readonly luns: readonly number[];
  /** Grows when what it holds may have changed: with each load into a drive that writes it, and when others have changed its files. */
  readonly generation: number;
}

export interface AddRequest {
  readonly path: string;
  /** Null: that of the file, without its ending. */
  readonly name: string | null;
  readonly readOnly: boolean;
}

/** `added` is false: the file was an entry before, which is told. */
export interface LibraryAddition extends LibraryStatus {
  readonly added: boolean;
}

const MOST_NAME_LENGTH = 32;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]*$/;
const MOST_ENTRIES = 1024;
/** A list of them has to fit a frame of the control socket. */
const MOST_PATH_BYTES = 512 * 1024;

function nameOf(action: string, { path, name }: AddRequest): string {
  const plain = basename(path, extname(path)).replace(/[^A-Za-z0-9._+-]+/g, '-');
  const wanted = name ?? plain.replace(/^[^A-Za-z0-9]+/, '').slice(0, MOST_NAME_LENGTH);
  if (NAME.test(wanted) && wanted.length <= MOST_NAME_LENGTH) return wanted;
  const what = name === null ? 'its file name makes no name, give it one' : `"${name}" is no name`;
  throw new LibraryError(
    `${action}: ${what}; a name is 1 to ${MOST_NAME_LENGTH} of A-Z a-z 0-9 . _ + -, the first a letter or digit`,
  );
}

/** Files of what a LUN has in it: the medium in the drive or its tray, the one that is coming, the image of a disk. */
function imagesOf(disk: AttachedDisk): string[] {
  const { medium, next, config } = disk;
  if (medium === null) return config.path === null ? [] : [config.path];
  return [medium, next].flatMap((each) => {
    return each === null || each.place === 'away' || each.path === null ? [] : [each.path];
  });
}

/** The file that a LUN can write, and which load that is; null: it writes none. */
function writingOf(disk: AttachedDisk): { readonly path: string; readonly load: string } | null {
  const { medium, config, readOnly, standby } = disk;
  const path = medium === null ? config.path : medium.path;
  if (path === null || readOnly || standby || !disk.loaded) return null;
  return { path, load: `${config.lun}.${medium?.generation ?? 0}` };
}

/** What a look at an entry came to. */
interface Seen {
  readonly look: MediumLook | null;
  readonly stamp: string | null;
  readonly why: string | null;
}

export class Library {
  readonly #disks: ReadonlyMap<number, AttachedDisk>;
  readonly #log: Log;
  #state: StateDirectory | null = null;
  #entries: readonly LibraryEntry[] = [];
  /** By path; a look holds as long as its stamp does. */
  readonly #seen = new Map<string, Seen>();

  constructor(disks: ReadonlyMap<number, AttachedDisk>, log: Log) {
    this.#disks = disks;
    this.#log = log;
  }

  /** Reads what is kept. Throws StateError. */
  open(state: StateDirectory): void {
    this.#entries = state.readLibrary();
    this.#state = state;
  }

  /** The state directory is given back. */
  close(): void {
    this.#state = null;
  }

  /** Gives the file at `path` a name, unless it has one. Throws LibraryError, DiskFileError, StateError. */
  add(request: AddRequest): LibraryAddition {
    const { path, readOnly } = request;
    const action = `Cannot add "${path}" to the library`;
    this.#opened(action);
    this.follow();
    const known = this.find(path);
    if (known !== null) return { ...this.#status(known, this.#look(known.path)), added: false };
    const { kind, files } = lookAtMedium(path, action);
    const name = nameOf(action, request);
    const holder = this.#entries.find((entry) => entry.name === name);
    if (holder !== undefined) {
      throw new LibraryError(
        `${action}: "${name}" is the name of "${holder.path}", choose another with --name`,
      );
    }
    const real = realpathSync(path);
    this.#checkRoom(action, real);
    const [, ...others] = files;
    const writer = this.#writers().get(identityOf(real)) ?? null;
    const stamp = stampOf([real, ...others]) ?? '';
    const entry = { name, path: real, kind, readOnly, generation: 1, writer, stamp };
    this.#keep([...this.#entries, entry]);
    this.#log.write('info', `library: "${name}" is "${real}", ${kind}`);
    return { ...this.#status(entry, this.#look(real)), added: true };
  }

  /** Every medium, by name. Throws LibraryError. */
  list(): LibraryStatus[] {
    this.#opened('Cannot list the library');
    this.follow();
    return this.#entries
      .map((entry) => this.#status(entry, this.#look(entry.path)))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Forgets a name; the file stays. Throws LibraryError: the medium is in a drive; StateError. */
  remove(name: string): LibraryStatus {
    const action = `Cannot remove "${name}" from the library`;
    const entry = this.named(action, name);
    const status = this.#status(entry, this.#look(entry.path));
    if (status.luns.length > 0) {
      throw new LibraryError(
        `${action}: it is in LUN ${status.luns.join(', ')}, eject it there (or remove a LUN whose medium is fixed) first`,
      );
    }
    this.#keep(this.#entries.filter((each) => each !== entry));
    this.#seen.delete(entry.path);
    this.#log.write('info', `library: "${name}" is removed`);
    return status;
  }

  /** The entry of a name. Throws LibraryError. */
  named(action: string, name: string): LibraryEntry {
    this.#opened(action);
    const entry = this.#entries.find((each) => each.name === name);
    if (entry !== undefined) return entry;
    const names = this.#entries.map((each) => each.name);
    const known =
      names.length === 0 ? `"${name}" is not in the library` : unknownWord('medium', name, names);
    throw new LibraryError(`${action}: ${known}`);
  }

  /** The entry of a file, whatever name of it `path` is; null: it has none. */
  find(path: string): LibraryEntry | null {
    if (this.#entries.length === 0) return null;
    return this.#entries.find((entry) => isSameFile(entry.path, path)) ?? null;
  }

  /** The file of a medium that is loaded by name. Throws LibraryError: there is no such name, or its file has vanished. */
  fileOf(action: string, name: string): string {
    const { path } = this.named(action, name);
    if (statSync(path, { throwIfNoEntry: false }) !== undefined) return path;
    throw new LibraryError(
      `${action}: "${name}" is missing, there is no "${path}"; bring it back, or remove the name`,
    );
  }

  /** Whether what is loaded into a drive of this type is write protected by its entry. A burner reads disc images anyway. */
  protects(path: string, type: DeviceTypeName): boolean {
    const entry = this.find(path);
    return entry?.readOnly === true && (type !== 'burner' || isMediumKind(entry.kind));
  }

  /** Counts the loads into drives that write, and what others have changed, since it was called last. What cannot be saved is logged. */
  follow(): void {
    if (this.#state === null || this.#entries.length === 0) return;
    const writers = this.#writers();
    const entries = this.#entries.map((entry) => this.#followed(entry, writers));
    if (entries.every((entry, i) => entry === this.#entries[i])) return;
    try {
      this.#keep(entries);
    } catch (error) {
      this.#entries = entries;
      this.#log.write('error', `library not saved: ${messageOf(error)}`);
    }
  }

  #followed(entry: LibraryEntry, writers: ReadonlyMap<string, string>): LibraryEntry {
    const writer = writers.get(identityOf(entry.path)) ?? null;
    if (writer !== null) {
      // Its files change under the look.
      this.#seen.delete(entry.path);
      const isNew = writer !== entry.writer;
      return isNew ? { ...entry, writer, generation: entry.generation + 1 } : entry;
    }
    const { look, stamp } = this.#look(entry.path);
    if (look === null || stamp === null) return entry;
    if (entry.writer === null && stamp === entry.stamp) return entry;
    // What a drive has written was counted when it came into it.
    const generation = entry.generation + (entry.writer === null ? 1 : 0);
    return { ...entry, kind: look.kind, writer, stamp, generation };
  }

  #writers(): Map<string, string> {
    const writers = new Map<string, string>();
    for (const disk of this.#disks.values()) {
      const writing = writingOf(disk);
      if (writing !== null) writers.set(identityOf(writing.path), writing.load);
    }
    return writers;
  }

  #look(path: string): Seen {
    const before = this.#seen.get(path);
    const stamp = before?.look == null ? null : stampOf(before.look.files);
    if (before !== undefined && stamp !== null && stamp === before.stamp) return before;
    const seen = this.#lookAgain(path);
    this.#seen.set(path, seen);
    return seen;
  }

  #lookAgain(path: string): Seen {
    try {
      const look = lookAtMedium(path, 'Cannot use a medium');
      return { look, stamp: stampOf(look.files), why: null };
    } catch (error) {
      return { look: null, stamp: null, why: messageOf(error) };
    }
  }

  #status(entry: LibraryEntry, { look, why }: Seen): LibraryStatus {
    const { name, path, readOnly, generation } = entry;
    const identity = identityOf(path);
    const isIn = (disk: AttachedDisk): boolean =>
      imagesOf(disk).some((image) => image === path || identityOf(image) === identity);
    const disks = [...this.#disks.values()].filter(isIn);
    const luns = disks.map(({ config }) => config.lun).sort((a, b) => a - b);
    const kind = look?.kind ?? entry.kind;
    const found = look === null ? 'unusable' : (look.status ?? 'present');
    const isThere = statSync(path, { throwIfNoEntry: false }) !== undefined;
    const status = isThere ? found : 'missing';
    const bytes = look?.bytes ?? 0;
    return { name, path, kind, bytes, status, why, readOnly, luns, generation };
  }

  #opened(action: string): void {
    if (this.#state !== null) return;
    throw new LibraryError(
      `${action}: the daemon has no library, as it has no state directory to keep one; serve with --state DIR`,
    );
  }

  #checkRoom(action: string, path: string): void {
    const bytes = [path, ...this.#entries.map((entry) => entry.path)].reduce(
      (sum, each) => sum + new TextEncoder().encode(each).length,
      0,
    );
    if (this.#entries.length < MOST_ENTRIES && bytes <= MOST_PATH_BYTES) return;
    throw new LibraryError(
      `${action}: it is full (${MOST_ENTRIES} media, ${MOST_PATH_BYTES} bytes of paths), remove others`,
    );
  }

  /** Throws StateError; the library is what it was then. */
  #keep(entries: readonly LibraryEntry[]): void {
    this.#state?.writeLibrary(entries);
    this.#entries = entries;
  }
}
