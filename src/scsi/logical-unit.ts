/** One logical unit: its command table, task set, unit attentions, mode pages and what it stands in front of. */

import { CachedWrites } from './cached-writes.ts';
import { type DeviceType, readsBlocks, TOUCHES_NOTHING, writesBlocks } from './command-table.ts';
import type {
  InformationStore,
  LogStore,
  MediumChanger,
  OperationStore,
  ReservationStore,
} from './contracts.ts';
import { INTERLOCK_NONE, QERR_CONTINUE } from './control-mode.ts';
import { CopyResults } from './copy/copy-results.ts';
import type { RodToken } from './copy/rod-token.ts';
import { InformationalExceptions } from './informational-exceptions.ts';
import { ProcessingTimes } from './log/processing-times.ts';
import { SelfTest } from './log/self-test.ts';
import { ABORTED_OTHERWISE } from './log/self-test-results.ts';
import { UnitLogs } from './log/unit-logs.ts';
import { MediaRequests } from './media-request.ts';
import { type MediaChangeStyle, Medium, type MediumState } from './medium.ts';
import type { MediaEvents } from './mmc/media/media-events.ts';
import type { OpticalDrive } from './mmc/optical-drive.ts';
import type { ModePages } from './mode-page.ts';
import { PowerCondition } from './power-condition.ts';
import { Reservations } from './reservations.ts';
import { CHECK_CONDITION } from './sam.ts';
import type { BlockDevice } from './sbc/block-device.ts';
import type { MediumOperation } from './sbc/medium-operation.ts';
import {
  ASYMMETRIC_ACCESS_STATE_CHANGED,
  BUS_DEVICE_RESET_FUNCTION_OCCURRED,
  UNRECOVERED_READ_ERROR,
  WRITE_ERROR,
} from './sense-codes.ts';
import { Buffers } from './spc/buffers.ts';
import { IdentifyingInformation } from './spc/identifying-information.ts';
import { Timestamp } from './spc/timestamp.ts';
import type { Target } from './target.ts';
import type { Task } from './task.ts';
import { TaskSet } from './task-set.ts';
import { UnitAttention } from './unit-attention.ts';

/** What INQUIRY and the VPD pages say about who this is. ASCII; stable for the life of the unit, over restarts too. */
export interface UnitIdentity {
  /** T10 vendor identification, at most 8 characters. */
  readonly vendor: string;
  /** Product identification, at most 16 characters. */
  readonly product: string;
  /** Product revision level, at most 4 characters. */
  readonly revision: string;
  /** Unit serial number, 1 to 32 characters. */
  readonly serial: string;
  /** NAA designator, 8 bytes (NAA 3h, locally assigned) or 16 (NAA 6h), unique to the unit. */
  readonly naa: Uint8Array;
}

export interface LogicalUnitOptions {
  readonly target: Target;
  readonly lun: number;
  readonly deviceType: DeviceType;
  readonly identity: UnitIdentity;
  readonly block?: BlockDevice;
  /** The drive of an optical unit, which has a `block` of 2048 bytes over the same store. */
  readonly optical?: OpticalDrive;
  /** Events of the medium, where no `optical` has them: a real drive's. */
  readonly mediaEvents?: MediaEvents;
  readonly modePages?: ModePages;
  readonly reservationStore?: ReservationStore | null;
  readonly operationStore?: OperationStore | null;
  readonly informationStore?: InformationStore | null;
  readonly logStore?: LogStore | null;
  /** The medium can be removed. */
  readonly removable?: boolean;
  /** How its drive is found; absent: with its first medium in it. */
  readonly medium?: MediumState;
  /** Who brings other media; null or absent: there is one, and it stays there. */
  readonly mediumChanger?: MediumChanger | null;
  /** Absent: `t10`. */
  readonly mediaChangeStyle?: MediaChangeStyle;
}

/** Sums live in one typed array: a plain number that outgrows 31 bits costs a deoptimization of whatever counts. */
export class UnitCounters {
  readonly #sums = new Float64Array(9);

  get commands(): number {
    return this.#sums[0] as number;
  }
  get reads(): number {
    return this.#sums[1] as number;
  }
  get writes(): number {
    return this.#sums[2] as number;
  }
  get bytesRead(): number {
    return this.#sums[3] as number;
  }
  get bytesWritten(): number {
    return this.#sums[4] as number;
  }
  get checkConditions(): number {
    return this.#sums[5] as number;
  }

