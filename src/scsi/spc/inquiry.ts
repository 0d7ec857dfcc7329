/** INQUIRY: standard data, and the way to the vital product data pages (SPC-4 6.6). */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { NO_LUN } from '../lun.ts';
import { answer, refuseField, unitOf } from '../parameter-data.ts';
import { cdbBytePointer } from '../sense.ts';
import type { Task } from '../task.ts';
import { IMPLICIT_ACCESS } from './target-port-groups.ts';
import { putText } from './text.ts';
import { vpdPage } from './vpd.ts';

export const INQUIRY = command(
  0x12,
  'INQUIRY',
  6,
  { evpd: bits(1, 0, 0), pageCode: u(2, 1), allocationLength: u(3, 2) },
  {
    data: 'in',
    medium: 'none',
    standby: true,
    attention: 'ignore',
    reservation: 'always',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.6',
  },
);

const STANDARD_BYTES = 96;
/** PERIPHERAL QUALIFIER 011b, PERIPHERAL DEVICE TYPE 1Fh: no logical unit can be here. */
const NOT_CAPABLE = 0x7f;
const RMB = 0x80;
const VERSION_SPC_4 = 0x06;
const NORMACA = 0x20;
const HISUP = 0x10;
const RESPONSE_DATA_FORMAT = 0x02;
/** 3PC: it has a copy manager. */
const THREE_PC = 0x08;
/** PROTECT: its blocks have protection information. */
const PROTECT = 0x01;
const CMDQUE = 0x02;

const SAM_5 = 0x00a0;
const SPC_4 = 0x0460;
const SBC_3 = 0x04c0;
const MMC_6 = 0x04e0;
const SRP = 0x0940;
const VERSION_DESCRIPTORS_AT = 58;

function versionDescriptors(unit: LogicalUnit): readonly number[] {
  if (unit.optical !== null) return [SAM_5, SPC_4, MMC_6, SRP];
  return unit.block === null ? [SAM_5, SPC_4, SRP] : [SAM_5, SPC_4, SBC_3, SRP];
}

/** Standard INQUIRY data (SPC-4 6.6.2). */
function standardData(unit: LogicalUnit): Uint8Array {
  const data = new Uint8Array(STANDARD_BYTES);
  const view = new DataView(data.buffer);
  data[0] = unit.lun === NO_LUN ? NOT_CAPABLE : unit.deviceType.peripheralType;
  if (unit.medium !== null) data[1] = RMB;
  data[2] = VERSION_SPC_4;
  data[3] = (unit.normalAca ? NORMACA : 0) | HISUP | RESPONSE_DATA_FORMAT;
  data[4] = STANDARD_BYTES - 5;
  // An optical drive has no target port group commands, no copy manager, and no protection information.
  if (unit.block !== null && unit.optical === null) {
    data[5] = IMPLICIT_ACCESS | THREE_PC | (unit.block.protectionType > 0 ? PROTECT : 0);
  }
  data[7] = CMDQUE;
  putText(data, 8, 8, unit.identity.vendor);
  putText(data, 16, 16, unit.identity.product);
  putText(data, 32, 4, unit.identity.revision);
  if (unit.lun === NO_LUN) return data;
  let at = VERSION_DESCRIPTORS_AT;
  for (const descriptor of versionDescriptors(unit)) {
    view.setUint16(at, descriptor);
    at += 2;
  }
  return data;
}

export function inquiry(task: Task): void {
  const { fields } = INQUIRY;
  const unit = unitOf(task);
  const pageCode = field(task.cdb, fields.pageCode);
  const vital = field(task.cdb, fields.evpd) === 1;
  const data = vital ? vpdPage(unit, pageCode) : pageCode === 0 ? standardData(unit) : null;
  if (data === null) refuseField(task, cdbBytePointer(fields.pageCode.byte));
  else answer(task, data, data.length, field(task.cdb, fields.allocationLength));
}
