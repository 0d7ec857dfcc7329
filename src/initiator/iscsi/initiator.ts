/** An initiator that speaks iSCSI at error recovery level 0: for tests of targets, ours and others (RFC 7143). */
import { Buffer } from 'node:buffer';
import { REPORT_LUNS_WLUN } from '../../scsi/lun.ts';
import { type BlockAccess, openBlockAccess } from '../block-access.ts';
import {
  ClosedError,
  NexusLostError,
  RequestError,
  ScsiTimeoutError,
  TaskAbortedError,
  TaskManagementError,
} from '../errors.ts';
import type { ExecuteRequest, InternalRequest } from '../initiator.ts';
import { type PendingEvent, pendingEvent } from '../pending-event.ts';
import type { CommandResult } from '../request.ts';
import { decodeSense } from '../sense-data.ts';
import { type LoggedIn, openSession, portalOf, type SessionOptions } from './session.ts';
import type { Wire, WirePdu } from './wire.ts';

const IMMEDIATE = 0x40;
const FINAL = 0x80;
const RESERVED_TAG = 0xffffffff;
/** Flags of a SCSI response and of the Data-In that carries the status. */
const OVERFLOW = 0x04;
const UNDERFLOW = 0x02;
const STATUS_PRESENT = 0x01;
/** Task attributes (11.3.1.1). */
const ATTRIBUTES = { simple: 1, ordered: 2, head: 3, aca: 4 } as const;
/** Task management functions (11.5.1). */
export const ABORT_TASK = 1;
export const ABORT_TASK_SET = 2;
export const CLEAR_ACA = 3;
export const CLEAR_TASK_SET = 4;
export const LOGICAL_UNIT_RESET = 5;
export const TARGET_WARM_RESET = 6;
export const TARGET_COLD_RESET = 7;
/** Of iSCSIProtocolLevel 2 (RFC 7144). */
const QUERY_ASYNCHRONOUS_EVENT = 12;
const SUCCEEDED = 7;
/** After these the nexus has no task left at the logical unit. */
const ENDS_TASKS: ReadonlySet<number> = new Set([
  ABORT_TASK_SET,
  CLEAR_TASK_SET,
  LOGICAL_UNIT_RESET,
]);
const COMPLETE = 0;
const NO_TASK = 1;
/** Responses (11.6.1) in the words of the initiator library's error. */
const RESPONSE_WORDS = new Map([
  [2, 2],
  [5, 4],
  [255, 5],
]);
/** Unit attentions that say: another initiator ended commands of this one (SAM-5 5.14; sense codes 29h and 2Fh). */
const RESET_ASC = 0x29;
const CLEARED_ASC = 0x2f;
const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_SEND_BYTES = 65_536;

export interface Task {
  readonly itt: number;
  readonly cmdSN: number;
  readonly request: ExecuteRequest;
  readonly dataIn: Buffer;
  readonly resolve: (result: CommandResult) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** Response of a task management function, and its additional response information (RFC 7144 6.2). */
interface Response {
  readonly response: number;
  readonly information: number;
}

interface Function {
  readonly resolve: (response: Response) => void;
  readonly reject: (error: Error) => void;
}

/** The LUN field: peripheral addressing below 256, flat above (SAM-5 4.7). */
function lunField(lun: number): Buffer {
  if (lun === REPORT_LUNS_WLUN) return Buffer.from('c101000000000000', 'hex');
  const field = Buffer.alloc(8);
  field.writeUInt16BE(lun < 256 ? lun : 0x4000 | lun);
  return field;
}

/** Extended CDB, then the expected read length of a bidirectional command (11.2.2.3, 11.2.2.4). */
function additionalHeaders({ cdb, dataOut, dataInBytes = 0 }: ExecuteRequest): Buffer {
  const pieces: Buffer[] = [];
  if (cdb.length > 16) {
    const rest = cdb.subarray(16);
    const segment = Buffer.alloc(4 + rest.length + (-rest.length & 3));
    segment.writeUInt16BE(rest.length + 1);
    segment[2] = 1;
    segment.set(rest, 4);
    pieces.push(segment);
  }
  if (dataOut !== undefined && dataInBytes > 0) {
    const segment = Buffer.from('0005020000000000', 'hex');
    segment.writeUInt32BE(dataInBytes, 4);
    pieces.push(segment);
  }
  return Buffer.concat(pieces);
}

export class IscsiInitiator {
  readonly maxDataBytes: number = 2 ** 20;
  readonly wire: Wire;
  /** Reasons of the Reject PDUs that came (11.17.1). */
  readonly rejects: number[] = [];
  /** Answers to NOP-Outs. */
  readonly pongs: WirePdu[] = [];
  readonly #session: LoggedIn;
  readonly #tasks = new Map<number, Task>();
  readonly #functions = new Map<number, Function>();
  readonly #sent = new WeakMap<Promise<CommandResult>, Task>();
  #lastTag = 0;
  #cmdSN = 1;
  #maxCmdSN: number;
  #expStatSN: number;
  #lost: string | null = null;
  #closed = false;
  #onEnd: () => void = () => undefined;
  readonly ended: Promise<void>;

