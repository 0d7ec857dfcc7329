/** What a WRITE would do: which sectors of which form, and what the disc is then; or sense that says why it must not (MMC-6 6.44). */
import {
  CANNOT_WRITE_MEDIUM_INCOMPATIBLE_FORMAT,
  COMMAND_SEQUENCE_ERROR,
  END_OF_USER_AREA_ENCOUNTERED_ON_THIS_TRACK,
  ILLEGAL_MODE_FOR_THIS_TRACK,
  INVALID_ADDRESS_FOR_WRITE,
  INVALID_PACKET_SIZE,
  LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE,
  MEDIUM_NOT_FORMATTED,
} from '../../sense-codes.ts';
import { CONTROL_DATA, type SectorForm, type StoredForm } from '../disc.ts';
import { BLOCK_BYTES } from '../optical-drive.ts';
import { plainSubheader, withForm } from '../sector/frame.ts';
import { type DiscState, isOverwritable, type StoredTrack } from './disc-state.ts';
import { grown } from './erasing.ts';
import { factsOf } from './media.ts';
import { withoutRange, withRun } from './runs.ts';
import { isRecorded } from './state-fault.ts';
import { nextTrack, withNewTrack, withTrack } from './transitions.ts';
import { PACKET, SESSION_AT_ONCE, type WriteParameters } from './write-parameters.ts';

/** Sectors of one form. */
export interface Piece {
  readonly lba: number;
  readonly blocks: number;
  /** Bytes that the host sends of each; 0: the drive makes them. */
  readonly bytes: number;
  readonly form: SectorForm;
  readonly stored: StoredForm;
  readonly sub: boolean;
  /**
   * The drive makes EDC and parity of XA sectors whose subheader the host gave: with each (`sent`), or in the mode page (four bytes).
   * Absent: what is kept is what was sent.
   */
  readonly seal?: 'sent' | Uint8Array;
  /** Number of the track they belong to; 0: none, or what was there before. */
  readonly track: number;
  /** They are written over what is recorded there, which need not have been kept as they are: the drive has filled a write unit. */
  readonly again?: boolean;
  /** `nowhere`: they are looked at, and not kept as sectors (a lead-in). */
  readonly to: 'disc' | 'nowhere';
}

export interface WritePlan {
  readonly pieces: readonly Piece[];
  /** The disc before the data, with the tracks that the write opens. */
  readonly before: DiscState;
  /** It has opened a track: that is kept before the data is. */
  readonly opens: boolean;
}

/** Bytes that the host has to send. */
export function bytesOfPlan({ pieces }: WritePlan): number {
  return pieces.reduce((sum, { blocks, bytes }) => sum + blocks * bytes, 0);
}

/** How a track that is written now is described. */
export function trackKind(
  state: DiscState,
  parameters: WriteParameters,
): Pick<StoredTrack, 'control' | 'form' | 'method' | 'packet' | 'packetBlocks' | 'copy'> {
  const { family } = factsOf(state.kind);
  if (family !== 'cd') {
    return {
      control: CONTROL_DATA,
      form: 'mode1',
      method: 'incremental',
      packet: false,
      packetBlocks: 0,
      copy: false,
    };
  }
  const { type, control, block, copy, fixedPackets, packetBlocks } = parameters;
  const isData = (control & CONTROL_DATA) !== 0;
  const packet = type === PACKET;
  return {
    control,
    form: block.form ?? (isData ? 'mode1' : 'audio'),
    method: packet ? 'incremental' : 'at-once',
    packet,
    packetBlocks: packet && fixedPackets ? packetBlocks : 0,
    copy,
  };
}

/** What sectors of a CD are sealed with; null: nothing, what is kept is what the host sends. */
function sealOf({ block, subheader }: WriteParameters): 'sent' | Uint8Array | null {
  if (block.subheader === 'sent') return 'sent';
  if (block.subheader === 'none' || subheader.every((byte) => byte === 0)) return null;
  const form = block.form === 'form2' ? 'form2' : 'form1';
  const named = withForm(subheader, form);
  // A plain one is made when the sector is read.
  return plainSubheader(form).every((byte, i) => byte === named[i]) ? null : named;
}

/** What the host sends of a sector of a track that is written by the write parameters, and what is kept of it. */
function blockOf(
  state: DiscState,
  parameters: WriteParameters,
): Pick<Piece, 'bytes' | 'stored' | 'seal'> {
  if (factsOf(state.kind).family !== 'cd') return { bytes: BLOCK_BYTES, stored: 'user' };
  const { bytes, stored } = parameters.block;
  const seal = sealOf(parameters);
  return seal === null ? { bytes, stored } : { bytes, stored: 'mode2', seal };
}

function piece(lba: number, blocks: number, more: Partial<Piece>): Piece {
  return {
    lba,
    blocks,
    bytes: BLOCK_BYTES,
    form: 'mode1',
    stored: 'user',
    sub: false,
    track: 0,
    to: 'disc',
    ...more,
  };
}

