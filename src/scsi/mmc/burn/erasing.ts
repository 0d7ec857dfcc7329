/** What BLANK and FORMAT UNIT make of a disc (MMC-6 6.2, 6.5). */
import {
  CANNOT_FORMAT_MEDIUM_INCOMPATIBLE_MEDIUM,
  CANNOT_WRITE_MEDIUM_INCOMPATIBLE_FORMAT,
  COMMAND_SEQUENCE_ERROR,
  INVALID_FIELD_IN_CDB,
  INVALID_FIELD_IN_PARAMETER_LIST,
} from '../../sense-codes.ts';
import type { BackgroundFormat } from '../disc.ts';
import {
  type DiscFormat,
  type DiscState,
  isOverwritable,
  newDiscState,
  overwritable,
  type StoredTrack,
} from './disc-state.ts';
import { formattedSessionStart, formattedSessions } from './formatted-sessions.ts';
import { type FormatFacts, factsOf } from './media.ts';
import { withoutRange, withRun } from './runs.ts';
import { openTracks, roomOf, withTrack } from './transitions.ts';

/** BLANKING TYPE. */
export const BLANK_DISC = 0;
export const BLANK_MINIMAL = 1;
export const BLANK_TRACK = 2;
export const UNRESERVE_TRACK = 3;
export const BLANK_TRACK_TAIL = 4;
export const UNCLOSE_SESSION = 5;
export const ERASE_SESSION = 6;

/** Takes the last tracks away, down to `tracks` of them. */
function withTracksUpTo(state: DiscState, tracks: number): DiscState {
  const first = state.tracks[tracks];
  if (first === undefined) return state;
  const { blocks, trackGap } = factsOf(state.kind);
  const isFirst = first.session !== state.tracks[tracks - 1]?.session;
  const from = isFirst ? first.start - trackGap : first.pregap;
  return {
    ...state,
    tracks: state.tracks.slice(0, tracks),
    runs: withoutRange(state.runs, from, blocks),
  };
}

/** What was recorded from `lba` on is gone; the track keeps its room. */
function withTail(state: DiscState, track: StoredTrack, lba: number): DiscState {
  const isLast = track.number === state.tracks.length;
  if (isLast && lba === track.start && track.state !== 'reserved')
    return withTracksUpTo(state, track.number - 1);
  const runs = withoutRange(state.runs, lba, track.end);
  const end = isLast && track.state !== 'reserved' ? roomOf(state) : track.end;
  const kept = isLast && track.state !== 'reserved' ? 'open' : 'reserved';
  return withTrack(
    { ...state, runs },
    {
      ...track,
      indexes: [],
      next: lba,
      end,
      state: kept,
      damaged: false,
      method: 'incremental',
    },
  );
}

function blankTrack(state: DiscState, number: number): DiscState | number {
  const track = state.tracks[number - 1];
  if (track === undefined) return INVALID_FIELD_IN_CDB;
  if (!openTracks(state).includes(track)) return COMMAND_SEQUENCE_ERROR;
  return withTail(state, track, track.start);
}

function unreserve(state: DiscState, number: number): DiscState | number {
  const track = state.tracks[number - 1];
  if (track === undefined) return INVALID_FIELD_IN_CDB;
  const untouched = track.state === 'reserved' && track.next === track.start;
  if (!untouched || number !== state.tracks.length) return COMMAND_SEQUENCE_ERROR;
  return withTracksUpTo(state, number - 1);
}

function blankTail(state: DiscState, lba: number): DiscState | number {
  const track = state.tracks.find(({ start, end }) => lba >= start && lba < end);
  if (track === undefined) return INVALID_FIELD_IN_CDB;
  if (!openTracks(state).includes(track) || !track.packet) return COMMAND_SEQUENCE_ERROR;
  return lba >= track.next ? state : withTail(state, track, lba);
}

function unclose(state: DiscState): DiscState | number {
  if (state.sessions.length === 0 || openTracks(state).length > 0) return COMMAND_SEQUENCE_ERROR;
  const sessionType = state.sessions.at(-1)?.type ?? 0x00;
  return { ...state, sessions: state.sessions.slice(0, -1), final: false, sessionType };
}

function eraseSession(state: DiscState): DiscState | number {
  const begun = openTracks(state).length > 0;
  const sessions = begun ? state.sessions : state.sessions.slice(0, -1);
  if (sessions.length === 0) return newDiscState(state.kind);
  const erased = withTracksUpTo(state, sessions.at(-1)?.lastTrack ?? 0);
  return { ...erased, sessions, final: false, sessionType: 0x00 };
}

/** BLANK; `address` is an LBA or a track number, as the type has it. */
export function blank(state: DiscState, type: number, address: number): DiscState | number {
  const { blanks } = factsOf(state.kind);
  if (blanks.length === 0) return CANNOT_WRITE_MEDIUM_INCOMPATIBLE_FORMAT;
  if (!blanks.includes(type)) return INVALID_FIELD_IN_CDB;
  if (type === BLANK_DISC || type === BLANK_MINIMAL) return newDiscState(state.kind);
  if (isOverwritable(state)) return COMMAND_SEQUENCE_ERROR;
  if (type === BLANK_TRACK) return blankTrack(state, address);
  if (type === UNRESERVE_TRACK) return unreserve(state, address);
  if (type === BLANK_TRACK_TAIL) return blankTail(state, address);
  return type === UNCLOSE_SESSION ? unclose(state) : eraseSession(state);
}

