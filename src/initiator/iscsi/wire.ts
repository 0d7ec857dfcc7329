/** PDUs on a socket as an initiator sees them: framing, padding and digests (RFC 7143 11.2), written apart from the server's. */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const HEADER_BYTES = 48;
const NOTHING: Buffer = Buffer.alloc(0);
/** The polynomial 1EDC6F41h, reflected (RFC 7143 13.1). */
const POLYNOMIAL = 0x82f63b78;

export function digestOf(...pieces: readonly Uint8Array[]): number {
  let crc = 0xffffffff;
  for (const piece of pieces) {
    for (const byte of piece) {
      crc ^= byte;
      for (let i = 0; i < 8; i += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
    }
  }
  return (crc ^ 0xffffffff) >>> 0;
}

export interface WirePdu {
  readonly header: Buffer;
  readonly data: Buffer;
}

export class Wire {
  readonly socket: Socket;
  headerDigest = false;
  dataDigest = false;
  onPdu: (pdu: WirePdu) => void = () => undefined;
  onLost: (why: string) => void = () => undefined;
  #bytes: Buffer = Buffer.alloc(0);
  #lost = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#lose('the target closed the connection'));
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      while (!this.#lost && this.#take());
    });
  }

  static async connect(host: string, port: number): Promise<Wire> {
    const socket = connect(port, host);
    await once(socket, 'connect');
    return new Wire(socket);
  }

  /** Sends a PDU whose header lacks the lengths. */
  send(header: Buffer, data: Uint8Array = NOTHING, ahs: Uint8Array = NOTHING): void {
    this.socket.write(this.frame(header, data, ahs));
  }

  /** The bytes of a PDU: lengths, padding and digests in their places. */
  frame(header: Buffer, data: Uint8Array = NOTHING, ahs: Uint8Array = NOTHING): Buffer {
    header[4] = ahs.length / 4;
    header.writeUIntBE(data.length, 5, 3);
    const body = Buffer.concat([data, Buffer.alloc(-data.length & 3)]);
    const head = Buffer.concat([header, ahs]);
    const pieces: Buffer[] = [head];
    if (this.headerDigest) pieces.push(digestBytes(head));
    if (body.length > 0) {
      pieces.push(body);
      if (this.dataDigest) pieces.push(digestBytes(body));
    }
    return Buffer.concat(pieces);
  }

  end(): void {
    this.socket.destroy();
  }

  #take(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < HEADER_BYTES) return false;
    const length = bytes.readUIntBE(5, 3);
    const ahs = (bytes[4] as number) * 4;
    const padded = length + (-length & 3);
    const start = HEADER_BYTES + ahs + (this.headerDigest ? 4 : 0);
    const end = start + padded + (this.dataDigest && length > 0 ? 4 : 0);
    if (bytes.length < end) return false;
    this.#bytes = bytes.subarray(end);
    const header = bytes.subarray(0, HEADER_BYTES);
    const head = bytes.subarray(0, HEADER_BYTES + ahs);
    if (this.headerDigest && bytes.readUInt32LE(HEADER_BYTES + ahs) !== digestOf(head)) {
      this.#lose('a wrong header digest came');
      return false;
    }
    const body = bytes.subarray(start, start + padded);
    if (this.dataDigest && length > 0 && bytes.readUInt32LE(start + padded) !== digestOf(body)) {
      this.#lose('a wrong data digest came');
      return false;
    }
    this.onPdu({ header, data: body.subarray(0, length) });
    return true;
  }

  #lose(why: string): void {
    if (this.#lost) return;
    this.#lost = true;
    this.socket.destroy();
    this.onLost(why);
  }
}

function digestBytes(bytes: Uint8Array): Buffer {
  const digest = Buffer.alloc(4);
  digest.writeUInt32LE(digestOf(bytes));
  return digest;
}
