/** Opening the disks of a configuration with what is remembered of them: identity, size, medium, who had the image. */
import { naaOf, serialOf } from '../luns/identity.ts';
import { DiskFileError } from '../luns/open.ts';
import {
  AttachedDisk,
  type DiskBeginning,
  type DiskIdentity,
  firstMedium,
  LunError,
} from './attached-disk.ts';
import type { DiskConfig } from './config.ts';
import type { Log } from './log.ts';
import type { InventoryEntry, SavedMedium } from './state.ts';

export interface DiskOpening {
  readonly config: DiskConfig;
  /** The LUN in the last run, if there was one. */
  readonly remembered: InventoryEntry | undefined;
  /** What tells this daemon's disks from those of others. */
  readonly installation: string;
  /** The disks that are open already. */
  readonly others: Iterable<AttachedDisk>;
  readonly log: Log;
}

/** Stands for the path of what is behind an optical drive: that stays the same drive whatever disc is in it. */
const OPTICAL = 'cdrom';

/** Size of a LUN that was resized in an earlier run, as long as its configuration has not changed. */
function rememberedBytes(entry: InventoryEntry | undefined, disk: DiskConfig): number | null {
  if (entry === undefined || entry.disk.path !== disk.path) return null;
  if (entry.disk.type !== disk.type) return null;
  const same =
    entry.disk.sizeBytes === disk.sizeBytes && entry.disk.memoryBytes === disk.memoryBytes;
  return same ? entry.resizedBytes : null;
}

/** The identity of the last run, when the same thing is behind the LUN and no serial number is configured. */
function identityOf({ config, remembered, installation }: DiskOpening): DiskIdentity {
  const path = config.type === 'cdrom' ? OPTICAL : config.path;
  if (config.serial === null && remembered?.disk.serial === null) {
    const same = config.type === 'cdrom' || remembered.disk.path === config.path;
    if (same && remembered.disk.type === config.type) return remembered;
  }
  const serial = serialOf({
    installation,
    lun: config.lun,
    ...(path === null ? {} : { path }),
    ...(config.serial === null ? {} : { serial: config.serial }),
  });
  return { serial, naa: naaOf(serial) };
}

/** The medium of the last run, unless the configuration names another one since. */
function rememberedMedium({ config, remembered }: DiskOpening): SavedMedium | null {
  const medium = remembered?.medium ?? null;
  if (!config.removable || remembered === undefined || medium === null) return null;
  const { type, path, memoryBytes } = remembered.disk;
  if (type === config.type && path === config.path && memoryBytes === config.memoryBytes) {
    return { ...medium, readOnly: medium.readOnly || config.readOnly };
  }
  return null;
}

/** An image that an operator loaded must not keep the others from being served: the drive is empty then. */
function openDrive(opening: DiskOpening, open: (medium: SavedMedium | null) => AttachedDisk) {
  const { config, remembered, log } = opening;
  const medium = rememberedMedium(opening);
  if (medium === null) {
    const disk = open(null);
    // Another first medium is another medium.
    const generation = (remembered?.medium?.generation ?? 0) + 1;
    if (disk.medium !== null) disk.medium = firstMedium(config, generation);
    return disk;
  }
  try {
    return open(medium);
  } catch (error) {
    const known = error instanceof DiskFileError || error instanceof LunError;
    if (!known || medium.path === config.path) throw error;
    log.write('error', `LUN ${config.lun} is without its medium: ${error.message}`);
    return open({ ...medium, place: 'away' });
  }
}

/** Opens a disk. Throws LunError or DiskFileError; nothing is open then. */
export function openDisk(opening: DiskOpening): AttachedDisk {
  const { config, remembered, others, log } = opening;
  const resizedBytes = rememberedBytes(remembered, config);
  const identity = identityOf(opening);
  const open = (beginning: Omit<DiskBeginning, 'resizedBytes'>): AttachedDisk =>
    new AttachedDisk(config, identity, { resizedBytes, ...beginning }, others);
  if (config.removable) {
    return openDrive(opening, (medium) => open({ standby: false, medium }));
  }
  const wasActive = remembered?.active === true && remembered.disk.path === config.path;
  if (!config.standby || !wasActive) return open({ standby: config.standby, medium: null });
  try {
    return open({ standby: false, medium: null });
  } catch (error) {
    if (!(error instanceof DiskFileError) || error.code !== 'ERR_IMAGE_LOCKED') throw error;
    log.write('warn', `LUN ${config.lun} is in standby again: ${error.message}`);
    return open({ standby: true, medium: null });
  }
}
