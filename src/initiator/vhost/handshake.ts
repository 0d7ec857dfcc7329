/** The messages of a front end in the order in which QEMU 7.2 sends them, as steps that somebody else sends. */
import { Buffer } from 'node:buffer';
import { expect } from './back-end-error.ts';
import type { GuestRam, RamRegion } from './guest-ram.ts';
import {
  ADD_MEM_REG,
  GET_FEATURES,
  GET_INFLIGHT_FD,
  GET_MAX_MEM_SLOTS,
  GET_PROTOCOL_FEATURES,
  GET_QUEUE_NUM,
  GET_STATUS,
  GET_VRING_BASE,
  quads,
  RESET_DEVICE,
  type Reply,
  SET_BACKEND_REQ_FD,
  SET_FEATURES,
  SET_INFLIGHT_FD,
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
  type Step,
  state,
} from './message.ts';
import type { SplitQueue } from './split-queue.ts';

export type Steps = Generator<Step, void, Reply | null>;

const bit = (n: number): bigint => 1n << BigInt(n);

/** VIRTIO_F_VERSION_1, VHOST_USER_F_PROTOCOL_FEATURES, VIRTIO_SCSI_F_HOTPLUG and CHANGE. */
const ALWAYS = bit(32) | bit(30) | bit(2) | bit(1);
/** VIRTIO_SCSI_F_INOUT, of back ends that have it; QEMU never asks for it. */
const INOUT = bit(0);
const EVENT_IDX = bit(29);
const INDIRECT_DESC = bit(28);
/** MQ, LOG_SHMFD, REPLY_ACK, BACKEND_REQ, INFLIGHT_SHMFD, RESET_DEVICE, STATUS: what QEMU 7.2 knows of it. */
const PROTOCOL = bit(0) | bit(1) | bit(3) | bit(5) | bit(12) | bit(13) | bit(16);
const CONFIGURE_MEM_SLOTS = bit(15);
/** ACKNOWLEDGE, DRIVER, FEATURES_OK and DRIVER_OK (virtio 1.2, 2.1). */
const DRIVER_OK = 0x0f;

export interface HandshakeOptions {
  readonly eventIndex: boolean;
  readonly indirect: boolean;
  /** One table instead of a message for each region. */
  readonly memoryTable: boolean;
  /** Rings are given and kicked first, and enabled when asked for by `enable`. */
  readonly enableLate: boolean;
}

/** Eventfds of one ring. */
export interface RingDescriptors {
  readonly kick: number;
  readonly call: number;
  readonly error: number;
}

export interface FrontEndParts {
  readonly ram: GuestRam;
  readonly queues: readonly SplitQueue[];
  readonly descriptors: readonly RingDescriptors[];
  /** The front end's channel for requests of the back end. */
  readonly requestFd: number;
  readonly options: HandshakeOptions;
  /** What the back end offers, once it has said so. */
  offered: bigint;
}

export const EMPTY: Buffer = Buffer.alloc(0);

export function tell(
  request: number,
  payload: Buffer = EMPTY,
  descriptors: readonly number[] = [],
): Step {
  return { request, payload, descriptors, answer: 'none' };
}

export function ask(request: number, payload: Buffer = EMPTY): Step {
  return { request, payload, descriptors: [], answer: 'data' };
}

export function demand(
  request: number,
  payload: Buffer,
  descriptors: readonly number[] = [],
): Step {
  return { request, payload, descriptors, answer: 'acknowledgement' };
}

export function regionWords(region: RamRegion): Buffer {
  return quads(region.guestAddress, region.bytes, region.userAddress, region.fileOffset);
}

export function addRegion(ram: GuestRam, region: RamRegion): Step {
  return demand(ADD_MEM_REG, Buffer.concat([quads(0), regionWords(region)]), [ram.fd]);
}

export function memoryTable(ram: GuestRam, regions: readonly RamRegion[] = ram.regions): Step {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(regions.length, 0);
  return demand(
    SET_MEM_TABLE,
    Buffer.concat([head, ...regions.map(regionWords)]),
    regions.map(() => ram.fd),
  );
}

