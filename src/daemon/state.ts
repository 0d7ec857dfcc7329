/** The state directory: what a daemon that restarts still knows. Files are whole or refused, never guessed at. */
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { tryLock } from '../libc.ts';
import type { MediumPlace } from '../scsi/medium.ts';
import { isMap, packValue, unpackValue } from '../transport/control/packed.ts';
import { type DiskConfig, lunObject, readAnyLun, readLun } from './config.ts';
import { type PassthroughConfig, passthroughObject } from './passthrough-config.ts';

/** A state directory or file that cannot be used. */
export class StateError extends Error {
  readonly code = 'ERR_STATE';
}

/**
 * A state file: magic (8 bytes), version (u32 be), payload length (u32 be), SHA-256 of the 16 bytes before it and of the
 * payload (32 bytes), payload (MessagePack). Nothing may follow.
 */
const MAGIC = Buffer.from('RSCSIST\n', 'latin1');
const VERSION = 1;
const VERSION_AT = 8;
const LENGTH_AT = 12;
const CHECKSUM_AT = 16;
const PAYLOAD_AT = 48;
const MAX_FILE_BYTES = 16 * 1024 * 1024;

const INVENTORY = 'inventory';
const LIBRARY = 'library';
const LOCK = 'lock';
/** What is kept of a unit, by what it is called in files. */
const KEPT = {
  pages: 'mode pages',
  reservations: 'reservations',
  sanitize: 'SANITIZE',
  information: 'identifying information',
  logs: 'logs',
} as const;
const keptFile = (what: keyof SavedUnit, lun: number): string =>
  `${what === 'pages' ? 'mode-pages' : what}-${lun}`;

/** What the drive of a removable disk was left with. */
export interface SavedMedium {
  /** Image of the medium that is in it, or was last; null: that is in memory, or there was none. */
  readonly path: string | null;
  readonly readOnly: boolean;
  readonly place: MediumPlace;
  readonly generation: number;
  /** The operator prevents its removal. */
  readonly locked: boolean;
}

/** A medium of the library. */
export interface LibraryEntry {
  readonly name: string;
  /** Without symbolic links. */
  readonly path: string;
  /** What it was when it was looked at last. */
  readonly kind: string;
  readonly readOnly: boolean;
  /** Grows when what it holds may have changed. */
  readonly generation: number;
  /** Which load can write it; null: it is in no drive that writes. */
  readonly writer: string | null;
  /** Inode, size and time of its files when nobody wrote it. */
  readonly stamp: string;
}

/** One LUN of the inventory: how it is configured, and the identity initiators know it by. */
export interface InventoryEntry {
  readonly disk: DiskConfig;
  /** Size it was grown to, when that is not the configured one. */
  readonly resizedBytes: number | null;
  readonly serial: string;
  readonly naa: Uint8Array;
  /** A standby LUN that had left standby: its image was this daemon's. */
  readonly active: boolean;
  /** Null: its medium is fixed, or the file was written when all were. */
  readonly medium: SavedMedium | null;
}

export interface Inventory {
  /** Drawn once, when the directory is made: what tells this daemon's disks from those of others. */
  readonly installation: string;
  readonly luns: readonly InventoryEntry[];
  /** Real devices, of which nothing is kept but that they were there; absent: none. */
  readonly devices?: readonly PassthroughConfig[];
}

/** What a logical unit kept over a restart; null where nothing was kept. */
export interface SavedUnit {
  /** Mode pages of MODE SELECT with SP = 1. */
  readonly pages: Uint8Array | null;
  /** Reservations with APTPL = 1. */
  readonly reservations: Uint8Array | null;
  /** A SANITIZE that is under way or has failed. */
  readonly sanitize: Uint8Array | null;
  readonly information: Uint8Array | null;
  /** What LOG SENSE tells. */
  readonly logs: Uint8Array | null;
}

export const NOTHING_SAVED: SavedUnit = {
  pages: null,
  reservations: null,
  sanitize: null,
  information: null,
  logs: null,
};

function checksum(header: Uint8Array, payload: Uint8Array): Buffer {
  return createHash('sha256').update(header).update(payload).digest();
}

function encodeFile(value: unknown): Buffer {
  const payload = packValue(value);
  const header = Buffer.alloc(CHECKSUM_AT);
  MAGIC.copy(header, 0);
  header.writeUInt32BE(VERSION, VERSION_AT);
  header.writeUInt32BE(payload.length, LENGTH_AT);
  return Buffer.concat([header, checksum(header, payload), payload]);
}

