/** Index of the commands that play audio: row → handler. */
import type { CommandRow, Handler } from '../../command-table.ts';
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

export const audioCommands: readonly (readonly [CommandRow, Handler])[] = [
  [READ_SUB_CHANNEL, readSubChannel],
  [PLAY_AUDIO_10, playAudio],
  [PLAY_AUDIO_MSF, playAudioMsf],
  [PLAY_AUDIO_TRACK_INDEX, playAudioTrackIndex],
  [PAUSE_RESUME, pauseResume],
  [STOP_PLAY_SCAN, stopPlayScan],
  [PLAY_AUDIO_12, playAudio],
  [SCAN, scan],
];
