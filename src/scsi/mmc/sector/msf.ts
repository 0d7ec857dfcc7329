/** Addresses of a CD as minutes, seconds and frames: 75 frames a second, block 0 at 00:02:00 (MMC-6). */

export const FRAMES_PER_SECOND = 75;
const SECONDS_PER_MINUTE = 60;
const FRAMES_PER_MINUTE = FRAMES_PER_SECOND * SECONDS_PER_MINUTE;
/** Frames before block 0. */
const BLOCK_ZERO = 150;
/** Minutes from 90 on are those of the lead-in, which is in front of 00:00:00. */
const LEAD_IN_MINUTE = 90;
const WRAP = 100 * FRAMES_PER_MINUTE;
/** The last address that fits three bytes. */
const LAST: Msf = { minute: 255, second: 59, frame: 74 };

export interface Msf {
  readonly minute: number;
  readonly second: number;
  readonly frame: number;
}

/** A number of frames as a time. */
export function timeOf(frames: number): Msf {
  const minute = Math.floor(frames / FRAMES_PER_MINUTE);
  if (minute > LAST.minute) return LAST;
  const rest = frames % FRAMES_PER_MINUTE;
  return {
    minute,
    second: Math.floor(rest / FRAMES_PER_SECOND),
    frame: rest % FRAMES_PER_SECOND,
  };
}

/** The address of a block. Those of larger discs end at 255:59:74. */
export function msfOf(lba: number): Msf {
  const frames = lba + BLOCK_ZERO;
  return timeOf(frames < 0 ? frames + WRAP : frames);
}

/** The block at an address. */
export function lbaOf(minute: number, second: number, frame: number): number {
  const frames = minute * FRAMES_PER_MINUTE + second * FRAMES_PER_SECOND + frame - BLOCK_ZERO;
  return minute >= LEAD_IN_MINUTE ? frames - WRAP : frames;
}