/** What is wrong with the bytes of a state file, or null. */
function fault(file: Buffer): string | null {
  if (!file.subarray(0, MAGIC.length).equals(MAGIC.subarray(0, file.length))) {
    return 'it is no state file of ringscsi';
  }
  if (file.length < PAYLOAD_AT) return `it is torn after ${file.length} bytes`;
  const version = file.readUInt32BE(VERSION_AT);
  if (version !== VERSION)
    return `it has version ${version}, this ringscsi reads version ${VERSION}`;
  const bytes = PAYLOAD_AT + file.readUInt32BE(LENGTH_AT);
  if (file.length !== bytes) return `it is torn: ${file.length} bytes of ${bytes} are there`;
  const sum = checksum(file.subarray(0, CHECKSUM_AT), file.subarray(PAYLOAD_AT));
  if (!sum.equals(file.subarray(CHECKSUM_AT, PAYLOAD_AT))) return 'its checksum is wrong';
  return null;
}

function refuse(path: string, why: string): never {
  throw new StateError(
    `Cannot use state file "${path}": ${why}; put a good copy in its place, or move it away to start without what it kept`,
  );
}

const PLACES: readonly unknown[] = ['drive', 'tray', 'away'] satisfies readonly MediumPlace[];

function isPlace(value: unknown): value is MediumPlace {
  return PLACES.includes(value);
}

function readMedium(path: string, value: unknown): SavedMedium | null {
  if (value === undefined || value === null) return null;
  if (!isMap(value)) refuse(path, 'a LUN in it has a medium that is none');
  const { path: image, readOnly, place, generation, locked } = value;
  if (
    (image !== null && typeof image !== 'string') ||
    typeof readOnly !== 'boolean' ||
    typeof locked !== 'boolean' ||
    typeof generation !== 'number' ||
    !isPlace(place)
  ) {
    return refuse(path, 'a LUN in it has a medium that is none');
  }
  return { path: image, readOnly, place, generation, locked };
}

function readEntry(path: string, value: unknown): InventoryEntry {
  if (!isMap(value) || !isMap(value['disk'])) refuse(path, 'an entry of it is no LUN');
  const { serial, naa, resizedBytes, active } = value;
  if (
    typeof serial !== 'string' ||
    !(naa instanceof Uint8Array) ||
    (naa.length !== 8 && naa.length !== 16)
  ) {
    refuse(path, 'a LUN in it has no identity');
  }
  if (resizedBytes !== null && typeof resizedBytes !== 'number') {
    refuse(path, 'a LUN in it has no size');
  }
  try {
    const disk = readLun(value['disk'], '/');
    const medium = readMedium(path, value['medium']);
    const identity = { serial, naa: Uint8Array.from(naa) };
    return { disk, resizedBytes, ...identity, active: active === true, medium };
  } catch (error) {
    return refuse(path, error instanceof Error ? error.message : 'an entry of it cannot be read');
  }
}

/** Absent where none were known when the file was written. */
function readDevices(path: string, value: unknown): PassthroughConfig[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return refuse(path, 'it has no list of devices');
  return value.map((entry: unknown) => {
    if (!isMap(entry)) return refuse(path, 'an entry of it is no device');
    try {
      const config = readAnyLun(entry, '/');
      if (config.type === 'passthrough') return config;
    } catch (error) {
      refuse(path, error instanceof Error ? error.message : 'a device in it cannot be read');
    }
    return refuse(path, 'an entry of it is no device');
  });
}

function readLibraryEntry(file: string, value: unknown): LibraryEntry {
  if (!isMap(value)) return refuse(file, 'an entry of it is no medium');
  const { name, path, kind, readOnly, generation, writer, stamp } = value;
  if (
    typeof name !== 'string' ||
    typeof path !== 'string' ||
    typeof kind !== 'string' ||
    typeof readOnly !== 'boolean' ||
    typeof generation !== 'number' ||
    (writer !== null && typeof writer !== 'string') ||
    typeof stamp !== 'string'
  ) {
    return refuse(file, 'an entry of it is no medium');
  }
  return { name, path, kind, readOnly, generation, writer, stamp };
}

function unpackPayload(path: string, payload: Uint8Array): unknown {
  try {
    return unpackValue(payload);
  } catch (error) {
    return refuse(path, error instanceof Error ? error.message : 'its payload cannot be read');
  }
}

export class StateDirectory {
  readonly path: string;
  readonly #lockFd: number;
  readonly #directoryFd: number;

  private constructor(path: string, lockFd: number, directoryFd: number) {
    this.path = path;
    this.#lockFd = lockFd;
    this.#directoryFd = directoryFd;
  }

