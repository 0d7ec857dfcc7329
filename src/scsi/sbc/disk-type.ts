/** The device types of direct access block devices: fully provisioned and thin (SPC-4 6.4.2 type 00h, SBC-3 4.7). */
import { type DeviceType, deviceType } from '../command-table.ts';
import { spcCommands } from '../spc/commands.ts';
import { atomicCommands, removableCommands, sbcCommands, sbcThinCommands } from './commands.ts';

const DIRECT_ACCESS_BLOCK = 0x00;

function compose(thin: boolean, removable: boolean, atomic: boolean): DeviceType {
  return deviceType(DIRECT_ACCESS_BLOCK, [
    ...spcCommands,
    ...(thin ? sbcThinCommands : sbcCommands),
    ...(removable ? removableCommands : []),
    ...(atomic ? atomicCommands : []),
  ]);
}

export const thickDisk = compose(false, false, false);
export const thinDisk = compose(true, false, false);
/** The table with every command a disk may have. */
export const fullDisk = compose(true, true, true);

const composed = new Map<number, DeviceType>();

/**
 * The command table that fits a block device: thin ones can unmap, removable media can be held fast, and stores that can keep that
 * promise write atomically.
 */
export function diskType(thin: boolean, removable = false, atomic = false): DeviceType {
  if (!removable && !atomic) return thin ? thinDisk : thickDisk;
  const key = (thin ? 1 : 0) | (removable ? 2 : 0) | (atomic ? 4 : 0);
  const type = composed.get(key) ?? compose(thin, removable, atomic);
  composed.set(key, type);
  return type;
}