/** SET_VRING_ADDR: index, flags, then descriptor table, used ring, available ring, log. */
export function ringAddress(ram: GuestRam, index: number, queue: SplitQueue, flags = 0): Buffer {
  return Buffer.concat([
    state(index, flags),
    quads(ram.user(queue.desc), ram.user(queue.used), ram.user(queue.avail), queue.used),
  ]);
}

/** When the device is made, before the guest runs. */
export function* realize(parts: FrontEndParts): Steps {
  const { descriptors, requestFd, options } = parts;
  parts.offered = (yield ask(GET_FEATURES))?.payload.readBigUInt64LE(0) ?? 0n;
  const offered = (yield ask(GET_PROTOCOL_FEATURES))?.payload.readBigUInt64LE(0) ?? 0n;
  const wanted = options.memoryTable ? PROTOCOL : PROTOCOL | CONFIGURE_MEM_SLOTS;
  yield tell(SET_PROTOCOL_FEATURES, quads(offered & wanted));
  yield ask(GET_QUEUE_NUM);
  if (!options.memoryTable) yield ask(GET_MAX_MEM_SLOTS);
  if ((offered & bit(5)) !== 0n) yield demand(SET_BACKEND_REQ_FD, EMPTY, [requestFd]);
  yield tell(SET_OWNER);
  yield ask(GET_FEATURES);
  for (const [index, { call, error }] of descriptors.entries()) {
    yield tell(SET_VRING_CALL, quads(index), [call]);
    yield tell(SET_VRING_ERR, quads(index), [error]);
  }
}

/** The driver resets the device. */
export function* resetDevice(): Steps {
  yield tell(RESET_DEVICE);
}

function* inflight(queues: number, size: number, keep: (fd: number) => void): Steps {
  const shape = Buffer.alloc(24);
  shape.writeUInt16LE(queues, 16);
  shape.writeUInt16LE(size, 18);
  const reply = yield ask(GET_INFLIGHT_FD, shape);
  for (const fd of reply?.descriptors ?? []) keep(fd);
  expect(reply?.descriptors.length === 1, 'gives no inflight area');
  const [fd] = reply.descriptors as [number];
  yield tell(SET_INFLIGHT_FD, reply.payload, [fd]);
}

/** The driver says DRIVER_OK: features, memory when it is not known yet, rings. `keep` owns the inflight descriptor. */
export function* start(
  parts: FrontEndParts,
  memoryKnown: boolean,
  keep: (fd: number) => void,
): Steps {
  const { ram, queues, descriptors, options } = parts;
  yield* inflight(queues.length, queues[0]?.size ?? 0, keep);
  const rings = (options.eventIndex ? EVENT_IDX : 0n) | (options.indirect ? INDIRECT_DESC : 0n);
  const wanted = ALWAYS | rings | (parts.offered & INOUT);
  yield tell(SET_FEATURES, quads(wanted));
  yield ask(GET_STATUS);
  yield tell(SET_STATUS, quads(DRIVER_OK));
  if (!memoryKnown) {
    if (options.memoryTable) yield memoryTable(ram);
    else for (const region of ram.regions) yield addRegion(ram, region);
  }
  for (const [index, queue] of queues.entries()) {
    yield tell(SET_VRING_NUM, state(index, queue.size));
    yield tell(SET_VRING_BASE, state(index, 0));
    yield tell(SET_VRING_ADDR, ringAddress(ram, index, queue));
    yield tell(SET_VRING_KICK, quads(index), [descriptors[index]?.kick as number]);
  }
  if (!options.enableLate) yield* enable(parts);
}

/** Rings are served from now on, and interrupt the guest directly. */
export function* enable({ queues, descriptors }: FrontEndParts): Steps {
  for (const index of queues.keys()) yield tell(SET_VRING_ENABLE, state(index, 1));
  for (const [index, { call }] of descriptors.entries()) {
    yield tell(SET_VRING_CALL, quads(index), [call]);
  }
}

/** The guest stops: rings are disabled, then asked how far they came. */
export function* stop({ queues }: FrontEndParts, bases: (base: number) => void): Steps {
  for (const index of queues.keys()) yield tell(SET_VRING_ENABLE, state(index, 0));
  for (const index of queues.keys()) {
    const reply = yield ask(GET_VRING_BASE, state(index, 0));
    bases(reply?.payload.readUInt32LE(4) ?? -1);
  }
  yield* resetDevice();
}
