/**
 * Task management of a session: what never reached the core ends here, the rest is asked of the core over SRP (RFC 7143 11.5,
 * 11.6; RFC 7144 clause 6).
 */

import { encodeLun } from '../../scsi/lun.ts';
import {
  ABORT_TASK,
  ABORT_TASK_SET,
  CLEAR_ACA,
  CLEAR_TASK_SET,
  I_T_NEXUS_RESET,
  LOGICAL_UNIT_RESET,
  QUERY_ASYNCHRONOUS_EVENT,
  QUERY_TASK,
  QUERY_TASK_SET,
} from '../../scsi/sam.ts';
import { ABORTED, ANSWERED, type SrpCommand, SrpManagement } from '../srp/initiator-command.ts';
import { RSP_COMPLETE, RSP_FIELDS_INVALID, RSP_NOT_SUPPORTED, RSP_SUCCEEDED } from '../srp/iu.ts';
import {
  compareSN,
  type Pdu,
  TASK_REQUEST,
  TM_COMPLETE,
  TM_NO_LUN,
  TM_NO_REASSIGN,
  TM_NO_TASK,
  TM_NOT_SUPPORTED,
  TM_REJECTED,
  TM_SUCCEEDED,
  TMF_ABORT_TASK,
  TMF_ABORT_TASK_SET,
  TMF_CLEAR_ACA,
  TMF_CLEAR_TASK_SET,
  TMF_I_T_NEXUS_RESET,
  TMF_LOGICAL_UNIT_RESET,
  TMF_QUERY_ASYNCHRONOUS_EVENT,
  TMF_QUERY_TASK,
  TMF_QUERY_TASK_SET,
  TMF_TARGET_COLD_RESET,
  TMF_TARGET_WARM_RESET,
  TMF_TASK_REASSIGN,
} from './pdu.ts';
import type { SrpNexus } from './srp-nexus.ts';
import { copyLun, type IscsiTask } from './task.ts';

/** Functions that can wait for their turn. */
const MAX_WAITING = 64;

/** What concerns more than one session. */
export interface ManagementHost {
  /** Units that a target reset resets. */
  luns(): readonly number[];
  /** TARGET COLD RESET: every session ends, this one too. */
  dropSessions(why: string): void;
}

/** What is asked of the session. */
export interface ManagedSession {
  /** iSCSIProtocolLevel: from 2 on there are the functions of RFC 7144. */
  readonly protocolLevel: number;
  find(itt: number): IscsiTask | undefined;
  dropUnsent(select: (task: IscsiTask) => boolean): void;
  /** Whether a command for the logical unit waits here. */
  holdsUnsent(lun: number): boolean;
  /** The command of this number never arrived and is not wanted any more. False when that cannot be. */
  giveUp(cmdSN: number): boolean;
  answer(itt: number, response: number, information?: number): void;
  /** Every command that was to be settled has ended. */
  settled(): void;
}

/** Functions of the core that concern one logical unit. */
const UNIT_FUNCTIONS: ReadonlyMap<number, number> = new Map([
  [TMF_ABORT_TASK_SET, ABORT_TASK_SET],
  [TMF_CLEAR_ACA, CLEAR_ACA],
  [TMF_CLEAR_TASK_SET, CLEAR_TASK_SET],
  [TMF_LOGICAL_UNIT_RESET, LOGICAL_UNIT_RESET],
]);

const LEVEL_2 = 2;
/** The same of protocol level 2; I_T NEXUS RESET ignores which one. */
const UNIT_FUNCTIONS_2: ReadonlyMap<number, number> = new Map([
  [TMF_QUERY_TASK_SET, QUERY_TASK_SET],
  [TMF_I_T_NEXUS_RESET, I_T_NEXUS_RESET],
  [TMF_QUERY_ASYNCHRONOUS_EVENT, QUERY_ASYNCHRONOUS_EVENT],
]);
/** Functions after which commands that wait here are wanted all the same. */
const SPARING: ReadonlySet<number> = new Set([CLEAR_ACA, QUERY_TASK_SET, QUERY_ASYNCHRONOUS_EVENT]);

