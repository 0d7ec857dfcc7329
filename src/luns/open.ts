/** Opening what is behind a disk: finds or creates the image, checks it, and takes its lock. Runs in the main thread. */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  realpathSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { blockDeviceBytes, tryLock } from '../libc.ts';
import { lockImage } from './image-lock.ts';
import { lockHolder } from './lock-holder.ts';
import { atomicJournalPath } from './store/atomic-journal.ts';
import { dropJournal, settleJournal } from './store/atomic-recovery.ts';
import { deviceTraits } from './store/block.ts';
import { probeTraits } from './store/file.ts';

const NEW_IMAGE_MODE = 0o600;

export type DiskFileErrorCode =
  /** The size is no disk's, or not the one that was asked for. */
  | 'ERR_IMAGE_SIZE'
  /** Somebody else uses it. */
  | 'ERR_IMAGE_LOCKED'
  | 'ERR_IMAGE_MISSING'
  /** Neither a regular file nor a block device. */
  | 'ERR_IMAGE_KIND'
  /** What it says of a disc cannot be used. */
  | 'ERR_IMAGE_FORMAT'
  /** It can be read but not written. */
  | 'ERR_IMAGE_READ_ONLY'
  /** The operating system refused. */
  | 'ERR_IMAGE_ACCESS'
  /** The key of an encrypted disk is missing, not its own, or cannot be used. */
  | 'ERR_KEY_FILE';

/** Why a disk image cannot be attached or grown. The message says what was tried, what is wrong and what would do. */
export class DiskFileError extends Error {
  readonly code: DiskFileErrorCode;
  /** Process that holds the image, for ERR_IMAGE_LOCKED; 0 when unknown. */
  readonly holderProcessId: number;

  constructor(code: DiskFileErrorCode, message: string, holderProcessId = 0) {
    super(message);
    this.name = 'DiskFileError';
    this.code = code;
    this.holderProcessId = holderProcessId;
  }
}

export interface OpenOptions {
  readonly lun: number;
  readonly path: string;
  /** Size the image has, or is created with; absent: it exists and its size is taken. */
  readonly sizeBytes?: number;
  readonly blockBytes: number;
  readonly readOnly: boolean;
  /** What is tried, for messages; absent: `Cannot attach LUN 3`. */
  readonly action?: string;
  /** Somebody else owns the image for now: it has to exist and is not locked (`lockOpened` does that later). */
  readonly standby?: boolean;
}

export interface OpenedFile {
  /** Holds the lock, once it is taken; whoever closes it releases the image. */
  readonly fd: number;
  /** Without symbolic links. */
  readonly path: string;
  readonly bytes: number;
  readonly kind: 'file' | 'block';
  /** Discards give space back. */
  readonly thinCapable: boolean;
  /** It was made by this call. */
  readonly created: boolean;
}

/** The kernel ends the io_uring of a process that was killed some time after the process: its locks stay until then. */
const GHOST_LOCK_MS = 2000;
const GHOST_LOOK_MS = 20;
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Whether a lock's holder has ended. */
function isDead(processId: number): boolean {
  if (processId === 0) return false;
  try {
    process.kill(processId, 0);
    return false;
  } catch (error) {
    return errnoCode(error) === 'ESRCH';
  }
}

function errnoCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

class Opening {
  readonly #options: OpenOptions;
  /** `Cannot attach LUN 3: "a.img"`, how every message begins. */
  readonly #action: string;

  constructor(options: OpenOptions) {
    this.#options = options;
    const { action = `Cannot attach LUN ${options.lun}` } = options;
    this.#action = `${action}: "${options.path}"`;
  }

