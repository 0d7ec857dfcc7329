/**
 * The SCSI host device (virtio 1.2, 5.6): one guest's target port. Takes requests from its virtqueues, feeds the core,
 * answers into the guest's memory. One I_T nexus for all its queues.
 *
 *     start(index, queue)   queue is served: 0 control, 1 event, 2 and up requests
 *     stop(index, stopped)  nothing more is taken; `stopped` when the last request of the queue was answered
 *     reset()               I_T nexus loss: every queue is let go, what is in flight is answered to nobody
 *     detach(), close()     the guest is gone; its memory is needed until `idle()`
 */
import { assert } from '../../assert.ts';
import type { TargetPort } from '../../scsi/contracts.ts';
import type { LunPresentation } from '../../scsi/lun.ts';
import type { Nexus } from '../../scsi/nexus.ts';
import { CHECK_CONDITION, SIMPLE } from '../../scsi/sam.ts';
import type { Segments } from '../../scsi/segments.ts';
import { INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT } from '../../scsi/sense-codes.ts';
import type { Target } from '../../scsi/target.ts';
import { DORMANT, ENDED, type Task } from '../../scsi/task.ts';
import { type LogLevel, LogLimiter } from '../log-limiter.ts';
import { PortCounters } from '../port-counters.ts';
import { ChainReader } from './chain-reader.ts';
import { EventQueue } from './event-queue.ts';
import type { VhostMemory } from './guest-memory.ts';
import { decodeLunField, OTHER_TARGET } from './lun-field.ts';
import { RequestPool } from './request-pool.ts';
import { markSegments, ResponseWriter } from './response.ts';
import { abortResponse, attributeOf, functionOf, NO_ATTRIBUTE, responseOf } from './sam-codes.ts';
import {
  AN,
  AN_RESPONSE,
  CDB_BYTES,
  CONTROL_QUEUE,
  EVENT_QUEUE,
  F_CHANGE,
  F_HOTPLUG,
  F_INOUT,
  REQUEST,
  RESET_HARD,
  RESET_REMOVED,
  RESET_RESCAN,
  RESPONSE,
  S_BAD_TARGET,
  S_FAILURE,
  S_OK,
  T_AN_QUERY,
  T_AN_SUBSCRIBE,
  T_PARAM_CHANGE,
  T_TMF,
  T_TRANSPORT_RESET,
  TMF,
} from './virtio-scsi.ts';
import { BROKEN, type Virtqueue } from './virtqueue.ts';

const REQUEST_BYTES = REQUEST.size;
const RESPONSE_BYTES = RESPONSE.size;
const LUN_AT = REQUEST.at.lun;
const TAG_LOW_AT = REQUEST.at.tagLow;
const TAG_HIGH_AT = REQUEST.at.tagHigh;
const ATTRIBUTE_AT = REQUEST.at.attribute;
const PRIORITY_AT = REQUEST.at.priority;
const CDB_AT = REQUEST.at.cdb;
const PRIORITY_MASK = 0x0f;

const TYPE_BYTES = 4;
const TMF_RESPONSE_BYTES = 1;
/** CAPACITY DATA HAS CHANGED: ASC 2Ah in the low byte, ASCQ 09h above it. */
const CAPACITY_CHANGED = 0x092a;
/** NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED: ASC 28h, ASCQ 00h. */
const MEDIUM_CHANGED = 0x0028;
/** Entries looked for in one go by `lookAgain`, and how often. */
const LOOK_BUDGET = 32;
const LOOK_ROUNDS = 4;

/** A device that cannot be made. */
export class ScsiDeviceError extends Error {
  readonly code = 'ERR_SCSI_DEVICE';
}

