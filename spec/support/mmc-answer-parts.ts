/** Answers of a burner taken apart, so that two of them are compared field by field (facts of MMC-6: READ TOC, GET CONFIGURATION ...). */

/** Name of a field → its bytes in hexadecimal. */
export type Parts = ReadonlyMap<string, string>;

/** Name and bytes of a field; the last one has the rest. */
type Field = readonly [name: string, bytes: number];

const REST = Number.POSITIVE_INFINITY;
const MOST_ENTRIES = 16;

const DISC_INFORMATION: readonly Field[] = [
  ['length', 2],
  ['status', 1],
  ['tracks', 4],
  ['flags', 1],
  ['type', 1],
  ['more', 7],
  ['time of lead-in', 4],
  ['time of lead-out', 4],
  ['end', REST],
];
const TRACK_INFORMATION: readonly Field[] = [
  ['length', 2],
  ['number', 2],
  ['reserved', 1],
  ['mode', 1],
  ['flags', 1],
  ['validity', 1],
  ['start', 4],
  ['next writable', 4],
  ['free', 4],
  ['packet', 4],
  ['size', 4],
  ['last recorded', 4],
  ['end', REST],
];
const EVENT: readonly Field[] = [
  ['length', 2],
  ['class', 1],
  ['classes', 1],
  ['event', 1],
  ['state', 1],
  ['slots', REST],
];
const CAPACITY: readonly Field[] = [
  ['last', 4],
  ['block', REST],
];
const PHYSICAL: readonly Field[] = [
  ['length', 4],
  ['book', 1],
  ['rate', 1],
  ['layers', 1],
  ['density', 1],
  ['first', 4],
  ['last', 4],
  ['last of layer 0', 4],
  ['maker', REST],
];

const repeated = (fields: readonly Field[]): Field[] =>
  Array.from({ length: MOST_ENTRIES }, (_, i) =>
    fields.map(([name, bytes]): Field => [`${name} ${i}`, bytes]),
  ).flat();

const TOC: readonly Field[] = [
  ['length', 2],
  ['first and last', 2],
  ...repeated([
    ['track', 4],
    ['start', 4],
  ]),
];
const TOC_TIMES: readonly Field[] = [
  ['length', 2],
  ['first and last', 2],
  ...repeated([
    ['track', 4],
    ['time', 4],
  ]),
];
const FULL_TOC: readonly Field[] = [
  ['length', 2],
  ['first and last', 2],
  ...repeated([
    ['point', 4],
    ['time', 3],
    ['zero', 1],
    ['time of point', 3],
  ]),
];
const FORMATS: readonly Field[] = [['length', 4], ['current', 8], ...repeated([['format', 8]])];
const SPEEDS: readonly Field[] = [
  ['length', 4],
  ['kind', 4],
  ...repeated([
    ['flags', 4],
    ['end', 4],
    ['read', 4],
    ['write', 4],
  ]),
];
const PERFORMANCE: readonly Field[] = [
  ['length', 4],
  ['kind', 4],
  ...repeated([
    ['start', 4],
    ['at start', 4],
    ['end', 4],
    ['at end', 4],
  ]),
];

/** The layout of the answer to a CDB; null: it has no fields that are known here. */
function fieldsFor(cdb: Uint8Array): readonly Field[] | null {
  const [opcode, second = 0, third = 0] = cdb;
  const format = third & 0x0f || (cdb[9] ?? 0) >> 6;
  if (opcode === 0x23) return FORMATS;
  if (opcode === 0x25) return CAPACITY;
  if (opcode === 0x43 && format === 2) return FULL_TOC;
  if (opcode === 0x43 && format < 2) return (second & 0x02) === 0 ? TOC : TOC_TIMES;
  if (opcode === 0x4a) return EVENT;
  if (opcode === 0x51) return DISC_INFORMATION;
  if (opcode === 0x52) return TRACK_INFORMATION;
  if (opcode === 0xac) return cdb[10] === 0x03 ? SPEEDS : PERFORMANCE;
  if (opcode === 0xad && [0x00, 0x10, 0x11].includes(cdb[7] ?? 0) && second === 0) return PHYSICAL;
  return null;
}

/** The profile list entry by entry, the other features one by one; only those that are there as a whole. */
function configuration(data: Buffer): Parts {
  const parts = new Map([['profile', data.toString('hex', 6, 8)]]);
  for (let at = 8; at + 4 <= data.length; ) {
    const code = data.toString('hex', at, at + 2);
    const end = at + 4 + (data[at + 3] as number);
    const body = code === '0000' ? at + 4 : end;
    if (end <= data.length && code !== '0000')
      parts.set(`feature ${code}`, data.toString('hex', at + 2, end));
    for (let entry = at + 4; entry + 4 <= Math.min(end, data.length) && body < end; entry += 4) {
      parts.set(
        `profile ${data.toString('hex', entry, entry + 2)}`,
        data.toString('hex', entry + 2, entry + 4),
      );
    }
    at = end;
  }
  return parts;
}

/** `digits` is what a CDB was answered with. */
export function partsOf(cdb: Uint8Array, digits: string): Parts {
  if (cdb[0] === 0x46) return configuration(Buffer.from(digits, 'hex'));
  const parts = new Map<string, string>();
  let at = 0;
  for (const [name, bytes] of fieldsFor(cdb) ?? [['data', REST] as const]) {
    if (at >= digits.length) break;
    parts.set(name, digits.slice(at, at + bytes * 2));
    at += bytes * 2;
  }
  return parts;
}

/** The number a field is; minutes, seconds and frames as blocks. */
export function numberOf(name: string, digits: string): number {
  const value = Number.parseInt(digits, 16);
  if (!name.startsWith('time')) return value;
  const [minute, second, frame] = [value >> 16, (value >> 8) & 0xff, value & 0xff];
  return ((minute & 0xff) * 60 + second) * 75 + frame;
}
