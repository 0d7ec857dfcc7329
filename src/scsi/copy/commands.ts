/** Index of the commands of the copy manager: row and handler, one line each. */
import type { CommandRow, Handler } from '../command-table.ts';
import { EXTENDED_COPY, extendedCopy } from './extended-copy.ts';
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
  RECEIVE_ROD_TOKEN_INFORMATION,
  receiveRodTokenInformation,
} from './token-information.ts';
import { WRITE_USING_TOKEN, writeUsingToken } from './write-using-token.ts';

export const copyCommands: readonly (readonly [CommandRow, Handler])[] = [
  [EXTENDED_COPY, extendedCopy],
  [POPULATE_TOKEN, populateToken],
  [WRITE_USING_TOKEN, writeUsingToken],
  [COPY_OPERATION_ABORT, copyOperationAbort],
  [RECEIVE_COPY_STATUS, receiveCopyStatus],
  [RECEIVE_COPY_OPERATING_PARAMETERS, receiveCopyOperatingParameters],
  [RECEIVE_COPY_FAILURE_DETAILS, receiveCopyFailureDetails],
  [RECEIVE_ROD_TOKEN_INFORMATION, receiveRodTokenInformation],
];
