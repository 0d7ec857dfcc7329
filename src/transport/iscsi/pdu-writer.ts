/** Puts PDUs together: header, padding, digests, in one piece of memory each, corked so that a batch is one system call. */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { crc32c } from './crc32c.ts';
import { BHS, BHS_BYTES, DIGEST_BYTES, FINAL, paddingBytes } from './pdu.ts';

/** The part of a socket that is written to. */
export type PduSocket = Pick<Socket, 'write' | 'cork' | 'uncork'>;

/** An empty header of the target, FINAL set. */
export function newHeader(opcode: number, itt: number): Buffer {
  const header = Buffer.alloc(BHS_BYTES);
  header[BHS.at.opcode] = opcode;
  header[BHS.at.flags] = FINAL;
  header.writeUInt32BE(itt, BHS.at.itt);
  return header;
}

export class PduWriter {
  headerDigest = false;
  dataDigest = false;
  readonly #socket: PduSocket;
  #corked = false;

  constructor(socket: PduSocket) {
    this.#socket = socket;
  }

  /** Sends a header (its data length is filled in) with a data segment. */
  send(header: Buffer, data: Uint8Array | null = null): void {
    const dataBytes = data === null ? 0 : data.length;
    const padded = dataBytes + paddingBytes(dataBytes);
    header.writeUIntBE(dataBytes, BHS.at.dataBytes, 3);
    const start = BHS_BYTES + (this.headerDigest ? DIGEST_BYTES : 0);
    const digest = this.dataDigest && dataBytes > 0 ? DIGEST_BYTES : 0;
    const bytes = Buffer.alloc(start + padded + digest);
    header.copy(bytes);
    if (this.headerDigest) bytes.writeUInt32LE(crc32c(header), BHS_BYTES);
    if (data !== null) bytes.set(data, start);
    if (digest > 0) {
      bytes.writeUInt32LE(crc32c(bytes.subarray(start, start + padded)), start + padded);
    }
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(bytes);
  }
}
