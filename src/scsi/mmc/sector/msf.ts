/** Addresses on a CD in minutes, seconds and frames of 1/75 s, and the block addresses they stand for (MMC-6 4.2.3). */

export const FRAMES_PER_SECOND = 75;
export const SECONDS_PER_MINUTE = 60;
/** Frames in front of block 0: the pause of two seconds that every disc begins with. */
export const LEADING_PAUSE_FRAMES = 150;
/** Minutes that an address can count. Blocks before the leading pause are counted from their end backwards. */
const MINUTES = 100;
const ALL_FRAMES = MINUTES * SECONDS_PER_MINUTE * FRAMES_PER_SECOND;
/** From this minute on an address means the lead-in of the first session. */
const LEAD_IN_MINUTE = 90;

/** The last time that fits three bytes. */
const LAST: Msf = { minute: 255, second: 59, frame: 74 };

export interface Msf {
  readonly minute: number;
  readonly second: number;
  readonly frame: number;
}

export function framesOf(minute: number, second: number, frame: number): number {
  return (minute * SECONDS_PER_MINUTE + second) * FRAMES_PER_SECOND + frame;
}

/** Which part of a time cannot be: 0 the minute, 1 the second, 2 the frame; -1: all can. */
export function wrongPart(minute: number, second: number, frame: number): -1 | 0 | 1 | 2 {
  if (minute >= MINUTES) return 0;
  if (second >= SECONDS_PER_MINUTE) return 1;
  return frame >= FRAMES_PER_SECOND ? 2 : -1;
}

/** Block address of an absolute time: 00:02:00 is 0, 97:26:65 is -11635. */
export function lbaOf(minute: number, second: number, frame: number): number {
  const lba = framesOf(minute, second, frame) - LEADING_PAUSE_FRAMES;
  return minute < LEAD_IN_MINUTE ? lba : lba - ALL_FRAMES;
}

/** The first block that has an address: the lead-in of the first session at the earliest. */
export const FIRST_ADDRESS: number = lbaOf(LEAD_IN_MINUTE, 0, 0);

/** Absolute time of a block, in frames. */
export function absoluteFrames(lba: number): number {
  const frames = lba + LEADING_PAUSE_FRAMES;
  return frames < 0 ? frames + ALL_FRAMES : frames;
}

export const toBcd = (value: number): number => (Math.floor(value / 10) << 4) | (value % 10);
export const fromBcd = (bcd: number): number => (bcd >> 4) * 10 + (bcd & 0xf);
export const isBcd = (bcd: number): boolean => bcd >> 4 < 10 && (bcd & 0xf) < 10;

/** A number of frames as a time. Those that are too many for three bytes end at 255:59:74. */
export function timeOf(frames: number): Msf {
  const seconds = Math.floor(frames / FRAMES_PER_SECOND);
  const minute = Math.floor(seconds / SECONDS_PER_MINUTE);
  if (minute > LAST.minute) return LAST;
  return { minute, second: seconds % SECONDS_PER_MINUTE, frame: frames % FRAMES_PER_SECOND };
}

/** The absolute time of a block. */
export function msfOf(lba: number): Msf {
  return timeOf(absoluteFrames(lba));
}

/** Writes a number of frames as three binary bytes: minute, second, frame. */
export function putMsf(bytes: Uint8Array, at: number, frames: number): void {
  const { minute, second, frame } = timeOf(frames);
  bytes[at] = minute;
  bytes[at + 1] = second;
  bytes[at + 2] = frame;
}

/** The same in BCD, as sector headers and sub-channel Q have it. */
export function putBcdMsf(bytes: Uint8Array, at: number, frames: number): void {
  putMsf(bytes, at, frames);
  for (let i = at; i < at + 3; i += 1) bytes[i] = toBcd(bytes[i] as number);
}

/** Frames of three BCD bytes, or -1: they are no time. */
export function bcdFramesAt(bytes: Uint8Array, at: number): number {
  const minute = bytes[at] as number;
  const second = bytes[at + 1] as number;
  const frame = bytes[at + 2] as number;
  if (!isBcd(minute) || !isBcd(second) || !isBcd(frame)) return -1;
  if (fromBcd(second) >= SECONDS_PER_MINUTE || fromBcd(frame) >= FRAMES_PER_SECOND) return -1;
  return framesOf(fromBcd(minute), fromBcd(second), fromBcd(frame));
}

/** Block address of three BCD bytes, or null: they are no time. */
export function bcdLbaAt(bytes: Uint8Array, at: number): number | null {
  const frames = bcdFramesAt(bytes, at);
  if (frames < 0) return null;
  const lba = frames - LEADING_PAUSE_FRAMES;
  return fromBcd(bytes[at] as number) < LEAD_IN_MINUTE ? lba : lba - ALL_FRAMES;
}
