/** A disc that can be written to, or could once: what its state means to whoever looks at it. */
import {
  CONTROL_DATA,
  type Disc,
  type DiscStatus,
  type Recordable,
  SESSION_XA,
  type SectorRun,
  type Session,
  type SessionState,
  STORED_BYTES,
  SUB_CHANNEL_BYTES,
  type Track,
} from '../disc.ts';
import { rangeBefore } from '../finished-disc.ts';
import { BLOCK_BYTES } from '../optical-drive.ts';
import type { Profile } from '../profile.ts';
import { type DiscState, isOverwritable, type StoredTrack } from './disc-state.ts';
import { formattedSessions } from './formatted-sessions.ts';
import { factsOf, type MediumFacts } from './media.ts';
import { recordableFacts, unformattedBlocks } from './recordable-facts.ts';
import { nextTrack, openTracks, sessionStart } from './transitions.ts';

/** The first sector of a CD that is kept: the pregap of its first track. */
const FIRST_SECTOR = -150;
const CD_SLOT_BYTES: number = STORED_BYTES.raw + SUB_CHANNEL_BYTES;
/** From the first block of a lead-in of a later session to that of its first track. */
const LEAD_IN_AND_PREGAP = 4_650;

/** Bytes that a sector takes in the store. */
export function slotBytesOf({ family }: MediumFacts): number {
  return family === 'cd' ? CD_SLOT_BYTES : BLOCK_BYTES;
}

/** Bytes of the store that a medium needs for its sectors. */
export function sectorBytesOf(facts: MediumFacts): number {
  const first = facts.family === 'cd' ? FIRST_SECTOR : 0;
  return (facts.blocks - first) * slotBytesOf(facts);
}

export class RecordableDisc implements Disc {
  readonly facts: MediumFacts;
  /** Byte of the store where its sectors begin. */
  readonly base: number;
  readonly #found: DiscState;
  #state: DiscState;
  #tracks: readonly Track[] | null = null;
  #sessions: readonly Session[] | null = null;
  #recordable: Recordable | null = null;

  constructor(state: DiscState, base: number) {
    this.facts = factsOf(state.kind);
    this.base = base;
    this.#found = state;
    this.#state = state;
  }

  get state(): DiscState {
    return this.#state;
  }

  /** It is not what it was when it came into the drive. */
  get changed(): boolean {
    return this.#state !== this.#found;
  }

  /** What it has become. */
  adopt(state: DiscState): void {
    this.#state = state;
    this.#tracks = null;
    this.#sessions = null;
    this.#recordable = null;
  }

