/** A disk the daemon has opened: its file and lock, its identity, and what the reactor is told about it. */
import { Buffer } from 'node:buffer';
import { fstatSync, statSync, unlinkSync } from 'node:fs';
import { assert } from '../assert.ts';
import { blockDeviceBytes, close, dataSync, duplicate, errorName } from '../libc.ts';
import type { Backing, BackingFile } from '../luns/backing.ts';
import type { OpenedDisc } from '../luns/disc/open-disc.ts';
import { type OpenedRecordable, openOpticalMedium } from '../luns/disc/open-recordable.ts';
import type { MediumSpec } from '../luns/drive.ts';
import { unlockImage } from '../luns/image-lock.ts';
import { bytesOfBlock, imageBytesOf, userBytesOf } from '../luns/image-size.ts';
import { openKeyFile } from '../luns/key-file.ts';
import {
  growFile,
  lockOpened,
  type OpenedFile,
  type OpenOptions,
  openDiskFile,
} from '../luns/open.ts';
import type { ProtectionType } from '../scsi/sbc/protection/information.ts';
import type { DeviceTypeName, DiskConfig } from './config.ts';
import { stampOf } from './file-identity.ts';
import { unreadableFaults } from './optical-config.ts';
import type { DiskSpec } from './reactor-messages.ts';
import type { InventoryEntry, SavedMedium, SavedUnit } from './state.ts';

/** A logical unit that cannot be attached, found, resized or removed. */
export class LunError extends Error {
  readonly code = 'ERR_LUN';
}

/** Who a disk is to initiators, the same after every restart. */
export interface DiskIdentity {
  readonly serial: string;
  /** NAA designator, 8 or 16 bytes. */
  readonly naa: Uint8Array;
}

export interface LunStatus {
  readonly lun: number;
  readonly type: DeviceTypeName | 'passthrough';
  /**
   * `standby`: guests see it, but its image belongs to somebody else and no command touches it. `unavailable`: remembered from
   * an earlier run, but it cannot be opened; `why` says so.
   */
  readonly state: 'attached' | 'standby' | 'unavailable';
  readonly backing: 'file' | 'block' | 'memory' | 'disc' | 'recordable' | 'device' | null;
  readonly path: string | null;
  readonly bytes: number;
  readonly blockBytes: number;
  readonly readOnly: boolean;
  readonly thin: boolean;
  /** Type of the protection information its blocks have; 0: none. */
  readonly protectionType: ProtectionType;
  /** The medium can be removed. */
  readonly removable: boolean;
  readonly encrypted: boolean;
  readonly cache: 'writeback' | 'writethrough';
  readonly serial: string;
  /** NAA designator in hexadecimal. */
  readonly naa: string;
  readonly why: string | null;
  /** Vendor, product and revision of a real device. */
  readonly device?: string;
}

/** What is known of a LUN that could not be opened again. */
export function unavailableStatus(gone: {
  readonly entry: InventoryEntry;
  readonly why: string;
}): LunStatus {
  const { entry, why } = gone;
  const { disk, serial } = entry;
  return {
    lun: disk.lun,
    type: disk.type,
    state: 'unavailable',
    backing: null,
    path: disk.path,
    bytes: entry.resizedBytes ?? disk.memoryBytes ?? disk.sizeBytes ?? 0,
    blockBytes: disk.blockBytes,
    readOnly: disk.readOnly,
    thin: disk.thin ?? false,
    protectionType: disk.protectionType,
    removable: disk.removable,
    encrypted: disk.keyPath !== null,
    cache: disk.cache,
    serial,
    naa: Buffer.from(entry.naa).toString('hex'),
    why,
  };
}

/** The LUN of `disks` that has the file at `path` open and would not share it, or null. */
function conflict(
  path: string,
  readOnly: boolean,
  disks: Iterable<AttachedDisk>,
): AttachedDisk | null {
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined) return null;
  for (const disk of disks) {
    if (disk.isFile(file.dev, file.ino) && !(readOnly && disk.readOnly)) return disk;
  }
  return null;
}

function openOptions(
  config: DiskConfig,
  path: string,
  resizedBytes: number | null,
  standby: boolean,
): OpenOptions {
  const userBytes = config.sizeBytes === null ? null : (resizedBytes ?? config.sizeBytes);
  return {
    lun: config.lun,
    path,
    blockBytes: bytesOfBlock(config),
    readOnly: config.readOnly,
    standby,
    ...(userBytes === null ? {} : { sizeBytes: imageBytesOf(config, userBytes) }),
  };
}

