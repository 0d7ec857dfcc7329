/** GET PERFORMANCE, SET CD SPEED and SET STREAMING: how fast the drive is, and is to be (MMC-6). */
import { bits, field, u } from '../../cdb.ts';
import { command, TOUCHES_NOTHING } from '../../command-table.ts';
import type { LogicalUnit } from '../../logical-unit.ts';
import { answer, parameterList, refuse, refuseField, unitOf } from '../../parameter-data.ts';
import { cdbBytePointer, cdbPointer, NONE, parameterBytePointer } from '../../sense.ts';
import { INVALID_FIELD_IN_PARAMETER_LIST, PARAMETER_LIST_LENGTH_ERROR } from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import type { Disc } from '../disc.ts';
import { discIn, driveOf } from '../optical-drive.ts';
import { TELLS_OF_DRIVE } from './policy.ts';

export const GET_PERFORMANCE = command(
  0xac,
  'GET PERFORMANCE',
  12,
  {
    // Of no use to a drive that is as fast as it says.
    tolerance: bits(1, 4, 3),
    write: bits(1, 2, 2),
    except: bits(1, 1, 0),
    startingLba: u(2, 4),
    maximumDescriptors: u(8, 2),
    type: u(10, 1),
  },
  TELLS_OF_DRIVE,
);

const SETS = {
  medium: 'none',
  attention: 'report',
  reservation: 'writes',
  extent: TOUCHES_NOTHING,
  burn: 'changes',
  clause: 'MMC-6',
} as const;

export const SET_CD_SPEED = command(
  0xbb,
  'SET CD SPEED',
  12,
  { rotation: bits(1, 1, 0), readSpeed: u(2, 2), writeSpeed: u(4, 2) },
  { ...SETS, data: 'none' },
);

export const SET_STREAMING = command(
  0xb6,
  'SET STREAMING',
  12,
  { type: u(8, 1), parameterListLength: u(9, 2) },
  { ...SETS, data: 'out' },
);

/** Data types of GET PERFORMANCE. */
const PERFORMANCE = 0x00;
const WRITE_SPEEDS = 0x03;
/** EXCEPT of data type 00h: only what is slower than nominal is asked for. */
const EXCEPTIONS = 2;

const HEADER_BYTES = 8;
const LENGTH_FIELD_BYTES = 4;
const WRITE = 0x02;
const EXCEPT = 0x01;
const DESCRIPTOR_BYTES = 16;

/** The last block that the disc has room for; without a disc 0. */
function lastBlock(disc: Disc | null): number {
  if (disc === null) return 0;
  return Math.max(0, (disc.recordable?.capacity ?? disc.blocks) - 1);
}

function descriptor(words: readonly [number, number, number, number]): Uint8Array {
  const view = new DataView(new ArrayBuffer(DESCRIPTOR_BYTES));
  words.forEach((word, i) => {
    view.setUint32(i * 4, word);
  });
  return new Uint8Array(view.buffer);
}

/** Nominal performance from the first block to the last: this drive is as fast everywhere. */
function nominalPerformance(unit: LogicalUnit, writes: boolean): readonly Uint8Array[] {
  const disc = discIn(unit);
  const { speeds } = driveOf(unit);
  const [fastest] = writes ? speeds.writeSteps(disc) : speeds.readSteps(disc);
  return fastest === undefined ? [] : [descriptor([0, fastest, lastBlock(disc), fastest])];
}

/** Write speed descriptors, fastest first; rotation control is the default (CLV). */
function writeSpeeds(unit: LogicalUnit): readonly Uint8Array[] {
  const disc = discIn(unit);
  const { speeds } = driveOf(unit);
  const [read = 0] = speeds.readSteps(disc);
  return speeds.writeSteps(disc).map((write) => descriptor([0, lastBlock(disc), read, write]));
}

