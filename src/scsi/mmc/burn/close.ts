/** CLOSE TRACK/SESSION (MMC-6 6.3), RESERVE TRACK (MMC-6 6.31) and REPAIR TRACK (MMC-6 6.28). */
import { bits, field, u } from '../../cdb.ts';
import { command, WRITES_UNIT } from '../../command-table.ts';
import { refuse, refuseField, unitOf } from '../../parameter-data.ts';
import { cdbBytePointer, cdbPointer } from '../../sense.ts';
import {
  INVALID_FIELD_IN_CDB,
  LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS,
  SESSION_FIXATION_ERROR,
  WRITE_ERROR,
} from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import {
  abandonRecording,
  burnerOf,
  parametersOf,
  recordableOf,
  refuseInRecording,
  seenState,
  testsWriting,
} from './burnt.ts';
import { type DiscState, isOverwritable } from './disc-state.ts';
import { settled } from './erasing.ts';
import { blocksBetween } from './laser-work.ts';
import type { CloseAction } from './media.ts';
import type { Transition } from './operation.ts';
import type { RecordableDisc } from './recordable-disc.ts';
import {
  closeOpenSession,
  closeTrack,
  nextTrack,
  openTracks,
  repairTrack,
  reserveTrack,
} from './transitions.ts';
import type { WriteParameters } from './write-parameters.ts';
import { trackKind } from './write-plan.ts';

const POLICY = {
  data: 'none',
  medium: 'required',
  attention: 'report',
  reservation: 'writes',
  extent: WRITES_UNIT,
  writes: true,
} as const;

const IMMED = bits(1, 0, 0);
const CLOSE_FUNCTION = bits(2, 2, 0);
const TRACK = u(4, 2);

export const CLOSE_TRACK_SESSION = command(
  0x5b,
  'CLOSE TRACK/SESSION',
  10,
  { immed: IMMED, closeFunction: CLOSE_FUNCTION, track: TRACK },
  { ...POLICY, clause: 'MMC-6 6.3' },
);
export const REPAIR_TRACK = command(
  0x58,
  'REPAIR TRACK',
  10,
  { immed: IMMED, track: TRACK },
  { ...POLICY, clause: 'MMC-6 6.28' },
);

const RMZ = bits(1, 1, 1);
const ARSV = bits(1, 0, 0);
/** LOGICAL BLOCK ADDRESS (ARSV = 1) and RESERVATION SIZE (ARSV = 0) share a byte. */
const RESERVATION = u(2, 7);
const ADDRESS = u(2, 4);
const SIZE = u(5, 4);

export const RESERVE_TRACK = command(
  0x53,
  'RESERVE TRACK',
  10,
  { rmz: RMZ, arsv: ARSV, reservation: RESERVATION },
  { ...POLICY, clause: 'MMC-6 6.31' },
);

/** The incomplete track, as hosts call it. */
const INCOMPLETE_TRACK = 0xff;

function trackNumber(state: DiscState, asked: number): number {
  if (asked !== INCOMPLETE_TRACK) return asked;
  const open = openTracks(state).find((track) => track.state === 'open');
  return open?.number ?? nextTrack(state)?.number ?? asked;
}

function closed(
  state: DiscState,
  action: CloseAction,
  track: number,
  { nextSession, sessionType }: WriteParameters,
): DiscState | number {
  const type = openTracks(state).length > 0 ? state.sessionType : sessionType;
  switch (action) {
    case 'track':
      return closeTrack(state, trackNumber(state, track));
    case 'session':
      return closeOpenSession(state, { final: !nextSession, type });
    case 'border':
      return closeOpenSession(state, { final: false, type });
    case 'final':
      return closeOpenSession(state, { final: true, type });
    case 'stop':
    case 'readable':
      return settled(state);
    case 'nothing':
      return state;
  }
}

function transitionOf(disc: RecordableDisc, state: DiscState, action: CloseAction): Transition {
  const changes = state.sessions.length !== disc.state.sessions.length || action === 'readable';
  return {
    state,
    interim: null,
    wipes: false,
    sense: LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS,
    failure: SESSION_FIXATION_ERROR,
    blocks: blocksBetween(disc.state, state),
    changesContents: changes || state.final !== disc.state.final,
    ends: true,
  };
}

/** A session whose tracks were left open by an interruption is closed with what is on the disc. */
export function closeTrackSession(task: Task): void {
  const disc = recordableOf(task);
  if (disc === null) return;
  const { closes, formattedCloses } = disc.facts;
  const parameters = parametersOf(task);
  const burner = burnerOf(task);
  const closeFunction = field(task.cdb, CLOSE_FUNCTION);
  const action = (isOverwritable(disc.state) ? formattedCloses : closes)[closeFunction];
  if (action === undefined) {
    refuseField(task, cdbPointer(CLOSE_FUNCTION.byte, 2));
    return;
  }
  if (action === 'track' && refuseInRecording(task)) return;
  abandonRecording(task);
  const state = seenState(burner, disc, parameters);
  const target = closed(state, action, field(task.cdb, TRACK), parameters);
  if (target === INVALID_FIELD_IN_CDB) {
    refuseField(task, cdbBytePointer(TRACK.byte));
  } else if (typeof target === 'number') {
    refuse(task, target);
  } else if (testsWriting(disc, parameters)) {
    if (action === 'track') burner.shadow = target;
    else burner.release();
    unitOf(task).finish(task);
  } else {
    const immediately = field(task.cdb, IMMED) === 1;
    burner.run(task, disc, transitionOf(disc, target, action), immediately);
  }
}

/** A state that is kept at once, and of which nobody needs to be told. */
function keeping(state: DiscState): Transition {
  return {
    state,
    interim: null,
    wipes: false,
    sense: LOGICAL_UNIT_NOT_READY_LONG_WRITE_IN_PROGRESS,
    failure: WRITE_ERROR,
    blocks: 0,
    changesContents: false,
    ends: false,
  };
}

export function repair(task: Task): void {
  const disc = recordableOf(task);
  if (disc === null || refuseInRecording(task)) return;
  const target = repairTrack(disc.state, trackNumber(disc.state, field(task.cdb, TRACK)));
  if (typeof target === 'number') {
    refuseField(task, cdbBytePointer(TRACK.byte));
    return;
  }
  burnerOf(task).run(task, disc, keeping(target), field(task.cdb, IMMED) === 1);
}

/** ARSV = 1 names the block where the track behind the reserved one is to begin. */
function reservedBlocks(task: Task, state: DiscState): number {
  if (field(task.cdb, ARSV) === 0) return field(task.cdb, SIZE);
  return field(task.cdb, ADDRESS) - (nextTrack(state)?.start ?? 0);
}

export function reserve(task: Task): void {
  const disc = recordableOf(task);
  if (disc === null || refuseInRecording(task)) return;
  const burner = burnerOf(task);
  const parameters = parametersOf(task);
  const state = seenState(burner, disc, parameters);
  const size = Math.max(0, reservedBlocks(task, state));
  const target = reserveTrack(state, size, trackKind(state, parameters));
  if (target === INVALID_FIELD_IN_CDB) {
    refuseField(task, cdbBytePointer(field(task.cdb, ARSV) === 1 ? ADDRESS.byte : SIZE.byte));
  } else if (typeof target === 'number') {
    refuse(task, target);
  } else if (testsWriting(disc, parameters)) {
    burner.claim(task, disc);
    burner.shadow = target;
    unitOf(task).finish(task);
  } else {
    burner.claim(task, disc);
    burner.run(task, disc, keeping(target), false);
  }
}
