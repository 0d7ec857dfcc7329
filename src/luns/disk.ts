/** A disk: a direct access block device (SPC and SBC) over a store, with everything such a logical unit is made of. */
import { assert } from '../assert.ts';
import { mapAnonymous } from '../libc.ts';
import {
  type DiscJournal,
  DONE,
  type InformationStore,
  type LogStore,
  type MediumChanger,
  type OperationStore,
  type ParameterStore,
  type ReservationStore,
} from '../scsi/contracts.ts';
import { decodeLogs, type KeptLogs } from '../scsi/log/unit-logs.ts';
import { LogicalUnit } from '../scsi/logical-unit.ts';
import type { MediaChangeStyle, MediumState } from '../scsi/medium.ts';
import type { DiscFault } from '../scsi/mmc/disc-faults.ts';
import { diskModePages, type ModePages } from '../scsi/mode-page.ts';
import { decodeReservations, type ReservationState } from '../scsi/reservations.ts';
import { BlockDevice } from '../scsi/sbc/block-device.ts';
import { BOUNCE_BYTES, type BounceBuffer, BouncePool } from '../scsi/sbc/bounce.ts';
import { diskType } from '../scsi/sbc/disk-type.ts';
import { decodePlan, MediumOperation, type OperationPlan } from '../scsi/sbc/medium-operation.ts';
import type { ProtectionType } from '../scsi/sbc/protection/information.ts';
import { Segments } from '../scsi/segments.ts';
import type { Target } from '../scsi/target.ts';
import type { Backing } from './backing.ts';
import { diskIdentity } from './identity.ts';
import { openOpticalModePages } from './optical.ts';
import type { DiskStore } from './store/disk-store.ts';

const BOUNCE_BUFFERS = 4;
const IOVEC_PAGE_BYTES = 4096;

/** Everything a disk, or an optical drive, is made from. Files were opened, checked and locked before (`openDiskFile`). */
export interface DiskOptions {
  readonly lun: number;
  readonly backing: Backing;
  readonly readOnly: boolean;
  readonly blockBytes: number;
  readonly physicalBlockBytes: number;
  readonly thin: boolean;
  /** Type of the protection information that the image has room for; absent or 0: none. Not with `thin`. */
  readonly protectionType?: ProtectionType;
  /** Initial WCE when no mode pages were saved. */
  readonly writeCache: boolean;
  readonly serial: string;
  /** NAA designator, 8 or 16 bytes. */
  readonly naa: Uint8Array;
  /** Mode pages saved by MODE SELECT with SP = 1, or null. */
  readonly savedPages: Uint8Array | null;
  /** Reservations that were to persist through power loss, or null. */
  readonly savedReservations?: Uint8Array | null;
  /** A SANITIZE that was under way, or had failed, or null. */
  readonly savedSanitize?: Uint8Array | null;
  /** Identifying information, or null. */
  readonly savedInformation?: Uint8Array | null;
  /** Logs, or null. */
  readonly savedLogs?: Uint8Array | null;
  /** Whether SP = 1 and APTPL = 1 are accepted, and (for what outlives the daemon) SANITIZE. */
  readonly savable: boolean;
  /** The medium can be removed: eject, load, prevention. */
  readonly removable?: boolean;
  /** It is an optical drive: its media are discs, and removable. */
  readonly optical?: boolean;
  /** It writes recordable discs. Only with `optical`. */
  readonly burner?: boolean;
  /** What goes wrong from the beginning on. Only with `optical`. */
  readonly faults?: readonly DiscFault[];
  /** Reading and writing take the time of the speed that was chosen. Only with `optical`. */
  readonly paced?: boolean;
  /** How its drive is found; absent: with its first medium in it. Only with `removable`. */
  readonly medium?: MediumState;
  /** How nexuses learn that a medium has gone; absent: `t10`. Only with `removable`. */
  readonly mediaChangeStyle?: MediaChangeStyle;
  /** It begins in standby: somebody else owns the image for now. */
  readonly standby?: boolean;
}

/** Bounce buffers of one disk, mapped for good: a pool whose disk has gone serves the next one. */
export function mapBouncePool(): BouncePool {
  const memory = mapAnonymous(IOVEC_PAGE_BYTES + BOUNCE_BUFFERS * BOUNCE_BYTES);
  const view = new Uint8Array(memory.buffer);
  const buffers: BounceBuffer[] = [];
  for (let i = 0; i < BOUNCE_BUFFERS; i += 1) {
    const iovecAt = i * Segments.iovecBytes(1);
    const words = new Uint32Array(memory.buffer, iovecAt, Segments.iovecBytes(1) / 4);
    const segments = new Segments({ words, address: memory.address + iovecAt });
    const at = IOVEC_PAGE_BYTES + i * BOUNCE_BYTES;
    segments.append({ view, address: memory.address }, at, BOUNCE_BYTES);
    buffers.push({ segments, bytes: view.subarray(at, at + BOUNCE_BYTES) });
  }
  return new BouncePool(buffers);
}

