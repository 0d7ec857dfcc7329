/** A session that a cue sheet describes (SESSION AT ONCE, MMC-6 4.2.6.4). */
import {
  INVALID_ADDRESS_FOR_WRITE,
  LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE,
} from '../../sense-codes.ts';
import { CdTextReader } from './cd-text.ts';
import type { CuePlan, CueSegment, CueTrack } from './cue-sheet.ts';
import type { DiscState } from './disc-state.ts';
import { factsOf } from './media.ts';
import type { Recording } from './recording.ts';
import { closeSession } from './transitions.ts';
import type { WriteParameters } from './write-parameters.ts';
import type { Piece, WritePlan } from './write-plan.ts';

/** R to W of a sector of the lead-in. */
const LEAD_IN_BYTES = 96;

export class CueRecording implements Recording {
  readonly test: boolean;
  readonly #cue: CuePlan;
  readonly #parameters: WriteParameters;
  readonly #text = new CdTextReader();
  #next: number;
  #begun = false;

  /** `leadIn`: where the lead-in of the session begins. */
  constructor(cue: CuePlan, leadIn: number, parameters: WriteParameters) {
    this.#cue = cue;
    this.#parameters = parameters;
    this.test = parameters.test;
    this.#next = cue.leadIn ? leadIn : (cue.segments[0] as CueSegment).first;
  }

  get begun(): boolean {
    return this.#begun;
  }

  get complete(): boolean {
    return this.#next >= this.#cue.leadOut;
  }

  plan(state: DiscState, lba: number, blocks: number): WritePlan | number {
    const pieces: Piece[] = [];
    let at = this.#made(this.#next, pieces);
    if (lba !== at) return INVALID_ADDRESS_FOR_WRITE;
    let left = blocks;
    while (left > 0) {
      const one = this.#piece(at, left);
      if (one === null) return LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE;
      pieces.push(one);
      at += one.blocks;
      left -= one.blocks;
      at = this.#made(at, pieces);
    }
    return { pieces, before: this.#begun ? state : this.#with(state), opens: !this.#begun };
  }

  look(lba: number, sector: Uint8Array): void {
    if (lba < (this.#cue.segments[0] as CueSegment).first) this.#text.take(sector);
  }

  took({ pieces }: WritePlan): void {
    const last = pieces.at(-1);
    if (last === undefined) return;
    this.#begun = true;
    this.#next = last.lba + last.blocks;
  }

  closed(state: DiscState, nextSession: boolean): DiscState {
    const closed = closeSession(state, { final: !nextSession, type: state.sessionType });
    return { ...closed, cdText: this.#text.text ?? state.cdText };
  }

  /** Sectors that the drive makes from `lba` on; returns where those of the host go on. */
  #made(lba: number, pieces: Piece[]): number {
    let at = lba;
    for (;;) {
      const segment = this.#segmentAt(at);
      if (segment === undefined || segment.bytes > 0) return at;
      pieces.push(this.#pieceOf(segment, at, segment.end - at));
      at = segment.end;
    }
  }

  #segmentAt(lba: number): CueSegment | undefined {
    return this.#cue.segments.find(({ first, end }) => lba >= first && lba < end);
  }

  #piece(lba: number, blocks: number): Piece | null {
    const { first } = this.#cue.segments[0] as CueSegment;
    if (lba < first) {
      return {
        lba,
        blocks: Math.min(blocks, first - lba),
        bytes: LEAD_IN_BYTES,
        form: 'audio',
        stored: 'nothing',
        sub: false,
        track: 0,
        to: 'nowhere',
      };
    }
    const segment = this.#segmentAt(lba);
    if (segment === undefined) return null;
    return this.#pieceOf(segment, lba, Math.min(blocks, segment.end - lba));
  }

  #pieceOf({ bytes, form, stored, sub }: CueSegment, lba: number, blocks: number): Piece {
    const { tracks } = this.#cue;
    const track = tracks.findLast(({ pregap }) => lba >= pregap) ?? (tracks[0] as CueTrack);
    return { lba, blocks, bytes, form, stored, sub, track: track.number, to: 'disc' };
  }

  /** The disc with the tracks of the sheet, nothing of which is written. */
  #with(state: DiscState): DiscState {
    const { tracks, catalog } = this.#cue;
    const session = state.sessions.length + 1;
    const { mostTracks } = factsOf(state.kind);
    return {
      ...state,
      catalog: catalog ?? this.#parameters.catalog ?? state.catalog,
      sessionType: this.#parameters.sessionType,
      tracks: [
        ...state.tracks,
        ...tracks.slice(0, mostTracks).map(
          (track) =>
            ({
              ...track,
              session,
              next: track.start,
              state: 'open',
              method: 'planned',
              packet: false,
              packetBlocks: 0,
              damaged: false,
            }) as const,
        ),
      ],
    };
  }
}
