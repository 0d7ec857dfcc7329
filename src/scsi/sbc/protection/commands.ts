/**
 * The block commands of disks with protection information. Each is named here: a command that does not know how such a disk
 * stores its blocks must not find its way into the table by itself.
 */
import type { CommandRow, Handler } from '../../command-table.ts';
import { copyCommands } from '../../copy/commands.ts';
import { SYNCHRONIZE_CACHE_10, SYNCHRONIZE_CACHE_16, synchronizeCache } from '../cache.ts';
import { READ_CAPACITY_10, READ_CAPACITY_16, readCapacity10, readCapacity16 } from '../capacity.ts';
import { COMPARE_AND_WRITE } from '../compare-and-write.ts';
import {
  READ_DEFECT_DATA_10,
  READ_DEFECT_DATA_12,
  readDefectData10,
  readDefectData12,
} from '../defect-data.ts';
import { formatUnit } from '../format-unit.ts';
import { GET_LBA_STATUS, getLbaStatus } from '../lba-status.ts';
import { ORWRITE } from '../or-write.ts';
import { PRE_FETCH_10, PRE_FETCH_16, preFetch } from '../pre-fetch.ts';
import { READ_6, READ_10, READ_12, READ_16 } from '../read.ts';
import {
  SANITIZE_EXIT_FAILURE_MODE,
  SANITIZE_OVERWRITE,
  sanitizeExitFailureMode,
  sanitizeOverwrite,
} from '../sanitize.ts';
import { START_STOP_UNIT, startStopUnit } from '../start-stop.ts';
import { VERIFY_10, VERIFY_12, VERIFY_16 } from '../verify.ts';
import { WRITE_6, WRITE_10, WRITE_12, WRITE_16 } from '../write.ts';
import { WRITE_ATOMIC_16 } from '../write-atomic.ts';
import { WRITE_SAME_10, WRITE_SAME_16 } from '../write-same.ts';
import { WRITE_AND_VERIFY_10, WRITE_AND_VERIFY_12, WRITE_AND_VERIFY_16 } from '../write-verify.ts';
import { readProtected, readProtected6 } from './read.ts';
import { compareAndWriteProtected, orWriteProtected } from './read-modify-write.ts';
import {
  PROTECTED_FORMAT_UNIT,
  protectedRow,
  READ_32,
  VERIFY_32,
  WRITE_32,
  WRITE_AND_VERIFY_32,
  WRITE_SAME_32,
} from './rows.ts';
import { verifyProtected } from './verify.ts';
import {
  writeAndVerifyProtected,
  writeAtomicProtected,
  writeProtected,
  writeProtected6,
} from './write.ts';
import { writeSameProtected, writeSameProtected10 } from './write-same.ts';

type Entry = readonly [CommandRow, Handler];

export const protectedCommands: readonly Entry[] = [
  [READ_6, readProtected6],
  [WRITE_6, writeProtected6],
  [START_STOP_UNIT, startStopUnit],
  [READ_CAPACITY_10, readCapacity10],
  [protectedRow(READ_10), readProtected],
  [protectedRow(WRITE_10), writeProtected],
  [protectedRow(WRITE_AND_VERIFY_10), writeAndVerifyProtected],
  [protectedRow(VERIFY_10), verifyProtected],
  [PRE_FETCH_10, preFetch],
  [SYNCHRONIZE_CACHE_10, synchronizeCache],
  [READ_DEFECT_DATA_10, readDefectData10],
  [protectedRow(WRITE_SAME_10), writeSameProtected10],
  ...copyCommands,
  [protectedRow(READ_16), readProtected],
  [protectedRow(COMPARE_AND_WRITE), compareAndWriteProtected],
  [protectedRow(WRITE_16), writeProtected],
  [protectedRow(ORWRITE), orWriteProtected],
  [protectedRow(WRITE_AND_VERIFY_16), writeAndVerifyProtected],
  [protectedRow(VERIFY_16), verifyProtected],
  [PRE_FETCH_16, preFetch],
  [SYNCHRONIZE_CACHE_16, synchronizeCache],
  [protectedRow(WRITE_SAME_16), writeSameProtected],
  [READ_CAPACITY_16, readCapacity16],
  [GET_LBA_STATUS, getLbaStatus],
  [protectedRow(READ_12), readProtected],
  [protectedRow(WRITE_12), writeProtected],
  [protectedRow(WRITE_AND_VERIFY_12), writeAndVerifyProtected],
  [protectedRow(VERIFY_12), verifyProtected],
  [READ_DEFECT_DATA_12, readDefectData12],
];

/** With type 2 alone: the others refuse these CDBs (SBC-3 5.14). */
export const protectedCommands32: readonly Entry[] = [
  [READ_32, readProtected],
  [VERIFY_32, verifyProtected],
  [WRITE_32, writeProtected],
  [WRITE_AND_VERIFY_32, writeAndVerifyProtected],
  [WRITE_SAME_32, writeSameProtected],
];

export const protectedAtomicCommands: readonly Entry[] = [
  [protectedRow(WRITE_ATOMIC_16), writeAtomicProtected],
];

export const protectedSanitizeCommands: readonly Entry[] = [
  [PROTECTED_FORMAT_UNIT, formatUnit],
  [SANITIZE_OVERWRITE, sanitizeOverwrite],
  [SANITIZE_EXIT_FAILURE_MODE, sanitizeExitFailureMode],
];
