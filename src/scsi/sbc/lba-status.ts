/** GET LBA STATUS: which blocks are mapped, deallocated or anchored (SBC-3 5.4). */
import { field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { DATA, HOLE } from '../contracts.ts';
import { answer } from '../parameter-data.ts';
import { LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import { blockDeviceOf, exactInformation, refuse } from './access.ts';
import type { BlockDevice } from './block-device.ts';

const LBA = u(2, 8);
const ALLOCATION_LENGTH = u(10, 4);

export const GET_LBA_STATUS = command(
  0x9e,
  'GET LBA STATUS(16)',
  16,
  { address: LBA, allocationLength: ALLOCATION_LENGTH },
  {
    data: 'in',
    medium: 'required',
    attention: 'report',
    reservation: 'reads',
    extent: TOUCHES_NOTHING,
    clause: 'SBC-3 5.4',
  },
  0x12,
);

const HEADER_BYTES = 8;
const DESCRIPTOR_BYTES = 16;
/** Descriptors in one answer; a host asks on from where it ends. */
const MAX_DESCRIPTORS = 256;
const MAX_RUN_BLOCKS = 0xffffffff;
const TWO_32 = 2 ** 32;
/** PROVISIONING STATUS (SBC-3 table 55). Mapped is also what nothing is known of. */
const MAPPED = 0x0;
const DEALLOCATED = 0x1;
const ANCHORED = 0x2;

/** Blocks that have one provisioning status. */
interface Run {
  readonly status: number;
  readonly blocks: number;
}

/**
 * The run that begins with `lba`. A block of which a part is data, or whose parts differ, is mapped; so is one that space is kept
 * for on a disk that does not say so (ANC_SUP = 0).
 */
function runFrom(block: BlockDevice, lba: number): Run {
  const { blockBytes, blocks, store, thin, anchors } = block;
  if (!thin) return { status: MAPPED, blocks: blocks - lba };
  const { state, end } = store.allocation(lba * blockBytes);
  if (state === DATA) {
    return { status: MAPPED, blocks: Math.min(Math.ceil(end / blockBytes), blocks) - lba };
  }
  const whole = Math.min(Math.floor(end / blockBytes), blocks) - lba;
  if (whole <= 0) return { status: MAPPED, blocks: 1 };
  const unwritten = anchors ? ANCHORED : MAPPED;
  return { status: state === HOLE ? DEALLOCATED : unwritten, blocks: whole };
}

function describe(view: DataView, at: number, lba: number, blocks: number, status: number): void {
  view.setUint32(at, Math.floor(lba / TWO_32));
  view.setUint32(at + 4, lba % TWO_32);
  view.setUint32(at + 8, blocks);
  view.setUint8(at + 12, status);
}

/**
 * Runs GET LBA STATUS: descriptors from the block asked for, contiguous, as many as fit into the allocation length; at
 * least one. PARAMETER DATA LENGTH says what is there, whatever fits.
 */
export function getLbaStatus(task: Task): void {
  const block = blockDeviceOf(task);
  const allocationLength = field(task.cdb, ALLOCATION_LENGTH);
  let lba = field(task.cdb, LBA);
  if (lba >= block.blocks) {
    refuse(task, LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE, exactInformation(lba));
    return;
  }
  const fitting = Math.floor((allocationLength - HEADER_BYTES) / DESCRIPTOR_BYTES);
  const most = Math.max(1, Math.min(MAX_DESCRIPTORS, fitting));
  const data = new Uint8Array(HEADER_BYTES + most * DESCRIPTOR_BYTES);
  const view = new DataView(data.buffer);
  let length = HEADER_BYTES;
  while (length < data.length && lba < block.blocks) {
    const run = runFrom(block, lba);
    const blocks = Math.min(run.blocks, MAX_RUN_BLOCKS);
    describe(view, length, lba, blocks, run.status);
    lba += blocks;
    length += DESCRIPTOR_BYTES;
  }
  view.setUint32(0, length - 4);
  answer(task, data, length, allocationLength);
}
