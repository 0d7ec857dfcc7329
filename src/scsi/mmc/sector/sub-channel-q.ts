/** Sub-channel Q: 12 bytes a sector that say where it is, or carry the catalogue number or an ISRC (ECMA-130 22.3, IEC 60908). */
import { isSealed, sealCrc } from './crc-16.ts';
import {
  absoluteFrames,
  bcdFramesAt,
  bcdLbaAt,
  FRAMES_PER_SECOND,
  fromBcd,
  isBcd,
  putBcdMsf,
  toBcd,
} from './msf.ts';
import { CHANNEL_BYTES } from './sub-channel.ts';

/** ADR: what the other bytes are. */
export const ADR_POSITION = 1;
export const ADR_CATALOG = 2;
export const ADR_ISRC = 3;

/** TNO of the lead-out; of the lead-in it is 0. */
export const LEAD_OUT_TRACK = 0xaa;
const CRC_AT = 10;
const ABSOLUTE_FRAME_AT = 9;

function begin(q: Uint8Array, at: number, control: number, adr: number): void {
  q.fill(0, at, at + CHANNEL_BYTES);
  q[at] = (control << 4) | adr;
}

function seal(q: Uint8Array, at: number): void {
  sealCrc(q, at, at + CRC_AT);
}

/** Where a sector is. */
export interface QPosition {
  readonly control: number;
  /** 1 to 99, or LEAD_OUT_TRACK. */
  readonly track: number;
  readonly index: number;
  /** Frames from the start of the track; in index 0 frames to it. */
  readonly relative: number;
  readonly lba: number;
}

/** Writes Q with ADR 1 outside the lead-in. */
export function putPosition(q: Uint8Array, at: number, position: QPosition): void {
  begin(q, at, position.control, ADR_POSITION);
  const { track } = position;
  q[at + 1] = track === LEAD_OUT_TRACK ? track : toBcd(track);
  q[at + 2] = toBcd(position.index);
  putBcdMsf(q, at + 3, position.relative);
  putBcdMsf(q, at + 7, absoluteFrames(position.lba));
  seal(q, at);
}

/** Writes Q of a lead-in sector, where the table of contents is: a pointer (1 to 99 as BCD, A0h ...) and what it says, 3 bytes. */
export function putPointer(
  q: Uint8Array,
  at: number,
  control: number,
  point: number,
  lba: number,
  says: Uint8Array,
): void {
  begin(q, at, control, ADR_POSITION);
  q[at + 2] = point;
  putBcdMsf(q, at + 3, absoluteFrames(lba));
  q.set(says.subarray(0, 3), at + 7);
  seal(q, at);
}

/** Writes Q with the catalogue number of the disc, 13 digits. */
export function putCatalog(
  q: Uint8Array,
  at: number,
  control: number,
  catalog: string,
  lba: number,
): void {
  begin(q, at, control, ADR_CATALOG);
  for (let i = 0; i < catalog.length; i += 1) {
    const where = at + 1 + (i >> 1);
    q[where] = (q[where] as number) | (Number(catalog[i]) << (i % 2 === 0 ? 4 : 0));
  }
  q[at + ABSOLUTE_FRAME_AT] = toBcd(absoluteFrames(lba) % FRAMES_PER_SECOND);
  seal(q, at);
}

/** ISRC characters are kept in six bits: digits as they are, letters from 17. */
const SIX_BIT_BASE = 0x30;
const COUNTRY_AND_OWNER = 5;

