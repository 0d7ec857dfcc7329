/** One login: dispatches requests to the ports of a link, polls for their answers, keeps their deadlines. */
import { performance } from 'node:perf_hooks';
import { encodeLun } from '../scsi/lun.ts';
import { ABORT_TASK, LOGICAL_UNIT_RESET } from '../scsi/sam.ts';
import { Arena } from '../transport/arena.ts';
import type { Link } from '../transport/link.ts';
import type { MemoryRegion } from '../transport/memory.ts';
import { ABORTED, ANSWERED, GARBLED, type SrpCommand } from '../transport/srp/initiator-command.ts';
import {
  DEFAULT_SLOT_BYTES,
  type InitiatorPortEvents,
  initiatorPortBytes,
  SrpInitiatorPort,
} from '../transport/srp/initiator-port.ts';
import { CommandPool } from './command-pool.ts';
import { RequestError, ScsiTimeoutError, TaskAbortedError } from './errors.ts';
import { ManagementQueue } from './management-queue.ts';
import { type MediaRequestEntry, MediaRequestQueue } from './media-request-queue.ts';
import {
  ABORTING,
  type CommandResult,
  type ManagementRequest,
  type Request,
  SENT,
  WAITING,
} from './request.ts';
import { decodeSense } from './sense-data.ts';

/** Elements taken from one queue before the next one's turn. */
const POLL_BUDGET = 64;
/** How long the queues are polled after the last answer before the doorbells are armed. */
const SPIN_MS = 0.3;
/** How long an ABORT TASK or LOGICAL UNIT RESET that a timeout caused may take. */
const RECOVERY_MS = 5000;
const UNIT_ATTENTION = 6;
const POWER_ON_OR_RESET = 0x29;
const COMMANDS_CLEARED = 0x2f;
const NO_DATA = new Uint8Array(0);

export interface ConnectionEvents {
  onOpen(): void;
  onRefused(reason: number, text: string): void;
  /** Every request that was not answered: those the target may have executed, and those never sent. */
  onLost(why: string, sent: readonly Request[], unsent: readonly Request[]): void;
  onAsynchronousEvent(lun: Uint8Array, sense: Uint8Array): void;
}

export interface ConnectionOptions {
  readonly name: string;
  readonly initiatorPort: Uint8Array;
  readonly targetPort: Uint8Array;
  readonly commandsPerQueue: number;
  readonly immediateData: boolean;
}

export class Connection {
  readonly #link: Link;
  readonly #events: ConnectionEvents;
  readonly #region: MemoryRegion;
  readonly #ports: readonly SrpInitiatorPort[];
  readonly #arena: Arena;
  readonly #pool = new CommandPool((command, request) => this.#ended(command, request));
  readonly #management: ManagementQueue;
  readonly #mediaRequests = new MediaRequestQueue(() => this.#ports[0]);
  /** Not yet sent, in order. Sent from the front only, so that task attributes keep their meaning. */
  #queue: Request[] = [];
  readonly #sent = new Set<Request>();
  readonly #lost: Request[] = [];
  #scheduled = false;
  #batching = false;
  #armed = false;
  #over = false;
  #spinUntilMs = 0;
  #deadlineTimer: NodeJS.Timeout | null = null;
  #deadlineMs = Number.POSITIVE_INFINITY;
  /** Resolves when the link's memory and descriptors are given back. */
  #closing: Promise<void> | null = null;

