/** WRITE(10), WRITE(12), and WRITE AND VERIFY(10) of discs (MMC-6 6.44 to 6.46). */
import { assert } from '../../../assert.ts';
import { bits, field, u } from '../../cdb.ts';
import { command, WRITES_UNIT } from '../../command-table.ts';
import { DONE, type StoreReply } from '../../contracts.ts';
import { nexusOf, refuse, unitOf } from '../../parameter-data.ts';
import { endWithBuffer, NO_BUFFER, noteCached } from '../../sbc/access.ts';
import { BOUNCE_BYTES } from '../../sbc/bounce.ts';
import { checkFlushFault, checkTransferFault } from '../../sbc/store-fault.ts';
import { firstDifference } from '../../sbc/verify.ts';
import {
  ILLEGAL_MODE_FOR_THIS_TRACK,
  INVALID_ADDRESS_FOR_WRITE,
  INVALID_FIELD_IN_CDB,
  MISCOMPARE_DURING_VERIFY_OPERATION,
  SESSION_FIXATION_ERROR,
  WRITE_ERROR,
} from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { STORED_BYTES } from '../disc.ts';
import { BLOCK_BYTES, MOST_BLOCKS, opticalOf } from '../optical-drive.ts';
import { goOn } from '../sector-rounds.ts';
import type { Burner } from './burner.ts';
import {
  burnerOf,
  parametersOf,
  recordableOf,
  seenState,
  testsWriting,
  writesWholeDisc,
} from './burnt.ts';
import { afterInterruption, type DiscState, isOverwritable } from './disc-state.ts';
import { RawRecording } from './raw-recording.ts';
import { RecordableDisc, slotBytesOf } from './recordable-disc.ts';
import type { Recording } from './recording.ts';
import { nextTrack, openTracks } from './transitions.ts';
import { RAW, SESSION_AT_ONCE, type WriteParameters } from './write-parameters.ts';
import { afterWrite, bytesOfPlan, type Piece, planWrite } from './write-plan.ts';
import type { WriteUnderWay } from './write-under-way.ts';
import { comparableBytes, keptBytes, seal, sentAt } from './xa-sectors.ts';

const FUA = bits(1, 3, 3);
const DPO = bits(1, 4, 4);
const BYTCHK = bits(1, 1, 1);

const POLICY = {
  data: 'out',
  medium: 'required',
  attention: 'report',
  reservation: 'writes',
  // Where it writes follows from what was written before: one at a time, in order.
  extent: WRITES_UNIT,
  writes: true,
} as const;

export const WRITE_10 = command(
  0x2a,
  'WRITE(10)',
  10,
  // RELADR and EBP are obsolete.
  { dpo: DPO, fua: FUA, lba: u(2, 4), blocks: u(7, 2) },
  { ...POLICY, clause: 'MMC-6 6.44' },
);
export const WRITE_12 = command(
  0xaa,
  'WRITE(12)',
  12,
  { dpo: DPO, fua: FUA, lba: u(2, 4), blocks: u(6, 4), streaming: bits(10, 7, 7) },
  { ...POLICY, clause: 'MMC-6 6.45' },
);
export const WRITE_AND_VERIFY_10 = command(
  0x2e,
  'WRITE AND VERIFY(10)',
  10,
  { dpo: DPO, bytchk: BYTCHK, lba: u(2, 4), blocks: u(7, 2) },
  { ...POLICY, clause: 'MMC-6 6.46' },
);

/** The WRITE that runs. */
function writeOf(task: Task): WriteUnderWay {
  const { write: underWay } = burnerOf(task);
  assert(underWay !== null, 'a WRITE that runs is known to its burner');
  return underWay;
}

/** The disc of a WRITE under way. */
function discOf(task: Task): RecordableDisc {
  const { disc } = opticalOf(task);
  assert(disc instanceof RecordableDisc, 'a WRITE under way has a disc that can be written to');
  return disc;
}

/** A raw recording that a write begins, or null: this is none. */
function newRawRecording(
  disc: RecordableDisc,
  state: DiscState,
  parameters: WriteParameters,
): RawRecording | null {
  const leadIn = disc.nextLeadIn;
  const mayBegin = openTracks(state).length === 0 && nextTrack(state) !== null;
  if (parameters.type !== RAW || leadIn === null || !mayBegin) return null;
  return new RawRecording(state, leadIn, parameters);
}

/**
 * The recording that a write goes on with; null: none. A cue sheet that nothing was written by is void when the host goes on with
 * another write type, or with a test that it was not for; a test is when that is over.
 */
function currentRecording(
  { recording }: Burner,
  { type, test }: WriteParameters,
): Recording | null {
  if (recording === null) return null;
  const isOther = type !== SESSION_AT_ONCE && type !== RAW;
  const isVoid = !recording.begun && (isOther || recording.test !== test);
  return isVoid || (recording.test && !test) ? null : recording;
}

