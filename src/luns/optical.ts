/** An optical drive: a logical unit of SPC and MMC commands over the sectors of a disc. */

import type {
  BlockStore,
  MediumChanger,
  ParameterStore,
  ReservationStore,
} from '../scsi/contracts.ts';
import { LogicalUnit, type UnitIdentity } from '../scsi/logical-unit.ts';
import type { MediaChangeStyle, MediumState } from '../scsi/medium.ts';
import { Burner, type BurnerOptions } from '../scsi/mmc/burn/burner.ts';
import { RecordableDisc } from '../scsi/mmc/burn/recordable-disc.ts';
import { WRITE_PARAMETERS } from '../scsi/mmc/burn/write-parameters.ts';
import type { Disc } from '../scsi/mmc/disc.ts';
import type { DiscFault } from '../scsi/mmc/disc-faults.ts';
import { FinishedDisc } from '../scsi/mmc/finished-disc.ts';
import { opticalModePages } from '../scsi/mmc/mode-pages.ts';
import { BLOCK_BYTES, OpticalDrive } from '../scsi/mmc/optical-drive.ts';
import { opticalType } from '../scsi/mmc/optical-type.ts';
import type { ModePages } from '../scsi/mode-page.ts';
import { BlockDevice } from '../scsi/sbc/block-device.ts';
import type { BouncePool } from '../scsi/sbc/bounce.ts';
import type { Target } from '../scsi/target.ts';
import type { Backing } from './backing.ts';
import { SECTORS_AT } from './disc/burn-store.ts';
import type { DiskOptions, DiskParts } from './disk.ts';
import { opticalIdentity } from './identity.ts';

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
  /** Monotonic milliseconds, which audio is played by; absent: those of the process. */
  readonly now?: () => number;
  /** Reading and writing take the time of the speed that was chosen. */
  readonly paced?: boolean;
  /** What always goes wrong. */
  readonly faults?: readonly DiscFault[];
  /** It writes as well; null or absent: it only reads. */
  readonly burner?: BurnerOptions | null;
}

/** The logical unit of an optical drive. The target does not know it yet (`Target.addUnit`). */
export function createOptical(
  target: Target,
  options: OpticalOptions,
  parts: OpticalParts,
): LogicalUnit {
  const { store, bounce } = parts;
  const burner = parts.burner
    ? new Burner({ ...parts.burner, ...(parts.now === undefined ? {} : { now: parts.now }) })
    : null;
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
    deviceType: opticalType({ burner: burner !== null }),
    identity: options.identity,
    block,
    optical: new OpticalDrive({
      store,
      bounce,
      disc: options.disc,
      burner,
      ...(parts.now === undefined ? {} : { now: parts.now }),
      ...(parts.paced === undefined ? {} : { paced: parts.paced }),
      ...(parts.faults === undefined ? {} : { faults: parts.faults }),
    }),
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

/** The disc that a backing is; null: it is none. */
export function discOfBacking(backing: Backing): Disc | null {
  if (backing.kind === 'recordable') return new RecordableDisc(backing.burnt.state, SECTORS_AT);
  return backing.kind === 'disc' ? new FinishedDisc(backing.layout) : null;
}

/** Bytes of user data that can be read of what is in a drive. */
export function opticalBytes({ disc }: OpticalDrive): number {
  return (disc?.blocks ?? 0) * BLOCK_BYTES;
}

/** The mode pages of an optical drive. One that only reads has no write cache. */
export function openOpticalModePages(
  parameters: ParameterStore | null,
  writes: boolean,
): ModePages {
  return opticalModePages({ writes, more: writes ? [WRITE_PARAMETERS] : [], parameters });
}

/** The logical unit of an optical drive of the daemon. The target does not know it yet (`Target.addUnit`). */
export function createDiscDrive(
  target: Target,
  options: DiskOptions,
  parts: DiskParts,
): LogicalUnit {
  const { lun, serial, naa, medium, mediaChangeStyle, paced = false, faults = [] } = options;
  const { store, bounce, modePages, reservations, mediumChanger = null, journal = null } = parts;
  const reservationStore = options.savable ? parts.reservationStore : null;
  const unit = createOptical(
    target,
    {
      lun,
      identity: opticalIdentity(serial, naa, journal !== null),
      disc: discOfBacking(options.backing),
      ...(medium === undefined ? {} : { medium }),
      ...(mediaChangeStyle === undefined ? {} : { mediaChangeStyle }),
    },
    {
      store,
      bounce,
      modePages,
      reservationStore,
      mediumChanger,
      paced,
      faults,
      burner: journal === null ? null : { journal },
    },
  );
  if (reservations !== null) unit.reservations.restore(reservations);
  return unit;
}
