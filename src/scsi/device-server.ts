/** The device server: finds a command's row, says what blocks it touches, and runs it when its gates let it (SAM-5 4.5.19). */
import {
  ADDITIONAL_LENGTH,
  additionalLength,
  field,
  firstStrayBit,
  VARIABLE_LENGTH,
} from './cdb.ts';
import {
  type Command,
  type CommandRow,
  type Handler,
  NACA,
  READS_UNIT,
  TOUCHES_NOTHING,
  WRITES_UNIT,
} from './command-table.ts';
import {
  attentionGate,
  changeGate,
  isResetPending,
  mediumGate,
  protectGate,
  reservationGate,
  standbyGate,
} from './gates.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { NO_LUN } from './lun.ts';
import type { Nexus } from './nexus.ts';
import { ACTIVE } from './power-condition.ts';
import { RESERVATION_CONFLICT } from './sam.ts';
import { cdbBytePointer, cdbPointer, NONE } from './sense.ts';
import {
  INTERNAL_TARGET_FAILURE,
  INVALID_COMMAND_OPERATION_CODE,
  INVALID_FIELD_IN_CDB,
  LOGICAL_UNIT_NOT_SUPPORTED,
} from './sense-codes.ts';
import { ENABLED, type Task } from './task.ts';

const OPCODE_BYTE = 0;
const NACA_BIT = 2;

function find(unit: LogicalUnit, cdb: Uint8Array): Command | null {
  const entry = unit.deviceType.opcodes[cdb[OPCODE_BYTE] as number] ?? null;
  if (entry === null) return null;
  if (entry.byServiceAction === null) return entry.single;
  return entry.byServiceAction.get(field(cdb, entry.serviceAction)) ?? null;
}

function decodeExtent(unit: LogicalUnit, task: Task, row: CommandRow): void {
  if (row.extent === WRITES_UNIT || row.extent === READS_UNIT) {
    task.extentEnd = Number.MAX_SAFE_INTEGER;
    return;
  }
  if (row.lba === null || row.blocks === null || unit.block === null) return;
  const lba = field(task.cdb, row.lba);
  let blocks = field(task.cdb, row.blocks);
  if (blocks === 0 && row.zeroBlocks === '256') blocks = 256;
  if (blocks === 0 && row.zeroBlocks === 'rest') blocks = Math.max(0, unit.block.blocks - lba);
  task.lba = lba;
  task.blocks = blocks;
  if (row.extent === TOUCHES_NOTHING) return;
  task.extentFirst = lba;
  task.extentEnd = lba + blocks;
}

/** On arrival: sets `task.row`, and `lba`, `blocks` and the extent when the row has them. */
export function decode(task: Task, unit: LogicalUnit): void {
  const command = find(unit, task.cdb);
  task.row = command === null ? null : command.row;
  task.run = command === null ? null : command.run;
  task.lba = 0;
  task.blocks = 0;
  if (unit.medium !== null) task.mediumGeneration = unit.medium.generation;
  if (command !== null) decodeExtent(unit, task, command.row);
}

function refuse(task: Task, unit: LogicalUnit, sense: number, fieldPointer: number): void {
  task.check(sense, NONE, fieldPointer);
  unit.finish(task);
}

function refuseUnknown(task: Task, unit: LogicalUnit): void {
  const entry = unit.deviceType.opcodes[task.cdb[OPCODE_BYTE] as number] ?? null;
  if (unit.lun === NO_LUN) {
    refuse(task, unit, LOGICAL_UNIT_NOT_SUPPORTED, NONE);
  } else if (entry !== null) {
    const { byte, mask } = entry.serviceAction;
    refuse(task, unit, INVALID_FIELD_IN_CDB, cdbPointer(byte, 31 - Math.clz32(mask)));
  } else {
    refuse(task, unit, INVALID_COMMAND_OPERATION_CODE, NONE);
  }
}

/** Whether a variable length CDB says that it has another length than the command (SPC-4 4.3.3). */
function lies(task: Task, row: CommandRow): boolean {
  if (row.opcode !== VARIABLE_LENGTH) return false;
  return field(task.cdb, ADDITIONAL_LENGTH) !== additionalLength(row.lengthBytes);
}

