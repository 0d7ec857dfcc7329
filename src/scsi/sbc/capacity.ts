/** READ CAPACITY(10) and READ CAPACITY(16) (SBC-3 5.15, 5.16). */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { answer } from '../parameter-data.ts';
import type { Task } from '../task.ts';
import { blockDeviceOf, refuseField } from './access.ts';
import { capacityParameters } from './capacity-data.ts';

const LBA_10 = u(2, 4);
const LBA_16 = u(2, 8);
const PMI_10 = bits(8, 0, 0);
const PMI_16 = bits(14, 0, 0);
const ALLOCATION_LENGTH = u(10, 4);

const POLICY = {
  data: 'in',
  medium: 'required',
  standby: true,
  attention: 'report',
  reservation: 'always',
  extent: TOUCHES_NOTHING,
} as const;

export const READ_CAPACITY_10 = command(
  0x25,
  'READ CAPACITY(10)',
  10,
  { address: LBA_10, pmi: PMI_10 },
  { ...POLICY, clause: 'SBC-3 5.15' },
);
export const READ_CAPACITY_16 = command(
  0x9e,
  'READ CAPACITY(16)',
  16,
  { address: LBA_16, allocationLength: ALLOCATION_LENGTH, pmi: PMI_16 },
  { ...POLICY, clause: 'SBC-3 5.16' },
  0x10,
);

const CAPACITY_10_BYTES = 8;
const CAPACITY_16_BYTES = 32;
const TWO_32 = 2 ** 32;
/** RETURNED LOGICAL BLOCK ADDRESS of READ CAPACITY(10) that says: ask READ CAPACITY(16). */
const TOO_LARGE = 0xffffffff;

/** READ CAPACITY(10). With PMI = 1 the answer is the same: no block of the medium is slower to reach than the next. */
export function readCapacity10(task: Task): void {
  const block = blockDeviceOf(task);
  if (field(task.cdb, PMI_10) === 0 && field(task.cdb, LBA_10) !== 0) {
    refuseField(task, LBA_10);
    return;
  }
  const data = new DataView(new ArrayBuffer(CAPACITY_10_BYTES));
  data.setUint32(0, Math.min(block.blocks - 1, TOO_LARGE));
  data.setUint32(4, block.blockBytes);
  answer(task, new Uint8Array(data.buffer), CAPACITY_10_BYTES, CAPACITY_10_BYTES);
}

/** READ CAPACITY(16): 32 bytes, cut to the ALLOCATION LENGTH. */
export function readCapacity16(task: Task): void {
  const block = blockDeviceOf(task);
  if (field(task.cdb, PMI_16) === 0 && field(task.cdb, LBA_16) !== 0) {
    refuseField(task, LBA_16);
    return;
  }
  const last = block.blocks - 1;
  const data = new DataView(new ArrayBuffer(CAPACITY_16_BYTES));
  data.setUint32(0, Math.floor(last / TWO_32));
  data.setUint32(4, last % TWO_32);
  const bytes = new Uint8Array(data.buffer);
  bytes.set(capacityParameters(block), 8);
  answer(task, bytes, CAPACITY_16_BYTES, field(task.cdb, ALLOCATION_LENGTH));
}
