/** The initiator library: one login to a target, raw commands, task management, disks, and a new login when the old one is lost. */
import { Buffer } from 'node:buffer';
import { EventEmitter } from 'node:events';
import { performance } from 'node:perf_hooks';
import { decodeLun, MAX_LUN, NO_LUN, REPORT_LUNS_WLUN } from '../scsi/lun.ts';
import type { MediaReply, MediaRequest } from '../scsi/media-request.ts';
import {
  ABORT_TASK,
  ABORT_TASK_SET,
  ACA,
  CLEAR_ACA,
  CLEAR_TASK_SET,
  GOOD,
  HEAD_OF_QUEUE,
  LOGICAL_UNIT_RESET,
  ORDERED,
  QUERY_ASYNCHRONOUS_EVENT,
  SIMPLE,
} from '../scsi/sam.ts';
import { MAX_CDB_BYTES } from '../scsi/task.ts';
import type { OpenLink } from '../transport/link.ts';
import { RSP_COMPLETE, RSP_SUCCEEDED } from '../transport/srp/iu.ts';
import type { AdapterInfo } from '../transport/srp/mad-codec.ts';
import { type BlockAccess, openBlockAccess } from './block-access.ts';
import { cdbName } from './command-name.ts';
import { Connection } from './connection.ts';
import {
  ClosedError,
  LoginRefusedError,
  NexusLostError,
  RequestError,
  ScsiError,
  TaskAbortedError,
  TaskManagementError,
} from './errors.ts';
import { type PendingEvent, pendingEvent } from './pending-event.ts';
import { type CommandResult, type Request, WAITING } from './request.ts';
import { openRingLink } from './ring-link.ts';
import { decodeSense, type SenseData } from './sense-data.ts';

export type AttributeName = 'simple' | 'ordered' | 'head' | 'aca';

const ATTRIBUTES: Readonly<Record<AttributeName, number>> = {
  simple: SIMPLE,
  ordered: ORDERED,
  head: HEAD_OF_QUEUE,
  aca: ACA,
};

const DEFAULT_REGION_BYTES = 16 * 2 ** 20;
const DEFAULT_COMMANDS_PER_QUEUE = 64;
const DEFAULT_TIMEOUT_MS = 30_000;
const ATTACH_TIMEOUT_MS = 5000;
/** A target may answer a login late, when its logical units exist (LoPAR), so this is long. */
const LOGIN_TIMEOUT_MS = 30_000;
const FIRST_BACK_OFF_MS = 20;
const MAX_BACK_OFF_MS = 1000;
const NO_DATA = new Uint8Array(0);
const PORT_IDENTIFIER_BYTES = 16;
const REPORT_LUNS = 0xa0;
const LUN_BYTES = 8;

export interface InitiatorOptions {
  /** Where the target listens: `srp:PATH`. Needed unless `openLink` is given. */
  readonly connect?: string;
  /** Another way to a target than the ring. */
  readonly openLink?: OpenLink;
  /** Name the target's operator sees; without an initiator port identifier it is the initiator's identity. */
  readonly name?: string;
  /** Initiator port identifier, 16 bytes or 32 hexadecimal digits. */
  readonly initiatorPort?: Uint8Array | string;
  readonly queuePairs?: number;
  /** Bytes of shared memory, at most 2 GiB: every data buffer in flight lies in it. Default 16 MiB. */
  readonly regionBytes?: number;
  /** Commands in flight per queue pair. Default 64; the target may allow fewer. */
  readonly commandsPerQueue?: number;
  /** Let small writes travel inside their IU (SRP-2 immediate data). */
  readonly immediateData?: boolean;
  /** Log in again when the connection is lost. Default true. */
  readonly reconnect?: boolean;
}

export interface ExecuteRequest {
  readonly lun: number;
  readonly cdb: Uint8Array;
  /** Room for data from the target, in bytes. */
  readonly dataInBytes?: number;
  /** Data for the target; not to be changed before the promise settles. */
  readonly dataOut?: Uint8Array;
  readonly attribute?: AttributeName;
  /** Default 30 000. The time in queues and of reconnects counts. */
  readonly timeoutMs?: number;
}

/** A command as the block layer sends it. */
export interface InternalRequest extends ExecuteRequest {
  readonly idempotent: boolean;
  readonly into?: Uint8Array;
}

