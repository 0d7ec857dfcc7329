/**
 * What stands between a known command and its handler, in order (SAM-5 5.3.3 status precedence, SPC-4, SBC-3):
 *
 *   1. unit attention of this I_T nexus        6/xx
 *   2. command and CDB                         5/25/00, 5/20/00, 5/24/00    (device-server.ts)
 *   3. medium ready                            2/04/02
 *   4. write protection                        7/27/xx
 *
 * For commands that write, 3 and 4 come before the CDB's reserved bits: hosts and iscsi-test-cu expect DATA PROTECT on a
 * read-only unit whatever else the CDB says.
 */
import type { CommandRow } from './command-table.ts';
import type { LogicalUnit } from './logical-unit.ts';
import {
  LOGICAL_UNIT_NOT_READY_INITIALIZING_COMMAND_REQUIRED,
  LOGICAL_UNIT_SOFTWARE_WRITE_PROTECTED,
  WRITE_PROTECTED,
} from './sense-codes.ts';

/** Takes and returns the unit attention that `row` must report to the nexus, or 0. An unknown command reports too. */
export function attentionGate(
  unit: LogicalUnit,
  nexusIndex: number,
  row: CommandRow | null,
): number {
  if (unit.attention.pending[nexusIndex] === 0) return 0;
  if (row !== null && row.attention !== 'report') return 0;
  return unit.attention.take(nexusIndex);
}

/** NOT READY sense when the command needs a medium that is not ready, or 0. */
export function mediumGate(unit: LogicalUnit, row: CommandRow): number {
  if (row.medium !== 'required' || unit.block === null || !unit.block.stopped) return 0;
  return LOGICAL_UNIT_NOT_READY_INITIALIZING_COMMAND_REQUIRED;
}

/** DATA PROTECT sense when the command writes what may not be written, or 0. */
export function protectGate(unit: LogicalUnit, row: CommandRow): number {
  if (row.writes !== true || unit.block === null) return 0;
  if (unit.block.store.readOnly) return WRITE_PROTECTED;
  return unit.softwareWriteProtect ? LOGICAL_UNIT_SOFTWARE_WRITE_PROTECTED : 0;
}