  get profile(): Profile {
    const { formattedProfile, profile } = this.facts;
    return isOverwritable(this.#state) ? formattedProfile : profile;
  }

  get erasable(): boolean {
    return this.facts.erasable;
  }

  get status(): DiscStatus {
    const { final, tracks, sessions, format } = this.#state;
    if (isOverwritable(this.#state)) return format?.growing === true ? 'appendable' : 'complete';
    if (final) return 'complete';
    return tracks.length === 0 && sessions.length === 0 ? 'blank' : 'appendable';
  }

  get lastSession(): SessionState {
    if (isOverwritable(this.#state)) {
      return this.#state.format?.growing === true ? 'incomplete' : 'complete';
    }
    if (this.#state.final) return 'complete';
    const open = openTracks(this.#state);
    if (open.some(({ damaged }) => damaged)) return 'damaged';
    return open.length === 0 ? 'empty' : 'incomplete';
  }

  get catalog(): string | null {
    return this.#state.catalog;
  }

  get cdText(): Uint8Array | null {
    const { cdText } = this.#state;
    return cdText === null ? null : Uint8Array.from(Buffer.from(cdText, 'hex'));
  }

  get recordable(): Recordable {
    this.#recordable ??= recordableFacts(this.#state);
    return this.#recordable;
  }

  get blocks(): number {
    const { format, sessions, tracks } = this.#state;
    if (isOverwritable(this.#state)) return format?.blocks ?? 0;
    if (this.facts.family === 'cd') return sessions.at(-1)?.leadOut ?? 0;
    const last = tracks.findLast(({ next, start }) => next > start);
    if (last === undefined) return 0;
    return last.state === 'complete' ? last.end : last.next;
  }

  get sessions(): readonly Session[] {
    this.#sessions ??= this.#allSessions();
    return this.#sessions;
  }

  get tracks(): readonly Track[] {
    this.#tracks ??= this.#allTracks();
    return this.#tracks;
  }

  runAt(lba: number): SectorRun | null {
    const { runs } = this.#state;
    const run = runs[rangeBefore(runs, lba, ({ first }) => first)];
    if (run === undefined || lba >= run.first + run.blocks) return null;
    const { first, blocks, form, stored, sub } = run;
    const strideBytes = slotBytesOf(this.facts);
    const position = this.positionOf(first);
    return {
      first,
      blocks,
      form,
      stored,
      position,
      strideBytes,
      subChannel: sub ? 'interleaved' : 'none',
      subPosition: position + STORED_BYTES.raw,
      subStrideBytes: strideBytes,
    };
  }

  /** Byte of the store where a sector is kept. */
  positionOf(lba: number): number {
    const first = this.facts.family === 'cd' ? FIRST_SECTOR : 0;
    return this.base + (lba - first) * slotBytesOf(this.facts);
  }

  /** Where the lead-in of the next session begins; null: there is none any more, or the drive alone knows. */
  get nextLeadIn(): number | null {
    if (this.#state.final || this.facts.family !== 'cd' || isOverwritable(this.#state)) return null;
    return this.#state.sessions.length === 0
      ? this.facts.leadIn
      : sessionStart(this.#state) - LEAD_IN_AND_PREGAP;
  }

  #allSessions(): Session[] {
    const { sessions, final, sessionType } = this.#state;
    if (isOverwritable(this.#state) || this.facts.overwrite === 'formatted') {
      return this.#overwritableSessions();
    }
    if (final) return [...sessions];
    const firstTrack = (sessions.at(-1)?.lastTrack ?? 0) + 1;
    const lastTrack = Math.max(firstTrack, this.tracks.at(-1)?.number ?? 0);
    const number = sessions.length + 1;
    return [...sessions, { number, type: sessionType, firstTrack, lastTrack, leadOut: null }];
  }

  #allTracks(): Track[] {
    if (isOverwritable(this.#state) || this.facts.overwrite === 'formatted') {
      return this.#overwritableTracks();
    }
    const tracks = this.#state.tracks.map((track) => this.#track(track));
    const next = nextTrack(this.#state);
    if (next === null) return tracks;
    return [
      ...tracks,
      { ...BLANK_TRACK, ...next, nextWritable: next.start, packetBlocks: this.#packetBlocks },
    ];
  }

  #track(track: StoredTrack): Track {
    const { next, start, end, state, damaged, method } = track;
    const goesOn = state !== 'complete' && !damaged && next < end;
    const isKnown = next > start && (state === 'complete' || method !== 'planned');
    return {
      ...track,
      packetBlocks: track.packetBlocks || this.#packetBlocks,
      nextWritable: goesOn ? next : null,
      lastRecorded: isKnown ? next - 1 : null,
    };
  }

  get #packetBlocks(): number {
    return this.facts.family === 'cd' ? 0 : this.facts.writeBlocks;
  }

  /** A disc that can be overwritten has a track in each session, and one when it is not formatted yet. */
  #overwritableSessions(): Session[] {
    const { format } = this.#state;
    const all = formattedSessions(this.#state);
    if (format === null) return [sessionOf(1, null)];
    return all.map(({ end }, i) => {
      const isOpen = format.growing && i === all.length - 1;
      const session = sessionOf(i + 1, isOpen ? null : end);
      return format.form === 'form1' ? { ...session, type: SESSION_XA } : session;
    });
  }

  #overwritableTracks(): Track[] {
    const { format } = this.#state;
    const packetBlocks = format?.packetBlocks ?? this.#packetBlocks;
    if (format === null) {
      // It is no track that a write would make, and none that could be written to.
      const end = unformattedBlocks(this.facts);
      const one = { ...BLANK_TRACK, number: 1, session: 1, pregap: 0, start: 0 };
      return [{ ...one, end, state: 'open', packetBlocks }];
    }
    const all = formattedSessions(this.#state);
    return all.map(({ first, end }, i): Track => {
      const growing = format.growing && i === all.length - 1;
      return {
        ...BLANK_TRACK,
        form: format.form ?? 'mode1',
        number: i + 1,
        session: i + 1,
        pregap: first,
        start: first,
        end: growing ? this.facts.blocks : end,
        state: growing ? 'open' : 'complete',
        nextWritable: growing ? end : null,
        lastRecorded: end > first ? end - 1 : null,
        packetBlocks,
        packet: this.facts.overwrite === 'either',
      };
    });
  }
}

function sessionOf(number: number, leadOut: number | null): Session {
  return { number, type: 0x00, firstTrack: number, lastTrack: number, leadOut };
}

const BLANK_TRACK = {
  control: CONTROL_DATA,
  form: 'mode1',
  indexes: [],
  isrc: null,
  state: 'invisible',
  nextWritable: null,
  lastRecorded: null,
  packet: false,
  damaged: false,
  copy: false,
} as const;
