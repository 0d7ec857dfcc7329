/** The last self-tests of a logical unit, newest first: parameters of the Self-Test Results log page (SPC-4 7.3.17). */
import { ascOf, ascqOf, senseKeyOf } from '../sense.ts';

/** A self-test log parameter without its header. */
export const RESULT_BYTES = 16;
export const RESULTS = 20;

/** SELF-TEST RESULTS values (SPC-4 table 384). */
export const COMPLETED = 0x0;
export const ABORTED_BY_SEND_DIAGNOSTIC = 0x1;
export const ABORTED_OTHERWISE = 0x2;
export const FIRST_SEGMENT_FAILED = 0x5;
export const SECOND_SEGMENT_FAILED = 0x6;
const IN_PROGRESS = 0xf;

const CODE_SHIFT = 5;
const RESULT_MASK = 0x0f;
const MOST_HOURS = 0xffff;
const HOURS_AT = 2;
const ADDRESS_AT = 4;
const SENSE_AT = 12;
const TWO_32 = 2 ** 32;

/** What a test that failed stumbled over. */
export interface SelfTestFailure {
  /** 1: the medium could not be read; 2: the cache could not be flushed. */
  readonly segment: 1 | 2;
  /** First unreadable block; -1: no block was at fault. */
  readonly lba: number;
  readonly sense: number;
}

export class SelfTestResults {
  #results: Uint8Array[] = [];

  /** By parameter code less 1. */
  get all(): readonly Uint8Array[] {
    return this.#results;
  }

  /** A test of this SELF-TEST CODE has begun. */
  begin(code: number, hours: number): void {
    const result = new Uint8Array(RESULT_BYTES);
    const view = new DataView(result.buffer);
    result[0] = (code << CODE_SHIFT) | IN_PROGRESS;
    view.setUint16(HOURS_AT, Math.min(hours, MOST_HOURS));
    result.fill(0xff, ADDRESS_AT, SENSE_AT);
    this.#results = [result, ...this.#results].slice(0, RESULTS);
  }

  /** The test that has begun last is over. */
  end(outcome: number, failure: SelfTestFailure | null): void {
    const [result] = this.#results;
    if (result === undefined) return;
    result[0] = ((result[0] as number) & ~RESULT_MASK) | outcome;
    if (failure === null) return;
    const { segment, lba, sense } = failure;
    result[1] = segment;
    const view = new DataView(result.buffer);
    if (lba >= 0) {
      view.setUint32(ADDRESS_AT, Math.floor(lba / TWO_32));
      view.setUint32(ADDRESS_AT + 4, lba % TWO_32);
    }
    result.set([senseKeyOf(sense), ascOf(sense), ascqOf(sense)], SENSE_AT);
  }

  encode(): Uint8Array {
    return Uint8Array.from(this.#results.flatMap((result) => [...result]));
  }

  /** Takes over the results of an earlier life. A test that was in progress was ended by what ended that life. */
  resume(results: readonly Uint8Array[]): void {
    this.#results = results.map((result) => result.slice());
    const [newest] = this.#results;
    if (newest !== undefined && ((newest[0] as number) & RESULT_MASK) === IN_PROGRESS) {
      this.end(ABORTED_OTHERWISE, null);
    }
  }
}

/** What `SelfTestResults.encode` made these bytes from, or null. */
export function decodeResults(bytes: Uint8Array): Uint8Array[] | null {
  const count = bytes.length / RESULT_BYTES;
  if (!Number.isInteger(count) || count > RESULTS) return null;
  return Array.from({ length: count }, (_, i) =>
    bytes.slice(i * RESULT_BYTES, (i + 1) * RESULT_BYTES),
  );
}
