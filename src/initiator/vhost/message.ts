/** vhost-user messages as a front end writes them: a header of three words, a payload, descriptors (vhost-user protocol, "Message Specification"). */
import { Buffer } from 'node:buffer';
import { close, EAGAIN, ECONNRESET, receiveMessage, sendMessage } from '../../libc.ts';
import { BackEndError, expect } from './back-end-error.ts';

/** Front-end message types. */
export const GET_FEATURES = 1;
export const SET_FEATURES = 2;
export const SET_OWNER = 3;
export const RESET_OWNER = 4;
export const SET_MEM_TABLE = 5;
export const SET_LOG_BASE = 6;
export const SET_LOG_FD = 7;
export const SET_VRING_NUM = 8;
export const SET_VRING_ADDR = 9;
export const SET_VRING_BASE = 10;
export const GET_VRING_BASE = 11;
export const SET_VRING_KICK = 12;
export const SET_VRING_CALL = 13;
export const SET_VRING_ERR = 14;
export const GET_PROTOCOL_FEATURES = 15;
export const SET_PROTOCOL_FEATURES = 16;
export const GET_QUEUE_NUM = 17;
export const SET_VRING_ENABLE = 18;
export const SET_BACKEND_REQ_FD = 21;
export const GET_INFLIGHT_FD = 31;
export const SET_INFLIGHT_FD = 32;
export const RESET_DEVICE = 34;
export const GET_MAX_MEM_SLOTS = 36;
export const ADD_MEM_REG = 37;
export const REM_MEM_REG = 38;
export const SET_STATUS = 39;
export const GET_STATUS = 40;

const VERSION = 1;
const REPLY = 4;
const NEED_REPLY = 8;
const HEADER_BYTES = 12;
const READ_BYTES = 4096;

/** One message and what the front end waits for after it. */
export interface Step {
  readonly request: number;
  readonly payload: Buffer;
  readonly descriptors: readonly number[];
  /** 'acknowledgement': sent with need_reply, and a zero comes back (REPLY_ACK). */
  readonly answer: 'data' | 'acknowledgement' | 'none';
}

export interface Reply {
  readonly request: number;
  readonly flags: number;
  readonly payload: Buffer;
  readonly descriptors: readonly number[];
}

/** Header and payload; `flags` beyond the version. */
export function encodeMessage(request: number, payload: Buffer, flags = 0): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(request, 0);
  header.writeUInt32LE(VERSION | flags, 4);
  header.writeUInt32LE(payload.length, 8);
  return Buffer.concat([header, payload]);
}

export function encodeStep(step: Step): Buffer {
  const flags = step.answer === 'acknowledgement' ? NEED_REPLY : 0;
  return encodeMessage(step.request, step.payload, flags);
}

/** Payload of 64-bit words. */
export function quads(...values: readonly (number | bigint)[]): Buffer {
  const payload = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => {
    payload.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), 8 * i);
  });
  return payload;
}

/** Payload "vring state": index, number. */
export function state(index: number, value: number): Buffer {
  const payload = Buffer.alloc(8);
  payload.writeUInt32LE(index >>> 0, 0);
  payload.writeUInt32LE(value >>> 0, 4);
  return payload;
}

/** The front end's end of the socket. Its descriptor is non-blocking and owned by this object. */
export class FrontEndSocket {
  readonly fd: number;
  /** The back end closed the connection. */
  ended = false;
  #bytes: Buffer = Buffer.alloc(0);
  #descriptors: number[] = [];

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Sends bytes as they are: 0 or -errno. */
  send(bytes: Buffer, descriptors: readonly number[] = []): number {
    return sendMessage(this.fd, bytes, descriptors);
  }

  /** The next reply, or null when none is complete. The descriptors are the caller's. */
  take(): Reply | null {
    this.#read();
    const bytes = this.#bytes;
    if (bytes.length < HEADER_BYTES) return null;
    const payloadBytes = bytes.readUInt32LE(8);
    expect(payloadBytes <= READ_BYTES, `replies with a payload of ${payloadBytes} bytes`);
    const end = HEADER_BYTES + payloadBytes;
    if (bytes.length < end) return null;
    const flags = bytes.readUInt32LE(4);
    if ((flags & REPLY) === 0)
      throw new BackEndError(`The vhost-user back end replies with flags ${flags}`);
    const reply = {
      request: bytes.readUInt32LE(0),
      flags,
      payload: Buffer.from(bytes.subarray(HEADER_BYTES, end)),
      descriptors: this.#descriptors,
    };
    this.#bytes = bytes.subarray(end);
    this.#descriptors = [];
    return reply;
  }

  /** Closes it, and the descriptors of replies that nobody took. */
  end(): void {
    this.#read();
    for (const fd of this.#descriptors.splice(0)) close(fd);
    close(this.fd);
  }

  #read(): void {
    while (!this.ended) {
      const got = receiveMessage(this.fd, READ_BYTES);
      if (got === -EAGAIN) return;
      if (got === null || got === -ECONNRESET) {
        this.ended = true;
        return;
      }
      if (typeof got === 'number')
        throw new BackEndError(`Reading a reply of the vhost-user back end failed: errno ${-got}`);
      this.#bytes = Buffer.concat([this.#bytes, got.body]);
      this.#descriptors.push(...got.descriptors);
    }
  }
}
