/** Index of the commands that tell what a drive and its disc are: row → handler, features. */
import type { MmcCommand } from '../mmc-command.ts';
import { READ_DISC_INFORMATION, readDiscInformation } from './disc-information.ts';
import { READ_DISC_STRUCTURE, readDiscStructure } from './disc-structure.ts';
import {
  MECHANISM_STATUS,
  mechanismStatus,
  REPORT_KEY,
  reportKey,
  SEEK_10,
  SET_READ_AHEAD,
  seek,
  setReadAhead,
} from './drive-state.ts';
import { READ_FORMAT_CAPACITIES, readFormatCapacities } from './format-capacities.ts';
import { GET_CONFIGURATION, getConfiguration } from './get-configuration.ts';
import {
  GET_PERFORMANCE,
  getPerformance,
  SET_CD_SPEED,
  SET_STREAMING,
  setCdSpeed,
  setStreaming,
} from './performance.ts';
import { READ_TOC_PMA_ATIP, readToc } from './read-toc.ts';
import { READ_TRACK_INFORMATION, readTrackInformation } from './track-information.ts';

export const informationCommands: readonly MmcCommand[] = [
  [READ_FORMAT_CAPACITIES, readFormatCapacities, [0x0023]],
  [SEEK_10, seek, []],
  [READ_TOC_PMA_ATIP, readToc, [0x001e, 0x001f, 0x0040]],
  [GET_CONFIGURATION, getConfiguration, [0x0001, 0x0002]],
  [
    READ_DISC_INFORMATION,
    readDiscInformation,
    [0x001d, 0x0021, 0x0026, 0x002a, 0x002b, 0x002c, 0x003b, 0x0040, 0x0041],
  ],
  [
    READ_TRACK_INFORMATION,
    readTrackInformation,
    [0x001d, 0x0021, 0x0026, 0x002a, 0x002b, 0x002c, 0x003b, 0x0040, 0x0041],
  ],
  [REPORT_KEY, reportKey, [0x0106]],
  [SET_READ_AHEAD, setReadAhead, [0x0107]],
  [GET_PERFORMANCE, getPerformance, [0x0107]],
  [
    READ_DISC_STRUCTURE,
    readDiscStructure,
    [0x001f, 0x0024, 0x002a, 0x002b, 0x003b, 0x0040, 0x0041, 0x010a],
  ],
  [SET_STREAMING, setStreaming, [0x0107]],
  [SET_CD_SPEED, setCdSpeed, [0x0107]],
  [MECHANISM_STATUS, mechanismStatus, [0x0003, 0x0102, 0x0103]],
];
