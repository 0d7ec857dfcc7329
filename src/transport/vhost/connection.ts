/**
 * One vhost-user front end: its socket, its memory, its rings and the device behind them (vhost-user protocol, back-end side).
 *
 *                  message complete             handled
 *     READ header, payload ---------> HANDLE ------------> READ
 *          ^                             | what it asks for takes time (rings stop, tasks end)
 *          +------ done: answered ----- SUSPENDED: no message is read meanwhile; other guests are served
 *
 * Descriptors belong to a message until a handler takes them; what no handler takes is closed.
 */
import { Buffer } from 'node:buffer';
import { close, SystemError } from '../../libc.ts';
import type { Target } from '../../scsi/target.ts';
import { ringDoorbell } from '../doorbell.ts';
import type { LogLevel } from '../log-limiter.ts';
import {
  F_EVENT_IDX,
  F_INDIRECT_DESC,
  F_PROTOCOL_FEATURES,
  FEATURES,
  P_REPLY_ACK,
  PROTOCOL_FEATURES,
} from './features.ts';
import {
  MAX_MEMORY_REGIONS,
  type RegionRequest,
  VhostMemory,
  VhostMemoryError,
} from './guest-memory.ts';
import {
  ADD_MEM_REG,
  encodeNumber,
  encodeReply,
  exact,
  GET_CONFIG,
  GET_FEATURES,
  GET_INFLIGHT_FD,
  GET_MAX_MEM_SLOTS,
  GET_PROTOCOL_FEATURES,
  GET_QUEUE_NUM,
  GET_STATUS,
  GET_VRING_BASE,
  REGION_BYTES,
  REM_MEM_REG,
  RESET_DEVICE,
  RESET_OWNER,
  SET_BACKEND_REQ_FD,
  SET_CONFIG,
  SET_FEATURES,
  SET_INFLIGHT_FD,
  SET_LOG_BASE,
  SET_LOG_FD,
  SET_MEM_TABLE,
  SET_OWNER,
  SET_PROTOCOL_FEATURES,
  SET_STATUS,
  SET_VRING_ADDR,
  SET_VRING_BASE,
  SET_VRING_CALL,
  SET_VRING_ENABLE,
  SET_VRING_ERR,
  SET_VRING_KICK,
  SET_VRING_NUM,
  TABLE_HEADER_BYTES,
  type VhostMessage,
  VhostProtocolError,
} from './message.ts';
import { MessageSocket } from './message-socket.ts';
import { VirtioScsiDevice } from './scsi-device.ts';
import { SharedAreas } from './shared-areas.ts';
import { Virtqueue, VirtqueueError } from './virtqueue.ts';
import { MAX_VRINGS, type Vring, VringSet } from './vring.ts';

/** Messages handled in one go, so that a front end that sends without end does not hold the reactor. */
const MESSAGES_PER_CALL = 32;

const VRING_ADDRESS_LOG = 1;
const DONE = 0n;
const FAILED = 1n;
const NO_PAYLOAD = Buffer.alloc(0);

export interface VhostConnectionOptions {
  /** The accepted socket, non-blocking; owned by the connection. */
  readonly fd: number;
  readonly target: Target;
  /** Who the initiator is (nexus identity), and text for people. */
  readonly identity: string;
  readonly name: string;
  readonly log: (text: string, level: LogLevel) => void;
  /** A ring is served from now on: poll it, its front end notifies by this eventfd. */
  readonly ringStarted: (index: number, kickFd: number) => void;
  /** A ring is not polled any more; the eventfd is still open. */
  readonly ringStopped: (index: number) => void;
  /** Whether the socket is to be left alone (`true`) or heard again. */
  readonly suspended: (on: boolean) => void;
  /** The front end is gone or broke the rules, for this reason: let go of it. Called once. */
  readonly broken: (reason: string) => void;
}

function regionAt(message: VhostMessage, at: number): RegionRequest {
  return {
    guestAddress: exact(message, 'guest_phys_addr', at),
    bytes: exact(message, 'memory_size', at + 8),
    userAddress: exact(message, 'userspace_addr', at + 16),
    mmapOffset: exact(message, 'mmap_offset', at + 24),
  };
}

function offeredBits(message: VhostMessage, offered: bigint): bigint {
  const bits = message.payload.readBigUInt64LE(0);
  const unknown = bits & ~offered;
  if (unknown === 0n) return bits;
  throw new VhostProtocolError(`${message.name}: bits 0x${unknown.toString(16)} are not offered`);
}

