/** Raw sectors of a session of one data track, lead-in and lead-out with their sub-channel Q included, as hosts write them. */

const PREGAP = 150;
const LEAD_IN_END = -150;
const MAIN_BYTES = 2352;

const bcd = (value: number): number => Math.floor(value / 10) * 16 + (value % 10);

function msf(frames: number): number[] {
  return [Math.floor(frames / 4500), Math.floor(frames / 75) % 60, frames % 75].map(bcd);
}

function absolute(lba: number): number[] {
  return msf(lba < -PREGAP ? lba + 450_150 : lba + PREGAP);
}

/** Appends the inverted CRC-16 (1021h) bit by bit. */
function withCrc(q: readonly number[]): number[] {
  let crc = 0;
  for (const byte of q) {
    for (let bit = 7; bit >= 0; bit -= 1) {
      const out = ((crc >> 15) ^ (byte >> bit)) & 1;
      crc = (crc << 1) & 0xffff;
      if (out === 1) crc ^= 0x1021;
    }
  }
  const inverted = ~crc & 0xffff;
  return [...q, inverted >> 8, inverted & 0xff];
}

export class RawSession {
  readonly #leadOut: number;

  /** `end`: block behind the last of the lead-out, which has 150 blocks. */
  constructor(end: number) {
    this.#leadOut = end - PREGAP;
  }

  get leadOut(): number {
    return this.#leadOut;
  }

  /** A sector with 16 or 96 bytes of sub-channel behind it. */
  sector(lba: number, bytes: number): Uint8Array {
    const sector = new Uint8Array(bytes);
    const isData = lba >= LEAD_IN_END && lba < this.#leadOut;
    if (isData) {
      sector.fill((lba + 1) & 0xff, 0, MAIN_BYTES);
      sector.fill(0xff, 1, 11);
      sector[0] = 0;
      sector[11] = 0;
      sector.set([...absolute(lba), 1], 12);
    }
    const q = this.#q(lba);
    if (bytes === MAIN_BYTES + 16) {
      sector.set(q, MAIN_BYTES);
    } else {
      for (let i = 0; i < 96; i += 1) {
        const bit = ((q[i >> 3] as number) >> (7 - (i & 7))) & 1;
        sector[MAIN_BYTES + i] = bit << 6;
      }
    }
    return sector;
  }

  #q(lba: number): number[] {
    if (lba < LEAD_IN_END) return withCrc(this.#toc(lba));
    if (lba >= this.#leadOut) {
      return withCrc([0x41, 0xaa, 0x01, ...msf(lba - this.#leadOut), 0, ...absolute(lba)]);
    }
    const index = lba < 0 ? 0 : 1;
    return withCrc([0x41, 0x01, index, ...msf(Math.abs(lba)), 0, ...absolute(lba)]);
  }

  /** Points of the lead-in, in turn. */
  #toc(lba: number): number[] {
    const points = [
      [0xa0, 0x01, 0x00, 0x00],
      [0xa1, 0x01, 0x00, 0x00],
      [0xa2, ...absolute(this.#leadOut)],
      [0x01, ...absolute(0)],
    ];
    const [point = 0, ...where] = points[Math.abs(lba) % points.length] as number[];
    return [0x41, 0x00, point, ...absolute(lba), 0, ...where];
  }
}
