/** One command on its way through an initiator: what was asked, how long it may take, and who waits for it. */
import type { SrpCommand } from '../transport/srp/initiator-command.ts';
import type { SenseData } from './sense-data.ts';

export interface CommandResult {
  /** SCSI status, any value. */
  readonly status: number;
  readonly sense: SenseData | null;
  /** Bytes that came in: as many as were asked for less the residual. */
  readonly dataIn: Uint8Array;
  /** Bytes of the buffer that did not move; negative when the device server had or wanted more. */
  readonly residualIn: number;
  readonly residualOut: number;
}

/** Not yet sent. */
export const WAITING = 0;
/** With the target. */
export const SENT = 1;
/** With the target, and being aborted because its time is up. */
export const ABORTING = 2;
export type RequestState = typeof WAITING | typeof SENT | typeof ABORTING;

export interface Request {
  readonly lun: number;
  readonly cdb: Uint8Array;
  readonly attribute: number;
  readonly dataInBytes: number;
  readonly dataOut: Uint8Array;
  /** Where data-in goes, `dataInBytes` long; null: memory of its own. */
  readonly into: Uint8Array | null;
  readonly timeoutMs: number;
  /** Monotonic milliseconds when its time is up. */
  readonly deadlineMs: number;
  /** It may be sent again when nobody knows whether it was executed. */
  readonly idempotent: boolean;
  readonly resolve: (result: CommandResult) => void;
  readonly reject: (error: Error) => void;
  state: RequestState;
  /** While SENT or ABORTING. */
  command: SrpCommand | null;
  /** Buffers in the arena, -1 without one. */
  inOffset: number;
  outOffset: number;
}

/** Task management asked for by a user or by a timeout. */
export interface ManagementRequest {
  readonly managementFunction: number;
  readonly lun: number;
  /** The command ABORT TASK is about. */
  readonly managed: Request | null;
  readonly deadlineMs: number;
  /** Called once: RSP_CODE, or -1 when there was no answer in time; additional response information. */
  readonly done: (responseCode: number, information: number) => void;
}