type Handler = (message: VhostMessage) => unknown;

export class VhostConnection {
  readonly #socket: MessageSocket;
  readonly memory = new VhostMemory();
  readonly device: VirtioScsiDevice;
  readonly #options: VhostConnectionOptions;
  readonly #handlers: ReadonlyMap<number, Handler>;
  readonly #vrings: VringSet;
  readonly #areas = new SharedAreas();
  /** Descriptors of a message that waits. */
  #waitingDescriptors: readonly number[] = [];
  /** Descriptors that a handler took over while the present message is handled. */
  readonly #kept = new Set<number>();
  /** Acknowledged by the front end. */
  #features = 0n;
  #protocolFeatures = 0n;
  #status = 0n;
  #broken = false;
  #suspended = false;
  /** The rest of what a message asks for, once no task is in flight. */
  #whenIdleThen: (() => void) | null = null;
  #saidNoMemory = false;

  /** Throws ScsiDeviceError when the target has no room for another nexus; the descriptor stays the caller's then. */
  constructor(options: VhostConnectionOptions) {
    const { target, identity, name, log } = options;
    this.#socket = new MessageSocket(options.fd);
    this.#options = options;
    this.#handlers = this.#table();
    this.device = new VirtioScsiDevice({
      target,
      identity,
      name,
      memory: this.memory,
      log,
      broken: (reason) => this.#break(reason),
    });
    this.#vrings = new VringSet(this.device, options.ringStopped);
  }

  /** Rings being served. */
  get ringCount(): number {
    return this.#vrings.all.filter(({ queue }) => queue !== null).length;
  }

  /** Interrupts sent on the rings that are served. */
  get interrupts(): number {
    return this.#vrings.all.reduce((sum, { queue }) => sum + (queue?.rings ?? 0), 0);
  }

  /** Whether a message waits for rings to stop or tasks to end. */
  get isSuspended(): boolean {
    return this.#suspended;
  }

  /** An interrupt of a ring hung and the watchdog had to help. */
  isStuck(index: number): boolean {
    return this.#vrings.all[index]?.queue?.stuck === true;
  }

  /** Reads and handles what the socket has. */
  receive(): void {
    for (let i = 0; i < MESSAGES_PER_CALL && !this.#broken && !this.#suspended; i += 1) {
      try {
        const message = this.#socket.receive();
        if (message === null) return;
        this.#handle(message);
      } catch (error) {
        this.#refuse(error);
      }
    }
  }

  /** Goes on with a message that waits for the last task to end. Called every turn while `isSuspended`. */
  tidy(): void {
    const then = this.#whenIdleThen;
    if (then === null || !this.device.idle() || this.#broken) return;
    this.#whenIdleThen = null;
    then();
  }

  /** The front end is gone: nothing is read or interrupted any more, tasks are aborted. */
  detach(): void {
    this.#broken = true;
    for (const vring of this.#vrings.all) this.#vrings.letGo(vring);
    this.device.detach();
  }

  /** Unmaps and closes everything. Only when detached and the device idle. */
  close(): void {
    this.device.close();
    this.memory.clear();
    this.#areas.close();
    for (const vring of this.#vrings.all) vring.close();
    this.#closeDescriptors(this.#waitingDescriptors);
    this.#socket.close();
  }

  #handle(message: VhostMessage): void {
    const handler = this.#handlers.get(message.request);
    let done = false;
    try {
      handler?.(message);
      done = true;
    } finally {
      // A handler marks what it keeps by taking it out of the list.
      this.#closeDescriptors(message.descriptors.filter((fd) => !this.#kept.delete(fd)));
      if (!done && message.needReply && !message.answered) this.#acknowledge(message, FAILED);
    }
    if (!this.#suspended) this.#finished(message);
  }

  #keep(message: VhostMessage): number {
    const [fd] = message.descriptors;
    if (fd === undefined) return -1;
    this.#kept.add(fd);
    return fd;
  }

  #finished(message: VhostMessage): void {
    if (message.needReply && !message.answered) this.#acknowledge(message, DONE);
  }

  #acknowledge(message: VhostMessage, result: bigint): void {
    if ((this.#protocolFeatures & P_REPLY_ACK) === 0n) return;
    this.#reply(message, encodeNumber(message.request, result));
  }

  #reply(message: VhostMessage, bytes: Buffer, descriptors: readonly number[] = []): void {
    if (this.#broken) return;
    const failure = this.#socket.send(bytes, descriptors);
    if (failure !== null) this.#break(`${message.name}: the answer could not be sent: ${failure}`);
  }

  /** What a front end got wrong ends it; anything else is a bug of ours and ends it, too. */
  #refuse(error: unknown): void {
    const known =
      error instanceof VhostProtocolError ||
      error instanceof VhostMemoryError ||
      error instanceof VirtqueueError ||
      error instanceof SystemError;
    const text = error instanceof Error ? error.message : String(error);
    this.#break(known ? text : `internal failure: ${error instanceof Error ? error.stack : text}`);
  }

  #break(reason: string): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#options.broken(reason);
  }

