/** READ TRACK INFORMATION: where a track is, and what of it is written (MMC-6). */
import { bits, field, u } from '../../cdb.ts';
import { command } from '../../command-table.ts';
import { answer, refuseField } from '../../parameter-data.ts';
import { cdbBytePointer, cdbPointer } from '../../sense.ts';
import type { Task } from '../../task.ts';
import type { Disc, SectorForm, Track } from '../disc.ts';
import { discOf } from '../optical-drive.ts';
import { blockingOf, familyOf } from '../profile.ts';
import { TELLS_OF_DISC } from './policy.ts';

export const READ_TRACK_INFORMATION = command(
  0x52,
  'READ TRACK INFORMATION',
  10,
  { open: bits(1, 2, 2), addressType: bits(1, 1, 0), address: u(2, 4), allocationLength: u(7, 2) },
  TELLS_OF_DISC,
);

const { fields } = READ_TRACK_INFORMATION;

/** ADDRESS/NUMBER TYPE. */
const LBA = 0;
const TRACK = 1;
const SESSION = 2;
/** Track numbers with a meaning of their own. */
const LEAD_IN = 0;
const INVISIBLE = 0xff;

const CD_BYTES = 36;
const DVD_BYTES = 40;
const DAMAGE = 0x20;
const COPY = 0x10;
const RESERVED_TRACK = 0x80;
const BLANK = 0x40;
const PACKET = 0x20;
const FIXED_PACKET = 0x10;
const DATA_MODE_1 = 1;
const DATA_MODE_2 = 2;
const DATA_MODE_UNKNOWN = 0x0f;
const LRA_VALID = 0x02;
const NWA_VALID = 0x01;

/** The next track that a write makes, or what is open when there is none. */
function invisible({ tracks }: Disc): Track | undefined {
  return (
    tracks.find(({ state }) => state === 'invisible') ??
    tracks.findLast(({ state, nextWritable }) => state === 'open' && nextWritable !== null)
  );
}

/** With OPEN the number of an open track, of those behind it, is asked for. */
function byNumber(disc: Disc, number: number, open: boolean): Track | undefined {
  if (open)
    return disc.tracks.find((track) => track.number > number && track.nextWritable !== null);
  if (number === INVISIBLE) return invisible(disc);
  return disc.tracks.find((track) => track.number === number);
}

function byAddress({ tracks }: Disc, lba: number): Track | undefined {
  const signed = lba | 0;
  return tracks.findLast(({ pregap, end }) => signed >= pregap && signed < end);
}

function trackFor(task: Task, disc: Disc): Track | undefined {
  const type = field(task.cdb, fields.addressType);
  const address = field(task.cdb, fields.address);
  const open = field(task.cdb, fields.open) === 1;
  if (type === TRACK) return byNumber(disc, address, open);
  if (open) return undefined;
  if (type === LBA) return byAddress(disc, address);
  if (type === SESSION) return disc.tracks.find(({ session }) => session === address);
  return undefined;
}

function isBlank({ state, lastRecorded }: Track): boolean {
  return state !== 'complete' && lastRecorded === null;
}

/** DATA MODE; audio tracks are said to be in mode 1, as drives do. */
function dataModeOf(form: SectorForm): number {
  return form === 'mode1' || form === 'audio' ? DATA_MODE_1 : DATA_MODE_2;
}

function flagsOf(disc: Disc, track: Track): number {
  const blank = isBlank(track);
  const unknown = blank && familyOf(disc.profile) === 'cd';
  return (
    (track.state === 'reserved' ? RESERVED_TRACK : 0) |
    (blank ? BLANK : 0) |
    (track.packet ? PACKET : 0) |
    (track.packet && track.packetBlocks > 0 ? FIXED_PACKET : 0) |
    (unknown ? DATA_MODE_UNKNOWN : dataModeOf(track.form))
  );
}

function informationBlock(disc: Disc, track: Track): Uint8Array {
  const isCd = familyOf(disc.profile) === 'cd';
  const bytes = new Uint8Array(isCd ? CD_BYTES : DVD_BYTES);
  const view = new DataView(bytes.buffer);
  const { nextWritable, lastRecorded } = track;
  view.setUint16(0, bytes.length - 2);
  bytes[2] = track.number & 0xff;
  bytes[3] = track.session & 0xff;
  bytes[5] = (track.damaged ? DAMAGE : 0) | (track.copy ? COPY : 0) | track.control;
  bytes[6] = flagsOf(disc, track);
  bytes[7] = (lastRecorded === null ? 0 : LRA_VALID) | (nextWritable === null ? 0 : NWA_VALID);
  view.setInt32(8, track.start);
  view.setInt32(12, nextWritable ?? 0);
  view.setUint32(16, nextWritable === null ? 0 : track.end - nextWritable);
  view.setUint32(20, isCd ? track.packetBlocks : track.packetBlocks || blockingOf(disc.profile));
  view.setUint32(24, track.end - track.start);
  view.setInt32(28, lastRecorded ?? 0);
  bytes[32] = track.number >> 8;
  bytes[33] = track.session >> 8;
  return bytes;
}

/** The lead-in of a CD, which belongs to no track. */
function leadInBlock(disc: Disc): Uint8Array | null {
  const { atip } = disc.recordable ?? { atip: null };
  if (atip === null) return null;
  const bytes = new Uint8Array(CD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, CD_BYTES - 2);
  bytes[3] = 1;
  bytes[6] = (disc.status === 'blank' ? BLANK : 0) | DATA_MODE_UNKNOWN;
  view.setInt32(8, atip.leadIn);
  view.setUint32(24, -150 - atip.leadIn);
  return bytes;
}

export function readTrackInformation(task: Task): void {
  const disc = discOf(task);
  const type = field(task.cdb, fields.addressType);
  const address = field(task.cdb, fields.address);
  if (type > SESSION) {
    refuseField(task, cdbPointer(fields.addressType.byte, 1));
    return;
  }
  const track = trackFor(task, disc);
  let bytes = track === undefined ? null : informationBlock(disc, track);
  if (type === TRACK && address === LEAD_IN && field(task.cdb, fields.open) === 0) {
    bytes = leadInBlock(disc);
  }
  if (bytes === null) refuseField(task, cdbBytePointer(fields.address.byte));
  else answer(task, bytes, bytes.length, field(task.cdb, fields.allocationLength));
}
