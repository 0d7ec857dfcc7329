/** What the commands of a burner work on, and the checks that they share. */
import { assert } from '../../../assert.ts';
import { refuse, unitOf } from '../../parameter-data.ts';
import {
  CANNOT_WRITE_MEDIUM_INCOMPATIBLE_FORMAT,
  COMMAND_SEQUENCE_ERROR,
} from '../../sense-codes.ts';
import type { Task } from '../../task.ts';
import { opticalOf } from '../optical-drive.ts';
import type { Burner } from './burner.ts';
import { type DiscState, isOverwritable } from './disc-state.ts';
import type { MediumKind } from './media.ts';
import { RecordableDisc } from './recordable-disc.ts';
import { openTracks } from './transitions.ts';
import {
  currentWriteParameters,
  SESSION_AT_ONCE,
  type WriteParameters,
} from './write-parameters.ts';

/** The burner a running task works with: its commands are only in the table of units that have one. */
export function burnerOf(task: Task): Burner {
  const { burner } = opticalOf(task);
  assert(burner !== null, 'a command that burns runs on a burner');
  return burner;
}

/** The disc a running task writes to; null, and the command has ended with 5/30/05: nothing can be written to this one. */
export function recordableOf(task: Task): RecordableDisc | null {
  const { disc } = opticalOf(task);
  if (disc instanceof RecordableDisc) return disc;
  refuse(task, CANNOT_WRITE_MEDIUM_INCOMPATIBLE_FORMAT);
  return null;
}

export function parametersOf(task: Task): WriteParameters {
  const { modePages } = unitOf(task);
  assert(modePages !== null, 'a burner has write parameters');
  return currentWriteParameters(modePages);
}

function isDvdMinus(kind: MediumKind): boolean {
  return kind === 'dvd-r' || kind === 'dvd-rw' || kind === 'dvd-r-dl';
}

/** Whether the write parameters ask for a test, and the medium has such: CD-R, CD-RW, DVD-R and DVD-RW. */
export function testsWriting(disc: RecordableDisc, { test }: WriteParameters): boolean {
  const { kind } = disc.facts;
  const known = disc.facts.family === 'cd' || isDvdMinus(kind);
  return test && known && !isOverwritable(disc.state);
}

/** A DVD-R or DVD-RW whose reserved track is the whole of it (write type 2): nothing else can be done until it is full. */
export function writesWholeDisc(state: DiscState, { type }: WriteParameters): boolean {
  const tracks = openTracks(state);
  const isReserved = tracks.length > 0 && tracks.every(({ state: life }) => life === 'reserved');
  return type === SESSION_AT_ONCE && isDvdMinus(state.kind) && isReserved;
}

/** The disc as a command sees it: what test writes have made of it, while there are such. */
export function seenState(
  burner: Burner,
  disc: RecordableDisc,
  parameters: WriteParameters,
): DiscState {
  if (!testsWriting(disc, parameters)) {
    burner.shadow = null;
    return disc.state;
  }
  return burner.shadow ?? disc.state;
}

/** The host does something else with the disc: a session that is written at once, and is not finished, ends damaged. */
export function abandonRecording(task: Task): void {
  const burner = burnerOf(task);
  if (burner.recording !== null) burner.release();
}

/** True, and the command has ended with 5/2C/00, while a session that is written at once is not finished. */
export function refuseInRecording(task: Task): boolean {
  const { recording } = burnerOf(task);
  if (recording === null) return false;
  refuse(task, COMMAND_SEQUENCE_ERROR);
  return true;
}