/** Writes Q with the ISRC of a track, 12 characters: five of country and owner, two digits of the year, five of the number. */
export function putIsrc(
  q: Uint8Array,
  at: number,
  control: number,
  isrc: string,
  lba: number,
): void {
  begin(q, at, control, ADR_ISRC);
  let bits = 0;
  for (let i = 0; i < COUNTRY_AND_OWNER; i += 1) {
    bits = bits * 64 + ((isrc.charCodeAt(i) - SIX_BIT_BASE) & 0x3f);
  }
  // 30 bits and two of filling, then seven digits and four bits of filling.
  new DataView(q.buffer, q.byteOffset + at + 1, 4).setUint32(0, bits * 4);
  for (let i = COUNTRY_AND_OWNER; i < isrc.length; i += 1) {
    const nibble = i - COUNTRY_AND_OWNER;
    const where = at + 5 + (nibble >> 1);
    q[where] = (q[where] as number) | (Number(isrc[i]) << (nibble % 2 === 0 ? 4 : 0));
  }
  q[at + ABSOLUTE_FRAME_AT] = toBcd(absoluteFrames(lba) % FRAMES_PER_SECOND);
  seal(q, at);
}

/** What Q says. */
export type QContent =
  | ({ readonly kind: 'position' } & QPosition)
  | {
      readonly kind: 'pointer';
      readonly control: number;
      readonly point: number;
      readonly says: Uint8Array;
    }
  | { readonly kind: 'catalog'; readonly control: number; readonly catalog: string }
  | { readonly kind: 'isrc'; readonly control: number; readonly isrc: string };

function digitsAt(q: Uint8Array, at: number, count: number): string {
  let digits = '';
  for (let i = 0; i < count; i += 1) {
    digits += (((q[at + (i >> 1)] as number) >> (i % 2 === 0 ? 4 : 0)) & 0xf).toString(16);
  }
  return digits;
}

/** The ISRC in the 12 bytes at `at`, or null: it is none. */
export function isrcAt(q: Uint8Array, at = 0): string | null {
  const bits = new DataView(q.buffer, q.byteOffset + at + 1, 4).getUint32(0);
  let isrc = '';
  for (let shift = 26; shift >= 2; shift -= 6) {
    isrc += String.fromCharCode(((bits >>> shift) & 0x3f) + SIX_BIT_BASE);
  }
  isrc += digitsAt(q, at + 5, 7);
  return /^[0-9A-Z]{5}\d{7}$/.test(isrc) ? isrc : null;
}

function positionOf(q: Uint8Array, at: number, control: number): QContent | null {
  const track = q[at + 1] as number;
  if (track === 0) {
    const says = q.slice(at + 7, at + 10);
    return { kind: 'pointer', control, point: q[at + 2] as number, says };
  }
  const index = q[at + 2] as number;
  const relative = bcdFramesAt(q, at + 3);
  const lba = bcdLbaAt(q, at + 7);
  const isNumber = track === LEAD_OUT_TRACK || isBcd(track);
  if (!isNumber || !isBcd(index) || relative < 0 || lba === null) return null;
  return {
    kind: 'position',
    control,
    track: track === LEAD_OUT_TRACK ? track : fromBcd(track),
    index: fromBcd(index),
    relative,
    lba,
  };
}

/** Whether the CRC of the 12 bytes at `at` is theirs. */
export function isQIntact(q: Uint8Array, at = 0): boolean {
  return isSealed(q, at, at + CRC_AT);
}

/** The CRC that they have. */
export function qCrcAt(q: Uint8Array, at = 0): number {
  return ((q[at + CRC_AT] as number) << 8) | (q[at + CRC_AT + 1] as number);
}

/** Takes the 12 bytes at `at` apart; null: the CRC is wrong, or what they say makes no sense. */
export function readQ(q: Uint8Array, at = 0): QContent | null {
  if (!isQIntact(q, at)) return null;
  const control = (q[at] as number) >> 4;
  switch ((q[at] as number) & 0xf) {
    case ADR_POSITION:
      return positionOf(q, at, control);
    case ADR_CATALOG: {
      const catalog = digitsAt(q, at + 1, 13);
      return /^\d{13}$/.test(catalog) ? { kind: 'catalog', control, catalog } : null;
    }
    case ADR_ISRC: {
      const isrc = isrcAt(q, at);
      return isrc === null ? null : { kind: 'isrc', control, isrc };
    }
    default:
      return null;
  }
}
