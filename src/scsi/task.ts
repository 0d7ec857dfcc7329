/**
 * Task: one command or one task management function in flight, preallocated and reused (SAM-5 4.5.8 calls it a command).
 *
 *            receive           enable              end            respond | drop | taskManagementDone
 *     FREE ----------> DORMANT ------> ENABLED ----------> ENDED ----------> FREE
 *                         |                                  ^
 *                         +----------- abort / check --------+
 */
import { assert } from '../assert.ts';
import type { CommandRow, Handler } from './command-table.ts';
import { PENDING, type StoreReply, type TargetPort } from './contracts.ts';
import type { LogicalUnit } from './logical-unit.ts';
import type { Nexus } from './nexus.ts';
import { CHECK_CONDITION, GOOD, SIMPLE } from './sam.ts';
import type { Segments } from './segments.ts';
import { NONE } from './sense.ts';

export const FREE = 0;
export const DORMANT = 1;
export const ENABLED = 2;
export const ENDED = 3;
export type TaskState = typeof FREE | typeof DORMANT | typeof ENABLED | typeof ENDED;

/** Longest CDB an SRP_CMD can carry: 16 bytes and 252 additional ones. */
export const MAX_CDB_BYTES = 268;

/** What a handler leaves to be called when its store request ends. Module-level functions only: no closures per command. */
export type Continuation = (task: Task, reply: StoreReply) => void;

export class Task {
  readonly dataOut: Segments;
  readonly dataIn: Segments;
  readonly cdb = new Uint8Array(MAX_CDB_BYTES);
  /** Index of this task in its port's pool. */
  readonly slot: number;
  readonly port: TargetPort;

  state: TaskState = FREE;
  cdbBytes = 0;
  nexus: Nexus | null = null;
  unit: LogicalUnit | null = null;
  /** LUN as decoded by the port (scsi/lun.ts): 0…, or one of its negative codes. */
  lun = 0;
  /** The LUN field used logical unit addressing: it named a target and asks about that one alone. */
  targetAddressed = false;
  /** The 64-bit tag, opaque, as two 32-bit halves. */
  tagHigh = 0;
  tagLow = 0;
  attribute: number = SIMPLE;
  /** Command priority, 1 (highest) to 15, 0: none given (SAM-5 8.7). Carried; nothing is ordered by it. */
  priority = 0;
  /** When it was received, monotonic microseconds; 0 when nobody traces. Set by the port. */
  startedUs = 0;
  /** Arrival number in the logical unit's task set. */
  sequence = 0;

  /** Outcome. */
  status: number = GOOD;
  sense = 0;
  senseInformation: number = NONE;
  fieldPointer: number = NONE;
  /** Sense data that a real device made: sent as it is, in the place of what is packed above. */
  deviceSense: Uint8Array | null = null;
  /** Bytes the command would move in each direction, and bytes it moved: residuals follow from both. */
  dataInWanted = 0;
  dataInMoved = 0;
  dataOutWanted = 0;
  dataOutMoved = 0;

  /** Execution. */
  row: CommandRow | null = null;
  run: Handler | null = null;
  lba = 0;
  blocks = 0;
  /** First block and block after the last that the task touches, for overlap ordering; both 0 when it touches none. */
  extentFirst = 0;
  extentEnd = 0;
  /** Generation of the medium that was there when it arrived (`Medium.generation`), 0 where none can change. */
  mediumGeneration = 0;
  /** Good bytes of the last store request, set by the store on a fault. */
  storedBytes = 0;
  /** Scratch of the running handler: bytes done, bytes to do, and two more numbers. */
  position = 0;
  remaining = 0;
  scratch = 0;
  continuation: Continuation | null = null;

  /** It has ended, and may not say so before an ACA condition does (SAM-5 8.5, blocked). */
  blocked = false;

  /** It waits for work in the background, which an abort does not end. */
  resting = false;
  /** It has failed, and says so when what its failure aborts has stopped. */
  reporting = false;

  /** Abort. */
  aborting = false;
  /** The aborted task is answered with TASK ABORTED instead of silence (Control mode page TAS). */
  abortedStatus = false;
  /** The task management function that aborted it, 0 when something else did. */
  abortedBy = 0;

  /** Task management. */
  managementFunction = 0;
  managedTagHigh = 0;
  managedTagLow = 0;
  managementOutcome = 0;
  /** Additional response information of FUNCTION SUCCEEDED: three bytes (SAM-5 7.10). */
  managementInformation = 0;

  /** Task set list, in arrival order. */
  previous: Task | null = null;
  next: Task | null = null;
  /** Run queue or wait list link. */
  queued: Task | null = null;

  constructor(port: TargetPort, slot: number, dataOut: Segments, dataIn: Segments) {
    this.port = port;
    this.slot = slot;
    this.dataOut = dataOut;
    this.dataIn = dataIn;
  }

  /** Moves to `to`; asserts the state it comes from. */
  transition(from: TaskState, to: TaskState): void {
    assert(this.state === from, 'a task changes state in order');
    this.state = to;
  }

  /** FREE → DORMANT: the port has copied a request into it. Clears every outcome of the last use. */
  receive(nexus: Nexus): void {
    this.transition(FREE, DORMANT);
    this.nexus = nexus;
    this.unit = null;
    this.status = GOOD;
    this.sense = 0;
    this.senseInformation = NONE;
    this.fieldPointer = NONE;
    this.deviceSense = null;
    this.dataInWanted = 0;
    this.dataInMoved = 0;
    this.dataOutWanted = 0;
    this.dataOutMoved = 0;
    this.row = null;
    this.run = null;
    this.extentFirst = 0;
    this.extentEnd = 0;
    this.mediumGeneration = 0;
    this.storedBytes = 0;
    this.continuation = null;
    this.blocked = false;
    this.reporting = false;
    this.resting = false;
    this.aborting = false;
    this.abortedStatus = false;
    this.abortedBy = 0;
    this.managementOutcome = 0;
    this.managementInformation = 0;
    this.startedUs = 0;
  }

  /** ENDED → FREE: the port has answered it. Drops every reference to shared memory. */
  release(): void {
    this.transition(ENDED, FREE);
    this.dataOut.clear();
    this.dataIn.clear();
    this.nexus = null;
    this.unit = null;
  }

  /** Sets CHECK CONDITION with a packed sense code. The handler still calls `unit.finish(task)`. */
  check(sense: number, information: number = NONE, fieldPointer: number = NONE): void {
    this.status = CHECK_CONDITION;
    this.sense = sense;
    this.senseInformation = information;
    this.fieldPointer = fieldPointer;
    this.deviceSense = null;
  }

  /** Runs `continuation` with the reply: now if the store is done, else when it calls `stored`. */
  await(reply: StoreReply, continuation: Continuation): void {
    this.continuation = continuation;
    if (reply !== PENDING) this.stored(reply);
  }

  /** The store request has ended. Called by a store once per PENDING reply. */
  stored(reply: StoreReply): void {
    const continuation = this.continuation;
    assert(this.state === ENABLED && continuation !== null, 'a store request ends once');
    this.continuation = null;
    continuation(this, reply);
  }
}