  /** Commands that ended because the medium could not be read. */
  get readErrors(): number {
    return this.#sums[6] as number;
  }
  /** Commands that ended because the medium could not be written. */
  get writeErrors(): number {
    return this.#sums[7] as number;
  }

  /** Commands that needed the medium. */
  get accesses(): number {
    return this.#sums[8] as number;
  }

  /** Counts a command that has ended. */
  count(task: Task): void {
    const sums = this.#sums;
    (sums[0] as number) += 1;
    if (task.status === CHECK_CONDITION) {
      (sums[5] as number) += 1;
      if (task.sense === UNRECOVERED_READ_ERROR) (sums[6] as number) += 1;
      if (task.sense === WRITE_ERROR) (sums[7] as number) += 1;
    }
    const row = task.row;
    if (row === null || row.extent === TOUCHES_NOTHING) return;
    if (row.medium === 'required') (sums[8] as number) += 1;
    if (readsBlocks(row)) {
      (sums[1] as number) += 1;
      (sums[3] as number) += task.dataInMoved;
    } else if (writesBlocks(row)) {
      (sums[2] as number) += 1;
      (sums[4] as number) += task.dataOutMoved;
    }
  }
}

const FIRST_MEDIUM: MediumState = { place: 'drive', generation: 1, locked: false };

export class LogicalUnit {
  readonly target: Target;
  readonly lun: number;
  readonly deviceType: DeviceType;
  readonly identity: UnitIdentity;
  readonly block: BlockDevice | null;
  /** The drive of an optical unit; null: this is none. */
  readonly optical: OpticalDrive | null;
  /** What GET EVENT STATUS NOTIFICATION tells; null: this is no optical unit. */
  readonly mediaEvents: MediaEvents | null;
  readonly modePages: ModePages | null;
  /** What can be taken out of it; null: the medium is fixed. */
  readonly medium: Medium | null;
  /** What guests without a SCSI driver of drives ask for. */
  readonly mediaRequests: MediaRequests = new MediaRequests(this);
  readonly attention = new UnitAttention();
  readonly cachedWrites = new CachedWrites();
  readonly taskSet: TaskSet;
  readonly reservations = new Reservations();
  /** Where operations on the medium go that a restart must not end; null: there is no such place, and no SANITIZE. */
  readonly operationStore: OperationStore | null;
  /** A sanitize operation is under way, or has failed: other commands are refused. */
  operation: MediumOperation | null = null;
  /** What an administrator has written on it, and where that goes; null: there is no such place, and nobody can. */
  readonly information = new IdentifyingInformation();
  readonly informationStore: InformationStore | null;
  readonly timestamp = new Timestamp();
  readonly power: PowerCondition = new PowerCondition(this);
  /** What READ BUFFER and WRITE BUFFER are about. */
  readonly buffers = new Buffers();
  /** Third-party copies that it was asked for. */
  readonly copies = new CopyResults();
  /** Valid ROD tokens that name blocks of it; `Target.rodTokens` keeps them. */
  readonly tokens = new Set<RodToken>();
  /** It has changed between active and standby (STATUS CODE of REPORT TARGET PORT GROUPS). */
  accessAltered = false;
  /** Where reservations that persist through power loss go; null: there is no such place. */
  readonly reservationStore: ReservationStore | null;

  /** Commands that ended, and what they did. */
  readonly counters: UnitCounters = new UnitCounters();
  readonly times: ProcessingTimes;
  /** What LOG SENSE tells, and where it is kept; null: there is no such place. */
  readonly logs: UnitLogs = new UnitLogs(this);
  readonly logStore: LogStore | null;
  readonly selfTest: SelfTest = new SelfTest(this);
  readonly exceptions: InformationalExceptions = new InformationalExceptions(this);

  /** Told of each SYNCHRONIZE CACHE that ended GOOD, by the index of its nexus. */
  onFlushed: (nexusIndex: number) => void = () => undefined;

