/** Parameter lists of PERSISTENT RESERVE OUT (SPC-4 6.16.3, 6.16.4), copied, then checked whole. */
import { unitOf } from '../parameter-data.ts';
import { RELATIVE_TARGET_PORT } from '../reservations.ts';
import { NONE, parameterBytePointer, parameterPointer } from '../sense.ts';
import { INVALID_FIELD_IN_PARAMETER_LIST, PARAMETER_LIST_LENGTH_ERROR } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import { transportIdBytes } from '../transport-id.ts';

export interface NamedPort {
  /** 32 hexadecimal digits. */
  readonly port: string;
  readonly transportId: Uint8Array;
}

/** What a parameter list asks for. */
export interface Asked {
  readonly key: bigint;
  readonly actionKey: bigint;
  readonly aptpl: boolean;
  readonly allTargetPorts: boolean;
  /** SPEC_I_PT: initiator ports are named. */
  readonly specifiesPorts: boolean;
  /** REGISTER AND MOVE, UNREG: the mover's registration ends. */
  readonly unregisters: boolean;
  /** Initiator ports that are named. */
  readonly ports: readonly NamedPort[];
}

/** How a command ends instead: a status without sense data, or (status 0) CHECK CONDITION. */
export interface Refusal {
  readonly status: number;
  readonly sense: number;
  readonly pointer: number;
}

const BASIC_BYTES = 24;
const FLAGS_AT = 20;
const SPEC_I_PT = 0x08;
const ALL_TG_PT = 0x04;
const APTPL = 0x01;
const IDS_LENGTH_AT = 24;
const IDS_AT = 28;

const MOVE_FLAGS_AT = 17;
const UNREG = 0x02;
const MOVE_PORT_AT = 18;
const MOVE_LENGTH_AT = 20;
const MOVE_ID_AT = 24;
/** More TransportIDs than a target has nexuses make no sense. */
const MAX_LIST_BYTES = 0x10000;

const wrong = (pointer: number): Refusal => ({
  status: 0,
  sense: INVALID_FIELD_IN_PARAMETER_LIST,
  pointer,
});
const WRONG_LENGTH: Refusal = { status: 0, sense: PARAMETER_LIST_LENGTH_ERROR, pointer: NONE };

/** The list, copied; null when it is shorter than a list can be, longer than it may be, or did not arrive whole. */
function copy(task: Task, lengthBytes: number): Uint8Array | null {
  task.dataOutWanted = lengthBytes;
  task.dataOutMoved = Math.min(lengthBytes, task.dataOut.bytes);
  if (lengthBytes < BASIC_BYTES || lengthBytes > MAX_LIST_BYTES) return null;
  if (task.dataOut.bytes < lengthBytes) return null;
  const list = new Uint8Array(lengthBytes);
  task.dataOut.get(0, list, 0, lengthBytes);
  return list;
}

/** The ports named from `at` to `end`, or the offset of what names none. */
function readPorts(task: Task, list: Uint8Array, at: number, end: number): NamedPort[] | number {
  const { transportIds } = unitOf(task).target;
  const ports: NamedPort[] = [];
  for (let next = at; next < end; ) {
    const bytes = transportIdBytes(list, next);
    if (bytes === 0 || next + bytes > end) return next;
    const transportId = list.slice(next, next + bytes);
    const port = transportIds.decode(transportId);
    if (port === null) return next;
    ports.push({ port, transportId });
    next += bytes;
  }
  return ports;
}

function keepsWithoutStore(task: Task, flags: number): boolean {
  return (flags & APTPL) !== 0 && unitOf(task).reservationStore === null;
}

/** Reads the list of every service action but REGISTER AND MOVE. SPEC_I_PT belongs to REGISTER alone. */
export function readList(task: Task, lengthBytes: number, registers: boolean): Asked | Refusal {
  const list = copy(task, lengthBytes);
  if (list === null) return WRONG_LENGTH;
  const view = new DataView(list.buffer);
  const flags = list[FLAGS_AT] as number;
  const specifiesPorts = (flags & SPEC_I_PT) !== 0;
  if (specifiesPorts && !registers) return wrong(parameterPointer(FLAGS_AT, 3));
  if (keepsWithoutStore(task, flags)) return wrong(parameterPointer(FLAGS_AT, 0));
  let ports: NamedPort[] | number = [];
  if (specifiesPorts) {
    if (list.length < IDS_AT || list.length !== IDS_AT + view.getUint32(IDS_LENGTH_AT)) {
      return WRONG_LENGTH;
    }
    ports = readPorts(task, list, IDS_AT, list.length);
    if (typeof ports === 'number') return wrong(parameterBytePointer(ports));
  } else if (list.length !== BASIC_BYTES) {
    return WRONG_LENGTH;
  }
  return {
    key: view.getBigUint64(0),
    actionKey: view.getBigUint64(8),
    aptpl: (flags & APTPL) !== 0,
    allTargetPorts: (flags & ALL_TG_PT) !== 0,
    specifiesPorts,
    unregisters: false,
    ports,
  };
}

/** Reads the list of REGISTER AND MOVE, which names one port. */
export function readMoveList(task: Task, lengthBytes: number): Asked | Refusal {
  const list = copy(task, lengthBytes);
  if (list === null) return WRONG_LENGTH;
  const view = new DataView(list.buffer);
  const flags = list[MOVE_FLAGS_AT] as number;
  if (keepsWithoutStore(task, flags)) return wrong(parameterPointer(MOVE_FLAGS_AT, 0));
  if (view.getUint16(MOVE_PORT_AT) !== RELATIVE_TARGET_PORT) {
    return wrong(parameterBytePointer(MOVE_PORT_AT));
  }
  if (list.length !== MOVE_ID_AT + view.getUint32(MOVE_LENGTH_AT)) return WRONG_LENGTH;
  const ports = readPorts(task, list, MOVE_ID_AT, list.length);
  if (typeof ports === 'number') return wrong(parameterBytePointer(ports));
  if (ports.length !== 1) return wrong(parameterBytePointer(MOVE_ID_AT));
  return {
    key: view.getBigUint64(0),
    actionKey: view.getBigUint64(8),
    aptpl: (flags & APTPL) !== 0,
    allTargetPorts: false,
    specifiesPorts: false,
    unregisters: (flags & UNREG) !== 0,
    ports,
  };
}
