/** What READ CAPACITY(16) says besides the capacity; ROD tokens repeat it (SBC-3 5.16.2, 4.28.3). */
import type { BlockDevice } from './block-device.ts';

const CAPACITY_PARAMETERS_BYTES = 24;
/** P_TYPE is in the three bits above it, one less than the type. */
const PROT_EN = 0x01;
const LBPME = 0x80;
const LBPRZ = 0x40;

/** Bytes 8 to 31 of the parameter data. P_I_EXPONENT and the lowest aligned LBA are 0. */
export function capacityParameters(block: BlockDevice): Uint8Array {
  const bytes = new Uint8Array(CAPACITY_PARAMETERS_BYTES);
  new DataView(bytes.buffer).setUint32(0, block.blockBytes);
  if (block.protectionType > 0) bytes[4] = ((block.protectionType - 1) << 1) | PROT_EN;
  bytes[5] = Math.log2(block.physicalBlockBytes / block.blockBytes);
  if (block.thin) bytes[6] = block.unmappedReadsZeros ? LBPME | LBPRZ : LBPME;
  return bytes;
}
