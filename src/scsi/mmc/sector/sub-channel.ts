/** The sub-channels P to W of a sector: 96 bytes with a bit of each, or 12 bytes of each (ECMA-130 22, MMC-6 4.2.3). */
import { SUB_CHANNEL_BYTES } from '../disc.ts';

/** Bytes of one sub-channel in a sector. */
export const CHANNEL_BYTES = 12;
const CHANNELS = 8;

/** Writes 96 bytes, 12 of P, 12 of Q and so on, as 96 bytes with a bit of each: bit 7 is P. */
export function interleave(
  separate: Uint8Array,
  from: number,
  interleaved: Uint8Array,
  to: number,
): void {
  interleaved.fill(0, to, to + SUB_CHANNEL_BYTES);
  for (let channel = 0; channel < CHANNELS; channel += 1) {
    putChannel(interleaved, to, channel, separate, from + channel * CHANNEL_BYTES);
  }
}

/** The other way. */
export function separate(
  interleaved: Uint8Array,
  from: number,
  channels: Uint8Array,
  to: number,
): void {
  for (let channel = 0; channel < CHANNELS; channel += 1) {
    getChannel(interleaved, from, channel, channels, to + channel * CHANNEL_BYTES);
  }
}

/** Writes one channel (0 is P, 1 is Q ...) of the 96 interleaved bytes at `at`. */
export function putChannel(
  interleaved: Uint8Array,
  at: number,
  channel: number,
  bytes: Uint8Array,
  from: number,
): void {
  const mask = 0x80 >> channel;
  for (let i = 0; i < SUB_CHANNEL_BYTES; i += 1) {
    const isSet = ((bytes[from + (i >> 3)] as number) & (0x80 >> (i & 7))) !== 0;
    const others = (interleaved[at + i] as number) & ~mask;
    interleaved[at + i] = isSet ? others | mask : others;
  }
}

/** Takes one channel out of the 96 interleaved bytes at `at`. */
export function getChannel(
  interleaved: Uint8Array,
  at: number,
  channel: number,
  bytes: Uint8Array,
  to: number,
): void {
  bytes.fill(0, to, to + CHANNEL_BYTES);
  for (let i = 0; i < SUB_CHANNEL_BYTES; i += 1) {
    const bit = ((interleaved[at + i] as number) >> (7 - channel)) & 1;
    const where = to + (i >> 3);
    bytes[where] = (bytes[where] as number) | (bit << (7 - (i & 7)));
  }
}

export const CHANNEL_P = 0;
export const CHANNEL_Q = 1;
/** Bits of R to W in an interleaved byte. */
export const R_TO_W = 0x3f;
