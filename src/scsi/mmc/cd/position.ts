/** Where on a CD a sector is: its track and index, the pauses that nobody keeps, and what sub-channels P and Q say of it. */
import type { Disc, SectorRun, Track } from '../disc.ts';
import { rangeBefore } from '../finished-disc.ts';
import { FRAMES_PER_SECOND, LEADING_PAUSE_FRAMES } from '../sector/msf.ts';
import { CHANNEL_BYTES, CHANNEL_P, CHANNEL_Q, putChannel } from '../sector/sub-channel.ts';
import {
  LEAD_OUT_TRACK,
  putCatalog,
  putIsrc,
  putPosition,
  type QPosition,
} from '../sector/sub-channel-q.ts';

/** First sector of a track: of its pregap, or of the pause that every session begins with. */
export function firstSectorOf(disc: Disc, track: Track): number {
  const session = disc.sessions[track.session - 1];
  const opens = session?.firstTrack === track.number;
  return opens ? track.pregap - LEADING_PAUSE_FRAMES : track.pregap;
}

/** The track around `lba`, or the last before it; null: `lba` is in front of the first. */
export function trackUpTo(disc: Disc, lba: number): Track | null {
  const index = rangeBefore(disc.tracks, lba, (track) => firstSectorOf(disc, track));
  return disc.tracks[index] ?? null;
}

/** What Q says of a sector in the program area or behind it; null: it is in front of the first pause. */
export function qPositionOf(disc: Disc, lba: number): QPosition | null {
  const track = trackUpTo(disc, lba);
  if (track === null) return null;
  const { control, start, number } = track;
  const leadOut = disc.sessions[track.session - 1]?.leadOut ?? null;
  if (leadOut !== null && lba >= leadOut) {
    return { control, track: LEAD_OUT_TRACK, index: 1, relative: lba - leadOut, lba };
  }
  if (lba < start) return { control, track: number, index: 0, relative: start - lba, lba };
  let index = 1;
  for (const first of track.indexes) if (first <= lba) index += 1;
  return { control, track: number, index, relative: lba - start, lba };
}

/**
 * The pause of two seconds in front of a session, as sectors that have nothing in them; null: `lba` is in none. What is kept of it
 * (`Disc.runAt`) goes before.
 */
export function pauseAt(disc: Disc, lba: number): SectorRun | null {
  for (const session of disc.sessions) {
    const track = disc.tracks.find(({ number }) => number === session.firstTrack);
    if (track === undefined || track.state === 'invisible') continue;
    const first = firstSectorOf(disc, track);
    if (lba < first || lba >= track.pregap) continue;
    return {
      first,
      blocks: track.pregap - first,
      form: track.form,
      stored: 'nothing',
      position: 0,
      strideBytes: 0,
      subChannel: 'none',
      subPosition: 0,
      subStrideBytes: 0,
    };
  }
  return null;
}

/** The sectors around `lba` that READ CD can read, or null. */
export function sectorsAt(disc: Disc, lba: number): SectorRun | null {
  return disc.runAt(lba) ?? pauseAt(disc, lba);
}

/**
 * Catalogue number and ISRC take the place of the position once in so many sectors: they have to be there once in a hundred, and
 * tracks do not begin with them.
 */
const OTHER_DATA_EVERY = 50;
const CATALOG_AT = 20;
const ISRC_AT = 40;

/** Writes the 12 bytes of Q that a sector has on a disc whose sub-channels nobody keeps. */
export function putQ(disc: Disc, lba: number, q: Uint8Array, at: number): void {
  const position = qPositionOf(disc, lba);
  const track = trackUpTo(disc, lba);
  if (position === null || track === null) {
    q.fill(0, at, at + CHANNEL_BYTES);
    return;
  }
  const { control } = position;
  const turn = (lba - firstSectorOf(disc, track)) % OTHER_DATA_EVERY;
  const isFirst = lba === track.start || track.indexes.includes(lba);
  const inTrack = position.track !== LEAD_OUT_TRACK;
  if (disc.catalog !== null && turn === CATALOG_AT && !isFirst) {
    putCatalog(q, at, control, disc.catalog, lba);
  } else if (track.isrc !== null && turn === ISRC_AT && !isFirst && inTrack) {
    putIsrc(q, at, control, track.isrc, lba);
  } else {
    putPosition(q, at, position);
  }
}

/** Frames of half a period of P in the lead-out, which it shows at 2 Hz. */
const LEAD_OUT_HALF_PERIOD = FRAMES_PER_SECOND / 4;

/** Whether P is set: in pauses, and every quarter of a second in the lead-out. */
function isPauseMarked(disc: Disc, lba: number): boolean {
  const position = qPositionOf(disc, lba);
  if (position === null) return false;
  if (position.track !== LEAD_OUT_TRACK) return position.index === 0;
  return Math.floor(position.relative / LEAD_OUT_HALF_PERIOD) % 2 === 1;
}

const channel = new Uint8Array(CHANNEL_BYTES);

/** Writes P and Q of a sector into its 96 interleaved bytes at `at`; R to W stay. */
export function putPAndQ(disc: Disc, lba: number, interleaved: Uint8Array, at: number): void {
  channel.fill(isPauseMarked(disc, lba) ? 0xff : 0);
  putChannel(interleaved, at, CHANNEL_P, channel, 0);
  putQ(disc, lba, channel, 0);
  putChannel(interleaved, at, CHANNEL_Q, channel, 0);
}
