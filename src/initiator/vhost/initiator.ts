/** An initiator whose transport is a vhost-user front end without a virtual machine: for tests of back ends, ours and others. */

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
import type { CommandResult } from '../request.ts';
import { decodeSense } from '../sense-data.ts';
import { FrontEnd, type FrontEndOptions, perform } from './front-end.ts';
import {
  ABORT_TASK,
  ABORT_TASK_SET,
  CLEAR_ACA,
  CLEAR_TASK_SET,
  type DriverAnswer,
  LOGICAL_UNIT_RESET,
  lunField,
  REPORT_LUNS_FIELD,
  REQUESTS,
} from './scsi-driver.ts';

/** response codes (virtio 1.2, 5.6.6.1 and 5.6.6.2). */
const OK = 0;
const OVERRUN = 1;
const ABORTED = 2;
const RESET = 4;
const FUNCTION_SUCCEEDED = 10;
/** Response codes of task management, in the words of the initiator library's error. */
const RESPONSE_WORDS = new Map([
  [3, 2],
  [9, 5],
  [11, 4],
  [12, 2],
]);

const NOT_SUPPORTED = 4;

/** task_attr (5.6.6.1). */
const ATTRIBUTES = { simple: 0, ordered: 1, head: 2, aca: 3 } as const;
const MAX_LUN = 16_383;
const CDB_BYTES = 32;
const DEFAULT_TIMEOUT_MS = 30_000;
const MAX_DATA_BYTES = 2 ** 20;
/** Turns of the event loop before it is given a pause. */
const EAGER_TURNS = 40;

interface Sent {
  readonly tag: bigint;
  readonly lun: number;
}

/** virtio says that a buffer was too short, not by how much: any negative number stands for it. */
function residuals(request: ExecuteRequest, answer: DriverAnswer): [number, number] {
  const left = answer.response === OVERRUN && answer.residual === 0 ? -1 : answer.residual;
  if (request.dataOut === undefined) return [left, 0];
  // Of a bidirectional command virtio has the sum of both.
  const wantsIn = request.dataInBytes ?? 0;
  return wantsIn > 0 ? [Math.min(left, wantsIn), Math.max(0, left - wantsIn)] : [0, left];
}

function resultOf(request: ExecuteRequest, answer: DriverAnswer): CommandResult {
  const [residualIn, residualOut] = residuals(request, answer);
  const bytes = (request.dataInBytes ?? 0) - Math.max(0, residualIn);
  return {
    status: answer.status,
    sense: decodeSense(answer.sense),
    dataIn: answer.dataIn.slice(0, Math.max(0, bytes)),
    residualIn,
    residualOut,
  };
}

function checkRequest({ lun, cdb }: ExecuteRequest): void {
  const known = lun === REPORT_LUNS_WLUN || (Number.isInteger(lun) && lun >= 0 && lun <= MAX_LUN);
  if (!known) throw new RequestError(`LUN ${lun} has no place in the LUN field`);
  if (cdb.length < 1 || cdb.length > CDB_BYTES) throw new RequestError(`${cdb.length} CDB bytes`);
}

export class VhostInitiator {
  readonly frontEnd: FrontEnd;
  readonly maxDataBytes: number = MAX_DATA_BYTES;
  readonly #sent = new WeakMap<Promise<CommandResult>, Sent>();
  readonly #rejects = new Set<(error: Error) => void>();
  readonly #timers = new Set<NodeJS.Timeout | undefined>();
  #pumping = false;
  #idleTurns = 0;
  #closed = false;

  private constructor(frontEnd: FrontEnd) {
    this.frontEnd = frontEnd;
  }

  static async open(path: string, options: FrontEndOptions = {}): Promise<VhostInitiator> {
    const frontEnd = new FrontEnd(path, options);
    try {
      await perform(frontEnd, frontEnd.realize());
      await perform(frontEnd, frontEnd.reset());
      await perform(frontEnd, frontEnd.start());
      if (frontEnd.options.enableLate) await perform(frontEnd, frontEnd.enable());
    } catch (error) {
      frontEnd.end();
      throw error;
    }
    const initiator = new VhostInitiator(frontEnd);
    frontEnd.driver.postEvents();
    frontEnd.kick();
    return initiator;
  }

  /** Commands the request queues have room for. */
  get requestLimit(): number {
    return this.frontEnd.queues.slice(REQUESTS).reduce((sum, { free }) => sum + free, 0);
  }