/** Refuses bits the row does not honour, NACA where there is no ACA, and CDBs cut short. True when refused. */
function refuseCdb(task: Task, unit: LogicalUnit, row: CommandRow): boolean {
  if (task.cdbBytes < row.lengthBytes) {
    refuse(task, unit, INVALID_FIELD_IN_CDB, NONE);
    return true;
  }
  if (lies(task, row)) {
    refuse(task, unit, INVALID_FIELD_IN_CDB, cdbBytePointer(ADDITIONAL_LENGTH.byte));
    return true;
  }
  let stray = firstStrayBit(row.honoured, task.cdb);
  if (stray < 0 && !unit.normalAca && ((task.cdb[row.controlByte] as number) & NACA) !== 0) {
    stray = (row.controlByte << 3) | NACA_BIT;
  }
  if (stray < 0) return false;
  refuse(task, unit, INVALID_FIELD_IN_CDB, cdbPointer(stray >> 3, stray & 7));
  return true;
}

function refuseMedium(task: Task, unit: LogicalUnit, row: CommandRow): boolean {
  const { operation, selfTest } = unit;
  if (operation?.refuses(row) === true) {
    refuse(task, unit, operation.sense, operation.pointer);
    return true;
  }
  if (selfTest.refuses(row)) {
    refuse(task, unit, selfTest.sense, selfTest.pointer);
    return true;
  }
  const burner = unit.optical === null ? null : unit.optical.burner;
  const burning = burner === null ? 0 : burner.refusal(task, row);
  if (burner !== null && burning !== 0) {
    refuse(task, unit, burning, burning === burner.sense ? burner.pointer : NONE);
    return true;
  }
  const sense =
    standbyGate(unit, row) ||
    mediumGate(unit, row) ||
    changeGate(unit, row, task) ||
    protectGate(unit, row);
  if (sense === 0) return false;
  refuse(task, unit, sense, NONE);
  return true;
}

/** Idle and standby end when the medium is needed (SBC-3 4.20). */
function wake(unit: LogicalUnit, row: CommandRow): void {
  if (row.medium === 'required' && row.extent !== TOUCHES_NOTHING) unit.power.wake();
}

function serve(task: Task, unit: LogicalUnit, nexus: Nexus): void {
  const { row, run } = task;
  if (!isResetPending(unit, nexus.index, row) && reservationGate(unit, nexus, task)) {
    task.status = RESERVATION_CONFLICT;
    unit.finish(task);
    return;
  }
  const attention = attentionGate(unit, nexus.index, row);
  if (attention !== 0) {
    refuse(task, unit, attention, NONE);
  } else if (row === null || run === null) {
    refuseUnknown(task, unit);
  } else if (row.writes === true) {
    if (!refuseMedium(task, unit, row) && !refuseCdb(task, unit, row)) begin(task, unit, row, run);
  } else if (!refuseCdb(task, unit, row) && !refuseMedium(task, unit, row)) {
    begin(task, unit, row, run);
  }
}

function begin(task: Task, unit: LogicalUnit, row: CommandRow, run: Handler): void {
  if (unit.power.condition !== ACTIVE) wake(unit, row);
  if (row.writes === true && unit.tokens.size > 0) {
    unit.target.rodTokens.written(unit, task.extentFirst, task.extentEnd);
  }
  run(task);
}

/** Runs an enabled task. A bug in a handler ends that command with 4/44/00 and is reported, never GOOD. */
export function execute(task: Task, unit: LogicalUnit): void {
  const { nexus, sequence } = task;
  if (nexus === null) return;
  try {
    serve(task, unit, nexus);
  } catch (error) {
    unit.target.onInternalError(error, task);
    if (task.state !== ENABLED || task.sequence !== sequence) throw error;
    task.continuation = null;
    const bounce = unit.block?.bounce;
    const held = bounce?.heldBy(task) ?? -1;
    refuse(task, unit, INTERNAL_TARGET_FAILURE, NONE);
    if (held >= 0) bounce?.release(held);
  }
}
