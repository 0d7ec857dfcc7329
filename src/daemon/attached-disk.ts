/** A disk the daemon has opened: its file and lock, its identity, and what the reactor is told about it. */
import { Buffer } from 'node:buffer';
import { fstatSync, statSync, unlinkSync } from 'node:fs';
import { blockDeviceBytes, close, dataSync, duplicate, errorName } from '../libc.ts';
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
import type { DiskConfig } from './config.ts';
import type { DiskSpec } from './reactor-messages.ts';
import type { InventoryEntry, SavedUnit } from './state.ts';

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
  readonly type: 'disk';
  /**
   * `standby`: guests see it, but its image belongs to somebody else and no command touches it. `unavailable`: remembered from
   * an earlier run, but it cannot be opened; `why` says so.
   */
  readonly state: 'attached' | 'standby' | 'unavailable';
  readonly backing: 'file' | 'block' | 'memory' | null;
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
    if (disk.isFile(file.dev, file.ino) && !(readOnly && disk.config.readOnly)) return disk;
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

function refuseConflict(config: DiskConfig, path: string, others: Iterable<AttachedDisk>): void {
  const other = conflict(path, config.readOnly, others);
  if (other !== null) {
    throw new LunError(
      `Cannot attach LUN ${config.lun}: "${path}" is LUN ${other.config.lun} of this daemon; remove that one first, or attach both with ro`,
    );
  }
}

export interface DiskBeginning {
  /** Size it was given in an earlier run, or null. */
  readonly resizedBytes: number | null;
  /** Whether it begins in standby: the image is not locked. */
  readonly standby: boolean;
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
  readonly #file: OpenedFile | null;
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
    { resizedBytes, standby }: DiskBeginning,
    others: Iterable<AttachedDisk>,
  ) {
    this.config = config;
    this.identity = identity;
    this.resizedBytes = resizedBytes;
    this.standby = standby;
    const { path } = config;
    if (path !== null) refuseConflict(config, path, others);
    this.#file =
      path === null ? null : openDiskFile(openOptions(config, path, resizedBytes, standby));
    this.#keyFd = this.#openKey();
    this.bytes =
      this.#file === null
        ? (resizedBytes ?? config.memoryBytes ?? 0)
        : userBytesOf(config, this.#file.bytes);
  }

  /** Without its key an image is of no use: what was opened is closed again, and what was made is taken away. */
  #openKey(): number {
    const { lun, keyPath: path, readOnly } = this.config;
    const file = this.#file;
    if (path === null || file === null) return -1;
    try {
      return openKeyFile({ lun, path, imageIsNew: file.created, readOnly });
    } catch (error) {
      if (file.created) unlinkSync(file.path);
      unlockImage(file.fd);
      close(file.fd);
      throw error;
    }
  }

  isFile(device: number, inode: number): boolean {
    if (this.#file === null) return false;
    const mine = statSync(this.#file.path, { throwIfNoEntry: false });
    return mine !== undefined && mine.dev === device && mine.ino === inode;
  }

  /**
   * What the reactor needs. The descriptor in it is a second one, which the reactor closes when it removes the disk; the
   * lock is held until both are closed.
   */
  spec(saved: SavedUnit, savable: boolean): DiskSpec {
    const { lun, readOnly, blockBytes, physicalBlockBytes, cache, protectionType } = this.config;
    return {
      lun,
      backing: this.#backing(),
      readOnly,
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
      standby: this.standby,
    };
  }

  /**
   * Takes the lock of an image that was opened in standby and looks at it again: it may have grown. The reactor has to be told
   * (`activateUnit`) before anybody can use it. Throws DiskFileError or LunError; the disk is in standby as before then.
   */
  activate(): void {
    const file = this.#file;
    if (file === null || !this.standby) return;
    const { lun } = this.config;
    const action = `Cannot activate LUN ${lun}`;
    const open = fstatSync(file.fd);
    if (!this.isFile(open.dev, open.ino)) {
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
    if (this.#file !== null) unlockImage(this.#file.fd);
  }

  /** Extends what is behind the disk to `bytes`. Throws LunError or DiskFileError. */
  grow(bytes: number): void {
    const { lun, blockBytes, readOnly } = this.config;
    const action = `Cannot resize LUN ${lun} to ${bytes} bytes`;
    if (readOnly) throw new LunError(`${action}: it is read-only`);
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
    } else if (this.#file !== null) {
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
    const { lun, type, readOnly, blockBytes, cache, protectionType } = this.config;
    return {
      lun,
      type,
      state: this.standby ? 'standby' : 'attached',
      backing: this.#file?.kind ?? 'memory',
      path: this.#file?.path ?? null,
      bytes: this.bytes,
      blockBytes,
      readOnly,
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
    if (this.#file === null) return;
    // Explicitly: what io_uring holds of a file ends some time after the last descriptor and even the process.
    if (!this.standby) unlockImage(this.#file.fd);
    for (const [own, copy] of this.#reactorFds) if (this.#isCopy(copy, own)) close(copy);
    if (this.#keyFd >= 0) close(this.#keyFd);
    close(this.#file.fd);
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
    return thin ?? this.#file?.thinCapable ?? true;
  }

  #backing(): DiskSpec['backing'] {
    const bytes = imageBytesOf(this.config, this.bytes);
    if (this.#file === null) return { kind: 'memory', bytes };
    const { kind, path } = this.#file;
    const journalled = kind === 'file' && !this.config.readOnly ? path : null;
    const fd = this.#copyFor(this.#file.fd);
    const keyFd = this.#keyFd < 0 ? null : this.#copyFor(this.#keyFd);
    return { kind, fd, bytes, journalled, keyFd };
  }

  #copyFor(own: number): number {
    const copy = duplicate(own);
    this.#reactorFds.set(own, copy);
    return copy;
  }
}
