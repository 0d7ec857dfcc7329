/** struct sg_io_hdr of SG_IO, x86-64, 88 bytes (Linux scsi/sg.h, version 3). */
import { MAX_DEVICE_SENSE_BYTES } from '../../scsi/sense.ts';
import type { DeviceReply, DeviceRequest } from './device.ts';

export const SG_IO_HDR_BYTES = 88;
const INTERFACE_ID = 0x53;
/** Behind what is queued already: by default SG_IO on a block device overtakes. */
const Q_AT_TAIL = 0x10;

/** Where the parts of a request lie: raw addresses. */
export interface RequestAddresses {
  readonly cdb: number;
  readonly sense: number;
  readonly data: number;
}

/** Fills in the header at the beginning of `view`. */
export function encodeHeader(
  view: DataView,
  { cdb, direction, length, timeoutMs }: DeviceRequest,
  at: RequestAddresses,
): void {
  for (let i = 0; i < SG_IO_HDR_BYTES; i += 1) view.setUint8(i, 0);
  view.setInt32(0, INTERFACE_ID, true);
  view.setInt32(4, direction, true);
  view.setUint8(8, cdb.length);
  view.setUint8(9, MAX_DEVICE_SENSE_BYTES);
  view.setUint32(12, length, true);
  view.setBigUint64(16, BigInt(length === 0 ? 0 : at.data), true);
  view.setBigUint64(24, BigInt(at.cdb), true);
  view.setBigUint64(32, BigInt(at.sense), true);
  view.setUint32(40, timeoutMs, true);
  view.setUint32(44, Q_AT_TAIL, true);
}

/** Reads how the command ended; `errno` is that of the call, `sense` the memory that sense data was written to. */
export function decodeHeader(view: DataView, errno: number, sense: Uint8Array): DeviceReply {
  const senseBytes = Math.min(view.getUint8(67), sense.length);
  return {
    errno,
    status: view.getUint8(64),
    hostStatus: view.getUint16(68, true),
    driverStatus: view.getUint16(70, true),
    sense: sense.subarray(0, senseBytes),
    residual: view.getInt32(72, true),
  };
}
