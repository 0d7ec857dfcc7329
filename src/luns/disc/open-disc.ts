/** Opening a disc image: finds out what it is, and opens and locks every file it is in. Runs in the main thread. */
import { closeSync, realpathSync, type Stats, statSync } from 'node:fs';
import type { DiscLayout } from '../../scsi/mmc/disc.ts';
import { BLOCK_BYTES } from '../../scsi/mmc/optical-drive.ts';
import { unlockImage } from '../image-lock.ts';
import { DiskFileError, type OpenedFile, openDiskFile } from '../open.ts';
import { type DiscFile, type DiscImage, DiscImageError } from './disc-image.ts';
import { readDiscImage } from './read-disc-image.ts';

export interface OpenedDisc {
  readonly kind: 'disc';
  /** Of the image, without symbolic links. */
  readonly path: string;
  /** User data that can be read. */
  readonly bytes: number;
  /** One behind the other; each holds a lock that it shares with other readers. */
  readonly files: readonly OpenedFile[];
  readonly layout: DiscLayout;
}

export interface DiscOptions {
  readonly lun: number;
  readonly path: string;
  /** What is tried, for messages. */
  readonly action: string;
  /** Called with each file before it is opened; what it throws ends the opening. */
  readonly check: (path: string) => void;
}

function statImage({ path, action }: DiscOptions): Stats {
  try {
    return statSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENOENT') {
      throw new DiskFileError(
        'ERR_IMAGE_MISSING',
        `${action}: "${path}" does not exist, a disc image has to`,
      );
    }
    throw new DiskFileError('ERR_IMAGE_ACCESS', `${action}: "${path}" cannot be opened: ${code}`);
  }
}

function describe(options: DiscOptions): DiscImage {
  const { path, action } = options;
  const stats = statImage(options);
  if (!stats.isFile()) {
    const is = stats.isDirectory() ? 'a directory' : 'no regular file';
    throw new DiskFileError(
      'ERR_IMAGE_KIND',
      `${action}: "${path}" is ${is}, a disc image has to be a regular file`,
    );
  }
  if (stats.size === 0) {
    throw new DiskFileError(
      'ERR_IMAGE_SIZE',
      `${action}: "${path}" is empty, a disc image needs a sector of ${BLOCK_BYTES} bytes at least`,
    );
  }
  try {
    return readDiscImage(path);
  } catch (error) {
    if (!(error instanceof DiscImageError)) throw error;
    const { message } = error;
    const why = `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
    throw new DiskFileError('ERR_IMAGE_FORMAT', `${action}: ${why}`);
  }
}

function openFile({ path, bytes }: DiscFile, { lun, action, check }: DiscOptions): OpenedFile {
  check(path);
  const file = openDiskFile({ lun, path, blockBytes: 1, readOnly: true, action });
  if (file.bytes === bytes) return file;
  closeFile(file);
  throw new DiskFileError(
    'ERR_IMAGE_SIZE',
    `${action}: "${path}" has changed from ${bytes} to ${file.bytes} bytes while it was opened, wait until it is whole`,
  );
}

function closeFile({ fd }: OpenedFile): void {
  unlockImage(fd);
  closeSync(fd);
}

/** Opens and locks the files of a disc for reading. Throws DiskFileError, or what `check` throws; nothing is open then. */
export function openDisc(options: DiscOptions): OpenedDisc {
  const { layout, files } = describe(options);
  const opened: OpenedFile[] = [];
  try {
    for (const file of files) opened.push(openFile(file, options));
    const blocks = layout.sessions.at(-1)?.leadOut ?? 0;
    const path = realpathSync(options.path);
    return { kind: 'disc', path, bytes: blocks * BLOCK_BYTES, files: opened, layout };
  } catch (error) {
    for (const file of opened) closeFile(file);
    throw error;
  }
}
