/** Sense data as one packed integer until a response is written (SPC-4 4.5). */

/** Sense keys (SPC-4 table 41). */
export const NO_SENSE = 0x0;
export const RECOVERED_ERROR = 0x1;
export const NOT_READY = 0x2;
export const MEDIUM_ERROR = 0x3;
export const HARDWARE_ERROR = 0x4;
export const ILLEGAL_REQUEST = 0x5;
export const UNIT_ATTENTION = 0x6;
export const DATA_PROTECT = 0x7;
export const COPY_ABORTED = 0xa;
export const ABORTED_COMMAND = 0xb;
export const MISCOMPARE = 0xe;

/** Packs sense key, additional sense code and qualifier: key << 16 | asc << 8 | ascq. */
export function packSense(key: number, asc: number, ascq: number): number {
  return (key << 16) | (asc << 8) | ascq;
}
/** Added to packed sense data: it is about an earlier command (SPC-4 4.5.7), response code 71h or 73h. */
export const DEFERRED = 1 << 20;
const deferredBit = (packed: number): number => (packed & DEFERRED) >> 20;
export const senseKeyOf = (packed: number): number => (packed >> 16) & 0xf;
export const ascOf = (packed: number): number => (packed >> 8) & 0xff;
export const ascqOf = (packed: number): number => packed & 0xff;

/** No field pointer / no INFORMATION. */
export const NONE = -1;

const POINTER_IN_CDB = 1 << 20;
const POINTER_HAS_BIT = 1 << 19;

/** Sense-key specific field pointer to a bit of the CDB. `bit` is the left-most bit of the field (SPC-4 4.5.2.4.2). */
export function cdbPointer(byte: number, bit: number): number {
  return POINTER_IN_CDB | POINTER_HAS_BIT | (bit << 16) | byte;
}
/** Field pointer to a whole CDB byte. */
export function cdbBytePointer(byte: number): number {
  return POINTER_IN_CDB | byte;
}
/** Field pointer to a bit of the parameter list. */
export function parameterPointer(byte: number, bit: number): number {
  return POINTER_HAS_BIT | (bit << 16) | byte;
}
/** Field pointer to a whole byte of the parameter list. */
export function parameterBytePointer(byte: number): number {
  return byte;
}

const PROGRESS = 1 << 21;

/** Progress indication in place of a field pointer: 65536ths of the work that are done (SPC-4 4.5.2.4.6). */
export function progressPointer(progress: number): number {
  return PROGRESS | progress;
}

const RETRIES = 1 << 22;

/** Actual retry count in place of a field pointer, with medium and hardware errors (SPC-4 4.5.2.4.5). */
export function retryCountPointer(retries: number): number {
  return RETRIES | retries;
}

const SEGMENT = 1 << 23;
const IN_SEGMENT = POINTER_IN_CDB;
const SEGMENT_NUMBER_SHIFT = 24;
/** Segment numbers that a segment pointer can carry: 0 to 63. */
export const MAX_SEGMENT_NUMBER = 63;

/**
 * Segment pointer in place of a field pointer, with COPY ABORTED (SPC-4 4.5.2.4.7): which segment of an EXTENDED COPY failed
 * (COMMAND-SPECIFIC INFORMATION, SPC-4 5.17.7.4), and byte `byte` of its parameter list as what is wrong.
 */
export function segmentPointer(segment: number, byte: number): number {
  return SEGMENT | (segment << SEGMENT_NUMBER_SHIFT) | byte;
}
/** The same with byte `byte` of the segment descriptor (SD = 1). */
export function inSegmentPointer(segment: number, byte: number): number {
  return segmentPointer(segment, byte) | IN_SEGMENT;
}
/** The failed segment's number, or -1 when that is no segment pointer. */
function segmentNumberOf(pointer: number): number {
  if (pointer === NONE || (pointer & SEGMENT) === 0) return -1;
  return pointer >> SEGMENT_NUMBER_SHIFT;
}

/** Bytes of fixed format sense data as we send it (additional length 0Ah). */
export const FIXED_SENSE_BYTES = 18;
/**
 * Longest sense data this target makes: descriptor format with two of information, command-specific information and sense-key
 * specific descriptors.
 */
