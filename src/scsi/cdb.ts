/** CDB fields, the usage map derived from them, and the check for bits outside it (SPC-4 4.3, 6.29.3). */

/** One CDB field: first byte, width in bytes, and for sub-byte fields the mask and shift. */
export interface CdbField {
  readonly byte: number;
  readonly width: number;
  readonly mask: number;
  readonly shift: number;
}
export type CdbFields = Readonly<Record<string, CdbField>>;

/** A field of `width` whole bytes, big-endian. */
export const u = (byte: number, width: number): CdbField => ({ byte, width, mask: 0xff, shift: 0 });

/** A field inside one byte, from bit `high` down to bit `low`. */
export const bits = (byte: number, high: number, low: number): CdbField => ({
  byte,
  width: 1,
  mask: ((1 << (high - low + 1)) - 1) << low,
  shift: low,
});

/** A field that starts inside a byte and goes on in whole bytes (READ(6): 21-bit LBA). `mask` covers the first byte. */
export const wide = (byte: number, width: number, firstByteMask: number): CdbField => ({
  byte,
  width,
  mask: firstByteMask,
  shift: 0,
});

/**
 * Value of a field. 64-bit fields come back as a double: exact below 2^53, above it rounded, which is still above every
 * capacity; that is all a range check needs.
 */
export function field(cdb: Uint8Array, f: CdbField): number {
  let value = ((cdb[f.byte] as number) & f.mask) >> f.shift;
  for (let i = 1; i < f.width; i += 1) value = value * 256 + (cdb[f.byte + i] as number);
  return value;
}

/** Writes a field; `value` must fit. For building CDBs (initiator, tests). */
export function setField(cdb: Uint8Array, f: CdbField, value: number): void {
  let rest = value;
  for (let i = f.width - 1; i > 0; i -= 1) {
    cdb[f.byte + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  const first = rest << f.shift;
  if ((first & ~f.mask) !== 0) throw new RangeError(`Cannot set CDB field: ${value} does not fit`);
  cdb[f.byte] = ((cdb[f.byte] as number) & ~f.mask) | first;
}

/** OPERATION CODE of the variable length CDBs (SPC-4 4.3.3). */
export const VARIABLE_LENGTH = 0x7f;
/** ADDITIONAL CDB LENGTH of a variable length CDB: how many bytes follow the first eight. */
export const ADDITIONAL_LENGTH: CdbField = u(7, 1);
const FIRST_BYTES = 8;
/** What ADDITIONAL CDB LENGTH has to be for a CDB of `lengthBytes`. */
export const additionalLength = (lengthBytes: number): number => lengthBytes - FIRST_BYTES;

const SERVICE_ACTION = bits(1, 4, 0);
const VARIABLE_SERVICE_ACTION = u(8, 2);
/** Where the SERVICE ACTION field of an opcode is (SPC-4 4.3.3, 4.3.5.4). */
export function serviceActionField(opcode: number): CdbField {
  return opcode === VARIABLE_LENGTH ? VARIABLE_SERVICE_ACTION : SERVICE_ACTION;
}
/** Position of the CONTROL byte. */
export function controlByteOf(opcode: number, lengthBytes: number): number {
  return opcode === VARIABLE_LENGTH ? 1 : lengthBytes - 1;
}

/** Marks the bits that say which command this is: their value in `usage`, the whole fields in `taken`. */
function claimIdentity(
  usage: Uint8Array,
  taken: Uint8Array,
  opcode: number,
  serviceAction: number,
): void {
  usage[0] = opcode;
  taken[0] = 0xff;
  if (opcode === VARIABLE_LENGTH) {
    setField(usage, ADDITIONAL_LENGTH, additionalLength(usage.length));
    taken[ADDITIONAL_LENGTH.byte] = 0xff;
  }
  if (serviceAction < 0) return;
  const at = serviceActionField(opcode);
  setField(usage, at, serviceAction);
  for (let i = 0; i < at.width; i += 1) taken[at.byte + i] = at.mask;
}

/** CDB usage data as REPORT SUPPORTED OPERATION CODES returns it: opcode, service action, then the bits that are honoured. */
export function usageMap(
  name: string,
  opcode: number,
  serviceAction: number,
  lengthBytes: number,
  fields: CdbFields,
): Uint8Array {
  const usage = new Uint8Array(lengthBytes);
  const taken = new Uint8Array(lengthBytes);
  claimIdentity(usage, taken, opcode, serviceAction);
  for (const [label, f] of Object.entries(fields)) {
    for (let i = 0; i < f.width; i += 1) {
      const at = f.byte + i;
      const mask = i === 0 ? f.mask : 0xff;
      if (at >= lengthBytes) {
        throw new RangeError(`Cannot declare ${name}: field ${label} lies outside the CDB`);
      }
      if (((taken[at] as number) & mask) !== 0) {
        throw new RangeError(`Cannot declare ${name}: field ${label} overlaps another`);
      }
      taken[at] = (taken[at] as number) | mask;
      usage[at] = (usage[at] as number) | mask;
    }
  }
  return usage;
}

/** Which bits of a CDB mean something: the usage map, with every bit of the fields that say which command it is. */
export function honouredBits(usage: Uint8Array, serviceAction: number): Uint8Array {
  const honoured = usage.slice();
  const whole = new Uint8Array(usage.length);
  claimIdentity(usage.slice(), whole, usage[0] as number, serviceAction);
  return honoured.map((bitsOfByte, i) => bitsOfByte | (whole[i] as number));
}

/** Left-most stray bit (one outside `honoured`) of the first byte that has one, as byte << 3 | bit, or -1. */
export function firstStrayBit(honoured: Uint8Array, cdb: Uint8Array): number {
  for (let i = 1; i < honoured.length; i += 1) {
    const stray = (cdb[i] as number) & ~(honoured[i] as number);
    if (stray !== 0) return (i << 3) | (31 - Math.clz32(stray));
  }
  return -1;
}
