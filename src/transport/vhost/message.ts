/**
 * vhost-user messages (vhost-user protocol, "Message Specification"): a header of three 32-bit words, then a payload in the
 * byte order of the host.
 *
 *     request 4 | flags 4: version 2 bits, reply 1, need_reply 1 | payload size 4 | payload
 */
import { Buffer } from 'node:buffer';
import { record } from '../../record.ts';

export const HEADER = record(12, { request: 'u32le', flags: 'u32le', size: 'u32le' });
export const HEADER_BYTES = HEADER.size;

/** Longest payload of a message that is taken: a piece of configuration space, 12 bytes about it and at most 256 of it. */
export const MAX_PAYLOAD_BYTES = 12 + 256;
/** Most descriptors that come with one message. */
export const MAX_DESCRIPTORS = 8;

const VERSION_MASK = 0x3;
const VERSION = 0x1;
const REPLY = 0x4;
const NEED_REPLY = 0x8;

/** Requests of the front end. */
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
export const GET_CONFIG = 24;
export const SET_CONFIG = 25;
export const GET_INFLIGHT_FD = 31;
export const SET_INFLIGHT_FD = 32;
export const RESET_DEVICE = 34;
export const GET_MAX_MEM_SLOTS = 36;
export const ADD_MEM_REG = 37;
export const REM_MEM_REG = 38;
export const SET_STATUS = 39;
export const GET_STATUS = 40;

/** What a request looks like when it comes: bytes of its payload, and how many descriptors come with it. */
interface Shape {
  readonly name: string;
  readonly bytes: number;
  /** Fewer bytes, as some front ends leave the padding at the end out. */
  readonly leastBytes?: number;
  readonly descriptors: 'none' | 'one' | 'optional' | 'regions';
  /** Its handler answers it, with data or a refusal: an acknowledgement would be a second answer. */
  readonly answered?: boolean;
}

const U64 = 8;
const VRING_STATE = 8;
export const VRING_ADDRESS_BYTES = 40;
export const REGION_BYTES = 32;
export const MEMORY_SLOT_BYTES = 8 + REGION_BYTES;
export const LOG_BYTES = 16;
export const INFLIGHT_BYTES = 24;
const INFLIGHT_LEAST_BYTES = 20;
/** SET_MEM_TABLE: count, padding, then a region each. */
export const TABLE_HEADER_BYTES = 8;
export const MAX_TABLE_REGIONS = 8;