export const MAX_SENSE_BYTES = 32;

const TWO_32 = 2 ** 32;

/** First SKS byte (SKSV, C/D, BPV, bit pointer) of a packed field pointer. */
function sksFirst(pointer: number): number {
  if ((pointer & (PROGRESS | RETRIES)) !== 0) return 0x80;
  if ((pointer & SEGMENT) !== 0) return (pointer & IN_SEGMENT) === 0 ? 0x80 : 0xa0;
  const inCdb = (pointer & POINTER_IN_CDB) !== 0 ? 0x40 : 0;
  const bit = (pointer & POINTER_HAS_BIT) !== 0 ? 0x08 | ((pointer >> 16) & 0x7) : 0;
  return 0x80 | inCdb | bit;
}

/**
 * Writes sense data in fixed format (70h, deferred: 71h) at `at` and returns its length.
 * INFORMATION that does not fit 32 bits leaves VALID = 0 (sam-rules: never truncate silently).
 */
export function encodeFixedSense(
  view: DataView,
  at: number,
  sense: number,
  information: number,
  fieldPointer: number,
): number {
  for (let i = 0; i < FIXED_SENSE_BYTES; i += 1) view.setUint8(at + i, 0);
  const valid = information >= 0 && information < TWO_32;
  view.setUint8(at, (valid ? 0xf0 : 0x70) | deferredBit(sense));
  view.setUint8(at + 2, senseKeyOf(sense));
  if (valid) view.setUint32(at + 3, information);
  view.setUint8(at + 7, FIXED_SENSE_BYTES - 8);
  const segment = segmentNumberOf(fieldPointer);
  if (segment > 0) view.setUint32(at + 8, segment);
  view.setUint8(at + 12, ascOf(sense));
  view.setUint8(at + 13, ascqOf(sense));
  if (fieldPointer !== NONE) {
    view.setUint8(at + 15, sksFirst(fieldPointer));
    view.setUint16(at + 16, fieldPointer & 0xffff);
  }
  return FIXED_SENSE_BYTES;
}

/** Longest sense data of a real device that is sent on: what the sense field of a virtio-scsi response takes. */
export const MAX_DEVICE_SENSE_BYTES = 96;

/** Writes sense data that a real device made (response code and all) at `at` and returns its length. */
export function copyDeviceSense(view: DataView, at: number, sense: Uint8Array): number {
  const length = Math.min(sense.length, MAX_DEVICE_SENSE_BYTES);
  for (let i = 0; i < length; i += 1) view.setUint8(at + i, sense[i] as number);
  return length;
}

/** Writes sense data in descriptor format (72h, deferred: 73h) at `at` and returns its length; only descriptors that say something. */
export function encodeDescriptorSense(
  view: DataView,
  at: number,
  sense: number,
  information: number,
  fieldPointer: number,
): number {
  let end = at + 8;
  if (information >= 0) {
    view.setUint16(end, 0x000a);
    view.setUint16(end + 2, 0x8000);
    view.setUint32(end + 4, Math.floor(information / TWO_32));
    view.setUint32(end + 8, information % TWO_32);
    end += 12;
  }
  const segment = segmentNumberOf(fieldPointer);
  if (segment >= 0) {
    view.setUint16(end, 0x010a);
    view.setUint16(end + 2, 0);
    view.setUint32(end + 4, 0);
    view.setUint32(end + 8, segment);
    end += 12;
  }
  if (fieldPointer !== NONE) {
    view.setUint16(end, 0x0206);
    view.setUint16(end + 2, 0);
    view.setUint8(end + 4, sksFirst(fieldPointer));
    view.setUint16(end + 5, fieldPointer & 0xffff);
    view.setUint8(end + 7, 0);
    end += 8;
  }
  view.setUint8(at, 0x72 | deferredBit(sense));
  view.setUint8(at + 1, senseKeyOf(sense));
  view.setUint8(at + 2, ascOf(sense));
  view.setUint8(at + 3, ascqOf(sense));
  view.setUint16(at + 4, 0);
  view.setUint8(at + 6, 0);
  view.setUint8(at + 7, end - at - 8);
  return end - at;
}
