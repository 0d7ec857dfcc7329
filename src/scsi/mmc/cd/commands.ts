/** Index of the commands that read CD sectors as they are: row → handler. */
import type { CommandRow, Handler } from '../../command-table.ts';
import { READ_CD, READ_CD_MSF, readCd, readCdMsf } from './read-cd.ts';
import { READ_HEADER, readHeader } from './read-header.ts';

export const cdCommands: readonly (readonly [CommandRow, Handler])[] = [
  [READ_HEADER, readHeader],
  [READ_CD_MSF, readCdMsf],
  [READ_CD, readCd],
];
