/** Index of the commands about the disc as a thing that comes and goes (MMC-6): events, prevention, tray. */
import type { MmcCommand } from '../mmc-command.ts';
import { GET_EVENT_STATUS_NOTIFICATION, getEventStatusNotification } from './get-event-status.ts';
import { PREVENT_ALLOW_MEDIUM_REMOVAL, preventAllowMediumRemoval } from './prevent-allow.ts';
import {
  LOAD_UNLOAD_MEDIUM,
  loadUnloadMedium,
  START_STOP_UNIT,
  startStopUnit,
} from './start-stop.ts';

export const mediaCommands: readonly MmcCommand[] = [
  [START_STOP_UNIT, startStopUnit, [0x0003, 0x0100]],
  [PREVENT_ALLOW_MEDIUM_REMOVAL, preventAllowMediumRemoval, [0x0003]],
  [GET_EVENT_STATUS_NOTIFICATION, getEventStatusNotification, [0x0001, 0x0002, 0x0003, 0x0100]],
  [LOAD_UNLOAD_MEDIUM, loadUnloadMedium, [0x0102]],
];
