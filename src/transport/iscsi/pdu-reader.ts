/**
 * Cuts the byte stream of a connection into PDUs, with lengths checked before memory is asked for, and digests.
 *
 *   HEADER --48 bytes--> REST (AHS, header digest) --> DATA (data, padding, data digest) --> HEADER
 */
import { Buffer } from 'node:buffer';
import { crc32c } from './crc32c.ts';
import { BHS, BHS_BYTES, DIGEST_BYTES, type Pdu, paddingBytes } from './pdu.ts';

const HEADER = 0;
const REST = 1;
const DATA = 2;
const NOTHING: Buffer = Buffer.alloc(0);

export interface PduSink {
  /** Called with each PDU, in order; never after `onBroken`. */
  onPdu(pdu: Pdu): void;
  /** The stream cannot be followed any further. Called once. */
  onBroken(why: string): void;
}

export class PduReader {
  /** Most bytes of a data segment: MaxRecvDataSegmentLength as declared. */
  maxDataBytes: number;
  /** Whether PDUs from the next one on carry digests. */
  headerDigest = false;
  dataDigest = false;
  readonly #sink: PduSink;
  #phase = HEADER;
  #need = BHS_BYTES;
  /** What was collected of `#need` bytes, when one chunk did not have them all. */
  #partial: Buffer | null = null;
  #partialBytes = 0;
  #header: Buffer = NOTHING;
  #ahs: Buffer = NOTHING;
  #stopped = false;

  constructor(sink: PduSink, maxDataBytes: number) {
    this.#sink = sink;
    this.maxDataBytes = maxDataBytes;
  }

  /** No PDU is delivered any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Takes what the socket gave. */
  push(chunk: Buffer): void {
    let at = 0;
    while (!this.#stopped) {
      const missing = this.#need - this.#partialBytes;
      const left = chunk.length - at;
      if (left < missing) {
        if (left > 0) this.#keep(chunk, at, left);
        return;
      }
      let whole: Buffer;
      if (this.#partial === null) whole = chunk.subarray(at, at + missing);
      else {
        chunk.copy(this.#partial, this.#partialBytes, at, at + missing);
        whole = this.#partial;
      }
      at += missing;
      this.#partial = null;
      this.#partialBytes = 0;
      this.#step(whole);
    }
  }

  #keep(chunk: Buffer, at: number, bytes: number): void {
    this.#partial ??= Buffer.alloc(this.#need);
    chunk.copy(this.#partial, this.#partialBytes, at, at + bytes);
    this.#partialBytes += bytes;
  }

  #break(why: string): void {
    this.#stopped = true;
    this.#sink.onBroken(why);
  }

  #step(bytes: Buffer): void {
    if (this.#phase === HEADER) this.#takeHeader(bytes);
    else if (this.#phase === REST) this.#takeRest(bytes);
    else this.#takeData(bytes);
  }

  #takeHeader(bytes: Buffer): void {
    const dataBytes = bytes.readUIntBE(BHS.at.dataBytes, 3);
    if (dataBytes > this.maxDataBytes) {
      this.#break(`a data segment of ${dataBytes} bytes, ${this.maxDataBytes} are allowed`);
      return;
    }
    this.#header = bytes;
    const rest = this.#ahsBytes() + (this.headerDigest ? DIGEST_BYTES : 0);
    if (rest > 0) this.#await(REST, rest);
    else this.#takeRest(NOTHING);
  }

  #ahsBytes(): number {
    return (this.#header[BHS.at.ahsWords] as number) * 4;
  }

  #takeRest(bytes: Buffer): void {
    const ahsBytes = this.#ahsBytes();
    this.#ahs = bytes.subarray(0, ahsBytes);
    if (this.headerDigest) {
      const digest = crc32c(this.#ahs, crc32c(this.#header));
      if (digest !== bytes.readUInt32LE(ahsBytes)) {
        this.#break('header digest error');
        return;
      }
    }
    const dataBytes = this.#header.readUIntBE(BHS.at.dataBytes, 3);
    if (dataBytes === 0) {
      this.#deliver(NOTHING, false);
      return;
    }
    const digest = this.dataDigest ? DIGEST_BYTES : 0;
    this.#await(DATA, dataBytes + paddingBytes(dataBytes) + digest);
  }

  #takeData(bytes: Buffer): void {
    const dataBytes = this.#header.readUIntBE(BHS.at.dataBytes, 3);
    const padded = dataBytes + paddingBytes(dataBytes);
    const damaged =
      this.dataDigest && crc32c(bytes.subarray(0, padded)) !== bytes.readUInt32LE(padded);
    this.#deliver(bytes.subarray(0, dataBytes), damaged);
  }

  #await(phase: number, bytes: number): void {
    this.#phase = phase;
    this.#need = bytes;
  }

  #deliver(data: Buffer, damaged: boolean): void {
    const pdu: Pdu = { header: this.#header, ahs: this.#ahs, data, damaged };
    this.#header = NOTHING;
    this.#ahs = NOTHING;
    this.#await(HEADER, BHS_BYTES);
    this.#sink.onPdu(pdu);
  }
}
