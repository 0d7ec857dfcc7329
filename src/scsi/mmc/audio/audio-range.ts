/** What of a disc can be heard: ranges of blocks in audio tracks. */
import {
  CANNOT_READ_MEDIUM_INCOMPATIBLE_FORMAT,
  ILLEGAL_MODE_FOR_THIS_TRACK,
  LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE,
} from '../../sense-codes.ts';
import { type Disc, isAudio, type Track, trackAt } from '../disc.ts';
import { familyOf } from '../profile.ts';
import type { AudioRange } from './audio-player.ts';

/** Block behind the program area that can be played. */
export function programEnd({ sessions, blocks }: Disc): number {
  return sessions.findLast(({ leadOut }) => leadOut !== null)?.leadOut ?? blocks;
}

/** Tracks that are heard one behind the other, around `track`. */
function audioAround(tracks: readonly Track[], track: Track): AudioRange {
  let from = track.pregap;
  let to = track.end;
  const audio = tracks.filter(isAudio);
  for (const each of audio) if (each.pregap === to) to = each.end;
  for (const each of audio.toReversed()) if (each.end === from) from = each.pregap;
  return { from, to, failsAtEnd: false };
}

/** The audio around block `lba`, or (sense) why there is none. */
export function audioAt(disc: Disc, lba: number): AudioRange | number {
  if (familyOf(disc.profile) !== 'cd') return CANNOT_READ_MEDIUM_INCOMPATIBLE_FORMAT;
  const track = trackAt(disc.tracks, lba);
  if (track === null || lba >= programEnd(disc)) return LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE;
  return isAudio(track) ? audioAround(disc.tracks, track) : ILLEGAL_MODE_FOR_THIS_TRACK;
}

/**
 * What is heard of [from, to), or (sense) why nothing can be. It begins in an audio track, and fails where the audio ends before `to`.
 * `toTrackEnd`: it ends with the track it begins in (SOTC).
 */
export function audioRange(
  disc: Disc,
  from: number,
  to: number,
  toTrackEnd: boolean,
): AudioRange | number {
  const audio = audioAt(disc, from);
  if (typeof audio === 'number') return audio;
  if (to > programEnd(disc)) return LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE;
  const trackEnd = trackAt(disc.tracks, from)?.end ?? to;
  const end = toTrackEnd ? Math.min(to, trackEnd) : to;
  return { from, to: Math.min(end, audio.to), failsAtEnd: end > audio.to };
}

/** First block of an index of a track, or null. Index 0 is the pregap, 1 the start. */
export function indexStart({ pregap, start, indexes }: Track, index: number): number | null {
  if (index === 0) return pregap;
  return index === 1 ? start : (indexes[index - 2] ?? null);
}

/** Block behind an index of a track: where the next one begins, or the track ends. */
export function indexEnd(track: Track, index: number): number {
  return indexStart(track, index + 1) ?? track.end;
}
