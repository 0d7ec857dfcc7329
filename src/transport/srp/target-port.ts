/**
 * SRP target port: one channel. Takes CRQ elements, copies IUs once, feeds the core, answers into the request's memory
 * (SRP r16a clauses 4 to 6 over the LoPAR CRQ).
 *
 *   WAIT_INIT --C0 01--> INITIALIZED --LOGIN_REQ--> LOGGED_IN
 *       ^                 ^   ^   |                  |   |
 *       |                 |   +---|-- I_LOGOUT ------+   |        detach, or a ring that cannot be trusted:
 *       +- FF by the peer |       +-----> CLOSED <-------+        every state --> STOPPED
 *                         +-- C0 01 --------+   violation
 */
import { Buffer } from 'node:buffer';
import { assert } from '../../assert.ts';
import type { TargetPort } from '../../scsi/contracts.ts';
import { decodeLun, isTargetAddressed, type LunPresentation } from '../../scsi/lun.ts';
import { CHECK_CONDITION, TASK_ABORTED } from '../../scsi/sam.ts';
import { MAX_TRANSFER_BYTES } from '../../scsi/sbc/block-device.ts';
import { HARDWARE_ERROR, senseKeyOf } from '../../scsi/sense.ts';
import { INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT } from '../../scsi/sense-codes.ts';
import type { Target } from '../../scsi/target.ts';
import { DORMANT, ENDED, type Task } from '../../scsi/task.ts';
import { isTaskAttribute } from '../../scsi/task-set.ts';
import { LogLimiter } from '../log-limiter.ts';
import type { MemoryRegion } from '../memory.ts';
import { PortCounters } from '../port-counters.ts';
import {
  type Channel,
  CRQ_COMMAND,
  CRQ_INITIALIZATION,
  CRQ_TRANSPORT_EVENT,
  type CrqElement,
  FORMAT_MAD,
  FORMAT_MESSAGE,
  FORMAT_SRP,
  INITIALIZATION_COMPLETE,
  INITIALIZE,
  PARTNER_DEREGISTERED,
  STATUS_ADAPTER_FAILED,
  STATUS_PING,
  STATUS_PING_RESPONSE,
  STATUS_SUCCESS,
} from './channel.ts';
import { emptyElement } from './crq-element.ts';
import { DescriptorReader } from './descriptors.ts';
import { ElementBatch } from './element-batch.ts';
import {
  CRSOLNT,
  fixedBytes,
  LOGIN_REQ,
  LOGOUT_INVALID_LENGTH,
  LOGOUT_INVALID_TYPE,
  LOGOUT_NEW_LOGIN,
  LOGOUT_NO_REASON,
  LOGOUT_UNMATCHED_RESPONSE,
  MAX_IT_IU_BYTES,
  MAX_TI_IU_BYTES,
  REJECT_CHANNEL_LIMIT,
  REJECT_NO_RESOURCES,
  SRP_AER_RSP,
  SRP_CMD,
  SRP_CRED_RSP,
  SRP_I_LOGOUT,
  SRP_LOGIN_REQ,
  SRP_TSK_MGMT,
  TASK_ATTRIBUTE_MASK,
} from './iu.ts';
import {
  encodeLoginReject,
  encodeLoginResponse,
  type LoginRequest,
  readLogin,
  refuseLogin,
} from './login.ts';
import { MAD_HELD, MadServer } from './mad.ts';
import { MAD_HEADER } from './mad-codec.ts';
import { RequestLimit } from './request-limit.ts';
import {
  CMD_ATTRIBUTE,
  CMD_LUN,
  FLAGS,
  HEADER_BYTES,
  MANAGED_TAG_HIGH,
  MANAGED_TAG_LOW,
  TAG_HIGH,
  TAG_LOW,
  TSK_FUNCTION,
  TSK_LUN,
  TYPE,
} from './request-offset.ts';
import { RequestSlots } from './request-slots.ts';
import { encodeManagementResponse, encodeResponse } from './response.ts';
import type { SessionChannel, SessionNexus, SrpSession } from './session.ts';
import { TargetRequests } from './target-request.ts';