/** A format descriptor (MMC-6 table 253). */
export interface FormatDescriptor {
  readonly blocks: number;
  readonly type: number;
  readonly subType: number;
  readonly parameter: number;
}

export interface Formatting {
  readonly state: DiscState;
  /** What was recorded is gone. */
  readonly wipes: boolean;
}

const ALL = 0xffff_ffff;
/** TYPE DEPENDENT PARAMETER of a background format: go on with one that was stopped. */
const RESTART = 0x01;

function blocksOf(asked: number, facts: FormatFacts, most: number, unit: number): number | null {
  const blocks = asked === ALL || asked === 0 ? (facts.blocks[0] as number) : asked;
  return blocks <= most && blocks % unit === 0 ? blocks : null;
}

function formatted(
  state: DiscState,
  descriptor: FormatDescriptor,
  blocks: number,
  more: Partial<DiscFormat>,
): DiscState {
  const { writeBlocks, family } = factsOf(state.kind);
  const format: DiscFormat = {
    type: descriptor.type,
    blocks,
    growing: false,
    pseudoOverwrite: false,
    packetBlocks: family === 'cd' ? descriptor.parameter : writeBlocks,
    background: 'none',
    ...more,
  };
  const runs = blocks > 0 ? [overwritable(blocks, 0, format.form)] : [];
  return { ...newDiscState(state.kind), format, runs };
}

function full(
  state: DiscState,
  descriptor: FormatDescriptor,
  facts: FormatFacts,
  form: 'mode1' | 'form1',
): Formatting | number {
  const { blocks: most, writeBlocks, family } = factsOf(state.kind);
  const unit = family === 'cd' ? descriptor.parameter : writeBlocks;
  if (unit <= 0) return INVALID_FIELD_IN_PARAMETER_LIST;
  // The capacity that is offered need not be of whole packets, which the host chooses.
  const all = [ALL, 0, most].includes(descriptor.blocks);
  const asked = all && family === 'cd' ? most - (most % unit) : descriptor.blocks;
  const blocks = blocksOf(asked, facts, most, unit);
  if (blocks === null) return INVALID_FIELD_IN_PARAMETER_LIST;
  const more = form === 'form1' && family === 'cd' ? { form } : {};
  return { state: formatted(state, descriptor, blocks, more), wipes: true };
}

function background(state: DiscState, descriptor: FormatDescriptor): Formatting | number {
  const { blocks } = factsOf(state.kind);
  const { format } = state;
  const running: BackgroundFormat = 'running';
  if ((descriptor.parameter & RESTART) !== 0 && format !== null) {
    const goesOn = format.background === 'stopped';
    return {
      state: goesOn ? { ...state, format: { ...format, background: running } } : state,
      wipes: false,
    };
  }
  if (![0, ALL, blocks].includes(descriptor.blocks)) return INVALID_FIELD_IN_PARAMETER_LIST;
  return { state: formatted(state, descriptor, blocks, { background: running }), wipes: true };
}

/** Restricted overwrite that grows with what is written (DVD-RW); `keeps`: behind what is there. */
function quick(
  state: DiscState,
  descriptor: FormatDescriptor,
  keeps: boolean,
): Formatting | number {
  const { blocks: most, writeBlocks } = factsOf(state.kind);
  const { format } = state;
  if (descriptor.blocks > most || descriptor.blocks % writeBlocks !== 0)
    return INVALID_FIELD_IN_PARAMETER_LIST;
  if (!keeps) {
    const { blocks } = descriptor;
    return { state: formatted(state, descriptor, blocks, { growing: true }), wipes: true };
  }
  if (format === null) return COMMAND_SEQUENCE_ERROR;
  return { state: { ...state, format: { ...format, growing: true } }, wipes: false };
}

/** Blocks that the last session can be made longer by, in whole packets; 0: none, or it grows by itself. */
export function roomToGrow({ kind, format }: DiscState): number {
  if (format === null || format.growing || format.packetBlocks === 0) return 0;
  const room = factsOf(kind).blocks - format.blocks;
  return room - (room % format.packetBlocks);
}

/** First block of a session behind the last. */
function startBehind(state: DiscState): number {
  return formattedSessionStart(factsOf(state.kind), formattedSessions(state));
}

/** Blocks that a session behind the last may have, in whole packets; 0: none fits, or the last is empty or not closed. */
export function roomToAdd(state: DiscState): number {
  const { format, kind } = state;
  if (format === null || format.growing || format.blocks === 0 || format.packetBlocks === 0)
    return 0;
  const room = factsOf(kind).blocks - startBehind(state);
  return room < format.packetBlocks ? 0 : room - (room % format.packetBlocks);
}

