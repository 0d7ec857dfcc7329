/**
 * A session that is written raw, lead-in and lead-out included (WRITE TYPE 3, MMC-6 4.2.6.5): its tracks are what sub-channel Q
 * of the data says.
 */
import {
  INVALID_ADDRESS_FOR_WRITE,
  LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE,
} from '../../sense-codes.ts';
import {
  CONTROL_DATA,
  type SectorForm,
  type Session,
  STORED_BYTES,
  SUB_CHANNEL_BYTES,
} from '../disc.ts';
import { LEADING_PAUSE_FRAMES } from '../sector/msf.ts';
import { isScrambled, scramble } from '../sector/scrambler.ts';
import { CHANNEL_BYTES, CHANNEL_Q, getChannel } from '../sector/sub-channel.ts';
import type { DiscState, StoredRun, StoredTrack } from './disc-state.ts';
import { factsOf } from './media.ts';
import type { Recording } from './recording.ts';
import { withRun } from './runs.ts';
import { isRecorded } from './state-fault.ts';
import { SubChannelReader, type TrackFound } from './sub-channel-reader.ts';
import { closeSession, nextTrack, sessionStart } from './transitions.ts';
import type { WriteParameters } from './write-parameters.ts';
import type { Piece, WritePlan } from './write-plan.ts';

const MODE_BYTE = 15;
const RAW_BYTES: number = STORED_BYTES.raw;

export class RawRecording implements Recording {
  readonly test: boolean;
  readonly #reader = new SubChannelReader();
  readonly #subBytes: number;
  readonly #leadIn: number;
  /** First sector that is kept: the pregap of the first track. */
  readonly #first: number;
  readonly #room: number;
  #runs: readonly StoredRun[] = [];
  #next: number | null = null;
  /** Block behind the last that is among the runs. */
  #known: number;
  #form: SectorForm = 'audio';

  constructor(state: DiscState, leadIn: number, { block, test }: WriteParameters) {
    this.test = test;
    this.#subBytes = block.subBytes;
    this.#leadIn = leadIn;
    this.#first = sessionStart(state) - LEADING_PAUSE_FRAMES;
    this.#room = factsOf(state.kind).blocks;
    this.#known = this.#first;
  }

  get begun(): boolean {
    return this.#next !== null;
  }

  /** It goes on until the host says that this was all of it. */
  get complete(): boolean {
    return false;
  }

  /** The lead-out has been written: it can be closed. */
  get ended(): boolean {
    return this.#reader.ended && this.#reader.tracks.some(({ start }) => start !== null);
  }

  plan(state: DiscState, lba: number, blocks: number): WritePlan | number {
    const begins = this.#next === null;
    if (begins ? lba !== this.#leadIn && lba !== this.#first : lba !== this.#next) {
      return INVALID_ADDRESS_FOR_WRITE;
    }
    const leadOut = this.#reader.leadOut ?? this.#room;
    const pieces: Piece[] = [];
    let at = lba;
    const end = lba + blocks;
    for (const edge of [this.#first, leadOut, Number.MAX_SAFE_INTEGER]) {
      const to = at >= this.#first && at < leadOut ? 'disc' : 'nowhere';
      const count = Math.min(end, edge) - at;
      if (count > 0) pieces.push(this.#piece(at, count, to));
      at = Math.max(at, Math.min(end, edge));
    }
    if (!this.#reader.ended && end > this.#room && leadOut >= this.#room) {
      return LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE;
    }
    return { pieces, before: begins ? this.#with(state) : state, opens: begins };
  }

  #piece(lba: number, blocks: number, to: Piece['to']): Piece {
    const bytes = RAW_BYTES + this.#subBytes;
    const sub = this.#subBytes === SUB_CHANNEL_BYTES;
    return { lba, blocks, bytes, form: 'audio', stored: 'raw', sub, track: 0, to };
  }

  /** Takes the sub-channel, and the scrambling away: the disc has what READ returns. */
  look(lba: number, sector: Uint8Array): void {
    const sub = sector.subarray(RAW_BYTES);
    const q = sub.slice(0, CHANNEL_BYTES);
    if (this.#subBytes === SUB_CHANNEL_BYTES) getChannel(sub, 0, CHANNEL_Q, q, 0);
    this.#reader.take(lba, q);
    const leadOut = this.#reader.leadOut ?? this.#room;
    if (lba < this.#first || lba >= leadOut) return;
    // A WRITE that failed or was aborted comes again.
    const isNew = lba >= this.#known;
    const main = sector.subarray(0, RAW_BYTES);
    if ((this.#reader.control & CONTROL_DATA) === 0) {
      this.#form = 'audio';
    } else {
      if (isScrambled(main, lba)) scramble(main);
      this.#form = main[MODE_BYTE] === 2 ? 'mixed' : 'mode1';
    }
    if (!isNew) return;
    this.#known = lba + 1;
    this.#runs = withRun(this.#runs, {
      first: lba,
      blocks: 1,
      form: this.#form,
      stored: 'raw',
      sub: this.#subBytes === 96,
    });
  }

  took({ pieces }: WritePlan): void {
    const last = pieces.at(-1);
    if (last !== undefined) this.#next = last.lba + last.blocks;
  }

  /** The data itself says in its lead-in whether a session may follow. */
  closed(state: DiscState, _nextSession: boolean): DiscState {
    const { nextSession, discType, catalog } = this.#reader;
    const base = state.sessions.at(-1)?.lastTrack ?? 0;
    const runs = this.#runs.reduce(withRun, state.runs);
    const tracks = this.#tracks(state, runs);
    const ended = { ...state, catalog: catalog ?? state.catalog, runs };
    const type = typeOf(discType);
    const all = { ...ended, tracks: [...state.tracks.slice(0, base), ...tracks] };
    return closeSession(all, { final: !nextSession, type });
  }

  /** What the host is going to write is not known yet: a track stands for it. */
  #with(state: DiscState): DiscState {
    const next = nextTrack(state);
    if (next === null) return state;
    const track: StoredTrack = {
      ...next,
      next: next.start,
      control: CONTROL_DATA,
      form: 'mode1',
      indexes: [],
      isrc: null,
      state: 'open',
      method: 'planned',
      packet: false,
      packetBlocks: 0,
      damaged: false,
      copy: false,
    };
    return { ...state, tracks: [...state.tracks, track] };
  }

  #tracks(state: DiscState, runs: readonly StoredRun[]): StoredTrack[] {
    const session = state.sessions.length + 1;
    const first = (state.sessions.at(-1)?.lastTrack ?? 0) + 1;
    const leadOut = this.#reader.leadOut ?? this.#room;
    const found = this.#reader.tracks.filter(
      (track): track is TrackFound & { start: number } => track.start !== null,
    );
    const tracks: StoredTrack[] = [];
    for (const [i, track] of found.entries()) {
      const { start, control, indexes, isrc } = track;
      const end = found[i + 1]?.pregap ?? leadOut;
      if (start >= end || !isRecorded(runs, start, end)) continue;
      tracks.push({
        number: first + tracks.length,
        session,
        control,
        form: runs.find((run) => run.first + run.blocks > start)?.form ?? 'audio',
        pregap: Math.max(track.pregap, tracks.at(-1)?.end ?? start),
        start,
        end,
        next: end,
        indexes: indexes.filter((at) => at > start && at < end),
        isrc,
        state: 'complete',
        method: 'planned',
        packet: false,
        packetBlocks: 0,
        damaged: false,
        copy: false,
      });
    }
    return tracks;
  }
}

function typeOf(discType: number): Session['type'] {
  return discType === 0x10 || discType === 0x20 ? discType : 0x00;
}
