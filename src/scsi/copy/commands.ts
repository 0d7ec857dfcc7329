/** Index of the commands of the copy manager: row and handler, one line each. */
import type { CommandRow, Handler } from '../command-table.ts';
import { EXTENDED_COPY, EXTENDED_COPY_4, extendedCopy, extendedCopyLid4 } from './extended-copy.ts';
import { POPULATE_TOKEN, populateToken } from './populate-token.ts';
import {
  RECEIVE_COPY_FAILURE_DETAILS,
  RECEIVE_COPY_OPERATING_PARAMETERS,
  RECEIVE_COPY_STATUS,
  receiveCopyFailureDetails,
  receiveCopyOperatingParameters,
  receiveCopyStatus,
} from './receive-copy-results.ts';
import {
  COPY_OPERATION_ABORT,
  copyOperationAbort,
  RECEIVE_COPY_DATA_4,
  RECEIVE_COPY_STATUS_4,
  RECEIVE_ROD_TOKEN_INFORMATION,
  REPORT_ALL_ROD_TOKENS,
  receiveCopyDataLid4,
  receiveCopyStatusLid4,
  receiveRodTokenInformation,
  reportAllRodTokens,
} from './token-information.ts';
import { WRITE_USING_TOKEN, writeUsingToken } from './write-using-token.ts';

export const copyCommands: readonly (readonly [CommandRow, Handler])[] = [
  [EXTENDED_COPY, extendedCopy],
  [EXTENDED_COPY_4, extendedCopyLid4],
  [POPULATE_TOKEN, populateToken],
  [WRITE_USING_TOKEN, writeUsingToken],
  [COPY_OPERATION_ABORT, copyOperationAbort],
  [RECEIVE_COPY_STATUS, receiveCopyStatus],
  [RECEIVE_COPY_OPERATING_PARAMETERS, receiveCopyOperatingParameters],
  [RECEIVE_COPY_FAILURE_DETAILS, receiveCopyFailureDetails],
  [RECEIVE_COPY_STATUS_4, receiveCopyStatusLid4],
  [RECEIVE_COPY_DATA_4, receiveCopyDataLid4],
  [RECEIVE_ROD_TOKEN_INFORMATION, receiveRodTokenInformation],
  [REPORT_ALL_ROD_TOKENS, reportAllRodTokens],
];
