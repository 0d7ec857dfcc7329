/** Logical unit numbers: the 8-byte field in its addressing methods, decoded to one number and back (SAM-5 4.7). */

/** The field names no single-level logical unit of this target. */
export const NO_LUN = -1;
/** REPORT LUNS well-known logical unit, C1 01. */
export const REPORT_LUNS_WLUN = -2;
/** Another well-known logical unit (none is implemented). */
export const OTHER_WLUN = -3;

/** Highest LUN that can be configured: what flat space addressing reaches. */
export const MAX_LUN = 0x3fff;
export const LUN_BYTES = 8;

export type LunPresentation = 'native' | 'vscsi';

const METHOD_PERIPHERAL = 0;
const METHOD_FLAT = 1;
const METHOD_LOGICAL_UNIT = 2;

/** Well-known and extended flat addressing (method 11b): length in bits 5:4, extended method in bits 3:0. */
function decodeExtended(view: DataView, at: number): number {
  const first = view.getUint8(at);
  const low = view.getUint32(at + 4);
  if (first === 0xc1) {
    const rest = view.getUint16(at + 2);
    if (rest !== 0 || low !== 0) return NO_LUN;
    return view.getUint8(at + 1) === 1 ? REPORT_LUNS_WLUN : OTHER_WLUN;
  }
  if (first === 0xd2) {
    return low === 0 ? (view.getUint8(at + 1) << 16) | view.getUint16(at + 2) : NO_LUN;
  }
  if (first === 0xe2) {
    if ((low & 0xffff) !== 0) return NO_LUN;
    const high = (view.getUint8(at + 1) << 16) | view.getUint16(at + 2);
    return high * 0x10000 + (low >>> 16);
  }
  return NO_LUN;
}

/**
 * Decodes the LUN field at `at`: a number from 0, or NO_LUN, REPORT_LUNS_WLUN, OTHER_WLUN. Never masks: every bit that
 * the addressing method does not use must be zero.
 * `native`: unit n is LUN n (peripheral, flat, extended flat; logical unit addressing only for target 0 on bus 0).
 * `vscsi`: unit n is LUN 0 of target n, as IBM virtual SCSI clients address it; 00 00 is unit 0.
 */
export function decodeLun(view: DataView, at: number, presentation: LunPresentation): number {
  const first = view.getUint8(at);
  if (first >= 0xc0) return decodeExtended(view, at);
  if (view.getUint16(at + 2) !== 0 || view.getUint32(at + 4) !== 0) return NO_LUN;
  const second = view.getUint8(at + 1);
  const method = first >> 6;
  const inFirst = first & 0x3f;
  if (presentation === 'vscsi') {
    if (method === METHOD_LOGICAL_UNIT) return second === 0 ? inFirst : NO_LUN;
    return first === 0 && second === 0 ? 0 : NO_LUN;
  }
  if (method === METHOD_PERIPHERAL) return inFirst === 0 ? second : NO_LUN;
  if (method === METHOD_FLAT) return (inFirst << 8) | second;
  return inFirst === 0 && second < 0x20 ? second : NO_LUN;
}

/** Whether the LUN field at `at` uses logical unit addressing (80 00 … BF FF), even for target 0. */
export function isTargetAddressed(view: DataView, at: number): boolean {
  return view.getUint8(at) >> 6 === METHOD_LOGICAL_UNIT;
}

/** Writes the LUN field for a unit number as REPORT LUNS spells it: peripheral up to 255, flat above; `vscsi` as target n. */
export function encodeLun(
  bytes: Uint8Array,
  at: number,
  lun: number,
  presentation: LunPresentation,
): void {
  bytes.fill(0, at, at + LUN_BYTES);
  if (lun === REPORT_LUNS_WLUN) {
    bytes[at] = 0xc1;
    bytes[at + 1] = 0x01;
    return;
  }
  if (presentation === 'vscsi') {
    if (lun > 0x3f)
      throw new RangeError(`Cannot encode LUN ${lun}: virtual SCSI has targets 0 to 63`);
    bytes[at] = lun === 0 ? 0 : 0x80 | lun;
    return;
  }
  if (lun < 0 || lun > MAX_LUN)
    throw new RangeError(`Cannot encode LUN ${lun}: 0 to ${MAX_LUN} fit`);
  bytes[at] = lun > 0xff ? 0x40 | (lun >> 8) : 0;
  bytes[at + 1] = lun & 0xff;
}
