/** Data of one write on its way in: immediate, unsolicited, then as R2Ts ask for it, every number checked (RFC 7143 4.2.5, 11.7, 11.8). */
import { ABORTED_COMMAND, packSense } from '../../scsi/sense.ts';
import type { Parameters } from './negotiation.ts';
import { NO_TAG } from './pdu.ts';

/** Sense of failures of the transport (RFC 7143 11.4.7.2). */
export const UNEXPECTED_UNSOLICITED_DATA: number = packSense(ABORTED_COMMAND, 0x0c, 0x0c);
export const INCORRECT_AMOUNT_OF_DATA: number = packSense(ABORTED_COMMAND, 0x0c, 0x0d);
export const PROTOCOL_SERVICE_CRC_ERROR: number = packSense(ABORTED_COMMAND, 0x47, 0x05);

/** One R2T that is not fulfilled yet. */
interface Solicitation {
  readonly ttt: number;
  readonly end: number;
  nextDataSN: number;
}

/** What the next R2T asks for. */
export interface DataRequest {
  readonly ttt: number;
  readonly r2tSN: number;
  readonly offset: number;
  readonly length: number;
}

/**
 * Data comes strictly in order (DataPDUInOrder, DataSequenceInOrder = Yes). After the first mistake nothing is taken any
 * more, but the open sequences are heard to their end before the command is answered.
 */
export class DataOutTransfer {
  /** Packed sense of the first mistake, or 0. */
  sense = 0;
  /** Bytes that came, from the start without a gap. */
  received = 0;
  #expected = 0;
  #wanted = 0;
  #asked = 0;
  #unsolicited = false;
  #unsolicitedSN = 0;
  #unsolicitedEnd = 0;
  #r2tSN = 0;
  readonly #open: Solicitation[] = [];

  /**
   * A write of `expected` bytes begins, of which `wanted` have room here. Its command PDU carried `immediate` bytes and
   * was `final` when no unsolicited Data-Out follows.
   */
  begin(
    expected: number,
    wanted: number,
    immediate: number,
    final: boolean,
    parameters: Parameters,
  ): void {
    this.sense = 0;
    this.#expected = expected;
    this.#wanted = wanted;
    this.#unsolicited = !final;
    this.#unsolicitedSN = 0;
    this.#unsolicitedEnd = Math.min(expected, parameters.firstBurstBytes);
    this.#r2tSN = 0;
    this.#open.length = 0;
    if ((immediate > 0 && !parameters.immediateData) || (!final && parameters.initialR2T)) {
      this.sense = UNEXPECTED_UNSOLICITED_DATA;
    } else if (immediate > this.#unsolicitedEnd) this.sense = INCORRECT_AMOUNT_OF_DATA;
    this.received = this.sense === 0 ? immediate : 0;
    this.#asked = this.received;
  }

  /** Nothing more is to come. */
  get complete(): boolean {
    if (this.#unsolicited || this.#open.length > 0) return false;
    return this.sense !== 0 || this.received >= this.#wanted;
  }

  /** R2Ts and sequences so far. */
  get r2tCount(): number {
    return this.#r2tSN;
  }

  /** The data of this command cannot be trusted. */
  fail(sense: number): void {
    if (this.sense === 0) this.sense = sense;
  }

  /** A Data-Out has come. True when its data are to be kept; `damaged`: its digest was wrong. */
  accept(
    ttt: number,
    dataSN: number,
    offset: number,
    bytes: number,
    final: boolean,
    damaged: boolean,
  ): boolean {
    return ttt === NO_TAG
      ? this.#acceptUnsolicited(dataSN, offset, bytes, final, damaged)
      : this.#acceptSolicited(ttt, dataSN, offset, bytes, final, damaged);
  }

  /** The next R2T to send, or null when none may be sent now. */
  nextRequest(ttt: number, parameters: Parameters): DataRequest | null {
    if (this.#unsolicited || this.sense !== 0 || this.#asked >= this.#wanted) return null;
    if (this.#open.length >= parameters.maxOutstandingR2T) return null;
    const offset = this.#asked;
    const length = Math.min(parameters.maxBurstBytes, this.#wanted - offset);
    const request = { ttt, r2tSN: this.#r2tSN, offset, length };
    this.#open.push({ ttt, end: offset + length, nextDataSN: 0 });
    this.#asked += length;
    this.#r2tSN += 1;
    return request;
  }

  #acceptUnsolicited(
    dataSN: number,
    offset: number,
    bytes: number,
    final: boolean,
    damaged: boolean,
  ): boolean {
    if (!this.#unsolicited) {
      // Data that nobody waits for: the command cannot end well.
      this.fail(UNEXPECTED_UNSOLICITED_DATA);
      return false;
    }
    if (final) this.#unsolicited = false;
    const sound = this.#check(dataSN, this.#unsolicitedSN, offset, damaged);
    this.#unsolicitedSN += 1;
    if (sound && offset + bytes > this.#unsolicitedEnd) this.fail(INCORRECT_AMOUNT_OF_DATA);
    const kept = this.#keep(bytes);
    this.#asked = this.received;
    return kept;
  }

  #acceptSolicited(
    ttt: number,
    dataSN: number,
    offset: number,
    bytes: number,
    final: boolean,
    damaged: boolean,
  ): boolean {
    const index = this.#open.findIndex((one) => one.ttt === ttt);
    const sequence = this.#open[index];
    if (sequence === undefined) {
      this.fail(PROTOCOL_SERVICE_CRC_ERROR);
      return false;
    }
    if (index > 0) this.fail(PROTOCOL_SERVICE_CRC_ERROR);
    const sound = this.#check(dataSN, sequence.nextDataSN, offset, damaged);
    sequence.nextDataSN += 1;
    const end = offset + bytes;
    if (sound && (end > sequence.end || (final && end < sequence.end))) {
      this.fail(INCORRECT_AMOUNT_OF_DATA);
    }
    if (final) this.#open.splice(index, 1);
    return this.#keep(bytes);
  }

  #check(dataSN: number, expectedSN: number, offset: number, damaged: boolean): boolean {
    if (damaged || dataSN !== expectedSN || offset !== this.received) {
      this.fail(PROTOCOL_SERVICE_CRC_ERROR);
    }
    return this.sense === 0;
  }

  #keep(bytes: number): boolean {
    if (this.sense !== 0) return false;
    this.received = Math.min(this.#expected, this.received + bytes);
    return true;
  }
}