const WAIT_INIT = 0;
const INITIALIZED = 1;
const LOGGED_IN = 2;
const CLOSED = 3;
const STOPPED = 4;

const DEFAULT_SLOTS = 136;
const DEFAULT_REQUEST_LIMIT = 128;

export interface SrpTargetPortOptions {
  readonly channel: Channel;
  readonly target: Target;
  readonly session: SrpSession;
  /** Requests that can be in flight; more than `requestLimit`, so that a miscounting initiator does no harm. */
  readonly slots?: number;
  /** Credits given at login. The initiator's queue must hold as many elements and a few more. */
  readonly requestLimit?: number;
  /** One line about what the peer did (`info`) or did wrong (`warn`); limited in rate. */
  readonly log: (text: string, level: 'info' | 'warn') => void;
  /** The ring cannot be trusted any more, for this reason; the port has stopped and waits for `detach`. */
  readonly broken: (reason: string) => void;
}

export class SrpTargetPort implements TargetPort, SessionChannel {
  readonly lunPresentation: LunPresentation;
  /** Called with each command that is answered, before its task is reused. */
  trace: ((task: Task) => void) | null = null;
  /** Monotonic microseconds, for `task.startedUs`; read only while tracing. */
  clockUs: () => number = () => Math.round(performance.now() * 1000);

  /** Commands answered, and payload bytes moved for them. */
  readonly counters: PortCounters = new PortCounters();
  readonly #channel: Channel;
  readonly #target: Target;
  readonly #session: SrpSession;
  readonly #broken: (reason: string) => void;
  readonly #log: LogLimiter;
  readonly #region: MemoryRegion;
  /** The first region, for the cold paths. */
  readonly #shared: Buffer;
  readonly #slots: RequestSlots;
  readonly #descriptors: DescriptorReader;
  readonly #mads: MadServer;
  readonly #requests: TargetRequests;
  readonly #batch: ElementBatch;
  /** The element that is being handled. */
  #element: CrqElement = emptyElement();
  readonly #limit: RequestLimit;

  #state = WAIT_INIT;
  #joined: SessionNexus | null = null;
  /** Number of the present login: tasks of earlier ones are answered to nobody. */
  #login = 0;
  #maxIuBytes = MAX_IT_IU_BYTES;
  #immediateOffset = 0;
  #managingCount = 0;
  /** A command of this channel is being admitted: what the core drops meanwhile, it drops on behalf of that command. */
  #admitting = false;
  /** The initiator counts credits and reads residuals the way the Linux virtual SCSI client does. */
  #linuxClient = false;

