/** The control socket's language: length-prefixed MessagePack frames; greeting, requests, replies, events. Version 1. */
import { Buffer } from 'node:buffer';
import { isMap, PackedError, packValue, unpackValue } from './packed.ts';

export const PROTOCOL_NAME = 'ringscsi';
export const PROTOCOL_VERSION = 1;

/** Largest frame in either direction. The length is checked before anything is buffered. */
export const MAX_FRAME_BYTES = 1024 * 1024;
const HEADER_BYTES = 4;
const MAX_VERB_LENGTH = 64;

export type ControlErrorCode =
  /** The other end sent something that is not a frame or not a message. */
  | 'ERR_CONTROL_FRAME'
  /** The other end speaks another version, or is not ringscsi. */
  | 'ERR_CONTROL_VERSION'
  /** The connection ended before the answer. */
  | 'ERR_CONTROL_CLOSED'
  /** No answer in time. */
  | 'ERR_CONTROL_TIMEOUT'
  /** The socket path cannot be used. */
  | 'ERR_CONTROL_ADDRESS';

/** The control connection itself failed. */
export class ControlError extends Error {
  readonly code: ControlErrorCode;
  constructor(code: ControlErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** A request was understood and refused by the other end; `code` is the one of the error it met. */
export class RefusedError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** First frame in each direction. */
export interface Greeting {
  readonly name: string;
  readonly version: number;
}

export interface Request {
  /** Chosen by the client, comes back in the reply. */
  readonly id: number;
  readonly verb: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export type Reply =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | {
      readonly id: number;
      readonly ok: false;
      readonly error: { readonly code: string; readonly message: string };
    };

/** Sent by the server unasked for. */
export interface Event {
  readonly event: string;
  readonly value: unknown;
}

export const GREETING: Greeting = { name: PROTOCOL_NAME, version: PROTOCOL_VERSION };

/** One frame: 4 bytes of big-endian length, then the value. Throws ControlError when the value is too large. */
export function encodeFrame(value: Greeting | Request | Reply | Event): Buffer {
  const body = packValue(value);
  if (body.length > MAX_FRAME_BYTES) {
    throw new ControlError(
      'ERR_CONTROL_FRAME',
      `Cannot send a frame of ${body.length} bytes: at most ${MAX_FRAME_BYTES} fit`,
    );
  }
  const frame = Buffer.alloc(HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, HEADER_BYTES);
  return frame;
}

/** Cuts a byte stream into frames. Holds at most one frame, whose length was checked before it got a buffer. */
export class FrameReader {
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #body: Buffer | null = null;
  #bodyBytes = 0;

  /** Takes the next bytes of the stream; `onFrame` gets each body that is complete. Throws ControlError. */
  push(chunk: Uint8Array, onFrame: (body: Uint8Array) => void): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#body === null) {
        this.#header[this.#headerBytes++] = chunk[at++] ?? 0;
        if (this.#headerBytes === HEADER_BYTES) this.#begin();
        continue;
      }
      const take = Math.min(chunk.length - at, this.#body.length - this.#bodyBytes);
      this.#body.set(chunk.subarray(at, at + take), this.#bodyBytes);
      at += take;
      this.#bodyBytes += take;
      if (this.#bodyBytes < this.#body.length) continue;
      const body = this.#body;
      this.#body = null;
      this.#headerBytes = 0;
      onFrame(body);
    }
  }

  #begin(): void {
    const length = this.#header.readUInt32BE(0);
    if (length === 0 || length > MAX_FRAME_BYTES) {
      throw new ControlError(
        'ERR_CONTROL_FRAME',
        `Cannot receive a frame of ${length} bytes: 1 to ${MAX_FRAME_BYTES} are allowed`,
      );
    }
    this.#body = Buffer.alloc(length);
    this.#bodyBytes = 0;
  }
}

function notA(what: string, why: string): never {
  throw new ControlError('ERR_CONTROL_FRAME', `Cannot read ${what}: ${why}`);
}

function unpackMap(body: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = unpackValue(body);
  } catch (error) {
    if (error instanceof PackedError) notA(what, error.message);
    throw error;
  }
  return isMap(value) ? value : notA(what, 'it is not a map');
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32;
}

/** Reads the first frame of the other end. Throws ControlError: not ringscsi, or another version of it. */
export function readGreeting(body: Uint8Array): Greeting {
  const { name, version } = unpackMap(body, 'the greeting');
  if (name !== PROTOCOL_NAME || typeof version !== 'number') {
    throw new ControlError(
      'ERR_CONTROL_VERSION',
      'The other end of the control socket is not ringscsi',
    );
  }
  if (version !== PROTOCOL_VERSION) {
    throw new ControlError(
      'ERR_CONTROL_VERSION',
      `The other end speaks control protocol version ${version}, this end ${PROTOCOL_VERSION}: use the same ringscsi release on both`,
    );
  }
  return { name, version };
}

/** Throws ControlError when the frame is no request. */
export function readRequest(body: Uint8Array): Request {
  const { id, verb, args } = unpackMap(body, 'a request');
  if (!isId(id)) return notA('a request', 'its id is no 32-bit number');
  if (typeof verb !== 'string' || verb.length === 0 || verb.length > MAX_VERB_LENGTH) {
    return notA('a request', `its verb is no string of 1 to ${MAX_VERB_LENGTH} characters`);
  }
  if (args === undefined || args === null) return { id, verb, args: {} };
  return isMap(args) ? { id, verb, args } : notA('a request', 'its args are no map');
}

/** What a server sends after its greeting. Throws ControlError. */
export function readServerMessage(body: Uint8Array): Reply | Event {
  const message = unpackMap(body, 'a message of the daemon');
  const { id, ok, value, error, event } = message;
  if (typeof event === 'string') return { event, value };
  if (!isId(id)) return notA('a reply', 'its id is no 32-bit number');
  if (ok === true) return { id, ok, value };
  if (ok !== false || !isMap(error)) return notA('a reply', 'it neither succeeds nor fails');
  const { code, message: text } = error;
  if (typeof code !== 'string' || typeof text !== 'string') {
    return notA('a reply', 'its error has no code and message');
  }
  return { id, ok, error: { code, message: text } };
}