const SHAPES: ReadonlyMap<number, Shape> = new Map<number, Shape>([
  [GET_FEATURES, { name: 'GET_FEATURES', bytes: 0, descriptors: 'none', answered: true }],
  [SET_FEATURES, { name: 'SET_FEATURES', bytes: U64, descriptors: 'none' }],
  [SET_OWNER, { name: 'SET_OWNER', bytes: 0, descriptors: 'none' }],
  [RESET_OWNER, { name: 'RESET_OWNER', bytes: 0, descriptors: 'none' }],
  [SET_MEM_TABLE, { name: 'SET_MEM_TABLE', bytes: -1, descriptors: 'regions' }],
  [SET_LOG_BASE, { name: 'SET_LOG_BASE', bytes: LOG_BYTES, descriptors: 'one', answered: true }],
  [SET_LOG_FD, { name: 'SET_LOG_FD', bytes: 0, descriptors: 'one' }],
  [SET_VRING_NUM, { name: 'SET_VRING_NUM', bytes: VRING_STATE, descriptors: 'none' }],
  [SET_VRING_ADDR, { name: 'SET_VRING_ADDR', bytes: VRING_ADDRESS_BYTES, descriptors: 'none' }],
  [SET_VRING_BASE, { name: 'SET_VRING_BASE', bytes: VRING_STATE, descriptors: 'none' }],
  [
    GET_VRING_BASE,
    { name: 'GET_VRING_BASE', bytes: VRING_STATE, descriptors: 'none', answered: true },
  ],
  [SET_VRING_KICK, { name: 'SET_VRING_KICK', bytes: U64, descriptors: 'optional' }],
  [SET_VRING_CALL, { name: 'SET_VRING_CALL', bytes: U64, descriptors: 'optional' }],
  [SET_VRING_ERR, { name: 'SET_VRING_ERR', bytes: U64, descriptors: 'optional' }],
  [
    GET_PROTOCOL_FEATURES,
    { name: 'GET_PROTOCOL_FEATURES', bytes: 0, descriptors: 'none', answered: true },
  ],
  [SET_PROTOCOL_FEATURES, { name: 'SET_PROTOCOL_FEATURES', bytes: U64, descriptors: 'none' }],
  [GET_QUEUE_NUM, { name: 'GET_QUEUE_NUM', bytes: 0, descriptors: 'none', answered: true }],
  [SET_VRING_ENABLE, { name: 'SET_VRING_ENABLE', bytes: VRING_STATE, descriptors: 'none' }],
  [SET_BACKEND_REQ_FD, { name: 'SET_BACKEND_REQ_FD', bytes: 0, descriptors: 'one' }],
  [GET_CONFIG, { name: 'GET_CONFIG', bytes: -1, descriptors: 'none', answered: true }],
  [SET_CONFIG, { name: 'SET_CONFIG', bytes: -1, descriptors: 'none', answered: true }],
  [
    GET_INFLIGHT_FD,
    {
      name: 'GET_INFLIGHT_FD',
      bytes: INFLIGHT_BYTES,
      leastBytes: INFLIGHT_LEAST_BYTES,
      descriptors: 'none',
      answered: true,
    },
  ],
  [
    SET_INFLIGHT_FD,
    {
      name: 'SET_INFLIGHT_FD',
      bytes: INFLIGHT_BYTES,
      leastBytes: INFLIGHT_LEAST_BYTES,
      descriptors: 'one',
    },
  ],
  [RESET_DEVICE, { name: 'RESET_DEVICE', bytes: 0, descriptors: 'none' }],
  [GET_MAX_MEM_SLOTS, { name: 'GET_MAX_MEM_SLOTS', bytes: 0, descriptors: 'none', answered: true }],
  [ADD_MEM_REG, { name: 'ADD_MEM_REG', bytes: MEMORY_SLOT_BYTES, descriptors: 'one' }],
  [REM_MEM_REG, { name: 'REM_MEM_REG', bytes: MEMORY_SLOT_BYTES, descriptors: 'optional' }],
  [SET_STATUS, { name: 'SET_STATUS', bytes: U64, descriptors: 'none' }],
  [GET_STATUS, { name: 'GET_STATUS', bytes: 0, descriptors: 'none', answered: true }],
]);

/** Requests that belong to protocol features which are not offered, by name for the log. */
const NOT_OFFERED: ReadonlyMap<number, string> = new Map([
  [19, 'SEND_RARP'],
  [20, 'NET_SET_MTU'],
  [22, 'IOTLB_MSG'],
  [23, 'SET_VRING_ENDIAN'],
  [26, 'CREATE_CRYPTO_SESSION'],
  [27, 'CLOSE_CRYPTO_SESSION'],
  [28, 'POSTCOPY_ADVISE'],
  [29, 'POSTCOPY_LISTEN'],
  [30, 'POSTCOPY_END'],
  [33, 'GPU_SET_SOCKET'],
  [35, 'VRING_KICK'],
]);

/** What a front end sent breaks the protocol. The message names the request and the field. */
export class VhostProtocolError extends Error {
  readonly code = 'ERR_VHOST_PROTOCOL';
}

/** One message as it came: header checked, payload of its length, its descriptors. */
export interface VhostMessage {
  readonly request: number;
  readonly name: string;
  readonly needReply: boolean;
  /** Its handler answers it: an acknowledgement would be a second answer. */
  readonly answered: boolean;
  readonly payload: Buffer;
  readonly descriptors: readonly number[];
}

