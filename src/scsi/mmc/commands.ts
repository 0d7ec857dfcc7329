/** Index of the commands of optical drives (MMC-6): row → handler, by family. */
import type { CommandRow, Handler } from '../command-table.ts';
import { audioCommands } from './audio/commands.ts';
import { cdCommands } from './cd/commands.ts';
import { informationCommands } from './information/commands.ts';
import { mediaCommands } from './media/commands.ts';
import { READ_10, READ_12, read } from './read.ts';
import { READ_CAPACITY, readCapacity } from './read-capacity.ts';
import { VERIFY_10, VERIFY_12, verify } from './verify.ts';

type Entry = readonly [CommandRow, Handler];

/** Of every optical drive. */
export const opticalCommands: readonly Entry[] = [
  ...mediaCommands,
  [READ_CAPACITY, readCapacity],
  [READ_10, read],
  [READ_12, read],
  [VERIFY_10, verify],
  [VERIFY_12, verify],
  ...cdCommands,
  ...informationCommands,
  ...audioCommands,
];