  run(): OpenedFile {
    const { path, readOnly } = this.#options;
    const kind = this.#kind();
    const created = kind === 'missing';
    const fd = created ? this.#create() : this.#open(kind);
    try {
      if (this.#options.standby !== true) this.lock(fd);
      if (created) this.#fill(fd);
      const isBlock = kind === 'block';
      if (!isBlock) this.#settleAtomicWrite(fd, created);
      const bytes = isBlock ? blockDeviceBytes(fd) : fstatSync(fd).size;
      this.#checkSize(bytes);
      const traits = isBlock ? deviceTraits(fd, readOnly) : probeTraits({ fd, bytes, readOnly });
      return {
        fd,
        path: realpathSync(path),
        bytes,
        kind: isBlock ? 'block' : 'file',
        thinCapable: traits.canDiscard,
        created,
      };
    } catch (error) {
      if (created) unlinkSync(path);
      closeSync(fd);
      throw error;
    }
  }

  /**
   * What a power cut left of an atomic write is finished before anybody reads the image. While somebody else owned it (standby)
   * it has been written since: then the record is dropped when the lock is taken (`lockOpened`).
   */
  #settleAtomicWrite(fd: number, created: boolean): void {
    const { readOnly, standby } = this.#options;
    if (standby === true) return;
    // What lies beside a new image belonged to an old one.
    if (created) {
      this.dropAtomicWrite();
      return;
    }
    const outcome = this.#withJournal((path) => settleJournal(path, fd, readOnly));
    if (outcome === 'needs-writing') {
      this.#fail(
        'ERR_IMAGE_READ_ONLY',
        'has an atomic write that a power cut interrupted, attach it without ro once to finish that',
      );
    }
  }

  dropAtomicWrite(): void {
    this.#withJournal(dropJournal);
  }

  #withJournal<T>(use: (imagePath: string) => T): T {
    try {
      return use(realpathSync(this.#options.path));
    } catch (error) {
      const path = atomicJournalPath(this.#options.path);
      return this.#fail(
        'ERR_IMAGE_ACCESS',
        `has a journal of atomic writes, "${path}", that cannot be used: ${errnoCode(error)}`,
      );
    }
  }

  #fail(code: DiskFileErrorCode, what: string, holder = 0): never {
    throw new DiskFileError(code, `${this.#action} ${what}`, holder);
  }

  #refused(error: unknown, what: string): never {
    this.#fail('ERR_IMAGE_ACCESS', `cannot be ${what}: ${errnoCode(error)}`);
  }

  /** Looks before it opens: opening a pipe would wait for its other end. */
  #kind(): 'file' | 'block' | 'missing' {
    const { path } = this.#options;
    let stats: ReturnType<typeof statSync>;
    try {
      stats = statSync(path);
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return 'missing';
      return this.#refused(error, 'opened');
    }
    if (stats.isFile()) return 'file';
    if (stats.isBlockDevice()) return 'block';
    const is = stats.isDirectory() ? 'a directory' : 'neither a file nor a block device';
    return this.#fail('ERR_IMAGE_KIND', `is ${is}, a disk needs a regular file or a block device`);
  }

  #create(): number {
    const { path, readOnly, sizeBytes, standby } = this.#options;
    if (standby === true) this.#fail('ERR_IMAGE_MISSING', 'does not exist, a standby image has to');
    if (readOnly) this.#fail('ERR_IMAGE_MISSING', 'does not exist, a read-only image has to');
    if (sizeBytes === undefined) {
      this.#fail('ERR_IMAGE_MISSING', 'does not exist, add size= to have it created');
    }
    this.#checkSize(sizeBytes);
    try {
      return openSync(
        path,
        constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
        NEW_IMAGE_MODE,
      );
    } catch (error) {
      if (errnoCode(error) !== 'ENOENT') return this.#refused(error, 'created');
      return this.#fail(
        'ERR_IMAGE_MISSING',
        `cannot be created, the directory "${dirname(path)}" does not exist`,
      );
    }
  }

  #open(kind: 'file' | 'block'): number {
    const { path, readOnly } = this.#options;
    if (readOnly) {
      try {
        return openSync(path, constants.O_RDONLY);
      } catch (error) {
        return this.#refused(error, 'opened');
      }
    }
    // O_EXCL on a block device refuses one that is mounted, or that another disk server has opened so.
    const flags = constants.O_RDWR | (kind === 'block' ? constants.O_EXCL : 0);
    try {
      return openSync(path, flags);
    } catch (error) {
      const code = errnoCode(error);
      if (code === 'EBUSY') return this.#busyDevice();
      if (code !== 'EACCES' && code !== 'EPERM' && code !== 'EROFS') {
        return this.#refused(error, 'opened');
      }
      return this.#fail(
        'ERR_IMAGE_READ_ONLY',
        `cannot be opened for writing (${code}), add ro to attach it read-only`,
      );
    }
  }

  #busyDevice(): never {
    const fd = openSync(this.#options.path, constants.O_RDONLY);
    const locked = !tryLock(fd, true);
    try {
      if (locked) this.#locked(fd);
    } finally {
      closeSync(fd);
    }
    this.#fail('ERR_IMAGE_LOCKED', 'is mounted or otherwise in use, unmount it first');
  }

  lock(fd: number): void {
    const { readOnly } = this.#options;
    const until = performance.now() + GHOST_LOCK_MS;
    let result = lockImage(fd, readOnly);
    while (result === 'daemon' && performance.now() < until && isDead(lockHolder(fd).processId)) {
      Atomics.wait(NEVER, 0, 0, GHOST_LOOK_MS);
      result = lockImage(fd, readOnly);
    }
    if (result === 'daemon') this.#locked(fd);
    if (result === 'qemu') {
      const remedy = 'detach it there, or attach it standby and use ringscsi takeover';
      this.#fail('ERR_IMAGE_LOCKED', `is in use by a QEMU, ${remedy}`);
    }
  }

  #locked(fd: number): never {
    const { processId, command } = lockHolder(fd);
    let who = 'a process that cannot be seen from here';
    if (processId === process.pid) who = `this process (${processId})`;
    else if (processId > 0) who = `process ${processId}${command === '' ? '' : ` (${command})`}`;
    const remedy = 'detach it there, or attach it with ro on both sides';
    this.#fail('ERR_IMAGE_LOCKED', `is in use by ${who}, ${remedy}`, processId);
  }

  /** Gives a new image its size: a hole, whose reads are zeros. Size and name are on stable storage afterwards. */
  #fill(fd: number): void {
    try {
      ftruncateSync(fd, this.#options.sizeBytes ?? 0);
      fsyncSync(fd);
      const directory = openSync(dirname(this.#options.path), constants.O_RDONLY);
      fsyncSync(directory);
      closeSync(directory);
    } catch (error) {
      this.#refused(error, `given ${this.#options.sizeBytes} bytes`);
    }
  }

  #checkSize(bytes: number): void {
    const { blockBytes, sizeBytes } = this.#options;
    if (bytes === 0) {
      this.#fail(
        'ERR_IMAGE_SIZE',
        `is empty, a disk image needs a multiple of ${blockBytes} bytes`,
      );
    }
    if (bytes % blockBytes !== 0) {
      this.#fail(
        'ERR_IMAGE_SIZE',
        `is ${bytes} bytes, a disk image needs a multiple of ${blockBytes}`,
      );
    }
    if (sizeBytes === undefined || sizeBytes === bytes) return;
    const remedy =
      sizeBytes > bytes ? 'leave size out, then grow it with lun resize' : 'it is never cut';
    this.#fail('ERR_IMAGE_SIZE', `is ${bytes} bytes, not the ${sizeBytes} of size=: ${remedy}`);
  }
}

