/** Index of the commands that read CD sectors as they are: row → handler, features. */
import type { MmcCommand } from '../mmc-command.ts';
import { READ_CD, READ_CD_MSF, readCd, readCdMsf } from './read-cd.ts';
import { READ_HEADER, readHeader } from './read-header.ts';

export const cdCommands: readonly MmcCommand[] = [
  [READ_HEADER, readHeader, []],
  [READ_CD_MSF, readCdMsf, [0x001e]],
  [READ_CD, readCd, [0x001d, 0x001e]],
];
