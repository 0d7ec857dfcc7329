/** Policies that the commands which tell something share. */
import { type CommandPolicy, TOUCHES_NOTHING } from '../../command-table.ts';

const TELLS = {
  data: 'in',
  attention: 'report',
  extent: TOUCHES_NOTHING,
  clause: 'MMC-6',
} as const;

/** It tells something of the drive, with a disc or without. */
export const TELLS_OF_DRIVE: CommandPolicy = { ...TELLS, medium: 'none', reservation: 'always' };
/** It tells something of the disc. */
export const TELLS_OF_DISC: CommandPolicy = { ...TELLS, medium: 'required', reservation: 'reads' };
