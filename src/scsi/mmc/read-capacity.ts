/** READ CAPACITY: the last block that can be read (MMC-6 6.19). */
import { bits, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { answer } from '../parameter-data.ts';
import type { Task } from '../task.ts';
import { BLOCK_BYTES, discOf } from './optical-drive.ts';

export const READ_CAPACITY = command(
  0x25,
  'READ CAPACITY',
  10,
  // RELADR, LBA and PMI are obsolete: any value will do.
  { relativeAddress: bits(1, 0, 0), address: u(2, 4), pmi: bits(8, 0, 0) },
  {
    data: 'in',
    medium: 'required',
    attention: 'report',
    reservation: 'always',
    extent: TOUCHES_NOTHING,
    clause: 'MMC-6 6.19',
  },
);

const CAPACITY_BYTES = 8;

/** A disc without a block that can be read answers 0, as drives do with a blank one. */
export function readCapacity(task: Task): void {
  const data = new DataView(new ArrayBuffer(CAPACITY_BYTES));
  data.setUint32(0, Math.max(0, discOf(task).blocks - 1));
  data.setUint32(4, BLOCK_BYTES);
  answer(task, new Uint8Array(data.buffer), CAPACITY_BYTES, CAPACITY_BYTES);
}
