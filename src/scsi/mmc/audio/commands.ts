/** Index of the commands that play audio: row → handler, features. */
import type { MmcCommand } from '../mmc-command.ts';
import {
  PAUSE_RESUME,
  PLAY_AUDIO_10,
  PLAY_AUDIO_12,
  PLAY_AUDIO_MSF,
  PLAY_AUDIO_TRACK_INDEX,
  pauseResume,
  playAudio,
  playAudioMsf,
  playAudioTrackIndex,
  SCAN,
  STOP_PLAY_SCAN,
  scan,
  stopPlayScan,
} from './play.ts';
import { READ_SUB_CHANNEL, readSubChannel } from './sub-channel.ts';

export const audioCommands: readonly MmcCommand[] = [
  [READ_SUB_CHANNEL, readSubChannel, [0x0103]],
  [PLAY_AUDIO_10, playAudio, [0x0103]],
  [PLAY_AUDIO_MSF, playAudioMsf, [0x0103]],
  [PLAY_AUDIO_TRACK_INDEX, playAudioTrackIndex, [0x0103]],
  [PAUSE_RESUME, pauseResume, [0x0103]],
  [STOP_PLAY_SCAN, stopPlayScan, [0x0103]],
  [PLAY_AUDIO_12, playAudio, [0x0103]],
  [SCAN, scan, [0x0103]],
];