  /** Opens (or creates, mode 0700) the directory for this daemon alone. Throws StateError. */
  static open(path: string): StateDirectory {
    let lockFd = -1;
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      lockFd = openSync(join(path, LOCK), 'a', 0o600);
      if (tryLock(lockFd, false)) return new StateDirectory(path, lockFd, openSync(path, 'r'));
    } catch (error) {
      if (lockFd >= 0) closeSync(lockFd);
      const why = error instanceof Error ? error.message : String(error);
      throw new StateError(`Cannot use state directory "${path}": ${why}`);
    }
    closeSync(lockFd);
    throw new StateError(
      `Cannot use state directory "${path}": another daemon uses it; stop it or choose another directory`,
    );
  }

  /** The LUN map of the last run; null when there was none. Throws StateError naming the file when it is torn or foreign. */
  readInventory(): Inventory | null {
    const value = this.#read(INVENTORY);
    if (value === null) return null;
    const path = join(this.path, INVENTORY);
    const { installation, luns } = value;
    if (typeof installation !== 'string' || installation === '') {
      return refuse(path, 'it has no installation');
    }
    if (!Array.isArray(luns)) return refuse(path, 'it has no list of LUNs');
    const devices = readDevices(path, value['devices']);
    return {
      installation,
      luns: luns.map((entry: unknown) => readEntry(path, entry)),
      ...(devices.length === 0 ? {} : { devices }),
    };
  }

  writeInventory(inventory: Inventory): void {
    this.#write(INVENTORY, {
      installation: inventory.installation,
      luns: inventory.luns.map((entry) => ({ ...entry, disk: lunObject(entry.disk) })),
      devices: (inventory.devices ?? []).map(passthroughObject),
    });
  }

  /** The media of the library; none when there is no file. Throws StateError. */
  readLibrary(): LibraryEntry[] {
    const value = this.#read(LIBRARY);
    if (value === null) return [];
    const path = join(this.path, LIBRARY);
    const { media } = value;
    if (!Array.isArray(media)) return refuse(path, 'it has no list of media');
    const entries = media.map((entry: unknown) => readLibraryEntry(path, entry));
    if (new Set(entries.map(({ name }) => name)).size !== entries.length) {
      refuse(path, 'two media in it have one name');
    }
    return entries;
  }

  /** Throws StateError. */
  writeLibrary(media: readonly LibraryEntry[]): void {
    this.#write(LIBRARY, { media });
  }

  /** What was kept of the unit with this serial number at a LUN. Throws StateError. */
  readUnit(lun: number, serial: string): SavedUnit {
    return {
      pages: this.#readKept('pages', lun, serial),
      reservations: this.#readKept('reservations', lun, serial),
      sanitize: this.#readKept('sanitize', lun, serial),
      information: this.#readKept('information', lun, serial),
      logs: this.#readKept('logs', lun, serial),
    };
  }

  /** Keeps `bytes` of the unit with this serial number. Throws StateError. */
  writeUnit(lun: number, serial: string, what: keyof SavedUnit, bytes: Uint8Array): void {
    this.#write(keptFile(what, lun), { serial, [what]: bytes });
  }

  #readKept(what: keyof SavedUnit, lun: number, serial: string): Uint8Array | null {
    const value = this.#read(keptFile(what, lun));
    if (value === null) return null;
    const bytes = value[what];
    if (typeof value['serial'] !== 'string' || !(bytes instanceof Uint8Array)) {
      return refuse(join(this.path, keptFile(what, lun)), `it has no ${KEPT[what]}`);
    }
    // Another unit had this LUN.
    return value['serial'] === serial ? Uint8Array.from(bytes) : null;
  }

  /** A LUN is gone: nothing of it is kept. */
  removeUnit(lun: number): void {
    for (const what of Object.keys(KEPT) as (keyof SavedUnit)[]) {
      rmSync(join(this.path, keptFile(what, lun)), { force: true });
    }
    fsyncSync(this.#directoryFd);
  }

  /** Gives the directory free for another daemon. */
  close(): void {
    closeSync(this.#directoryFd);
    closeSync(this.#lockFd);
  }

  #read(name: string): Record<string, unknown> | null {
    const path = join(this.path, name);
    let file: Buffer;
    try {
      file = readFileSync(path);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw new StateError(
        `Cannot read state file "${path}": ${error instanceof Error ? error.message : 'failed'}`,
      );
    }
    if (file.length > MAX_FILE_BYTES) refuse(path, `it has ${file.length} bytes`);
    const wrong = fault(file);
    if (wrong !== null) refuse(path, wrong);
    const value = unpackPayload(path, file.subarray(PAYLOAD_AT));
    if (!isMap(value)) return refuse(path, 'it is no map');
    // The name is inside too: a file copied over another one must not be taken for it.
    if (value['file'] !== name) return refuse(path, `it is a copy of "${String(value['file'])}"`);
    return value;
  }

  /** Whole to another name, synced, renamed, the directory synced: after a crash the old file or the new one is there. */
  #write(name: string, value: Record<string, unknown>): void {
    const path = join(this.path, name);
    const fresh = `${path}.new`;
    try {
      const file = encodeFile({ ...value, file: name });
      const fd = openSync(fresh, 'w', 0o600);
      try {
        for (let at = 0; at < file.length; ) at += writeSync(fd, file, at);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(fresh, path);
      fsyncSync(this.#directoryFd);
    } catch (error) {
      throw new StateError(
        `Cannot write state file "${path}": ${error instanceof Error ? error.message : 'failed'}`,
      );
    }
  }
}