function refuseConflict(
  action: string,
  path: string,
  readOnly: boolean,
  others: Iterable<AttachedDisk>,
): void {
  const other = conflict(path, readOnly, others);
  if (other !== null) {
    throw new LunError(
      `${action}: "${path}" is LUN ${other.config.lun} of this daemon; remove that one first, or attach both with ro`,
    );
  }
}

/** What is open behind a disk, or in a drive. */
type Opened = OpenedFile | OpenedDisc | OpenedRecordable;

function filesOf(opened: Opened | null): readonly OpenedFile[] {
  if (opened === null) return [];
  return 'files' in opened ? opened.files : [opened];
}

/** What the drive of a removable disk has when it is attached for the first time. */
export function firstMedium(config: DiskConfig, generation = 1): SavedMedium {
  const { path, readOnly, memoryBytes } = config;
  const place = path === null && memoryBytes === null ? 'away' : 'drive';
  return { path, readOnly, place, generation, locked: false };
}

/** A medium that was opened for a drive and is not in it yet. */
export interface MediumInHand {
  readonly file: Opened | null;
  readonly medium: SavedMedium;
  readonly spec: MediumSpec;
}

export interface DiskBeginning {
  /** Size it was given in an earlier run, or null. */
  readonly resizedBytes: number | null;
  /** Whether it begins in standby: the image is not locked. */
  readonly standby: boolean;
  /** What its drive was left with in an earlier run; null: nothing is known, or it has none. */
  readonly medium: SavedMedium | null;
}

export class AttachedDisk {
  readonly config: DiskConfig;
  readonly identity: DiskIdentity;
  /** Size `lun resize` gave it, when that differs from how it is configured. */
  resizedBytes: number | null;
  /** What it holds; its image is larger when it has protection information. */
  bytes: number;
  /** The image belongs to somebody else for now. */
  standby: boolean;
  /** What its drive has; null: its medium is fixed. */
  medium: SavedMedium | null;
  /** What is being put into the drive: after a restart that is there. */
  next: SavedMedium | null = null;
  /** Open while the medium is in the drive, or fixed. */
  #file: Opened | null;
  /** What the files of the medium were when it was opened. */
  #stamp: string | null;
  /** Descriptor of the key file, or -1. */
  readonly #keyFd: number;
  /** Descriptors that were made for the reactor, by those they are copies of. */
  readonly #reactorFds = new Map<number, number>();

