/**
 * The front end's side of a vhost-user socket, written from the vhost-user protocol: messages by their bytes, memory and
 * rings of `Guest` and `Driver`. Shares no code with the back end's codec.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import {
  close,
  connectUnix,
  createEventFd,
  Poller,
  receiveMessage,
  SOCK_STREAM,
  sendMessage,
  signalEventFd,
} from '../../../src/libc.ts';
import { Driver, Guest, USER_BASE } from './guest.ts';

/** Requests (vhost-user, "Front-end message types"). */
export const ID = {
  GET_FEATURES: 1,
  SET_FEATURES: 2,
  SET_OWNER: 3,
  RESET_OWNER: 4,
  SET_MEM_TABLE: 5,
  SET_LOG_BASE: 6,
  SET_LOG_FD: 7,
  SET_VRING_NUM: 8,
  SET_VRING_ADDR: 9,
  SET_VRING_BASE: 10,
  GET_VRING_BASE: 11,
  SET_VRING_KICK: 12,
  SET_VRING_CALL: 13,
  SET_VRING_ERR: 14,
  GET_PROTOCOL_FEATURES: 15,
  SET_PROTOCOL_FEATURES: 16,
  GET_QUEUE_NUM: 17,
  SET_VRING_ENABLE: 18,
  SET_BACKEND_REQ_FD: 21,
  GET_CONFIG: 24,
  SET_CONFIG: 25,
  GET_INFLIGHT_FD: 31,
  SET_INFLIGHT_FD: 32,
  RESET_DEVICE: 34,
  GET_MAX_MEM_SLOTS: 36,
  ADD_MEM_REG: 37,
  REM_MEM_REG: 38,
  SET_STATUS: 39,
  GET_STATUS: 40,
} as const;

/** VERSION_1, PROTOCOL_FEATURES, INDIRECT_DESC, CHANGE, HOTPLUG. */
export const FEATURES = 0x1_5000_0006n;
/** MQ, LOG_SHMFD, REPLY_ACK, INFLIGHT_SHMFD, RESET_DEVICE, CONFIGURE_MEM_SLOTS, STATUS. */
export const PROTOCOL_FEATURES = 0x1_b00bn;
export const LOG_ALL = 1n << 26n;

export const u64 = (...values: (number | bigint)[]): Buffer => {
  const payload = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => void payload.writeBigUInt64LE(BigInt(value), 8 * i));
  return payload;
};
export const u32 = (...values: number[]): Buffer => {
  const payload = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => void payload.writeUInt32LE(value, 4 * i));
  return payload;
};

/** A message: request, flags (version 1, need_reply), size, payload. */
export function messageOf(request: number, payload: Buffer = Buffer.alloc(0), flags = 1): Buffer {
  return Buffer.concat([u32(request, flags, payload.length), payload]);
}

export interface Reply {
  readonly request: number;
  readonly flags: number;
  readonly payload: Buffer;
  readonly descriptors: readonly number[];
}

export const openFds = (): number => readdirSync('/proc/self/fd').length;
export const sharedMappings = (): number =>
  readFileSync('/proc/self/maps', 'latin1').split('memfd:').length;

/** A front end at a socket. */
export class FrontEndSocket {
  readonly fd: number;
  readonly guest = new Guest(2 * 1024 * 1024);
  readonly drivers: Driver[] = [];
  readonly kicks: number[] = [];
  readonly calls: number[] = [];
  readonly #poller = new Poller();
  /** How long an answer may take, in milliseconds. */
  readonly #patience: number;

  constructor(path: string, patience: number) {
    this.fd = connectUnix(path, true, SOCK_STREAM);
    this.#patience = patience;
    this.#poller.add(this.fd);
  }

  /** Lets the other end work, when it is in this process. */
  turn(): void {}

  raw(bytes: Buffer, descriptors: readonly number[] = []): void {
    assert.equal(sendMessage(this.fd, bytes, descriptors), 0);
  }

  /** Sends a message and lets the back end handle it. */
  send(request: number, payload?: Buffer, descriptors: readonly number[] = [], flags = 1): void {
    this.raw(messageOf(request, payload, flags), descriptors);
    this.turn();
  }

  /** The next answer, or null when there is none. */
  reply(): Reply | null {
    this.#poller.wait(this.#patience);
    const head = receiveMessage(this.fd, 12);
    if (head === null || typeof head === 'number') return null;
    assert.equal(head.body.length, 12);
    const bytes = head.body.readUInt32LE(8);
    const rest = bytes === 0 ? null : receiveMessage(this.fd, bytes);
    assert.ok(typeof rest !== 'number');
    const payload = rest?.body ?? Buffer.alloc(0);
    assert.equal(payload.length, bytes);
    return {
      request: head.body.readUInt32LE(0),
      flags: head.body.readUInt32LE(4),
      payload,
      descriptors: [...head.descriptors, ...(rest?.descriptors ?? [])],
    };
  }

