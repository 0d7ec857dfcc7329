/** The LUN field of virtio-scsi: 01, target, a two-byte LUN in SAM's peripheral or flat format, four zeros (virtio 1.2, 5.6.6.1). */
import { decodeLun, MAX_LUN, NO_LUN } from '../../scsi/lun.ts';

/** The field names another target than 0, the only one there is, or none. */
export const OTHER_TARGET = -10;

const METHOD_PERIPHERAL = 0;
const METHOD_FLAT = 1;
const FLAT = 0x40;

/** Decodes the field at `at`: a LUN, one of the negative codes of scsi/lun.ts, or OTHER_TARGET. */
export function decodeLunField(view: DataView, at: number): number {
  const first = view.getUint8(at);
  // The REPORT LUNS well-known logical unit stands outside the targets: C1 01.
  if (first === 0xc1) return decodeLun(view, at, 'native');
  if (first !== 1 || view.getUint8(at + 1) !== 0) return OTHER_TARGET;
  if (view.getUint32(at + 4) !== 0) return NO_LUN;
  const high = view.getUint8(at + 2);
  const low = view.getUint8(at + 3);
  const method = high >> 6;
  if (method === METHOD_PERIPHERAL) return high === 0 ? low : NO_LUN;
  return method === METHOD_FLAT ? ((high & 0x3f) << 8) | low : NO_LUN;
}

/**
 * Writes the field for a LUN. Below 256 in peripheral format: Linux takes bytes 2 and 3 of an event for the number without
 * taking the addressing method out, and would look for LUN 16384 and up.
 */
export function encodeLunField(bytes: Uint8Array, at: number, lun: number): void {
  if (!(lun >= 0 && lun <= MAX_LUN)) {
    throw new RangeError(`Cannot encode LUN ${lun}: 0 to ${MAX_LUN} fit`);
  }
  bytes.fill(0, at, at + 8);
  bytes[at] = 1;
  bytes[at + 2] = lun > 0xff ? FLAT | (lun >> 8) : 0;
  bytes[at + 3] = lun & 0xff;
}
