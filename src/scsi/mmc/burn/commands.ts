/** Index of the commands that burn (MMC-6): row → handler, features. */
import type { MmcCommand } from '../mmc-command.ts';
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

/** Of every burner. */
export const burnCommands: readonly MmcCommand[] = [
  [FORMAT_UNIT, formatDisc, [0x0023, 0x002a]],
  [
    WRITE_10,
    write,
    [0x0020, 0x0021, 0x0026, 0x002a, 0x002b, 0x002c, 0x002d, 0x002e, 0x002f, 0x003b, 0x0041],
  ],
  [WRITE_AND_VERIFY_10, write, [0x0020]],
  [
    SYNCHRONIZE_CACHE,
    synchronizeCache,
    [0x0020, 0x0021, 0x0026, 0x002a, 0x002b, 0x002c, 0x002d, 0x002e, 0x002f, 0x003b, 0x0041],
  ],
  [RESERVE_TRACK, reserve, [0x0021, 0x002b, 0x003b]],
  [SEND_OPC_INFORMATION, sendOpcInformation, [0x0021, 0x002c]],
  [REPAIR_TRACK, repair, [0x0021]],
  [
    CLOSE_TRACK_SESSION,
    closeTrackSession,
    [0x0021, 0x002a, 0x002b, 0x002c, 0x002d, 0x003b, 0x0041],
  ],
  [READ_BUFFER_CAPACITY, readBufferCapacity, [0x002d, 0x002e, 0x002f]],
  [SEND_CUE_SHEET, sendCueSheet, [0x002e]],
  [BLANK, blankDisc, [0x002c, 0x002d, 0x002e, 0x002f, 0x0037]],
  [WRITE_12, write, [0x0107]],
  [SEND_DISC_STRUCTURE, sendDiscStructure, [0x002f, 0x003b]],
];
