/** What REQUEST SENSE says of playing audio (MMC-3). */
import type { LogicalUnit } from '../../logical-unit.ts';
import {
  AUDIO_PLAY_OPERATION_IN_PROGRESS,
  AUDIO_PLAY_OPERATION_PAUSED,
  AUDIO_PLAY_OPERATION_STOPPED_DUE_TO_ERROR,
  AUDIO_PLAY_OPERATION_SUCCESSFULLY_COMPLETED,
} from '../../sense-codes.ts';
import { COMPLETED, FAILED, PAUSED, PLAYING } from './audio-player.ts';

const SENSE: ReadonlyMap<number, number> = new Map([
  [PLAYING, AUDIO_PLAY_OPERATION_IN_PROGRESS],
  [PAUSED, AUDIO_PLAY_OPERATION_PAUSED],
  [COMPLETED, AUDIO_PLAY_OPERATION_SUCCESSFULLY_COMPLETED],
  [FAILED, AUDIO_PLAY_OPERATION_STOPPED_DUE_TO_ERROR],
]);

/** The sense of the present audio status, or 0. How a play ended is told once. */
export function audioSense(unit: LogicalUnit): number {
  return unit.optical === null ? 0 : (SENSE.get(unit.optical.audio.report(unit)) ?? 0);
}
