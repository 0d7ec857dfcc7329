/** What a copy has come to, as the RECEIVE COPY commands and RECEIVE ROD TOKEN INFORMATION tell it (SPC-4 6.24). */
import { unitOf } from '../parameter-data.ts';
import { CHECK_CONDITION, GOOD, TASK_ABORTED } from '../sam.ts';
import { encodeDescriptorSense, encodeFixedSense, MAX_SENSE_BYTES, NONE } from '../sense.ts';
import type { Task } from '../task.ts';
import type { CopyRecord } from './copy-results.ts';
import { EXTENDED_COPY_LID1, EXTENDED_COPY_LID4 } from './limits.ts';

/** COPY OPERATION STATUS (SPC-4 table 249). */
const COMPLETED = 0x01;
const FAILED = 0x02;
const IN_FOREGROUND = 0x11;
const IN_BACKGROUND = 0x12;
const TERMINATED = 0x60;

const HEADER_BYTES = 32;
/** TRANSFER COUNT UNITS (SPC-4 table 251). */
const BYTES = 0x00;
const LOGICAL_BLOCKS = 0xf1;
/** ESTIMATED STATUS UPDATE DELAY, in milliseconds; and that there will be no other status. */
const UPDATE_DELAY_MS = 100;
const NO_UPDATE = 0xffff_fffe;

function statusOf({ state, request }: CopyRecord): number {
  if (state === 'completed') return COMPLETED;
  if (state === 'failed') return FAILED;
  if (state === 'terminated') return TERMINATED;
  return request.foreground ? IN_FOREGROUND : IN_BACKGROUND;
}

/** EXTENDED COPY COMPLETION STATUS: the status (SAM-5) with which the copy ended, or would have. */
function completionOf({ state, fault }: CopyRecord): number {
  if (state === 'terminated') return TASK_ABORTED;
  return fault === null ? GOOD : CHECK_CONDITION;
}

/** Sense data of a copy that has failed, in the format of the unit; else none. */
export function senseOf(task: Task, { fault }: CopyRecord): Uint8Array {
  if (fault === null) return new Uint8Array(0);
  const bytes = new Uint8Array(MAX_SENSE_BYTES);
  const encode = unitOf(task).descriptorSense ? encodeDescriptorSense : encodeFixedSense;
  const length = encode(new DataView(bytes.buffer), 0, fault.sense, NONE, fault.pointer);
  return bytes.slice(0, length);
}

export function isExtendedCopy({ request: { serviceAction } }: CopyRecord): boolean {
  return serviceAction === EXTENDED_COPY_LID1 || serviceAction === EXTENDED_COPY_LID4;
}

/** The parameter data: status and sense data, then `tail`. */
export function describeCopy(task: Task, record: CopyRecord, tail: Uint8Array): Uint8Array {
  const sense = senseOf(task, record);
  // The field is whole words.
  const senseFieldBytes = (sense.length + 3) & ~3;
  const data = new Uint8Array(HEADER_BYTES + senseFieldBytes + tail.length);
  const view = new DataView(data.buffer);
  const isOver = record.state !== 'in progress';
  const hasSegments = isExtendedCopy(record);
  view.setUint32(0, data.length - 4);
  view.setUint8(4, record.request.serviceAction);
  view.setUint8(5, statusOf(record));
  view.setUint16(6, record.commands);
  view.setUint32(8, isOver ? NO_UPDATE : UPDATE_DELAY_MS);
  view.setUint8(12, completionOf(record));
  view.setUint8(13, senseFieldBytes);
  view.setUint8(14, sense.length);
  view.setUint8(15, hasSegments ? BYTES : LOGICAL_BLOCKS);
  view.setBigUint64(16, BigInt(hasSegments ? record.bytes : record.blocks));
  // With the one that is worked on.
  view.setUint16(24, hasSegments ? record.segmentsBegun : 0);
  data.set(sense, HEADER_BYTES);
  data.set(tail, HEADER_BYTES + senseFieldBytes);
  return data;
}
