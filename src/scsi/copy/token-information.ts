/** RECEIVE ROD TOKEN INFORMATION and COPY OPERATION ABORT: what came of a list identifier, and its end (SPC-4 6.25, 6.3). */
import { field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { answer, nexusOf, refuseField, unitOf } from '../parameter-data.ts';
import { CHECK_CONDITION, GOOD } from '../sam.ts';
import {
  cdbBytePointer,
  encodeDescriptorSense,
  encodeFixedSense,
  MAX_SENSE_BYTES,
  NONE,
} from '../sense.ts';
import type { Task } from '../task.ts';
import type { CopyRecord } from './copy-results.ts';
import {
  ABORT_COPY,
  EXTENDED_COPY_LID1,
  OPCODE_COPY_IN,
  OPCODE_COPY_OUT,
  TOKEN_INFORMATION,
} from './limits.ts';

const LIST_IDENTIFIER = u(2, 4);
const ALLOCATION_LENGTH = u(10, 4);

const POLICY = {
  medium: 'none',
  attention: 'report',
  reservation: 'writes',
  extent: TOUCHES_NOTHING,
} as const;

export const RECEIVE_ROD_TOKEN_INFORMATION = command(
  OPCODE_COPY_IN,
  'RECEIVE ROD TOKEN INFORMATION',
  16,
  { listIdentifier: LIST_IDENTIFIER, allocationLength: ALLOCATION_LENGTH },
  { ...POLICY, data: 'in', clause: 'SPC-4 6.25' },
  TOKEN_INFORMATION,
);
export const COPY_OPERATION_ABORT = command(
  OPCODE_COPY_OUT,
  'COPY OPERATION ABORT',
  16,
  { listIdentifier: LIST_IDENTIFIER },
  { ...POLICY, data: 'none', clause: 'SPC-4 6.3' },
  ABORT_COPY,
);

/** COPY OPERATION STATUS (SPC-4 table 242). */
const COMPLETED = 0x01;
const FAILED = 0x02;
const IN_FOREGROUND = 0x11;
const IN_BACKGROUND = 0x12;
const TERMINATED = 0x60;

const HEADER_BYTES = 32;
/** TRANSFER COUNT UNITS: logical blocks. */
const LOGICAL_BLOCKS = 0xf1;
/** ESTIMATED STATUS UPDATE DELAY, in milliseconds; and that there will be no other status. */
const UPDATE_DELAY_MS = 100;
const NO_UPDATE = 0xffff_ffff;
/** ROD TOKEN DESCRIPTORS LENGTH; a descriptor is two bytes and the token. */
const DESCRIPTORS_LENGTH_BYTES = 4;
const DESCRIPTOR_HEADER_BYTES = 2;

function statusOf({ state, request }: CopyRecord): number {
  if (state === 'completed') return COMPLETED;
  if (state === 'failed') return FAILED;
  if (state === 'terminated') return TERMINATED;
  return request.foreground ? IN_FOREGROUND : IN_BACKGROUND;
}

/** Sense data of a copy that has failed, in the format of the unit; else none. */
export function senseOf(task: Task, { fault }: CopyRecord): Uint8Array {
  if (fault === null) return new Uint8Array(0);
  const bytes = new Uint8Array(MAX_SENSE_BYTES);
  const encode = unitOf(task).descriptorSense ? encodeDescriptorSense : encodeFixedSense;
  const length = encode(new DataView(bytes.buffer), 0, fault.sense, NONE, fault.pointer);
  return bytes.slice(0, length);
}

/** Runs RECEIVE ROD TOKEN INFORMATION, for POPULATE TOKEN and WRITE USING TOKEN. It may be asked again. */
export function receiveRodTokenInformation(task: Task): void {
  const record = unitOf(task).copies.find(nexusOf(task), field(task.cdb, LIST_IDENTIFIER));
  if (record === undefined || record.request.serviceAction === EXTENDED_COPY_LID1) {
    refuseField(task, cdbBytePointer(LIST_IDENTIFIER.byte));
    return;
  }
  const data = describe(task, record);
  answer(task, data, data.length, field(task.cdb, ALLOCATION_LENGTH));
}

function describe(task: Task, record: CopyRecord): Uint8Array {
  const sense = senseOf(task, record);
  // The field is whole words.
  const senseFieldBytes = (sense.length + 3) & ~3;
  const { token } = record;
  const tokenBytes = token === null ? 0 : DESCRIPTOR_HEADER_BYTES + token.length;
  const tokensAt = HEADER_BYTES + senseFieldBytes;
  const data = new Uint8Array(tokensAt + DESCRIPTORS_LENGTH_BYTES + tokenBytes);
  const view = new DataView(data.buffer);
  const status = statusOf(record);
  const isOver = record.state !== 'in progress';
  view.setUint32(0, data.length - 4);
  view.setUint8(4, record.request.serviceAction);
  view.setUint8(5, status);
  view.setUint16(6, isOver ? 1 : 0);
  view.setUint32(8, isOver ? NO_UPDATE : UPDATE_DELAY_MS);
  // EXTENDED COPY COMPLETION STATUS: the status (SAM-5) with which the copy ended, or would have.
  view.setUint8(12, record.fault === null ? GOOD : CHECK_CONDITION);
  view.setUint8(13, senseFieldBytes);
  view.setUint8(14, sense.length);
  view.setUint8(15, LOGICAL_BLOCKS);
  // SEGMENTS PROCESSED stays 0: there are no segment descriptors.
  view.setBigUint64(16, BigInt(record.blocks));
  data.set(sense, HEADER_BYTES);
  view.setUint32(tokensAt, tokenBytes);
  if (token !== null)
    data.set(token, tokensAt + DESCRIPTORS_LENGTH_BYTES + DESCRIPTOR_HEADER_BYTES);
  return data;
}

/** Runs COPY OPERATION ABORT: answered when nothing of the copy reaches a medium any more. */
export function copyOperationAbort(task: Task): void {
  const unit = unitOf(task);
  const record = unit.copies.find(nexusOf(task), field(task.cdb, LIST_IDENTIFIER));
  if (record === undefined) refuseField(task, cdbBytePointer(LIST_IDENTIFIER.byte));
  else record.stop(() => unit.finish(task));
}
