/** What a command wants of protection information: moved with the blocks, checked, compared (SBC-3 clause 5, protect fields). */
import { field } from '../../cdb.ts';
import { INVALID_COMMAND_OPERATION_CODE } from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { blockDeviceOf, refuse, refuseField } from '../access.ts';
import {
  ALL_FIELDS,
  APPLICATION_TAG,
  type ExpectedTags,
  GUARD,
  NO_FIELD,
  REFERENCE_TAG,
} from './information.ts';
import { expectedByCdb, isLong, protectField } from './rows.ts';

const TAGS = APPLICATION_TAG | REFERENCE_TAG;
/** Values of a protect field from here on are reserved. */
const FIRST_RESERVED = 0b110;

/** By the value of the protect field: fields checked of what the medium holds (READ; VERIFY with BYTCHK = 00b; ORWRITE). */
const READ_CHECKS = [ALL_FIELDS, ALL_FIELDS, TAGS, NO_FIELD, GUARD, ALL_FIELDS];
/** The same when the data-out buffer has information that is compared (VERIFY with BYTCHK = 01b or 11b). */
const COMPARED_CHECKS = [ALL_FIELDS, NO_FIELD, NO_FIELD, NO_FIELD, NO_FIELD, NO_FIELD];
/** Fields checked of what the data-out buffer holds. */
const SENT_CHECKS = [NO_FIELD, ALL_FIELDS, TAGS, NO_FIELD, GUARD, ALL_FIELDS];
/** Fields compared. */
const COMPARISONS = [NO_FIELD, ALL_FIELDS, TAGS, ALL_FIELDS, ALL_FIELDS, ALL_FIELDS];

/** Nobody knows the tags. */
const UNKNOWN: ExpectedTags = { reference: -1, application: 0, applicationMask: 0 };

export interface ProtectionRequest {
  /** Information moves with each block. */
  readonly moved: boolean;
  /** Bytes that move for a block. */
  readonly unitBytes: number;
  /** Fields checked of the medium; nothing is compared, or something is. */
  readonly mediumChecks: number;
  readonly comparedMediumChecks: number;
  readonly sentChecks: number;
  readonly comparisons: number;
  readonly expected: ExpectedTags;
}

/** The tags that the device server knows (SBC-3 4.22.3): type 1 by the LBA, type 2 by a 32-byte CDB, type 3 none. */
function expectedTags(task: Task): ExpectedTags {
  const { protectionType } = blockDeviceOf(task);
  if (isLong(task.cdb)) return expectedByCdb(task.cdb);
  return protectionType === 1 ? { ...UNKNOWN, reference: task.lba } : UNKNOWN;
}

function requestOf(task: Task, value: number): ProtectionRequest {
  const { blockBytes, storedBlockBytes } = blockDeviceOf(task);
  const of = (table: readonly number[]): number => table[value] as number;
  return {
    moved: value !== 0,
    unitBytes: value === 0 ? blockBytes : storedBlockBytes,
    mediumChecks: of(READ_CHECKS),
    comparedMediumChecks: of(COMPARED_CHECKS),
    sentChecks: of(SENT_CHECKS),
    comparisons: of(COMPARISONS),
    expected: expectedTags(task),
  };
}

/** Of a command that has no protect field: READ(6) and WRITE(6). */
export function plainRequest(task: Task): ProtectionRequest {
  return requestOf(task, 0);
}

/**
 * Reads the protect field. Null when the command was refused: a reserved value, or with type 2 a value other than zero where
 * the CDB cannot say what tags to expect (SBC-3 5.11: 5/20/00).
 */
export function readRequest(task: Task): ProtectionRequest | null {
  const at = protectField(task.cdb);
  const value = field(task.cdb, at);
  if (value >= FIRST_RESERVED) {
    refuseField(task, at);
    return null;
  }
  if (value !== 0 && blockDeviceOf(task).protectionType === 2 && !isLong(task.cdb)) {
    refuse(task, INVALID_COMMAND_OPERATION_CODE);
    return null;
  }
  return requestOf(task, value);
}