  /**
   * Opens, checks and locks what is behind the disk. `others` are the disks of this daemon.
   * Throws LunError or DiskFileError; nothing is open then.
   */
  constructor(
    config: DiskConfig,
    identity: DiskIdentity,
    { resizedBytes, standby, medium }: DiskBeginning,
    others: Iterable<AttachedDisk>,
  ) {
    this.config = config;
    this.identity = identity;
    this.resizedBytes = resizedBytes;
    this.standby = standby;
    this.medium = config.removable ? (medium ?? firstMedium(config)) : null;
    const { path } = this.medium ?? config;
    this.#file = null;
    if (this.medium !== null && medium !== null) {
      // It was there before: it has the size it has.
      if (medium.place === 'drive' && path !== null) {
        this.#file = this.#openMedium(
          path,
          medium.readOnly,
          others,
          `Cannot attach LUN ${config.lun}`,
        );
      }
    } else if (config.type !== 'disk') {
      const action = `Cannot attach LUN ${config.lun}`;
      if (path !== null) this.#file = this.#openDisc(path, others, action, true);
    } else if (path !== null) {
      refuseConflict(`Cannot attach LUN ${config.lun}`, path, config.readOnly, others);
      this.#file = openDiskFile(openOptions(config, path, resizedBytes, standby));
    }
    this.#stamp = this.#stampOfFiles();
    this.#keyFd = this.#openKey();
    this.bytes =
      this.#file === null ? this.#memoryBytes(path) : userBytesOf(config, this.#file.bytes);
  }

  /** Size of a medium in memory; 0 when what has this path is none. */
  #memoryBytes(path: string | null): number {
    const { memoryBytes } = this.config;
    return path === null && memoryBytes !== null ? (this.resizedBytes ?? memoryBytes) : 0;
  }

  #openMedium(
    path: string,
    readOnly: boolean,
    others: Iterable<AttachedDisk>,
    action: string,
  ): Opened {
    const { lun, type } = this.config;
    if (type !== 'disk') return this.#openDisc(path, others, action);
    refuseConflict(action, path, readOnly, others);
    return openDiskFile({ lun, path, blockBytes: bytesOfBlock(this.config), readOnly, action });
  }

  #openDisc(path: string, others: Iterable<AttachedDisk>, action: string, creates = false): Opened {
    const { lun, type, media } = this.config;
    const known = [...others];
    return openOpticalMedium({
      lun,
      path,
      action,
      writes: type === 'burner',
      creates,
      ...(media === undefined || path !== this.config.path ? {} : { media }),
      check: (file, readOnly) => refuseConflict(action, file, readOnly, known),
    });
  }

  /** It cannot be written: a burner writes what is recordable. */
  get readOnly(): boolean {
    if (this.config.type === 'burner') return this.#file?.kind === 'disc';
    return this.medium?.readOnly ?? this.config.readOnly;
  }

  /** There is a medium, in the drive or fixed. */
  get loaded(): boolean {
    return this.medium === null || this.medium.place === 'drive';
  }

  /** What is to be there after a restart; null: its medium is fixed. */
  savedMedium(): SavedMedium | null {
    return this.next ?? this.medium;
  }

  /**
   * Opens, checks and locks a medium for the drive: the image at `path`, or (null) the one that was in it last. `others` are the disks
   * of this daemon. Throws LunError or DiskFileError; nothing is open then.
   */
  pickUp(
    path: string | null,
    readOnly: boolean | null,
    others: Iterable<AttachedDisk>,
  ): MediumInHand {
    const { lun, memoryBytes } = this.config;
    const last = this.medium;
    const action = `Cannot load a medium into LUN ${lun}`;
    assert(last !== null, 'only a drive gets another medium');
    const image = path ?? last.path;
    if (image === null && memoryBytes === null) {
      throw new LunError(`${action}: none was in it before, name an image`);
    }
    const isBurner = this.config.type === 'burner';
    if (isBurner && readOnly === true) {
      throw new LunError(`${action}: a burner writes, load it into a cdrom to have it protected`);
    }
    const asked = this.config.readOnly || (readOnly ?? (path === null && last.readOnly));
    const file = image === null ? null : this.#openMedium(image, asked, others, action);
    const protect = isBurner ? file?.kind === 'disc' : asked;
    const medium: SavedMedium = {
      path: file?.path ?? null,
      readOnly: protect,
      place: 'drive',
      generation: last.generation + 1,
      locked: last.locked,
    };
    const bytes = file?.bytes ?? imageBytesOf(this.config, this.#memoryBytes(null));
    const backing = this.#backing(file, bytes, protect);
    return { file, medium, spec: { backing, readOnly: protect, generation: medium.generation } };
  }

  /** The reactor has put the medium into the drive. */
  adopt({ file, medium }: MediumInHand): void {
    this.#closeFile();
    this.next = null;
    this.#file = file;
    this.#stamp = this.#stampOfFiles();
    // What was locked meanwhile stays so.
    this.medium = { ...medium, locked: this.medium?.locked ?? false };
    if (file === null) {
      this.bytes = this.#memoryBytes(null);
    } else {
      this.resizedBytes = null;
      this.bytes = userBytesOf(this.config, file.bytes);
    }
  }

  /** The reactor has not put the medium into the drive. */
  putDown({ file }: MediumInHand): void {
    this.next = null;
    if (file !== null) this.#closeOpened(file);
  }

  /** The medium has left the drive; the reactor does not use its file any more, which is free for others. */
  giveOut(place: 'tray' | 'away'): void {
    assert(this.medium !== null, 'only a drive gives its medium out');
    this.#closeFile();
    this.medium = { ...this.medium, place };
    if (this.medium.path !== null) this.bytes = 0;
  }

  /** Without its key an image is of no use: what was opened is closed again, and what was made is taken away. */
  #openKey(): number {
    const { lun, keyPath: path, readOnly } = this.config;
    const file = this.#file;
    if (path === null || file === null || 'files' in file) return -1;
    try {
      return openKeyFile({ lun, path, imageIsNew: file.created, readOnly });
    } catch (error) {
      if (file.created) unlinkSync(file.path);
      unlockImage(file.fd);
      close(file.fd);
      throw error;
    }
  }

  /** What is open is what has its name now: no other file, and of a medium that is only read nothing else in it. */
  get holdsItsFile(): boolean {
    return this.readOnly ? this.#stamp === this.#stampOfFiles() : this.#hasItsName;
  }

  get #hasItsName(): boolean {
    return filesOf(this.#file).every(({ fd, path }) => {
      const { dev, ino } = fstatSync(fd);
      const named = statSync(path, { throwIfNoEntry: false });
      return named?.dev === dev && named.ino === ino;
    });
  }

  /** Of an image that names others, too. */
  #stampOfFiles(): string | null {
    const file = this.#file;
    if (file === null) return '';
    return stampOf([file.path, ...filesOf(file).map(({ path }) => path)]);
  }

  /** Whether this file is open here, by whatever name. */
  isFile(device: number, inode: number): boolean {
    return filesOf(this.#file).some(({ fd }) => {
      const { dev, ino } = fstatSync(fd);
      return dev === device && ino === inode;
    });
  }

  /**
   * What the reactor needs. The descriptor in it is a second one, which the reactor closes when it removes the disk; the
   * lock is held until both are closed.
   */
  spec(saved: SavedUnit, savable: boolean): DiskSpec {
    const { lun, blockBytes, physicalBlockBytes, cache, protectionType } = this.config;
    const bytes = imageBytesOf(this.config, this.bytes);
    return {
      lun,
      backing: this.#backing(this.#file, bytes, this.readOnly),
      readOnly: this.readOnly,
      blockBytes,
      physicalBlockBytes,
      thin: this.#thin(),
      protectionType,
      writeCache: cache === 'writeback',
      serial: this.identity.serial,
      naa: this.identity.naa,
      savedPages: saved.pages,
      savedReservations: saved.reservations,
      savedSanitize: saved.sanitize,
      savedInformation: saved.information,
      savedLogs: saved.logs,
      savable,
      removable: this.config.removable,
      optical: this.config.type !== 'disk',
      burner: this.config.type === 'burner',
      ...(this.medium === null ? {} : { medium: this.medium }),
      ...(this.config.mediaChangeStyle === undefined
        ? {}
        : { mediaChangeStyle: this.config.mediaChangeStyle }),
      ...(this.config.unreadable === undefined ? {} : { faults: unreadableFaults(this.config) }),
      ...(this.config.paced === true ? { paced: true } : {}),
      standby: this.standby,
    };
  }

  /**
   * Takes the lock of an image that was opened in standby and looks at it again: it may have grown. The reactor has to be told
   * (`activateUnit`) before anybody can use it. Throws DiskFileError or LunError; the disk is in standby as before then.
   */
  activate(): void {
    const file = this.#file;
    if (file === null || 'files' in file || !this.standby) return;
    const { lun } = this.config;
    const action = `Cannot activate LUN ${lun}`;
    if (!this.#hasItsName) {
      throw new LunError(`${action}: "${file.path}" is another file now, remove and add the LUN`);
    }
    lockOpened(file.fd, openOptions(this.config, file.path, this.resizedBytes, true));
    this.#settle(file.fd, action);
    const there = file.kind === 'block' ? blockDeviceBytes(file.fd) : fstatSync(file.fd).size;
    const bytes = userBytesOf(this.config, there);
    if (bytes < this.bytes) {
      unlockImage(file.fd);
      throw new LunError(`${action}: "${file.path}" has shrunk from ${this.bytes} to ${bytes}`);
    }
    this.#setBytes(bytes);
    this.standby = false;
  }

  /** Everything the last owner wrote reaches the medium, or it is not known what the image holds. */
  #settle(fd: number, action: string): void {
    const result = dataSync(fd);
    if (result >= 0) return;
    unlockImage(fd);
    throw new LunError(`${action}: what its last owner wrote was lost (${errorName(-result)})`);
  }

  /** Gives the image back to whoever wants it. The reactor has put the unit into standby and flushed it. */
  release(): void {
    this.standby = true;
    for (const { fd } of filesOf(this.#file)) unlockImage(fd);
  }

  /** Extends what is behind the disk to `bytes`. Throws LunError or DiskFileError. */
  grow(bytes: number): void {
    const { lun, blockBytes } = this.config;
    const action = `Cannot resize LUN ${lun} to ${bytes} bytes`;
    if (this.config.type !== 'disk') {
      throw new LunError(`${action}: it is an optical drive, media load puts a larger disc in`);
    }
    if (!this.loaded) throw new LunError(`${action}: there is no medium in it`);
    if (this.readOnly) throw new LunError(`${action}: it is read-only`);
    if (this.standby) throw new LunError(`${action}: it is in standby, its image is not ours`);
    if (bytes % blockBytes !== 0) {
      throw new LunError(`${action}: a multiple of its block of ${blockBytes} bytes is needed`);
    }
    if (bytes < this.bytes) {
      throw new LunError(`${action}: it has ${this.bytes}, a disk only grows`);
    }
    const needed = imageBytesOf(this.config, bytes);
    if (this.#file?.kind === 'block') {
      const now = blockDeviceBytes(this.#file.fd);
      if (needed > now)
        throw new LunError(`${action}: the device has ${now}, grow the device first`);
    } else if (this.#file?.kind === 'file') {
      growFile(this.#file.fd, needed);
    }
    this.#setBytes(bytes);
  }

  #setBytes(bytes: number): void {
    if (bytes === this.bytes) return;
    this.bytes = bytes;
    const configured = this.config.memoryBytes ?? this.config.sizeBytes;
    this.resizedBytes = bytes === configured ? null : bytes;
  }

  status(): LunStatus {
    const { lun, type, blockBytes, cache, protectionType, memoryBytes } = this.config;
    const isMemory = this.medium?.path == null && memoryBytes !== null;
    return {
      lun,
      type,
      state: this.standby ? 'standby' : 'attached',
      backing: this.#file?.kind ?? (this.loaded && isMemory ? 'memory' : null),
      path: this.#file?.path ?? null,
      bytes: this.loaded ? this.bytes : 0,
      blockBytes,
      readOnly: this.readOnly,
      thin: this.#thin(),
      protectionType,
      removable: this.config.removable,
      encrypted: this.config.keyPath !== null,
      cache,
      serial: this.identity.serial,
      naa: Buffer.from(this.identity.naa).toString('hex'),
      why: null,
    };
  }

  /** Gives the file back. The reactor has removed the disk, refused it, or ended. */
  close(): void {
    if (this.#keyFd >= 0) this.#closeOwn(this.#keyFd);
    this.#closeFile();
  }

  #closeFile(): void {
    const file = this.#file;
    this.#file = null;
    if (file !== null) this.#closeOpened(file);
  }

  #closeOpened(opened: Opened): void {
    for (const { fd } of filesOf(opened)) {
      // Explicitly: what io_uring holds of a file ends some time after the last descriptor and even the process.
      if (!this.standby) unlockImage(fd);
      this.#closeOwn(fd);
    }
  }

  /** Closes a descriptor of ours, and the reactor's copy of it where that is open still. */
  #closeOwn(own: number): void {
    const copy = this.#reactorFds.get(own);
    this.#reactorFds.delete(own);
    if (copy !== undefined && this.#isCopy(copy, own)) close(copy);
    close(own);
  }

  /** Whether `fd` is open and means the file of `own`: a reactor that ended left its descriptor open, others have closed it. */
  #isCopy(fd: number, own: number): boolean {
    try {
      const { dev, ino } = fstatSync(fd);
      const mine = fstatSync(own);
      return dev === mine.dev && ino === mine.ino;
    } catch {
      return false;
    }
  }

  #thin(): boolean {
    const { thin, protectionType } = this.config;
    if (protectionType !== 0) return false;
    return thin ?? filesOf(this.#file)[0]?.thinCapable ?? true;
  }

  #backing(file: Opened | null, bytes: number, readOnly: boolean): Backing {
    if (file?.kind === 'disc') {
      const copied = (each: OpenedFile): BackingFile => {
        return { fd: this.#copyFor(each.fd), bytes: each.bytes };
      };
      return { kind: 'disc', files: file.files.map(copied), layout: file.layout };
    }
    if (file?.kind === 'recordable') {
      const [{ fd, bytes: size }] = file.files;
      return { kind: 'recordable', fd: this.#copyFor(fd), bytes: size, burnt: file.burnt };
    }
    if (file === null) return bytes === 0 ? { kind: 'none' } : { kind: 'memory', bytes };
    const { kind, path } = file;
    const writable = kind === 'file' && !readOnly;
    // A drive has no atomic writes: the next medium may have nowhere to keep a journal.
    const journalled = writable && this.medium === null ? path : null;
    const fd = this.#copyFor(file.fd);
    const keyFd = this.#keyFd < 0 ? null : this.#copyFor(this.#keyFd);
    return { kind, fd, bytes, journalled, keyFd };
  }

  #copyFor(own: number): number {
    const copy = duplicate(own);
    this.#reactorFds.set(own, copy);
    return copy;
  }
}
