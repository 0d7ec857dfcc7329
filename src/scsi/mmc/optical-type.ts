/** The device types of optical drives (SPC-4 6.4.2 type 05h). */
import { type CommandRow, type DeviceType, deviceType, type Handler } from '../command-table.ts';
import { primaryCommands } from '../spc/commands.ts';
import { burnCommands } from './burn/commands.ts';
import { opticalCommands } from './commands.ts';
import type { MmcCommand } from './mmc-command.ts';

export const CD_DVD = 0x05;

function pairs(commands: readonly MmcCommand[]): (readonly [CommandRow, Handler])[] {
  return commands.map(([row, run]) => [row, run]);
}

/**
 * A drive that reads. What MMC-6 does not have is not here: no copy manager, logs, self-tests or target port groups; A3h and A4h are
 * SEND KEY and REPORT KEY where service actions 0Ch and 0Dh of A3h are not meant.
 */
export const readDrive: DeviceType = deviceType(CD_DVD, [
  ...primaryCommands,
  ...pairs(opticalCommands),
]);

/** A drive that writes as well. */
export const writeDrive: DeviceType = deviceType(CD_DVD, [
  ...primaryCommands,
  ...pairs(opticalCommands),
  ...pairs(burnCommands),
]);

export function opticalType({ burner = false }: { readonly burner?: boolean } = {}): DeviceType {
  return burner ? writeDrive : readDrive;
}
