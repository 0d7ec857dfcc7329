/** Steps shared by the commands that read sectors: which are read in one go, faults of the store, and the end. */
import { DONE, PENDING, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import { endWithBuffer, NO_BUFFER } from '../sbc/access.ts';
import { checkTransferFault } from '../sbc/store-fault.ts';
import {
  L_EC_UNCORRECTABLE_ERROR,
  LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE,
  MEDIUM_FORMAT_CORRUPTED,
} from '../sense-codes.ts';
import type { Task } from '../task.ts';
import type { Disc, SectorRun } from './disc.ts';
import { BLOCK_BYTES, type OpticalDrive } from './optical-drive.ts';
import { BD_RE, DVD_RAM } from './profile.ts';

/** Sectors that can be read in one go. */
export interface Round {
  readonly run: SectorRun;
  readonly lba: number;
  readonly blocks: number;
}

/** Why there is nothing to read: a DVD-RAM or BD-RE has to be formatted before there is anything. */
function absence(disc: Disc | null): number {
  const { recordable, profile } = disc ?? {};
  const needsFormat = profile === DVD_RAM || profile === BD_RE;
  return needsFormat && recordable?.overwritable === false
    ? MEDIUM_FORMAT_CORRUPTED
    : LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE;
}

/** As many of `blocks` sectors from `lba` as `run` (that around `lba`) has and can be read, or (sense) why the first cannot. */
export function roundIn(
  { faults, disc }: OpticalDrive,
  run: SectorRun | null,
  lba: number,
  blocks: number,
): Round | number {
  if (run === null) return absence(disc);
  const most = Math.min(blocks, run.first + run.blocks - lba);
  const bad = faults.firstIn('read', lba, most);
  if (bad !== lba) return { run, lba, blocks: bad === null ? most : bad - lba };
  faults.met('read', lba);
  return L_EC_UNCORRECTABLE_ERROR;
}

/** Byte of the store where a sector begins. */
export function positionOf(run: SectorRun, lba: number): number {
  return run.position + (lba - run.first) * run.strideBytes;
}

/** Pieces that are read one in the other while the store answers at once: the first, and those that go on from it. */
const MOST_PIECES = 64;
let nested = 0;

/**
 * Goes on with the next piece. A store that answers at once calls back from inside: after so many pieces others have their turn, and the
 * stack is empty again.
 */
export function goOn(task: Task, next: (task: Task) => void): void {
  if (nested >= MOST_PIECES - 1) {
    task.await(PENDING, next);
    unitOf(task).target.timers.after(0, () => task.stored(DONE));
    return;
  }
  nested += 1;
  try {
    next(task);
  } finally {
    nested -= 1;
  }
}

/** Ends a command whose `task.position` bytes are read; `task.scratch` is its bounce buffer or none. */
export function endRead(task: Task): void {
  task.dataInMoved = task.position;
  if (task.scratch === NO_BUFFER) unitOf(task).finish(task);
  else endWithBuffer(task);
}

/** Ends it at the sector that comes next. */
export function failRead(task: Task, sense: number, lba: number): void {
  task.check(sense, lba >>> 0);
  endRead(task);
}

/** Ends it with a fault of the store at sector `lba`. */
export function faultRead(task: Task, fault: StoreReply, lba: number): void {
  task.storedBytes = 0;
  checkTransferFault(task, fault, (lba >>> 0) * BLOCK_BYTES);
  endRead(task);
}

/** Ends a command whose sectors were read straight into the data-in buffer, `sectorBytes` each, from `lba`. */
export function endStraightRead(
  task: Task,
  reply: StoreReply,
  lba: number,
  sectorBytes: number,
): void {
  if (reply === DONE) {
    task.position = task.remaining;
    endRead(task);
    return;
  }
  task.position = Math.min(task.storedBytes, task.remaining);
  faultRead(task, reply, lba + Math.floor(task.storedBytes / sectorBytes));
}
