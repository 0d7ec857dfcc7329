/** Index of the block commands: row and handler, one line each. */
import type { CommandRow, Handler } from '../command-table.ts';
import { copyCommands } from '../copy/commands.ts';
import { SYNCHRONIZE_CACHE_10, SYNCHRONIZE_CACHE_16, synchronizeCache } from './cache.ts';
import { READ_CAPACITY_10, READ_CAPACITY_16, readCapacity10, readCapacity16 } from './capacity.ts';
import { COMPARE_AND_WRITE, compareAndWrite } from './compare-and-write.ts';
import {
  READ_DEFECT_DATA_10,
  READ_DEFECT_DATA_12,
  readDefectData10,
  readDefectData12,
} from './defect-data.ts';
import { FORMAT_UNIT, formatUnit } from './format-unit.ts';
import { GET_LBA_STATUS, getLbaStatus } from './lba-status.ts';
import { ORWRITE, orWrite } from './or-write.ts';
import { PRE_FETCH_10, PRE_FETCH_16, preFetch } from './pre-fetch.ts';
import { PREVENT_ALLOW_MEDIUM_REMOVAL, preventAllowMediumRemoval } from './prevent-allow.ts';
import { READ_6, READ_10, READ_12, READ_16, read, read6 } from './read.ts';
import {
  SANITIZE_BLOCK_ERASE,
  SANITIZE_CRYPTOGRAPHIC_ERASE,
  SANITIZE_EXIT_FAILURE_MODE,
  SANITIZE_OVERWRITE,
  sanitizeBlockErase,
  sanitizeCryptographicErase,
  sanitizeExitFailureMode,
  sanitizeOverwrite,
} from './sanitize.ts';
import { START_STOP_UNIT, startStopUnit } from './start-stop.ts';
import { UNMAP, UNMAP_ANCHOR, unmap } from './unmap.ts';
import { VERIFY_10, VERIFY_12, VERIFY_16, verify } from './verify.ts';
import { WRITE_6, WRITE_10, WRITE_12, WRITE_16, write, write6 } from './write.ts';
import { WRITE_ATOMIC_16, writeAtomic } from './write-atomic.ts';
import {
  WRITE_SAME_10,
  WRITE_SAME_10_ANCHOR,
  WRITE_SAME_10_THIN,
  WRITE_SAME_16,
  WRITE_SAME_16_ANCHOR,
  WRITE_SAME_16_THIN,
  writeSame10,
  writeSame16,
} from './write-same.ts';
import {
  WRITE_AND_VERIFY_10,
  WRITE_AND_VERIFY_12,
  WRITE_AND_VERIFY_16,
  writeAndVerify,
} from './write-verify.ts';
import { XDWRITEREAD_10, xdWriteRead } from './xd-write-read.ts';

type Entry = readonly [CommandRow, Handler];

/** What every disk does, whatever its provisioning. */
const commonCommands: readonly Entry[] = [
  [READ_6, read6],
  [WRITE_6, write6],
  [START_STOP_UNIT, startStopUnit],
  [READ_CAPACITY_10, readCapacity10],
  [READ_10, read],
  [WRITE_10, write],
  [WRITE_AND_VERIFY_10, writeAndVerify],
  [VERIFY_10, verify],
  [PRE_FETCH_10, preFetch],
  [SYNCHRONIZE_CACHE_10, synchronizeCache],
  [READ_DEFECT_DATA_10, readDefectData10],
  [XDWRITEREAD_10, xdWriteRead],
  ...copyCommands,
  [READ_16, read],
  [WRITE_16, write],
  [COMPARE_AND_WRITE, compareAndWrite],
  [ORWRITE, orWrite],
  [WRITE_AND_VERIFY_16, writeAndVerify],
  [VERIFY_16, verify],
  [PRE_FETCH_16, preFetch],
  [SYNCHRONIZE_CACHE_16, synchronizeCache],
  [READ_CAPACITY_16, readCapacity16],
  [GET_LBA_STATUS, getLbaStatus],
  [READ_12, read],
  [WRITE_12, write],
  [WRITE_AND_VERIFY_12, writeAndVerify],
  [VERIFY_12, verify],
  [READ_DEFECT_DATA_12, readDefectData12],
];

/** Of disks whose store has atomic writes. */
export const atomicCommands: readonly Entry[] = [[WRITE_ATOMIC_16, writeAtomic]];

/** A fully provisioned disk: no UNMAP, and WRITE SAME refuses its UNMAP bit. */
export const sbcCommands: readonly Entry[] = [
  ...commonCommands,
  [WRITE_SAME_10, writeSame10],
  [WRITE_SAME_16, writeSame16],
];

/** A thin disk (LBPME = 1): UNMAP, and the UNMAP bit of WRITE SAME. */
export const sbcThinCommands: readonly Entry[] = [
  ...commonCommands,
  [WRITE_SAME_10_THIN, writeSame10],
  [UNMAP, unmap],
  [WRITE_SAME_16_THIN, writeSame16],
];

/** A thin disk whose store can keep space for blocks that are unmapped (ANC_SUP = 1): ANCHOR besides. */
export const sbcAnchorCommands: readonly Entry[] = [
  ...commonCommands,
  [WRITE_SAME_10_ANCHOR, writeSame10],
  [UNMAP_ANCHOR, unmap],
  [WRITE_SAME_16_ANCHOR, writeSame16],
];

/** What drives with a removable medium have besides. */
export const removableCommands: readonly Entry[] = [
  [PREVENT_ALLOW_MEDIUM_REMOVAL, preventAllowMediumRemoval],
];

/** Of disks that go on with it after a restart. */
export const sanitizeCommands: readonly Entry[] = [
  [FORMAT_UNIT, formatUnit],
  [SANITIZE_OVERWRITE, sanitizeOverwrite],
  [SANITIZE_EXIT_FAILURE_MODE, sanitizeExitFailureMode],
];

/** Erasing is giving the space back. */
export const sanitizeThinCommands: readonly Entry[] = [[SANITIZE_BLOCK_ERASE, sanitizeBlockErase]];

/** Of encrypted disks: erasing is forgetting the key. */
export const sanitizeEncryptedCommands: readonly Entry[] = [
  [SANITIZE_CRYPTOGRAPHIC_ERASE, sanitizeCryptographicErase],
];
