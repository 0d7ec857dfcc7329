/** SANITIZE: overwrite, block erase, cryptographic erase, exit failure mode (SBC-3 5.24). */
import { bits, field, u } from '../cdb.ts';
import { type CommandPolicy, command, WRITES_UNIT } from '../command-table.ts';
import { DONE } from '../contracts.ts';
import { refuse, refuseField, unitOf } from '../parameter-data.ts';
import { cdbBytePointer, cdbPointer } from '../sense.ts';
import { INTERNAL_TARGET_FAILURE, INVALID_FIELD_IN_CDB } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import { blockDeviceOf } from './access.ts';
import { beginOperation } from './begin-operation.ts';
import {
  BLOCK_ERASE,
  CRYPTOGRAPHIC_ERASE,
  FORMAT,
  type OperationPlan,
  OVERWRITE,
} from './medium-operation.ts';

const IMMED = bits(1, 7, 7);
const AUSE = bits(1, 5, 5);
const LENGTH = u(7, 2);
const FIELDS = { immed: IMMED, ause: AUSE, parameterListLength: LENGTH } as const;

const POLICY: CommandPolicy = {
  data: 'none',
  medium: 'required',
  attention: 'report',
  reservation: 'writes',
  // What was written before is overwritten, not the other way round.
  extent: WRITES_UNIT,
  writes: true,
  clause: 'SBC-3 5.24',
};

export const SANITIZE_OVERWRITE = command(
  0x48,
  'SANITIZE - OVERWRITE',
  10,
  FIELDS,
  { ...POLICY, data: 'out' },
  OVERWRITE,
);
export const SANITIZE_BLOCK_ERASE = command(
  0x48,
  'SANITIZE - BLOCK ERASE',
  10,
  FIELDS,
  POLICY,
  BLOCK_ERASE,
);
export const SANITIZE_CRYPTOGRAPHIC_ERASE = command(
  0x48,
  'SANITIZE - CRYPTOGRAPHIC ERASE',
  10,
  FIELDS,
  POLICY,
  CRYPTOGRAPHIC_ERASE,
);
export const SANITIZE_EXIT_FAILURE_MODE = command(
  0x48,
  'SANITIZE - EXIT FAILURE MODE',
  10,
  FIELDS,
  { ...POLICY, writes: false },
  0x1f,
);

const INVERT = 0x80;
const TEST = 0x60;
const OVERWRITE_COUNT = 0x1f;
const LIST_HEADER_BYTES = 4;

/** Reads the overwrite parameter list (SBC-3 table 90); null when the task was refused. */
function readPlan(task: Task): OperationPlan | null {
  const { blockBytes } = blockDeviceOf(task);
  const lengthBytes = field(task.cdb, LENGTH);
  if (lengthBytes <= LIST_HEADER_BYTES || lengthBytes > blockBytes + LIST_HEADER_BYTES) {
    refuseField(task, cdbBytePointer(LENGTH.byte));
    return null;
  }
  task.dataOutWanted = lengthBytes;
  task.dataOutMoved = Math.min(lengthBytes, task.dataOut.bytes);
  const list = new Uint8Array(lengthBytes);
  task.dataOut.get(0, list, 0, task.dataOutMoved);
  const flags = list[0] as number;
  const patternBytes = ((list[2] as number) << 8) | (list[3] as number);
  const count = flags & OVERWRITE_COUNT;
  const whole = LIST_HEADER_BYTES + patternBytes <= task.dataOutMoved;
  if (count === 0 || (flags & TEST) !== 0 || patternBytes === 0 || !whole) {
    // SBC-3 5.24.3 has these end as errors of the CDB, not of the list.
    refuse(task, INVALID_FIELD_IN_CDB);
    return null;
  }
  return {
    kind: OVERWRITE,
    count,
    invert: (flags & INVERT) !== 0,
    pattern: list.slice(LIST_HEADER_BYTES, LIST_HEADER_BYTES + patternBytes),
    mayExit: field(task.cdb, AUSE) === 1,
  };
}

function begin(task: Task, plan: OperationPlan): void {
  beginOperation(task, plan, field(task.cdb, IMMED) === 1);
}

export function sanitizeOverwrite(task: Task): void {
  const plan = readPlan(task);
  if (plan !== null) begin(task, plan);
}

function erase(task: Task, kind: typeof BLOCK_ERASE | typeof CRYPTOGRAPHIC_ERASE): void {
  if (field(task.cdb, LENGTH) !== 0) {
    refuseField(task, cdbBytePointer(LENGTH.byte));
    return;
  }
  const mayExit = field(task.cdb, AUSE) === 1;
  begin(task, { kind, count: 1, invert: false, pattern: new Uint8Array(0), mayExit });
}

export function sanitizeBlockErase(task: Task): void {
  erase(task, BLOCK_ERASE);
}

/** The key of the store is replaced. What the blocks hold reads as noise until it is written (WACEREQ 01b). */
export function sanitizeCryptographicErase(task: Task): void {
  erase(task, CRYPTOGRAPHIC_ERASE);
}

/** Leaves the failure mode of an operation that allowed it (AUSE = 1); GOOD when there is none (SBC-3 5.24.5). */
export function sanitizeExitFailureMode(task: Task): void {
  const unit = unitOf(task);
  const { operation, operationStore } = unit;
  if (field(task.cdb, LENGTH) !== 0) {
    refuseField(task, cdbBytePointer(LENGTH.byte));
  } else if (operation === null) {
    unit.finish(task);
  } else if (operation.plan.kind === FORMAT || !operation.plan.mayExit || operationStore === null) {
    refuse(task, INVALID_FIELD_IN_CDB, cdbPointer(1, 4));
  } else {
    task.await(operationStore.save(task, unit.lun, new Uint8Array(0)), (_, reply) => {
      if (reply === DONE) unit.operation = null;
      else task.check(INTERNAL_TARGET_FAILURE);
      unit.finish(task);
    });
  }
}
