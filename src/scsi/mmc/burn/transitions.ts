/**
 * What can happen to a recordable disc: from one legal state to the next, or sense that says why not. Nothing here touches a
 * store (MMC-6 4.2 to 4.6, 6.3, 6.26, 6.36).
 */
import {
  CANNOT_WRITE_MEDIUM_INCOMPATIBLE_FORMAT,
  COMMAND_SEQUENCE_ERROR,
  INVALID_FIELD_IN_CDB,
  NO_MORE_TRACK_RESERVATIONS_ALLOWED,
  SESSION_FIXATION_ERROR_INCOMPLETE_TRACK_IN_SESSION,
} from '../../sense-codes.ts';
import type { Session } from '../disc.ts';
import { type DiscState, isOverwritable, type StoredTrack } from './disc-state.ts';
import { factsOf } from './media.ts';
import { withoutRange, withRun } from './runs.ts';

/** Blocks that tracks can be written to. */
export function roomOf({ kind, format }: DiscState): number {
  return format?.blocks ?? factsOf(kind).blocks;
}

export function roundedUp(blocks: number, multiple: number): number {
  return Math.ceil(blocks / multiple) * multiple;
}

/** Tracks of the session that is open. */
export function openTracks({ tracks, sessions }: DiscState): readonly StoredTrack[] {
  return tracks.slice(sessions.at(-1)?.lastTrack ?? 0);
}

/** Where the first track of the session that is open begins. */
export function sessionStart({ kind, sessions }: DiscState): number {
  const last = sessions.at(-1);
  if (last === undefined) return 0;
  const { sessionGap, writeBlocks } = factsOf(kind);
  return roundedUp(last.leadOut + sessionGap[sessions.length === 1 ? 0 : 1], writeBlocks);
}

/** The track that the next write to new room would make. */
export interface NextTrack {
  readonly number: number;
  readonly session: number;
  readonly pregap: number;
  readonly start: number;
  readonly end: number;
}

/** Null: another is open that has all the room, or there is none left. */
export function nextTrack(state: DiscState): NextTrack | null {
  if (state.final || isOverwritable(state)) return null;
  const { mostTracks, trackGap, overwrite } = factsOf(state.kind);
  if (overwrite === 'formatted') return null;
  const inSession = openTracks(state);
  if (inSession.some((track) => track.state === 'open')) return null;
  const before = inSession.at(-1);
  const start = before === undefined ? sessionStart(state) : before.end + trackGap;
  const end = roomOf(state);
  if (start >= end || state.tracks.length >= mostTracks) return null;
  return {
    number: state.tracks.length + 1,
    session: state.sessions.length + 1,
    pregap: before?.end ?? start,
    start,
    end,
  };
}

/** The state with one of its tracks in the place of the one of that number. */
export function withTrack(state: DiscState, track: StoredTrack): DiscState {
  return { ...state, tracks: state.tracks.with(track.number - 1, track) };
}

/** The state with another track, which nothing has been written to. The pregap in front of it is there. */
export function withNewTrack(state: DiscState, track: StoredTrack): DiscState {
  const { pregap, start, form } = track;
  const runs = withRun(state.runs, {
    first: pregap,
    blocks: start - pregap,
    form,
    stored: 'nothing',
    sub: false,
  });
  return { ...state, runs, tracks: [...state.tracks, track] };
}

/** `blocks` more blocks of a track are recorded. */
export function recorded(
  state: DiscState,
  number: number,
  blocks: number,
  stored: 'user' | 'raw' | 'mode2' | 'form2' | 'nothing',
): DiscState {
  const track = state.tracks[number - 1] as StoredTrack;
  const { form, next } = track;
  const runs = withRun(state.runs, { first: next, blocks, form, stored, sub: false });
  return withTrack({ ...state, runs }, { ...track, next: next + blocks });
}

/** The state without its last track, and without what was recorded for it. */
function withoutLastTrack(state: DiscState): DiscState {
  const track = state.tracks.at(-1) as StoredTrack;
  const tracks = state.tracks.slice(0, -1);
  const behind = tracks.length === (state.sessions.at(-1)?.lastTrack ?? 0);
  const first = behind ? track.start - factsOf(state.kind).trackGap : track.pregap;
  return { ...state, tracks, runs: withoutRange(state.runs, first, factsOf(state.kind).blocks) };
}

/** Where a track ends when it is closed now. */
function closingEnd(track: StoredTrack, state: DiscState): number {
  if (track.state === 'reserved') return track.end;
  const { writeBlocks, runOut } = factsOf(state.kind);
  const added = track.method === 'at-once' ? runOut : 0;
  return Math.min(roomOf(state), roundedUp(track.next, writeBlocks) + added);
}

/**
 * Ends a track: what is missing of its last write unit, or of a reserved track, is recorded as zeros. One that was opened and
 * has no block is none.
 */
export function closedTrack(state: DiscState, track: StoredTrack): DiscState {
  if (track.state === 'complete') return state;
  if (track.state === 'open' && track.next === track.start) {
    return track.number === state.tracks.length ? withoutLastTrack(state) : state;
  }
  const end = closingEnd(track, state);
  const filled = recorded(state, track.number, end - track.next, 'nothing');
  return withTrack(filled, { ...track, end, next: track.next, state: 'complete' });
}

