/** SYNCHRONIZE CACHE(10) of a burner: what was written is on the disc, and a track that is written at once ends (MMC-6 6.41). */
import { bits, field, u } from '../../cdb.ts';
import { command, WRITES_UNIT } from '../../command-table.ts';
import { unitOf } from '../../parameter-data.ts';
import {
  LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS,
  SESSION_FIXATION_ERROR,
  WRITE_ERROR,
} from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { opticalOf } from '../optical-drive.ts';
import type { Burner } from './burner.ts';
import { burnerOf, parametersOf, seenState, testsWriting, writesWholeDisc } from './burnt.ts';
import type { DiscState } from './disc-state.ts';
import { blocksBetween } from './laser-work.ts';
import { factsOf } from './media.ts';
import type { Transition } from './operation.ts';
import { RawRecording } from './raw-recording.ts';
import { RecordableDisc } from './recordable-disc.ts';
import {
  closedTrack,
  closeSession,
  openTracks,
  type Padding,
  padded,
  paddings,
} from './transitions.ts';
import type { WriteParameters } from './write-parameters.ts';

const IMMED = bits(1, 1, 1);

export const SYNCHRONIZE_CACHE = command(
  0x35,
  'SYNCHRONIZE CACHE(10)',
  10,
  // RELADR is obsolete; whatever range is named, all of it is flushed.
  { immed: IMMED, lba: u(2, 4), blocks: u(7, 2) },
  {
    data: 'none',
    medium: 'required',
    attention: 'report',
    reservation: 'writes',
    extent: WRITES_UNIT,
    burn: 'changes',
    clause: 'MMC-6 6.41',
  },
);

/** A raw recording whose lead-out was written, or one that is complete and could not be closed. */
function endsRecording({ recording }: Burner): boolean {
  if (recording === null) return false;
  return recording.complete || (recording instanceof RawRecording && recording.ended);
}

/** A DVD-R that is written as a whole ends with its reserved track, whose last write unit need not be full. */
function fillsReservation(state: DiscState, parameters: WriteParameters): boolean {
  const { writeBlocks } = factsOf(state.kind);
  const isFull = openTracks(state).every(({ next, end }) => next > end - writeBlocks);
  return isFull && writesWholeDisc(state, parameters);
}

interface Synchronized {
  readonly state: DiscState;
  readonly closes: boolean;
  /** The last write units are filled with zeros; absent: there is nothing to fill. */
  readonly fills?: readonly Padding[];
}

function synchronized(burner: Burner, state: DiscState, parameters: WriteParameters): Synchronized {
  const { recording } = burner;
  const { nextSession } = parameters;
  if (recording !== null) {
    if (!endsRecording(burner)) return { state, closes: false };
    return { state: recording.closed(state, nextSession), closes: true };
  }
  if (fillsReservation(state, parameters)) {
    const end = { final: !nextSession, type: state.sessionType };
    return { state: closeSession(state, end), closes: true };
  }
  if (factsOf(state.kind).family !== 'cd') {
    const fills = burner.isAtOnce ? [] : paddings(state);
    return { state: padded(state, fills), closes: false, fills };
  }
  const open = openTracks(state).find(
    (track) => track.state === 'open' && track.method === 'at-once' && !track.damaged,
  );
  return { state: open === undefined ? state : closedTrack(state, open), closes: false };
}

/** Nobody has to wait for the host that wrote incrementally: each of those writes is complete. Tracks of a CD belong together. */
function releases(state: DiscState): boolean {
  const isCd = factsOf(state.kind).family === 'cd';
  return !isCd && openTracks(state).every(({ method }) => method === 'incremental');
}

function transitionOf(burner: Burner, disc: RecordableDisc, now: Synchronized): Transition {
  const { state, closes, fills = [] } = now;
  return {
    state,
    interim: null,
    wipes: false,
    fills,
    sense: LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS,
    failure: closes ? SESSION_FIXATION_ERROR : WRITE_ERROR,
    blocks: blocksBetween(disc.state, state),
    changesContents: closes,
    ends: closes || (!burner.isAtOnce && burner.recording === null && releases(state)),
  };
}

export function synchronizeCache(task: Task): void {
  const { disc } = opticalOf(task);
  if (!(disc instanceof RecordableDisc)) {
    unitOf(task).finish(task);
    return;
  }
  const burner = burnerOf(task);
  const parameters = parametersOf(task);
  const now = synchronized(burner, seenState(burner, disc, parameters), parameters);
  if (burner.recording?.test === true || testsWriting(disc, parameters)) {
    if (now.closes) burner.release();
    else burner.shadow = now.state;
    unitOf(task).finish(task);
    return;
  }
  burner.run(task, disc, transitionOf(burner, disc, now), field(task.cdb, IMMED) === 1);
}
