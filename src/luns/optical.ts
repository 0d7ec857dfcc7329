/** An optical drive: a logical unit of SPC and MMC commands over the sectors of a disc. */

import type { BlockStore, MediumChanger, ReservationStore } from '../scsi/contracts.ts';
import { LogicalUnit, type UnitIdentity } from '../scsi/logical-unit.ts';
import type { MediaChangeStyle, MediumState } from '../scsi/medium.ts';
import type { Disc } from '../scsi/mmc/disc.ts';
import { BLOCK_BYTES, OpticalDrive } from '../scsi/mmc/optical-drive.ts';
import { readDrive } from '../scsi/mmc/optical-type.ts';
import type { ModePages } from '../scsi/mode-page.ts';
import { BlockDevice } from '../scsi/sbc/block-device.ts';
import type { BouncePool } from '../scsi/sbc/bounce.ts';
import type { Target } from '../scsi/target.ts';

export interface OpticalOptions {
  readonly lun: number;
  readonly identity: UnitIdentity;
  /** The disc it is found with; null: none. */
  readonly disc: Disc | null;
  /** How the drive is found; absent: with its first medium in it. */
  readonly medium?: MediumState;
  /** How nexuses learn that a medium has gone; absent: `t10`. */
  readonly mediaChangeStyle?: MediaChangeStyle;
}

export interface OpticalParts {
  readonly store: BlockStore;
  readonly bounce: BouncePool;
  readonly modePages: ModePages;
  readonly reservationStore: ReservationStore | null;
  /** Who brings other discs; null or absent: there is one, and it stays there. */
  readonly mediumChanger?: MediumChanger | null;
}

/** The logical unit of an optical drive. The target does not know it yet (`Target.addUnit`). */
export function createOptical(
  target: Target,
  options: OpticalOptions,
  parts: OpticalParts,
): LogicalUnit {
  const { store, bounce } = parts;
  const block = new BlockDevice(store, {
    blockBytes: BLOCK_BYTES,
    physicalBlockBytes: BLOCK_BYTES,
    thin: false,
    atomic: false,
    bounce,
  });
  return new LogicalUnit({
    target,
    lun: options.lun,
    deviceType: readDrive,
    identity: options.identity,
    block,
    optical: new OpticalDrive({ store, bounce, disc: options.disc }),
    modePages: parts.modePages,
    reservationStore: parts.reservationStore,
    removable: true,
    mediumChanger: parts.mediumChanger ?? null,
    ...(options.medium === undefined ? {} : { medium: options.medium }),
    ...(options.mediaChangeStyle === undefined
      ? {}
      : { mediaChangeStyle: options.mediaChangeStyle }),
  });
}
