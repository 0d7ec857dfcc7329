/** The device types of direct access block devices: fully provisioned and thin (SPC-4 6.4.2 type 00h, SBC-3 4.7). */
import { type DeviceType, deviceType } from '../command-table.ts';
import { spcCommands } from '../spc/commands.ts';
import { removableCommands, sbcCommands, sbcThinCommands } from './commands.ts';

const DIRECT_ACCESS_BLOCK = 0x00;

export const thickDisk = deviceType(DIRECT_ACCESS_BLOCK, [...spcCommands, ...sbcCommands]);
export const thinDisk = deviceType(DIRECT_ACCESS_BLOCK, [...spcCommands, ...sbcThinCommands]);

const removableThickDisk = deviceType(DIRECT_ACCESS_BLOCK, [
  ...spcCommands,
  ...sbcCommands,
  ...removableCommands,
]);
const removableThinDisk = deviceType(DIRECT_ACCESS_BLOCK, [
  ...spcCommands,
  ...sbcThinCommands,
  ...removableCommands,
]);

/** The command table that fits a block device: thin ones can unmap, removable media can be held fast. */
export function diskType(thin: boolean, removable = false): DeviceType {
  if (removable) return thin ? removableThinDisk : removableThickDisk;
  return thin ? thinDisk : thickDisk;
}
