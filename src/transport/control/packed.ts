/** MessagePack to and from bytes that nobody vouches for: checked as a whole before a single value of it is built. */
import type { Buffer } from 'node:buffer';
import { Packr } from 'msgpackr';

/** Containers inside containers that a message may have. */
const MAX_DEPTH = 16;

const packr = new Packr({
  useRecords: false,
  encodeUndefinedAsNil: true,
  variableMapSize: true,
  int64AsType: 'number',
});

/** Bytes that are no MessagePack value of this dialect: nil, booleans, numbers, strings, bytes, arrays, maps. */
export class PackedError extends Error {
  readonly code = 'ERR_PACKED';
}

function refuse(at: number, why: string): never {
  throw new PackedError(`Cannot unpack: ${why} at byte ${at}`);
}

/** Bytes that follow the first one of a scalar, by first byte minus 0xc0; -1: refused; -2: has a length field. */
const SCALAR_BYTES = [
  0, -1, 0, 0, -2, -2, -2, -1, -1, -1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, -1, -1, -1, -1, -1, -2, -2, -2,
] as const;

/** Bytes of the length field of str, bin, array and map, by first byte. */
const LENGTH_BYTES: ReadonlyMap<number, number> = new Map([
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
  [0xdc, 2],
  [0xdd, 4],
  [0xde, 2],
  [0xdf, 4],
]);

function readLength(bytes: Uint8Array, at: number, size: number): number {
  if (at + size > bytes.length) refuse(at, 'the value is cut off');
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

/** Where the item that starts at `at` ends (its own bytes, without members), and how many items are inside it. */
interface Item {
  readonly end: number;
  readonly members: number;
}

function readItem(bytes: Uint8Array, at: number): Item {
  const first = bytes[at] ?? refuse(at, 'the value is cut off');
  const next = at + 1;
  if (first < 0x80 || first >= 0xe0) return { end: next, members: 0 };
  if (first < 0x90) return { end: next, members: (first & 0x0f) * 2 };
  if (first < 0xa0) return { end: next, members: first & 0x0f };
  if (first < 0xc0) return { end: next + (first & 0x1f), members: 0 };
  const size = LENGTH_BYTES.get(first);
  if (size !== undefined) {
    const length = readLength(bytes, next, size);
    if (first < 0xdc) return { end: next + size + length, members: 0 };
    return { end: next + size, members: first < 0xde ? length : length * 2 };
  }
  const scalar = SCALAR_BYTES[first - 0xc0] ?? -1;
  if (scalar < 0) refuse(at, `type ${first.toString(16)} is not used here`);
  return { end: next + scalar, members: 0 };
}

/**
 * Checks that `bytes` are exactly one value, that no container claims more members than bytes are left (a header of
 * five bytes must not reserve gigabytes), and that nothing nests deeper than 16. Extension types are refused: they can
 * make a decoder build functions, regular expressions and errors. Throws PackedError.
 */
export function checkPacked(bytes: Uint8Array): void {
  const open: number[] = [];
  let at = 0;
  let pending = 1;
  while (pending > 0) {
    const item = readItem(bytes, at);
    if (item.end > bytes.length) refuse(at, 'the value is cut off');
    pending += item.members - 1;
    if (pending > bytes.length - item.end) refuse(at, 'a container claims more than there is');
    at = item.end;
    if (open.length > 0) open.push((open.pop() ?? 1) - 1);
    if (item.members > 0) open.push(item.members);
    if (open.length > MAX_DEPTH) refuse(at, `containers nest deeper than ${MAX_DEPTH}`);
    while (open.at(-1) === 0) open.pop();
  }
  if (at !== bytes.length) refuse(at, `${bytes.length - at} bytes follow the value`);
}

export function packValue(value: unknown): Buffer {
  return packr.pack(value);
}

/** The value in `bytes`; byte strings in it are views of `bytes`. Throws PackedError. */
export function unpackValue(bytes: Uint8Array): unknown {
  checkPacked(bytes);
  try {
    return packr.unpack(bytes) as unknown;
  } catch (error) {
    throw new PackedError(`Cannot unpack: ${error instanceof Error ? error.message : 'bad value'}`);
  }
}

/** A map as MessagePack delivers it. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array)
  );
}