  execute(request: ExecuteRequest): Promise<CommandResult> {
    let sent: Sent | null = null;
    const promise = new Promise<CommandResult>((resolve, reject) => {
      checkRequest(request);
      if (this.#closed) throw new ClosedError('command');
      sent = this.#submit(request, resolve, reject);
    });
    if (sent !== null) this.#sent.set(promise, sent);
    this.#pump();
    return promise;
  }

  send(request: InternalRequest): Promise<CommandResult> {
    const { into } = request;
    const sent = this.execute(request);
    return into === undefined
      ? sent
      : sent.then((result) => {
          into.set(result.dataIn);
          return result;
        });
  }

  /** For block access, which tells of unit attentions it took care of. */
  emit(): boolean {
    return true;
  }
  identify(): null {
    return null;
  }

  abortTask(execution: Promise<CommandResult>): Promise<void> {
    const sent = this.#sent.get(execution);
    if (sent === undefined) return Promise.reject(new RequestError('no command of this initiator'));
    return this.#manage('ABORT TASK', ABORT_TASK, sent.lun, sent.tag);
  }
  logicalUnitReset(lun: number): Promise<void> {
    return this.#manage('LOGICAL UNIT RESET', LOGICAL_UNIT_RESET, lun);
  }
  abortTaskSet(lun: number): Promise<void> {
    return this.#manage('ABORT TASK SET', ABORT_TASK_SET, lun);
  }
  clearTaskSet(lun: number): Promise<void> {
    return this.#manage('CLEAR TASK SET', CLEAR_TASK_SET, lun);
  }
  clearAca(lun: number): Promise<void> {
    return this.#manage('CLEAR ACA', CLEAR_ACA, lun);
  }

  /** virtio-scsi has no such function. */
  queryAsynchronousEvent(lun: number): Promise<never> {
    return Promise.reject(new TaskManagementError('QUERY ASYNCHRONOUS EVENT', lun, NOT_SUPPORTED));
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

  /** The guest goes away as a virtual machine does that is switched off. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const reject of this.#rejects) reject(new ClosedError('command'));
    for (const timer of this.#timers) clearTimeout(timer);
    await new Promise((resolve) => setImmediate(resolve));
    this.frontEnd.end();
  }

  /** Lets the guest look at its interrupts once, for events that nobody waits for. */
  look(): void {
    this.frontEnd.serveInterrupts();
  }

  #submit(
    request: ExecuteRequest,
    resolve: (result: CommandResult) => void,
    reject: (error: Error) => void,
  ): Sent {
    const { lun, cdb, timeoutMs = DEFAULT_TIMEOUT_MS } = request;
    this.#rejects.add(reject);
    let late = false;
    let timer: NodeJS.Timeout | undefined;
    const tag = this.frontEnd.driver.submit(
      {
        lun: lun === REPORT_LUNS_WLUN ? REPORT_LUNS_FIELD : lunField(lun),
        cdb,
        attribute: ATTRIBUTES[request.attribute ?? 'simple'],
        dataInBytes: request.dataInBytes ?? 0,
        ...(request.dataOut === undefined ? {} : { dataOut: request.dataOut }),
      },
      (answer) => {
        clearTimeout(timer);
        this.#timers.delete(timer);
        this.#rejects.delete(reject);
        const { response } = answer;
        if (response === OK || response === OVERRUN) resolve(resultOf(request, answer));
        else if (late) reject(new ScsiTimeoutError(cdb, timeoutMs));
        else if (response === ABORTED || response === RESET) reject(new TaskAbortedError(cdb));
        else reject(new RequestError(`the device answers with response ${response}`));
      },
    );
    timer = setTimeout(() => {
      late = true;
      this.#manage('ABORT TASK', ABORT_TASK, lun, tag).catch(reject);
    }, timeoutMs);
    this.#timers.add(timer);
    return { tag, lun };
  }

  #manage(name: string, subtype: number, lun: number, tag = 0n): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new ClosedError(name);
      this.#rejects.add(reject);
      const field = lun === REPORT_LUNS_WLUN ? REPORT_LUNS_FIELD : lunField(lun);
      this.frontEnd.driver.manage(subtype, field, tag, (response) => {
        this.#rejects.delete(reject);
        if (response === OK || response === FUNCTION_SUCCEEDED) resolve();
        else reject(new TaskManagementError(name, lun, RESPONSE_WORDS.get(response) ?? response));
      });
      this.#pump();
    });
  }

  /** Looks for interrupts in every turn of the event loop, with pauses, while something is outstanding. */
  #pump(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    this.#idleTurns = 0;
    this.frontEnd.kick();
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    const { frontEnd } = this;
    if (this.#closed) return;
    const before = frontEnd.driver.outstanding;
    try {
      frontEnd.serveInterrupts();
    } catch (error) {
      this.#lose(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#idleTurns = frontEnd.driver.outstanding === before ? this.#idleTurns + 1 : 0;
    if (this.#gone()) return;
    if (frontEnd.driver.outstanding === 0) this.#pumping = false;
    else if (this.#idleTurns < EAGER_TURNS) setImmediate(() => this.#turn());
    else setTimeout(() => this.#turn(), 1);
  }

  #gone(): boolean {
    const { socket } = this.frontEnd;
    if (this.#idleTurns % EAGER_TURNS === EAGER_TURNS - 1) socket.take();
    if (!socket.ended) return false;
    this.#lose('the back end closed the connection');
    return true;
  }

  #lose(why: string): void {
    for (const reject of this.#rejects) reject(new NexusLostError('command', why));
    this.#rejects.clear();
  }
}