/** A function on its way to the core. */
interface Waiting {
  readonly request: SrpManagement;
  /** Submission number of the command it is about: by its turn that may have ended and be another one. */
  readonly sequence: number;
}

export class TaskManagement {
  readonly #nexus: SrpNexus | null;
  readonly #host: ManagementHost;
  readonly #session: ManagedSession;
  readonly #waiting: Waiting[] = [];
  /** Commands to settle, after what the initiator asked for. */
  readonly #settling: Waiting[] = [];
  #unsettled = 0;

  constructor(nexus: SrpNexus | null, host: ManagementHost, session: ManagedSession) {
    this.#nexus = nexus;
    this.#host = host;
    this.#session = session;
  }

  /** Executes a request. False when too many wait already. */
  receive(pdu: Pdu): boolean {
    if (this.#waiting.length >= MAX_WAITING) return false;
    const { header } = pdu;
    const itt = header.readUInt32BE(TASK_REQUEST.at.itt);
    const asked = (header[TASK_REQUEST.at.function] as number) & 0x7f;
    const later = this.#session.protocolLevel >= LEVEL_2;
    const unitFunction =
      UNIT_FUNCTIONS.get(asked) ?? (later ? UNIT_FUNCTIONS_2.get(asked) : undefined);
    if (asked === TMF_ABORT_TASK) this.#abortTask(pdu, itt);
    else if (asked === TMF_QUERY_TASK && later) this.#queryTask(pdu, itt);
    else if (unitFunction !== undefined) this.#unit(pdu, itt, unitFunction);
    else if (asked === TMF_TARGET_WARM_RESET) this.#reset(itt, false);
    else if (asked === TMF_TARGET_COLD_RESET) this.#reset(itt, true);
    else {
      const reassign = asked === TMF_TASK_REASSIGN;
      this.#session.answer(itt, reassign ? TM_NO_REASSIGN : TM_NOT_SUPPORTED);
    }
    return true;
  }

  /** Sends what waits. */
  dispatch(): void {
    if (this.#send(this.#waiting)) this.#send(this.#settling);
  }

  /**
   * A unit attention said that the task set was cleared: this older command may be gone without a status (SAM-5 5.6,
   * TAS = 0). ABORT TASK settles it: it completes for a task that is not there, and the command ends in silence.
   */
  settle(command: SrpCommand): void {
    const request = abortOf(command);
    this.#unsettled += 1;
    request.done = () => {
      this.#unsettled -= 1;
      if (this.#unsettled === 0) this.#session.settled();
    };
    this.#settling.push(waiting(request));
  }

  /** False when there are more than can be sent now. */
  #send(queue: Waiting[]): boolean {
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      const { request, sequence } = next;
      const { managed } = request;
      if (managed !== null && (managed.slot < 0 || managed.sequence !== sequence)) {
        queue.shift();
        request.outcome = ANSWERED;
        request.responseCode = RSP_COMPLETE;
        request.done(request);
      } else if (this.#nexus?.manage(request)) queue.shift();
      else return false;
    }
    return true;
  }

  #abortTask(pdu: Pdu, itt: number): void {
    const { header } = pdu;
    const task = this.#session.find(header.readUInt32BE(TASK_REQUEST.at.referencedTag));
    if (task === undefined) {
      const cmdSN = header.readUInt32BE(TASK_REQUEST.at.referencedCmdSN);
      const older = compareSN(cmdSN, header.readUInt32BE(TASK_REQUEST.at.cmdSN)) < 0;
      const givenUp = older && this.#session.giveUp(cmdSN);
      this.#session.answer(itt, givenUp ? TM_COMPLETE : TM_NO_TASK);
      return;
    }
    if (!task.sent) {
      this.#session.dropUnsent((one) => one === task);
      this.#session.answer(itt, TM_COMPLETE);
      return;
    }
    const { command } = task;
    const request = abortOf(command);
    const { sequence } = command;
    request.done = () => {
      // It may have been answered before the function reached it; then there was no task any more.
      const aborted = command.outcome === ABORTED && command.sequence === sequence;
      const response = responseOf(request);
      this.#session.answer(itt, response === TM_COMPLETE && !aborted ? TM_NO_TASK : response);
    };
    this.#queue(request);
  }

  /** A command that has arrived here is in the task set as its initiator sees it, even if the core has not got it yet. */
  #queryTask(pdu: Pdu, itt: number): void {
    const task = this.#session.find(pdu.header.readUInt32BE(TASK_REQUEST.at.referencedTag));
    if (task === undefined || !task.sent) {
      this.#session.answer(itt, task === undefined ? TM_COMPLETE : TM_SUCCEEDED);
      return;
    }
    const request = new SrpManagement();
    request.managementFunction = QUERY_TASK;
    request.lun.set(task.command.lun);
    request.managed = task.command;
    request.done = () => this.#session.answer(itt, responseOf(request));
    this.#queue(request);
  }

