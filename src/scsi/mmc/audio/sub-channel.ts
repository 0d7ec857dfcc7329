/** READ SUB-CHANNEL: audio status, position, media catalogue number and ISRC (MMC-6). */
import { bits, field, u } from '../../cdb.ts';
import { command } from '../../command-table.ts';
import { answer, refuse, refuseField, unitOf } from '../../parameter-data.ts';
import { cdbBytePointer } from '../../sense.ts';
import { CANNOT_READ_MEDIUM_INCOMPATIBLE_FORMAT } from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { qPositionOf } from '../cd/position.ts';
import type { Disc, Track } from '../disc.ts';
import { TELLS_OF_DISC } from '../information/policy.ts';
import { discOf, opticalOf } from '../optical-drive.ts';
import { familyOf } from '../profile.ts';
import { type Msf, msfOf, timeOf } from '../sector/msf.ts';

export const READ_SUB_CHANNEL = command(
  0x42,
  'READ SUB-CHANNEL',
  10,
  {
    msf: bits(1, 1, 1),
    subQ: bits(2, 6, 6),
    format: u(3, 1),
    track: u(6, 1),
    allocationLength: u(7, 2),
  },
  TELLS_OF_DISC,
);

const { fields } = READ_SUB_CHANNEL;

const CURRENT_POSITION = 1;
const CATALOG_NUMBER = 2;
const ISRC = 3;

const HEADER_BYTES = 4;
const POSITION_BYTES = 12;
const CODE_BYTES = 20;
const VALID = 0x80;
const ADR_POSITION = 1 << 4;

function address(lba: number, msf: Msf | null): number[] {
  if (msf !== null) return [0, msf.minute, msf.second, msf.frame];
  const view = new DataView(new ArrayBuffer(4));
  view.setInt32(0, lba);
  return [...new Uint8Array(view.buffer)];
}

/** Format 01h, as Q has it: in a pregap the relative time runs down to zero, and the relative address up. */
function position(disc: Disc, lba: number, asMsf: boolean): Uint8Array {
  const bytes = new Uint8Array(POSITION_BYTES);
  const at = qPositionOf(disc, lba);
  bytes[0] = CURRENT_POSITION;
  if (at !== null) {
    const { control, track, index, relative } = at;
    bytes.set([ADR_POSITION | control, track, index], 1);
    bytes.set(address(index === 0 ? -relative : relative, asMsf ? timeOf(relative) : null), 8);
  }
  bytes.set(address(lba, asMsf ? msfOf(lba) : null), 4);
  return bytes;
}

/** Formats 02h and 03h: a code behind the bit that says that there is one. */
function code(format: number, track: Track | null, value: string | null): Uint8Array {
  const bytes = new Uint8Array(CODE_BYTES);
  bytes[0] = format;
  if (track !== null) bytes.set([ADR_POSITION | track.control, track.number], 1);
  if (value === null) return bytes;
  bytes[4] = VALID;
  bytes.set(Buffer.from(value, 'latin1'), 5);
  return bytes;
}

/** What follows the header, or the field that asks for what is not there. */
function subQ(task: Task, disc: Disc): Uint8Array | 'format' | 'track' {
  const format = field(task.cdb, fields.format);
  if (format === CURRENT_POSITION) {
    const lba = opticalOf(task).audio.position(unitOf(task));
    return position(disc, lba, field(task.cdb, fields.msf) === 1);
  }
  if (format === CATALOG_NUMBER) return code(format, null, disc.catalog);
  if (format !== ISRC) return 'format';
  const number = field(task.cdb, fields.track);
  const track = disc.tracks.find((each) => each.number === number);
  return track === undefined ? 'track' : code(format, track, track.isrc);
}

export function readSubChannel(task: Task): void {
  const disc = discOf(task);
  if (familyOf(disc.profile) !== 'cd') {
    refuse(task, CANNOT_READ_MEDIUM_INCOMPATIBLE_FORMAT);
    return;
  }
  const data = field(task.cdb, fields.subQ) === 0 ? new Uint8Array(0) : subQ(task, disc);
  if (typeof data === 'string') {
    refuseField(task, cdbBytePointer(fields[data].byte));
    return;
  }
  const bytes = new Uint8Array(HEADER_BYTES + data.length);
  bytes[1] = opticalOf(task).audio.report(unitOf(task));
  bytes[3] = data.length;
  bytes.set(data, HEADER_BYTES);
  answer(task, bytes, bytes.length, field(task.cdb, fields.allocationLength));
}
