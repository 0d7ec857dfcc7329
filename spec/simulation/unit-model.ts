/** The logical unit outside its task set: what a command that runs has to answer (order of checks: SAM-5 5.3.3, SBC-3). */
import type { Outcome } from '../support/direct-port.ts';
import { BLOCK_BYTES, type Command, isWriter, type ModeValues } from './command.ts';
import type { MediaModel } from './media-model.ts';
import { type ModelTask, movesMedium } from './model-task.ts';
import { must } from './violation.ts';

export interface UnitState {
  readonly media: MediaModel;
  stopped: boolean;
  mode: ModeValues;
  /** What a reset makes of the mode pages. */
  readonly saved: ModeValues;
}

/** Commands that unit attentions do not stop. */
export function reportsAttention({ kind }: Command): boolean {
  return kind !== 'inquiry' && kind !== 'request-sense' && kind !== 'report-luns';
}

/** Whole blocks of data that a transfer command has. */
export function blocksMoved({ command, outBytes }: ModelTask): number {
  const { kind, range, inBytes } = command;
  if (kind === 'read') return Math.min(range.blocks, Math.floor(inBytes / BLOCK_BYTES));
  if (kind !== 'write' && kind !== 'or-write') return range.blocks;
  return Math.min(range.blocks, Math.floor(outBytes / BLOCK_BYTES));
}

/** Whether GOOD without a word to the store would be a lie. */
export function needsStore(task: ModelTask): boolean {
  const { command } = task;
  if (command.kind === 'sync') return true;
  if (command.kind === 'unmap') return command.unmapped.some(({ blocks }) => blocks > 0);
  if (command.kind === 'read') return Math.min(command.range.blocks, command.inBytes) > 0;
  return isWriter(command) && blocksMoved(task) > 0;
}

const MODE_SELECT_OR_UNMAP_LENGTH = '5/1a/00';
const FIELD = '5/24/00';

function needsMedium({ kind }: Command): boolean {
  return kind === 'read' || kind === 'sync' || kind === 'tur' || kind === 'read-capacity';
}

/** Why the medium cannot be used, or nothing. */
function notReady(task: ModelTask, { media, stopped }: UnitState): string {
  const { command } = task;
  if (isWriter(command) || needsMedium(command)) {
    if (media.absence !== '') return media.absence;
    if (stopped) return '2/04/02';
  }
  return media.isStale(task) ? '2/3a/00' : '';
}

function inRange(command: Command, capacity: number): boolean {
  const ranges = command.kind === 'unmap' ? command.unmapped : [command.range];
  return ranges.every(({ lba, blocks }) => lba <= capacity && lba + blocks <= capacity);
}

/** Sense data of a data-out buffer of the wrong length, or nothing. */
function lengthError({ command, outBytes }: ModelTask): string {
  const { kind, range } = command;
  if (kind === 'write-same' && outBytes !== BLOCK_BYTES) return FIELD;
  if (kind === 'compare-and-write' && outBytes !== range.blocks * 2 * BLOCK_BYTES) return FIELD;
  return '';
}

function listError({ command }: ModelTask): string {
  return command.outCut > 0 ? MODE_SELECT_OR_UNMAP_LENGTH : '';
}

function writerRefusal(task: ModelTask, state: UnitState): string {
  const { command } = task;
  const reason = notReady(task, state);
  if (reason !== '') return reason;
  if (state.mode.swp) return '7/27/02';
  if (command.stray) return FIELD;
  if (command.kind === 'unmap' && listError(task) !== '') return listError(task);
  if (!inRange(command, state.media.capacity)) return '5/21/00';
  return lengthError(task);
}

/** Sense data that a command has to end with when it runs now, or nothing when it is to do its work. */
export function refusalOf(task: ModelTask, state: UnitState): string {
  const { command } = task;
  if (command.kind === 'unknown-opcode') return '5/20/00';
  if (command.kind === 'unknown-service-action') return FIELD;
  if (isWriter(command)) return writerRefusal(task, state);
  if (command.stray) return FIELD;
  if (command.kind === 'mode-select') return listError(task);
  const reason = notReady(task, state);
  if (reason !== '') return reason;
  if (command.kind === 'read' && !inRange(command, state.media.capacity)) return '5/21/00';
  return movesMedium(command) && state.media.prevented ? '5/53/02' : '';
}

/** Bytes that a command which ends GOOD says it would move: in, out. */
function wantedBytes(task: ModelTask): readonly [number, number] | null {
  const { kind, range, unmapped } = task.command;
  const bytes = range.blocks * BLOCK_BYTES;
  switch (kind) {
    case 'read':
      return [bytes, 0];
    case 'write':
    case 'or-write':
      return [0, bytes];
    case 'write-same':
      return [0, BLOCK_BYTES];
    case 'compare-and-write':
      return [0, bytes * 2];
    case 'unmap':
      return [0, 8 + unmapped.length * 16];
    case 'inquiry':
      return [96, 0];
    case 'read-capacity':
      return [8, 0];
    case 'mode-select':
      return [0, 36];
    case 'request-sense':
    case 'report-luns':
      return null;
    default:
      return [0, 0];
  }
}

/** Bytes that a transfer moves all or nothing of. */
function gran(task: ModelTask): number {
  const { kind } = task.command;
  return kind === 'write' || kind === 'or-write' ? BLOCK_BYTES : 1;
}

/** A command that ended GOOD has moved what it says, and says what it wanted. */
export function checkResiduals(task: ModelTask, outcome: Outcome): void {
  const wanted = wantedBytes(task);
  if (wanted === null) return;
  const [into, out] = wanted;
  must(
    outcome.dataInWanted === into && outcome.dataOutWanted === out,
    `#${task.id} wants ${outcome.dataInWanted} in, ${outcome.dataOutWanted} out, not ${into} and ${out}`,
  );
  must(
    outcome.dataIn.length === Math.min(into, task.command.inBytes),
    `#${task.id} moves ${outcome.dataIn.length} bytes in`,
  );
  const room = Math.min(out, task.outBytes);
  const moved = isWriter(task.command) ? room - (room % gran(task)) : room;
  must(outcome.dataOutMoved === moved, `#${task.id} moves ${outcome.dataOutMoved} bytes out`);
}
