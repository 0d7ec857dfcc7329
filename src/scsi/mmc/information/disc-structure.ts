/** READ DISC STRUCTURE: what a DVD or a BD has beside its blocks (MMC-6). */
import { bits, field, u } from '../../cdb.ts';
import { command } from '../../command-table.ts';
import { answer, refuse, refuseField } from '../../parameter-data.ts';
import { cdbBytePointer, cdbPointer } from '../../sense.ts';
import { CANNOT_READ_MEDIUM_INCOMPATIBLE_FORMAT } from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import type { Disc } from '../disc.ts';
import { discOf } from '../optical-drive.ts';
import { familyOf } from '../profile.ts';
import { TELLS_OF_DISC } from './policy.ts';
import { BD_STRUCTURES, DVD_STRUCTURES, layersOf, type Structure } from './structures.ts';

export const READ_DISC_STRUCTURE = command(
  0xad,
  'READ DISC STRUCTURE',
  12,
  {
    mediaType: bits(1, 3, 0),
    // Which of several there are of some structures; here are none of those.
    address: u(2, 4),
    layer: u(6, 1),
    format: u(7, 1),
    allocationLength: u(8, 2),
  },
  TELLS_OF_DISC,
);

const { fields } = READ_DISC_STRUCTURE;

/** MEDIA TYPE. */
const DVD = 0;
const BD = 1;
/** Format codes from here on are the same for all media. */
const FIRST_GENERIC = 0x80;
const LIST = 0xff;

const HEADER_BYTES = 4;
const LIST_ENTRY_BYTES = 4;
/** SDS and RDS: it can be sent, and read. */
const READABLE = 0x40;

function structuresOf(disc: Disc): readonly Structure[] {
  const all = familyOf(disc.profile) === 'dvd' ? DVD_STRUCTURES : BD_STRUCTURES;
  return all.filter(({ has }) => has(disc));
}

function withHeader(lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + lengthBytes);
  new DataView(bytes.buffer).setUint16(0, bytes.length - 2);
  return bytes;
}

/** Format FFh: which there are, and their lengths with headers. */
function list(structures: readonly Structure[]): Uint8Array {
  const lengthBytes = (structures.length + 1) * LIST_ENTRY_BYTES;
  const all = [...structures, { code: LIST, bytes: lengthBytes }];
  const bytes = withHeader(lengthBytes);
  const view = new DataView(bytes.buffer);
  all.forEach((structure, i) => {
    const at = HEADER_BYTES + i * LIST_ENTRY_BYTES;
    view.setUint8(at, structure.code);
    view.setUint8(at + 1, READABLE);
    view.setUint16(at + 2, HEADER_BYTES + structure.bytes);
  });
  return bytes;
}

/** MEDIA TYPE names another kind of disc; a CD has no structures at all. */
function isForeign(task: Task, disc: Disc): boolean {
  const family = familyOf(disc.profile);
  if (family === 'cd') return true;
  if (field(task.cdb, fields.format) >= FIRST_GENERIC) return false;
  return field(task.cdb, fields.mediaType) !== (family === 'dvd' ? DVD : BD);
}

export function readDiscStructure(task: Task): void {
  const disc = discOf(task);
  const format = field(task.cdb, fields.format);
  if (field(task.cdb, fields.mediaType) > BD) {
    refuseField(task, cdbPointer(fields.mediaType.byte, 3));
    return;
  }
  if (isForeign(task, disc)) {
    refuse(task, CANNOT_READ_MEDIUM_INCOMPATIBLE_FORMAT);
    return;
  }
  if (field(task.cdb, fields.layer) >= layersOf(disc)) {
    refuseField(task, cdbBytePointer(fields.layer.byte));
    return;
  }
  const structures = structuresOf(disc);
  const structure = structures.find(({ code }) => code === format);
  let bytes: Uint8Array | null = format === LIST ? list(structures) : null;
  if (structure !== undefined) {
    bytes = withHeader(structure.bytes);
    structure.write(bytes.subarray(HEADER_BYTES), disc);
  }
  if (bytes === null) refuseField(task, cdbBytePointer(fields.format.byte));
  else answer(task, bytes, bytes.length, field(task.cdb, fields.allocationLength));
}
