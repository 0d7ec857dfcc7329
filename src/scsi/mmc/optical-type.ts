/** The device types of optical drives (SPC-4 6.4.2 type 05h). */
import { type DeviceType, deviceType } from '../command-table.ts';
import { spcCommands } from '../spc/commands.ts';
import { burnCommands } from './burn/commands.ts';
import { opticalCommands } from './commands.ts';

export const CD_DVD = 0x05;

/** A drive that reads. */
export const readDrive: DeviceType = deviceType(CD_DVD, [...spcCommands, ...opticalCommands]);

/** A drive that writes as well. */
export const writeDrive: DeviceType = deviceType(CD_DVD, [
  ...spcCommands,
  ...opticalCommands,
  ...burnCommands,
]);

export function opticalType({ burner = false }: { readonly burner?: boolean } = {}): DeviceType {
  return burner ? writeDrive : readDrive;
}
