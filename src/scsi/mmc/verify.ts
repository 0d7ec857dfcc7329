/** VERIFY(10) and VERIFY(12) of discs: reads sectors and moves nothing (MMC-6). */
import { bits, field, u } from '../cdb.ts';
import { type CommandPolicy, command, READS_EXTENT } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { unitOf } from '../parameter-data.ts';
import { endWithBuffer, NO_BUFFER } from '../sbc/access.ts';
import { checkTransferFault } from '../sbc/store-fault.ts';
import type { Task } from '../task.ts';
import { STORED_BYTES } from './disc.ts';
import { BLOCK_BYTES, opticalOf } from './optical-drive.ts';
import { bouncedOf, moveHead, nextLba, roundOf } from './read.ts';
import { goOn, positionOf, type Round } from './sector-rounds.ts';

const DPO = bits(1, 4, 4);

const POLICY: CommandPolicy = {
  data: 'none',
  medium: 'required',
  attention: 'report',
  reservation: 'reads',
  extent: READS_EXTENT,
  zeroBlocks: 'none',
  clause: 'MMC-6',
};

// BYTCHK is no field: nothing is compared.
export const VERIFY_10 = command(
  0x2f,
  'VERIFY(10)',
  10,
  { dpo: DPO, lba: u(2, 4), blocks: u(7, 2) },
  POLICY,
);
export const VERIFY_12 = command(
  0xaf,
  'VERIFY(12)',
  12,
  { dpo: DPO, lba: u(2, 4), blocks: u(6, 4) },
  POLICY,
);

/** `task.position` is how many bytes of user data were read, `task.remaining` of how many. */
export function verify(task: Task): void {
  task.lba = field(task.cdb, VERIFY_10.fields.lba) | 0;
  task.scratch = NO_BUFFER;
  task.position = 0;
  task.remaining = task.blocks * BLOCK_BYTES;
  moveHead(task);
  opticalOf(task).paceRead(task, task.blocks, next);
}

function end(task: Task): void {
  if (task.scratch === NO_BUFFER) unitOf(task).finish(task);
  else endWithBuffer(task);
}

/** Piece by piece. */
function next(task: Task): void {
  while (task.position < task.remaining && !task.aborting) {
    const round = roundOf(task);
    if (typeof round === 'number') {
      task.check(round, nextLba(task) >>> 0);
      break;
    }
    if (round.run.stored === 'nothing') {
      task.position += round.blocks * BLOCK_BYTES;
    } else if (task.scratch === NO_BUFFER) {
      opticalOf(task).bounce.acquire(task, next);
      return;
    } else {
      task.await(readPiece(task, round), pieceRead);
      return;
    }
  }
  end(task);
}

function readPiece(task: Task, round: Round): StoreReply {
  const { store, bounce } = opticalOf(task);
  const { run, lba } = round;
  const bytes = (bouncedOf(round) - 1) * run.strideBytes + STORED_BYTES[run.stored];
  return store.read(task, positionOf(run, lba), bytes, bounce.segmentsOf(task));
}

function pieceRead(task: Task, reply: StoreReply): void {
  const round = roundOf(task);
  if (typeof round === 'number') {
    // Made unreadable meanwhile.
    task.check(round, nextLba(task) >>> 0);
    end(task);
  } else if (accept(task, reply, round)) goOn(task, next);
  else end(task);
}

/** Takes one piece that was read; false when the command has its outcome. */
function accept(task: Task, reply: StoreReply, round: Round): boolean {
  if (reply === DONE) {
    task.position += bouncedOf(round) * BLOCK_BYTES;
    return true;
  }
  const good = Math.floor(task.storedBytes / round.run.strideBytes);
  task.storedBytes = 0;
  checkTransferFault(task, reply, ((round.lba + good) >>> 0) * BLOCK_BYTES);
  return false;
}