/** What a write would do, or sense that says why it must not; nothing has happened yet. */
function planned(
  burner: Burner,
  disc: RecordableDisc,
  parameters: WriteParameters,
  lba: number,
  blocks: number,
): Pick<WriteUnderWay, 'plan' | 'recording'> | number {
  const state = seenState(burner, disc, parameters);
  const recording =
    currentRecording(burner, parameters) ?? newRawRecording(disc, state, parameters);
  let plan =
    recording === null
      ? planWrite(state, lba, blocks, parameters)
      : recording.plan(state, lba, blocks);
  if (plan === INVALID_ADDRESS_FOR_WRITE && recording === null && burner.shadow !== null) {
    // A test may begin again where the disc really is.
    plan = planWrite(disc.state, lba, blocks, parameters);
  }
  return typeof plan === 'number' ? plan : { plan, recording };
}

/** WRITE(10), WRITE(12), WRITE AND VERIFY(10). */
export function write(task: Task): void {
  const disc = recordableOf(task);
  if (disc === null) return;
  const { row } = task;
  assert(row !== null && row.lba !== null && row.blocks !== null, 'a WRITE names blocks');
  const lba = field(task.cdb, row.lba) | 0;
  const blocks = field(task.cdb, row.blocks);
  if (blocks > MOST_BLOCKS) {
    refuse(task, INVALID_FIELD_IN_CDB);
    return;
  }
  if (blocks === 0) {
    unitOf(task).finish(task);
    return;
  }
  const parameters = parametersOf(task);
  const made = planned(burnerOf(task), disc, parameters, lba, blocks);
  if (typeof made === 'number') {
    task.check(made, lba >>> 0);
    unitOf(task).finish(task);
    return;
  }
  begin(task, disc, made, blocks);
}

function begin(
  task: Task,
  disc: RecordableDisc,
  { plan, recording }: Pick<WriteUnderWay, 'plan' | 'recording'>,
  blocks: number,
): void {
  task.dataOutWanted = bytesOfPlan(plan);
  // A disc that is written once takes no part of a transfer.
  if (task.dataOut.bytes < task.dataOutWanted) {
    refuse(task, INVALID_FIELD_IN_CDB);
    return;
  }
  const burner = burnerOf(task);
  const parameters = parametersOf(task);
  burner.recording = recording;
  // Blocks that can be overwritten are anybody's, as those of a disk are: RESERVE and PERSISTENT RESERVE are for that.
  if (!isOverwritable(disc.state)) {
    burner.claim(task, disc, writesWholeDisc(disc.state, parameters));
  }
  const test = recording?.test ?? testsWriting(disc, parameters);
  burner.write = { plan, recording, test, piece: 0, blocks: 0, bytes: 0, closed: null };
  task.scratch = NO_BUFFER;
  opticalOf(task).paceWrite(task, blocks, open);
}

/** What a track or session at once begins with is kept before its first block. */
function open(task: Task): void {
  const { plan, test } = writeOf(task);
  if (task.aborting) {
    end(task);
  } else if (plan.opens && !test) {
    task.await(burnerOf(task).keep(task, plan.before), opened);
  } else {
    start(task);
  }
}

function opened(task: Task, reply: StoreReply): void {
  if (reply !== DONE) {
    task.check(WRITE_ERROR);
    end(task);
    return;
  }
  const { plan, recording } = writeOf(task);
  const isInterrupted = recording !== burnerOf(task).recording;
  discOf(task).adopt(isInterrupted ? afterInterruption(plan.before) : plan.before);
  start(task);
}

/** None of a transfer is written that has a block in it which cannot be: the disc stays as it was before the command, or as it was opened. */
function start(task: Task): void {
  const { faults } = opticalOf(task);
  const { plan, test } = writeOf(task);
  if (!test) {
    for (const { lba, blocks, to } of plan.pieces) {
      const bad = to === 'disc' ? faults.firstIn('write', lba, blocks) : null;
      if (bad === null) continue;
      faults.met('write', bad);
      task.check(WRITE_ERROR, bad >>> 0);
      end(task);
      return;
    }
  }
  move(task);
}

function end(task: Task): void {
  burnerOf(task).write = null;
  if (task.scratch === NO_BUFFER) unitOf(task).finish(task);
  else endWithBuffer(task);
}

/** The piece that has blocks left, or undefined. */
function pieceOf(underWay: WriteUnderWay): Piece | undefined {
  const { pieces } = underWay.plan;
  let piece = pieces[underWay.piece];
  while (piece !== undefined && (piece.bytes === 0 || underWay.blocks >= piece.blocks)) {
    underWay.piece += 1;
    underWay.blocks = 0;
    piece = pieces[underWay.piece];
  }
  return piece;
}

