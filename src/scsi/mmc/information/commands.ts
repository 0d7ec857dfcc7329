/** Index of the commands that tell what a drive and its disc are: row → handler. */
import type { CommandRow, Handler } from '../../command-table.ts';
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

export const informationCommands: readonly (readonly [CommandRow, Handler])[] = [
  [READ_FORMAT_CAPACITIES, readFormatCapacities],
  [SEEK_10, seek],
  [READ_TOC_PMA_ATIP, readToc],
  [GET_CONFIGURATION, getConfiguration],
  [READ_DISC_INFORMATION, readDiscInformation],
  [READ_TRACK_INFORMATION, readTrackInformation],
  [REPORT_KEY, reportKey],
  [SET_READ_AHEAD, setReadAhead],
  [GET_PERFORMANCE, getPerformance],
  [READ_DISC_STRUCTURE, readDiscStructure],
  [SET_STREAMING, setStreaming],
  [SET_CD_SPEED, setCdSpeed],
  [MECHANISM_STATUS, mechanismStatus],
];
