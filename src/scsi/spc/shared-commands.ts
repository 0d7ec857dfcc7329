/** Primary commands that are about initiators and the target, by what they are about: units that are real devices have only these of ours. */
import type { CommandRow, Handler } from '../command-table.ts';
import { spcCommands } from './commands.ts';
import { REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS } from './report-functions.ts';
import { REPORT_LUNS } from './report-luns.ts';
import { REPORT_SUPPORTED_OPERATION_CODES } from './report-opcodes.ts';
import { RELEASE_6, RELEASE_10, RESERVE_6, RESERVE_10 } from './reserve-release.ts';

type Entry = readonly [CommandRow, Handler];

const PERSISTENT_RESERVE_IN = 0x5e;
const PERSISTENT_RESERVE_OUT = 0x5f;

function those(...rows: readonly CommandRow[]): readonly Entry[] {
  return spcCommands.filter(([row]) => rows.includes(row));
}

/** RESERVE and RELEASE, and the inventory they are about. */
export const RESERVATION_COMMANDS: readonly Entry[] = those(
  RESERVE_6,
  RELEASE_6,
  RESERVE_10,
  RELEASE_10,
  REPORT_LUNS,
);
export const PERSISTENT_RESERVE_COMMANDS: readonly Entry[] = spcCommands.filter(
  ([{ opcode }]) => opcode === PERSISTENT_RESERVE_IN || opcode === PERSISTENT_RESERVE_OUT,
);
/** What this target can do for the unit. */
export const REPORT_COMMANDS: readonly Entry[] = those(
  REPORT_SUPPORTED_OPERATION_CODES,
  REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS,
);
