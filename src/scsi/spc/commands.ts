/** Index of the primary commands (SPC-4): row → handler, to be composed with the commands of a device type. */
import type { CommandRow, Handler } from '../command-table.ts';
import { INQUIRY, inquiry } from './inquiry.ts';
import { MODE_SELECT_6, MODE_SELECT_10, modeSelect6, modeSelect10 } from './mode-select.ts';
import { MODE_SENSE_6, MODE_SENSE_10, modeSense6, modeSense10 } from './mode-sense.ts';
import { REPORT_LUNS, reportLuns } from './report-luns.ts';
import {
  REPORT_SUPPORTED_OPERATION_CODES,
  reportSupportedOperationCodes,
} from './report-opcodes.ts';
import { REQUEST_SENSE, requestSense } from './request-sense.ts';
import { TEST_UNIT_READY, testUnitReady } from './test-unit-ready.ts';

export const spcCommands: readonly (readonly [CommandRow, Handler])[] = [
  [TEST_UNIT_READY, testUnitReady],
  [REQUEST_SENSE, requestSense],
  [INQUIRY, inquiry],
  [MODE_SELECT_6, modeSelect6],
  [MODE_SENSE_6, modeSense6],
  [MODE_SELECT_10, modeSelect10],
  [MODE_SENSE_10, modeSense10],
  [REPORT_LUNS, reportLuns],
  [REPORT_SUPPORTED_OPERATION_CODES, reportSupportedOperationCodes],
];
