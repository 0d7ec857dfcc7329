/** Index of the primary commands (SPC-4): row → handler, to be composed with the commands of a device type. */
import type { CommandRow, Handler } from '../command-table.ts';
import { READ_BUFFER, readBuffer, WRITE_BUFFER, writeBuffer } from './buffers.ts';
import {
  REPORT_IDENTIFYING_INFORMATION,
  reportIdentifyingInformation,
  SET_IDENTIFYING_INFORMATION,
  setIdentifyingInformation,
} from './identifying-information.ts';
import { INQUIRY, inquiry } from './inquiry.ts';
import { LOG_SELECT, logSelect } from './log-select.ts';
import { LOG_SENSE, logSense } from './log-sense.ts';
import { MODE_SELECT_6, MODE_SELECT_10, modeSelect6, modeSelect10 } from './mode-select.ts';
import { MODE_SENSE_6, MODE_SENSE_10, modeSense6, modeSense10 } from './mode-sense.ts';
import {
  READ_FULL_STATUS,
  READ_KEYS,
  READ_RESERVATION,
  REPORT_CAPABILITIES,
  readFullStatus,
  readKeys,
  readReservation,
  reportCapabilities,
} from './persistent-reserve-in.ts';
import {
  CLEAR,
  PREEMPT,
  PREEMPT_AND_ABORT,
  persistentReserveOut,
  REGISTER,
  REGISTER_AND_IGNORE,
  REGISTER_AND_MOVE,
  RELEASE,
  RESERVE,
} from './persistent-reserve-out.ts';
import {
  REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS,
  reportSupportedTaskManagementFunctions,
} from './report-functions.ts';
import { REPORT_LUNS, reportLuns } from './report-luns.ts';
import {
  REPORT_SUPPORTED_OPERATION_CODES,
  reportSupportedOperationCodes,
} from './report-opcodes.ts';
import { REQUEST_SENSE, requestSense } from './request-sense.ts';
import {
  RELEASE_6,
  RELEASE_10,
  RESERVE_6,
  RESERVE_10,
  release,
  reserve,
} from './reserve-release.ts';
import {
  RECEIVE_DIAGNOSTIC_RESULTS,
  receiveDiagnosticResults,
  SEND_DIAGNOSTIC,
  sendDiagnostic,
} from './send-diagnostic.ts';
import { REPORT_TARGET_PORT_GROUPS, reportTargetPortGroups } from './target-port-groups.ts';
import { TEST_UNIT_READY, testUnitReady } from './test-unit-ready.ts';

import { REPORT_TIMESTAMP, reportTimestamp, SET_TIMESTAMP, setTimestamp } from './timestamp.ts';

type Entry = readonly [CommandRow, Handler];

/** Of every unit with a medium. The other opcodes of primary commands belong to commands of their own in other command sets. */
export const primaryCommands: readonly Entry[] = [
  [TEST_UNIT_READY, testUnitReady],
  [REQUEST_SENSE, requestSense],
  [INQUIRY, inquiry],
  [MODE_SELECT_6, modeSelect6],
  [RESERVE_6, reserve],
  [RELEASE_6, release],
  [MODE_SENSE_6, modeSense6],
  [MODE_SELECT_10, modeSelect10],
  [WRITE_BUFFER, writeBuffer],
  [READ_BUFFER, readBuffer],
  [RESERVE_10, reserve],
  [RELEASE_10, release],
  [MODE_SENSE_10, modeSense10],
  [READ_KEYS, readKeys],
  [READ_RESERVATION, readReservation],
  [REPORT_CAPABILITIES, reportCapabilities],
  [READ_FULL_STATUS, readFullStatus],
  [REGISTER, persistentReserveOut],
  [RESERVE, persistentReserveOut],
  [RELEASE, persistentReserveOut],
  [CLEAR, persistentReserveOut],
  [PREEMPT, persistentReserveOut],
  [PREEMPT_AND_ABORT, persistentReserveOut],
  [REGISTER_AND_IGNORE, persistentReserveOut],
  [REGISTER_AND_MOVE, persistentReserveOut],
  [REPORT_LUNS, reportLuns],
  [REPORT_SUPPORTED_OPERATION_CODES, reportSupportedOperationCodes],
  [REPORT_SUPPORTED_TASK_MANAGEMENT_FUNCTIONS, reportSupportedTaskManagementFunctions],
];

/** Of disks. */
export const spcCommands: readonly Entry[] = [
  ...primaryCommands,
  [RECEIVE_DIAGNOSTIC_RESULTS, receiveDiagnosticResults],
  [SEND_DIAGNOSTIC, sendDiagnostic],
  [LOG_SELECT, logSelect],
  [LOG_SENSE, logSense],
  [REPORT_IDENTIFYING_INFORMATION, reportIdentifyingInformation],
  [REPORT_TARGET_PORT_GROUPS, reportTargetPortGroups],
  [REPORT_TIMESTAMP, reportTimestamp],
  [SET_TIMESTAMP, setTimestamp],
];

/** Of units that keep it over a restart. */
export const informationCommands: readonly Entry[] = [
  [SET_IDENTIFYING_INFORMATION, setIdentifyingInformation],
];
