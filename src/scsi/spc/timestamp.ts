/** REPORT TIMESTAMP and SET TIMESTAMP (SPC-4 5.16, 6.38, 6.50): milliseconds since 1970 in 48 bits, by this host until somebody sets it. */
import { performance } from 'node:perf_hooks';
import { field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { answer, nexusIndexOf, parameterList, refuseField, unitOf } from '../parameter-data.ts';
import { cdbBytePointer } from '../sense.ts';
import { TIMESTAMP_CHANGED } from '../sense-codes.ts';
import type { Task } from '../task.ts';

const LENGTH = u(6, 4);

export const REPORT_TIMESTAMP = command(
  0xa3,
  'REPORT TIMESTAMP',
  12,
  { allocationLength: LENGTH },
  {
    data: 'in',
    medium: 'none',
    attention: 'report',
    reservation: 'always',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.38',
  },
  0x0f,
);
export const SET_TIMESTAMP = command(
  0xa4,
  'SET TIMESTAMP',
  12,
  { parameterListLength: LENGTH },
  {
    data: 'out',
    medium: 'none',
    attention: 'report',
    reservation: 'writes',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.50',
  },
  0x0f,
);

/** TIMESTAMP ORIGIN. */
const BY_COMMAND = 0b010;
const BY_OTHER_MEANS = 0b011;

const DATA_BYTES = 12;
const AT = 4;
const TWO_32 = 2 ** 32;

/** A timestamp of one logical unit. */
export class Timestamp {
  /** What to add to the monotonic clock; null: this host's clock is asked. */
  #offsetMs: number | null = null;

  get origin(): number {
    return this.#offsetMs === null ? BY_OTHER_MEANS : BY_COMMAND;
  }

  /** Whole milliseconds. */
  get now(): number {
    if (this.#offsetMs === null) return Date.now();
    return Math.floor(performance.now() + this.#offsetMs);
  }

  set(milliseconds: number): void {
    this.#offsetMs = milliseconds - performance.now();
  }
}

export function reportTimestamp(task: Task): void {
  const { timestamp } = unitOf(task);
  const data = new Uint8Array(DATA_BYTES);
  const view = new DataView(data.buffer);
  view.setUint16(0, DATA_BYTES - 2);
  data[2] = timestamp.origin;
  const { now } = timestamp;
  view.setUint16(AT, Math.floor(now / TWO_32));
  view.setUint32(AT + 2, now % TWO_32);
  answer(task, data, DATA_BYTES, field(task.cdb, LENGTH));
}

/** A list of no bytes changes nothing; another length than twelve is an error of the CDB. */
export function setTimestamp(task: Task): void {
  const unit = unitOf(task);
  const lengthBytes = field(task.cdb, LENGTH);
  if (lengthBytes === 0) {
    unit.finish(task);
    return;
  }
  if (lengthBytes !== DATA_BYTES) {
    refuseField(task, cdbBytePointer(LENGTH.byte));
    return;
  }
  const list = parameterList(task, lengthBytes);
  if (list === null) return;
  const view = new DataView(list.buffer);
  unit.timestamp.set(view.getUint16(AT) * TWO_32 + view.getUint32(AT + 2));
  unit.attentionForAll(TIMESTAMP_CHANGED, nexusIndexOf(task));
  unit.finish(task);
}
