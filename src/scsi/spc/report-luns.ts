/** REPORT LUNS: the logical unit inventory as this initiator addresses it (SPC-4 6.33). */
import { field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { INTERLOCK_NONE } from '../control-mode.ts';
import { encodeLun, LUN_BYTES, REPORT_LUNS_WLUN } from '../lun.ts';
import { answer, nexusIndexOf, refuseField, unitOf } from '../parameter-data.ts';
import { cdbBytePointer } from '../sense.ts';
import type { Task } from '../task.ts';

export const REPORT_LUNS = command(
  0xa0,
  'REPORT LUNS',
  12,
  { selectReport: u(2, 1), allocationLength: u(6, 4) },
  {
    data: 'in',
    medium: 'none',
    standby: true,
    attention: 'ignore',
    reservation: 'always',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.33',
  },
);

const HEADER_BYTES = 8;
/** SELECT REPORT: all but well-known logical units, well-known ones only, all. */
const ADDRESSABLE = 0x00;
const WELL_KNOWN = 0x01;
const ALL = 0x02;
/** Virtual SCSI initiators have targets 0 to 63. */
const LAST_VSCSI_TARGET = 0x3f;

/**
 * The LUNs a `vscsi` initiator means: at 00 00 or a well-known logical unit the whole adapter, one target per unit;
 * at 8n 00 the logical units of target n, which is LUN 0 alone, for target 0 too.
 */
function vscsiLuns(task: Task, luns: readonly number[]): readonly number[] {
  if (!task.targetAddressed) return luns.filter((lun) => lun <= LAST_VSCSI_TARGET);
  return luns.includes(task.lun) ? [0] : [];
}

function reported(task: Task, select: number): readonly number[] {
  const luns: number[] = [];
  if (select !== WELL_KNOWN) {
    const all = unitOf(task)
      .target.units()
      .map((unit) => unit.lun);
    luns.push(...(task.port.lunPresentation === 'vscsi' ? vscsiLuns(task, all) : all));
  }
  if (select !== ADDRESSABLE) luns.push(REPORT_LUNS_WLUN);
  return luns;
}

export function reportLuns(task: Task): void {
  const { fields } = REPORT_LUNS;
  const select = field(task.cdb, fields.selectReport);
  if (select > ALL) {
    refuseField(task, cdbBytePointer(fields.selectReport.byte));
    return;
  }
  const luns = reported(task, select);
  const data = new Uint8Array(HEADER_BYTES + luns.length * LUN_BYTES);
  new DataView(data.buffer).setUint32(0, luns.length * LUN_BYTES);
  let at = HEADER_BYTES;
  for (const lun of luns) {
    encodeLun(data, at, lun, task.port.lunPresentation);
    at += LUN_BYTES;
  }
  const nexusIndex = nexusIndexOf(task);
  for (const unit of unitOf(task).target.units()) {
    if (unit.attentionInterlock === INTERLOCK_NONE) unit.attention.clearReportedLuns(nexusIndex);
  }
  answer(task, data, data.length, field(task.cdb, fields.allocationLength));
}
