/** What sub-channel Q says of a session, sector by sector (MMC-6 4.2.3, ECMA-130 22). */
import { fromBcd, lbaOf } from '../sector/msf.ts';
import { isQIntact, isrcAt, LEAD_OUT_TRACK, qCrcAt } from '../sector/sub-channel-q.ts';

const FIRST_TRACK_POINT = 0xa0;
const LEAD_OUT_POINT = 0xa2;
const NEXT_SESSION_POINT = 0xb0;
const NO_TIME = 0xff;
const MCN_DIGITS = 13;

export interface TrackFound {
  readonly number: number;
  control: number;
  pregap: number;
  start: number | null;
  readonly indexes: number[];
  isrc: string | null;
}

export class SubChannelReader {
  /** By POINT of the lead-in: what it says, and where. */
  readonly #points = new Map<number, { control: number; lba: number; byte: number }>();
  readonly #tracks = new Map<number, TrackFound>();
  #last: TrackFound | null = null;
  #leadOut: number | null = null;
  catalog: string | null = null;
  /** B0: where the next session may begin. */
  nextSession = false;

  /** DISC TYPE (PSEC of A0). */
  get discType(): number {
    return this.#points.get(FIRST_TRACK_POINT)?.byte ?? 0;
  }

  get leadOut(): number | null {
    return this.#points.get(LEAD_OUT_POINT)?.lba ?? this.#leadOut;
  }

  /** The lead-out has come by. */
  get ended(): boolean {
    return this.#leadOut !== null;
  }

  get tracks(): readonly TrackFound[] {
    return [...this.#tracks.values()].sort((a, b) => a.number - b.number);
  }

  /** The CONTROL nibble of the sector that was taken last. */
  control = 0;

  /** Takes the Q frame of the sector at `lba`; one that is damaged says nothing. */
  take(lba: number, q: Uint8Array): void {
    // Hosts that leave it to the drive write zeros for the CRC.
    if (qCrcAt(q) !== 0 && !isQIntact(q)) return;
    const adr = (q[0] as number) & 0x0f;
    if (adr === 1) {
      this.control = (q[0] as number) >> 4;
      if (q[1] === 0) this.#takePoint(q);
      else this.#takePosition(lba, q);
    } else if (adr === 2 && q[1] !== 0) {
      const digits = Buffer.from(q.subarray(1, 8)).toString('hex').slice(0, MCN_DIGITS);
      if (/^\d{13}$/.test(digits)) this.catalog = digits;
    } else if (adr === 3 && this.#last !== null) {
      this.#last.isrc ??= isrcAt(q);
    } else if (adr === 5 && q[2] === NEXT_SESSION_POINT) {
      this.nextSession = q[3] !== NO_TIME;
    }
  }

  #takePoint(q: Uint8Array): void {
    const [minute, second, frame] = q.subarray(7, 10) as Uint8Array & [number, number, number];
    this.#points.set(q[2] as number, {
      control: this.control,
      lba: lbaOf(fromBcd(minute), fromBcd(second), fromBcd(frame)),
      byte: second,
    });
  }

  #takePosition(lba: number, q: Uint8Array): void {
    if (q[1] === LEAD_OUT_TRACK) {
      this.#leadOut ??= lba;
      return;
    }
    const number = fromBcd(q[1] as number);
    const index = fromBcd(q[2] as number);
    let track = this.#tracks.get(number);
    if (track === undefined) {
      track = { number, control: this.control, pregap: lba, start: null, indexes: [], isrc: null };
      this.#tracks.set(number, track);
    }
    this.#last = track;
    if (index >= 1 && track.start === null) {
      const told = this.#points.get(Number.parseInt(String(number), 16));
      track.start = told?.lba ?? lba;
      track.control = told?.control ?? this.control;
    }
    if (index >= 2 && track.indexes.length === index - 2) track.indexes.push(lba);
  }
}
