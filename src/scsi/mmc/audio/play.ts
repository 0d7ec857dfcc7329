/** PLAY AUDIO(10), (12), MSF and TRACK INDEX, PAUSE/RESUME, STOP PLAY/SCAN and SCAN (MMC-3). */
import { bits, type CdbField, field, u } from '../../cdb.ts';
import { type CommandPolicy, command, TOUCHES_NOTHING } from '../../command-table.ts';
import { CURRENT_VALUES } from '../../mode-page.ts';
import { refuse, refuseField, unitOf } from '../../parameter-data.ts';
import { cdbBytePointer, cdbPointer } from '../../sense.ts';
import {
  COMMAND_SEQUENCE_ERROR,
  ILLEGAL_MODE_FOR_THIS_TRACK,
  L_EC_UNCORRECTABLE_ERROR,
} from '../../sense-codes.ts';
import { ENABLED, type Task } from '../../task.ts';
import type { Disc } from '../disc.ts';
import { AUDIO_FLAGS_BYTE, AUDIO_IMMED, AUDIO_PAGE, AUDIO_SOTC } from '../mode-pages.ts';
import { discOf, opticalOf } from '../optical-drive.ts';
import { lbaOf, wrongPart } from '../sector/msf.ts';
import { type AudioStatus, FAILED } from './audio-player.ts';
import { audioAt, audioRange, indexEnd, indexStart } from './audio-range.ts';

const POLICY: CommandPolicy = {
  data: 'none',
  medium: 'required',
  attention: 'report',
  reservation: 'reads',
  extent: TOUCHES_NOTHING,
  burn: 'reads',
  clause: 'MMC-3',
};

export const PLAY_AUDIO_10 = command(
  0x45,
  'PLAY AUDIO(10)',
  10,
  { lba: u(2, 4), blocks: u(7, 2) },
  POLICY,
);
export const PLAY_AUDIO_12 = command(
  0xa5,
  'PLAY AUDIO(12)',
  12,
  { lba: u(2, 4), blocks: u(6, 4) },
  POLICY,
);
export const PLAY_AUDIO_MSF = command(
  0x47,
  'PLAY AUDIO MSF',
  10,
  { start: u(3, 3), end: u(6, 3) },
  POLICY,
);
export const PLAY_AUDIO_TRACK_INDEX = command(
  0x48,
  'PLAY AUDIO TRACK INDEX',
  10,
  { startTrack: u(4, 1), startIndex: u(5, 1), endTrack: u(7, 1), endIndex: u(8, 1) },
  POLICY,
);
export const PAUSE_RESUME = command(0x4b, 'PAUSE/RESUME', 10, { resume: bits(8, 0, 0) }, POLICY);
export const STOP_PLAY_SCAN = command(0x4e, 'STOP PLAY/SCAN', 10, {}, POLICY);
export const SCAN = command(
  0xba,
  'SCAN',
  12,
  { direction: bits(1, 4, 4), address: u(2, 4), addressType: bits(9, 7, 6) },
  POLICY,
);

/** An address of all ones: where the head is. */
const HERE_LBA = 0xffff_ffff;
const HERE_MSF = 0xff_ffff;

/** Flags of the CD audio control mode page. */
function audioFlags(task: Task): number {
  const { modePages } = unitOf(task);
  if (modePages?.has(AUDIO_PAGE) !== true) return AUDIO_IMMED;
  return modePages.sense(AUDIO_PAGE, CURRENT_VALUES)[AUDIO_FLAGS_BYTE] as number;
}

/** Plays [from, to), and waits for the end when IMMED = 0. */
function playRange(task: Task, from: number, to: number): void {
  const unit = unitOf(task);
  if (from === to) {
    unit.finish(task);
    return;
  }
  const flags = audioFlags(task);
  const range = audioRange(discOf(task), from, to, (flags & AUDIO_SOTC) !== 0);
  if (typeof range === 'number') {
    refuse(task, range);
    return;
  }
  const { audio, faults } = opticalOf(task);
  const bad = faults.firstIn('read', range.from, range.to - range.from);
  if (bad !== null) faults.met('read', bad);
  audio.play(unit, bad === null ? range : { from: range.from, to: bad, failsAtEnd: true });
  if ((flags & AUDIO_IMMED) === 0) waitForEnd(task, bad);
  else unit.finish(task);
}