/** A condition of a logical unit that came without being asked for, or as unit attention. */
export interface Attention {
  readonly lun: number;
  readonly sense: SenseData;
}

interface InitiatorEvents {
  /** SRP_AER_REQ of the target. */
  asynchronousEvent: [attention: Attention];
  /** A unit attention that block access took care of. */
  unitAttention: [attention: Attention];
  lost: [why: string];
  reconnected: [];
}

/** What the target said about itself when it was asked who is there (MAD ADAPTER_INFO). */
export interface TargetIdentity extends AdapterInfo {
  /** It answers CAPABILITIES. */
  readonly capabilities: boolean;
}

function portIdentifier(value: Uint8Array | string | undefined): Uint8Array {
  if (value === undefined) return new Uint8Array(PORT_IDENTIFIER_BYTES);
  const bytes = typeof value === 'string' ? Buffer.from(value, 'hex') : value;
  const whole = typeof value !== 'string' || value.length === 2 * PORT_IDENTIFIER_BYTES;
  if (bytes.length === PORT_IDENTIFIER_BYTES && whole) return bytes;
  throw new RequestError(
    `Cannot use initiator port "${String(value)}": it needs ${PORT_IDENTIFIER_BYTES} bytes, or as many pairs of hexadecimal digits`,
  );
}

function socketPath(connect: string | undefined): string {
  const path = connect?.startsWith('srp:') === true ? connect.slice(4) : '';
  if (path !== '') return path;
  throw new RequestError(`Cannot connect to "${connect ?? ''}": it must be srp:PATH`);
}

function ringLink(options: InitiatorOptions, name: string): OpenLink {
  const path = socketPath(options.connect);
  const { queuePairs = 1, regionBytes = DEFAULT_REGION_BYTES } = options;
  return () => openRingLink({ path, name, queuePairs, regionBytes, timeoutMs: ATTACH_TIMEOUT_MS });
}

function checkRequest(request: ExecuteRequest): void {
  const { lun, cdb, dataInBytes = 0, timeoutMs = 1 } = request;
  if (cdb.length < 1 || cdb.length > MAX_CDB_BYTES) {
    throw new RequestError(
      `Cannot send command: its CDB has ${cdb.length} bytes, 1 to ${MAX_CDB_BYTES} are possible`,
    );
  }
  const known = Number.isInteger(lun) && lun >= 0 && lun <= MAX_LUN;
  if (!known && lun !== REPORT_LUNS_WLUN) {
    throw new RequestError(
      `Cannot send ${cdbName(cdb)} to LUN ${lun}: a LUN is a number from 0 to ${MAX_LUN}`,
    );
  }
  if (!Number.isInteger(dataInBytes) || dataInBytes < 0) {
    throw new RequestError(
      `Cannot send ${cdbName(cdb)}: ${dataInBytes} is no number of data-in bytes`,
    );
  }
  if (!(timeoutMs > 0)) {
    throw new RequestError(`Cannot send ${cdbName(cdb)}: a timeout of ${timeoutMs} ms is over`);
  }
}

export class Initiator extends EventEmitter<InitiatorEvents> {
  readonly #options: InitiatorOptions;
  readonly #openLink: OpenLink;
  readonly #name: string;
  readonly #initiatorPort: Uint8Array;
  readonly #requests = new WeakMap<Promise<CommandResult>, Request>();
  #connection: Connection | null = null;
  /** Waiting for the next connection. */
  #pending: Request[] = [];
  #pendingTimer: NodeJS.Timeout | null = null;
  #backOffTimer: NodeJS.Timeout | null = null;
  #backOffMs = FIRST_BACK_OFF_MS;
  #over: 'open' | 'closed' | 'lost' = 'open';
  #lostWhy = '';
  #closing: Promise<void> | null = null;

  /** Use `openInitiator`. */
  constructor(options: InitiatorOptions) {
    super();
    this.#options = options;
    this.#name = options.name ?? `initiator-${process.pid}`;
    this.#initiatorPort = portIdentifier(options.initiatorPort);
    this.#openLink = options.openLink ?? ringLink(options, this.#name);
  }

  /** The first login. For `openInitiator`. */
  async connect(): Promise<void> {
    this.#connection = await this.#logIn();
  }