export interface VirtioScsiDeviceOptions {
  readonly target: Target;
  /** Who the initiator is, over reconnects too. While it is present already, a further one is anonymous. */
  readonly identity: string;
  /** Text for people. */
  readonly name: string;
  readonly memory: VhostMemory;
  /** One line about what the guest did (`info`) or did wrong (`warn`); limited in rate. */
  readonly log: (text: string, level: LogLevel) => void;
  /** The guest cannot be trusted any more, for this reason; the device has stopped and waits for `detach`. */
  readonly broken: (reason: string) => void;
}

/** A queue that is served. */
interface Served {
  readonly index: number;
  readonly queue: Virtqueue;
  /** Requests taken and not answered. */
  busy: number;
  stopped: ((lastAvail: number) => void) | null;
}

/** Numbers the identities of initiators that share a socket. */
let anonymousCount = 0;

export class VirtioScsiDevice implements TargetPort {
  readonly lunPresentation: LunPresentation = 'native';
  /** Called with each command that is answered, before its task is reused. */
  trace: ((task: Task) => void) | null = null;
  /** Monotonic microseconds, for `task.startedUs`; read only while tracing. */
  clockUs: () => number = () => Math.round(performance.now() * 1000);
  /** Commands answered, and payload bytes moved for them. */
  readonly counters: PortCounters = new PortCounters();

  readonly #target: Target;
  readonly #identity: string;
  readonly #name: string;
  readonly #log: LogLimiter;
  readonly #broken: (reason: string) => void;
  readonly #reader: ChainReader;
  readonly #writer = new ResponseWriter();
  readonly #pool: RequestPool;
  readonly #events: EventQueue;
  readonly #queues: (Served | null)[] = [];
  #nexus: Nexus;
  /** Number of the present life: requests of earlier ones, before a reset, are answered to nobody. */
  #life = 0;
  #open = true;
  #inOut = false;
  #hotplug = false;
  #change = false;
  /** Something was taken, answered or armed since `lookAgain`. */
  #worked = false;

  /** Throws ScsiDeviceError when the target has no room for another nexus. */
  constructor(options: VirtioScsiDeviceOptions) {
    this.#target = options.target;
    this.#identity = options.identity;
    this.#name = options.name;
    this.#log = new LogLimiter(options.log);
    this.#broken = options.broken;
    this.#reader = new ChainReader(options.memory);
    this.#pool = new RequestPool(this);
    this.#events = new EventQueue(this.#reader, this.#writer);
    const nexus = this.#login();
    if (nexus === null) throw new ScsiDeviceError('Cannot serve one more guest: nexuses are full');
    this.#nexus = nexus;
  }

  /** The nexus of this guest. */
  get nexus(): Nexus {
    return this.#nexus;
  }

  /** Commands and task management functions being served, those from before a reset included. */
  get outstanding(): number {
    return this.#pool.busy;
  }

  /** Whether no task is in flight: then memory that was taken away may be unmapped. */
  idle(): boolean {
    return this.#pool.busy === 0;
  }

  /**
   * Whether a notification may have been lost since the last `lookAgain`: something was taken, answered or armed. Whoever
   * calls `poll`, `flush`, `arm` or an event sees to it that `lookAgain` is called a while later.
   */
  get worked(): boolean {
    return this.#worked;
  }

  /** Negotiated features, in two halves. */
  setFeatures(_high: number, low: number): void {
    this.#inOut = (low & (1 << F_INOUT)) !== 0;
    this.#hotplug = (low & (1 << F_HOTPLUG)) !== 0;
    this.#change = (low & (1 << F_CHANGE)) !== 0;
  }

