/** Writes SRP_CMD and SRP_TSK_MGMT information units into an initiator's region (SRP r16a 6.7, 6.8; immediate data SRP-2). */
import type { MemoryRegion } from '../memory.ts';
import type { DataPieces, SrpCommand, SrpManagement } from './initiator-command.ts';
import {
  CDB_BYTES,
  CMD,
  DESCRIPTOR_DIRECT,
  DESCRIPTOR_IMMEDIATE,
  DESCRIPTOR_INDIRECT,
  DESCRIPTOR_NONE,
  IMMEDIATE_DESCRIPTOR,
  INDIRECT_DESCRIPTOR,
  MEMORY_DESCRIPTOR,
  SRP_CMD,
  SRP_TSK_MGMT,
  TSK_MGMT,
} from './iu.ts';

const TWO_32 = 2 ** 32;
const COMMAND = CMD.at;
const MANAGEMENT = TSK_MGMT.at;
const PIECE = MEMORY_DESCRIPTOR.at;
const TABLE = INDIRECT_DESCRIPTOR.at;
const LUN_BYTES = 8;

/** Bytes of the additional CDB: what does not fit the first 16 bytes, in whole words. */
function additionalCdbBytes(command: SrpCommand): number {
  return command.cdbBytes > CDB_BYTES ? (command.cdbBytes - CDB_BYTES + 3) & ~3 : 0;
}

function descriptorBytes(pieces: DataPieces): number {
  if (pieces.count === 0) return 0;
  if (pieces.count === 1) return MEMORY_DESCRIPTOR.size;
  return INDIRECT_DESCRIPTOR.size + pieces.count * MEMORY_DESCRIPTOR.size;
}

/** Length of the IU of a command whose data does not travel inside it. */
export function commandIuBytes(command: SrpCommand): number {
  return (
    CMD.size +
    additionalCdbBytes(command) +
    descriptorBytes(command.dataOut) +
    descriptorBytes(command.dataIn)
  );
}

function encodePiece(data: DataView, at: number, pieces: DataPieces, i: number): void {
  const offset = pieces.offset[i] as number;
  const high = Math.floor(offset / TWO_32);
  data.setUint32(at + PIECE.addressHigh, high);
  data.setUint32(at + PIECE.addressLow, offset - high * TWO_32);
  data.setUint32(at + PIECE.handle, pieces.handle[i] as number);
  data.setUint32(at + PIECE.length, pieces.length[i] as number);
}

/** Writes the descriptor of a data buffer at `at` and returns where it ends. The table address names the inline list. */
function encodePieces(region: MemoryRegion, at: number, pieces: DataPieces): number {
  if (pieces.count === 0) return at;
  if (pieces.count === 1) {
    encodePiece(region.data, at, pieces, 0);
    return at + MEMORY_DESCRIPTOR.size;
  }
  const list = at + INDIRECT_DESCRIPTOR.size;
  region.data.setUint32(at + TABLE.addressHigh, 0);
  region.data.setUint32(at + TABLE.addressLow, list);
  region.data.setUint32(at + TABLE.handle, region.handle);
  region.data.setUint32(at + TABLE.tableLength, pieces.count * MEMORY_DESCRIPTOR.size);
  region.data.setUint32(at + TABLE.totalLength, pieces.bytes);
  for (let i = 0; i < pieces.count; i += 1) {
    encodePiece(region.data, list + i * MEMORY_DESCRIPTOR.size, pieces, i);
  }
  return list + pieces.count * MEMORY_DESCRIPTOR.size;
}

function formatOf(pieces: DataPieces): number {
  if (pieces.count === 0) return DESCRIPTOR_NONE;
  return pieces.count === 1 ? DESCRIPTOR_DIRECT : DESCRIPTOR_INDIRECT;
}

