/** The whole of a CD sector, 2352 bytes and the 96 of its sub-channels, from what the store keeps of it. */
import { type Disc, type SectorForm, type SectorRun, SUB_CHANNEL_BYTES } from '../disc.ts';
import {
  BODY_AT,
  type DataForm,
  dataAt,
  dataBytes,
  FRAME_BYTES,
  MODE_2_DATA_BYTES,
  putHeader,
  putPlainSubheader,
  sealFrame,
  xaFormAt,
} from '../sector/frame.ts';
import { CHANNEL_BYTES, CHANNEL_Q, getChannel, interleave } from '../sector/sub-channel.ts';
import { putPAndQ } from './position.ts';

/** What a single sector is. */
export type FrameForm = Exclude<SectorForm, 'mixed'>;

/** A sector of a mixed track that has nothing in it: form 2, as pauses are. */
function emptyForm({ form }: SectorRun): FrameForm {
  return form === 'mixed' ? 'form2' : form;
}

/** Header, subheader, user data from `stored` at `at` (null: zeros), EDC and, when it is asked for, parity. */
function buildFrame(
  frame: Uint8Array,
  lba: number,
  form: DataForm,
  stored: Uint8Array | null,
  at: number,
  coded: boolean,
): void {
  frame.fill(0);
  putHeader(frame, 0, lba, form === 'mode1' ? 1 : 2);
  if (form === 'form1' || form === 'form2') putPlainSubheader(frame, 0, form);
  if (stored !== null) frame.set(stored.subarray(at, at + dataBytes(form)), dataAt(form));
  // The EDC of form 2 counts as user data.
  if (coded || form === 'form2') sealFrame(frame, 0, form);
}

/**
 * Writes the 2352 bytes of sector `lba` of `run` to `frame`; what the store keeps of it is in `stored` at `at`. Returns what it
 * is. `coded`: EDC and parity that nobody keeps are made, which takes a while.
 */
export function readFrame(
  run: SectorRun,
  lba: number,
  stored: Uint8Array,
  at: number,
  frame: Uint8Array,
  coded: boolean,
): FrameForm {
  switch (run.stored) {
    case 'nothing': {
      const form = emptyForm(run);
      if (form === 'audio') frame.fill(0);
      else buildFrame(frame, lba, form, null, 0, coded);
      return form;
    }
    case 'user': {
      const form = run.form === 'mode1' ? 'mode1' : 'form1';
      buildFrame(frame, lba, form, stored, at, coded);
      return form;
    }
    case 'form2':
      buildFrame(frame, lba, 'form2', stored, at, coded);
      return 'form2';
    case 'mode2':
      putHeader(frame, 0, lba, 2);
      frame.set(stored.subarray(at, at + MODE_2_DATA_BYTES), BODY_AT);
      return frameForm(run, frame);
    case 'raw':
      frame.set(stored.subarray(at, at + FRAME_BYTES));
      return frameForm(run, frame);
    case 'swapped':
      for (let i = 0; i < FRAME_BYTES; i += 2) {
        frame[i] = stored[at + i + 1] as number;
        frame[i + 1] = stored[at + i] as number;
      }
      return frameForm(run, frame);
  }
}

function frameForm({ form }: SectorRun, frame: Uint8Array): FrameForm {
  return form === 'mixed' ? xaFormAt(frame, BODY_AT) : form;
}

const q = new Uint8Array(CHANNEL_BYTES);

/** Some images keep R to W and leave P and Q empty. A Q of zeros is none: its CRC would be wrong. */
function lacksQ(interleaved: Uint8Array): boolean {
  getChannel(interleaved, 0, CHANNEL_Q, q, 0);
  for (let i = 0; i < CHANNEL_BYTES; i += 1) if (q[i] !== 0) return false;
  return true;
}

/** Writes the 96 interleaved bytes of the sub-channels of sector `lba`; what the store keeps of them is in `stored` at `at`. */
export function readSubChannels(
  disc: Disc,
  run: SectorRun,
  lba: number,
  stored: Uint8Array,
  at: number,
  interleaved: Uint8Array,
): void {
  if (run.subChannel === 'none') interleaved.fill(0);
  else if (run.subChannel === 'separate') interleave(stored, at, interleaved, 0);
  else interleaved.set(stored.subarray(at, at + SUB_CHANNEL_BYTES));
  if (run.subChannel === 'none' || lacksQ(interleaved)) putPAndQ(disc, lba, interleaved, 0);
}
