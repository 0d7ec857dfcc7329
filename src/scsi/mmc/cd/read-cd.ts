/** READ CD and READ CD MSF: any part of the sectors of a CD, C2 error pointers and sub-channels (MMC-6 6.20, 6.21). */
import { bits, type CdbField, field, u } from '../../cdb.ts';
import { command, READS_EXTENT, READS_UNIT } from '../../command-table.ts';
import { DONE, type StoreReply } from '../../contracts.ts';
import { refuse } from '../../parameter-data.ts';
import { NO_BUFFER, refuseField } from '../../sbc/access.ts';
import { BOUNCE_BYTES } from '../../sbc/bounce.ts';
import { cdbPointer, NONE } from '../../sense.ts';
import {
  CANNOT_READ_MEDIUM_INCOMPATIBLE_FORMAT,
  ILLEGAL_MODE_FOR_THIS_TRACK,
  INVALID_FIELD_IN_CDB,
} from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import {
  type Disc,
  type SectorForm,
  type SectorRun,
  STORED_BYTES,
  SUB_CHANNEL_BYTES,
} from '../disc.ts';
import { discOf, MOST_BLOCKS, opticalOf } from '../optical-drive.ts';
import { familyOf } from '../profile.ts';
import { FRAME_BYTES } from '../sector/frame.ts';
import { lbaOf, wrongPart } from '../sector/msf.ts';
import { CHANNEL_P, CHANNEL_Q, getChannel, R_TO_W } from '../sector/sub-channel.ts';
import {
  endRead,
  endStraightRead,
  failRead,
  faultRead,
  goOn,
  positionOf,
  type Round,
  roundIn,
} from '../sector-rounds.ts';
import { EDC_ECC, isNoSelection, selectedPart } from './main-channel.ts';
import { sectorsAt } from './position.ts';
import { type FrameForm, readFrame, readSubChannels } from './sector-reader.ts';

/** Common to both CDBs. DAP asks for audio as a player would give it; samples are given as they are. */
const EXPECTED = bits(1, 4, 2);
const DAP = bits(1, 1, 1);
const SELECTION = bits(9, 7, 3);
const C2 = bits(9, 2, 1);
const SUB_CHANNEL = bits(10, 2, 0);
const COMMON = {
  expected: EXPECTED,
  dap: DAP,
  selection: SELECTION,
  c2: C2,
  subChannel: SUB_CHANNEL,
};
const POLICY = {
  data: 'in',
  medium: 'required',
  attention: 'report',
  reservation: 'reads',
  zeroBlocks: 'none',
} as const;

export const READ_CD = command(
  0xbe,
  'READ CD',
  12,
  // RELADR is obsolete.
  { ...COMMON, lba: u(2, 4), blocks: u(6, 3) },
  { ...POLICY, extent: READS_EXTENT, clause: 'MMC-6 6.20' },
);
export const READ_CD_MSF = command(
  0xb9,
  'READ CD MSF',
  12,
  {
    ...COMMON,
    startMinute: u(3, 1),
    startSecond: u(4, 1),
    startFrame: u(5, 1),
    endMinute: u(6, 1),
    endSecond: u(7, 1),
    endFrame: u(8, 1),
  },
  { ...POLICY, extent: READS_UNIT, clause: 'MMC-6 6.21' },
);

/** EXPECTED SECTOR TYPE; 0 takes all. */
const EXPECTED_FORMS: readonly (FrameForm | null)[] = [
  null,
  'audio',
  'mode1',
  'mode2',
  'form1',
  'form2',
];

/** SUB-CHANNEL SELECTION. */
const NO_SUB_CHANNEL = 0;
const RAW_P_TO_W = 1;
const FORMATTED_Q = 2;
const RAW_R_TO_W = 4;
const FORMATTED_Q_BYTES = 16;
/** Last byte of formatted Q; bit 7 is P. */
const P_AT = 15;
const SUB_BYTES = new Map<number, number>([
  [NO_SUB_CHANNEL, 0],
  [RAW_P_TO_W, SUB_CHANNEL_BYTES],
  [FORMATTED_Q, FORMATTED_Q_BYTES],
  [RAW_R_TO_W, SUB_CHANNEL_BYTES],
]);

/** C2 ERROR CODE: a bit for each byte of the sector, and with 2 a byte that ors them and a byte of filling. No byte here is wrong. */
const C2_BYTES: readonly number[] = [0, 294, 296];

/** What is asked for of each sector. */
const expectedOf = (task: Task): FrameForm | null =>
  EXPECTED_FORMS[field(task.cdb, EXPECTED)] ?? null;
