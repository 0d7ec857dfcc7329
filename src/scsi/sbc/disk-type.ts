/** The device types of direct access block devices: fully provisioned and thin (SPC-4 6.4.2 type 00h, SBC-3 4.7). */
import { type DeviceType, deviceType } from '../command-table.ts';
import { spcCommands } from '../spc/commands.ts';
import { sbcCommands, sbcThinCommands } from './commands.ts';

const DIRECT_ACCESS_BLOCK = 0x00;

export const thickDisk = deviceType(DIRECT_ACCESS_BLOCK, [...spcCommands, ...sbcCommands]);
export const thinDisk = deviceType(DIRECT_ACCESS_BLOCK, [...spcCommands, ...sbcThinCommands]);

/** The command table that fits a block device: thin ones can unmap. */
export function diskType(thin: boolean): DeviceType {
  return thin ? thinDisk : thickDisk;
}
