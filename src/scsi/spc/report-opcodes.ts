/** REPORT SUPPORTED OPERATION CODES, derived from the command table of the device type (SPC-4 6.35). */
import { bits, field, u } from '../cdb.ts';
import {
  type Command,
  type CommandRow,
  command,
  type OpcodeEntry,
  TOUCHES_NOTHING,
} from '../command-table.ts';
import { answer, refuseField, unitOf } from '../parameter-data.ts';
import { cdbPointer } from '../sense.ts';
import type { Task } from '../task.ts';

export const REPORT_SUPPORTED_OPERATION_CODES = command(
  0xa3,
  'REPORT SUPPORTED OPERATION CODES',
  12,
  {
    rctd: bits(2, 7, 7),
    reportingOptions: bits(2, 2, 0),
    requestedOpcode: u(3, 1),
    requestedServiceAction: u(4, 2),
    allocationLength: u(6, 4),
  },
  {
    data: 'in',
    medium: 'none',
    standby: true,
    attention: 'report',
    reservation: 'reads',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.35',
  },
  0x0c,
);

/** REPORTING OPTIONS. */
const ALL_COMMANDS = 0;
const OPCODE_WITHOUT_SERVICE_ACTION = 1;
const OPCODE_WITH_SERVICE_ACTION = 2;
const EITHER = 3;

const LIST_HEADER_BYTES = 4;
const DESCRIPTOR_BYTES = 8;
const ONE_HEADER_BYTES = 4;
const TIMEOUTS_BYTES = 12;
const SERVACTV = 0x01;
const CTDP_IN_LIST = 0x02;
const CTDP_IN_ONE = 0x80;
const NOT_SUPPORTED = 0x01;
const SUPPORTED_AS_STANDARD = 0x03;

/** Command timeouts descriptor that names no timeout: length 000Ah, all else zero (SPC-4 6.35.4). */
function putTimeouts(view: DataView, at: number): void {
  view.setUint16(at, TIMEOUTS_BYTES - 2);
}

function putDescriptor(view: DataView, at: number, row: CommandRow, timeouts: boolean): void {
  const hasServiceAction = row.serviceAction >= 0;
  view.setUint8(at, row.opcode);
  view.setUint16(at + 2, hasServiceAction ? row.serviceAction : 0);
  view.setUint8(at + 5, (timeouts ? CTDP_IN_LIST : 0) | (hasServiceAction ? SERVACTV : 0));
  view.setUint16(at + 6, row.lengthBytes);
  if (timeouts) putTimeouts(view, at + DESCRIPTOR_BYTES);
}

/** All_commands parameter data (SPC-4 6.35.2). */
function allCommands(commands: readonly Command[], timeouts: boolean): Uint8Array {
  const step = DESCRIPTOR_BYTES + (timeouts ? TIMEOUTS_BYTES : 0);
  const data = new Uint8Array(LIST_HEADER_BYTES + commands.length * step);
  const view = new DataView(data.buffer);
  view.setUint32(0, commands.length * step);
  let at = LIST_HEADER_BYTES;
  for (const { row } of commands) {
    putDescriptor(view, at, row, timeouts);
    at += step;
  }
  return data;
}

/** One_command parameter data (SPC-4 6.35.3). */
function oneCommand(row: CommandRow | null, timeouts: boolean): Uint8Array {
  if (row === null) return Uint8Array.of(0, NOT_SUPPORTED, 0, 0);
  const usageEnd = ONE_HEADER_BYTES + row.usage.length;
  const data = new Uint8Array(usageEnd + (timeouts ? TIMEOUTS_BYTES : 0));
  const view = new DataView(data.buffer);
  view.setUint8(1, SUPPORTED_AS_STANDARD | (timeouts ? CTDP_IN_ONE : 0));
  view.setUint16(2, row.usage.length);
  data.set(row.usage, ONE_HEADER_BYTES);
  if (timeouts) putTimeouts(view, usageEnd);
  return data;
}

/** The asked command, null when it is not supported, undefined when the option does not fit the opcode. */
function find(
  entry: OpcodeEntry | null,
  options: number,
  serviceAction: number,
): CommandRow | null | undefined {
  const hasServiceActions = entry !== null && entry.byServiceAction !== null;
  if (options === OPCODE_WITHOUT_SERVICE_ACTION && hasServiceActions) return undefined;
  if (options === OPCODE_WITH_SERVICE_ACTION && entry !== null && !hasServiceActions) {
    return undefined;
  }
  if (entry === null) return null;
  if (entry.byServiceAction !== null) return entry.byServiceAction.get(serviceAction)?.row ?? null;
  if (options === EITHER && serviceAction !== 0) return null;
  return entry.single?.row ?? null;
}

export function reportSupportedOperationCodes(task: Task): void {
  const { fields } = REPORT_SUPPORTED_OPERATION_CODES;
  const { commands, opcodes } = unitOf(task).deviceType;
  const options = field(task.cdb, fields.reportingOptions);
  const timeouts = field(task.cdb, fields.rctd) === 1;
  const allocationLength = field(task.cdb, fields.allocationLength);
  if (options === ALL_COMMANDS) {
    const data = allCommands(commands, timeouts);
    answer(task, data, data.length, allocationLength);
    return;
  }
  const entry = opcodes[field(task.cdb, fields.requestedOpcode)] ?? null;
  const row =
    options > EITHER
      ? undefined
      : find(entry, options, field(task.cdb, fields.requestedServiceAction));
  if (row === undefined) {
    refuseField(task, cdbPointer(fields.reportingOptions.byte, 2));
    return;
  }
  const data = oneCommand(row, timeouts);
  answer(task, data, data.length, allocationLength);
}
