/** The full feature phase of one session on its one connection: the command window, SCSI commands and their data (RFC 7143 clause 4). */
import { Buffer } from 'node:buffer';
import { MAX_BUFFER_BYTES } from '../../scsi/sbc/block-device.ts';
import { ABORTED, ANSWERED, LOST, type SrpCommand } from '../srp/initiator-command.ts';
import { type AnswerSink, answerCommand, answerFailure, saysCleared } from './answer.ts';
import { CommandWindow, EARLY, NEXT, OUTSIDE } from './command-window.ts';
import type { LoginTerms } from './login.ts';
import { renegotiate } from './negotiation.ts';
import {
  ASYNC,
  ASYNC_MESSAGE,
  addSN,
  BHS,
  COMMAND,
  CONTINUE,
  compareSN,
  DATA,
  DATA_OUT,
  FINAL,
  IMMEDIATE,
  LOGOUT,
  LOGOUT_ANSWER,
  LOGOUT_CONNECTION,
  LOGOUT_NO_CONNECTION,
  LOGOUT_NO_RECOVERY,
  LOGOUT_OK,
  LOGOUT_RESPONSE,
  LOGOUT_SESSION,
  NO_TAG,
  NOP_IN,
  NOP_OUT,
  OPCODE_MASK,
  type Pdu,
  R2T,
  REJECT,
  REJECT_DATA_DIGEST,
  REJECT_INVALID_FIELD,
  REJECT_PROTOCOL,
  REJECT_SNACK,
  REJECT_TOO_MANY_IMMEDIATE,
  REJECT_UNSUPPORTED,
  SCSI_COMMAND,
  SNACK,
  TASK_ANSWER,
  TASK_MANAGEMENT,
  TASK_MANAGEMENT_RESPONSE,
  TEXT,
  TEXT_RESPONSE,
} from './pdu.ts';
import { newHeader } from './pdu-writer.ts';
import type { SrpNexus } from './srp-nexus.ts';
import { IscsiTask, TaskLanes } from './task.ts';
import { type ManagementHost, TaskManagement } from './task-management.ts';
import { encodeText, TextCollector } from './text-keys.ts';

/** Commands an initiator may have outstanding. */
export const WINDOW_COMMANDS = 112;
/** Immediate commands beyond the window. */
const IMMEDIATE_COMMANDS = 8;
/** Commands the SRP port must have room for. */
export const NEXUS_COMMANDS: number = WINDOW_COMMANDS + IMMEDIATE_COMMANDS;

export interface SessionConnection {
  /** Puts a finished PDU on the wire. */
  transmit(header: Buffer, data: Uint8Array | null): void;
  /** Ends the connection after what was sent; the session is told by `end`. */
  finish(why: string): void;
  /** Ends the connection at once: the protocol was broken. */
  break(why: string): void;
  /** Text for TargetAddress: where this connection arrived. */
  readonly portal: string;
}

export interface SessionOptions {
  readonly terms: LoginTerms;
  readonly connection: SessionConnection;
  /** Null in a discovery session. */
  readonly nexus: SrpNexus | null;
  /** StatSN of the next response. */
  readonly statSN: number;
  readonly targetName: string;
  readonly management: ManagementHost;
}