/** It lies in the store as the host sends it, and nobody has to look at it. */
function isStraight(task: Task, { bytes, to }: Piece): boolean {
  const { recording, plan } = writeOf(task);
  const whole = bytes === slotBytesOf(discOf(task).facts);
  return whole && to === 'disc' && recording === null && plan.pieces.length === 1;
}

/** FUA: of a disc that can be overwritten the data; of another its state must be kept, too, which is done at the end. */
function isDurable(task: Task): boolean {
  const forced = task.row !== WRITE_AND_VERIFY_10 && field(task.cdb, FUA) === 1;
  return (forced || !unitOf(task).writeCacheEnabled) && isOverwritable(discOf(task).state);
}

/** Brings the data to the disc, piece by piece. */
function move(task: Task): void {
  const underWay = writeOf(task);
  const { test, recording } = underWay;
  for (;;) {
    const piece = pieceOf(underWay);
    if (piece === undefined || task.aborting) {
      moved(task);
      return;
    }
    const disc = discOf(task);
    const { store, bounce } = opticalOf(task);
    if (test && recording === null) {
      advance(underWay, piece, piece.blocks);
      continue;
    }
    if (isStraight(task, piece)) {
      const at = disc.positionOf(piece.lba);
      task.await(store.write(task, at, task.dataOutWanted, task.dataOut, isDurable(task)), wrote);
      return;
    }
    if (task.scratch === NO_BUFFER) {
      bounce.acquire(task, move);
      return;
    }
    const slot = slotBytesOf(disc.facts);
    const count = filled(task, piece, slot);
    if (count === NONE_FILLED) {
      end(task);
      return;
    }
    if (test || piece.to === 'nowhere') {
      advance(underWay, piece, count);
      continue;
    }
    const at = disc.positionOf(piece.lba + underWay.blocks);
    const segments = bounce.segmentsOf(task);
    task.await(store.write(task, at, count * slot, segments, isDurable(task)), wrote);
    return;
  }
}

function advance(underWay: WriteUnderWay, { bytes }: Piece, blocks: number): void {
  underWay.blocks += blocks;
  underWay.bytes += blocks * bytes;
}

/** Sectors of a piece that a bounce buffer takes at once. */
function atOnce({ blocks }: WriteUnderWay, piece: Piece, slot: number): number {
  return Math.min(piece.blocks - blocks, Math.floor(BOUNCE_BYTES / slot));
}

const NONE_FILLED = -1;

/** Puts the next sectors of a piece into the bounce buffer; returns how many, or NONE_FILLED: one of them is no sector of its track. */
function filled(task: Task, piece: Piece, slot: number): number {
  const underWay = writeOf(task);
  const { recording } = underWay;
  const into = opticalOf(task).bounce.bytesOf(task);
  const { bytes, sub } = piece;
  const first = piece.lba + underWay.blocks;
  const keeps = sub ? slot : Math.min(keptBytes(piece), STORED_BYTES.raw);
  const count = atOnce(underWay, piece, slot);
  for (let i = 0; i < count; i += 1) {
    const at = i * slot;
    task.dataOut.get(underWay.bytes + i * bytes, into, at + sentAt(piece), bytes);
    recording?.look(first + i, into.subarray(at, at + bytes));
    if (!seal(piece, into, at)) {
      task.check(ILLEGAL_MODE_FOR_THIS_TRACK, (first + i) >>> 0);
      return NONE_FILLED;
    }
    into.fill(0, at + keeps, at + slot);
  }
  return count;
}

function wrote(task: Task, reply: StoreReply): void {
  const underWay = writeOf(task);
  const piece = pieceOf(underWay);
  assert(piece !== undefined, 'what was written is of a piece');
  const disc = discOf(task);
  if (reply !== DONE) {
    const good = Math.floor(task.storedBytes / slotBytesOf(disc.facts));
    task.storedBytes = 0;
    checkTransferFault(task, reply, ((piece.lba + underWay.blocks + good) >>> 0) * BLOCK_BYTES);
    end(task);
    return;
  }
  const count = isStraight(task, piece)
    ? piece.blocks
    : atOnce(underWay, piece, slotBytesOf(disc.facts));
  advance(underWay, piece, count);
  goOn(task, move);
}

/** All is written, or the command is aborted: then the disc does not know what was. */
function moved(task: Task): void {
  if (task.aborting) {
    end(task);
    return;
  }
  task.dataOutMoved = task.dataOutWanted;
  if (task.row === WRITE_AND_VERIFY_10 && !writeOf(task).test) {
    task.await(opticalOf(task).store.flush(task), flushedForVerify);
  } else {
    settle(task);
  }
}

