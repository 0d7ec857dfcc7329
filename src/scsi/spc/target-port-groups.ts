/**
 * Target port groups (SPC-4 5.15): this target has one port, whatever transports lead to it, in one group, whose access to a
 * logical unit changes when the operator lets the unit out of standby or puts it there (TPGS 01b, implicit).
 */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { answer, refuseField, unitOf } from '../parameter-data.ts';
import { RELATIVE_TARGET_PORT } from '../reservations.ts';
import { cdbPointer } from '../sense.ts';
import type { Task } from '../task.ts';

const FORMAT = bits(1, 7, 5);
const ALLOCATION_LENGTH = u(6, 4);

export const REPORT_TARGET_PORT_GROUPS = command(
  0xa3,
  'REPORT TARGET PORT GROUPS',
  12,
  { format: FORMAT, allocationLength: ALLOCATION_LENGTH },
  {
    data: 'in',
    medium: 'none',
    standby: true,
    attention: 'report',
    reservation: 'always',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.37',
  },
  0x0a,
);

/** TPGS of standard INQUIRY data. */
export const IMPLICIT_ACCESS = 0x10;

const LENGTH_ONLY = 0;
const EXTENDED = 1;
const EXTENDED_HEADER_BYTES = 8;
const GROUP_BYTES = 8;
const PORT_BYTES = 4;

const TARGET_PORT_GROUP = 1;
const ACTIVE_OPTIMIZED = 0x0;
const STANDBY = 0x2;
/** Supported states. */
const S_SUP = 0x04;
const AO_SUP = 0x01;
/** STATUS CODE: altered by implicit asymmetric logical unit access behavior. */
const ALTERED = 0x02;

const TARGET_PORT = 0x10;
const TYPE_RELATIVE_TARGET_PORT = 0x04;
const TYPE_TARGET_PORT_GROUP = 0x05;
const CODE_SET_BINARY = 0x01;

function portDesignator(type: number, value: number): number[] {
  return [CODE_SET_BINARY, TARGET_PORT | type, 0, 4, 0, 0, value >> 8, value & 0xff];
}

/** Designators of the target port for the Device identification VPD page: its relative identifier and its group. */
export function targetPortDesignators(): Uint8Array {
  return Uint8Array.from([
    ...portDesignator(TYPE_RELATIVE_TARGET_PORT, RELATIVE_TARGET_PORT),
    ...portDesignator(TYPE_TARGET_PORT_GROUP, TARGET_PORT_GROUP),
  ]);
}

/** SCSI Ports VPD page (SPC-4 7.8.14): the port, without initiator ports, and what it is called. */
export function scsiPorts(): Uint8Array {
  const designators = targetPortDesignators();
  const body = new Uint8Array(12 + designators.length);
  const view = new DataView(body.buffer);
  view.setUint16(2, RELATIVE_TARGET_PORT);
  view.setUint16(10, designators.length);
  body.set(designators, 12);
  return body;
}

function group(unit: LogicalUnit): Uint8Array {
  const bytes = new Uint8Array(GROUP_BYTES + PORT_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = unit.standby ? STANDBY : ACTIVE_OPTIMIZED;
  bytes[1] = AO_SUP | S_SUP;
  view.setUint16(2, TARGET_PORT_GROUP);
  bytes[5] = unit.accessAltered ? ALTERED : 0;
  bytes[7] = 1;
  view.setUint16(GROUP_BYTES + 2, RELATIVE_TARGET_PORT);
  return bytes;
}

export function reportTargetPortGroups(task: Task): void {
  const format = field(task.cdb, FORMAT);
  if (format !== LENGTH_ONLY && format !== EXTENDED) {
    refuseField(task, cdbPointer(FORMAT.byte, 7));
    return;
  }
  const descriptor = group(unitOf(task));
  const header = format === EXTENDED ? EXTENDED_HEADER_BYTES : 4;
  const data = new Uint8Array(header + descriptor.length);
  new DataView(data.buffer).setUint32(0, data.length - 4);
  if (format === EXTENDED) data[4] = EXTENDED << 4;
  data.set(descriptor, header);
  answer(task, data, data.length, field(task.cdb, ALLOCATION_LENGTH));
}
