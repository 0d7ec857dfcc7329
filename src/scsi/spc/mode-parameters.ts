/** Mode parameter header and block descriptor, common to MODE SENSE and MODE SELECT (SPC-4 7.5.4, SBC-3 6.5.2). */
import { record } from '../../record.ts';
import type { LogicalUnit } from '../logical-unit.ts';

/** Mode parameter header(6) (SPC-4 table 452). */
export const HEADER_6 = record(4, {
  modeDataLength: 'u8',
  mediumType: 'u8',
  deviceSpecific: 'u8',
  blockDescriptorLength: 'u8',
});

/** Mode parameter header(10) (SPC-4 table 453). */
export const HEADER_10 = record(8, {
  modeDataLength: 'u16',
  mediumType: 'u8',
  deviceSpecific: 'u8',
  longLba: 'u8',
  reserved: ['pad', 1],
  blockDescriptorLength: 'u16',
});

/** Short LBA mode parameter block descriptor (SBC-3 table 202). */
export const SHORT_DESCRIPTOR = record(8, { blocks: 'u32', reserved: 'u8', blockBytes: 'u24' });

/** Long LBA mode parameter block descriptor (SBC-3 table 203). */
export const LONG_DESCRIPTOR = record(16, {
  blocksHigh: 'u32',
  blocksLow: 'u32',
  reserved: 'u32',
  blockBytes: 'u32',
});

const TWO_32 = 2 ** 32;
const NO_DESCRIPTOR = new Uint8Array(0);

/** WP and DPOFUA of the DEVICE-SPECIFIC PARAMETER (SBC-3 6.5.1). */
const WP = 0x80;
const DPOFUA = 0x10;

/** DEVICE-SPECIFIC PARAMETER byte of a logical unit; reserved for optical drives (MMC-6 7.2). */
export function deviceSpecificParameter(unit: LogicalUnit): number {
  if (unit.block === null || unit.optical !== null) return 0;
  // Without a medium there is none that could be protected.
  const readOnly = unit.medium?.loaded !== false && unit.block.store.readOnly;
  const writeProtected = readOnly || unit.softwareWriteProtect;
  return DPOFUA | (writeProtected ? WP : 0);
}

/** The block descriptor MODE SENSE returns; empty when there are no blocks, or it is an optical drive, whose sectors have many sizes. */
export function blockDescriptor(unit: LogicalUnit, long: boolean): Uint8Array {
  return unit.optical === null ? geometryOf(unit, long) : NO_DESCRIPTOR;
}

function blocksOf({ block, medium, optical }: LogicalUnit): number {
  if (medium?.loaded === false) return 0;
  return (optical === null ? block?.blocks : optical.disc?.blocks) ?? 0;
}

/** What a block descriptor says of a logical unit; empty when it has no blocks. A count that does not fit is all ones. */
function geometryOf(unit: LogicalUnit, long: boolean): Uint8Array {
  const { block } = unit;
  if (block === null) return NO_DESCRIPTOR;
  const { blockBytes } = block;
  const blocks = blocksOf(unit);
  const bytes = new Uint8Array(long ? LONG_DESCRIPTOR.size : SHORT_DESCRIPTOR.size);
  const view = new DataView(bytes.buffer);
  if (long) {
    view.setUint32(LONG_DESCRIPTOR.at.blocksHigh, Math.floor(blocks / TWO_32));
    view.setUint32(LONG_DESCRIPTOR.at.blocksLow, blocks % TWO_32);
    view.setUint32(LONG_DESCRIPTOR.at.blockBytes, blockBytes);
    return bytes;
  }
  view.setUint32(SHORT_DESCRIPTOR.at.blocks, Math.min(blocks, TWO_32 - 1));
  view.setUint32(SHORT_DESCRIPTOR.at.reserved, blockBytes);
  return bytes;
}

/** Bytes of the NUMBER OF LOGICAL BLOCKS field at the start of a descriptor. */
function countBytes(long: boolean): number {
  return long ? LONG_DESCRIPTOR.at.reserved : SHORT_DESCRIPTOR.at.reserved;
}

/**
 * Offset of the first byte of the descriptor at `list[at]` that asks for another geometry, or -1. A number of blocks of
 * zero or all ones asks for the capacity there is.
 */
export function foreignDescriptorByte(
  unit: LogicalUnit,
  list: Uint8Array,
  at: number,
  long: boolean,
): number {
  const own = geometryOf(unit, long);
  const given = list.subarray(at, at + own.length);
  const count = countBytes(long);
  const first = given[0];
  const keeps =
    (first === 0x00 || first === 0xff) && given.subarray(0, count).every((byte) => byte === first);
  for (let i = keeps ? count : 0; i < own.length; i += 1) if (given[i] !== own[i]) return i;
  return -1;
}
