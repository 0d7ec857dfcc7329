/** READ(10) and READ(12): user data of sectors that have 2048 bytes of it (MMC-6 6.14, 6.15). */
import { bits, u } from '../cdb.ts';
import { command, READS_EXTENT } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { refuse } from '../parameter-data.ts';
import { NO_BUFFER } from '../sbc/access.ts';
import { BOUNCE_BYTES } from '../sbc/bounce.ts';
import { ILLEGAL_MODE_FOR_THIS_TRACK, INVALID_FIELD_IN_CDB } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import { type SectorRun, STORED_BYTES } from './disc.ts';
import { BLOCK_BYTES, discOf, MOST_BLOCKS, opticalOf } from './optical-drive.ts';
import { userDataAt } from './sector/user-data.ts';
import {
  endRead,
  endStraightRead,
  failRead,
  faultRead,
  goOn,
  positionOf,
  type Round,
  roundIn,
} from './sector-rounds.ts';

const DPO = bits(1, 4, 4);
const FUA = bits(1, 3, 3);

const POLICY = {
  data: 'in',
  medium: 'required',
  attention: 'report',
  reservation: 'reads',
  extent: READS_EXTENT,
  zeroBlocks: 'none',
} as const;

export const READ_10 = command(
  0x28,
  'READ(10)',
  10,
  // RELADR is obsolete.
  { dpo: DPO, fua: FUA, lba: u(2, 4), blocks: u(7, 2) },
  { ...POLICY, clause: 'MMC-6 6.14' },
);
export const READ_12 = command(
  0xa8,
  'READ(12)',
  12,
  { dpo: DPO, fua: FUA, lba: u(2, 4), blocks: u(6, 4), streaming: bits(10, 7, 7) },
  { ...POLICY, clause: 'MMC-6 6.15' },
);

/** Whether the sectors of a run are read by READ: the others have user data of another length. */
function hasBlocks({ form }: SectorRun): boolean {
  return form === 'mode1' || form === 'form1' || form === 'mixed';
}

/** Whoever reads does not listen any more, though the sector may be of another form than is asked for. Where no sector is nothing moves. */
export function moveHead(task: Task): void {
  const run = discOf(task).runAt(task.lba);
  if (task.blocks > 0 && run !== null) opticalOf(task).audio.moveTo(task.lba);
}

/** Address of the sector that comes next. */
export function nextLba(task: Task): number {
  return task.lba + Math.floor(task.position / BLOCK_BYTES);
}

/** What comes next of a request (`task.position` of `task.remaining` bytes of user data), or why it cannot be read. */
export function roundOf(task: Task): Round | number {
  const lba = nextLba(task);
  const run = discOf(task).runAt(lba);
  if (run !== null && !hasBlocks(run)) return ILLEGAL_MODE_FOR_THIS_TRACK;
  return roundIn(
    opticalOf(task),
    run,
    lba,
    Math.ceil((task.remaining - task.position) / BLOCK_BYTES),
  );
}

/**
 * Reads run by run. `task.position` is how many bytes are read, `task.remaining` how many the initiator has room for,
 * `task.scratch` the bounce buffer.
 */
export function read(task: Task): void {
  task.scratch = NO_BUFFER;
  if (task.blocks > MOST_BLOCKS) {
    refuse(task, INVALID_FIELD_IN_CDB);
    return;
  }
  task.lba |= 0;
  moveHead(task);
  task.dataInWanted = task.blocks * BLOCK_BYTES;
  task.position = 0;
  task.remaining = Math.min(task.dataInWanted, task.dataIn.bytes);
  opticalOf(task).paceRead(task, task.blocks, next);
}

function next(task: Task): void {
  let round = roundOfRest(task);
  while (typeof round === 'object' && round !== null && round.run.stored === 'nothing') {
    const bytes = Math.min(round.blocks * BLOCK_BYTES, task.remaining - task.position);
    task.dataIn.zero(task.position, bytes);
    task.position += bytes;
    round = roundOfRest(task);
  }
  if (round === null) {
    endRead(task);
    return;
  }
  if (typeof round === 'number') {
    failRead(task, round, nextLba(task));
    return;
  }
  const { run, blocks } = round;
  const rest = task.remaining - task.position;
  if (isPlain(run) && task.position === 0 && blocks * BLOCK_BYTES >= rest) {
    readStraight(task, round);
  } else if (task.scratch === NO_BUFFER) {
    opticalOf(task).bounce.acquire(task, next);
  } else {
    readThrough(task, round);
  }
}

/** The same; null: nothing comes next. */
function roundOfRest(task: Task): Round | number | null {
  return task.position >= task.remaining || task.aborting ? null : roundOf(task);
}

/** The store has nothing between the user data of one sector and the next. */
function isPlain({ stored, strideBytes }: SectorRun): boolean {
  return stored === 'user' && strideBytes === BLOCK_BYTES;
}

/** The whole request lies in the store as it is asked for. */
function readStraight(task: Task, { run, lba }: Round): void {
  const { store } = opticalOf(task);
  const at = positionOf(run, lba);
  task.await(store.read(task, at, task.remaining, task.dataIn), straightRead);
}

function straightRead(task: Task, reply: StoreReply): void {
  endStraightRead(task, reply, task.lba, BLOCK_BYTES);
}

/** Sectors of a round that the bounce buffer holds. */
export function bouncedOf({ run, blocks }: Round): number {
  return Math.min(blocks, Math.floor(BOUNCE_BYTES / run.strideBytes));
}

function readThrough(task: Task, round: Round): void {
  const { store, bounce } = opticalOf(task);
  const { run, lba } = round;
  const at = positionOf(run, lba);
  const bytes = (bouncedOf(round) - 1) * run.strideBytes + STORED_BYTES[run.stored];
  task.await(store.read(task, at, bytes, bounce.segmentsOf(task)), readIntoBuffer);
}

function readIntoBuffer(task: Task, reply: StoreReply): void {
  const round = roundOf(task);
  if (typeof round === 'number') {
    failRead(task, round, nextLba(task));
    return;
  }
  const { run, lba } = round;
  const sectors = bouncedOf(round);
  const good = reply === DONE ? sectors : Math.floor(task.storedBytes / run.strideBytes);
  const bytes = opticalOf(task).bounce.bytesOf(task);
  for (let i = 0; i < Math.min(sectors, good); i += 1) {
    const at = userDataAt(run, bytes, i * run.strideBytes);
    if (at < 0) {
      failRead(task, ILLEGAL_MODE_FOR_THIS_TRACK, nextLba(task));
      return;
    }
    const length = Math.min(BLOCK_BYTES, task.remaining - task.position);
    task.dataIn.put(task.position, bytes, at, length);
    task.position += length;
  }
  if (reply === DONE) {
    goOn(task, next);
    return;
  }
  faultRead(task, reply, lba + good);
}
