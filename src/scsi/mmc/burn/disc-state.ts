/** What a recordable disc remembers: sessions, tracks, what its sectors are, its format; and those as bytes. */
import type { BackgroundFormat, SectorForm, Session, StoredForm } from '../disc.ts';
import { factsOf, type MediumFacts, type MediumKind } from './media.ts';
import { faultOf } from './state-fault.ts';
import { shapeFault } from './state-shape.ts';

/**
 * How a track is written: packet by packet or incrementally; at once, so that an interruption damages it; or by the plan of a
 * cue sheet or a sub-channel, which says itself where it ends.
 */
export type WriteMethod = 'incremental' | 'at-once' | 'planned';

export interface StoredTrack {
  readonly number: number;
  readonly session: number;
  readonly control: number;
  readonly form: SectorForm;
  readonly pregap: number;
  readonly start: number;
  /** Block behind the last; while it is open, behind the last that it has room for. */
  readonly end: number;
  /** Block behind the last that was recorded. */
  readonly next: number;
  readonly indexes: readonly number[];
  readonly isrc: string | null;
  readonly state: 'complete' | 'open' | 'reserved';
  readonly method: WriteMethod;
  readonly packet: boolean;
  readonly packetBlocks: number;
  readonly damaged: boolean;
  readonly copy: boolean;
}

export interface StoredRun {
  readonly first: number;
  readonly blocks: number;
  readonly form: SectorForm;
  readonly stored: StoredForm;
  /** 96 bytes of sub-channel are kept of each sector. */
  readonly sub: boolean;
}

export interface ClosedSession extends Session {
  readonly leadOut: number;
}

/** Blocks [first, end) of a formatted session. */
export interface FormattedSession {
  readonly first: number;
  readonly end: number;
}

export interface DiscFormat {
  /** FORMAT TYPE it was made with. */
  readonly type: number;
  /** Sessions in front of the last (FORMAT TYPEs 12h and 14h); absent: none. */
  readonly earlier?: readonly FormattedSession[];
  /**
   * Block behind the last that can be written, which is one of the last session; of a disc that is written track by track: all there
   * are for tracks.
   */
  readonly blocks: number;
  /** What was overwritten last may make it longer (restricted overwrite, intermediate state). */
  readonly growing: boolean;
  /** Tracks can be overwritten (BD-R, pseudo overwrite). */
  readonly pseudoOverwrite: boolean;
  readonly packetBlocks: number;
  /** Its sectors are those of XA (CD-RW); absent: of mode 1. */
  readonly form?: 'form1';
  readonly background: BackgroundFormat;
}

export interface DiscState {
  readonly kind: MediumKind;
  readonly sessions: readonly ClosedSession[];
  readonly tracks: readonly StoredTrack[];
  /** Ascending, none over another. */
  readonly runs: readonly StoredRun[];
  readonly catalog: string | null;
  /** Packs of 18 bytes in hexadecimal, or null. */
  readonly cdText: string | null;
  /** Nothing can be written to it any more. */
  readonly final: boolean;
  readonly format: DiscFormat | null;
  /** SESSION FORMAT of the session that is open. */
  readonly sessionType: Session['type'];
  /** Blocks of the first of two layers, when the host has said so. */
  readonly layerBreak: number | null;
}

/** Blocks of a disc that can be overwritten as it leaves the factory. */
function factoryFormat(facts: MediumFacts): DiscFormat | null {
  if (!facts.preformatted) return null;
  const { blocks, writeBlocks: packetBlocks } = facts;
  return {
    type: 0,
    blocks,
    growing: false,
    pseudoOverwrite: false,
    packetBlocks,
    background: 'none',
  };
}

/** A medium as it comes out of its box. */
export function newDiscState(kind: MediumKind): DiscState {
  const facts = factsOf(kind);
  const format = factoryFormat(facts);
  return {
    kind,
    sessions: [],
    tracks: [],
    runs: format === null ? [] : [overwritable(format.blocks)],
    catalog: null,
    cdText: null,
    final: false,
    format,
    sessionType: 0x00,
    layerBreak: null,
  };
}

/** Sectors that can be overwritten: those that were never written read as zeros. */
export function overwritable(
  blocks: number,
  first = 0,
  form: 'mode1' | 'form1' = 'mode1',
): StoredRun {
  return { first, blocks, form, stored: 'user', sub: false };
}

/** It is written anywhere, not track by track. */
export function isOverwritable({ kind, format }: DiscState): boolean {
  return format !== null && factsOf(kind).overwrite !== 'never';
}

const LAYOUT = 1;

export function encodeDiscState(state: DiscState): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ layout: LAYOUT, ...state }));
}

/** What `encodeDiscState` made these bytes from, or what is wrong with them. */
export function decodeDiscState(bytes: Uint8Array): DiscState | string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return 'it is no text of ours';
  }
  if (typeof value !== 'object' || value === null) return 'it is no state';
  const { layout, ...state } = value as DiscState & { layout: unknown };
  if (layout !== LAYOUT) return `its layout is ${String(layout)}, not ${LAYOUT}`;
  return shapeFault(state) ?? faultOf(state) ?? state;
}

/** What is left of a disc whose drive lost power: a track that was written at once or by a plan is damaged there. */
export function afterInterruption(state: DiscState): DiscState {
  const tracks = state.tracks.map((track) =>
    isInterruptible(track) ? { ...track, damaged: true } : track,
  );
  const { format } = state;
  const stopped = format?.background === 'running';
  return { ...state, tracks, format: stopped ? { ...format, background: 'stopped' } : format };
}

/** It is being written in a way that an interruption damages. */
function isInterruptible(track: StoredTrack): boolean {
  const { state, method } = track;
  return state !== 'complete' && method !== 'incremental' && !isUntouched(track);
}

/** Something is being written that an interruption would damage, and has not damaged yet. */
export function isBeingWritten({ tracks }: DiscState): boolean {
  return tracks.some((track) => isInterruptible(track) && !track.damaged);
}

/** It was reserved and nothing was written to it. */
function isUntouched({ state, next, start }: StoredTrack): boolean {
  return state === 'reserved' && next === start;
}
