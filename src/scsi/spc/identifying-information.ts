/**
 * REPORT IDENTIFYING INFORMATION and SET IDENTIFYING INFORMATION (SPC-4 5.7, 6.32, 6.46): what an administrator writes on a logical
 * unit, kept over restarts. It is not part of what the unit is (VPD pages 80h, 83h).
 */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import {
  answer,
  nexusIndexOf,
  parameterList,
  refuse,
  refuseField,
  unitOf,
} from '../parameter-data.ts';
import { cdbBytePointer, cdbPointer, parameterBytePointer } from '../sense.ts';
import {
  DEVICE_IDENTIFIER_CHANGED,
  INTERNAL_TARGET_FAILURE,
  INVALID_FIELD_IN_PARAMETER_LIST,
} from '../sense-codes.ts';
import type { Task } from '../task.ts';

const LENGTH = u(6, 4);
const TYPE = bits(10, 7, 1);

export const REPORT_IDENTIFYING_INFORMATION = command(
  0xa3,
  'REPORT IDENTIFYING INFORMATION',
  12,
  { allocationLength: LENGTH, informationType: TYPE },
  {
    data: 'in',
    medium: 'none',
    standby: true,
    attention: 'report',
    reservation: 'always',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.32',
  },
  0x05,
);
export const SET_IDENTIFYING_INFORMATION = command(
  0xa4,
  'SET IDENTIFYING INFORMATION',
  12,
  { parameterListLength: LENGTH, informationType: TYPE },
  {
    data: 'out',
    medium: 'none',
    attention: 'report',
    reservation: 'writes',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.46',
  },
  0x06,
);

const DEVICE = 0x00;
/** UTF-8, with a zero byte at its end. */
const TEXT = 0x02;
const SUPPORTED_TYPES = 0x7f;
const HEADER_BYTES = 4;
/** Longest information by type. */
const MAX_BYTES: ReadonlyMap<number, number> = new Map([
  [DEVICE, 512],
  [TEXT, 256],
]);

/** Both kinds of identifying information of a logical unit. */
export class IdentifyingInformation {
  readonly #byType = new Map<number, Uint8Array>();

  get(type: number): Uint8Array {
    return this.#byType.get(type) ?? new Uint8Array(0);
  }

  set(type: number, bytes: Uint8Array): void {
    this.#byType.set(type, bytes);
  }

  /** For keeping: each type with its length, one after the other. `type` and `bytes` replace what is there of that type. */
  encodeWith(type: number, bytes: Uint8Array): Uint8Array {
    const parts = [...MAX_BYTES.keys()].map((each) => {
      const value = each === type ? bytes : this.get(each);
      return [each, value.length >> 8, value.length & 0xff, ...value];
    });
    return Uint8Array.from(parts.flat());
  }

  /** Takes over what `encodeWith` made. False, with nothing changed, when these bytes are something else. */
  load(bytes: Uint8Array): boolean {
    const found = new Map<number, Uint8Array>();
    let at = 0;
    while (at + 3 <= bytes.length) {
      const type = bytes[at] as number;
      const end = at + 3 + ((bytes[at + 1] as number) << 8) + (bytes[at + 2] as number);
      const value = bytes.slice(at + 3, end);
      if (end > bytes.length || value.length > (MAX_BYTES.get(type) ?? -1)) return false;
      found.set(type, value);
      at = end;
    }
    if (at !== bytes.length) return false;
    for (const [type, value] of found) this.set(type, value);
    return true;
  }
}

function supportedTypes(): Uint8Array {
  const descriptors = [...MAX_BYTES].flatMap(([type, most]) => [
    type << 1,
    0,
    most >> 8,
    most & 0xff,
  ]);
  return Uint8Array.from(descriptors);
}

export function reportIdentifyingInformation(task: Task): void {
  const type = field(task.cdb, TYPE);
  if (type !== SUPPORTED_TYPES && !MAX_BYTES.has(type)) {
    refuseField(task, cdbPointer(TYPE.byte, 7));
    return;
  }
  const value = type === SUPPORTED_TYPES ? supportedTypes() : unitOf(task).information.get(type);
  const data = new Uint8Array(HEADER_BYTES + value.length);
  new DataView(data.buffer).setUint16(2, value.length);
  data.set(value, HEADER_BYTES);
  answer(task, data, data.length, field(task.cdb, LENGTH));
}

/** Offset of the first byte that makes `text` no text with its zero at the end, or -1. */
function textFault(text: Uint8Array): number {
  if (text.length === 0) return -1;
  const end = text.indexOf(0);
  if (end !== text.length - 1) return end < 0 ? text.length - 1 : end;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(text);
    return -1;
  } catch {
    return 0;
  }
}

export function setIdentifyingInformation(task: Task): void {
  const unit = unitOf(task);
  const type = field(task.cdb, TYPE);
  const lengthBytes = field(task.cdb, LENGTH);
  const most = MAX_BYTES.get(type);
  if (most === undefined) {
    refuseField(task, cdbPointer(TYPE.byte, 7));
    return;
  }
  if (lengthBytes > most) {
    refuseField(task, cdbBytePointer(LENGTH.byte));
    return;
  }
  const list = parameterList(task, lengthBytes);
  if (list === null) return;
  const fault = type === TEXT ? textFault(list) : -1;
  if (fault >= 0) {
    refuse(task, INVALID_FIELD_IN_PARAMETER_LIST, parameterBytePointer(fault));
    return;
  }
  const kept = (_: Task, reply: StoreReply): void => {
    if (reply === DONE) {
      unit.information.set(type, list);
      unit.attentionForAll(DEVICE_IDENTIFIER_CHANGED, nexusIndexOf(task));
    } else {
      task.check(INTERNAL_TARGET_FAILURE);
    }
    unit.finish(task);
  };
  const { informationStore } = unit;
  const state = unit.information.encodeWith(type, list);
  task.await(informationStore?.save(task, unit.lun, state) ?? DONE, kept);
}