  /** Control mode page (0Ah) fields that the core acts on; `ModePages` keeps them true. */
  descriptorSense = false;
  taskAbortedStatus = true;
  softwareWriteProtect = false;
  /** GLTSD: logs are saved only when somebody asks for it. */
  logSaveDisabled = true;
  /** TST = 001b: a task set per nexus; 000b: one for all. */
  taskSetPerNexus = false;
  /** QERR: what a CHECK CONDITION does to the other commands of the task set. */
  queueErrorManagement: number = QERR_CONTINUE;
  /** QUEUE ALGORITHM MODIFIER = 1: SIMPLE commands may change places even when they overlap. */
  reordersFreely = false;
  /** UA_INTLCK_CTRL: when a reported unit attention is cleared. */
  attentionInterlock: number = INTERLOCK_NONE;
  /** NUAR: a released reservation is no news. */
  noAttentionOnRelease = false;
  /** NORMACA: NACA = 1 is honoured. Not by units that stand for no unit, which all initiators share. */
  readonly normalAca: boolean;
  /**
   * Standby (SPC-4 5.15.2.4.4): who it is can be asked, the medium cannot be touched, because somebody else owns it. Left and
   * entered by `activate` and `standBy`; a reset changes nothing about it.
   */
  standby = false;
  /** PER of the Read-Write Error Recovery mode page (01h). */
  reportsRecoveredErrors = false;
  /** Caching mode page (08h) WCE. */
  writeCacheEnabled = true;

  constructor(options: LogicalUnitOptions) {
    this.target = options.target;
    this.times = new ProcessingTimes(options.target.clock);
    this.taskSet = new TaskSet(this);
    this.lun = options.lun;
    this.normalAca = options.lun >= 0;
    this.deviceType = options.deviceType;
    this.identity = options.identity;
    this.block = options.block ?? null;
    this.optical = options.optical ?? null;
    this.mediaEvents = options.mediaEvents ?? options.optical?.events ?? null;
    this.modePages = options.modePages ?? null;
    this.medium =
      options.removable === true
        ? new Medium(
            options.mediumChanger ?? null,
            options.medium ?? FIRST_MEDIUM,
            options.mediaChangeStyle,
          )
        : null;
    this.operationStore = options.operationStore ?? null;
    this.informationStore = options.informationStore ?? null;
    this.logStore = options.logStore ?? null;
    this.reservationStore = options.reservationStore ?? null;
    this.modePages?.attach(this);
    this.optical?.attach(this);
    options.mediaEvents?.attach(this);
  }

  /** Posts a unit attention for every known nexus except one (the causer), or for all. */
  attentionForAll(sense: number, except = -1): void {
    for (const nexus of this.target.nexuses.all()) {
      if (nexus.index !== except) this.attention.post(nexus.index, sense);
    }
    this.target.onAttention(this.lun, sense, except);
  }

  /** The running command has ended with the outcome in `task`: retires it, answers it, lets successors run. */
  finish(task: Task): void {
    if (this.exceptions.waiting) this.exceptions.tell(task);
    this.taskSet.finish(task);
  }

  /** Leaves standby: the medium is this unit's now. Every nexus is told 2A/06. */
  activate(): void {
    if (!this.standby) return;
    this.standby = false;
    this.accessAltered = true;
    this.attentionForAll(ASYMMETRIC_ACCESS_STATE_CHANGED);
  }

  /** Enters standby: no further command touches the medium; `quiet` is called when the last one that does has ended. */
  standBy(quiet: () => void): void {
    if (!this.standby) {
      this.standby = true;
      this.target.rodTokens.revoke(this);
      this.accessAltered = true;
      this.attentionForAll(ASYMMETRIC_ACCESS_STATE_CHANGED);
    }
    this.taskSet.whenIdle(() => this.selfTest.stop(quiet));
  }

  /** Calls `idle` when nothing that has begun works on the medium any more, but for the command `except`. */
  whenMediumIdle(except: Task | null, idle: () => void): void {
    const burnt = (): void => {
      const burner = this.optical?.burner ?? null;
      if (burner === null) idle();
      else burner.whenIdle(idle);
    };
    this.taskSet.whenWorkEnds(except, () => this.power.whenQuiet(() => this.selfTest.stop(burnt)));
  }

  /**
   * Logical unit reset (SAM-5 6.3.3): saved mode values, started, and 29/03 for everyone; caches keep their data, and ROD tokens
   * their worth. `stopped` is called when its copies have ended.
   */
  reset(stopped: () => void = () => undefined): void {
    this.modePages?.reset();
    this.taskSet.clearAllAca();
    this.reservations.release(null);
    this.medium?.allow(null);
    this.optical?.reset();
    this.buffers.reset();
    this.optical?.burner?.release();
    this.power.reset();
    this.selfTest.abort(ABORTED_OTHERWISE);
    if (this.block !== null) this.block.stopped = false;
    this.attentionForAll(BUS_DEVICE_RESET_FUNCTION_OCCURRED);
    this.copies.reset(stopped);
  }
}