export class Session implements AnswerSink {
  readonly terms: LoginTerms;
  readonly nexus: SrpNexus | null;
  readonly #options: SessionOptions;
  readonly #connection: SessionConnection;
  readonly #window: CommandWindow;
  readonly #tasks = new Map<number, IscsiTask>();
  readonly #byCommand = new Map<SrpCommand, IscsiTask>();
  readonly #free: IscsiTask[] = [];
  readonly #lanes = new TaskLanes();
  /** Tasks that wait for memory, in order. */
  readonly #unhoused: IscsiTask[] = [];
  /** PDUs inside the window whose predecessors are missing; null: given up by their initiator. */
  readonly #held = new Map<number, Pdu | null>();
  readonly #management: TaskManagement;
  readonly #collector = new TextCollector();
  #statSN: number;
  #lastTTT = 0;
  #pingTTT = NO_TAG;
  #over = false;
  #draining = false;
  #leaving = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.terms = options.terms;
    this.nexus = options.nexus;
    this.#connection = options.connection;
    this.#statSN = options.statSN;
    this.#window = new CommandWindow(WINDOW_COMMANDS, options.terms.cmdSN);
    this.#management = new TaskManagement(options.nexus, options.management, {
      protocolLevel: options.terms.parameters.protocolLevel,
      find: (itt) => this.#tasks.get(itt),
      dropUnsent: (select) => this.#dropUnsent(select),
      giveUp: (cmdSN) => this.#giveUp(cmdSN),
      holdsUnsent: (lun) => [...this.#tasks.values()].some((one) => !one.sent && one.lun === lun),
      answer: (itt, response, information) => this.#answerManagement(itt, response, information),
      settled: () => this.#announceWindow(),
    });
    if (options.nexus !== null) {
      options.nexus.onTurn = () => this.#turn();
      options.nexus.onLost = (why) => this.#connection.break(why);
    }
  }

  get maxCmdSN(): number {
    return this.#window.maxCmdSN;
  }
  /** Commands without an answer. */
  get outstanding(): number {
    return this.#tasks.size;
  }

  receive(pdu: Pdu): void {
    if (this.#over || this.#leaving) return;
    const { header } = pdu;
    const first = header[BHS.at.opcode] as number;
    const opcode = first & OPCODE_MASK;
    // ExpStatSN has one place in every PDU of an initiator. libiscsi takes the StatSN of an R2T for used: one is forgiven.
    if (compareSN(header.readUInt32BE(COMMAND.at.expStatSN), this.#statSN) > 1) {
      this.#connection.break('it acknowledges responses that were not sent');
      return;
    }
    if (opcode === DATA_OUT) this.#dataOut(pdu);
    else if (opcode === SNACK) this.#reject(REJECT_SNACK, pdu);
    else if (pdu.damaged) {
      this.#reject(REJECT_DATA_DIGEST, pdu);
      this.#connection.finish('data digest error');
    } else if (!isKnown(opcode)) this.#reject(REJECT_UNSUPPORTED, pdu);
    else if ((first & IMMEDIATE) !== 0) this.#deliver(opcode, pdu, true);
    else this.#admit(opcode, pdu);
  }

  /** AnswerSink. */
  sendPdu(header: Buffer, data: Uint8Array | null, statused: boolean): void {
    const { at } = BHS;
    if (statused || header[at.opcode] === R2T || header[at.opcode] === NOP_IN) {
      header.writeUInt32BE(this.#statSN, at.statSN);
    }
    if (statused) this.#statSN = addSN(this.#statSN, 1);
    this.#window.open(this.#tasks.size);
    header.writeUInt32BE(this.#window.expCmdSN, at.expCmdSN);
    header.writeUInt32BE(this.#window.maxCmdSN, at.maxCmdSN);
    this.#connection.transmit(header, data);
  }

  /** Asks the initiator whether it is there. False when it has not answered the last time. */
  ping(): boolean {
    if (this.#pingTTT !== NO_TAG) return false;
    this.#pingTTT = this.#nextTTT();
    const header = newHeader(NOP_IN, NO_TAG);
    header.writeUInt32BE(this.#pingTTT, BHS.at.ttt);
    this.sendPdu(header, null, false);
    return true;
  }

  /** Room came back without an answer: a NOP-In that wants none says so, or an initiator might wait for ever (11.19). */
  #announceWindow(): void {
    if (this.#over) return;
    const header = newHeader(NOP_IN, NO_TAG);
    header.writeUInt32BE(NO_TAG, BHS.at.ttt);
    this.sendPdu(header, null, false);
  }

  /** Tells the initiator of an event of the target (11.9.1). */
  notify(event: number, parameter2: number, parameter3: number): void {
    if (this.#over) return;
    const header = newHeader(ASYNC_MESSAGE, NO_TAG);
    header[ASYNC.at.event] = event;
    header.writeUInt16BE(parameter2, ASYNC.at.parameter2);
    header.writeUInt16BE(parameter3, ASYNC.at.parameter3);
    this.sendPdu(header, null, true);
  }

  /** New commands stay unread and unanswered from now on; what is outstanding goes on. */
  closeToNewCommands(): void {
    this.#draining = true;
  }

  /** The connection is over: everything ends without a word. Resolves when the nexus has ended. */
  async end(): Promise<void> {
    this.#over = true;
    this.#tasks.clear();
    this.#byCommand.clear();
    await this.nexus?.logout();
  }

  #admit(opcode: number, pdu: Pdu): void {
    const cmdSN = pdu.header.readUInt32BE(COMMAND.at.cmdSN);
    const admission = this.#window.admit(cmdSN);
    if (admission === OUTSIDE || this.#draining) return;
    if (admission === EARLY) {
      if (!this.#held.has(cmdSN)) this.#held.set(cmdSN, pdu);
      return;
    }
    this.#window.advance();
    this.#deliver(opcode, pdu, false);
    this.#release();
  }

  /** Delivers what waited for the one that was missing. */
  #release(): void {
    for (;;) {
      const { expCmdSN } = this.#window;
      const next = this.#held.get(expCmdSN);
      if (next === undefined || this.#over || this.#leaving) return;
      this.#held.delete(expCmdSN);
      this.#window.advance();
      if (next !== null) this.#deliver((next.header[0] as number) & OPCODE_MASK, next, false);
    }
  }

  /** The initiator aborts a command that never arrived: its number counts as received (11.5.1). */
  #giveUp(cmdSN: number): boolean {
    const admission = this.#window.admit(cmdSN);
    if (admission === OUTSIDE) return false;
    this.#held.set(cmdSN, null);
    if (admission === NEXT) this.#release();
    return true;
  }

  #deliver(opcode: number, pdu: Pdu, immediate: boolean): void {
    switch (opcode) {
      case SCSI_COMMAND:
        this.#scsiCommand(pdu, immediate);
        return;
      case NOP_OUT:
        this.#nopOut(pdu);
        return;
      case TASK_MANAGEMENT:
        if (this.nexus === null) this.#reject(REJECT_PROTOCOL, pdu);
        else if (!this.#management.receive(pdu)) this.#reject(REJECT_TOO_MANY_IMMEDIATE, pdu);
        return;
      case TEXT:
        this.#text(pdu);
        return;
      case LOGOUT:
        this.#logout(pdu);
        return;
      default:
        this.#reject(REJECT_PROTOCOL, pdu);
    }
  }

  #scsiCommand(pdu: Pdu, immediate: boolean): void {
    const itt = pdu.header.readUInt32BE(COMMAND.at.itt);
    if (this.nexus === null || itt === NO_TAG) {
      this.#reject(REJECT_PROTOCOL, pdu);
      return;
    }
    if (this.#tasks.has(itt)) {
      this.#reject(REJECT_PROTOCOL, pdu);
      this.#connection.finish('it uses a task tag twice');
      return;
    }
    if (immediate && this.#tasks.size >= NEXUS_COMMANDS) {
      this.#reject(REJECT_TOO_MANY_IMMEDIATE, pdu);
      return;
    }
    const task = this.#free.pop() ?? this.#newTask();
    task.immediate = immediate;
    if (!task.read(pdu, MAX_BUFFER_BYTES)) {
      this.#free.push(task);
      this.#reject(REJECT_INVALID_FIELD, pdu);
      return;
    }
    this.#begin(task, pdu);
  }

  #begin(task: IscsiTask, pdu: Pdu): void {
    const { parameters } = this.terms;
    const final = ((pdu.header[COMMAND.at.flags] as number) & FINAL) !== 0;
    const immediate = task.isWrite ? pdu.data.length : 0;
    task.transfer.begin(
      task.expectedOut,
      task.outBytes,
      immediate,
      final || !task.isWrite,
      parameters,
    );
    this.#tasks.set(task.itt, task);
    this.#byCommand.set(task.command, task);
    this.#lanes.add(task);
    this.#unhoused.push(task);
    this.#house();
    if (immediate > 0 && task.transfer.sense === 0) this.#store(task, 0, pdu.data);
    this.#advance(task);
  }

  #newTask(): IscsiTask {
    const task = new IscsiTask();
    task.command.done = (command) => this.#done(command);
    return task;
  }

  /** Gives memory to those that wait for it, oldest first. */
  #house(): void {
    const { nexus } = this;
    if (nexus === null) return;
    const { arena } = nexus;
    while (this.#unhoused.length > 0) {
      const task = this.#unhoused[0] as IscsiTask;
      if (task.outBytes > 0) task.outOffset = arena.allocate(task.outBytes);
      if (task.inBytes > 0) task.inOffset = arena.allocate(task.inBytes);
      const lacking =
        (task.outBytes > 0 && task.outOffset < 0) || (task.inBytes > 0 && task.inOffset < 0);
      if (lacking) {
        this.#evict(task);
        return;
      }
      this.#unhoused.shift();
      task.housed = true;
      for (const { offset, bytes } of task.early.splice(0)) this.#store(task, offset, bytes);
      this.#requestData(task);
    }
  }

  #evict(task: IscsiTask): void {
    const arena = this.nexus?.arena;
    if (task.outOffset >= 0) arena?.release(task.outOffset, task.outBytes);
    if (task.inOffset >= 0) arena?.release(task.inOffset, task.inBytes);
    task.outOffset = -1;
    task.inOffset = -1;
    task.housed = false;
  }

  #store(task: IscsiTask, offset: number, data: Buffer): void {
    if (!task.housed) {
      task.early.push({ offset, bytes: Buffer.from(data) });
      return;
    }
    const bytes = Math.min(data.length, task.outBytes - offset);
    if (bytes > 0) this.nexus?.region.view.set(data.subarray(0, bytes), task.outOffset + offset);
  }

  #dataOut(pdu: Pdu): void {
    const { header, data, damaged } = pdu;
    const { at } = DATA;
    const task = this.#tasks.get(header.readUInt32BE(at.itt));
    if (damaged) this.#reject(REJECT_DATA_DIGEST, pdu);
    // Data of a command that was aborted or answered meanwhile: nobody misses them.
    if (task === undefined || task.sent) return;
    const offset = header.readUInt32BE(at.offset);
    const kept = task.transfer.accept(
      header.readUInt32BE(at.ttt),
      header.readUInt32BE(at.dataSN),
      offset,
      data.length,
      ((header[at.flags] as number) & FINAL) !== 0,
      damaged,
    );
    if (kept) this.#store(task, offset, data);
    this.#advance(task);
  }

  /** Something came for a task: it needs more data, or may go. */
  #advance(task: IscsiTask): void {
    this.#requestData(task);
    if (task.isWrite && task.transfer.complete && task.transfer.sense !== 0) {
      this.#lanes.remove(task);
      this.#forget(task);
      answerFailure(task, task.transfer.sense, this);
      this.#recycle(task);
    }
    this.#pump();
  }

  #requestData(task: IscsiTask): void {
    if (!task.isWrite || !task.housed) return;
    for (;;) {
      const request = task.transfer.nextRequest(this.#nextTTT(), this.terms.parameters);
      if (request === null) return;
      const header = newHeader(R2T, task.itt);
      header.set(task.command.lun, BHS.at.lun);
      header.writeUInt32BE(request.ttt, DATA.at.ttt);
      header.writeUInt32BE(request.r2tSN, DATA.at.dataSN);
      header.writeUInt32BE(request.offset, DATA.at.offset);
      header.writeUInt32BE(request.length, DATA.at.length);
      this.sendPdu(header, null, false);
    }
  }

  #nextTTT(): number {
    this.#lastTTT = (this.#lastTTT + 1) & 0x7fffffff;
    return this.#lastTTT;
  }

  #turn(): void {
    if (this.#over) return;
    this.#house();
    this.#management.dispatch();
    this.#pump();
  }

  #pump(): void {
    this.#lanes.drain((task) => this.#send(task));
  }

  #send(task: IscsiTask): boolean {
    const { nexus } = this;
    if (nexus === null) return false;
    const { command } = task;
    const { handle } = nexus.region;
    command.dataIn.clear();
    command.dataOut.clear();
    if (task.inBytes > 0) command.dataIn.add(handle, task.inOffset, task.inBytes);
    if (task.outBytes > 0) command.dataOut.add(handle, task.outOffset, task.outBytes);
    task.sent = nexus.submit(command);
    return task.sent;
  }

  /** A command has ended at the target, from inside the port's `poll` or `lose`. */
  #done(command: SrpCommand): void {
    const task = this.#byCommand.get(command);
    if (task === undefined || this.#over || this.nexus === null) return;
    this.#forget(task);
    if (command.outcome === ANSWERED) {
      if (saysCleared(command)) this.#settleOlder(task);
      answerCommand(task, this.nexus.region, this.terms.parameters, this);
    } else if (command.outcome !== ABORTED && command.outcome !== LOST) {
      this.#connection.break('the target answered a command with something else');
    }
    this.#recycle(task);
  }

  #settleOlder(task: IscsiTask): void {
    const { sequence } = task.command;
    for (const { command, lun, sent } of this.#tasks.values()) {
      if (sent && lun === task.lun && command.sequence < sequence) this.#management.settle(command);
    }
  }

  #forget(task: IscsiTask): void {
    this.#tasks.delete(task.itt);
    this.#byCommand.delete(task.command);
  }

  #recycle(task: IscsiTask): void {
    const waiting = this.#unhoused.indexOf(task);
    if (waiting >= 0) this.#unhoused.splice(waiting, 1);
    task.early.length = 0;
    this.#evict(task);
    this.#free.push(task);
  }

  /** Ends commands that have not reached the target, without a word. */
  #dropUnsent(select: (task: IscsiTask) => boolean): void {
    for (const task of [...this.#tasks.values()]) {
      if (task.sent || !select(task)) continue;
      this.#lanes.remove(task);
      this.#forget(task);
      this.#recycle(task);
    }
    this.#turn();
  }

  #answerManagement(itt: number, response: number, information = 0): void {
    if (this.#over) return;
    const header = newHeader(TASK_MANAGEMENT_RESPONSE, itt);
    header[TASK_ANSWER.at.response] = response;
    header.writeUIntBE(information, TASK_ANSWER.at.information, 3);
    this.sendPdu(header, null, true);
  }

  #nopOut(pdu: Pdu): void {
    const { header, data } = pdu;
    const itt = header.readUInt32BE(BHS.at.itt);
    if (header.readUInt32BE(BHS.at.ttt) === this.#pingTTT) this.#pingTTT = NO_TAG;
    if (itt === NO_TAG) return;
    const answer = newHeader(NOP_IN, itt);
    header.copy(answer, BHS.at.lun, BHS.at.lun, BHS.at.lun + 8);
    answer.writeUInt32BE(NO_TAG, BHS.at.ttt);
    const bytes = Math.min(data.length, this.terms.parameters.maxSendBytes);
    this.sendPdu(answer, bytes === 0 ? null : data.subarray(0, bytes), true);
  }

  #text(pdu: Pdu): void {
    const { header } = pdu;
    const flags = header[BHS.at.flags] as number;
    const more = (flags & CONTINUE) !== 0;
    if (!this.#collector.add(pdu.data)) {
      this.#reject(REJECT_PROTOCOL, pdu);
      this.#connection.finish('its text is too long');
      return;
    }
    const offers = more ? new Map<string, string>() : this.#collector.take();
    if (offers === null) {
      this.#reject(REJECT_PROTOCOL, pdu);
      return;
    }
    const sendTargets = offers.get('SendTargets');
    offers.delete('SendTargets');
    const answers = renegotiate(offers, this.terms.parameters);
    if (sendTargets !== undefined) answers.push(...this.#targets(sendTargets));
    const final = !more && (flags & FINAL) !== 0;
    const answer = newHeader(TEXT_RESPONSE, header.readUInt32BE(BHS.at.itt));
    answer[BHS.at.flags] = final ? FINAL : 0;
    answer.writeUInt32BE(final ? NO_TAG : this.#nextTTT(), BHS.at.ttt);
    this.sendPdu(answer, answers.length === 0 ? null : encodeText(answers), true);
  }

  /** SendTargets (RFC 7143 appendix C): All in discovery sessions only; nothing stands for the target of the session. */
  #targets(asked: string): [string, string][] {
    const { targetName } = this.#options;
    const discovery = this.terms.discovery;
    if (asked === 'All' && !discovery) return [['SendTargets', 'Reject']];
    if (asked !== targetName && asked !== 'All' && (asked !== '' || discovery)) return [];
    return [
      ['TargetName', targetName],
      ['TargetAddress', this.#connection.portal],
    ];
  }

  #logout(pdu: Pdu): void {
    const { header } = pdu;
    const reason = (header[BHS.at.flags] as number) & 0x7f;
    const cid = header.readUInt16BE(BHS.at.ttt);
    if (reason === LOGOUT_CONNECTION && cid !== this.terms.cid) {
      this.#answerLogout(header, LOGOUT_NO_CONNECTION);
    } else if (reason !== LOGOUT_SESSION && reason !== LOGOUT_CONNECTION) {
      this.#answerLogout(header, LOGOUT_NO_RECOVERY);
    } else {
      this.#leaving = true;
      this.#leave(header).catch(() => this.#connection.break('the nexus could not be ended'));
    }
  }

  /** The nexus ends before the answer: what the initiator does next finds nothing of it any more. */
  async #leave(header: Buffer): Promise<void> {
    this.#tasks.clear();
    this.#byCommand.clear();
    await this.nexus?.logout();
    if (this.#over) return;
    this.#answerLogout(header, LOGOUT_OK);
    this.#connection.finish('logged out');
  }

  #answerLogout(request: Buffer, response: number): void {
    const answer = newHeader(LOGOUT_RESPONSE, request.readUInt32BE(BHS.at.itt));
    answer[LOGOUT_ANSWER.at.response] = response;
    this.sendPdu(answer, null, true);
  }

  /** Reject: the header of what cannot be done comes back with the reason (11.17). */
  #reject(reason: number, pdu: Pdu): void {
    const header = newHeader(REJECT, NO_TAG);
    header[BHS.at.specific2] = reason;
    this.sendPdu(header, pdu.header, true);
  }
}

function isKnown(opcode: number): boolean {
  return (
    opcode === SCSI_COMMAND ||
    opcode === NOP_OUT ||
    opcode === TASK_MANAGEMENT ||
    opcode === TEXT ||
    opcode === LOGOUT
  );
}