const selectionOf = (task: Task): number => field(task.cdb, SELECTION);
const subChannelOf = (task: Task): number => field(task.cdb, SUB_CHANNEL);
const besideBytes = (task: Task): number =>
  (C2_BYTES[field(task.cdb, C2)] ?? 0) + (SUB_BYTES.get(subChannelOf(task)) ?? 0);

export function readCd(task: Task): void {
  task.scratch = NO_BUFFER;
  if (task.blocks > MOST_BLOCKS) refuseField(task, READ_CD.fields.blocks);
  else read(task, task.lba | 0, task.blocks);
}

/** True, and the command has ended, when three fields are no time. */
function refuseTime(task: Task, time: readonly [CdbField, CdbField, CdbField]): boolean {
  const [minute, second, frame] = time.map((each) => field(task.cdb, each));
  const wrong = wrongPart(minute as number, second as number, frame as number);
  if (wrong === -1) return false;
  refuseField(task, time[wrong] as CdbField);
  return true;
}

export function readCdMsf(task: Task): void {
  task.scratch = NO_BUFFER;
  const { startMinute, startSecond, startFrame, endMinute, endSecond, endFrame } =
    READ_CD_MSF.fields;
  if (refuseTime(task, [startMinute, startSecond, startFrame])) return;
  if (refuseTime(task, [endMinute, endSecond, endFrame])) return;
  const at = (minute: CdbField, second: CdbField, frame: CdbField): number =>
    lbaOf(field(task.cdb, minute), field(task.cdb, second), field(task.cdb, frame));
  const first = at(startMinute, startSecond, startFrame);
  const blocks = at(endMinute, endSecond, endFrame) - first;
  if (blocks < 0 || blocks > MOST_BLOCKS) refuseField(task, endMinute);
  else read(task, first, blocks);
}

/** The field that makes no sense, or null. */
function wrongField(task: Task): CdbField | null {
  if (field(task.cdb, EXPECTED) >= EXPECTED_FORMS.length) return EXPECTED;
  const selection = selectionOf(task);
  const expected = expectedOf(task);
  if (isNoSelection(selection)) return SELECTION;
  if (expected !== null && selectedPart(selection, expected) === null) return SELECTION;
  if (field(task.cdb, C2) >= C2_BYTES.length) return C2;
  return SUB_BYTES.has(subChannelOf(task)) ? null : SUB_CHANNEL;
}

/** Most bytes that a sector of a run gives; those of a mixed one may give fewer. */
function bytesOf(selection: number, form: SectorForm): number {
  if (form === 'mixed') return Math.max(bytesOf(selection, 'form1'), bytesOf(selection, 'form2'));
  const part = selectedPart(selection, form);
  return part === null ? 0 : part.end - part.from;
}

/** Most bytes that the sectors give that are left to read. */
function bytesLeft(task: Task, disc: Disc): number {
  const selection = selectionOf(task);
  const beside = besideBytes(task);
  let wanted = 0;
  let lba = task.lba;
  let left = task.blocks;
  let form: SectorForm = expectedOf(task) ?? 'audio';
  while (left > 0) {
    const run = sectorsAt(disc, lba);
    const blocks = run === null ? left : Math.min(left, run.first + run.blocks - lba);
    if (run !== null) form = run.form;
    wanted += blocks * (bytesOf(selection, form) + beside);
    lba += blocks;
    left -= blocks;
  }
  return wanted;
}

/**
 * Reads run by run. `task.lba` and `task.blocks` are what is left to read, `task.position` how many bytes are read,
 * `task.remaining` how many the initiator has room for, `task.dataInWanted` how many there were, `task.scratch` the bounce buffer.
 */
function read(task: Task, lba: number, blocks: number): void {
  const disc = discOf(task);
  if (familyOf(disc.profile) !== 'cd') {
    refuse(task, CANNOT_READ_MEDIUM_INCOMPATIBLE_FORMAT);
    return;
  }
  const wrong = wrongField(task);
  if (wrong !== null) {
    refuseField(task, wrong);
    return;
  }
  if (blocks > 0 && sectorsAt(disc, lba) !== null) opticalOf(task).audio.moveTo(lba);
  task.lba = lba;
  task.blocks = blocks;
  task.position = 0;
  task.dataInWanted = 0;
  task.remaining = task.dataIn.bytes;
  opticalOf(task).paceRead(task, blocks, next);
}

/** What was not read would have been moved, too. */
function countRest(task: Task): void {
  task.dataInWanted += bytesLeft(task, discOf(task));
}

/** Ends the command at the sector that comes next. */
function fail(task: Task, sense: number): void {
  countRest(task);
  failRead(task, sense, task.lba);
}

/** Ends it with a fault of the store at sector `lba`. */
function fault(task: Task, reply: StoreReply, lba: number): void {
  countRest(task);
  faultRead(task, reply, lba);
}

