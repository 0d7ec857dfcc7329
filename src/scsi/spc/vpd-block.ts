/** Vital product data pages of direct access block devices: B0h, B1h, B2h (SBC-3 6.6). */
import { assert } from '../../assert.ts';
import { record } from '../../record.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import type { BlockDevice } from '../sbc/block-device.ts';
import {
  MAX_UNMAP_BLOCKS,
  MAX_UNMAP_DESCRIPTORS,
  MAX_WRITE_SAME_BLOCKS,
  WRITE_SAME_NON_ZERO,
} from '../sbc/limits.ts';
import type { VpdPage } from './vpd.ts';

/** Block Limits after its header, to the end SBC-3 gives it (page length 3Ch). */
const BLOCK_LIMITS = record(60, {
  flags: 'u8',
  maxCompareAndWriteBlocks: 'u8',
  optimalGranularityBlocks: 'u16',
  maxTransferBlocks: 'u32',
  optimalTransferBlocks: 'u32',
  maxPrefetchBlocks: 'u32',
  maxUnmapBlocks: 'u32',
  maxUnmapDescriptors: 'u32',
  unmapGranularityBlocks: 'u32',
  unmapAlignment: 'u32',
  maxWriteSameBlocksHigh: 'u32',
  maxWriteSameBlocks: 'u32',
  maxAtomicBlocks: 'u32',
  atomicAlignment: 'u32',
  atomicGranularityBlocks: 'u32',
  /** Both limits of writes with an atomic boundary: there are none. */
  rest: ['pad', 8],
});

const WSNZ = 0x01;
const UGAVALID = 0x8000_0000;

function blockOf(unit: LogicalUnit): BlockDevice {
  const { block } = unit;
  assert(block !== null, 'a block page belongs to a block device');
  return block;
}

function blockLimits(unit: LogicalUnit): Uint8Array {
  const block = blockOf(unit);
  const body = new Uint8Array(BLOCK_LIMITS.size);
  const view = new DataView(body.buffer);
  const { at } = BLOCK_LIMITS;
  view.setUint8(at.flags, WRITE_SAME_NON_ZERO ? WSNZ : 0);
  view.setUint8(at.maxCompareAndWriteBlocks, block.maxCompareAndWriteBlocks);
  view.setUint16(at.optimalGranularityBlocks, block.physicalBlockBytes / block.blockBytes);
  view.setUint32(at.maxTransferBlocks, block.maxTransferBlocks);
  view.setUint32(at.maxWriteSameBlocks, MAX_WRITE_SAME_BLOCKS);
  if (block.maxAtomicBlocks > 0) {
    view.setUint32(at.maxAtomicBlocks, block.maxAtomicBlocks);
    view.setUint32(at.atomicAlignment, block.atomicUnitBlocks);
    view.setUint32(at.atomicGranularityBlocks, block.atomicUnitBlocks);
  }
  if (!block.thin) return body;
  const discardBlocks = Math.ceil(block.store.discardBytes / block.blockBytes);
  view.setUint32(at.maxUnmapBlocks, MAX_UNMAP_BLOCKS);
  view.setUint32(at.maxUnmapDescriptors, MAX_UNMAP_DESCRIPTORS);
  view.setUint32(at.unmapGranularityBlocks, Math.max(1, discardBlocks));
  view.setUint32(at.unmapAlignment, UGAVALID);
  return body;
}

const BLOCK_CHARACTERISTICS_BYTES = 60;
/** MEDIUM ROTATION RATE: non-rotating. */
const NON_ROTATING = 0x0001;

/** WABEREQ and WACEREQ 01b: what an erased block holds is read without an error. */
const WABEREQ = 0x40;
const WACEREQ = 0x10;

function blockCharacteristics(unit: LogicalUnit): Uint8Array {
  const body = new Uint8Array(BLOCK_CHARACTERISTICS_BYTES);
  new DataView(body.buffer).setUint16(0, NON_ROTATING);
  if (unit.operationStore === null) return body;
  const { thin, store } = blockOf(unit);
  body[3] = (thin ? WABEREQ : 0) | (store.key === null ? 0 : WACEREQ);
  return body;
}

const LBPU = 0x80;
const LBPWS = 0x40;
const LBPWS10 = 0x20;
const LBPRZ = 0x04;
const ANC_SUP = 0x02;
const THIN_PROVISIONED = 0x02;

/** All zero (fully provisioned) unless the logical unit is thin. */
function logicalBlockProvisioning(unit: LogicalUnit): Uint8Array {
  const body = new Uint8Array(4);
  const block = blockOf(unit);
  if (!block.thin) return body;
  body[1] = LBPU | LBPWS | LBPWS10;
  if (block.unmappedReadsZeros) body[1] |= LBPRZ;
  if (block.anchors) body[1] |= ANC_SUP;
  body[2] = THIN_PROVISIONED;
  return body;
}

export const BLOCK_PAGES: readonly VpdPage[] = [
  { code: 0xb0, name: 'Block limits', body: blockLimits },
  { code: 0xb1, name: 'Block device characteristics', body: blockCharacteristics },
  { code: 0xb2, name: 'Logical block provisioning', body: logicalBlockProvisioning },
];