/** A disc that can be written anywhere in its formatted sessions, and at the end of one that grows. */
function overwrite(state: DiscState, lba: number, blocks: number): WritePlan | number {
  const plan = { pieces: [piece(lba, blocks, {})], before: state, opens: false };
  const { blocks: end = 0, growing = false } = state.format ?? {};
  const most = growing ? factsOf(state.kind).blocks : end;
  if (lba < 0 || lba + blocks > most) return LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE;
  if (isRecorded(state.runs, lba, lba + blocks)) return plan;
  if (growing && lba === end) return plan;
  if (growing && lba < end && isRecorded(state.runs, lba, end)) return plan;
  return growing && lba > end ? INVALID_ADDRESS_FOR_WRITE : LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE;
}

/** What was written may be written over (BD-R, pseudo overwrite), as long as all of it was. */
function pseudoOverwrite(state: DiscState, lba: number, blocks: number): WritePlan | null {
  const all = isRecorded(state.runs, lba, lba + blocks);
  if (state.final || state.format?.pseudoOverwrite !== true || lba < 0 || !all) return null;
  return { pieces: [piece(lba, blocks, { again: true })], before: state, opens: false };
}

function writableTrack(state: DiscState, lba: number): StoredTrack | null {
  return (
    state.tracks.find(
      ({ state: life, next, damaged, method }) =>
        life !== 'complete' && next === lba && !damaged && method !== 'planned',
    ) ?? null
  );
}

/** A track that the write opens, or null. */
function opened(state: DiscState, lba: number, parameters: WriteParameters): DiscState | null {
  const next = nextTrack(state);
  if (next === null || next.start !== lba) return null;
  const { catalog, isrc, sessionType } = parameters;
  const { family } = factsOf(state.kind);
  const isCd = family === 'cd';
  const begins = state.sessions.length + 1 !== state.tracks.at(-1)?.session;
  return withNewTrack(
    {
      ...state,
      catalog: isCd ? (catalog ?? state.catalog) : null,
      sessionType: begins && isCd ? sessionType : state.sessionType,
    },
    {
      ...next,
      ...trackKind(state, parameters),
      next: lba,
      indexes: [],
      isrc: isCd ? isrc : null,
      state: 'open',
      damaged: false,
    },
  );
}

/** Fixed packets are of the size of the track, and writes of whole ones. */
function packetFault(
  track: StoredTrack,
  blocks: number,
  { type, fixedPackets, packetBlocks }: WriteParameters,
): number {
  if (type !== PACKET || !fixedPackets) return 0;
  const size = track.packet && track.packetBlocks > 0 ? track.packetBlocks : packetBlocks;
  const isWhole = packetBlocks > 0 && packetBlocks === size && blocks % size === 0;
  return isWhole ? 0 : INVALID_PACKET_SIZE;
}

function isEverWritable(state: DiscState): number {
  if (state.final) return CANNOT_WRITE_MEDIUM_INCOMPATIBLE_FORMAT;
  const { overwrite: how } = factsOf(state.kind);
  return how === 'formatted' && state.format === null ? MEDIUM_NOT_FORMATTED : 0;
}

/** Plans a write that no cue sheet and no raw recording is about. */
export function planWrite(
  state: DiscState,
  lba: number,
  blocks: number,
  parameters: WriteParameters,
): WritePlan | number {
  if (isOverwritable(state)) return overwrite(state, lba, blocks);
  const unfit = isEverWritable(state);
  if (unfit !== 0) return pseudoOverwrite(state, lba, blocks) ?? unfit;
  const isCd = factsOf(state.kind).family === 'cd';
  if (isCd && parameters.type >= SESSION_AT_ONCE) return COMMAND_SEQUENCE_ERROR;
  const known = writableTrack(state, lba);
  const before = known === null ? opened(state, lba, parameters) : state;
  if (before === null) {
    return pseudoOverwrite(state, lba, blocks) ?? INVALID_ADDRESS_FOR_WRITE;
  }
  const track = known ?? (before.tracks.at(-1) as StoredTrack);
  if (lba + blocks > track.end) {
    return track.state === 'reserved'
      ? END_OF_USER_AREA_ENCOUNTERED_ON_THIS_TRACK
      : LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE;
  }
  // Sectors of a track are of one form, and some forms are kept in one way only.
  if (isCd && trackKind(state, parameters).form !== track.form) return ILLEGAL_MODE_FOR_THIS_TRACK;
  const packets = isCd ? packetFault(track, blocks, parameters) : 0;
  if (packets !== 0) return packets;
  const more = { ...blockOf(state, parameters), form: track.form, track: track.number };
  return { pieces: [piece(lba, blocks, more)], before, opens: known === null };
}

/** The disc with the sectors of a piece on it. */
function withPiece(
  state: DiscState,
  { lba, blocks, form, stored, sub, track, to, again = false }: Piece,
): DiscState {
  if (to === 'nowhere') return state;
  const run = { first: lba, blocks, form, stored, sub };
  if (again) return { ...state, runs: withRun(withoutRange(state.runs, lba, lba + blocks), run) };
  if (track === 0) return isOverwritable(state) ? grown(state, lba + blocks) : state;
  const now = state.tracks[track - 1];
  if (now === undefined) return state;
  const runs = withRun(state.runs, run);
  const next = Math.max(now.next, lba + blocks > now.start ? lba + blocks : now.next);
  return withTrack({ ...state, runs }, { ...now, next });
}

/** The disc when all of a plan is written. */
export function afterWrite({ pieces, before }: WritePlan): DiscState {
  return pieces.reduce(withPiece, before);
}
