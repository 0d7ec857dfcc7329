/** EXTENDED COPY(LID1) and RECEIVE COPY RESULTS(LID1): copies between logical units of this target (SPC-4 6.3, 6.18, 6.20). */
import { assert } from '../../assert.ts';
import { field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import type { Nexus } from '../nexus.ts';
import { answer, parameterList, refuse, refuseField, unitOf } from '../parameter-data.ts';
import { GOOD } from '../sam.ts';
import { cdbBytePointer } from '../sense.ts';
import { OPERATION_IN_PROGRESS, PARAMETER_LIST_LENGTH_ERROR } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import { MAX_LIST_BYTES, readCopyList } from './copy-list.ts';
import { CopyOperation } from './copy-operation.ts';
import {
  BLOCK_TO_BLOCK,
  COPY_STATUS,
  GRANULARITY,
  IDENTIFICATION_CSCD,
  MAX_CSCD_DESCRIPTORS,
  MAX_DESCRIPTOR_LIST_BYTES,
  MAX_SEGMENT_BYTES,
  MAX_SEGMENT_DESCRIPTORS,
  OPCODE_EXTENDED_COPY,
  OPCODE_RECEIVE_COPY_RESULTS,
  OPERATING_PARAMETERS,
} from './limits.ts';

const LIST_LENGTH = u(10, 4);
const LIST_IDENTIFIER = u(2, 1);
const ALLOCATION_LENGTH = u(10, 4);

export const EXTENDED_COPY = command(
  OPCODE_EXTENDED_COPY,
  'EXTENDED COPY(LID1)',
  16,
  { parameterListLength: LIST_LENGTH },
  {
    data: 'out',
    medium: 'required',
    attention: 'report',
    reservation: 'writes',
    // The commands it sends have their own places in the order.
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.3',
  },
  0x00,
);

const RESULTS_POLICY = {
  data: 'in',
  medium: 'none',
  attention: 'report',
  reservation: 'writes',
  extent: TOUCHES_NOTHING,
} as const;

export const RECEIVE_COPY_STATUS = command(
  OPCODE_RECEIVE_COPY_RESULTS,
  'RECEIVE COPY STATUS(LID1)',
  16,
  { listIdentifier: LIST_IDENTIFIER, allocationLength: ALLOCATION_LENGTH },
  { ...RESULTS_POLICY, clause: 'SPC-4 6.20' },
  COPY_STATUS,
);
export const RECEIVE_COPY_OPERATING_PARAMETERS = command(
  OPCODE_RECEIVE_COPY_RESULTS,
  'RECEIVE COPY OPERATING PARAMETERS',
  16,
  { listIdentifier: LIST_IDENTIFIER, allocationLength: ALLOCATION_LENGTH },
  { ...RESULTS_POLICY, clause: 'SPC-4 6.18' },
  OPERATING_PARAMETERS,
);

/** Copies whose results can be asked for, by nexus and list identifier; the newest of each nexus. */
const RESULTS_PER_NEXUS = 16;
/** Lists without an identifier (LIST ID USAGE 11b) are taken. */
const SNLID = 0x01;
const IN_PROGRESS = 0x00;
const COMPLETED = 0x01;
const FAILED = 0x02;

interface Result {
  status: number;
  segments: number;
}

const results = new WeakMap<Nexus, Map<number, Result>>();

function resultsOf(task: Task): Map<number, Result> {
  assert(task.nexus !== null, 'a running task has a nexus');
  const known = results.get(task.nexus) ?? new Map<number, Result>();
  results.set(task.nexus, known);
  return known;
}

/** Remembers a copy that begins; null when its identifier is in use. */
function remember(task: Task, listIdentifier: number): Result | null {
  const known = resultsOf(task);
  if (known.get(listIdentifier)?.status === IN_PROGRESS) return null;
  known.delete(listIdentifier);
  const result = { status: IN_PROGRESS, segments: 0 };
  known.set(listIdentifier, result);
  for (const [identifier, { status }] of known) {
    if (known.size <= RESULTS_PER_NEXUS) break;
    if (status !== IN_PROGRESS) known.delete(identifier);
  }
  return result;
}

export function extendedCopy(task: Task): void {
  const unit = unitOf(task);
  const lengthBytes = field(task.cdb, LIST_LENGTH);
  if (lengthBytes === 0) {
    unit.finish(task);
    return;
  }
  if (lengthBytes > MAX_LIST_BYTES) {
    refuse(task, PARAMETER_LIST_LENGTH_ERROR);
    return;
  }
  const bytes = parameterList(task, lengthBytes);
  if (bytes === null) return;
  const list = readCopyList(bytes);
  if ('sense' in list) {
    refuse(task, list.sense, list.pointer);
    return;
  }
  const result = list.anonymous
    ? { status: IN_PROGRESS, segments: 0 }
    : remember(task, list.listIdentifier);
  if (result === null) {
    refuse(task, OPERATION_IN_PROGRESS);
    return;
  }
  const { block } = unit;
  assert(block !== null, 'EXTENDED COPY belongs to units with blocks');
  block.bounce.acquire(task, () => {
    const operation = new CopyOperation(task, list, () => {
      result.status = task.status === GOOD && !task.aborting ? COMPLETED : FAILED;
      result.segments = operation.processed;
      operation.giveBack();
      const buffer = task.scratch;
      unit.finish(task);
      block.bounce.release(buffer);
    });
    operation.start();
  });
}

/** COPY STATUS of a list identifier; of a copy that has ended it is told once (SPC-4 6.20). */
export function receiveCopyStatus(task: Task): void {
  const known = resultsOf(task);
  const listIdentifier = field(task.cdb, LIST_IDENTIFIER);
  const result = known.get(listIdentifier);
  if (result === undefined) {
    refuseField(task, cdbBytePointer(LIST_IDENTIFIER.byte));
    return;
  }
  const data = new Uint8Array(12);
  const view = new DataView(data.buffer);
  view.setUint32(0, data.length - 4);
  view.setUint8(4, result.status);
  view.setUint16(5, result.segments);
  if (result.status !== IN_PROGRESS) known.delete(listIdentifier);
  answer(task, data, data.length, field(task.cdb, ALLOCATION_LENGTH));
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
  view.setUint16(34, RESULTS_PER_NEXUS);
  data[36] = RESULTS_PER_NEXUS;
  data[37] = GRANULARITY;
  data[43] = types.length;
  data.set(types, 44);
  answer(task, data, data.length, field(task.cdb, ALLOCATION_LENGTH));
}
