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
export const P_PARITY_AT: number = P.parityAt;
export const Q_PARITY_AT: number = Q.parityAt;

/** Calls `visit` for each parity byte of a frame at `at`: where it lies, and what it has to be. */
function eachParity(
  frame: Uint8Array,
  at: number,
  shape: ParityShape,
  visit: (at: number, parity: number) => void,
): void {
  const covered = shape.vectors * shape.length;
  const base = at + COVERED_FROM;
  for (let vector = 0; vector < shape.vectors; vector += 1) {
    let index = (vector >> 1) * shape.start + (vector & 1);
    let weighted = 0;
    let sum = 0;
    for (let i = 0; i < shape.length; i += 1) {
      const value = frame[base + index] as number;
      index += shape.step;
      if (index >= covered) index -= covered;
      weighted = DOUBLED[weighted ^ value] as number;
      sum ^= value;
    }
    const first = THIRD[(DOUBLED[weighted] as number) ^ sum] as number;
    visit(at + shape.parityAt + vector, first);
    visit(at + shape.parityAt + shape.vectors + vector, first ^ sum);
  }
}

/** Where the header is, which the parity of mode 2 form 1 takes as zeros. */
const HEADER_AT = 12;
const HEADER_BYTES = 4;

function withoutHeader<T>(frame: Uint8Array, at: number, work: () => T): T {
  const header = frame.slice(at + HEADER_AT, at + HEADER_AT + HEADER_BYTES);
  frame.fill(0, at + HEADER_AT, at + HEADER_AT + HEADER_BYTES);
  try {
    return work();
  } finally {
    frame.set(header, at + HEADER_AT);
  }
}

/** Writes P and Q parity of the 2352 bytes at `at`. `form1`: of mode 2 form 1. */
export function putParity(frame: Uint8Array, at: number, form1: boolean): void {
  const put = (where: number, parity: number): void => {
    frame[where] = parity;
  };
  const both = (): void => {
    eachParity(frame, at, P, put);
    eachParity(frame, at, Q, put);
  };
  if (form1) withoutHeader(frame, at, both);
  else both();
}

/** Whether P and Q parity of the 2352 bytes at `at` are right. */
export function hasParity(frame: Uint8Array, at: number, form1: boolean): boolean {
  let good = true;
  const check = (where: number, parity: number): void => {
    if (frame[where] !== parity) good = false;
  };
  const both = (): void => {
    eachParity(frame, at, P, check);
    eachParity(frame, at, Q, check);
  };
  if (form1) withoutHeader(frame, at, both);
  else both();
  return good;
}
