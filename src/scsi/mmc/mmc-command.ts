/** A row of the command table of optical drives. */
import type { CommandRow, Handler } from '../command-table.ts';

/**
 * Command, handler, and the features whose drives have it (MMC-6 5.3). None: of every drive, for hosts that send it whatever GET
 * CONFIGURATION says.
 */
export type MmcCommand = readonly [row: CommandRow, run: Handler, features: readonly number[]];