function roundOf(task: Task): Round | number {
  return roundIn(opticalOf(task), sectorsAt(discOf(task), task.lba), task.lba, task.blocks);
}

/** All sectors are delivered, or the initiator has no room for more. */
function isDone(task: Task): boolean {
  return task.blocks === 0 || (task.position > 0 && task.position >= task.remaining);
}

function next(task: Task): void {
  while (!isDone(task) && !task.aborting) {
    const round = roundOf(task);
    if (typeof round === 'number') {
      fail(task, round);
      return;
    }
    const { run } = round;
    if (!isExpected(task, run)) {
      fail(task, ILLEGAL_MODE_FOR_THIS_TRACK);
      return;
    }
    if (isPlain(task, round)) {
      readStraight(task, round);
      return;
    }
    if (run.stored !== 'nothing' || needsStoredSub(task, run)) {
      if (task.scratch === NO_BUFFER) opticalOf(task).bounce.acquire(task, next);
      else readBounced(task, round);
      return;
    }
    if (!deliver(task, round, NOTHING, round.blocks)) return;
  }
  countRest(task);
  endRead(task);
}

const NOTHING = new Uint8Array(0);

/** Whether sectors of a run may be what is asked for; mixed ones are looked at one by one. */
function isExpected(task: Task, { form }: SectorRun): boolean {
  const expected = expectedOf(task);
  if (expected === null || expected === form) return true;
  return form === 'mixed' && (expected === 'form1' || expected === 'form2');
}

/** Whole sectors of one run lie in the store as they are asked for, and all of the request is there. */
function isPlain(task: Task, { run, blocks }: Round): boolean {
  const { stored, strideBytes, form } = run;
  if (stored !== 'raw' || strideBytes !== FRAME_BYTES || besideBytes(task) > 0) return false;
  if (task.position > 0 || blocks < task.blocks) return false;
  if (form === 'mixed' && expectedOf(task) !== null) return false;
  const part = selectedPart(selectionOf(task), form === 'mixed' ? 'form1' : form);
  return part !== null && part.end - part.from === FRAME_BYTES && task.remaining > 0;
}

function readStraight(task: Task, { run, lba, blocks }: Round): void {
  const { store } = opticalOf(task);
  task.dataInWanted = blocks * FRAME_BYTES;
  task.remaining = Math.min(task.remaining, task.dataInWanted);
  task.await(store.read(task, positionOf(run, lba), task.remaining, task.dataIn), straightRead);
}

function straightRead(task: Task, reply: StoreReply): void {
  endStraightRead(task, reply, task.lba, FRAME_BYTES);
}

/** Whether sub-channels of the run are kept and wanted. */
function needsStoredSub(task: Task, { subChannel }: SectorRun): boolean {
  return subChannel !== 'none' && subChannelOf(task) !== NO_SUB_CHANNEL;
}

/** Byte of a sector as it is kept where its sub-channels follow, or -1: they lie elsewhere. */
function subOffset({ position, strideBytes, subPosition, subStrideBytes }: SectorRun): number {
  const offset = subPosition - position;
  const isInside = offset >= 0 && offset + SUB_CHANNEL_BYTES <= strideBytes;
  return isInside && subStrideBytes === strideBytes ? offset : -1;
}

/** Sub-channels that lie elsewhere are read first, and kept at the end of the buffer. */
function needsSubRead(task: Task, run: SectorRun): boolean {
  return needsStoredSub(task, run) && (subOffset(run) < 0 || run.stored === 'nothing');
}

/** Sectors of a round that the bounce buffer holds, with sub-channels where they are read apart. */
function bouncedOf(task: Task, { run, blocks }: Round): number {
  const sub = needsSubRead(task, run) ? run.subStrideBytes : 0;
  const most = Math.floor(BOUNCE_BYTES / (run.strideBytes + sub));
  return Math.min(blocks, most);
}

function readBounced(task: Task, round: Round): void {
  if (!needsSubRead(task, round.run)) {
    readMain(task, round);
    return;
  }
  const { store, bounce } = opticalOf(task);
  const { run, lba } = round;
  const at = run.subPosition + (lba - run.first) * run.subStrideBytes;
  const bytes = (bouncedOf(task, round) - 1) * run.subStrideBytes + SUB_CHANNEL_BYTES;
  task.await(store.read(task, at, bytes, bounce.segmentsOf(task)), subRead);
}