/** The mode pages of a unit with what was saved of them; null when the saved bytes are not of their layout. */
export function openModePages(
  options: DiskOptions,
  parameters: ParameterStore | null,
): ModePages | null {
  const kept = options.savable ? parameters : null;
  const pages =
    options.optical === true
      ? openOpticalModePages(kept, options.burner === true)
      : diskModePages({
          writeCacheEnabled: options.writeCache,
          protection: (options.protectionType ?? 0) > 0,
          parameters: kept,
          savesLogs: options.savable,
        });
  return options.savedPages === null || pages.load(options.savedPages) ? pages : null;
}

/** What was kept of the reservations of a disk: null when nothing was, undefined when the bytes are none of ours. */
export function savedReservations({
  savedReservations: bytes,
}: DiskOptions): ReservationState | null | undefined {
  if (bytes === undefined || bytes === null || bytes.length === 0) return null;
  return decodeReservations(bytes) ?? undefined;
}

/** What was being done to a medium, and whether it had failed. */
export interface InterruptedOperation {
  readonly plan: OperationPlan;
  readonly failed: boolean;
}

/** What was kept of a SANITIZE: null when nothing was, undefined when the bytes are none of ours. */
export function savedSanitize({
  savedSanitize: bytes,
}: DiskOptions): InterruptedOperation | null | undefined {
  if (bytes === undefined || bytes === null || bytes.length === 0) return null;
  return decodePlan(bytes) ?? undefined;
}

/** What was kept of the logs of a disk: null when nothing was, undefined when the bytes are none of ours. */
export function savedLogs({ savedLogs: bytes }: DiskOptions): KeptLogs | null | undefined {
  if (bytes === undefined || bytes === null) return null;
  return decodeLogs(bytes) ?? undefined;
}

/** A SANITIZE that a restart interrupted begins again; a failure is still one. */
export function resumeSanitize(unit: LogicalUnit, { plan, failed }: InterruptedOperation): void {
  if (unit.block === null) return;
  const operation = new MediumOperation(unit, unit.block, plan, () => undefined);
  if (failed) operation.fail();
  else operation.start();
}

/** Memory is gone with the daemon, and what is done to it, or written on it. */
const NOTHING_TO_KEEP: OperationStore & InformationStore = { save: () => DONE };

/** Where something of a disk is kept that has to outlive a restart if the disk does. */
function storeOf<S>(options: DiskOptions, kept: S): S | typeof NOTHING_TO_KEEP | null {
  if (options.backing.kind === 'memory') return NOTHING_TO_KEEP;
  return options.savable ? kept : null;
}

export interface DiskParts {
  readonly store: DiskStore;
  readonly bounce: BouncePool;
  readonly modePages: ModePages;
  readonly reservationStore: ReservationStore | null;
  /** What was reserved when the power was lost. */
  readonly reservations: ReservationState | null;
  readonly operationStore: OperationStore | null;
  readonly informationStore: InformationStore | null;
  readonly logStore: LogStore | null;
  /** The drive of a removable disk; null or absent: its medium stays there. */
  readonly mediumChanger?: MediumChanger | null;
  /** Of a burner. */
  readonly journal?: DiscJournal | null;
}

/** The logical unit of a disk. The target does not know it yet (`Target.addUnit`). */
export function createDisk(target: Target, options: DiskOptions, parts: DiskParts): LogicalUnit {
  const { blockBytes, physicalBlockBytes, thin, protectionType: protection = 0 } = options;
  assert(!thin || protection === 0, 'a disk with protection information is not thin');
  const removable = options.removable === true;
  const block = new BlockDevice(parts.store, {
    blockBytes,
    physicalBlockBytes,
    thin,
    protectionType: protection,
    // A drive has the commands that every medium can serve, whichever is in it first.
    atomic: !removable,
    anchor: !removable,
    bounce: parts.bounce,
  });
  const operations = storeOf(options, parts.operationStore);
  const information = storeOf(options, parts.informationStore);
  const atomic = block.maxAtomicBlocks > 0;
  const unit = new LogicalUnit({
    target,
    lun: options.lun,
    deviceType: diskType({
      thin,
      anchor: block.anchors,
      removable,
      atomic,
      sanitize: operations !== null,
      encrypted: parts.store.key !== null,
      information: information !== null,
      protection,
    }),
    removable,
    mediumChanger: parts.mediumChanger ?? null,
    ...(options.medium === undefined ? {} : { medium: options.medium }),
    ...(options.mediaChangeStyle === undefined
      ? {}
      : { mediaChangeStyle: options.mediaChangeStyle }),
    operationStore: operations,
    informationStore: information,
    identity: diskIdentity(options.serial, options.naa),
    block,
    modePages: parts.modePages,
    reservationStore: options.savable ? parts.reservationStore : null,
    logStore: options.savable ? parts.logStore : null,
  });
  if (parts.reservations !== null) unit.reservations.restore(parts.reservations);
  unit.standby = options.standby === true;
  return unit;
}
