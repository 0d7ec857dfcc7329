/** Index of the commands about the disc as a thing that comes and goes (MMC-6): events, prevention, tray. */
import type { CommandRow, Handler } from '../../command-table.ts';
import { GET_EVENT_STATUS_NOTIFICATION, getEventStatusNotification } from './get-event-status.ts';
import { PREVENT_ALLOW_MEDIUM_REMOVAL, preventAllowMediumRemoval } from './prevent-allow.ts';
import {
  LOAD_UNLOAD_MEDIUM,
  loadUnloadMedium,
  START_STOP_UNIT,
  startStopUnit,
} from './start-stop.ts';

export const mediaCommands: readonly (readonly [CommandRow, Handler])[] = [
  [START_STOP_UNIT, startStopUnit],
  [PREVENT_ALLOW_MEDIUM_REMOVAL, preventAllowMediumRemoval],
  [GET_EVENT_STATUS_NOTIFICATION, getEventStatusNotification],
  [LOAD_UNLOAD_MEDIUM, loadUnloadMedium],
];