function subRead(task: Task, reply: StoreReply): void {
  const round = roundOf(task);
  if (typeof round === 'number') {
    fail(task, round);
    return;
  }
  const { run, lba } = round;
  const sectors = bouncedOf(task, round);
  if (reply !== DONE) {
    fault(task, reply, lba + Math.floor(task.storedBytes / run.subStrideBytes));
    return;
  }
  const bytes = opticalOf(task).bounce.bytesOf(task);
  bytes.copyWithin(BOUNCE_BYTES - sectors * run.subStrideBytes, 0, sectors * run.subStrideBytes);
  readMain(task, round);
}

function readMain(task: Task, round: Round): void {
  const { store, bounce } = opticalOf(task);
  const { run, lba } = round;
  if (run.stored === 'nothing') {
    mainRead(task, DONE);
    return;
  }
  const sub = needsStoredSub(task, run) && !needsSubRead(task, run) ? subOffset(run) : -1;
  const last = sub < 0 ? STORED_BYTES[run.stored] : sub + SUB_CHANNEL_BYTES;
  const bytes = (bouncedOf(task, round) - 1) * run.strideBytes + last;
  task.await(store.read(task, positionOf(run, lba), bytes, bounce.segmentsOf(task)), mainRead);
}

function mainRead(task: Task, reply: StoreReply): void {
  const round = roundOf(task);
  if (typeof round === 'number') {
    fail(task, round);
    return;
  }
  const { run, lba } = round;
  const sectors = bouncedOf(task, round);
  const whole = reply === DONE ? sectors : Math.floor(task.storedBytes / run.strideBytes);
  const good = Math.min(whole, sectors);
  if (!deliver(task, round, opticalOf(task).bounce.bytesOf(task), good)) return;
  if (reply === DONE) goOn(task, next);
  else fault(task, reply, lba + good);
}

const frame = new Uint8Array(FRAME_BYTES);
const sub = new Uint8Array(SUB_CHANNEL_BYTES);
const formatted = new Uint8Array(FORMATTED_Q_BYTES);
const p = new Uint8Array(12);
const noErrors = new Uint8Array(296);

/** Moves bytes to the initiator, as many as it has room for. */
function put(task: Task, bytes: Uint8Array, from: number, end: number): void {
  task.dataInWanted += end - from;
  const length = Math.min(end - from, task.remaining - task.position);
  if (length <= 0) return;
  task.dataIn.put(task.position, bytes, from, length);
  task.position += length;
}

/**
 * Moves what is asked for of the first `sectors` sectors of a round, which are kept in `bytes`. False, and the command has ended,
 * when one is not what was expected.
 */
function deliver(task: Task, round: Round, bytes: Uint8Array, sectors: number): boolean {
  const { run, lba } = round;
  const disc = discOf(task);
  const expected = expectedOf(task);
  const c2 = C2_BYTES[field(task.cdb, C2)] ?? 0;
  const coded = (selectionOf(task) & EDC_ECC) !== 0;
  const apart = needsSubRead(task, run);
  const subStride = apart ? run.subStrideBytes : run.strideBytes;
  const subsAt = apart ? BOUNCE_BYTES - bouncedOf(task, round) * subStride : subOffset(run);
  for (let i = 0; i < sectors && !isDone(task); i += 1) {
    const form = readFrame(run, lba + i, bytes, i * run.strideBytes, frame, coded);
    if (expected !== null && form !== expected) {
      fail(task, ILLEGAL_MODE_FOR_THIS_TRACK);
      return false;
    }
    const part = selectedPart(selectionOf(task), form);
    if (part === null) {
      countRest(task);
      task.check(INVALID_FIELD_IN_CDB, NONE, cdbPointer(SELECTION.byte, 7));
      endRead(task);
      return false;
    }
    put(task, frame, part.from, part.end);
    put(task, noErrors, 0, c2);
    if (subChannelOf(task) !== NO_SUB_CHANNEL) {
      readSubChannels(disc, run, lba + i, bytes, subsAt + i * subStride, sub);
      putSub(task);
    }
    task.lba += 1;
    task.blocks -= 1;
  }
  return true;
}

/** Moves the sub-channels in `sub` as they are asked for. */
function putSub(task: Task): void {
  switch (subChannelOf(task)) {
    case RAW_P_TO_W:
      put(task, sub, 0, SUB_CHANNEL_BYTES);
      return;
    case FORMATTED_Q:
      formatted.fill(0);
      getChannel(sub, 0, CHANNEL_Q, formatted, 0);
      getChannel(sub, 0, CHANNEL_P, p, 0);
      formatted[P_AT] = (p[0] as number) & 0x80;
      put(task, formatted, 0, FORMATTED_Q_BYTES);
      return;
    default:
      for (let i = 0; i < SUB_CHANNEL_BYTES; i += 1) sub[i] = (sub[i] as number) & R_TO_W;
      put(task, sub, 0, SUB_CHANNEL_BYTES);
  }
}
