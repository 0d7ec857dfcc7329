/** EXTENDED COPY: copies between logical units of this target, segment by segment (SPC-4 6.4, 6.5). */
import { assert } from '../../assert.ts';
import { field, u } from '../cdb.ts';
import { type CommandRow, command, TOUCHES_NOTHING } from '../command-table.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { parameterList, refuse, unitOf } from '../parameter-data.ts';
import { inSegmentPointer, segmentPointer } from '../sense.ts';
import {
  INCORRECT_COPY_TARGET_DEVICE_TYPE,
  PARAMETER_LIST_LENGTH_ERROR,
  UNEXPECTED_INEXACT_SEGMENT,
  UNREACHABLE_COPY_TARGET,
} from '../sense-codes.ts';
import type { Task } from '../task.ts';
import {
  type CopyList,
  DESTINATION_INDEX_AT,
  DESTINATION_LBA_AT,
  MAX_LIST_BYTES,
  NUMBER_OF_BLOCKS_AT,
  readCopyList,
  type Segment,
  SOURCE_INDEX_AT,
  SOURCE_LBA_AT,
} from './copy-list.ts';
import { type HeaderReader, readHeaderLid1, readHeaderLid4 } from './copy-list-header.ts';
import { COPY_ABORTED_NO_ADDITIONAL_SENSE, type CopyFault, type Way } from './copy-operation.ts';
import {
  COPY_MANAGER_CSCD,
  EXTENDED_COPY_LID1,
  EXTENDED_COPY_LID4,
  MAX_SEGMENT_BYTES,
  OPCODE_COPY_OUT,
} from './limits.ts';
import { beginCopy, runCopy } from './run-copy.ts';

const LIST_LENGTH = u(10, 4);

/** T10 calls the one with the longer list identifier EXTENDED COPY since SPC-5. */
const row = (name: string, serviceAction: number, clause: string): CommandRow =>
  command(
    OPCODE_COPY_OUT,
    name,
    16,
    { parameterListLength: LIST_LENGTH },
    {
      data: 'out',
      medium: 'required',
      attention: 'report',
      reservation: 'writes',
      // The commands it sends have their own places in the order.
      extent: TOUCHES_NOTHING,
      clause,
    },
    serviceAction,
  );

export const EXTENDED_COPY = row('EXTENDED COPY(LID1)', EXTENDED_COPY_LID1, 'SPC-4 6.5');
export const EXTENDED_COPY_4 = row('EXTENDED COPY', EXTENDED_COPY_LID4, 'SPC-4 6.4');

/** Runs EXTENDED COPY(LID1). A segment that fails ends it with COPY ABORTED and a segment pointer (SPC-4 5.17.7.4). */
export function extendedCopy(task: Task): void {
  run(task, EXTENDED_COPY_LID1, readHeaderLid1);
}

/** Runs EXTENDED COPY(LID4): 32 bits of list identifier, and IMMED. */
export function extendedCopyLid4(task: Task): void {
  run(task, EXTENDED_COPY_LID4, readHeaderLid4);
}

function run(task: Task, serviceAction: number, readHeader: HeaderReader): void {
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
  const list = readCopyList(bytes, readHeader);
  if ('sense' in list) {
    refuse(task, list.sense, list.pointer);
    return;
  }
  const { anonymous, listIdentifier, immediate } = list.header;
  const record = beginCopy(task, {
    serviceAction,
    listIdentifier: anonymous ? null : listIdentifier,
    foreground: !immediate,
  });
  if (record === null) return;
  runCopy(task, record, {
    next: () => {
      const number = record.segmentsBegun;
      const segment = list.segments[number];
      if (segment === undefined) return null;
      record.segmentsBegun += 1;
      return wayOf(unit, list, segment, number);
    },
    spoilt: () => 0,
  });
}

/** The unit that a segment names by CSCD descriptor ID `id`, or why that is none (SPC-4 6.4.6.1). */
function find(
  own: LogicalUnit,
  { header, cscds }: CopyList,
  id: number,
  at: { readonly segment: number; readonly byte: number },
): { readonly unit: LogicalUnit; readonly pointer: number } | CopyFault {
  const named = inSegmentPointer(at.segment, at.byte);
  if (id === COPY_MANAGER_CSCD) return { unit: own, pointer: named };
  const cscd = cscds[id - header.firstCscd];
  if (cscd === undefined) return { sense: UNREACHABLE_COPY_TARGET, pointer: named };
  const pointer = segmentPointer(at.segment, cscd.at);
  const { naa, peripheralType } = cscd;
  const unit = own.target
    .units()
    .find(({ identity, block }) => block !== null && naa !== null && same(identity.naa, naa));
  if (unit === undefined) return { sense: UNREACHABLE_COPY_TARGET, pointer };
  // The sectors of a disc are no blocks of a store.
  if (unit.optical !== null || unit.deviceType.peripheralType !== peripheralType) {
    return { sense: INCORRECT_COPY_TARGET_DEVICE_TYPE, pointer };
  }
  return { unit, pointer };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Where segment `number` leads, or why nowhere. */
function wayOf(
  own: LogicalUnit,
  list: CopyList,
  segment: Segment,
  number: number,
): Way | CopyFault {
  const at = (byte: number): { segment: number; byte: number } => ({ segment: number, byte });
  const source = find(own, list, segment.source, at(SOURCE_INDEX_AT));
  if ('sense' in source) return source;
  const destination = find(own, list, segment.destination, at(DESTINATION_INDEX_AT));
  if ('sense' in destination) return destination;
  const { block: reads } = source.unit;
  const { block: writes } = destination.unit;
  assert(reads !== null && writes !== null, 'units with blocks are found');
  const bytes = segment.blocks * (segment.countsDestination ? writes : reads).blockBytes;
  const fault = (sense: number, byte: number): CopyFault => {
    return { sense, pointer: inSegmentPointer(number, byte) };
  };
  if (bytes % reads.blockBytes !== 0 || bytes % writes.blockBytes !== 0) {
    return fault(UNEXPECTED_INEXACT_SEGMENT, NUMBER_OF_BLOCKS_AT);
  }
  if (bytes > MAX_SEGMENT_BYTES) {
    return fault(COPY_ABORTED_NO_ADDITIONAL_SENSE, NUMBER_OF_BLOCKS_AT);
  }
  const from = segment.sourceLba * reads.blockBytes;
  const to = segment.destinationLba * writes.blockBytes;
  if (from + bytes > reads.blocks * reads.blockBytes) {
    return fault(COPY_ABORTED_NO_ADDITIONAL_SENSE, SOURCE_LBA_AT);
  }
  if (to + bytes > writes.blocks * writes.blockBytes) {
    return fault(COPY_ABORTED_NO_ADDITIONAL_SENSE, DESTINATION_LBA_AT);
  }
  return {
    source: source.unit,
    destination: destination.unit,
    from,
    to,
    bytes,
    backwards: source.unit === destination.unit && from < to,
    sourcePointer: source.pointer,
    destinationPointer: destination.pointer,
  };
}