  /** Whether a login stands now. */
  get connected(): boolean {
    return this.#connection !== null;
  }
  /** Commands with the target now. */
  get outstanding(): number {
    return this.#connection?.outstanding ?? 0;
  }
  /** Requests the target would take now beyond those it has, over all queue pairs. */
  get requestLimit(): number {
    return this.#connection?.requestLimit ?? 0;
  }
  /** Longest data buffer of one command that fits the shared memory, in bytes. */
  get maxDataBytes(): number {
    return this.#connection?.arenaBytes ?? 0;
  }

  /**
   * Sends one command and resolves for every SCSI status. Rejects with ScsiTimeoutError, TaskAbortedError,
   * NexusLostError (the command may or may not have been executed), ClosedError, RequestError.
   */
  execute(request: ExecuteRequest): Promise<CommandResult> {
    return this.send({ ...request, idempotent: false });
  }

  /** `execute` for the block layer: an idempotent command is sent again after a reconnect. */
  send(request: InternalRequest): Promise<CommandResult> {
    let entry: Request | null = null;
    const promise = new Promise<CommandResult>((resolve, reject) => {
      checkRequest(request);
      const timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS;
      entry = {
        lun: request.lun,
        cdb: request.cdb,
        attribute: ATTRIBUTES[request.attribute ?? 'simple'],
        dataInBytes: request.dataInBytes ?? 0,
        dataOut: request.dataOut ?? NO_DATA,
        into: request.into ?? null,
        timeoutMs,
        deadlineMs: performance.now() + timeoutMs,
        idempotent: request.idempotent,
        resolve,
        reject,
        state: WAITING,
        command: null,
        inOffset: -1,
        outOffset: -1,
      };
      this.#add(entry);
    });
    if (entry !== null) this.#requests.set(promise, entry);
    return promise;
  }