  protected constructor(session: LoggedIn) {
    this.#session = session;
    this.wire = session.wire;
    this.#maxCmdSN = session.maxCmdSN;
    this.#expStatSN = session.expStatSN;
    this.ended = new Promise((resolve) => {
      this.#onEnd = resolve;
    });
    this.wire.onPdu = (pdu) => this.#receive(pdu);
    this.wire.onLost = (why) => this.#lose(why);
  }

  /** `portal` is HOST:PORT. */
  static async open(portal: string, options: SessionOptions): Promise<IscsiInitiator> {
    return new IscsiInitiator(await openSession(portalOf(portal), options));
  }

  get parameters(): ReadonlyMap<string, string> {
    return this.#session.parameters;
  }
  /** What the command window has room for, less what is outstanding. */
  get requestLimit(): number {
    return ((this.#maxCmdSN - this.#cmdSN) | 0) + 1;
  }

  execute(request: ExecuteRequest): Promise<CommandResult> {
    let task: Task | null = null;
    const promise = new Promise<CommandResult>((resolve, reject) => {
      if (this.#closed) throw new ClosedError('command');
      if (this.#lost !== null) throw new NexusLostError('command', this.#lost);
      const { lun, cdb } = request;
      if (cdb.length < 1) throw new RequestError(`${cdb.length} CDB bytes`);
      if (lun !== REPORT_LUNS_WLUN && !(lun >= 0 && lun <= 0x3fff)) {
        throw new RequestError(`LUN ${lun} has no place in the LUN field`);
      }
      task = this.#submit(request, resolve, reject);
    });
    if (task !== null) this.#sent.set(promise, task);
    return promise;
  }

  async send(request: InternalRequest): Promise<CommandResult> {
    const result = await this.execute(request);
    request.into?.set(result.dataIn);
    return result;
  }
  /** For block access, which tells of unit attentions it took care of. */
  emit(): boolean {
    return true;
  }
  identify(): null {
    return null;
  }

  async abortTask(execution: Promise<CommandResult>): Promise<void> {
    const task = this.#sent.get(execution);
    if (task === undefined) throw new RequestError('no command of this initiator');
    await this.#abort(task, (response) => {
      throw new TaskManagementError('ABORT TASK', task.request.lun, response);
    });
  }
  logicalUnitReset(lun: number): Promise<void> {
    return this.#unit('LOGICAL UNIT RESET', LOGICAL_UNIT_RESET, lun);
  }
  abortTaskSet(lun: number): Promise<void> {
    return this.#unit('ABORT TASK SET', ABORT_TASK_SET, lun);
  }
  clearTaskSet(lun: number): Promise<void> {
    return this.#unit('CLEAR TASK SET', CLEAR_TASK_SET, lun);
  }
  clearAca(lun: number): Promise<void> {
    return this.#unit('CLEAR ACA', CLEAR_ACA, lun);
  }

  async luns(): Promise<number[]> {
    const cdb = new Uint8Array([0xa0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0]);
    const { dataIn } = await this.execute({ lun: 0, cdb, dataInBytes: 0x2000 });
    const found: number[] = [];
    for (let at = 8; at + 8 <= dataIn.length; at += 8) {
      found.push((((dataIn[at] as number) & 0x3f) << 8) | (dataIn[at + 1] as number));
    }
    return found;
  }

  disk(lun: number): Promise<BlockAccess> {
    return openBlockAccess(this, lun);
  }

  async queryAsynchronousEvent(lun: number): Promise<PendingEvent | null> {
    const { response, information } = await this.#function(QUERY_ASYNCHRONOUS_EVENT, lun, null);
    if (response === SUCCEEDED) return pendingEvent(information);
    if (response === COMPLETE) return null;
    const why = RESPONSE_WORDS.get(response) ?? response;
    throw new TaskManagementError('QUERY ASYNCHRONOUS EVENT', lun, why);
  }

  /** One task management function; resolves with its response (11.6.1). */
  async manage(asked: number, lun: number, referenced: Task | null = null): Promise<number> {
    return (await this.#function(asked, lun, referenced)).response;
  }

  #function(asked: number, lun: number, referenced: Task | null): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new ClosedError('task management');
      if (this.#lost !== null) throw new NexusLostError('task management', this.#lost);
      const itt = this.nextTag();
      this.#functions.set(itt, { resolve, reject });
      const header = this.header(0x02 | IMMEDIATE, FINAL | asked, itt);
      lunField(lun).copy(header, 8);
      header.writeUInt32BE(referenced?.itt ?? RESERVED_TAG, 20);
      header.writeUInt32BE(referenced?.cmdSN ?? 0, 32);
      this.wire.send(header);
    });
  }

  /** NOP-Out that asks for an answer (11.18). */
  ping(data: string): void {
    const header = this.header(IMMEDIATE, FINAL, this.nextTag());
    header.writeUInt32BE(RESERVED_TAG, 20);
    this.wire.send(header, Buffer.from(data));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { reject, timer } of this.#tasks.values()) {
      clearTimeout(timer);
      reject(new ClosedError('command'));
    }
    this.#tasks.clear();
    for (const { reject } of this.#functions.values()) reject(new ClosedError('task management'));
    this.wire.end();
    if (this.#lost === null) await this.ended;
  }

  protected nextTag(): number {
    this.#lastTag += 1;
    return this.#lastTag;
  }

  protected header(opcode: number, flags: number, itt: number): Buffer {
    const header = Buffer.alloc(48);
    header[0] = opcode;
    header[1] = flags;
    header.writeUInt32BE(itt, 16);
    header.writeUInt32BE(this.#cmdSN, 24);
    header.writeUInt32BE(this.#expStatSN, 28);
    return header;
  }

  #submit(request: ExecuteRequest, resolve: Task['resolve'], reject: Task['reject']): Task {
    const { lun, cdb, dataOut, dataInBytes = 0, timeoutMs = DEFAULT_TIMEOUT_MS } = request;
    const itt = this.nextTag();
    const timer = setTimeout(() => {
      this.#abort(task, () => undefined, new ScsiTimeoutError(cdb, timeoutMs)).catch(reject);
    }, timeoutMs);
    const task: Task = {
      itt,
      cmdSN: this.#cmdSN,
      request,
      dataIn: Buffer.alloc(dataInBytes),
      resolve,
      reject,
      timer,
    };
    this.#tasks.set(itt, task);
    const direction = (dataInBytes > 0 ? 0x40 : 0) | (dataOut === undefined ? 0 : 0x20);
    const attribute = ATTRIBUTES[request.attribute ?? 'simple'];
    const header = this.header(0x01, FINAL | direction | attribute, itt);
    lunField(lun).copy(header, 8);
    header.writeUInt32BE(dataOut?.length ?? dataInBytes, 20);
    header.set(cdb.subarray(0, 16), 32);
    this.#cmdSN = (this.#cmdSN + 1) >>> 0;
    // Half of the small writes are sent with the command, the other half and large ones are asked for by R2T.
    const immediate =
      dataOut !== undefined && itt % 2 === 0 ? dataOut.subarray(0, 4096) : undefined;
    this.wire.send(header, immediate, additionalHeaders(request));
    return task;
  }

  async #abort(task: Task, failed: (word: number) => void, why?: Error): Promise<void> {
    const response = await this.manage(ABORT_TASK, task.request.lun, task);
    // A task that is not there was answered before, or ended by another initiator without an answer.
    if (response === COMPLETE || response === NO_TASK) {
      this.#endTask(task)?.reject(why ?? new TaskAbortedError(task.request.cdb));
    } else failed(RESPONSE_WORDS.get(response) ?? response);
  }

  async #unit(name: string, asked: number, lun: number): Promise<void> {
    const before = [...this.#tasks.values()];
    const response = await this.manage(asked, lun);
    if (response !== COMPLETE) {
      throw new TaskManagementError(name, lun, RESPONSE_WORDS.get(response) ?? response);
    }
    if (ENDS_TASKS.has(asked)) this.#abandon(before, lun);
  }

  #abandon(tasks: readonly Task[], lun: number): void {
    for (const task of tasks) {
      if (task.request.lun !== lun) continue;
      this.#endTask(task)?.reject(new TaskAbortedError(task.request.cdb));
    }
  }

  /** The task, unless it has ended before. */
  #endTask(task: Task): Task | null {
    clearTimeout(task.timer);
    return this.#tasks.delete(task.itt) ? task : null;
  }

