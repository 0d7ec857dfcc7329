/**
 * What is known of copies by their list identifiers of 32 bits, how they are ended, and which ROD tokens there are (SPC-4 6.3, 6.20,
 * 6.24, 6.26, 6.31).
 */
import { field, u } from '../cdb.ts';
import { type CommandRow, command, TOUCHES_NOTHING } from '../command-table.ts';
import { answer, nexusOf, refuseField, unitOf } from '../parameter-data.ts';
import { cdbBytePointer } from '../sense.ts';
import type { Task } from '../task.ts';
import type { CopyRecord } from './copy-results.ts';
import { describeCopy } from './copy-status.ts';
import {
  ABORT_COPY,
  ALL_TOKENS,
  COPY_DATA_LID4,
  COPY_STATUS_LID4,
  OPCODE_COPY_IN,
  OPCODE_COPY_OUT,
  TOKEN_INFORMATION,
} from './limits.ts';

const LIST_IDENTIFIER = u(2, 4);
const ALLOCATION_LENGTH = u(10, 4);

const POLICY = { medium: 'none', attention: 'report', extent: TOUCHES_NOTHING } as const;

const receive = (
  name: string,
  serviceAction: number,
  clause: string,
  fields: CommandRow['fields'] = { listIdentifier: LIST_IDENTIFIER },
): CommandRow =>
  command(
    OPCODE_COPY_IN,
    name,
    16,
    { ...fields, allocationLength: ALLOCATION_LENGTH },
    { ...POLICY, data: 'in', reservation: 'allowed', clause },
    serviceAction,
  );

/** (LID4) in SPC-4; SPC-5 has dropped it. */
export const RECEIVE_COPY_STATUS_4 = receive('RECEIVE COPY STATUS', COPY_STATUS_LID4, 'SPC-4 6.24');
export const RECEIVE_COPY_DATA_4 = receive('RECEIVE COPY DATA', COPY_DATA_LID4, 'SPC-4 6.20');
export const RECEIVE_ROD_TOKEN_INFORMATION = receive(
  'RECEIVE ROD TOKEN INFORMATION',
  TOKEN_INFORMATION,
  'SPC-4 6.26',
);
export const REPORT_ALL_ROD_TOKENS = receive('REPORT ALL ROD TOKENS', ALL_TOKENS, 'SPC-4 6.31', {});
export const COPY_OPERATION_ABORT = command(
  OPCODE_COPY_OUT,
  'COPY OPERATION ABORT',
  16,
  { listIdentifier: LIST_IDENTIFIER },
  { ...POLICY, data: 'none', reservation: 'writes', clause: 'SPC-4 6.3' },
  ABORT_COPY,
);

/** ROD TOKEN DESCRIPTORS LENGTH; a descriptor is two bytes and the token. */
const DESCRIPTORS_LENGTH_BYTES = 4;
const DESCRIPTOR_HEADER_BYTES = 2;
/** HELD DATA LENGTH: no segment descriptor here has data held for the initiator. */
const NO_HELD_DATA = new Uint8Array(4);
/** A ROD management token: header and body of the token, without what makes it secret (SPC-4 5.17.6.4). */
const MANAGEMENT_TOKEN_BYTES = 96;
const TOKENS_AT = 8;

/** The copy that the CDB names; null, with the task ended by 5/24/00, when nothing is known of it. */
function copyOf(task: Task): CopyRecord | null {
  const record = unitOf(task).copies.find(nexusOf(task), field(task.cdb, LIST_IDENTIFIER));
  if (record === undefined) refuseField(task, cdbBytePointer(LIST_IDENTIFIER.byte));
  return record ?? null;
}

/** Answers with the status of a copy, which may be asked for again. */
function tell(task: Task, tailOf: (record: CopyRecord) => Uint8Array): void {
  const record = copyOf(task);
  if (record === null) return;
  const data = describeCopy(task, record, tailOf(record));
  answer(task, data, data.length, field(task.cdb, ALLOCATION_LENGTH));
}

/** Runs RECEIVE COPY STATUS(LID4). */
export function receiveCopyStatusLid4(task: Task): void {
  tell(task, () => new Uint8Array(0));
}

/** Runs RECEIVE COPY DATA(LID4). */
export function receiveCopyDataLid4(task: Task): void {
  tell(task, () => NO_HELD_DATA);
}

/** Runs RECEIVE ROD TOKEN INFORMATION. A copy that made no token has an empty list of them. */
export function receiveRodTokenInformation(task: Task): void {
  tell(task, ({ token }) => {
    const bytes = token === null ? 0 : DESCRIPTOR_HEADER_BYTES + token.length;
    const tail = new Uint8Array(DESCRIPTORS_LENGTH_BYTES + bytes);
    new DataView(tail.buffer).setUint32(0, bytes);
    if (token !== null) tail.set(token, DESCRIPTORS_LENGTH_BYTES + DESCRIPTOR_HEADER_BYTES);
    return tail;
  });
}

/** Runs REPORT ALL ROD TOKENS: the valid tokens that the copy manager of this unit has made. */
export function reportAllRodTokens(task: Task): void {
  const tokens = unitOf(task).target.rodTokens.validOf(unitOf(task));
  const data = new Uint8Array(TOKENS_AT + tokens.length * MANAGEMENT_TOKEN_BYTES);
  new DataView(data.buffer).setUint32(0, data.length - 4);
  for (const [i, { bytes }] of tokens.entries()) {
    data.set(bytes.subarray(0, MANAGEMENT_TOKEN_BYTES), TOKENS_AT + i * MANAGEMENT_TOKEN_BYTES);
  }
  answer(task, data, data.length, field(task.cdb, ALLOCATION_LENGTH));
}

/** Runs COPY OPERATION ABORT: answered when nothing of the copy reaches a medium any more. */
export function copyOperationAbort(task: Task): void {
  const record = copyOf(task);
  if (record !== null) record.stop(() => unitOf(task).finish(task));
}