export function getPerformance(task: Task): void {
  const { fields } = GET_PERFORMANCE;
  const unit = unitOf(task);
  const type = field(task.cdb, fields.type);
  const except = field(task.cdb, fields.except);
  const writes = field(task.cdb, fields.write) === 1;
  if (type !== PERFORMANCE && type !== WRITE_SPEEDS) {
    refuseField(task, cdbBytePointer(fields.type.byte));
    return;
  }
  if (type === PERFORMANCE && except > EXCEPTIONS) {
    refuseField(task, cdbPointer(fields.except.byte, 1));
    return;
  }
  const exceptions = type === PERFORMANCE && except === EXCEPTIONS;
  const nominal = exceptions ? [] : nominalPerformance(unit, writes);
  const all = type === WRITE_SPEEDS ? writeSpeeds(unit) : nominal;
  const returned = all.slice(0, field(task.cdb, fields.maximumDescriptors));
  const header = new Uint8Array(HEADER_BYTES);
  // It counts what there is, not what is returned.
  new DataView(header.buffer).setUint32(
    0,
    HEADER_BYTES - LENGTH_FIELD_BYTES + all.length * DESCRIPTOR_BYTES,
  );
  if (type === PERFORMANCE) header[4] = (writes ? WRITE : 0) | (exceptions ? EXCEPT : 0);
  const bytes = Uint8Array.from([...header, ...returned.flatMap((each) => [...each])]);
  answer(task, bytes, bytes.length, bytes.length);
}

/** A speed field of all ones: the fastest. */
const FASTEST = 0xffff;
const speedOf = (value: number): number => (value === FASTEST ? Number.POSITIVE_INFINITY : value);

/** Both are rounded down to what the drive has with the disc. */
export function setCdSpeed(task: Task): void {
  const { fields } = SET_CD_SPEED;
  const unit = unitOf(task);
  const { rotation } = fields;
  if (field(task.cdb, rotation) > 1) {
    refuseField(task, cdbBytePointer(rotation.byte));
    return;
  }
  driveOf(unit).speeds.choose(
    speedOf(field(task.cdb, fields.readSpeed)),
    speedOf(field(task.cdb, fields.writeSpeed)),
  );
  unit.finish(task);
}

/** Performance descriptor of SET STREAMING. */
const STREAM_DESCRIPTOR = 0x00;
const STREAM_BYTES = 28;
const RDD = 0x04;
const START_LBA = 4;
const END_LBA = 8;
const READ_SIZE = 12;
const READ_TIME = 16;
const WRITE_SIZE = 20;
const WRITE_TIME = 24;
const MS_PER_SECOND = 1000;

export function setStreaming(task: Task): void {
  const { fields } = SET_STREAMING;
  const unit = unitOf(task);
  if (field(task.cdb, fields.type) !== STREAM_DESCRIPTOR) {
    refuseField(task, cdbBytePointer(fields.type.byte));
    return;
  }
  const lengthBytes = field(task.cdb, fields.parameterListLength);
  if (lengthBytes !== STREAM_BYTES) {
    if (lengthBytes === 0) unit.finish(task);
    else refuse(task, PARAMETER_LIST_LENGTH_ERROR);
    return;
  }
  const list = parameterList(task, lengthBytes);
  if (list === null) return;
  const view = new DataView(list.buffer);
  const wrong = firstWrong(view);
  if (wrong >= 0) {
    task.check(INVALID_FIELD_IN_PARAMETER_LIST, NONE, parameterBytePointer(wrong));
  } else {
    const { speeds } = driveOf(unit);
    if ((view.getUint8(0) & RDD) !== 0) {
      speeds.choose(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    } else {
      speeds.choose(rateOf(view, READ_SIZE, READ_TIME), rateOf(view, WRITE_SIZE, WRITE_TIME));
    }
  }
  unit.finish(task);
}

/** Offset of the first field that makes no sense, or -1. */
function firstWrong(view: DataView): number {
  if ((view.getUint8(0) & RDD) !== 0) return -1;
  if (view.getUint32(START_LBA) > view.getUint32(END_LBA)) return END_LBA;
  if (view.getUint32(READ_TIME) === 0) return READ_TIME;
  return view.getUint32(WRITE_TIME) === 0 ? WRITE_TIME : -1;
}

/** kB/s of so many kB in so many milliseconds. */
function rateOf(view: DataView, size: number, time: number): number {
  return Math.floor((view.getUint32(size) * MS_PER_SECOND) / view.getUint32(time));
}