  constructor(options: SrpTargetPortOptions) {
    const { channel, session } = options;
    const slots = options.slots ?? DEFAULT_SLOTS;
    this.lunPresentation = session.lunPresentation;
    this.#channel = channel;
    this.#target = options.target;
    this.#session = session;
    this.#broken = options.broken;
    this.#log = new LogLimiter(options.log);
    const requestLimit = options.requestLimit ?? DEFAULT_REQUEST_LIMIT;
    assert(requestLimit <= slots && slots < 0x10000, 'every credit has a slot');
    this.#limit = new RequestLimit(requestLimit);
    this.#region = channel.memory.regions[0] as MemoryRegion;
    const { view } = this.#region;
    this.#shared = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
    this.#slots = new RequestSlots(this, slots);
    this.#batch = new ElementBatch(channel, this.#region);
    this.#descriptors = new DescriptorReader(channel.memory, this.#slots);
    this.#mads = new MadServer({
      region: this.#region,
      session,
      maxTransferBytes: MAX_TRANSFER_BYTES,
      log: (text) => this.#log.log('info', text),
    });
    this.#requests = new TargetRequests(this.#mads, this.#shared, (length, tagHigh, tagLow) =>
      this.#send(CRQ_COMMAND, FORMAT_SRP, STATUS_SUCCESS, length, tagHigh, tagLow),
    );
  }

  /** Whether an initiator is logged in. */
  get loggedIn(): boolean {
    return this.#state === LOGGED_IN;
  }

  /** Commands and task management functions being served, those of earlier logins included. */
  get outstanding(): number {
    return this.#slots.busy;
  }

  /** Whether no task is in flight: with a detached port, the initiator's memory may be unmapped. */
  idle(): boolean {
    return this.#slots.busy === 0;
  }

  /** Takes and handles at most `budget` elements; returns how many. The owner flushes the channel once per round. */
  poll(budget: number): number {
    let done = 0;
    while (done < budget && this.#state !== STOPPED) {
      const taken = this.#batch.take(budget - done, this.#state === LOGGED_IN);
      if (taken === 0) break;
      done += taken;
      for (let i = 0; i < taken && this.#state !== STOPPED; i += 1) {
        this.#element = this.#batch.at(i);
        this.#handle();
      }
    }
    return done;
  }

  /** Rings the initiator if something was sent since the last time. */
  flush(): void {
    if (this.#state !== STOPPED) this.#channel.flush();
  }

  /** The initiator is gone: nothing of its memory is touched for its sake any more, and all its tasks are aborted. */
  detach(): void {
    this.#state = STOPPED;
    this.#leave();
  }

  /** Unmaps the private memory. Only when detached and idle; the port is of no use afterwards. */
  close(): void {
    assert(this.#state === STOPPED && this.idle(), 'a port is closed when nothing uses it');
    this.#slots.close();
  }

  /** This end goes away: T_LOGOUT if it can be sent, and the transport event. */
  deregister(): void {
    if (this.#state !== WAIT_INIT) this.#violation('the target shuts down');
  }

  #handle(): void {
    const { valid, format } = this.#element;
    if (valid === CRQ_COMMAND) {
      this.#receive(format);
    } else if (valid === CRQ_INITIALIZATION) {
      this.#initialization(format);
    } else if (valid === CRQ_TRANSPORT_EVENT) {
      this.#partnerGone(format);
    } else {
      this.#break(`a CRQ element with the reserved VALID code ${valid.toString(16)}h`);
    }
  }

  #receive(format: number): void {
    if (format === FORMAT_MESSAGE) this.#message();
    else if (this.#state === CLOSED) return;
    else if (this.#state === WAIT_INIT) this.#violation('an IU before initialization');
    else if (format === FORMAT_SRP) this.#receiveIu();
    else if (format === FORMAT_MAD) this.#receiveMad();
    else this.#violation(`a CRQ element of unknown format ${format.toString(16)}h`);
  }

  /** PING is answered in every state and costs nothing; a full queue loses the answer, not the channel. */
  #message(): void {
    const { status, reserved } = this.#element;
    const code = status === 0 ? reserved : status;
    if (code === STATUS_PING) {
      this.#channel.send(CRQ_COMMAND, FORMAT_MESSAGE, STATUS_PING_RESPONSE, 0, 0, 0, 0);
    } else if (code !== STATUS_PING_RESPONSE) {
      this.#violation('an unknown message');
    }
  }

  #initialization(format: number): void {
    if (format === INITIALIZATION_COMPLETE) return;
    if (format !== INITIALIZE) {
      this.#violation(`an initialization of unknown format ${format.toString(16)}h`);
    } else if (this.#state === LOGGED_IN) {
      this.#violation('an initialization on an established channel');
    } else {
      this.#mads.reset();
      this.#requests.reset(0);
      this.#state = INITIALIZED;
      this.#send(CRQ_INITIALIZATION, INITIALIZATION_COMPLETE, STATUS_SUCCESS, 0, 0, 0);
    }
  }

  /** Transport event from the initiator; it knows that the channel is down, so it is not told. */
  #partnerGone(format: number): void {
    if (this.#state === LOGGED_IN) {
      this.#log.log(
        'info',
        `transport event ${format.toString(16).padStart(2, '0')}h from the initiator`,
      );
    }
    this.#state = WAIT_INIT;
    this.#leave();
  }

  #receiveMad(): void {
    const { high, low, length } = this.#element;
    if (high !== 0 || length < MAD_HEADER.size || low + length > this.#region.bytes) {
      this.#violation('a MAD outside the region or too short', LOGOUT_INVALID_LENGTH);
      return;
    }
    const mads = this.#mads;
    const status = mads.handle(low, length, this.#joined?.nexus ?? null);
    if (status === MAD_HELD) {
      this.#grant();
      return;
    }
    this.#send(CRQ_COMMAND, FORMAT_MAD, STATUS_SUCCESS, length, mads.tagHigh, mads.tagLow);
  }

  /** Copies the IU, then looks at the copy only. Without a free slot it goes to the buffer of nobody. */
  #receiveIu(): void {
    const { high, low, length } = this.#element;
    const room = Math.max(length, MAX_TI_IU_BYTES);
    if (
      high !== 0 ||
      low + room > this.#region.bytes ||
      length > this.#maxIuBytes ||
      length < HEADER_BYTES
    ) {
      this.#violation('an IU outside the region, too long or too short', LOGOUT_INVALID_LENGTH);
      return;
    }
    const slots = this.#slots;
    const at = slots.iuAt(slots.next);
    slots.copyIn(this.#region, low, length, at);
    const type = slots.view.getUint8(at + TYPE);
    if (type >= 0x80 || fixedBytes(type) === 0) {
      this.#violation(`an IU of unknown type ${type.toString(16)}h`, LOGOUT_INVALID_TYPE);
    } else if (length < fixedBytes(type)) {
      this.#violation('an IU shorter than its header', LOGOUT_INVALID_LENGTH);
    } else if (type === SRP_LOGIN_REQ) {
      this.#receiveLogin(at);
    } else if (this.#state !== LOGGED_IN) {
      this.#violation('an SRP request before login');
    } else if (type === SRP_CMD || type === SRP_TSK_MGMT) {
      if (slots.freeCount === 0) this.#violation('more requests than the request limit');
      else if (type === SRP_CMD) this.#receiveCommand(at);
      else this.#receiveManagement(at);
    } else {
      this.#receiveOther(type, at);
    }
  }

  #receiveOther(type: number, at: number): void {
    const { view } = this.#slots;
    const tagHigh = view.getUint32(at + TAG_HIGH);
    const tagLow = view.getUint32(at + TAG_LOW);
    if (type === SRP_I_LOGOUT) {
      this.#state = INITIALIZED;
      this.#leave();
    } else if (this.#requests.answered(type, tagHigh, tagLow)) {
      this.#grant();
    } else {
      assert(type === SRP_CRED_RSP || type === SRP_AER_RSP, 'every IU type has a room');
      this.#violation('a response nobody waits for', LOGOUT_UNMATCHED_RESPONSE);
    }
  }

  /** Takes the next slot, whose IU is at `at`, for a request. */
  #begin(at: number, managing: number): Task {
    const slots = this.#slots;
    const { view } = slots;
    const task = slots.take();
    const { slot } = task;
    const joined = this.#joined as SessionNexus;
    this.#limit.inFlight += 1;
    slots.responseAt[slot] = this.#element.low;
    slots.solicited[slot] = view.getUint8(at + FLAGS);
    slots.login[slot] = this.#login;
    slots.managing[slot] = managing;
    task.receive(joined.nexus);
    task.tagHigh = view.getUint32(at + TAG_HIGH);
    task.tagLow = view.getUint32(at + TAG_LOW);
    if (this.trace !== null) task.startedUs = this.clockUs();
    return task;
  }

  #receiveCommand(at: number): void {
    const task = this.#begin(at, 0);
    const { view } = this.#slots;
    task.lun = decodeLun(view, at + CMD_LUN, this.lunPresentation);
    task.targetAddressed = isTargetAddressed(view, at + CMD_LUN);
    task.attribute = view.getUint8(at + CMD_ATTRIBUTE) & TASK_ATTRIBUTE_MASK;
    let sense = this.#descriptors.read(task, at, this.#element.length, this.#immediateOffset);
    if (sense === 0 && !isTaskAttribute(task.attribute)) {
      sense = INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT;
    }
    if (sense === 0) {
      this.#admitting = true;
      this.#target.receive(task);
      this.#admitting = false;
      return;
    }
    task.check(sense);
    task.transition(DORMANT, ENDED);
    this.respond(task);
  }

  #receiveManagement(at: number): void {
    const task = this.#begin(at, 1);
    const { view } = this.#slots;
    this.#managingCount += 1;
    task.lun = decodeLun(view, at + TSK_LUN, this.lunPresentation);
    task.managementFunction = view.getUint8(at + TSK_FUNCTION);
    task.managedTagHigh = view.getUint32(at + MANAGED_TAG_HIGH);
    task.managedTagLow = view.getUint32(at + MANAGED_TAG_LOW);
    this.#target.receiveManagement(task);
  }

  respond(task: Task): void {
    const { slot } = task;
    if (this.#isStale(slot)) {
      this.#discard(task);
      return;
    }
    const { status, sense } = task;
    const length = encodeResponse(
      this.#region.data,
      this.#slots.responseAt[slot] as number,
      task,
      this.#limit.takeDelta(1),
      this.#slots.solicited[slot] as number,
      this.#linuxClient,
      this.#hasDescriptorSense(task),
    );
    const failed = status === CHECK_CONDITION && senseKeyOf(sense) === HARDWARE_ERROR;
    this.counters.count(task);
    if (this.trace !== null) this.trace(task);
    this.#release(task);
    this.#send(
      CRQ_COMMAND,
      FORMAT_SRP,
      failed && this.#mads.fastFail ? STATUS_ADAPTER_FAILED : STATUS_SUCCESS,
      length,
      task.tagHigh,
      task.tagLow,
    );
  }

  taskManagementDone(task: Task): void {
    const { slot } = task;
    this.#managingCount -= 1;
    if (this.#isStale(slot)) {
      this.#discard(task);
      return;
    }
    const length = encodeManagementResponse(
      this.#region.data,
      this.#slots.responseAt[slot] as number,
      task,
      this.#linuxClient ? 1 : this.#limit.takeDelta(1),
      this.#slots.solicited[slot] as number,
    );
    this.#release(task);
    this.#send(CRQ_COMMAND, FORMAT_SRP, STATUS_SUCCESS, length, task.tagHigh, task.tagLow);
  }

  /**
   * The core ends the task without a word. Its credit goes back with the answer to whoever aborted it, with the next
   * response, or by CRED_REQ; an initiator that none of these reaches for sure is told TASK ABORTED instead.
   */
  drop(task: Task): void {
    if (this.#isStale(task.slot)) {
      this.#discard(task);
      return;
    }
    const own = this.#managingCount > 0 && this.#slots.manages(task, this.#login);
    if (!own && !this.#admitting && !this.#requests.canGrant) {
      task.status = TASK_ABORTED;
      task.sense = 0;
      this.respond(task);
      return;
    }
    // The Linux client counts the requests it aborted itself.
    if (!own || !this.#linuxClient) this.#limit.owed += 1;
    this.#release(task);
    this.#grant();
  }

  /** Asks the initiator to look at a condition of a logical unit now. False when it did not ask to be told, or cannot be. */
  sendAsynchronousEvent(lun: number, sense: number): boolean {
    if (this.#state !== LOGGED_IN) return false;
    const { owed } = this.#limit;
    if (!this.#requests.notify(owed, lun, this.lunPresentation, sense)) return false;
    this.#limit.owed -= owed;
    return true;
  }

  /** SessionChannel: another login of this nexus said single channel. */
  terminate(): void {
    this.#violation('replaced by a login that asked for a single channel', LOGOUT_NEW_LOGIN);
  }

  #hasDescriptorSense({ status, unit, lun }: Task): boolean {
    if (status !== CHECK_CONDITION) return false;
    return (unit ?? this.#target.unit(lun))?.descriptorSense === true;
  }

  /** Whether a slot's request came before the present login or after the last one ended. */
  #isStale(slot: number): boolean {
    return this.#state !== LOGGED_IN || this.#slots.login[slot] !== this.#login;
  }

  /** Credits nothing will carry soon go by CRED_REQ. */
  #grant(): void {
    const { owed, inFlight } = this.#limit;
    if (owed === 0 || inFlight > 0 || this.#state !== LOGGED_IN) return;
    if (this.#requests.grant(owed)) this.#limit.owed -= owed;
  }

  #release(task: Task): void {
    this.#limit.inFlight -= 1;
    this.#slots.put(task);
  }

  /** A task of an earlier login has ended: nobody is told, and the credit its slot stood for can now be given. */
  #discard(task: Task): void {
    this.#slots.put(task);
    if (this.#state === LOGGED_IN && this.#limit.grow()) this.#grant();
  }

  #receiveLogin(at: number): void {
    const copy = this.#slots.bytes.subarray(at, at + LOGIN_REQ.size);
    const request = readLogin(Buffer.from(copy));
    const reason = this.#state === LOGGED_IN ? REJECT_CHANNEL_LIMIT : this.#accept(request);
    const where = this.#element.low;
    let length = 0;
    if (reason === 0) {
      const result = this.#session.multiChannelResult;
      length = encodeLoginResponse(this.#shared, where, request, this.#limit.granted, result);
    } else {
      length = encodeLoginReject(this.#shared, where, request, reason);
      const who = request.initiatorPort;
      this.#log.log('warn', `login of ${who} rejected, reason ${reason.toString(16)}h`);
    }
    this.#send(CRQ_COMMAND, FORMAT_SRP, STATUS_SUCCESS, length, request.tagHigh, request.tagLow);
  }

  /** Logs the initiator in, or returns the LOGIN_REJ reason. */
  #accept(request: LoginRequest): number {
    const refused = refuseLogin(request);
    if (refused !== 0) return refused;
    if (!this.#limit.open(this.#slots.freeCount)) return REJECT_NO_RESOURCES;
    const joined = this.#session.join(this, request);
    if (typeof joined === 'number') return joined;
    this.#joined = joined;
    this.#state = LOGGED_IN;
    // An initiator that takes CRED_REQ counts credits as SRP says, whatever it runs on.
    const standard = this.lunPresentation === 'native' || (request.flags & CRSOLNT) !== 0;
    this.#linuxClient = !standard && this.#mads.isLinux;
    this.#maxIuBytes = request.requestedLength;
    this.#immediateOffset = request.immediateOffset;
    this.#requests.reset(request.flags);
    this.#log.log('info', `${request.initiatorPort} logged in`);
    return 0;
  }

  /** The peer broke the rules: T_LOGOUT if it can be sent, transport event, log line; a new initialization is needed. */
  #violation(what: string, reason: number = LOGOUT_NO_REASON): void {
    if (this.#state === CLOSED || this.#state === STOPPED) return;
    this.#log.log('warn', `channel closed: ${what}`);
    this.#requests.logout(reason);
    this.#send(CRQ_TRANSPORT_EVENT, PARTNER_DEREGISTERED, STATUS_SUCCESS, 0, 0, 0);
    if (this.#state === STOPPED) return;
    this.#state = CLOSED;
    this.#leave();
  }

  #break(reason: string): void {
    if (this.#state === STOPPED) return;
    this.#state = STOPPED;
    this.#leave();
    this.#broken(reason);
  }

  /** Ends the login: tasks of this channel are aborted and answered to nobody. */
  #leave(): void {
    const joined = this.#joined;
    this.#joined = null;
    this.#login += 1;
    this.#limit.close();
    this.#maxIuBytes = MAX_IT_IU_BYTES;
    this.#immediateOffset = 0;
    this.#requests.reset(0);
    if (this.#state !== INITIALIZED) this.#mads.reset();
    if (joined === null) return;
    this.#slots.abortAll();
    this.#session.leave(this, joined);
  }

  /** A response queue that is full was not read although every element in it was paid for: the ring is not trusted. */
  #send(valid: number, format: number, status: number, length = 0, high = 0, low = 0): void {
    if (this.#channel.send(valid, format, status, 0, length, high, low)) return;
    this.#break('the response queue is full');
  }
}
