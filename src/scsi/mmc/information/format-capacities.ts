/** READ FORMAT CAPACITIES: how large a disc is, and can be made (MMC-6). */
import { field, u } from '../../cdb.ts';
import { command } from '../../command-table.ts';
import { answer, unitOf } from '../../parameter-data.ts';
import type { Task } from '../../task.ts';
import type { CurrentCapacity, Disc, FormattableCapacity } from '../disc.ts';
import { BLOCK_BYTES, discIn, driveOf } from '../optical-drive.ts';
import { TELLS_OF_DRIVE } from './policy.ts';

export const READ_FORMAT_CAPACITIES = command(
  0x23,
  'READ FORMAT CAPACITIES',
  10,
  { allocationLength: u(7, 2) },
  TELLS_OF_DRIVE,
);

const HEADER_BYTES = 4;
const DESCRIPTOR_BYTES = 8;
/** DESCRIPTOR TYPE. */
const STATES: Readonly<Record<CurrentCapacity['state'], number>> = {
  unformatted: 1,
  formatted: 2,
  unknown: 3,
};
/** The most blocks that any disc of a writer has: a BD-RE without spares. */
const MOST_BLOCKS = 12_219_392;
const NO_FORMATS: readonly FormattableCapacity[] = [];

function currentOf(disc: Disc | null, writes: boolean): CurrentCapacity {
  if (disc === null) return { blocks: writes ? MOST_BLOCKS : 0, state: 'unknown' };
  return disc.recordable?.currentCapacity ?? { blocks: disc.blocks, state: 'formatted' };
}

export function readFormatCapacities(task: Task): void {
  const unit = unitOf(task);
  const disc = discIn(unit);
  const formats = disc?.recordable?.formats ?? NO_FORMATS;
  const { blocks, state } = currentOf(disc, driveOf(unit).writes);
  const descriptors = [
    { blocks, code: STATES[state], parameter: BLOCK_BYTES },
    ...formats.map(({ type, ...rest }) => ({ ...rest, code: type << 2 })),
  ];
  const bytes = new Uint8Array(HEADER_BYTES + descriptors.length * DESCRIPTOR_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[3] = descriptors.length * DESCRIPTOR_BYTES;
  descriptors.forEach((each, i) => {
    const at = HEADER_BYTES + i * DESCRIPTOR_BYTES;
    view.setUint32(at, each.blocks);
    // One byte of code in front of three of parameter.
    view.setUint32(at + 4, each.parameter);
    view.setUint8(at + 4, each.code);
  });
  const wanted = field(task.cdb, READ_FORMAT_CAPACITIES.fields.allocationLength);
  answer(task, bytes, bytes.length, wanted);
}
