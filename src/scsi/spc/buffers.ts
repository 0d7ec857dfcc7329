/** READ BUFFER and WRITE BUFFER: memory of a logical unit for tests of the way to it (SPC-4 6.16, 6.49). No microcode comes this way. */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import {
  answer,
  nexusIndexOf,
  parameterList,
  refuse,
  refuseField,
  unitOf,
} from '../parameter-data.ts';
import { cdbBytePointer, cdbPointer } from '../sense.ts';
import { COMMAND_SEQUENCE_ERROR, ECHO_BUFFER_OVERWRITTEN } from '../sense-codes.ts';
import type { Task } from '../task.ts';

const MODE = bits(1, 4, 0);
const BUFFER_ID = u(2, 1);
const OFFSET = u(3, 3);
const LENGTH = u(6, 3);

export const READ_BUFFER = command(
  0x3c,
  'READ BUFFER',
  10,
  { mode: MODE, bufferId: BUFFER_ID, offset: OFFSET, allocationLength: LENGTH },
  {
    data: 'in',
    medium: 'none',
    attention: 'report',
    reservation: 'reads',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.16',
  },
);
export const WRITE_BUFFER = command(
  0x3b,
  'WRITE BUFFER',
  10,
  { mode: MODE, bufferId: BUFFER_ID, offset: OFFSET, parameterListLength: LENGTH },
  {
    data: 'out',
    medium: 'none',
    attention: 'report',
    reservation: 'writes',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.49',
  },
);

/** Header and data (SPC-2 7.13.2); SPC-4 leaves it to the vendor. */
const COMBINED = 0x00;
const DATA = 0x02;
const DESCRIPTOR = 0x03;
const ECHO = 0x0a;
const ECHO_DESCRIPTOR = 0x0b;

/** The one data buffer, number 0. Any byte of it is an offset (OFFSET BOUNDARY 0). */
const DATA_BYTES = 65_536;
/** The longest that fits the 13 bits of its descriptor. */
const ECHO_BYTES = 4096;
/** Initiators whose echo is kept. */
const MAX_ECHOES = 64;
/** EBOS: who finds its echo gone is told. */
const EBOS = 0x01;

/** The buffers of one logical unit. Those of echoes are each nexus's own. */
export class Buffers {
  #data: Uint8Array | null = null;
  /** By nexus index, the oldest first. */
  readonly #echoes = new Map<number, Uint8Array>();

  /** The data buffer, made when it is first asked for. */
  get data(): Uint8Array {
    this.#data ??= new Uint8Array(DATA_BYTES);
    return this.#data;
  }

  echo(nexusIndex: number): Uint8Array | null {
    return this.#echoes.get(nexusIndex) ?? null;
  }

  /** Keeps an echo. Returns the index of the nexus whose echo had to go for it, or -1. */
  keepEcho(nexusIndex: number, bytes: Uint8Array): number {
    this.#echoes.delete(nexusIndex);
    this.#echoes.set(nexusIndex, bytes);
    if (this.#echoes.size <= MAX_ECHOES) return -1;
    const [oldest] = this.#echoes.keys();
    this.#echoes.delete(oldest as number);
    return oldest as number;
  }

  /** The nexus record is recycled. */
  forget(nexusIndex: number): void {
    this.#echoes.delete(nexusIndex);
  }

  /** Logical unit reset: nothing written is left. */
  reset(): void {
    this.#data = null;
    this.#echoes.clear();
  }
}

function descriptor(id: number): Uint8Array {
  if (id !== 0) return new Uint8Array(4);
  return Uint8Array.of(0, DATA_BYTES >> 16, (DATA_BYTES >> 8) & 0xff, DATA_BYTES & 0xff);
}

function readData(task: Task, unit: LogicalUnit): void {
  if (field(task.cdb, BUFFER_ID) !== 0) {
    refuseField(task, cdbBytePointer(BUFFER_ID.byte));
    return;
  }
  const offset = field(task.cdb, OFFSET);
  if (offset > DATA_BYTES) {
    refuseField(task, cdbBytePointer(OFFSET.byte));
    return;
  }
  const data = unit.buffers.data.subarray(offset);
  answer(task, data, data.length, field(task.cdb, LENGTH));
}

/** BUFFER ID and OFFSET are reserved. */
function readCombined(task: Task, unit: LogicalUnit): void {
  if (field(task.cdb, BUFFER_ID) !== 0) {
    refuseField(task, cdbBytePointer(BUFFER_ID.byte));
  } else if (field(task.cdb, OFFSET) !== 0) {
    refuseField(task, cdbBytePointer(OFFSET.byte));
  } else {
    const all = new Uint8Array(4 + DATA_BYTES);
    all.set(descriptor(0));
    all.set(unit.buffers.data, 4);
    answer(task, all, all.length, field(task.cdb, LENGTH));
  }
}

function readEcho(task: Task, unit: LogicalUnit): void {
  const echo = unit.buffers.echo(nexusIndexOf(task));
  if (echo === null) refuse(task, COMMAND_SEQUENCE_ERROR);
  else answer(task, echo, echo.length, field(task.cdb, LENGTH));
}

export function readBuffer(task: Task): void {
  const unit = unitOf(task);
  const allocation = field(task.cdb, LENGTH);
  switch (field(task.cdb, MODE)) {
    case COMBINED:
      readCombined(task, unit);
      return;
    case DATA:
      readData(task, unit);
      return;
    case DESCRIPTOR:
      answer(task, descriptor(field(task.cdb, BUFFER_ID)), 4, allocation);
      return;
    case ECHO:
      readEcho(task, unit);
      return;
    case ECHO_DESCRIPTOR:
      answer(task, Uint8Array.of(EBOS, 0, ECHO_BYTES >> 8, ECHO_BYTES & 0xff), 4, allocation);
      return;
    default:
      refuseField(task, cdbPointer(MODE.byte, 4));
  }
}

function writeData(task: Task, unit: LogicalUnit): void {
  const lengthBytes = field(task.cdb, LENGTH);
  const offset = field(task.cdb, OFFSET);
  if (field(task.cdb, BUFFER_ID) !== 0) {
    refuseField(task, cdbBytePointer(BUFFER_ID.byte));
  } else if (offset > DATA_BYTES) {
    refuseField(task, cdbBytePointer(OFFSET.byte));
  } else if (offset + lengthBytes > DATA_BYTES) {
    refuseField(task, cdbBytePointer(LENGTH.byte));
  } else {
    const list = parameterList(task, lengthBytes);
    if (list === null) return;
    unit.buffers.data.set(list, offset);
    unit.finish(task);
  }
}

function writeEcho(task: Task, unit: LogicalUnit): void {
  const lengthBytes = field(task.cdb, LENGTH);
  if (lengthBytes > ECHO_BYTES) {
    refuseField(task, cdbBytePointer(LENGTH.byte));
    return;
  }
  const list = parameterList(task, lengthBytes);
  if (list === null) return;
  const loser = unit.buffers.keepEcho(nexusIndexOf(task), list);
  if (loser >= 0) unit.attention.post(loser, ECHO_BUFFER_OVERWRITTEN);
  unit.finish(task);
}

export function writeBuffer(task: Task): void {
  const unit = unitOf(task);
  const mode = field(task.cdb, MODE);
  if (mode === DATA) writeData(task, unit);
  else if (mode === ECHO) writeEcho(task, unit);
  else refuseField(task, cdbPointer(MODE.byte, 4));
}