  /**
   * Aborts a command, given by the promise `execute` returned; that promise rejects with TaskAbortedError unless the
   * command ended first. Resolves when the target says that the task is no more. Rejects with TaskManagementError.
   */
  abortTask(execution: Promise<CommandResult>, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    const request = this.#requests.get(execution);
    if (request === undefined) {
      const text = 'Cannot abort: this promise does not come from execute of this initiator';
      return Promise.reject(new RequestError(text));
    }
    const waiting = this.#pending.indexOf(request);
    if (waiting >= 0) {
      this.#pending.splice(waiting, 1);
      request.reject(new TaskAbortedError(request.cdb));
      return Promise.resolve();
    }
    if (this.#connection?.withdraw(request) === true) return Promise.resolve();
    return this.#order('ABORT TASK', ABORT_TASK, request.lun, timeoutMs, request);
  }

  /** Ends every task of the logical unit, whoever sent it. */
  logicalUnitReset(lun: number, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    return this.#order('LOGICAL UNIT RESET', LOGICAL_UNIT_RESET, lun, timeoutMs, null);
  }

  /** Ends every task this initiator has with the logical unit. */
  abortTaskSet(lun: number, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    return this.#order('ABORT TASK SET', ABORT_TASK_SET, lun, timeoutMs, null);
  }

  /** Ends every task in the logical unit's task set. */
  clearTaskSet(lun: number, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    return this.#order('CLEAR TASK SET', CLEAR_TASK_SET, lun, timeoutMs, null);
  }

  /** Ends the ACA condition of this initiator. */
  clearAca(lun: number, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
    return this.#order('CLEAR ACA', CLEAR_ACA, lun, timeoutMs, null);
  }

  /**
   * The unit attention or deferred error that this initiator would be told next by the logical unit, which stays pending, or null.
   * Rejects with TaskManagementError, whose responseCode is 4 where the target does not have the function.
   */
  async queryAsynchronousEvent(
    lun: number,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  ): Promise<PendingEvent | null> {
    const name = 'QUERY ASYNCHRONOUS EVENT';
    const found = await this.#manage(name, QUERY_ASYNCHRONOUS_EVENT, lun, timeoutMs, null);
    return found === null ? null : pendingEvent(found);
  }

  /**
   * A media request (docs/srp-ring.md, MEDIA_REQUEST): for guests without a SCSI driver of drives. An eject goes on after its answer; `query`
   * says when it has ended. Rejects with RequestError when the target has none.
   */
  mediaRequest(lun: number, request: MediaRequest): Promise<MediaReply> {
    return new Promise((resolve, reject) => {
      const done = (reply: MediaReply | null): void => {
        if (reply !== null) resolve(reply);
        else {
          const why = 'the target has no media requests, or has gone';
          reject(new RequestError(`Cannot ${request} the medium of LUN ${lun}: ${why}`));
        }
      };
      if (this.#connection === null) done(null);
      else this.#connection.mediaRequest({ lun, request, done });
    });
  }

  /** What the target told about itself at login, or null when it would not. */
  identify(): TargetIdentity | null {
    const adapter = this.#connection?.adapter ?? null;
    return adapter === null
      ? null
      : { ...adapter, capabilities: this.#connection?.capabilities ?? false };
  }

  /** Logical unit numbers of the target (REPORT LUNS). */
  async luns(): Promise<number[]> {
    const first = await this.#reportLuns(LUN_BYTES + 32 * LUN_BYTES);
    const listBytes = first.getUint32(0);
    const view =
      listBytes + LUN_BYTES > first.byteLength
        ? await this.#reportLuns(listBytes + LUN_BYTES)
        : first;
    const luns: number[] = [];
    const end = Math.min(view.byteLength, view.getUint32(0) + LUN_BYTES);
    for (let at = LUN_BYTES; at + LUN_BYTES <= end; at += LUN_BYTES) {
      const lun = decodeLun(view, at, 'native');
      if (lun > NO_LUN) luns.push(lun);
    }
    return luns;
  }

  /** Typed access to a disk. Rejects with ScsiError when there is none at this LUN. */
  disk(lun: number): Promise<BlockAccess> {
    return openBlockAccess(this, lun);
  }

  /** Logs out. Whatever is still waited for rejects with ClosedError. */
  close(): Promise<void> {
    if (this.#closing === null) this.#closing = this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#over = 'closed';
    if (this.#backOffTimer !== null) clearTimeout(this.#backOffTimer);
    if (this.#pendingTimer !== null) clearTimeout(this.#pendingTimer);
    this.#refusePending();
    const connection = this.#connection;
    this.#connection = null;
    await connection?.close();
  }

  #add(request: Request): void {
    if (this.#over !== 'open') {
      request.reject(this.#refusal(request));
    } else if (this.#connection !== null) {
      this.#connection.add(request);
    } else {
      this.#pending.push(request);
      this.#watchPending();
    }
  }

  #refusal(request: Request): Error {
    const what = cdbName(request.cdb);
    return this.#over === 'lost' ? new NexusLostError(what, this.#lostWhy) : new ClosedError(what);
  }

  #refusePending(): void {
    for (const request of this.#pending.splice(0)) request.reject(this.#refusal(request));
  }

  /** Requests that wait for a connection keep their deadlines. */
  #watchPending(): void {
    if (this.#pendingTimer !== null) return;
    this.#pendingTimer = setTimeout(() => {
      this.#pendingTimer = null;
      const nowMs = performance.now();
      const late = this.#pending.filter((request) => request.deadlineMs <= nowMs);
      this.#pending = this.#pending.filter((request) => request.deadlineMs > nowMs);
      for (const request of late) {
        request.reject(new NexusLostError(cdbName(request.cdb), `${this.#lostWhy}, no new login`));
      }
      if (this.#pending.length > 0) this.#watchPending();
    }, FIRST_BACK_OFF_MS);
  }

  async #logIn(): Promise<Connection> {
    const link = await this.#openLink();
    return new Promise((resolve, reject) => {
      let opened = false;
      const fail = (reason: number, text: string): void => {
        clearTimeout(timer);
        reject(new LoginRefusedError(this.#options.connect ?? 'the target', reason, text));
      };
      const connection = new Connection(
        link,
        {
          name: this.#name,
          initiatorPort: this.#initiatorPort,
          targetPort: new Uint8Array(PORT_IDENTIFIER_BYTES),
          commandsPerQueue: this.#options.commandsPerQueue ?? DEFAULT_COMMANDS_PER_QUEUE,
          immediateData: this.#options.immediateData ?? false,
        },
        {
          onOpen: () => {
            opened = true;
            clearTimeout(timer);
            resolve(connection);
          },
          onRefused: (reason, text) => {
            fail(reason, text);
            connection.lose(text);
          },
          onLost: (why, sent, unsent) => {
            if (opened) this.#lost(connection, why, sent, unsent);
            else fail(0, why);
          },
          onAsynchronousEvent: (lun, sense) => this.#asynchronousEvent(lun, sense),
        },
      );
      const timer = setTimeout(
        () => connection.lose('the target does not answer the login'),
        LOGIN_TIMEOUT_MS,
      );
    });
  }

  #asynchronousEvent(lunField: Uint8Array, bytes: Uint8Array): void {
    const sense = decodeSense(bytes);
    const view = new DataView(lunField.buffer, lunField.byteOffset, lunField.length);
    if (sense !== null) {
      this.emit('asynchronousEvent', { lun: decodeLun(view, 0, 'native'), sense });
    }
  }

  #lost(
    connection: Connection,
    why: string,
    sent: readonly Request[],
    unsent: readonly Request[],
  ): void {
    if (this.#connection === connection) this.#connection = null;
    this.#lostWhy = why;
    if (this.#over === 'open' && this.#options.reconnect === false) this.#over = 'lost';
    const again = this.#over === 'open';
    for (const request of sent) {
      if (again && request.idempotent) this.#add(request);
      else
        request.reject(
          again ? new NexusLostError(cdbName(request.cdb), why) : this.#refusal(request),
        );
    }
    for (const request of unsent) this.#add(request);
    if (this.#over === 'closed') return;
    this.emit('lost', why);
    // The memory of the old connection is given back before the new one asks for its own.
    if (again) void connection.close().then(() => this.#reconnect());
  }

  #reconnect(): void {
    if (this.#over !== 'open') return;
    this.#logIn().then(
      (connection) => {
        this.#backOffMs = FIRST_BACK_OFF_MS;
        if (this.#over !== 'open') {
          void connection.close();
          return;
        }
        this.#connection = connection;
        for (const request of this.#pending.splice(0)) connection.add(request);
        this.emit('reconnected');
      },
      () => {
        if (this.#over !== 'open') return;
        this.#backOffTimer = setTimeout(() => this.#reconnect(), this.#backOffMs);
        this.#backOffMs = Math.min(MAX_BACK_OFF_MS, this.#backOffMs * 2);
      },
    );
  }

  async #order(
    name: string,
    managementFunction: number,
    lun: number,
    timeoutMs: number,
    managed: Request | null,
  ): Promise<void> {
    await this.#manage(name, managementFunction, lun, timeoutMs, managed);
  }

  /** Null: the function is complete; else what it found. */
  #manage(
    name: string,
    managementFunction: number,
    lun: number,
    timeoutMs: number,
    managed: Request | null,
  ): Promise<number | null> {
    const connection = this.#connection;
    if (connection === null) {
      return Promise.reject(
        this.#over === 'closed' ? new ClosedError(name) : new NexusLostError(name, this.#lostWhy),
      );
    }
    return new Promise((resolve, reject) => {
      connection.manage({
        managementFunction,
        lun,
        managed,
        deadlineMs: performance.now() + timeoutMs,
        done: (responseCode, information) => {
          if (responseCode === RSP_COMPLETE) resolve(null);
          else if (responseCode === RSP_SUCCEEDED) resolve(information);
          else reject(new TaskManagementError(name, lun, responseCode));
        },
      });
    });
  }

  async #reportLuns(lengthBytes: number): Promise<DataView> {
    const cdb = new Uint8Array(12);
    cdb[0] = REPORT_LUNS;
    new DataView(cdb.buffer).setUint32(6, lengthBytes);
    const result = await this.send({ lun: 0, cdb, dataInBytes: lengthBytes, idempotent: true });
    if (result.status !== GOOD || result.dataIn.length < LUN_BYTES) {
      const { status, sense, residualIn } = result;
      throw new ScsiError({ status, sense, cdb, lun: 0, lba: null, residual: residualIn });
    }
    const { dataIn } = result;
    return new DataView(dataIn.buffer, dataIn.byteOffset, dataIn.length);
  }
}

/**
 * Attaches and logs in. Rejects with RequestError (options), RingAttachError (nobody there, refused), LoginRefusedError.
 * An open initiator keeps the process alive until it is closed.
 */
export async function openInitiator(options: InitiatorOptions): Promise<Initiator> {
  const initiator = new Initiator(options);
  await initiator.connect();
  return initiator;
}
