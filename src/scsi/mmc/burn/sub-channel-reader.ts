/** What sub-channel Q says of a session, sector by sector (MMC-6 4.2.3, ECMA-130 22). */

export const Q_BYTES = 12;
const Q_BIT = 0x40;
const LEAD_OUT = 0xaa;
const FIRST_TRACK_POINT = 0xa0;
const LEAD_OUT_POINT = 0xa2;
const NEXT_SESSION_POINT = 0xb0;
const NO_TIME = 0xff;
const MCN_DIGITS = 13;
const PREGAP = 150;
/** Minutes from here on are in front of the first sector. */
const NEGATIVE_MINUTES = 90;
const NEGATIVE_OFFSET = 450_150;

/** Q out of 96 bytes of interleaved sub-channels: bit 6 of each. */
export function qOf(sub: Uint8Array): Uint8Array {
  const q = new Uint8Array(Q_BYTES);
  for (let i = 0; i < Q_BYTES * 8; i += 1) {
    if (((sub[i] as number) & Q_BIT) !== 0) q[i >> 3] = (q[i >> 3] as number) | (0x80 >> (i & 7));
  }
  return q;
}

/** CRC-16 (1021h, inverted) of a Q frame. */
export function qCrc(q: Uint8Array): number {
  let crc = 0;
  for (const byte of q.subarray(0, Q_BYTES - 2)) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; i += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    crc &= 0xffff;
  }
  return ~crc & 0xffff;
}

const decimal = (bcd: number): number => (bcd >> 4) * 10 + (bcd & 0x0f);

/** The block that a time in BCD names. */
export function lbaOf(minute: number, second: number, frame: number): number {
  const minutes = decimal(minute);
  const sectors = (minutes * 60 + decimal(second)) * 75 + decimal(frame);
  return minutes < NEGATIVE_MINUTES ? sectors - PREGAP : sectors - NEGATIVE_OFFSET;
}

/** A time in BCD that names a block. */
export function timeOf(lba: number): readonly [minute: number, second: number, frame: number] {
  const sectors = lba + (lba < -PREGAP ? NEGATIVE_OFFSET : PREGAP);
  const bcd = (value: number): number => Math.floor(value / 10) * 16 + (value % 10);
  return [bcd(Math.floor(sectors / 4500)), bcd(Math.floor(sectors / 75) % 60), bcd(sectors % 75)];
}

/** ISRC: five characters of six bits, two zeros, seven digits (ECMA-130 22.3.4). */
function isrcOf(q: Uint8Array): string | null {
  const byte = (i: number): number => q[i] as number;
  const head = ((byte(1) << 24) | (byte(2) << 16) | (byte(3) << 8) | byte(4)) >>> 0;
  const letters = [26, 20, 14, 8, 2].map((shift) =>
    String.fromCharCode(0x30 + (Math.floor(head / 2 ** shift) & 0x3f)),
  );
  const digits = [byte(5), byte(6), byte(7), byte(8)].map((each) =>
    each.toString(16).padStart(2, '0'),
  );
  const text = letters.join('') + digits.join('').slice(0, 7);
  return /^[0-9A-Z]{5}\d{7}$/.test(text) ? text : null;
}

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
    const crc = ((q[10] as number) << 8) | (q[11] as number);
    if (crc !== 0 && crc !== qCrc(q)) return;
    const adr = (q[0] as number) & 0x0f;
    if (adr === 1) {
      this.control = (q[0] as number) >> 4;
      if (q[1] === 0) this.#takePoint(q);
      else this.#takePosition(lba, q);
    } else if (adr === 2 && q[1] !== 0) {
      const digits = Buffer.from(q.subarray(1, 8)).toString('hex').slice(0, MCN_DIGITS);
      if (/^\d{13}$/.test(digits)) this.catalog = digits;
    } else if (adr === 3 && this.#last !== null) {
      this.#last.isrc ??= isrcOf(q);
    } else if (adr === 5 && q[2] === NEXT_SESSION_POINT) {
      this.nextSession = q[3] !== NO_TIME;
    }
  }

  #takePoint(q: Uint8Array): void {
    const [minute, second, frame] = q.subarray(7, 10) as Uint8Array & [number, number, number];
    this.#points.set(q[2] as number, {
      control: this.control,
      lba: lbaOf(minute, second, frame),
      byte: second,
    });
  }

  #takePosition(lba: number, q: Uint8Array): void {
    if (q[1] === LEAD_OUT) {
      this.#leadOut ??= lba;
      return;
    }
    const number = decimal(q[1] as number);
    const index = decimal(q[2] as number);
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
