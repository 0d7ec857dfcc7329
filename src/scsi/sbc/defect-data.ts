/** READ DEFECT DATA(10) and (12): the medium has no defects a host could know of, so both lists are empty (SBC-3 5.17, 5.18). */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { answer } from '../parameter-data.ts';
import type { Task } from '../task.ts';

const POLICY = {
  data: 'in',
  medium: 'required',
  attention: 'report',
  reservation: 'reads',
  extent: TOUCHES_NOTHING,
} as const;

/** REQ_PLIST, REQ_GLIST and DEFECT LIST FORMAT, which are given back as they came. */
const REQUEST_10 = bits(2, 4, 0);
const ALLOCATION_LENGTH_10 = u(7, 2);
const REQUEST_12 = bits(1, 4, 0);
const ALLOCATION_LENGTH_12 = u(6, 4);

export const READ_DEFECT_DATA_10 = command(
  0x37,
  'READ DEFECT DATA(10)',
  10,
  { request: REQUEST_10, allocationLength: ALLOCATION_LENGTH_10 },
  { ...POLICY, clause: 'SBC-3 5.17' },
);
export const READ_DEFECT_DATA_12 = command(
  0xb7,
  'READ DEFECT DATA(12)',
  12,
  { request: REQUEST_12, index: u(2, 4), allocationLength: ALLOCATION_LENGTH_12 },
  { ...POLICY, clause: 'SBC-3 5.18' },
);

const HEADER_10_BYTES = 4;
const HEADER_12_BYTES = 8;

function answerEmpty(task: Task, headerBytes: number, request: number, allocation: number): void {
  const header = new Uint8Array(headerBytes);
  header[1] = request;
  answer(task, header, headerBytes, allocation);
}

/** READ DEFECT DATA(10): a header of 4 bytes, list length 0. */
export function readDefectData10(task: Task): void {
  const { cdb } = task;
  answerEmpty(task, HEADER_10_BYTES, field(cdb, REQUEST_10), field(cdb, ALLOCATION_LENGTH_10));
}

/** READ DEFECT DATA(12): a header of 8 bytes, generation code 0 (not supported), list length 0. */
export function readDefectData12(task: Task): void {
  const { cdb } = task;
  answerEmpty(task, HEADER_12_BYTES, field(cdb, REQUEST_12), field(cdb, ALLOCATION_LENGTH_12));
}