  #receive(pdu: WirePdu): void {
    const { header } = pdu;
    const opcode = (header[0] as number) & 0x3f;
    const itt = header.readUInt32BE(16);
    const statused = opcode !== 0x31 && (opcode !== 0x25 || ((header[1] as number) & 1) !== 0);
    if (statused && itt !== RESERVED_TAG) this.#expStatSN = (header.readUInt32BE(24) + 1) >>> 0;
    const maxCmdSN = header.readUInt32BE(32);
    if (((maxCmdSN - this.#maxCmdSN) | 0) > 0) this.#maxCmdSN = maxCmdSN;
    if (opcode === 0x3f) this.rejects.push(header[2] as number);
    else if (opcode === 0x20) this.#nopIn(pdu, itt);
    else if (opcode === 0x22) {
      const waiting = this.#functions.get(itt);
      this.#functions.delete(itt);
      waiting?.resolve({ response: header[2] as number, information: header.readUIntBE(8, 3) });
    } else {
      const task = this.#tasks.get(itt);
      if (task === undefined) return;
      if (opcode === 0x31) this.sendData(task, header);
      else if (opcode === 0x25) this.#dataIn(task, pdu);
      else if (opcode === 0x21) this.#response(task, pdu);
    }
  }

  #nopIn(pdu: WirePdu, itt: number): void {
    const ttt = pdu.header.readUInt32BE(20);
    if (itt !== RESERVED_TAG) this.pongs.push(pdu);
    else if (ttt !== RESERVED_TAG) {
      const header = this.header(IMMEDIATE, FINAL, RESERVED_TAG);
      header.writeUInt32BE(ttt, 20);
      this.wire.send(header);
    }
  }

  /** Answers an R2T. */
  protected sendData(task: Task, r2t: Buffer): void {
    const start = r2t.readUInt32BE(40);
    const end = start + r2t.readUInt32BE(44);
    let dataSN = 0;
    for (let at = start; at < end; at += MAX_SEND_BYTES, dataSN += 1) {
      const to = Math.min(end, at + MAX_SEND_BYTES);
      const header = this.header(0x05, to === end ? FINAL : 0, task.itt);
      r2t.copy(header, 8, 8, 16);
      r2t.copy(header, 20, 20, 24);
      header.writeUInt32BE(0, 24);
      header.writeUInt32BE(dataSN, 36);
      header.writeUInt32BE(at, 40);
      this.wire.send(header, (task.request.dataOut as Uint8Array).subarray(at, to));
    }
  }

  #dataIn(task: Task, { header, data }: WirePdu): void {
    const offset = header.readUInt32BE(40);
    if (offset + data.length > task.dataIn.length) {
      this.wire.socket.destroy(new Error('more data than asked for'));
      return;
    }
    data.copy(task.dataIn, offset);
    if (((header[1] as number) & STATUS_PRESENT) === 0) return;
    const left = residual(header[1] as number, header.readUInt32BE(44));
    this.#finish(task, header[3] as number, new Uint8Array(), left, 0);
  }