/** Whether the data-out buffer may travel inside the IU: one piece of `region`, small enough, and nothing to read. */
function fitsInside(
  region: MemoryRegion,
  command: SrpCommand,
  immediateOffset: number,
  roomBytes: number,
): boolean {
  const out = command.dataOut;
  return (
    immediateOffset > 0 &&
    out.count === 1 &&
    command.dataIn.count === 0 &&
    out.handle[0] === region.handle &&
    immediateOffset >= CMD.size + additionalCdbBytes(command) + IMMEDIATE_DESCRIPTOR.size &&
    immediateOffset + out.bytes <= roomBytes
  );
}

/**
 * Writes the SRP_CMD at `at` of `region` and returns its length. `immediateOffset`: where immediate data starts in the
 * IU, 0 when it was not negotiated. `roomBytes`: longest IU; the caller has checked `commandIuBytes` against it.
 */
export function encodeCommand(
  region: MemoryRegion,
  at: number,
  command: SrpCommand,
  tagHigh: number,
  tagLow: number,
  immediateOffset: number,
  roomBytes: number,
): number {
  const { view, data } = region;
  const additional = additionalCdbBytes(command);
  const inside = fitsInside(region, command, immediateOffset, roomBytes);
  const out = inside ? DESCRIPTOR_IMMEDIATE : formatOf(command.dataOut);
  view.fill(0, at, at + CMD.size + additional);
  data.setUint8(at + COMMAND.type, SRP_CMD);
  data.setUint8(at + COMMAND.formats, (out << 4) | formatOf(command.dataIn));
  if (out === DESCRIPTOR_INDIRECT) data.setUint8(at + COMMAND.dataOutCount, command.dataOut.count);
  if (command.dataIn.count > 1) data.setUint8(at + COMMAND.dataInCount, command.dataIn.count);
  data.setUint32(at + COMMAND.tagHigh, tagHigh);
  data.setUint32(at + COMMAND.tagLow, tagLow);
  data.setUint8(at + COMMAND.attribute, command.attribute);
  data.setUint8(at + COMMAND.additionalCdb, additional);
  for (let i = 0; i < LUN_BYTES; i += 1) view[at + COMMAND.lun + i] = command.lun[i] as number;
  for (let i = 0; i < command.cdbBytes; i += 1) {
    // The additional CDB follows the first 16 bytes directly.
    view[at + COMMAND.cdb + i] = command.cdb[i] as number;
  }
  const descriptors = at + CMD.size + additional;
  if (!inside) {
    const end = encodePieces(region, descriptors, command.dataOut);
    return encodePieces(region, end, command.dataIn) - at;
  }
  data.setUint32(descriptors, command.dataOut.bytes);
  view.fill(0, descriptors + IMMEDIATE_DESCRIPTOR.size, at + immediateOffset);
  const from = command.dataOut.offset[0] as number;
  view.copyWithin(at + immediateOffset, from, from + command.dataOut.bytes);
  return immediateOffset + command.dataOut.bytes;
}

/** Writes the SRP_TSK_MGMT at `at` of `region` and returns its length. */
export function encodeManagement(
  region: MemoryRegion,
  at: number,
  request: SrpManagement,
  tagHigh: number,
  tagLow: number,
  managedTagHigh: number,
  managedTagLow: number,
): number {
  const { view, data } = region;
  view.fill(0, at, at + TSK_MGMT.size);
  data.setUint8(at + MANAGEMENT.type, SRP_TSK_MGMT);
  data.setUint32(at + MANAGEMENT.tagHigh, tagHigh);
  data.setUint32(at + MANAGEMENT.tagLow, tagLow);
  for (let i = 0; i < LUN_BYTES; i += 1) view[at + MANAGEMENT.lun + i] = request.lun[i] as number;
  data.setUint8(at + MANAGEMENT.function, request.managementFunction);
  data.setUint32(at + MANAGEMENT.managedTagHigh, managedTagHigh);
  data.setUint32(at + MANAGEMENT.managedTagLow, managedTagLow);
  return TSK_MGMT.size;
}
