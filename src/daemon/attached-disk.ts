/** A disk the daemon has opened: its file and lock, its identity, and what the reactor is told about it. */
import { Buffer } from 'node:buffer';
import { fstatSync, statSync } from 'node:fs';
import { blockDeviceBytes, close, duplicate } from '../libc.ts';
import { growFile, type OpenedFile, openDiskFile } from '../luns/open.ts';
import type { DiskConfig } from './config.ts';
import type { DiskSpec } from './reactor-messages.ts';

/** A logical unit that cannot be attached, found, resized or removed. */
export class LunError extends Error {
  readonly code = 'ERR_LUN';
}

const PHYSICAL_BLOCK_BYTES = 4096;

/** Who a disk is to initiators, the same after every restart. */
export interface DiskIdentity {
  readonly serial: string;
  /** NAA designator, 8 or 16 bytes. */
  readonly naa: Uint8Array;
}

export interface LunStatus {
  readonly lun: number;
  readonly type: 'disk';
  /** `unavailable`: remembered from an earlier run, but it cannot be opened; `why` says so. */
  readonly state: 'attached' | 'unavailable';
  readonly backing: 'file' | 'block' | 'memory' | null;
  readonly path: string | null;
  readonly bytes: number;
  readonly blockBytes: number;
  readonly readOnly: boolean;
  readonly thin: boolean;
  readonly cache: 'writeback' | 'writethrough';
  readonly serial: string;
  /** NAA designator in hexadecimal. */
  readonly naa: string;
  readonly why: string | null;
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

function openFile(
  config: DiskConfig,
  path: string,
  resizedBytes: number | null,
  others: Iterable<AttachedDisk>,
): OpenedFile {
  const other = conflict(path, config.readOnly, others);
  if (other !== null) {
    throw new LunError(
      `Cannot attach LUN ${config.lun}: "${path}" is LUN ${other.config.lun} of this daemon; remove that one first, or attach both with ro`,
    );
  }
  const sizeBytes = config.sizeBytes === null ? null : (resizedBytes ?? config.sizeBytes);
  return openDiskFile({
    lun: config.lun,
    path,
    blockBytes: config.blockBytes,
    readOnly: config.readOnly,
    ...(sizeBytes === null ? {} : { sizeBytes }),
  });
}

export class AttachedDisk {
  readonly config: DiskConfig;
  readonly identity: DiskIdentity;
  /** Size `lun resize` gave it, when that differs from how it is configured. */
  resizedBytes: number | null;
  bytes: number;
  readonly #file: OpenedFile | null;
  /** Descriptor that was made for the reactor, or -1. */
  #reactorFd = -1;

  /**
   * Opens, checks and locks what is behind the disk. `others` are the disks of this daemon.
   * Throws LunError or DiskFileError; nothing is open then.
   */
  constructor(
    config: DiskConfig,
    identity: DiskIdentity,
    resizedBytes: number | null,
    others: Iterable<AttachedDisk>,
  ) {
    this.config = config;
    this.identity = identity;
    this.resizedBytes = resizedBytes;
    this.#file = config.path === null ? null : openFile(config, config.path, resizedBytes, others);
    this.bytes = this.#file?.bytes ?? resizedBytes ?? config.memoryBytes ?? 0;
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
  spec(savedPages: Uint8Array | null, savable: boolean): DiskSpec {
    const { lun, readOnly, blockBytes, cache, thin } = this.config;
    return {
      lun,
      backing: this.#backing(),
      readOnly,
      blockBytes,
      physicalBlockBytes: Math.max(blockBytes, PHYSICAL_BLOCK_BYTES),
      thin: thin ?? this.#thinCapable(),
      writeCache: cache === 'writeback',
      serial: this.identity.serial,
      naa: this.identity.naa,
      savedPages,
      savable,
    };
  }

  /** Extends what is behind the disk to `bytes`. Throws LunError or DiskFileError. */
  grow(bytes: number): void {
    const { lun, blockBytes, readOnly } = this.config;
    const action = `Cannot resize LUN ${lun} to ${bytes} bytes`;
    if (readOnly) throw new LunError(`${action}: it is read-only`);
    if (bytes % blockBytes !== 0) {
      throw new LunError(`${action}: a multiple of its block of ${blockBytes} bytes is needed`);
    }
    if (bytes < this.bytes) {
      throw new LunError(`${action}: it has ${this.bytes}, a disk only grows`);
    }
    if (this.#file?.kind === 'block') {
      const now = blockDeviceBytes(this.#file.fd);
      if (bytes > now)
        throw new LunError(`${action}: the device has ${now}, grow the device first`);
    } else if (this.#file !== null) {
      growFile(this.#file.fd, bytes);
    }
    this.bytes = bytes;
    const configured = this.config.memoryBytes ?? this.config.sizeBytes;
    this.resizedBytes = bytes === configured ? null : bytes;
  }

  status(): LunStatus {
    const { lun, type, readOnly, blockBytes, cache, thin } = this.config;
    return {
      lun,
      type,
      state: 'attached',
      backing: this.#file?.kind ?? 'memory',
      path: this.#file?.path ?? null,
      bytes: this.bytes,
      blockBytes,
      readOnly,
      thin: thin ?? this.#thinCapable(),
      cache,
      serial: this.identity.serial,
      naa: Buffer.from(this.identity.naa).toString('hex'),
      why: null,
    };
  }

  /** Gives the file back. The reactor has removed the disk, refused it, or ended. */
  close(): void {
    if (this.#file === null) return;
    if (this.#reactorFd >= 0 && this.#isOpenHere(this.#reactorFd)) close(this.#reactorFd);
    close(this.#file.fd);
  }

  /** Whether `fd` is open and means the file: a reactor that ended left its descriptor open, others have closed it. */
  #isOpenHere(fd: number): boolean {
    try {
      const { dev, ino } = fstatSync(fd);
      const mine = fstatSync(this.#file?.fd ?? -1);
      return dev === mine.dev && ino === mine.ino;
    } catch {
      return false;
    }
  }

  #thinCapable(): boolean {
    return this.#file?.thinCapable ?? true;
  }

  #backing(): DiskSpec['backing'] {
    if (this.#file === null) return { kind: 'memory', bytes: this.bytes };
    const { kind } = this.#file;
    this.#reactorFd = duplicate(this.#file.fd);
    return { kind, fd: this.#reactorFd, bytes: this.bytes };
  }
}