/** It names the packets of the disc, where it has to name them, and whole ones of them. */
function fitsFormat(
  { kind }: DiscState,
  format: DiscFormat,
  descriptor: FormatDescriptor,
): boolean {
  const named = factsOf(kind).family !== 'cd' || descriptor.parameter === format.packetBlocks;
  return named && descriptor.blocks % format.packetBlocks === 0;
}

/** GROW SESSION: the last session has more blocks, and what is there stays. */
function longer(state: DiscState, descriptor: FormatDescriptor): Formatting | number {
  const { format } = state;
  if (format === null || format.growing) return COMMAND_SEQUENCE_ERROR;
  const { blocks } = descriptor;
  if (blocks === 0 || blocks > roomToGrow(state) || !fitsFormat(state, format, descriptor))
    return INVALID_FIELD_IN_PARAMETER_LIST;
  const runs = withRun(state.runs, overwritable(blocks, format.blocks, format.form));
  return {
    state: { ...state, runs, format: { ...format, blocks: format.blocks + blocks } },
    wipes: false,
  };
}

/** ADD SESSION, QUICK ADD BORDER: a session behind the last, of so many blocks, or (`growing`) of what is written to it. */
function added(
  state: DiscState,
  descriptor: FormatDescriptor,
  growing: boolean,
): Formatting | number {
  const { format } = state;
  if (format === null || format.growing || format.blocks === 0) return COMMAND_SEQUENCE_ERROR;
  const { blocks } = descriptor;
  const fits = blocks <= roomToAdd(state) && fitsFormat(state, format, descriptor);
  if (roomToAdd(state) === 0 || !fits || (blocks === 0 && !growing))
    return INVALID_FIELD_IN_PARAMETER_LIST;
  const earlier = formattedSessions(state);
  const first = startBehind(state);
  const runs = withRun(state.runs, overwritable(blocks, first, format.form));
  return {
    state: { ...state, runs, format: { ...format, earlier, blocks: first + blocks, growing } },
    wipes: false,
  };
}

function sequential(
  state: DiscState,
  descriptor: FormatDescriptor,
  facts: FormatFacts,
): Formatting | number {
  if (state.format !== null || state.tracks.length > 0)
    return CANNOT_FORMAT_MEDIUM_INCOMPATIBLE_MEDIUM;
  const { blocks: most, writeBlocks } = factsOf(state.kind);
  const blocks = blocksOf(descriptor.blocks, facts, most, writeBlocks);
  if (blocks === null) return INVALID_FIELD_IN_PARAMETER_LIST;
  const pseudoOverwrite = descriptor.subType === 0;
  const format = { ...formatted(state, descriptor, blocks, { pseudoOverwrite }), runs: [] };
  return { state: format, wipes: false };
}

/** FORMAT UNIT; `form` is what the write parameters make of a CD's sectors. */
export function format(
  state: DiscState,
  descriptor: FormatDescriptor,
  form: 'mode1' | 'form1' = 'mode1',
): Formatting | number {
  const { formats } = factsOf(state.kind);
  if (formats.length === 0) return CANNOT_FORMAT_MEDIUM_INCOMPATIBLE_MEDIUM;
  const facts = formats.find(({ type }) => type === descriptor.type);
  if (facts?.subTypes.includes(descriptor.subType) !== true) return INVALID_FIELD_IN_PARAMETER_LIST;
  switch (facts.action) {
    case 'full':
      return full(state, descriptor, facts, form);
    case 'background':
      return background(state, descriptor);
    case 'quick':
      return quick(state, descriptor, false);
    case 'grow':
      return quick(state, descriptor, true);
    case 'session':
      return longer(state, descriptor);
    case 'add':
      return added(state, descriptor, false);
    case 'border':
      return added(state, descriptor, true);
    case 'spare':
      return { state, wipes: false };
    case 'sequential':
      return sequential(state, descriptor, facts);
  }
}

/** Restricted overwrite: the disc is as long as what was written. */
export function grown(state: DiscState, end: number): DiscState {
  const { format: now } = state;
  if (now === null || end <= now.blocks) return state;
  const more = { first: now.blocks, blocks: end - now.blocks };
  const runs = withRun(state.runs, { ...more, form: 'mode1', stored: 'user', sub: false });
  return { ...state, runs, format: { ...now, blocks: end } };
}

/** CLOSE SESSION of a restricted overwrite disc, or of one that is formatted in the background. */
export function settled(state: DiscState): DiscState {
  const { format: now } = state;
  if (now === null) return state;
  const stopped = now.background === 'running';
  const { earlier = [] } = now;
  const before = earlier.at(-1);
  if (before !== undefined && now.blocks === formattedSessionStart(factsOf(state.kind), earlier)) {
    // Nothing was written to the session that was added: it is none.
    const kept = { ...now, earlier: earlier.slice(0, -1), blocks: before.end, growing: false };
    return { ...state, format: kept };
  }
  return {
    ...state,
    format: { ...now, growing: false, background: stopped ? 'stopped' : now.background },
  };
}