  #unit(pdu: Pdu, itt: number, managementFunction: number): void {
    const request = new SrpManagement();
    request.managementFunction = managementFunction;
    const lun = copyLun(pdu.header, request.lun);
    if (managementFunction === QUERY_TASK_SET && this.#session.holdsUnsent(lun)) {
      this.#session.answer(itt, TM_SUCCEEDED);
      return;
    }
    if (!SPARING.has(managementFunction)) {
      const everywhere = managementFunction === I_T_NEXUS_RESET;
      this.#session.dropUnsent((task) => everywhere || task.lun === lun);
    }
    request.done = () => this.#session.answer(itt, responseOf(request), request.information);
    this.#queue(request);
  }

  /** SRP has no target reset: each logical unit is reset, as SAM says what a hard reset does to it. */
  #reset(itt: number, cold: boolean): void {
    this.#session.dropUnsent(() => true);
    const luns = this.#host.luns();
    let left = luns.length;
    let worst = TM_COMPLETE;
    const finish = (): void => {
      this.#session.answer(itt, worst);
      if (cold) this.#host.dropSessions('target cold reset');
    };
    if (left === 0) finish();
    for (const lun of luns) {
      const request = new SrpManagement();
      request.managementFunction = LOGICAL_UNIT_RESET;
      encodeLun(request.lun, 0, lun, 'native');
      request.done = () => {
        const response = responseOf(request);
        // A unit that was removed meanwhile needs no reset.
        if (response !== TM_COMPLETE && response !== TM_NO_LUN) worst = TM_REJECTED;
        left -= 1;
        if (left === 0) finish();
      };
      this.#queue(request);
    }
  }

  #queue(request: SrpManagement): void {
    this.#waiting.push(waiting(request));
    this.dispatch();
  }
}

function abortOf(command: SrpCommand): SrpManagement {
  const request = new SrpManagement();
  request.managementFunction = ABORT_TASK;
  request.lun.set(command.lun);
  request.managed = command;
  return request;
}

function waiting(request: SrpManagement): Waiting {
  return { request, sequence: request.managed?.sequence ?? 0 };
}

function responseOf(request: SrpManagement): number {
  if (request.outcome !== ANSWERED) return TM_REJECTED;
  if (request.responseCode === RSP_COMPLETE) return TM_COMPLETE;
  if (request.responseCode === RSP_SUCCEEDED) return TM_SUCCEEDED;
  if (request.responseCode === RSP_NOT_SUPPORTED) return TM_NOT_SUPPORTED;
  return request.responseCode === RSP_FIELDS_INVALID ? TM_NO_LUN : TM_REJECTED;
}