  #closeDescriptors(descriptors: readonly number[]): void {
    for (const fd of descriptors) close(fd);
  }

  /** Reads no more messages until `resume` is called by what `begin` starts: at once when nothing has to be waited for. */
  #suspend(message: VhostMessage, begin: (resume: () => void) => void): void {
    this.#suspended = true;
    let waited = false;
    begin(() => {
      this.#suspended = false;
      if (!waited) return;
      this.#finished(message);
      this.#options.suspended(false);
    });
    if (!this.#suspended) return;
    waited = true;
    this.#options.suspended(true);
  }

  #table(): ReadonlyMap<number, Handler> {
    const number = (value: bigint): Handler => {
      return (message) => this.#reply(message, encodeNumber(message.request, value));
    };
    const nothing: Handler = () => undefined;
    return new Map<number, Handler>([
      [GET_FEATURES, number(FEATURES)],
      [SET_FEATURES, (message) => this.#setFeatures(message)],
      [SET_OWNER, nothing],
      [RESET_OWNER, (message) => this.#resetDevice(message)],
      [SET_MEM_TABLE, (message) => this.#setMemoryTable(message)],
      [SET_LOG_BASE, (message) => this.#setLogBase(message)],
      [SET_LOG_FD, nothing],
      [SET_VRING_NUM, (message) => this.#setSize(message)],
      [SET_VRING_ADDR, (message) => this.#setAddress(message)],
      [SET_VRING_BASE, (message) => this.#setBase(message)],
      [GET_VRING_BASE, (message) => this.#getBase(message)],
      [SET_VRING_KICK, (message) => this.#setKick(message)],
      [SET_VRING_CALL, (message) => this.#setCall(message)],
      [SET_VRING_ERR, (message) => this.#vrings.ofDescriptor(message)],
      [GET_PROTOCOL_FEATURES, number(PROTOCOL_FEATURES)],
      [SET_PROTOCOL_FEATURES, (message) => this.#setProtocolFeatures(message)],
      [GET_QUEUE_NUM, number(BigInt(MAX_VRINGS))],
      [SET_VRING_ENABLE, (message) => this.#setEnable(message)],
      [SET_BACKEND_REQ_FD, nothing],
      // The front end makes the configuration space up; no payload and a failure are the words for "not from here".
      [GET_CONFIG, (message) => this.#reply(message, encodeReply(message.request, NO_PAYLOAD))],
      [SET_CONFIG, (message) => message.needReply && this.#acknowledge(message, FAILED)],
      [GET_INFLIGHT_FD, (message) => this.#getInflight(message)],
      [SET_INFLIGHT_FD, (message) => this.#setInflight(message)],
      [RESET_DEVICE, (message) => this.#resetDevice(message)],
      [GET_MAX_MEM_SLOTS, number(BigInt(MAX_MEMORY_REGIONS))],
      [ADD_MEM_REG, (message) => this.#addRegion(message)],
      [REM_MEM_REG, (message) => this.#removeRegion(message)],
      [SET_STATUS, (message) => this.#setStatus(message)],
      [GET_STATUS, (message) => number(this.#status)(message)],
    ]);
  }

  #setFeatures(message: VhostMessage): void {
    const features = offeredBits(message, FEATURES);
    this.#features = features;
    this.device.setFeatures(Number(features >> 32n), Number(features & 0xffffffffn) | 0);
    this.#switchLog();
  }

  #setProtocolFeatures(message: VhostMessage): void {
    this.#protocolFeatures = offeredBits(message, PROTOCOL_FEATURES);
  }

  /** Status 0 is a reset (virtio 1.2, 2.1), and a formality when every ring was stopped before it. */
  #setStatus(message: VhostMessage): void {
    this.#status = message.payload.readBigUInt64LE(0);
    if (this.#status === 0n && this.ringCount > 0) this.#resetDevice(message);
  }

  /** Every ring stops, tasks are aborted; answered when none of them can touch the guest's memory any more. */
  #resetDevice(message: VhostMessage): void {
    this.#suspend(message, (resume) => {
      for (const vring of this.#vrings.all) {
        vring.enabled = false;
        this.#vrings.letGo(vring);
      }
      this.device.reset();
      this.#whenIdle(() => {
        for (const { index } of this.#vrings.all) this.#areas.clearInflight(index);
        resume();
      });
    });
  }

  #addRegion(message: VhostMessage): void {
    this.memory.add(regionAt(message, 8), message.descriptors[0] as number);
    this.#startAll();
  }

  #removeRegion(message: VhostMessage): void {
    const region = regionAt(message, 8);
    this.#withoutTasks(message, () => {
      if (!this.memory.remove(region)) {
        throw new VhostProtocolError(
          `REM_MEM_REG: guest_phys_addr 0x${region.guestAddress.toString(16)} is no region`,
        );
      }
      this.memory.unmapRetired();
    });
  }

  #setMemoryTable(message: VhostMessage): void {
    const { payload, descriptors } = message;
    const regions: RegionRequest[] = [];
    for (let i = 0; i < payload.readUInt32LE(0); i += 1) {
      regions.push(regionAt(message, TABLE_HEADER_BYTES + i * REGION_BYTES));
    }
    for (const fd of descriptors) this.#kept.add(fd);
    this.#waitingDescriptors = descriptors;
    this.#withoutTasks(message, () => {
      this.memory.clear();
      regions.forEach((region, i) => {
        this.memory.add(region, descriptors[i] as number);
      });
      this.#waitingDescriptors = [];
      this.#closeDescriptors(descriptors);
    });
  }

  /** Does `change` while no task uses the guest's memory; the rings go on afterwards where they stopped. */
  #withoutTasks(message: VhostMessage, change: () => void): void {
    this.#suspend(message, (resume) => {
      let waited = false;
      const rest = (): void => {
        change();
        this.#startAll();
        resume();
      };
      this.#vrings.stop(this.#vrings.all, () =>
        this.#whenIdle(() => (waited ? this.#late(message, rest) : rest())),
      );
      waited = true;
    });
  }

  /** Whoever ended the last task calls this, and is not to be hit by what the front end got wrong. */
  #late(message: VhostMessage, rest: () => void): void {
    try {
      rest();
    } catch (error) {
      if (message.needReply && !message.answered) this.#acknowledge(message, FAILED);
      this.#refuse(error);
    }
  }

  #whenIdle(then: () => void): void {
    if (this.device.idle()) then();
    else this.#whenIdleThen = then;
  }

  #setLogBase(message: VhostMessage): void {
    this.#areas.setLog(message, () => this.#switchLog());
    this.#reply(message, encodeNumber(message.request, DONE));
  }

  /** Pages are marked while LOG_ALL is acknowledged and there is a log. */
  #switchLog(): void {
    const log = this.#areas.activeLog(this.#features);
    for (const { queue, logAddress } of this.#vrings.all) queue?.setLog(log, logAddress);
  }

  #getInflight(message: VhostMessage): void {
    const { fd, payload } = SharedAreas.createInflight(message);
    this.#reply(message, encodeReply(message.request, payload), [fd]);
    close(fd);
  }

  #setInflight(message: VhostMessage): void {
    if (this.ringCount > 0) {
      throw new VhostProtocolError(`SET_INFLIGHT_FD: ${this.ringCount} rings are being served`);
    }
    this.#areas.setInflight(message);
  }

  #setSize(message: VhostMessage): void {
    const vring = this.#vrings.stopped(message);
    vring.size = message.payload.readUInt32LE(4);
  }

  #setBase(message: VhostMessage): void {
    const vring = this.#vrings.stopped(message);
    const base = message.payload.readUInt32LE(4);
    if (base > 0xffff) {
      throw new VhostProtocolError(
        `SET_VRING_BASE: num ${base} of ring ${vring.index} is no index`,
      );
    }
    vring.base = base;
  }

  /** While a ring is served only its logging can change. */
  #setAddress(message: VhostMessage): void {
    const { payload } = message;
    const vring = this.#vrings.named(message, payload.readUInt32LE(0));
    const descAddress = exact(message, 'descriptor', 8);
    const usedAddress = exact(message, 'used', 16);
    const availAddress = exact(message, 'available', 24);
    const logs = (payload.readUInt32LE(4) & VRING_ADDRESS_LOG) !== 0;
    vring.logAddress = logs ? exact(message, 'log', 32) : null;
    const same =
      vring.descAddress === descAddress &&
      vring.usedAddress === usedAddress &&
      vring.availAddress === availAddress;
    if (vring.queue !== null) {
      if (!same) {
        throw new VhostProtocolError(`SET_VRING_ADDR: ring ${vring.index} is being served`);
      }
      vring.queue.setLog(this.#areas.activeLog(this.#features), vring.logAddress);
      return;
    }
    Object.assign(vring, { descAddress, usedAddress, availAddress, addressed: true });
  }

  #getBase(message: VhostMessage): void {
    const vring = this.#vrings.named(message, message.payload.readUInt32LE(0));
    this.#suspend(message, (resume) => {
      this.#vrings.stop([vring], () => {
        // It needs a new kick to go on.
        vring.setKick(-1);
        this.#areas.clearInflight(vring.index);
        const reply = Buffer.from(message.payload);
        reply.writeUInt32LE(vring.base, 4);
        this.#reply(message, encodeReply(message.request, reply));
        resume();
      });
    });
  }

  #setKick(message: VhostMessage): void {
    const vring = this.#vrings.ofDescriptor(message);
    if (message.descriptors.length === 0) {
      throw new VhostProtocolError(
        `SET_VRING_KICK: ring ${vring.index} without a descriptor; rings that are only polled are not served`,
      );
    }
    if (vring.queue !== null) {
      throw new VhostProtocolError(`SET_VRING_KICK: ring ${vring.index} is being served`);
    }
    vring.setKick(this.#keep(message));
    this.#start(vring);
  }

  /** The new descriptor is signalled once, for what the old one may have lost. */
  #setCall(message: VhostMessage): void {
    const vring = this.#vrings.ofDescriptor(message);
    vring.setCall(this.#keep(message));
    if (vring.callFd >= 0 && !ringDoorbell(vring.callFd)) {
      throw new VhostProtocolError(`SET_VRING_CALL: the eventfd of ring ${vring.index} blocks`);
    }
  }

  #setEnable(message: VhostMessage): void {
    const vring = this.#vrings.named(message, message.payload.readUInt32LE(0));
    vring.enabled = message.payload.readUInt32LE(4) !== 0;
    if (vring.enabled) {
      this.#start(vring);
      return;
    }
    this.#suspend(message, (resume) => this.#vrings.stop([vring], resume));
  }

  #startAll(): void {
    for (const vring of this.#vrings.all) this.#start(vring);
  }

  /** Rings wait for SET_VRING_ENABLE once protocol features were acknowledged. */
  #start(vring: Vring): void {
    const always = (this.#features & F_PROTOCOL_FEATURES) === 0n;
    if (this.#broken || !vring.startable(always)) return;
    if (this.memory.regionCount === 0) {
      this.#noMemory();
      return;
    }
    const { index, size, base, callFd } = vring;
    vring.queue = new Virtqueue({
      memory: this.memory,
      size,
      descAddress: vring.descAddress,
      availAddress: vring.availAddress,
      usedAddress: vring.usedAddress,
      usedLogGuestAddress: vring.logAddress,
      base,
      callFd,
      eventIndex: (this.#features & F_EVENT_IDX) !== 0n,
      indirect: (this.#features & F_INDIRECT_DESC) !== 0n,
      log: this.#areas.activeLog(this.#features),
      inflight: this.#areas.inflightQueue(index, size),
    });
    this.device.start(index, vring.queue);
    if (!this.#broken) this.#options.ringStarted(index, vring.kickFd);
  }

  /** QEMU sends no region at all when its memory is private; the guest then waits for ever, and nobody would know why. */
  #noMemory(): void {
    if (this.#saidNoMemory) return;
    this.#saidNoMemory = true;
    this.#options.log(
      "the guest's memory is not shared: start QEMU with -object memory-backend-memfd,id=mem,size=SIZE,share=on and -machine memory-backend=mem",
      'warn',
    );
  }
}
