/** What a legal recordable disc is: every state that is kept, and every one that is read back, is one. */
import { LEADING_PAUSE_FRAMES } from '../sector/msf.ts';
import type { ClosedSession, DiscState, StoredRun, StoredTrack } from './disc-state.ts';
import { formattedSessionStart, formattedSessions } from './formatted-sessions.ts';
import { factsOf } from './media.ts';

const endOf = ({ first, blocks }: StoredRun): number => first + blocks;

function runFault(runs: readonly StoredRun[], last: number): string | null {
  // The pregap of the first track of a session is in front of it.
  let end = -LEADING_PAUSE_FRAMES;
  for (const run of runs) {
    if (run.first < end) return `a run begins at ${run.first}, inside the one before it`;
    end = endOf(run);
  }
  return end > last ? `a run ends at ${end}, behind the end of the disc` : null;
}

/** Whether [first, end) is all in runs. */
export function isRecorded(runs: readonly StoredRun[], first: number, end: number): boolean {
  let at = first;
  for (const run of runs) {
    if (at >= end || run.first > at) break;
    if (run.first + run.blocks > at) at = run.first + run.blocks;
  }
  return at >= end;
}

function trackFault(track: StoredTrack, state: DiscState, behind: number): string | null {
  const { number, pregap, start, end, next, indexes } = track;
  if (pregap < behind) return `track ${number} begins inside the one before it`;
  if (pregap > start || start > next || next > end || start === end)
    return `track ${number} is not in order`;
  if (track.state === 'open' && start === next && track.method === 'incremental' && track.damaged)
    return `track ${number} is damaged without having been written`;
  if (indexes.some((at, i) => at <= (indexes[i - 1] ?? start) || at >= end))
    return `the indexes of track ${number} are not in order`;
  const recorded = track.state === 'complete' ? end : next;
  if (!isRecorded(state.runs, start, recorded)) return `track ${number} has sectors of no form`;
  const isOver = (run: StoredRun): boolean => run.first < end && endOf(run) > next;
  if (track.state !== 'complete' && next < end && state.runs.some(isOver))
    return `track ${number} has sectors where the next is to be written`;
  const isOpen = track.session > state.sessions.length;
  if (track.state !== 'complete' && (!isOpen || state.final))
    return `track ${number} is open in a closed session`;
  return null;
}

function tracksFault(state: DiscState): string | null {
  const { kind, tracks, sessions } = state;
  const { mostTracks, blocks, overwrite } = factsOf(kind);
  if (tracks.length > mostTracks) return 'it has too many tracks';
  let behind = -LEADING_PAUSE_FRAMES;
  for (const [i, track] of tracks.entries()) {
    if (track.number !== i + 1) return `its track ${i + 1} has another number`;
    const fault = trackFault(track, state, behind);
    if (fault !== null) return fault;
    const expected = sessions.findIndex(({ lastTrack }) => track.number <= lastTrack);
    if (track.session !== (expected < 0 ? sessions.length + 1 : expected + 1))
      return `track ${track.number} is in another session`;
    behind = track.end;
  }
  if (behind > blocks) return 'its tracks end behind the end of the disc';
  const last = state.runs.at(-1);
  const isTracks = state.format === null || overwrite === 'never';
  const isStray = isTracks && last !== undefined && endOf(last) > behind;
  return isStray ? 'it has sectors behind its last track' : null;
}

function sessionFault(session: ClosedSession, i: number, state: DiscState): string | null {
  const before = state.sessions[i - 1];
  const last = state.tracks[session.lastTrack - 1];
  if (session.number !== i + 1) return `its session ${i + 1} has another number`;
  if (session.firstTrack !== (before?.lastTrack ?? 0) + 1 || session.lastTrack < session.firstTrack)
    return `the tracks of session ${session.number} are not in order`;
  if (last === undefined || last.end !== session.leadOut)
    return `the lead-out of session ${session.number} is not behind its last track`;
  return null;
}

/** Formatted sessions lie one behind the other, and all of their sectors are there. */
function sessionsOfFormat(state: DiscState): boolean {
  const all = formattedSessions(state);
  return all.every(({ first, end }, i) => {
    const isLast = i === all.length - 1;
    if (end < first || (end === first && !isLast)) return false;
    const { earlier = [] } = state.format ?? {};
    const expected = formattedSessionStart(factsOf(state.kind), earlier.slice(0, i));
    return first === expected && isRecorded(state.runs, first, end);
  });
}

function formatFault(state: DiscState): string | null {
  const { kind, format, tracks } = state;
  if (format === null) return null;
  const { overwrite, blocks } = factsOf(kind);
  if (format.blocks < 0 || format.blocks > blocks) return 'its format has more blocks than it';
  if (overwrite === 'never') return null;
  if (tracks.length > 0) return 'it is formatted and has tracks';
  if (!sessionsOfFormat(state)) return 'its format has sectors of no form';
  return null;
}

/** Why this is no state of a legal disc, or null. */
export function faultOf(state: DiscState): string | null {
  const { kind, runs, sessions, tracks, final } = state;
  for (const [i, session] of sessions.entries()) {
    const fault = sessionFault(session, i, state);
    if (fault !== null) return fault;
  }
  if (final && sessions.at(-1)?.lastTrack !== tracks.length && state.format === null)
    return 'it is final and its last session is open';
  return runFault(runs, factsOf(kind).blocks) ?? tracksFault(state) ?? formatFault(state);
}
