/** EDC and P and Q parity of data sectors (ECMA-130 14.3 to 14.5, annex A). */

/** The EDC polynomial x^32 + x^31 + x^16 + x^15 + x^4 + x^3 + x + 1, least significant bit first. */
const EDC_POLYNOMIAL = 0xd8018001;

function edcRemainder(byte: number): number {
  let edc = byte;
  for (let bit = 0; bit < 8; bit += 1) edc = (edc >>> 1) ^ ((edc & 1) === 0 ? 0 : EDC_POLYNOMIAL);
  return edc >>> 0;
}

const EDC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => edcRemainder(byte));

/** EDC of bytes [from, end). */
export function edc(bytes: Uint8Array, from: number, end: number): number {
  let value = 0;
  for (let i = from; i < end; i += 1) {
    value = (value >>> 8) ^ (EDC_TABLE[(value ^ (bytes[i] as number)) & 0xff] as number);
  }
  return value >>> 0;
}

/** Writes the EDC of bytes [from, end) behind them, least significant byte first. */
export function putEdc(bytes: Uint8Array, from: number, end: number): void {
  const value = edc(bytes, from, end);
  for (let i = 0; i < 4; i += 1) bytes[end + i] = value >>> (8 * i);
}

export function edcAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}

/** GF(2^8) of the parity: modulo x^8 + x^4 + x^3 + x^2 + 1. */
const FIELD = 0x11d;
const DOUBLED = Uint8Array.from({ length: 256 }, (_, x) => (x << 1) ^ (x < 128 ? 0 : FIELD));
/** Which x has x + 2x = i. */
const THIRD = new Uint8Array(256);
for (let x = 0; x < 256; x += 1) THIRD[x ^ (DOUBLED[x] as number)] = x;

/** The vectors of one parity: how many, how long, where they begin and how they go on. */
interface ParityShape {
  readonly vectors: number;
  readonly length: number;
  readonly start: number;
  readonly step: number;
  readonly parityAt: number;
}

/** Everything is counted from behind the sync pattern. */
const COVERED_FROM = 12;
const P: ParityShape = { vectors: 86, length: 24, start: 2, step: 86, parityAt: 2076 };
const Q: ParityShape = { vectors: 52, length: 43, start: 86, step: 88, parityAt: 2248 };

/** Writes the parity of the frame at `at` to `into`, where it has to begin at `to`. */
function parityOf(
  frame: Uint8Array,
  at: number,
  { vectors, length, start, step }: ParityShape,
  into: Uint8Array,
  to: number,
): void {
  const base = at + COVERED_FROM;
  const end = base + vectors * length;
  for (let vector = 0; vector < vectors; vector += 1) {
    let index = base + (vector >> 1) * start + (vector & 1);
    let weighted = 0;
    let sum = 0;
    for (let i = 0; i < length; i += 1) {
      const value = frame[index] as number;
      index += step;
      if (index >= end) index -= end - base;
      weighted = DOUBLED[weighted ^ value] as number;
      sum ^= value;
    }
    const first = THIRD[(DOUBLED[weighted] as number) ^ sum] as number;
    into[to + vector] = first;
    into[to + vectors + vector] = first ^ sum;
  }
}

/** Where the header is, which the parity of mode 2 form 1 takes as zeros. */
const HEADER_AT = 12;
const HEADER_BYTES = 4;

const header = new Uint8Array(HEADER_BYTES);

/** Calls `work` while the header of the frame at `at` is zeros, when it is of mode 2 form 1. */
function covering(frame: Uint8Array, at: number, form1: boolean, work: () => void): void {
  if (!form1) {
    work();
    return;
  }
  header.set(frame.subarray(at + HEADER_AT, at + HEADER_AT + HEADER_BYTES));
  frame.fill(0, at + HEADER_AT, at + HEADER_AT + HEADER_BYTES);
  work();
  frame.set(header, at + HEADER_AT);
}

/** Writes P and Q parity of the 2352 bytes at `at`. `form1`: of mode 2 form 1. */
export function putParity(frame: Uint8Array, at: number, form1: boolean): void {
  covering(frame, at, form1, () => {
    parityOf(frame, at, P, frame, at + P.parityAt);
    parityOf(frame, at, Q, frame, at + Q.parityAt);
  });
}

const PARITY_BYTES = 2 * (P.vectors + Q.vectors);
const right = new Uint8Array(PARITY_BYTES);

/** Whether P and Q parity of the 2352 bytes at `at` are right. */
export function hasParity(frame: Uint8Array, at: number, form1: boolean): boolean {
  covering(frame, at, form1, () => {
    parityOf(frame, at, P, right, 0);
    parityOf(frame, at, Q, right, Q.parityAt - P.parityAt);
  });
  return right.every((byte, i) => byte === frame[at + P.parityAt + i]);
}
