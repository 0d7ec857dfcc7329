/** What an initiator's promises reject with: one class per kind, each with a stable code. */
import { statusName } from '../scsi/sam.ts';
import { senseText } from '../scsi/sense-text.ts';
import { cdbName } from './command-name.ts';
import type { SenseData } from './sense-data.ts';

const hex = (value: number): string => value.toString(16).padStart(2, '0');

/** A command ended with a status other than GOOD. */
export class ScsiError extends Error {
  readonly code = 'ERR_SCSI';
  readonly status: number;
  readonly sense: SenseData | null;
  readonly cdb: Uint8Array;
  readonly lun: number;
  /** Block the error is about: INFORMATION of the sense data, else the LBA of the CDB; null when it has none. */
  readonly lba: number | null;
  /** Bytes that did not move. */
  readonly residual: number;

  constructor(failure: {
    readonly status: number;
    readonly sense: SenseData | null;
    readonly cdb: Uint8Array;
    readonly lun: number;
    readonly lba: number | null;
    readonly residual: number;
  }) {
    const { sense, lba } = failure;
    const what =
      sense === null ? statusName(failure.status) : senseText(sense.key, sense.asc, sense.ascq);
    const where = lba === null ? '' : ` at LBA ${lba}`;
    super(`${cdbName(failure.cdb)} failed: ${what}${where}`);
    this.status = failure.status;
    this.sense = sense;
    this.cdb = failure.cdb;
    this.lun = failure.lun;
    this.lba = lba;
    this.residual = failure.residual;
  }
}

/** A command took longer than it was given and was aborted. */
export class ScsiTimeoutError extends Error {
  readonly code = 'ERR_SCSI_TIMEOUT';
  readonly cdb: Uint8Array;
  constructor(cdb: Uint8Array, timeoutMs: number) {
    super(`${cdbName(cdb)} aborted: no answer within ${timeoutMs} ms`);
    this.cdb = cdb;
  }
}

/** A command was ended by a task management function or a reset; it may or may not have had an effect. */
export class TaskAbortedError extends Error {
  readonly code = 'ERR_TASK_ABORTED';
  readonly cdb: Uint8Array;
  constructor(cdb: Uint8Array) {
    super(`${cdbName(cdb)} was aborted by task management`);
    this.cdb = cdb;
  }
}

/** The connection to the target went away. */
export class NexusLostError extends Error {
  readonly code = 'ERR_NEXUS_LOST';
  constructor(what: string, why: string) {
    super(`${what}: the connection to the target is lost: ${why}`);
  }
}

/** The initiator was closed. */
export class ClosedError extends Error {
  readonly code = 'ERR_INITIATOR_CLOSED';
  constructor(what: string) {
    super(`${what}: the initiator is closed`);
  }
}

/** The target refused the login. */
export class LoginRefusedError extends Error {
  readonly code = 'ERR_LOGIN_REFUSED';
  /** Reason of the LOGIN_REJ (SRP 6.3), or 0. */
  readonly reason: number;
  constructor(connect: string, reason: number, text: string) {
    super(`Cannot log in to ${connect}: ${text}`);
    this.reason = reason;
  }
}

/** A request that cannot be sent as it is. */
export class RequestError extends Error {
  readonly code = 'ERR_REQUEST';
}

const RESPONSE_TEXT: Readonly<Record<number, string>> = {
  2: 'request fields invalid',
  4: 'function not supported',
  5: 'function failed',
};

/** A task management function did not complete. */
export class TaskManagementError extends Error {
  readonly code = 'ERR_TASK_MANAGEMENT';
  /** RSP_CODE (SRP table 24), or -1 when there was no answer. */
  readonly responseCode: number;
  constructor(functionName: string, lun: number, responseCode: number) {
    const why =
      responseCode < 0
        ? 'no answer'
        : (RESPONSE_TEXT[responseCode] ?? `response code ${hex(responseCode)}h`);
    super(`${functionName} on LUN ${lun} failed: ${why}`);
    this.responseCode = responseCode;
  }
}
