/** What the file of a medium is, found out without a drive, a lock or a change. Runs in the main thread. */
import { closeSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { factsOf, type MediumKind } from '../scsi/mmc/burn/media.ts';
import { RecordableDisc } from '../scsi/mmc/burn/recordable-disc.ts';
import type { DiscStatus } from '../scsi/mmc/disc.ts';
import { BLOCK_BYTES } from '../scsi/mmc/optical-drive.ts';
import { isBurnStore, openBurnStore, SECTORS_AT } from './disc/burn-store.ts';
import type { DiscImage } from './disc/disc-image.ts';
import { DiscImageError } from './disc/disc-image.ts';
import { formatError } from './disc/open-disc.ts';
import { type DiscFormat, discFormatOf, readDiscImage } from './disc/read-disc-image.ts';
import { DiskFileError } from './open.ts';

/** A recordable disc, a disc image by its format (`raw`: sectors with more than their user data), or the image of a disk. */
export type MediumFileKind = MediumKind | Exclude<DiscFormat, 'sectors'> | 'iso' | 'raw' | 'disk';

export interface MediumLook {
  readonly kind: MediumFileKind;
  /** Of a recordable disc what it has room for, of a disc image what can be read, of a disk all. */
  readonly bytes: number;
  /** Of a recordable disc; null: it is none. */
  readonly status: DiscStatus | null;
  /** Everything it is in, the file that was named first. */
  readonly files: readonly string[];
}

/** The smallest logical block of a disk. */
const DISK_BLOCK_BYTES = 512;
/** Volume recognition sequence: structures of 2048 bytes from byte 32 768, an identifier behind the type (ECMA-119 8.1, ECMA-167 2/9.1). */
const IDENTIFIER_AT = 16 * BLOCK_BYTES + 1;
const IDENTIFIERS: readonly string[] = ['CD001', 'BEA01'];

function hasVolume(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(5);
    readSync(fd, bytes, 0, bytes.length, IDENTIFIER_AT);
    return IDENTIFIERS.includes(String.fromCharCode(...bytes));
  } finally {
    closeSync(fd);
  }
}

function statOf(path: string, action: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new DiskFileError('ERR_IMAGE_MISSING', `${action}: "${path}" does not exist`);
    }
    throw new DiskFileError('ERR_IMAGE_ACCESS', `${action}: "${path}" cannot be used: ${code}`);
  }
}

function filesOf(path: string, { files }: DiscImage): string[] {
  return [path, ...files.map((file) => file.path).filter((each) => each !== path)];
}

function readableBytes({ layout }: DiscImage): number {
  return (layout.sessions.at(-1)?.leadOut ?? 0) * BLOCK_BYTES;
}

/** Sectors and nothing else: an ISO image, more than that of each sector, or no disc at all. */
function lookAtSectors(path: string, size: number): MediumLook {
  let image: DiscImage;
  try {
    image = readDiscImage(path);
  } catch (error) {
    if (!(error instanceof DiscImageError) || size % DISK_BLOCK_BYTES !== 0) throw error;
    return { kind: 'disk', bytes: size, status: null, files: [path] };
  }
  const isRaw = image.layout.runs[0]?.stored !== 'user';
  const isDisc = isRaw || path.toLowerCase().endsWith('.iso') || hasVolume(path);
  if (!isDisc) return { kind: 'disk', bytes: size, status: null, files: [path] };
  const kind = isRaw ? 'raw' : 'iso';
  return { kind, bytes: readableBytes(image), status: null, files: filesOf(path, image) };
}

function look(path: string, size: number): MediumLook {
  if (isBurnStore(path)) {
    const { kind, state } = openBurnStore(path);
    const { status } = new RecordableDisc(state, SECTORS_AT);
    return { kind, bytes: factsOf(kind).blocks * BLOCK_BYTES, status, files: [path] };
  }
  const kind = discFormatOf(path);
  if (kind === 'sectors') return lookAtSectors(path, size);
  const image = readDiscImage(path);
  return { kind, bytes: readableBytes(image), status: null, files: filesOf(path, image) };
}

/** Looks at the regular file at `path`; `action` begins the message. Throws DiskFileError: it is missing, or no medium. */
export function lookAtMedium(path: string, action: string): MediumLook {
  const stats = statOf(path, action);
  if (!stats.isFile()) {
    const is = stats.isDirectory() ? 'a directory' : 'no regular file';
    throw new DiskFileError(
      'ERR_IMAGE_KIND',
      `${action}: "${path}" is ${is}, a medium has to be a regular file`,
    );
  }
  if (stats.size === 0) {
    throw new DiskFileError('ERR_IMAGE_SIZE', `${action}: "${path}" is empty`);
  }
  try {
    return look(path, stats.size);
  } catch (error) {
    if (error instanceof DiscImageError) throw formatError(action, error);
    const why = error instanceof Error ? error.message : String(error);
    throw new DiskFileError('ERR_IMAGE_ACCESS', `${action}: "${path}" cannot be read: ${why}`);
  }
}