/** Length of the payload that a header announces. Throws VhostProtocolError when it cannot be one. */
export function payloadBytes(header: Buffer): number {
  const request = header.readUInt32LE(HEADER.at.request);
  const flags = header.readUInt32LE(HEADER.at.flags);
  const size = header.readUInt32LE(HEADER.at.size);
  const shape = SHAPES.get(request);
  if (shape === undefined) {
    const unserved = NOT_OFFERED.get(request);
    throw new VhostProtocolError(
      unserved === undefined
        ? `request ${request} is unknown`
        : `${unserved}: request ${request} belongs to a protocol feature that was not offered`,
    );
  }
  const { name } = shape;
  if ((flags & VERSION_MASK) !== VERSION) {
    throw new VhostProtocolError(`${name}: flags version ${flags & VERSION_MASK} is not 1`);
  }
  if ((flags & REPLY) !== 0) throw new VhostProtocolError(`${name}: flags say it is a reply`);
  if (size > MAX_PAYLOAD_BYTES) {
    throw new VhostProtocolError(
      `${name}: size ${size} is more than any payload, ${MAX_PAYLOAD_BYTES}`,
    );
  }
  // Some front ends send a request without payload with one of 8 bytes.
  const most = shape.bytes === 0 ? U64 : shape.bytes;
  const least = shape.leastBytes ?? shape.bytes;
  if (shape.bytes >= 0 && size !== shape.bytes && size !== most && size !== least) {
    throw new VhostProtocolError(`${name}: size ${size}, its payload has ${shape.bytes} bytes`);
  }
  return size;
}

function checkDescriptors(name: string, shape: Shape, payload: Buffer, count: number): void {
  let most = shape.descriptors === 'none' ? 0 : 1;
  if (shape.descriptors === 'regions') most = payload.readUInt32LE(0);
  const least = shape.descriptors === 'optional' ? 0 : most;
  if (count < least || count > most) {
    const wanted = least === most ? `${most}` : `${least} or ${most}`;
    throw new VhostProtocolError(`${name}: ${count} descriptors came, ${wanted} belong to it`);
  }
}

function checkTable(payload: Buffer): void {
  const count = payload.length < TABLE_HEADER_BYTES ? -1 : payload.readUInt32LE(0);
  const expected = TABLE_HEADER_BYTES + count * REGION_BYTES;
  if (count < 0 || count > MAX_TABLE_REGIONS) {
    throw new VhostProtocolError(
      `SET_MEM_TABLE: num_regions ${count}, at most ${MAX_TABLE_REGIONS} are served`,
    );
  }
  // Front ends send the whole table whatever they filled in of it, or only that.
  if (payload.length < expected) {
    throw new VhostProtocolError(
      `SET_MEM_TABLE: size ${payload.length}, ${count} regions have ${expected} bytes`,
    );
  }
}

/** Puts a message together. Throws VhostProtocolError; the descriptors stay the caller's then. */
export function readMessage(
  header: Buffer,
  payload: Buffer,
  descriptors: readonly number[],
): VhostMessage {
  const request = header.readUInt32LE(HEADER.at.request);
  const shape = SHAPES.get(request);
  if (shape === undefined) throw new VhostProtocolError(`unknown request ${request}`);
  if (request === SET_MEM_TABLE) checkTable(payload);
  checkDescriptors(shape.name, shape, payload, descriptors.length);
  return {
    request,
    name: shape.name,
    needReply: (header.readUInt32LE(HEADER.at.flags) & NEED_REPLY) !== 0,
    answered: shape.answered === true,
    payload,
    descriptors,
  };
}

/** A 64-bit field as an exact number. Throws VhostProtocolError naming it when it is not one. */
export function exact(message: VhostMessage, field: string, at: number): number {
  const value = message.payload.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new VhostProtocolError(`${message.name}: ${field} 0x${value.toString(16)} is past 2^53`);
  }
  return Number(value);
}

/** An answer: the header of the request with the reply flag, and a payload. */
export function encodeReply(request: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(request, HEADER.at.request);
  header.writeUInt32LE(VERSION | REPLY, HEADER.at.flags);
  header.writeUInt32LE(payload.length, HEADER.at.size);
  return Buffer.concat([header, payload]);
}

/** An answer of one 64-bit number: features, counts, acknowledgements (0 is done). */
export function encodeNumber(request: number, value: bigint): Buffer {
  const payload = Buffer.alloc(U64);
  payload.writeBigUInt64LE(value);
  return encodeReply(request, payload);
}