  /** Serves a queue from now on. */
  start(index: number, queue: Virtqueue): void {
    if (!this.#open) return;
    assert((this.#queues[index] ?? null) === null, 'a queue is started once');
    while (this.#queues.length <= index) this.#queues.push(null);
    let inUse = 0;
    for (const one of this.#queues) if (one !== null) inUse += one.queue.size - one.busy;
    if (index !== EVENT_QUEUE && !this.#pool.reserve(inUse + queue.size)) {
      this.#break(
        `virtqueue ${index}: requests that outlive resets are ${this.#pool.busy}, too many`,
      );
      return;
    }
    this.#queues[index] = { index, queue, busy: 0, stopped: null };
    if (index === EVENT_QUEUE) this.#events.queue = queue;
  }

  /** Whether a queue is being served. */
  serves(index: number): boolean {
    return (this.#queues[index] ?? null) !== null;
  }

  /** Takes nothing more from a queue, and calls `stopped` when all that was taken is answered: at once if it is now. */
  stop(index: number, stopped: (lastAvail: number) => void): void {
    const served = this.#queues[index] ?? null;
    if (served === null) {
      stopped(0);
      return;
    }
    served.stopped = stopped;
    if (served.busy === 0) this.#letGo(served);
  }

  /** Takes and handles at most `budget` requests of a queue; returns how many. */
  poll(index: number, budget: number): number {
    const served = this.#queues[index] ?? null;
    if (served === null || served.stopped !== null || !this.#open) return 0;
    if (index === EVENT_QUEUE) return this.#catchUp(served);
    const { queue } = served;
    let done = 0;
    while (done < budget && this.#open) {
      const head = queue.take();
      if (head < 0) {
        if (head !== BROKEN) break;
        // Something happened: whoever polls is to see to the guest that is now broken off.
        this.#breakQueue(served, queue.reason);
        return done + 1;
      }
      done += 1;
      if (index === CONTROL_QUEUE) this.#receiveControl(served, head);
      else this.#receiveCommand(served, head);
    }
    return done;
  }

  /** Publishes what was answered on a queue, and interrupts the guest if it wants that. */
  flush(index: number): void {
    this.#queues[index]?.queue.flush();
  }

  /** Asks for a notification of a queue. False: something came in meanwhile, poll again. */
  arm(index: number): boolean {
    const served = this.#queues[index] ?? null;
    if (served === null || served.stopped !== null || !this.#open) return true;
    // Buffers for events are fetched when there is an event; only a missed one makes us wait for a buffer.
    if (index === EVENT_QUEUE && !this.#events.missed) return true;
    this.#worked = true;
    return served.queue.arm();
  }

  /** No notification of a queue is wanted: it is polled. */
  disarm(index: number): void {
    this.#queues[index]?.queue.disarm();
  }

  /**
   * Looks once more at every queue, for a notification or an interrupt that a guest without memory barriers lost
   * (docs/decisions/0006-barriers-that-guests-lose.md). To be called a while after `worked`, and again as long as this
   * returns true.
   */
  lookAgain(): boolean {
    let again = this.#worked;
    this.#worked = false;
    for (const served of this.#queues) {
      if (served === null || served.stopped !== null || !this.#open) continue;
      served.queue.lookAgain();
      const wanted = served.index !== EVENT_QUEUE || this.#events.missed;
      if (wanted && served.queue.ready()) again = this.#overlooked(served);
    }
    return again;
  }

  /** A logical unit was added: the guest looks for it, if it negotiated HOTPLUG. */
  unitAdded(lun: number): void {
    if (this.#hotplug) this.#sendEvent(T_TRANSPORT_RESET, lun, RESET_RESCAN);
  }

  /** A logical unit is going or gone. Whether the guest is told: it negotiated HOTPLUG. */
  unitRemoved(lun: number): boolean {
    if (this.#hotplug) this.#sendEvent(T_TRANSPORT_RESET, lun, RESET_REMOVED);
    return this.#hotplug && this.#open;
  }

  /** A logical unit was reset by somebody else. */
  unitReset(lun: number): void {
    if (this.#hotplug) this.#sendEvent(T_TRANSPORT_RESET, lun, RESET_HARD);
  }

  /** The capacity of a logical unit changed: the guest reads it again, if it negotiated CHANGE. */
  capacityChanged(lun: number): void {
    if (this.#change) this.#sendEvent(T_PARAM_CHANGE, lun, CAPACITY_CHANGED);
  }

  /** There is another medium: the guest looks at the logical unit again, if it negotiated CHANGE. */
  mediumChanged(lun: number): void {
    if (this.#change) this.#sendEvent(T_PARAM_CHANGE, lun, MEDIUM_CHANGED);
  }

  /** Device reset: every queue is let go, tasks are aborted and answered to nobody, the nexus is lost and comes back. */
  reset(): void {
    if (!this.#open) return;
    this.#leave();
    this.#hotplug = false;
    this.#change = false;
    const nexus = this.#login();
    if (nexus === null) this.#break('the nexuses of the target are full');
    else this.#nexus = nexus;
  }

  /** The guest is gone: nothing is written to its rings any more, and all its tasks are aborted. */
  detach(): void {
    this.#open = false;
    this.#leave();
  }

  /** Unmaps the private memory. Only when detached and idle; the device is of no use afterwards. */
  close(): void {
    assert(!this.#open && this.idle(), 'a device is closed when nothing uses it');
    this.#pool.close();
  }

  respond(task: Task): void {
    const { slot } = task;
    if (this.#isStale(slot)) {
      this.#pool.put(task);
      return;
    }
    this.counters.count(task);
    if (this.trace !== null) this.trace(task);
    this.#writer.writeEnded(task, this.#hasDescriptorSense(task), this.#responseTo(slot));
    this.#complete(task, RESPONSE_BYTES + task.dataInMoved);
  }

  /** Every chain comes back: a task the core ends without a status is answered with the reason of its abort. */
  drop(task: Task): void {
    if (this.#isStale(task.slot)) this.#pool.put(task);
    else this.#answerCode(task, abortResponse(task.abortedBy));
  }

  taskManagementDone(task: Task): void {
    if (this.#isStale(task.slot)) this.#pool.put(task);
    else this.#answerManagement(task, responseOf(task.managementOutcome));
  }

  #receiveCommand(served: Served, head: number): void {
    const { queue } = served;
    if (queue.readableBytes < REQUEST_BYTES || queue.writableBytes < RESPONSE_BYTES) {
      this.#breakQueue(
        served,
        `request with ${queue.readableBytes} readable and ${queue.writableBytes} writable bytes; its headers have ${REQUEST_BYTES} and ${RESPONSE_BYTES}`,
      );
      return;
    }
    const task = this.#begin(served, head);
    const to = this.#responseTo(task.slot);
    const reader = this.#reader;
    if (!reader.read(queue, REQUEST_BYTES, RESPONSE_BYTES, to, task.dataOut, task.dataIn)) {
      this.#abandon(served, task);
      return;
    }
    const { view, bytes } = reader;
    const { cdb } = task;
    for (let i = 0; i < CDB_BYTES; i += 1) cdb[i] = bytes[CDB_AT + i] as number;
    task.cdbBytes = CDB_BYTES;
    task.tagHigh = view.getInt32(TAG_HIGH_AT, true);
    task.tagLow = view.getInt32(TAG_LOW_AT, true);
    task.priority = view.getUint8(PRIORITY_AT) & PRIORITY_MASK;
    task.targetAddressed = false;
    task.lun = decodeLunField(view, LUN_AT);
    this.#route(task, view.getUint8(ATTRIBUTE_AT));
  }

  #route(task: Task, taskAttribute: number): void {
    const attribute = attributeOf(taskAttribute);
    if (task.lun === OTHER_TARGET) {
      this.#refuse(task, S_BAD_TARGET);
    } else if (!this.#inOut && task.dataIn.bytes > 0 && task.dataOut.bytes > 0) {
      // Without VIRTIO_SCSI_F_INOUT a request has one data buffer at most (5.6.6.1).
      this.#refuse(task, S_FAILURE);
    } else if (attribute === NO_ATTRIBUTE) {
      task.attribute = SIMPLE;
      task.check(INVALID_FIELD_IN_COMMAND_INFORMATION_UNIT);
      task.transition(DORMANT, ENDED);
      this.respond(task);
    } else {
      task.attribute = attribute;
      this.#target.receive(task);
    }
  }

  /** Answers a request that the core is not shown. */
  #refuse(task: Task, code: number): void {
    task.transition(DORMANT, ENDED);
    this.#answerCode(task, code);
  }

  #answerCode(task: Task, code: number): void {
    const left = task.dataIn.bytes + task.dataOut.bytes;
    this.#writer.writeCode(code, left, this.#responseTo(task.slot));
    this.#complete(task, RESPONSE_BYTES);
  }

  /** The type says how long the rest is. A request too short for it, or of unknown type, has no place for an answer. */
  #receiveControl(served: Served, head: number): void {
    const { queue } = served;
    const readable = Math.min(queue.readableBytes, TMF.size);
    const writable = Math.min(queue.writableBytes, AN_RESPONSE.size);
    const task = this.#begin(served, head);
    const { slot } = task;
    if (!this.#reader.read(queue, readable, writable, this.#responseTo(slot), null, null)) {
      this.#abandon(served, task);
      return;
    }
    const type = readable < TYPE_BYTES ? -1 : this.#reader.view.getUint32(TMF.at.type, true);
    const isTmf = type === T_TMF;
    if (!isTmf && type !== T_AN_QUERY && type !== T_AN_SUBSCRIBE) {
      this.#abandon(served, task, `control request type ${type} is none`);
    } else if (
      readable < (isTmf ? TMF.size : AN.size) ||
      writable < (isTmf ? TMF_RESPONSE_BYTES : AN_RESPONSE.size)
    ) {
      this.#abandon(
        served,
        task,
        `control request of type ${type} with ${readable} readable and ${writable} writable bytes is too short`,
      );
    } else if (isTmf) {
      this.#manage(task);
    } else {
      this.#answerAsynchronousNotification(task);
    }
  }

  #manage(task: Task): void {
    const { view } = this.#reader;
    const subtype = view.getUint32(TMF.at.subtype, true);
    task.managementFunction = functionOf(subtype);
    task.managedTagHigh = view.getInt32(TMF.at.tagHigh, true);
    task.managedTagLow = view.getInt32(TMF.at.tagLow, true);
    task.lun = decodeLunField(view, TMF.at.lun);
    if (task.lun === OTHER_TARGET) {
      task.transition(DORMANT, ENDED);
      this.#answerManagement(task, S_BAD_TARGET);
      return;
    }
    this.#log.log('info', `task management function ${subtype} for LUN ${task.lun}`);
    this.#target.receiveManagement(task);
  }

  #answerManagement(task: Task, code: number): void {
    this.#writer.bytes[0] = code;
    this.#writer.scatter(this.#responseTo(task.slot), TMF_RESPONSE_BYTES, TMF_RESPONSE_BYTES);
    this.#complete(task, TMF_RESPONSE_BYTES);
  }

  /** No asynchronous notification is supported: none of those asked for will come. */
  #answerAsynchronousNotification(task: Task): void {
    const { view } = this.#writer;
    const other = decodeLunField(this.#reader.view, AN.at.lun) === OTHER_TARGET;
    view.setUint32(AN_RESPONSE.at.actual, 0, true);
    view.setUint8(AN_RESPONSE.at.response, other ? S_BAD_TARGET : S_OK);
    this.#writer.scatter(this.#responseTo(task.slot), AN_RESPONSE.size, AN_RESPONSE.size);
    task.transition(DORMANT, ENDED);
    this.#complete(task, AN_RESPONSE.size);
  }

  /** Takes a slot for a chain. */
  #begin(served: Served, head: number): Task {
    const pool = this.#pool;
    const task = pool.take();
    const { slot } = task;
    pool.head[slot] = head;
    pool.queue[slot] = served.index;
    pool.life[slot] = this.#life;
    served.busy += 1;
    task.receive(this.#nexus);
    if (this.trace !== null) task.startedUs = this.clockUs();
    return task;
  }

  /** Gives the chain of an ended task back with `written` bytes in it, and the slot. */
  #complete(task: Task, written: number): void {
    const { slot } = task;
    const served = this.#queues[this.#pool.queue[slot] as number] as Served;
    const { queue } = served;
    if (queue.log !== null) {
      markSegments(queue.log, this.#responseTo(slot));
      markSegments(queue.log, task.dataIn);
    }
    queue.push(this.#pool.head[slot] as number, written);
    this.#worked = true;
    this.#pool.put(task);
    served.busy -= 1;
    if (served.stopped !== null && served.busy === 0) this.#letGo(served);
  }

  /** The chain cannot be answered: frees its slot and breaks the device off. */
  #abandon(served: Served, task: Task, reason: string = this.#reader.reason): void {
    task.transition(DORMANT, ENDED);
    this.#pool.put(task);
    served.busy -= 1;
    this.#breakQueue(served, reason);
  }

  #responseTo(slot: number): Segments {
    return this.#pool.responses[slot] as Segments;
  }

  #hasDescriptorSense({ status, unit, lun }: Task): boolean {
    if (status !== CHECK_CONDITION) return false;
    return (unit ?? this.#target.unit(lun))?.descriptorSense === true;
  }

  #isStale(slot: number): boolean {
    return this.#pool.life[slot] !== this.#life;
  }

  /** A queue that is to stop has answered everything. */
  #letGo(served: Served): void {
    const { index, queue, stopped } = served;
    queue.flush();
    queue.detach();
    this.#queues[index] = null;
    if (index === EVENT_QUEUE) this.#events.queue = null;
    stopped?.(queue.base);
  }

  #sendEvent(event: number, lun: number, reason: number): void {
    const served = this.#queues[EVENT_QUEUE] ?? null;
    if (!this.#open || served?.stopped) return;
    if (!this.#events.send(event, lun, reason)) {
      if (served !== null) this.#breakQueue(served, this.#events.reason);
      return;
    }
    this.#worked = true;
    served?.queue.flush();
  }

  #catchUp(served: Served): number {
    const sent = this.#events.catchUp();
    if (sent !== BROKEN) return sent;
    this.#breakQueue(served, this.#events.reason);
    return 1;
  }

  /** Serves what nobody announced, until the queue is armed again. True when there may be more. */
  #overlooked(served: Served): boolean {
    for (let i = 0; i < LOOK_ROUNDS; i += 1) {
      this.poll(served.index, LOOK_BUDGET);
      served.queue.flush();
      if (served.queue.arm()) break;
    }
    return true;
  }

  #breakQueue(served: Served, reason: string): void {
    this.#break(`virtqueue ${served.index}: ${reason}`);
  }

  #break(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#leave();
    this.#broken(reason);
  }

  /** Ends the present life: queues are let go, tasks aborted and answered to nobody, the nexus is lost. */
  #leave(): void {
    this.#life += 1;
    const queues = [...this.#queues];
    this.#queues.fill(null);
    this.#events.reset();
    for (const served of queues) {
      if (served === null) continue;
      served.queue.flush();
      served.queue.detach();
    }
    this.#pool.abortAll();
    if (this.#nexus.present) this.#target.nexusLost(this.#nexus);
    for (const served of queues) served?.stopped?.(served.queue.base);
  }

  #login(): Nexus | null {
    const taken = this.#target.nexuses.find(this.#identity)?.present === true;
    if (!taken) return this.#target.login(this.#identity, this.#name, false);
    anonymousCount += 1;
    return this.#target.login(`${this.#identity}#${anonymousCount}`, this.#name, true);
  }
}
