/** Opening what is put into an optical drive: the file of a recordable disc, or a disc image. Runs in the main thread. */
import { closeSync, existsSync } from 'node:fs';
import type { MediumKind } from '../../scsi/mmc/burn/media.ts';
import { RecordableDisc } from '../../scsi/mmc/burn/recordable-disc.ts';
import { BLOCK_BYTES } from '../../scsi/mmc/optical-drive.ts';
import { unlockImage } from '../image-lock.ts';
import { DiskFileError, type OpenedFile, openDiskFile } from '../open.ts';
import {
  type BurnStore,
  burnStoreOf,
  createBurnStore,
  isBurnStore,
  SECTORS_AT,
} from './burn-store.ts';
import { DiscImageError } from './disc-image.ts';
import { type DiscOptions, formatError, type OpenedDisc, openDisc } from './open-disc.ts';

export interface OpenedRecordable {
  readonly kind: 'recordable';
  /** Without symbolic links. */
  readonly path: string;
  /** In a burner: what the medium has room for; elsewhere the user data that can be read of it. */
  readonly bytes: number;
  /** The one it is in. */
  readonly files: readonly [OpenedFile];
  readonly burnt: BurnStore;
}

export interface OpticalMediumOptions extends DiscOptions {
  /** A recordable disc is opened for writing, and nobody else has it meanwhile. */
  readonly writes: boolean;
  /** What it has to be; absent: whatever there is. */
  readonly media?: MediumKind;
  /** When there is nothing, a blank medium of this kind is made. */
  readonly creates?: boolean;
}

/** A recordable disc that is read shares its lock with other readers; one that is written is locked against everybody. */
function openRecordable(options: OpticalMediumOptions): OpenedRecordable {
  const { lun, path, action, writes, media } = options;
  options.check(path, !writes);
  const file = openDiskFile({ lun, path, blockBytes: 1, readOnly: !writes, action });
  try {
    // Its state is what it is now that nobody else writes it.
    const burnt = burnStoreOf(file.path, file.fd);
    if (media !== undefined && media !== burnt.kind) throw otherMedium(options, burnt.kind);
    const disc = new RecordableDisc(burnt.state, SECTORS_AT);
    const bytes = (writes ? disc.facts.blocks : disc.blocks) * BLOCK_BYTES;
    return { kind: 'recordable', path: file.path, bytes, files: [file], burnt };
  } catch (error) {
    unlockImage(file.fd);
    closeSync(file.fd);
    throw error instanceof DiscImageError ? formatError(action, error) : error;
  }
}

function otherMedium({ action, path, media }: OpticalMediumOptions, is: string): DiskFileError {
  return new DiskFileError(
    'ERR_IMAGE_FORMAT',
    `${action}: "${path}" is a ${is}, not the ${media} of media=: leave media out, or name another file`,
  );
}

function create({ action, path }: OpticalMediumOptions, media: MediumKind): void {
  try {
    createBurnStore(path, media);
  } catch (error) {
    throw error instanceof DiscImageError ? formatError(action, error) : error;
  }
}

/** Opens and locks what is at a path, or is made there. Throws DiskFileError, or what `check` throws; nothing is open then. */
export function openOpticalMedium(options: OpticalMediumOptions): OpenedDisc | OpenedRecordable {
  const { path, media, creates = false } = options;
  if (creates && media !== undefined && !existsSync(path)) create(options, media);
  if (isBurnStore(path)) return openRecordable(options);
  const disc = openDisc(options);
  if (media === undefined) return disc;
  for (const { fd } of disc.files) {
    unlockImage(fd);
    closeSync(fd);
  }
  throw otherMedium(options, 'disc image');
}