  /** Sends a request whose answer is one 64-bit number. */
  ask(request: number, payload?: Buffer, descriptors: readonly number[] = [], flags = 1): bigint {
    this.send(request, payload, descriptors, flags);
    const reply = this.reply();
    assert.ok(reply !== null, `request ${request} is answered`);
    assert.deepEqual([reply.request, reply.flags, reply.payload.length], [request, 5, 8]);
    return reply.payload.readBigUInt64LE(0);
  }

  /** Sends a request with need_reply; its acknowledgement. */
  acknowledged(request: number, payload?: Buffer, descriptors: readonly number[] = []): bigint {
    return this.ask(request, payload, descriptors, 9);
  }

  /** Whether the back end has closed its end. */
  get closed(): boolean {
    this.#poller.wait(this.#patience);
    return receiveMessage(this.fd, 1) === null;
  }

  region(): Buffer {
    const { guestAddress, bytes } = this.guest.region;
    return u64(0, guestAddress, bytes, USER_BASE, 0);
  }

  negotiate(features = FEATURES): void {
    this.ask(ID.GET_FEATURES);
    this.ask(ID.GET_PROTOCOL_FEATURES);
    this.send(ID.SET_PROTOCOL_FEATURES, u64(PROTOCOL_FEATURES));
    this.send(ID.SET_OWNER);
    this.send(ID.SET_FEATURES, u64(features));
  }

  share(): void {
    assert.equal(this.acknowledged(ID.ADD_MEM_REG, this.region(), [this.guest.fd]), 0n);
  }

  /** Says everything about a ring but that it is enabled, in QEMU's order. */
  setUp(
    index: number,
    options: { readonly size?: number; readonly logFlag?: boolean } = {},
  ): Driver {
    const size = options.size ?? 32;
    const driver = new Driver(this.guest, { at: index * 0x4000, size });
    this.drivers[index] = driver;
    this.kicks[index] ??= createEventFd();
    this.calls[index] ??= createEventFd();
    this.send(ID.SET_VRING_NUM, u32(index, size));
    this.send(ID.SET_VRING_BASE, u32(index, 0));
    this.send(ID.SET_VRING_ADDR, this.address(index, options.logFlag === true));
    this.send(ID.SET_VRING_KICK, u64(index), [this.kicks[index] as number]);
    this.send(ID.SET_VRING_CALL, u64(index), [this.calls[index] as number]);
    return driver;
  }

  /** index, flags, then descriptor, used, available, log. */
  address(index: number, logFlag = false): Buffer {
    const { desc, used, avail, guest } = this.drivers[index] as Driver;
    return Buffer.concat([
      u32(index, logFlag ? 1 : 0),
      u64(USER_BASE + desc, USER_BASE + used, USER_BASE + avail, guest.base + used),
    ]);
  }

  enable(index: number, on = true): void {
    this.send(ID.SET_VRING_ENABLE, u32(index, on ? 1 : 0));
  }

  /** Negotiated, memory shared, rings 0 to 2 served. */
  start(): this {
    this.negotiate();
    this.share();
    for (const index of [0, 1, 2]) this.setUp(index);
    for (const index of [0, 1, 2]) this.enable(index);
    return this;
  }

  /** Offers a request (virtio 1.2, 5.6.6.1) on ring 2 in two descriptors, or three with data-in. */
  offer(cdb: readonly number[], head = 0, inBytes = 0, lun = 0): void {
    const driver = this.drivers[2] as Driver;
    const at = 0x10_0000 + head * 0x4000;
    const request = Buffer.alloc(51);
    request.set([1, 0, 0, lun, 0, 0, 0, 0], 0);
    request.writeBigUInt64LE(BigInt(head + 1), 8);
    request.set(cdb, 19);
    this.guest.view.set(request, at);
    this.guest.view.fill(0xa5, at + 0x1000, at + 0x4000);
    driver.chain(
      [
        { at, length: 51 },
        { at: at + 0x1000, length: 108, write: true },
        ...(inBytes > 0 ? [{ at: at + 0x2000, length: inBytes, write: true }] : []),
      ],
      head,
    );
    driver.offer(head);
  }

  /** SCSI status and virtio response of the request at `head`. */
  outcome(head = 0): { readonly status: number; readonly response: number } {
    const at = 0x10_0000 + head * 0x4000 + 0x1000;
    return {
      status: this.guest.view[at + 10] as number,
      response: this.guest.view[at + 11] as number,
    };
  }

  /** Runs TEST UNIT READY until no unit attention is pending; every head is free again. */
  clear(): void {
    for (let i = 0; i < 8; i += 1) {
      this.offer([0, 0, 0, 0, 0, 0]);
      this.turn();
      assert.equal((this.drivers[2] as Driver).take()?.id, 0);
      if (this.outcome().status === 0) return;
    }
    assert.fail('unit attentions end');
  }

  /** Tells the other end that there is something on a ring. */
  kick(index: number): void {
    assert.equal(signalEventFd(this.kicks[index] as number), 0);
  }

  /** Lets go of the socket, the memory and the eventfds. */
  close(): void {
    this.#poller.close();
    close(this.fd);
    for (const fd of [...this.kicks, ...this.calls]) if (fd !== undefined) close(fd);
    this.guest.end();
  }
}