  #response(task: Task, { header, data }: WirePdu): void {
    const flags = header[1] as number;
    const response = header[2] as number;
    if (response !== COMPLETE) {
      this.#endTask(task)?.reject(new RequestError(`the target answers with response ${response}`));
      return;
    }
    const { dataOut, dataInBytes = 0 } = task.request;
    const left = residual(flags, header.readUInt32BE(44));
    const bidirectional = dataOut !== undefined && dataInBytes > 0;
    const leftIn = bidirectional
      ? residual(flags >> 2, header.readUInt32BE(40))
      : dataOut === undefined
        ? left
        : 0;
    const sense =
      data.length >= 2 ? Uint8Array.from(data.subarray(2, 2 + data.readUInt16BE(0))) : data;
    this.#finish(task, header[3] as number, sense, leftIn, dataOut === undefined ? 0 : left);
  }

  #finish(
    task: Task,
    status: number,
    senseBytes: Uint8Array,
    residualIn: number,
    residualOut: number,
  ): void {
    if (this.#endTask(task) === null) return;
    const sense = decodeSense(senseBytes);
    const bytes = Math.max(0, task.dataIn.length - Math.max(0, residualIn));
    const dataIn = Uint8Array.from(task.dataIn.subarray(0, bytes));
    task.resolve({ status, sense, dataIn, residualIn, residualOut });
    const ended = sense?.key === 6 && (sense.asc === RESET_ASC || sense.asc === CLEARED_ASC);
    if (!ended) return;
    const older = [...this.#tasks.values()].filter(({ cmdSN }) => ((cmdSN - task.cmdSN) | 0) < 0);
    this.#abandon(older, task.request.lun);
  }

  #lose(why: string): void {
    this.#lost = why;
    for (const { reject, timer } of this.#tasks.values()) {
      clearTimeout(timer);
      reject(new NexusLostError('command', why));
    }
    this.#tasks.clear();
    for (const { reject } of this.#functions.values()) {
      reject(new NexusLostError('task management', why));
    }
    this.#functions.clear();
    this.#onEnd();
  }
}

/** Bytes that did not move; negative when there were more than the initiator had room for. */
function residual(flags: number, count: number): number {
  if ((flags & UNDERFLOW) !== 0) return count;
  return (flags & OVERFLOW) !== 0 ? -count : 0;
}