/** `bad`: the block that cannot be read; null: where it fails, if it does, is data. */
function waitForEnd(task: Task, bad: number | null): void {
  const unit = unitOf(task);
  const { sequence } = task;
  unit.taskSet.rest(task);
  opticalOf(task).audio.whenEnded(unit, (status: AudioStatus) => {
    // It may have been aborted since: what is heard is not.
    if (!task.resting || task.state !== ENABLED || task.sequence !== sequence) return;
    task.resting = false;
    if (status === FAILED) {
      if (bad === null) task.check(ILLEGAL_MODE_FOR_THIS_TRACK);
      else task.check(L_EC_UNCORRECTABLE_ERROR, bad >>> 0);
    }
    unit.finish(task);
  });
}

export function playAudio(task: Task): void {
  const from = task.lba === HERE_LBA ? opticalOf(task).audio.position(unitOf(task)) : task.lba | 0;
  playRange(task, from, from + task.blocks);
}

/** The block of an MSF field, or of a longer one; null: it is no time of a disc. */
function blockOf(msf: number): number | null {
  const [minute, second, frame] = [msf >>> 16, (msf >> 8) & 0xff, msf & 0xff];
  return wrongPart(minute, second, frame) < 0 ? lbaOf(minute, second, frame) : null;
}

function refuseByte(task: Task, { byte }: CdbField): void {
  refuseField(task, cdbBytePointer(byte));
}

export function playAudioMsf(task: Task): void {
  const { fields } = PLAY_AUDIO_MSF;
  const start = field(task.cdb, fields.start);
  const here = opticalOf(task).audio.position(unitOf(task));
  const from = start === HERE_MSF ? here : blockOf(start);
  const to = blockOf(field(task.cdb, fields.end));
  if (from === null) refuseByte(task, fields.start);
  else if (to === null || to < from) refuseByte(task, fields.end);
  else playRange(task, from, to);
}

/** A last track behind the last of the disc means that one. */
export function playAudioTrackIndex(task: Task): void {
  const { fields } = PLAY_AUDIO_TRACK_INDEX;
  const { tracks } = discOf(task);
  const number = field(task.cdb, fields.startTrack);
  const endNumber = Math.min(field(task.cdb, fields.endTrack), tracks.at(-1)?.number ?? 0);
  const first = tracks.find((track) => track.number === number);
  const last = tracks.find((track) => track.number === endNumber);
  const from = first === undefined ? null : indexStart(first, field(task.cdb, fields.startIndex));
  if (first === undefined) refuseByte(task, fields.startTrack);
  else if (from === null) refuseByte(task, fields.startIndex);
  else if (last === undefined) refuseByte(task, fields.endTrack);
  else {
    const to = indexEnd(last, field(task.cdb, fields.endIndex));
    if (to < from) refuseByte(task, fields.endTrack);
    else playRange(task, from, to);
  }
}

/** To pause what is paused, or to resume what is played, is no error. */
export function pauseResume(task: Task): void {
  const unit = unitOf(task);
  const { audio } = opticalOf(task);
  const resumes = field(task.cdb, PAUSE_RESUME.fields.resume) === 1;
  const done = resumes ? audio.resume(unit) : audio.pause(unit);
  if (done) unit.finish(task);
  else refuse(task, COMMAND_SEQUENCE_ERROR);
}

export function stopPlayScan(task: Task): void {
  opticalOf(task).audio.stop();
  unitOf(task).finish(task);
}

/** Types of the address of SCAN. */
const LBA = 0;
const MSF = 1;
const TRACK = 2;

function scanStart(disc: Disc, type: number, address: number): number | null {
  if (type === LBA) return address | 0;
  if (type === MSF) return blockOf(address);
  return disc.tracks.find(({ number }) => number === address)?.start ?? null;
}

/** Goes through the audio fast, up to its end or down to its start. */
export function scan(task: Task): void {
  const { fields } = SCAN;
  const disc = discOf(task);
  const type = field(task.cdb, fields.addressType);
  if (type > TRACK) {
    refuseField(task, cdbPointer(fields.addressType.byte, 7));
    return;
  }
  const from = scanStart(disc, type, field(task.cdb, fields.address));
  if (from === null) {
    refuseByte(task, fields.address);
    return;
  }
  const audio = audioAt(disc, from);
  if (typeof audio === 'number') {
    refuse(task, audio);
    return;
  }
  const unit = unitOf(task);
  opticalOf(task).audio.scan(unit, from, field(task.cdb, fields.direction) === 1, audio);
  unit.finish(task);
}
