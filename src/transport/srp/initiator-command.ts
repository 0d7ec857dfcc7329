/** What an initiator asks of a target: commands and task management functions, preallocated by their owner and reused. */
import { assert } from '../../assert.ts';
import { LUN_BYTES } from '../../scsi/lun.ts';
import { SIMPLE } from '../../scsi/sam.ts';
import { MAX_CDB_BYTES } from '../../scsi/task.ts';

/** Most sense data an SRP_RSP of 256 bytes can carry. */
export const SENSE_ROOM_BYTES = 252;

/** How a request ended. */
export const IDLE = 0;
export const IN_FLIGHT = 1;
/** The target answered: for a command `status` holds, for a function `responseCode`. */
export const ANSWERED = 2;
/** Killed by a task management function of this initiator: no status exists. */
export const ABORTED = 3;
/** The channel went away first. */
export const LOST = 4;
/** The target answered with something that is no answer to it. */
export const GARBLED = 5;
export type Outcome =
  | typeof IDLE
  | typeof IN_FLIGHT
  | typeof ANSWERED
  | typeof ABORTED
  | typeof LOST
  | typeof GARBLED;

/** One data buffer as pieces of the initiator's regions, in order. */
export class DataPieces {
  readonly handle: Float64Array;
  readonly offset: Float64Array;
  readonly length: Float64Array;
  count = 0;
  /** Sum of the lengths. */
  bytes = 0;

  constructor(capacity: number) {
    this.handle = new Float64Array(capacity);
    this.offset = new Float64Array(capacity);
    this.length = new Float64Array(capacity);
  }

  clear(): void {
    this.count = 0;
    this.bytes = 0;
  }

  /** Appends `length` bytes at `offset` of the region with this memory handle. */
  add(handle: number, offset: number, length: number): void {
    const i = this.count;
    assert(i < this.length.length, 'a data buffer has room for its pieces');
    this.handle[i] = handle;
    this.offset[i] = offset;
    this.length[i] = length;
    this.count = i + 1;
    this.bytes += length;
  }
}

export class SrpCommand {
  readonly lun = new Uint8Array(LUN_BYTES);
  readonly cdb = new Uint8Array(MAX_CDB_BYTES);
  cdbBytes = 0;
  attribute: number = SIMPLE;
  /** Advisory, for the target's eyes; 0 = none. */
  timeoutSeconds = 0;
  readonly dataOut: DataPieces;
  readonly dataIn: DataPieces;

  outcome: Outcome = IDLE;
  status = 0;
  /** Bytes that did not move; negative: the device server had or wanted that many more. */
  residualIn = 0;
  residualOut = 0;
  readonly sense = new Uint8Array(SENSE_ROOM_BYTES);
  senseBytes = 0;
  /** Called once when it ends, from inside `poll`; the command may be submitted again in it. */
  done: (command: SrpCommand) => void = nobody;

  /** The port's: slot, submission number. */
  slot = -1;
  sequence = 0;

  constructor(piecesPerBuffer = 1) {
    this.dataOut = new DataPieces(piecesPerBuffer);
    this.dataIn = new DataPieces(piecesPerBuffer);
  }
}

export class SrpManagement {
  readonly lun = new Uint8Array(LUN_BYTES);
  managementFunction = 0;
  /** The command ABORT TASK or QUERY TASK is about. */
  managed: SrpCommand | null = null;
  outcome: Outcome = IDLE;
  /** RSP_CODE of the answer (SRP table 24). */
  responseCode = 0;
  /** Additional response information: the three bytes before it. */
  information = 0;
  done: (request: SrpManagement) => void = nobody;
  sequence = 0;
  /** Submission number of `managed` when the function was sent: it may have ended and been reused since. */
  managedSequence = 0;
}

function nobody(): void {
  // A request whose owner only looks at `outcome`.
}