/**
 * The session was begun by a plan and has no sector of a track: its lead-in or first pregap is burnt, and no lead-out can follow
 * before something is.
 */
function hasOnlyBegun(state: DiscState): boolean {
  const tracks = openTracks(state);
  return (
    tracks.length > 0 &&
    tracks.every(({ method, next, start }) => method === 'planned' && next === start)
  );
}

/** CLOSE TRACK. */
export function closeTrack(state: DiscState, number: number): DiscState | number {
  const track = state.tracks[number - 1];
  if (hasOnlyBegun(state)) return SESSION_FIXATION_ERROR_INCOMPLETE_TRACK_IN_SESSION;
  if (track !== undefined) return closedTrack(state, track);
  return nextTrack(state)?.number === number ? state : INVALID_FIELD_IN_CDB;
}

/** Ends the tracks of the session: those that a plan left without a block are none. */
function withTracksClosed(state: DiscState): DiscState {
  let closed = state;
  for (const { number } of openTracks(state).toReversed()) {
    const track = closed.tracks[number - 1] as StoredTrack;
    closed = closedTrack(closed, track);
  }
  return closed;
}

export interface SessionEnd {
  /** Nothing can be written any more afterwards. */
  readonly final: boolean;
  readonly type: Session['type'];
}

/** CLOSE SESSION of a host: the state when it is done (`closeSession`), or sense. */
export function closeOpenSession(state: DiscState, end: SessionEnd): DiscState | number {
  return hasOnlyBegun(state)
    ? SESSION_FIXATION_ERROR_INCOMPLETE_TRACK_IN_SESSION
    : closeSession(state, end);
}

/**
 * The session ends. One without a track is none, and stays open. On other media than CDs the disc can be final all the same;
 * the lead-in of a CD's last session says already where another may follow.
 */
export function closeSession(state: DiscState, { final, type }: SessionEnd): DiscState {
  const closed = withTracksClosed(state);
  const firstTrack = (closed.sessions.at(-1)?.lastTrack ?? 0) + 1;
  const last = closed.tracks.at(-1);
  if (last === undefined || last.number < firstTrack) {
    const canEnd = closed.sessions.length > 0 && factsOf(closed.kind).family !== 'cd';
    return final && canEnd ? { ...closed, final: true } : closed;
  }
  const number = closed.sessions.length + 1;
  const session = { number, type, firstTrack, lastTrack: last.number, leadOut: last.end };
  const ended: DiscState = {
    ...closed,
    sessions: [...closed.sessions, session],
    runs: withoutRange(closed.runs, last.end, factsOf(closed.kind).blocks),
    sessionType: 0x00,
    final,
  };
  return final || nextTrack(ended) !== null ? ended : { ...ended, final: true };
}

/** Sectors that a track goes on with, in the same write unit as what was written last. */
export interface Padding {
  readonly track: number;
  readonly first: number;
  readonly blocks: number;
}

/** What is missing of the last write units of the tracks of a DVD or BD. */
export function paddings(state: DiscState): Padding[] {
  const { writeBlocks } = factsOf(state.kind);
  return openTracks(state).flatMap(({ number, next, end, start, state: life }) => {
    const blocks = Math.min(end, roundedUp(next, writeBlocks)) - next;
    const isPart = life !== 'complete' && next > start && blocks > 0;
    return isPart ? [{ track: number, first: next, blocks }] : [];
  });
}

/** The state with those sectors recorded: as data, so that a disc that is synchronized often has one run of sectors. */
export function padded(state: DiscState, missing: readonly Padding[]): DiscState {
  return missing.reduce((now, { track, blocks }) => recorded(now, track, blocks, 'user'), state);
}

/** RESERVE TRACK: `size` blocks for a track, behind which the next begins. */
export function reserveTrack(
  state: DiscState,
  size: number,
  kind: Pick<StoredTrack, 'control' | 'form' | 'method' | 'packet' | 'packetBlocks' | 'copy'>,
): DiscState | number {
  const { family, writeBlocks, mostTracks } = factsOf(state.kind);
  if (state.final || isOverwritable(state)) return CANNOT_WRITE_MEDIUM_INCOMPATIBLE_FORMAT;
  const next = nextTrack(state);
  if (next === null) {
    const full = state.tracks.length >= mostTracks;
    return full ? NO_MORE_TRACK_RESERVATIONS_ALLOWED : COMMAND_SEQUENCE_ERROR;
  }
  const end = next.start + roundedUp(size, writeBlocks);
  if (size === 0 || end > next.end) return INVALID_FIELD_IN_CDB;
  const { number, session, start } = next;
  const pregap = family === 'cd' ? next.pregap : start;
  const track: StoredTrack = {
    ...kind,
    number,
    session,
    pregap,
    start,
    end,
    next: start,
    indexes: [],
    isrc: null,
    state: 'reserved',
    damaged: false,
  };
  return withNewTrack(state, track);
}

/** REPAIR TRACK: an interrupted track is as it is, and can go on behind what was recorded. */
export function repairTrack(state: DiscState, number: number): DiscState | number {
  const track = state.tracks[number - 1];
  if (track === undefined) {
    return nextTrack(state)?.number === number ? state : INVALID_FIELD_IN_CDB;
  }
  if (!track.damaged) return state;
  return withTrack(state, { ...track, damaged: false });
}
