/** Opening the key file of an encrypted disk: makes it with a new image, else finds, checks and locks it. Runs in the main thread. */
import { closeSync, constants, fstatSync, fsyncSync, openSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { tryLock } from '../libc.ts';
import { DiskFileError } from './open.ts';
import { createKey, isKeyFile } from './store/medium-key.ts';

const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

export interface KeyFileOptions {
  readonly lun: number;
  readonly path: string;
  /** The image was made just now: its key has to be made, too. */
  readonly imageIsNew: boolean;
  readonly readOnly: boolean;
}

function errnoCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function fail(options: KeyFileOptions, what: string): never {
  const { lun, path } = options;
  throw new DiskFileError('ERR_KEY_FILE', `Cannot attach LUN ${lun}: its key "${path}" ${what}`);
}

function open(options: KeyFileOptions): number {
  const { path, imageIsNew, readOnly } = options;
  const create = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
  const existing = readOnly ? constants.O_RDONLY : constants.O_RDWR;
  try {
    return openSync(path, imageIsNew ? create : existing, OWNER_ONLY);
  } catch (error) {
    const code = errnoCode(error);
    if (imageIsNew && code === 'EEXIST') {
      fail(options, 'is there already, but the image is new: name another file for the new key');
    }
    if (!imageIsNew && code === 'ENOENT') {
      fail(options, 'does not exist: name the one that was made with the image, no other reads it');
    }
    return fail(options, `cannot be ${imageIsNew ? 'made' : 'opened'}: ${code}`);
  }
}

function make(fd: number, path: string): void {
  createKey(fd);
  const directory = openSync(dirname(path), constants.O_RDONLY);
  fsyncSync(directory);
  closeSync(directory);
}

function check(fd: number, options: KeyFileOptions): void {
  const { mode } = fstatSync(fd);
  if (!fstatSync(fd).isFile()) fail(options, 'is no regular file');
  if ((mode & OTHERS) !== 0) fail(options, 'is open to other users, take that away (chmod 600)');
  if (!isKeyFile(fd)) fail(options, 'is no key file of ringscsi');
}

/**
 * Opens the key file of a disk and locks it (shared when `readOnly`): a key belongs to one image, or erasing it would erase
 * another one with it. Throws DiskFileError; nothing stays open or made then.
 */
export function openKeyFile(options: KeyFileOptions): number {
  const { path, imageIsNew, readOnly } = options;
  const fd = open(options);
  try {
    if (!tryLock(fd, readOnly)) fail(options, 'is in use: each disk has a key of its own');
    if (imageIsNew) make(fd, path);
    check(fd, options);
    return fd;
  } catch (error) {
    if (imageIsNew) unlinkSync(path);
    closeSync(fd);
    if (error instanceof DiskFileError) throw error;
    return fail(options, `cannot be used: ${errnoCode(error)}`);
  }
}
