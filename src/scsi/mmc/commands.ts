/** Index of the commands of optical drives (MMC-6): row → handler, features; by family. */

import { audioCommands } from './audio/commands.ts';
import { cdCommands } from './cd/commands.ts';
import { informationCommands } from './information/commands.ts';
import { mediaCommands } from './media/commands.ts';
import type { MmcCommand } from './mmc-command.ts';
import { READ_10, READ_12, read } from './read.ts';
import { READ_CAPACITY, readCapacity } from './read-capacity.ts';
import { VERIFY_10, VERIFY_12, verify } from './verify.ts';

/** Of every optical drive. */
export const opticalCommands: readonly MmcCommand[] = [
  ...mediaCommands,
  [READ_CAPACITY, readCapacity, [0x0010, 0x0020]],
  [READ_10, read, [0x0010, 0x001d, 0x001f, 0x0040]],
  [READ_12, read, [0x001f, 0x0040, 0x0107]],
  [VERIFY_10, verify, [0x0020, 0x0023]],
  [VERIFY_12, verify, []],
  ...cdCommands,
  ...informationCommands,
  ...audioCommands,
];
