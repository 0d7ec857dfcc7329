/** RECEIVE COPY RESULTS: what became of an EXTENDED COPY, and what the copy manager takes (SPC-4 6.22, 6.23, 6.25). */
import { field, u } from '../cdb.ts';
import { type CommandRow, command, TOUCHES_NOTHING } from '../command-table.ts';
import { answer, nexusOf, refuseField, unitOf } from '../parameter-data.ts';
import { cdbBytePointer } from '../sense.ts';
import type { Task } from '../task.ts';
import { type CopyRecord, RESULTS_PER_NEXUS } from './copy-results.ts';
import { senseOf } from './copy-status.ts';
import {
  BLOCK_TO_BLOCK,
  CONCURRENT_COPIES,
  COPY_STATUS,
  EXTENDED_COPY_LID1,
  FAILURE_DETAILS,
  GRANULARITY,
  IDENTIFICATION_CSCD,
  MAX_CSCD_DESCRIPTORS,
  MAX_DESCRIPTOR_LIST_BYTES,
  MAX_SEGMENT_BYTES,
  MAX_SEGMENT_DESCRIPTORS,
  OPCODE_COPY_IN,
  OPERATING_PARAMETERS,
} from './limits.ts';

const LIST_IDENTIFIER = u(2, 1);
const ALLOCATION_LENGTH = u(10, 4);

const row = (name: string, serviceAction: number, clause: string): CommandRow =>
  command(
    OPCODE_COPY_IN,
    name,
    16,
    { listIdentifier: LIST_IDENTIFIER, allocationLength: ALLOCATION_LENGTH },
    {
      data: 'in',
      medium: 'none',
      attention: 'report',
      reservation: 'writes',
      extent: TOUCHES_NOTHING,
      clause,
    },
    serviceAction,
  );

export const RECEIVE_COPY_STATUS = row('RECEIVE COPY STATUS(LID1)', COPY_STATUS, 'SPC-4 6.25');
export const RECEIVE_COPY_OPERATING_PARAMETERS = row(
  'RECEIVE COPY OPERATING PARAMETERS',
  OPERATING_PARAMETERS,
  'SPC-4 6.22',
);
export const RECEIVE_COPY_FAILURE_DETAILS = row(
  'RECEIVE COPY FAILURE DETAILS(LID1)',
  FAILURE_DETAILS,
  'SPC-4 6.23',
);

/** Lists without an identifier (LIST ID USAGE 11b) are taken. */
const SNLID = 0x01;
/** COPY COMMAND STATUS. */
const IN_PROGRESS = 0x00;
const COMPLETED = 0x01;
const FAILED = 0x02;

const STATUS_BYTES = 12;
const DETAILS_BYTES = 60;
const DETAILS_STATUS_AT = 56;
const DETAILS_SENSE_LENGTH_AT = 58;

function statusOf({ state }: CopyRecord): number {
  if (state === 'in progress') return IN_PROGRESS;
  return state === 'completed' ? COMPLETED : FAILED;
}

/** The EXTENDED COPY that the CDB names; null, with the task ended by 5/24/00, when nothing is known of it. */
function copyOf(task: Task, isTold: (record: CopyRecord) => boolean): CopyRecord | null {
  const record = unitOf(task).copies.find(nexusOf(task), field(task.cdb, LIST_IDENTIFIER));
  const isKnown =
    record !== undefined && record.request.serviceAction === EXTENDED_COPY_LID1 && !isTold(record);
  if (isKnown) return record;
  refuseField(task, cdbBytePointer(LIST_IDENTIFIER.byte));
  return null;
}

function forgetTold(task: Task, record: CopyRecord): void {
  const hasDetails = record.fault !== null && !record.detailsTold;
  if (record.statusTold && !hasDetails) unitOf(task).copies.forget(record);
}

/** COPY STATUS of a list identifier; of a copy that has ended it is told once (SPC-4 6.25). */
export function receiveCopyStatus(task: Task): void {
  const record = copyOf(task, ({ statusTold }) => statusTold);
  if (record === null) return;
  const data = new Uint8Array(STATUS_BYTES);
  const view = new DataView(data.buffer);
  view.setUint32(0, data.length - 4);
  view.setUint8(4, statusOf(record));
  view.setUint16(5, record.segments);
  record.statusTold = record.state !== 'in progress';
  forgetTold(task, record);
  answer(task, data, data.length, field(task.cdb, ALLOCATION_LENGTH));
}

/** Why an EXTENDED COPY failed; told once. Of one that did not there is nothing to say: AVAILABLE DATA is 0 (SPC-4 6.23). */
export function receiveCopyFailureDetails(task: Task): void {
  const record = copyOf(task, () => false);
  if (record === null) return;
  const allocation = field(task.cdb, ALLOCATION_LENGTH);
  if (record.fault === null || record.detailsTold) {
    answer(task, new Uint8Array(4), 4, allocation);
    return;
  }
  const sense = senseOf(task, record);
  const data = new Uint8Array(DETAILS_BYTES + sense.length);
  const view = new DataView(data.buffer);
  view.setUint32(0, data.length - 4);
  view.setUint8(DETAILS_STATUS_AT, statusOf(record));
  view.setUint16(DETAILS_SENSE_LENGTH_AT, sense.length);
  data.set(sense, DETAILS_BYTES);
  record.detailsTold = true;
  forgetTold(task, record);
  answer(task, data, data.length, allocation);
}

export function receiveCopyOperatingParameters(task: Task): void {
  const types = [BLOCK_TO_BLOCK, IDENTIFICATION_CSCD];
  const data = new Uint8Array(44 + types.length);
  const view = new DataView(data.buffer);
  view.setUint32(0, data.length - 4);
  data[4] = SNLID;
  view.setUint16(8, MAX_CSCD_DESCRIPTORS);
  view.setUint16(10, MAX_SEGMENT_DESCRIPTORS);
  view.setUint32(12, MAX_DESCRIPTOR_LIST_BYTES);
  view.setUint32(16, MAX_SEGMENT_BYTES);
  view.setUint16(34, CONCURRENT_COPIES);
  data[36] = RESULTS_PER_NEXUS;
  data[37] = GRANULARITY;
  data[43] = types.length;
  data.set(types, 44);
  answer(task, data, data.length, field(task.cdb, ALLOCATION_LENGTH));
}
