/**
 * What stands between a known command and its handler, in order (SAM-5 5.3.3 status precedence, SPC-4, SBC-3):
 *
 *   1. unit attention of the reset family      6/29/xx
 *      reservation of another nexus            RESERVATION CONFLICT
 *      other unit attention of this nexus      6/xx
 *   2. command and CDB                         5/25/00, 5/20/00, 5/24/00    (device-server.ts)
 *   3. sanitize operation                      2/04/1B, 3/31/03         (device-server.ts)
 *      self-test in foreground mode            2/04/09                  (device-server.ts)
 *      burning by another nexus, long operation  2/04/0x, 5/2C/00       (device-server.ts)
 *      standby state                           2/04/0B
 *   4. medium ready                            2/3A/01, 2/3A/02, 2/04/02
 *      medium it was sent for                  2/3A/00
 *   5. write protection                        7/27/xx
 *
 * For commands that write, 3 to 5 come before the CDB's reserved bits: hosts and iscsi-test-cu expect DATA PROTECT on a
 * read-only unit whatever else the CDB says.
 */
import { type CommandRow, TOUCHES_NOTHING } from './command-table.ts';
import type { LogicalUnit } from './logical-unit.ts';
import type { Nexus } from './nexus.ts';
import {
  LOGICAL_UNIT_NOT_ACCESSIBLE_TARGET_PORT_IN_STANDBY_STATE,
  LOGICAL_UNIT_NOT_READY_INITIALIZING_COMMAND_REQUIRED,
  LOGICAL_UNIT_SOFTWARE_WRITE_PROTECTED,
  MEDIUM_NOT_PRESENT,
  WRITE_PROTECTED,
} from './sense-codes.ts';
import type { Task } from './task.ts';
import { isOfResetFamily } from './unit-attention.ts';

/** Whether a reservation of another nexus excludes the command. An unknown one is treated like MODE SELECT. */
export function reservationGate(unit: LogicalUnit, nexus: Nexus, task: Task): boolean {
  const { reservations } = unit;
  if (!reservations.active) return false;
  const policy = task.row === null ? 'writes' : task.row.reservation;
  return reservations.conflicts(nexus, typeof policy === 'string' ? policy : policy(task));
}

/** Whether the unit attention that `row` would report is one of a reset, which even a reservation does not precede. */
export function isResetPending(
  unit: LogicalUnit,
  nexusIndex: number,
  row: CommandRow | null,
): boolean {
  if (unit.attention.pending[nexusIndex] === 0) return false;
  if (row !== null && row.attention !== 'report') return false;
  return isOfResetFamily(unit.attention.peek(nexusIndex));
}

/**
 * The unit attention that `row` must report to the nexus, or 0; the task set clears it when that is done. An unknown
 * command reports too.
 */
export function attentionGate(
  unit: LogicalUnit,
  nexusIndex: number,
  row: CommandRow | null,
): number {
  if (unit.attention.pending[nexusIndex] === 0) return 0;
  if (row !== null && row.attention !== 'report') return 0;
  return unit.attention.peek(nexusIndex);
}

/** NOT READY sense when the unit is in standby and the command is none of those served there, or 0. */
export function standbyGate(unit: LogicalUnit, row: CommandRow): number {
  if (!unit.standby || row.standby === true) return 0;
  return LOGICAL_UNIT_NOT_ACCESSIBLE_TARGET_PORT_IN_STANDBY_STATE;
}

/** NOT READY sense when the command needs a medium that is not ready, or 0. */
export function mediumGate(unit: LogicalUnit, row: CommandRow): number {
  if (row.medium !== 'required') return 0;
  const absence = unit.medium?.absence ?? 0;
  if (absence !== 0 || unit.block === null || !unit.block.stopped) return absence;
  return LOGICAL_UNIT_NOT_READY_INITIALIZING_COMMAND_REQUIRED;
}

/**
 * NOT READY sense when the command touches or names blocks and was sent for a medium that has gone, or 0: the unit attention says so to
 * the first command of each nexus, and what was queued behind that must not reach the new medium either.
 */
export function changeGate(unit: LogicalUnit, row: CommandRow, task: Task): number {
  if (unit.medium === null || row.anyMedium === true) return 0;
  if (row.extent === TOUCHES_NOTHING && row.lba === null) return 0;
  return task.mediumGeneration === unit.medium.generation ? 0 : MEDIUM_NOT_PRESENT;
}

/** DATA PROTECT sense when the command writes what may not be written, or 0. */
export function protectGate(unit: LogicalUnit, row: CommandRow): number {
  if (row.writes !== true || unit.block === null) return 0;
  if (unit.block.store.readOnly) return WRITE_PROTECTED;
  return unit.softwareWriteProtect ? LOGICAL_UNIT_SOFTWARE_WRITE_PROTECTED : 0;
}
