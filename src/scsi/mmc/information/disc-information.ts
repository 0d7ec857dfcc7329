/** READ DISC INFORMATION: how far a disc is recorded, and what it has for more (MMC-6). */
import { bits, field, u } from '../../cdb.ts';
import { command } from '../../command-table.ts';
import { answer, refuseField } from '../../parameter-data.ts';
import { cdbPointer } from '../../sense.ts';
import type { Task } from '../../task.ts';
import type { BackgroundFormat, Disc, DiscStatus, SessionState } from '../disc.ts';
import { discOf } from '../optical-drive.ts';
import { DVD_PLUS_RW, familyOf } from '../profile.ts';
import { LEADING_PAUSE_FRAMES, msfOf } from '../sector/msf.ts';
import { TELLS_OF_DISC } from './policy.ts';

export const READ_DISC_INFORMATION = command(
  0x51,
  'READ DISC INFORMATION',
  10,
  // dvd+rw-mediainfo sets a bit of those above, which drives do not look at.
  { dataType: bits(1, 2, 0), ignored: bits(1, 7, 3), allocationLength: u(7, 2) },
  TELLS_OF_DISC,
);

const STANDARD = 0;
const TRACK_RESOURCES = 1;
const POW_RESOURCES = 2;

const DISC_STATUS: Readonly<Record<DiscStatus, number>> = {
  blank: 0,
  appendable: 1,
  complete: 2,
  other: 3,
};
const SESSION_STATE: Readonly<Record<SessionState, number>> = {
  empty: 0,
  incomplete: 1,
  damaged: 2,
  complete: 3,
};
const BACKGROUND_FORMAT: Readonly<Record<BackgroundFormat, number>> = {
  none: 0,
  stopped: 1,
  running: 2,
  complete: 3,
};

const DISC_INFORMATION_BYTES = 34;
const ERASABLE = 0x10;
/** Unrestricted use disc. */
const URU = 0x20;
const UNDEFINED = 0xff;
/** Blocks of the lead-in of a session and of the pregap behind it, but of the first session. */
const LEAD_IN_BLOCKS = 4500;

/** Where the lead-in of the last session of a CD begins; null: nothing more can be written to it. */
function lastLeadIn(disc: Disc): number | null {
  const { recordable, sessions, status } = disc;
  const { atip } = recordable ?? { atip: null };
  const last = sessions.at(-1);
  if (atip === null || last === undefined || status === 'complete') return null;
  if (last.number === 1) return atip.leadIn;
  const start = disc.tracks.find(({ session }) => session === last.number)?.start;
  return start === undefined ? null : start - LEADING_PAUSE_FRAMES - LEAD_IN_BLOCKS;
}

function discType(disc: Disc): number {
  if (familyOf(disc.profile) !== 'cd') return 0;
  if (disc.status === 'blank') return UNDEFINED;
  return disc.sessions[0]?.type ?? UNDEFINED;
}

/** LAST SESSION LEAD-IN START ADDRESS and LAST POSSIBLE LEAD-OUT START ADDRESS: hours, minutes, seconds, frames. */
function addresses(disc: Disc): readonly number[] {
  if (familyOf(disc.profile) !== 'cd') return [0, 0, 0, 0, 0, 0, 0, 0];
  const leadIn = lastLeadIn(disc);
  const leadOut = disc.recordable?.atip?.lastLeadOut;
  if (leadIn === null || leadOut === undefined) return new Array<number>(8).fill(UNDEFINED);
  const [from, to] = [msfOf(leadIn), msfOf(leadOut)];
  return [0, from.minute, from.second, from.frame, 0, to.minute, to.second, to.frame];
}

function discInformation(disc: Disc): Uint8Array {
  const { sessions, tracks } = disc;
  const last = sessions.at(-1);
  const bytes = new Uint8Array(DISC_INFORMATION_BYTES);
  bytes[1] = DISC_INFORMATION_BYTES - 2;
  bytes[2] =
    (disc.erasable ? ERASABLE : 0) |
    (SESSION_STATE[disc.lastSession] << 2) |
    DISC_STATUS[disc.status];
  const firstInLast = last?.firstTrack ?? 1;
  const lastInLast = last?.lastTrack ?? 1;
  bytes[3] = tracks[0]?.number ?? 1;
  bytes[7] = URU;
  if (disc.profile === DVD_PLUS_RW) {
    bytes[7] |= BACKGROUND_FORMAT[disc.recordable?.backgroundFormat ?? 'none'];
  }
  bytes[8] = discType(disc);
  for (const [at, value] of [
    [4, sessions.length],
    [5, firstInLast],
    [6, lastInLast],
  ] as const) {
    bytes[at] = value & 0xff;
    bytes[at + 5] = value >> 8;
  }
  bytes.set(addresses(disc), 16);
  return bytes;
}

const TRACK_RESOURCES_BYTES = 12;
function trackResources({ recordable, tracks }: Disc): Uint8Array {
  const assigned = tracks.filter(({ state }) => state !== 'invisible').length;
  const appendable = tracks.filter(({ nextWritable }) => nextWritable !== null).length;
  const view = new DataView(new ArrayBuffer(TRACK_RESOURCES_BYTES));
  view.setUint16(0, TRACK_RESOURCES_BYTES - 2);
  view.setUint8(2, TRACK_RESOURCES << 5);
  view.setUint16(4, recordable?.mostTracks ?? assigned);
  view.setUint16(6, assigned);
  view.setUint16(8, recordable?.mostOpenTracks ?? 0);
  view.setUint16(10, appendable);
  return new Uint8Array(view.buffer);
}

const POW_RESOURCES_BYTES = 16;
/** Null: the disc has no pseudo overwrite. */
function powResources({ recordable }: Disc): Uint8Array | null {
  const { pow } = recordable ?? { pow: null };
  if (pow === null) return null;
  const view = new DataView(new ArrayBuffer(POW_RESOURCES_BYTES));
  view.setUint16(0, POW_RESOURCES_BYTES - 2);
  view.setUint8(2, POW_RESOURCES << 5);
  view.setUint32(4, pow.replacements);
  view.setUint32(8, pow.mapEntries);
  view.setUint32(12, pow.updates);
  return new Uint8Array(view.buffer);
}

function blockOf(disc: Disc, type: number): Uint8Array | null {
  if (type === STANDARD) return discInformation(disc);
  if (type === TRACK_RESOURCES) return trackResources(disc);
  return type === POW_RESOURCES ? powResources(disc) : null;
}

export function readDiscInformation(task: Task): void {
  const { fields } = READ_DISC_INFORMATION;
  const bytes = blockOf(discOf(task), field(task.cdb, fields.dataType));
  if (bytes === null) refuseField(task, cdbPointer(fields.dataType.byte, 2));
  else answer(task, bytes, bytes.length, field(task.cdb, fields.allocationLength));
}