  constructor(link: Link, options: ConnectionOptions, events: ConnectionEvents) {
    this.#link = link;
    this.#events = events;
    this.#region = link.memory.regions[0] as MemoryRegion;
    const portBytes = initiatorPortBytes(options.commandsPerQueue);
    const portEvents = this.#portEvents();
    this.#ports = link.queuePairs.map(
      (channel, channelIndex) =>
        new SrpInitiatorPort(channel, {
          iuOffset: link.arenaOffset + channelIndex * portBytes,
          slotBytes: DEFAULT_SLOT_BYTES,
          commands: options.commandsPerQueue,
          channelIndex,
          initiatorPort: options.initiatorPort,
          targetPort: options.targetPort,
          multiChannel: link.queuePairs.length > 1,
          immediateData: options.immediateData,
          name: options.name,
          events: portEvents,
        }),
    );
    const used = portBytes * this.#ports.length;
    this.#arena = new Arena(link.arenaOffset + used, link.arenaBytes - used);
    this.#management = new ManagementQueue((lun) => this.#portOf(lun));
    link.watch(
      () => this.#wake(),
      (why) => this.lose(why),
    );
    // Channels log in one after the other: the first makes the nexus, the others join it.
    this.#ports[0]?.start();
    this.#kick();
  }

  /** Most bytes a data buffer can ever have here. */
  get arenaBytes(): number {
    return this.#arena.bytes;
  }
  get adapter(): SrpInitiatorPort['login']['adapter'] {
    return this.#ports[0]?.login.adapter ?? null;
  }
  get capabilities(): boolean {
    return this.#ports[0]?.login.capabilities ?? false;
  }
  get queuePairs(): number {
    return this.#ports.length;
  }
  /** Commands with the target now. */
  get outstanding(): number {
    return this.#sent.size;
  }

  /** Requests the target would take now beyond those it has. */
  get requestLimit(): number {
    return this.#ports.reduce((sum, port) => sum + port.requestLimit, 0);
  }

  /** Queues a request; it is sent when there is a credit and memory for it. */
  add(request: Request): void {
    if (request.dataInBytes + request.dataOut.length > this.#arena.bytes) {
      const bytes = request.dataInBytes + request.dataOut.length;
      request.reject(
        new RequestError(
          `Cannot send command: ${bytes} bytes of data, the region has room for ${this.#arena.bytes}`,
        ),
      );
      return;
    }
    this.#queue.push(request);
    this.#watchDeadline(request.deadlineMs);
    this.#batch();
  }

  /** Takes back a request that was not sent yet; it rejects with TaskAbortedError. False when it was sent or is not here. */
  withdraw(request: Request): boolean {
    const at = this.#queue.indexOf(request);
    if (at < 0) return false;
    this.#queue.splice(at, 1);
    request.reject(new TaskAbortedError(request.cdb));
    return true;
  }

  /** Queues a task management function. */
  manage(request: ManagementRequest): void {
    this.#management.add(request);
    this.#watchDeadline(request.deadlineMs);
    this.#batch();
  }

  /** Queues a media request. */
  mediaRequest(entry: MediaRequestEntry): void {
    this.#mediaRequests.add(entry);
    this.#batch();
  }

  /** Logs out and gives everything back. Nothing may be outstanding that anybody waits for. */
  close(): Promise<void> {
    if (this.#over) return this.#closing ?? Promise.resolve();
    for (const port of this.#ports) port.logout();
    this.lose('the initiator was closed');
    return this.#closing ?? Promise.resolve();
  }

  /** Ends the connection: everything unanswered is handed to `onLost`. */
  lose(why: string): void {
    if (this.#over) return;
    this.#over = true;
    for (const port of this.#ports) port.lose(why);
    this.#management.fail();
    this.#mediaRequests.fail();
    if (this.#deadlineTimer !== null) clearTimeout(this.#deadlineTimer);
    const unsent = this.#queue;
    this.#queue = [];
    this.#closing = this.#link.close();
    this.#events.onLost(why, this.#lost, unsent);
  }

  #portEvents(): InitiatorPortEvents {
    return {
      onOpen: (port) => {
        const next = this.#ports[this.#ports.indexOf(port) + 1];
        if (next === undefined) this.#events.onOpen();
        else next.start();
      },
      onRefused: (_port, reason, text) => this.#events.onRefused(reason, text),
      // A port that loses its channel takes the connection with it, but not from inside its own `poll`.
      onLost: (_port, text) => {
        if (!this.#over) setImmediate(() => this.lose(text));
      },
      onAsynchronousEvent: (_port, lun, sense) => this.#events.onAsynchronousEvent(lun, sense),
    };
  }

  /** Commands of one logical unit keep to one channel: only there the target sees them in order. */
  #portOf(lun: number): SrpInitiatorPort {
    const index = lun > 0 ? lun % this.#ports.length : 0;
    return this.#ports[index] as SrpInitiatorPort;
  }

  /** Sends what was queued in this turn of the event loop with one doorbell. */
  #batch(): void {
    if (this.#batching || this.#over) return;
    this.#batching = true;
    queueMicrotask(() => {
      this.#batching = false;
      if (this.#over) return;
      this.#dispatch();
      for (const port of this.#ports) port.flush();
      this.#kick();
    });
  }

  #kick(): void {
    if (this.#scheduled || this.#over) return;
    this.#scheduled = true;
    if (this.#armed) this.#disarm();
    setImmediate(() => this.#turn());
  }

  #wake(): void {
    if (this.#over) return;
    this.#armed = false;
    this.#kick();
  }

  #turn(): void {
    this.#scheduled = false;
    if (this.#over) return;
    let handled = 0;
    for (const port of this.#ports) handled += port.poll(POLL_BUDGET);
    this.#dispatch();
    for (const port of this.#ports) port.flush();
    const nowMs = performance.now();
    if (handled > 0) this.#spinUntilMs = nowMs + SPIN_MS;
    const busy = this.#sent.size > 0 || this.#management.busy;
    if (handled > 0 || (busy && nowMs < this.#spinUntilMs)) this.#kick();
    else this.#arm();
  }

  #arm(): void {
    for (const pair of this.#link.queuePairs) {
      if (pair.arm()) continue;
      this.#disarm();
      this.#kick();
      return;
    }
    this.#armed = true;
  }

  #disarm(): void {
    this.#armed = false;
    for (const pair of this.#link.queuePairs) pair.disarm();
  }

  #dispatch(): void {
    this.#management.dispatch();
    this.#mediaRequests.dispatch();
    let taken = 0;
    while (taken < this.#queue.length && this.#send(this.#queue[taken] as Request)) taken += 1;
    if (taken > 0) this.#queue.splice(0, taken);
    if (taken > 0) this.#spinUntilMs = performance.now() + SPIN_MS;
  }

  /** False when the request must wait, and all behind it with it. */
  #send(request: Request): boolean {
    const port = this.#portOf(request.lun);
    if (!port.canSubmit() || !this.#allocate(request)) return false;
    const command = this.#pool.take(request);
    encodeLun(command.lun, 0, request.lun, 'native');
    command.cdb.set(request.cdb);
    command.cdbBytes = request.cdb.length;
    command.attribute = request.attribute;
    command.timeoutSeconds = Math.min(0xffff, Math.ceil(request.timeoutMs / 1000));
    const { handle, view } = this.#region;
    if (request.outOffset >= 0) {
      view.set(request.dataOut, request.outOffset);
      command.dataOut.add(handle, request.outOffset, request.dataOut.length);
    }
    if (request.inOffset >= 0) command.dataIn.add(handle, request.inOffset, request.dataInBytes);
    if (!port.submit(command)) {
      this.#pool.give(command);
      this.#release(request);
      return false;
    }
    request.command = command;
    request.state = SENT;
    this.#sent.add(request);
    return true;
  }

  #allocate(request: Request): boolean {
    const out = request.dataOut.length;
    if (out > 0) {
      request.outOffset = this.#arena.allocate(out);
      if (request.outOffset < 0) return false;
    }
    if (request.dataInBytes > 0) {
      request.inOffset = this.#arena.allocate(request.dataInBytes);
      if (request.inOffset < 0) {
        this.#release(request);
        return false;
      }
    }
    return true;
  }

  #release(request: Request): void {
    if (request.outOffset >= 0) this.#arena.release(request.outOffset, request.dataOut.length);
    if (request.inOffset >= 0) this.#arena.release(request.inOffset, request.dataInBytes);
    request.outOffset = -1;
    request.inOffset = -1;
  }

  /** A command has ended, from inside a port's `poll` or `lose`. */
  #ended(command: SrpCommand, request: Request): void {
    const timedOut = request.state === ABORTING;
    this.#sent.delete(request);
    request.command = null;
    if (command.outcome === ANSWERED) {
      const result = this.#result(command, request);
      this.#clear(command, request);
      request.resolve(result);
      if (isCleared(result)) this.#sweep(request.lun, command.sequence);
      return;
    }
    const { outcome } = command;
    this.#clear(command, request);
    if (outcome === ABORTED) {
      const { cdb, timeoutMs } = request;
      request.reject(timedOut ? new ScsiTimeoutError(cdb, timeoutMs) : new TaskAbortedError(cdb));
      return;
    }
    if (timedOut) {
      request.reject(new ScsiTimeoutError(request.cdb, request.timeoutMs));
      return;
    }
    this.#lost.push(request);
    if (outcome === GARBLED) {
      setImmediate(() => this.lose('the target answered a command with something else'));
    }
  }

  #clear(command: SrpCommand, request: Request): void {
    this.#release(request);
    request.state = WAITING;
    this.#pool.give(command);
  }

  #result(command: SrpCommand, request: Request): CommandResult {
    const { status, residualIn, residualOut } = command;
    const came = Math.max(0, Math.min(request.dataInBytes, request.dataInBytes - residualIn));
    const dataIn = came === 0 ? NO_DATA : this.#copyOut(request, came);
    const sense =
      command.senseBytes === 0 ? null : decodeSense(command.sense.slice(0, command.senseBytes));
    return { status, sense, dataIn, residualIn, residualOut };
  }

  #copyOut(request: Request, bytes: number): Uint8Array {
    const { view } = this.#region;
    const { inOffset, into } = request;
    if (into === null) return view.slice(inOffset, inOffset + bytes);
    into.set(view.subarray(inOffset, inOffset + bytes));
    return into.subarray(0, bytes);
  }

  /**
   * A unit attention says that a reset or another initiator cleared the task set: older commands of this logical unit may
   * be gone without a status (SAM-5 5.6, TAS = 0). ABORT TASK settles each: it completes for a task that is not there.
   */
  #sweep(lun: number, sequence: number): void {
    for (const request of this.#sent) {
      if (request.lun !== lun || request.state !== SENT) continue;
      if ((request.command?.sequence ?? sequence) < sequence) this.#abort(request, false);
    }
  }

  /** Aborts a command that is with the target; when that fails resets the logical unit, when that fails ends the connection. */
  #abort(request: Request, timedOut: boolean): void {
    if (timedOut) request.state = ABORTING;
    const { lun } = request;
    const step = (managementFunction: number, managed: Request | null, next: () => void): void =>
      this.manage({
        managementFunction,
        lun,
        managed,
        deadlineMs: performance.now() + RECOVERY_MS,
        done: (responseCode) => {
          if (responseCode !== 0 && this.#sent.has(request)) next();
        },
      });
    step(ABORT_TASK, request, () =>
      step(LOGICAL_UNIT_RESET, null, () =>
        this.lose('the target answers neither commands nor task management'),
      ),
    );
  }

  #watchDeadline(deadlineMs: number): void {
    if (deadlineMs >= this.#deadlineMs || this.#over) return;
    this.#deadlineMs = deadlineMs;
    if (this.#deadlineTimer !== null) clearTimeout(this.#deadlineTimer);
    const delayMs = Math.max(1, Math.ceil(deadlineMs - performance.now()));
    this.#deadlineTimer = setTimeout(() => this.#checkDeadlines(), delayMs);
  }

  #checkDeadlines(): void {
    this.#deadlineTimer = null;
    this.#deadlineMs = Number.POSITIVE_INFINITY;
    const nowMs = performance.now();
    const late = this.#queue.filter((request) => request.deadlineMs <= nowMs);
    if (late.length > 0) {
      this.#queue = this.#queue.filter((request) => request.deadlineMs > nowMs);
      for (const { cdb, timeoutMs, reject } of late) reject(new ScsiTimeoutError(cdb, timeoutMs));
    }
    let nextMs = this.#management.expire(nowMs);
    for (const request of this.#queue) nextMs = Math.min(nextMs, request.deadlineMs);
    for (const request of [...this.#sent]) {
      if (request.state !== SENT) continue;
      if (request.deadlineMs <= nowMs) this.#abort(request, true);
      else nextMs = Math.min(nextMs, request.deadlineMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#watchDeadline(nextMs);
  }
}

/** Whether the sense data says that the task set of this nexus was emptied. */
function isCleared(result: CommandResult): boolean {
  const { sense } = result;
  if (sense === null || sense.key !== UNIT_ATTENTION) return false;
  return sense.asc === POWER_ON_OR_RESET || sense.asc === COMMANDS_CLEARED;
}
