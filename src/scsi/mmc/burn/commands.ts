/** Index of the commands that burn (MMC-6): row → handler. */
import type { CommandRow, Handler } from '../../command-table.ts';
import { BLANK, blankDisc, FORMAT_UNIT, formatDisc } from './blank.ts';
import {
  CLOSE_TRACK_SESSION,
  closeTrackSession,
  REPAIR_TRACK,
  RESERVE_TRACK,
  repair,
  reserve,
} from './close.ts';
import {
  READ_BUFFER_CAPACITY,
  readBufferCapacity,
  SEND_CUE_SHEET,
  SEND_DISC_STRUCTURE,
  SEND_OPC_INFORMATION,
  sendCueSheet,
  sendDiscStructure,
  sendOpcInformation,
} from './prepare.ts';
import { SYNCHRONIZE_CACHE, synchronizeCache } from './synchronize-cache.ts';
import { WRITE_10, WRITE_12, WRITE_AND_VERIFY_10, write } from './write.ts';

type Entry = readonly [CommandRow, Handler];

/** Of every burner. */
export const burnCommands: readonly Entry[] = [
  [FORMAT_UNIT, formatDisc],
  [WRITE_10, write],
  [WRITE_AND_VERIFY_10, write],
  [SYNCHRONIZE_CACHE, synchronizeCache],
  [RESERVE_TRACK, reserve],
  [SEND_OPC_INFORMATION, sendOpcInformation],
  [REPAIR_TRACK, repair],
  [CLOSE_TRACK_SESSION, closeTrackSession],
  [READ_BUFFER_CAPACITY, readBufferCapacity],
  [SEND_CUE_SHEET, sendCueSheet],
  [BLANK, blankDisc],
  [WRITE_12, write],
  [SEND_DISC_STRUCTURE, sendDiscStructure],
];