function flushedForVerify(task: Task, reply: StoreReply): void {
  if (reply !== DONE) {
    checkFlushFault(task, reply);
    end(task);
    return;
  }
  Object.assign(writeOf(task), { piece: 0, blocks: 0, bytes: 0 });
  if (task.scratch === NO_BUFFER) opticalOf(task).bounce.acquire(task, readBack);
  else readBack(task);
}

/** What lies on the disc is what the host has sent. */
function readBack(task: Task): void {
  const underWay = writeOf(task);
  const piece = pieceOf(underWay);
  if (piece === undefined || task.aborting) {
    settle(task);
    return;
  }
  const disc = discOf(task);
  const { store, bounce } = opticalOf(task);
  const slot = slotBytesOf(disc.facts);
  const count = atOnce(underWay, piece, slot);
  if (piece.to === 'nowhere') {
    advance(underWay, piece, count);
    goOn(task, readBack);
    return;
  }
  const at = disc.positionOf(piece.lba + underWay.blocks);
  task.await(store.read(task, at, count * slot, bounce.segmentsOf(task)), compared);
}

function compared(task: Task, reply: StoreReply): void {
  const underWay = writeOf(task);
  const piece = pieceOf(underWay);
  assert(piece !== undefined, 'what was read back is of a piece');
  const slot = slotBytesOf(discOf(task).facts);
  const count = atOnce(underWay, piece, slot);
  const from = piece.lba + underWay.blocks;
  if (reply !== DONE) {
    const good = Math.floor(task.storedBytes / slot);
    task.storedBytes = 0;
    checkTransferFault(task, reply, ((from + good) >>> 0) * BLOCK_BYTES);
    end(task);
    return;
  }
  const { bytes, stored } = piece;
  const read = opticalOf(task).bounce.bytesOf(task);
  // Of raw sectors the recording may keep another form than it was sent.
  const comparable = stored !== 'raw' || underWay.recording === null;
  for (let i = 0; i < count && comparable; i += 1) {
    const at = underWay.bytes + i * bytes;
    const length = comparableBytes(piece, read, i * slot);
    if (firstDifference(task.dataOut, at, read, i * slot + sentAt(piece), length) >= 0) {
      task.check(MISCOMPARE_DURING_VERIFY_OPERATION, (from + i) >>> 0);
      end(task);
      return;
    }
  }
  advance(underWay, piece, count);
  goOn(task, readBack);
}

/** The disc knows what was written; what must be durable is, before the command ends. */
function settle(task: Task): void {
  if (task.aborting) {
    end(task);
    return;
  }
  const burner = burnerOf(task);
  const disc = discOf(task);
  const underWay = writeOf(task);
  const { plan, recording, test } = underWay;
  const after = afterWrite(plan);
  recording?.took(plan);
  const isComplete = recording?.complete === true;
  if (test) {
    if (isComplete) burner.release();
    else burner.shadow = after;
    end(task);
    return;
  }
  disc.adopt(after);
  const blocks = plan.pieces.reduce((sum, piece) => sum + piece.blocks, 0);
  const due = burner.wrote(blocks) && !isOverwritable(after);
  const forced = task.row !== WRITE_AND_VERIFY_10 && field(task.cdb, FUA) === 1;
  if (isComplete || due || (forced && !isOverwritable(after))) {
    if (isComplete) underWay.closed = recording.closed(after, parametersOf(task).nextSession);
    task.await(opticalOf(task).store.flush(task), flushed);
  } else {
    noteCached(task);
    end(task);
  }
}

function flushed(task: Task, reply: StoreReply): void {
  if (reply !== DONE) {
    checkFlushFault(task, reply);
    end(task);
    return;
  }
  const { closed, recording } = writeOf(task);
  const burner = burnerOf(task);
  if (recording !== burner.recording) {
    // Its initiator has gone meanwhile, or was told to stop: what is there is damaged.
    end(task);
    return;
  }
  if (closed !== null && opticalOf(task).faults.fails('close')) {
    // What was written is there; the session stays open, and CLOSE can be tried again.
    task.check(SESSION_FIXATION_ERROR);
    end(task);
    return;
  }
  task.await(burner.keep(task, closed ?? discOf(task).state), kept);
}

/** What is kept is what the disc is, whoever has gone meanwhile. */
function kept(task: Task, reply: StoreReply): void {
  const { closed } = writeOf(task);
  if (reply !== DONE) {
    task.check(closed === null ? WRITE_ERROR : SESSION_FIXATION_ERROR);
  } else if (closed !== null) {
    burnerOf(task).finished(discOf(task), closed);
    opticalOf(task).contentsChanged(nexusOf(task));
  }
  end(task);
}