/**
 * Opens the image or block device of a disk, or creates it (sparse) when it is missing and `sizeBytes` is given. Locks it
 * (flock: shared when `readOnly`, else exclusive): the lock is on the inode, so it meets the file under every name.
 * Throws DiskFileError; nothing stays open, locked or created then.
 */
export function openDiskFile(options: OpenOptions): OpenedFile {
  return new Opening(options).run();
}

/** Takes the lock of a file that was opened with `standby` and these options. Throws DiskFileError: somebody else has it. */
export function lockOpened(fd: number, options: OpenOptions): void {
  const opening = new Opening(options);
  opening.lock(fd);
  opening.dropAtomicWrite();
}

/** Extends an open regular file by a hole. Its new size is on stable storage afterwards. Throws DiskFileError. */
export function growFile(fd: number, bytes: number): void {
  const now = fstatSync(fd).size;
  if (bytes < now) {
    throw new DiskFileError(
      'ERR_IMAGE_SIZE',
      `Cannot resize to ${bytes} bytes: the image has ${now}, a disk only grows`,
    );
  }
  try {
    ftruncateSync(fd, bytes);
    fsyncSync(fd);
  } catch (error) {
    throw new DiskFileError(
      'ERR_IMAGE_ACCESS',
      `Cannot resize to ${bytes} bytes: ${errnoCode(error)}, the file system takes no file of this size`,
    );
  }
}
