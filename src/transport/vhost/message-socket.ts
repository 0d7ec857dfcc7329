/** The socket of a front end, a stream: cuts it into messages, each with the descriptors that came with it. */
import { Buffer } from 'node:buffer';
import {
  close,
  EAGAIN,
  ECONNRESET,
  errorName,
  type ReceivedMessage,
  receiveMessage,
  sendMessage,
} from '../../libc.ts';
import {
  HEADER_BYTES,
  MAX_DESCRIPTORS,
  payloadBytes,
  readMessage,
  type VhostMessage,
  VhostProtocolError,
} from './message.ts';

export class MessageSocket {
  readonly fd: number;
  /** What was read of the next message. */
  #header: Buffer = Buffer.alloc(0);
  #payload: Buffer = Buffer.alloc(0);
  #descriptors: number[] = [];

  /** `fd` is non-blocking and owned by this object. */
  constructor(fd: number) {
    this.fd = fd;
  }

  /** The next whole message, or null. Its descriptors are the caller's. Throws VhostProtocolError: this is the end. */
  receive(): VhostMessage | null {
    if (this.#header.length < HEADER_BYTES) {
      this.#header = this.#more(this.#header, HEADER_BYTES);
      if (this.#header.length < HEADER_BYTES) return null;
    }
    const bytes = payloadBytes(this.#header);
    if (this.#payload.length < bytes) {
      this.#payload = this.#more(this.#payload, bytes);
      if (this.#payload.length < bytes) return null;
    }
    const message = readMessage(this.#header, this.#payload, this.#descriptors);
    this.#descriptors = [];
    this.#header = Buffer.alloc(0);
    this.#payload = Buffer.alloc(0);
    return message;
  }

  /** Sends an answer. Returns why it could not be sent, or null. */
  send(bytes: Buffer, descriptors: readonly number[]): string | null {
    const sent = sendMessage(this.fd, bytes, descriptors);
    return sent < 0 ? errorName(-sent) : null;
  }

  /** Closes the socket, and the descriptors of a message that never became whole. */
  close(): void {
    for (const fd of this.#descriptors) close(fd);
    this.#descriptors = [];
    close(this.fd);
  }

  /** Appends what comes, up to `bytes` in all. */
  #more(part: Buffer, bytes: number): Buffer {
    const got = receiveMessage(this.fd, bytes - part.length);
    if (got === -EAGAIN) return part;
    // ECONNRESET: it closed without having read all that was sent to it.
    if (got === null || got === -ECONNRESET) {
      const half = part.length > 0 || this.#header.length > 0;
      const where = half ? ' in the middle of a message' : '';
      throw new VhostProtocolError(`the front end closed the connection${where}`);
    }
    if (typeof got === 'number') {
      throw new VhostProtocolError(`the connection failed: ${errorName(-got)}`);
    }
    this.#takeDescriptors(got);
    return Buffer.concat([part, got.body]);
  }

  #takeDescriptors({ descriptors, truncated }: ReceivedMessage): void {
    this.#descriptors.push(...descriptors);
    if (truncated || this.#descriptors.length > MAX_DESCRIPTORS) {
      throw new VhostProtocolError(
        `a message with more than ${MAX_DESCRIPTORS} descriptors; none has that many`,
      );
    }
  }
}
