/** Index of the commands of optical drives (MMC-6): row → handler, by family. */
import type { CommandRow, Handler } from '../command-table.ts';
import { PREVENT_ALLOW_MEDIUM_REMOVAL, preventAllowMediumRemoval } from '../sbc/prevent-allow.ts';
import { START_STOP_UNIT, startStopUnit } from '../sbc/start-stop.ts';
import { cdCommands } from './cd/commands.ts';
import { READ_10, READ_12, read } from './read.ts';
import { READ_CAPACITY, readCapacity } from './read-capacity.ts';

type Entry = readonly [CommandRow, Handler];

/** Of every optical drive. */
export const opticalCommands: readonly Entry[] = [
  [START_STOP_UNIT, startStopUnit],
  [PREVENT_ALLOW_MEDIUM_REMOVAL, preventAllowMediumRemoval],
  [READ_CAPACITY, readCapacity],
  [READ_10, read],
  [READ_12, read],
  ...cdCommands,
];
