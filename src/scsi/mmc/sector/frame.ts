/** Data sectors of a CD as 2352 bytes: making one from user data, and taking one apart (ECMA-130 14, CD-ROM XA). */
import type { SectorForm } from '../disc.ts';
import { edc, edcAt, hasParity, putEdc, putParity } from './error-correction.ts';
import { absoluteFrames, bcdLbaAt, putBcdMsf } from './msf.ts';

export const FRAME_BYTES = 2352;
export const SYNC_BYTES = 12;
export const HEADER_AT = 12;
const MODE_AT = 15;
/** User data of mode 1 and formless mode 2, and the subheader of mode 2 (XA). */
export const BODY_AT = 16;
export const SUBHEADER_BYTES = 8;
/** User data of forms 1 and 2. */
export const XA_DATA_AT = 24;
/** The subheader is there twice; SUBMODE is its byte 2, where bit 5 says form 2 and bit 3 data. */
const SUBMODE = 2;
const FORM_2 = 0x20;
const DATA = 0x08;

export const MODE_1_DATA_BYTES = 2048;
export const MODE_2_DATA_BYTES = 2336;
export const FORM_2_DATA_BYTES = 2324;
const EDC_BYTES = 4;
const MODE_1_EDC_AT = 2064;
/** Zeros of mode 1 between EDC and parity. */
const MODE_1_ZEROS = 8;
const FORM_1_EDC_AT = 2072;
const FORM_2_EDC_AT = 2348;

/** Forms of a single data sector. */
export type DataForm = Exclude<SectorForm, 'audio' | 'mixed'>;

/** Whether the 2352 bytes at `at` begin with the sync pattern, which audio does not. */
export function hasSync(bytes: Uint8Array, at = 0): boolean {
  if (bytes[at] !== 0 || bytes[at + SYNC_BYTES - 1] !== 0) return false;
  for (let i = 1; i < SYNC_BYTES - 1; i += 1) if (bytes[at + i] !== 0xff) return false;
  return true;
}

/** Writes sync pattern and header. */
export function putHeader(frame: Uint8Array, at: number, lba: number, mode: number): void {
  frame.fill(0xff, at, at + SYNC_BYTES);
  frame[at] = 0;
  frame[at + SYNC_BYTES - 1] = 0;
  putBcdMsf(frame, at + HEADER_AT, absoluteFrames(lba));
  frame[at + MODE_AT] = mode;
}

/** Writes the subheader twice. */
export function putSubheader(frame: Uint8Array, at: number, subheader: Uint8Array): void {
  frame.set(subheader.subarray(0, 4), at + BODY_AT);
  frame.set(subheader.subarray(0, 4), at + BODY_AT + 4);
}

/** The subheader of a sector that nothing is known about: file 0, channel 0, and what form it has. */
export function plainSubheader(form: 'form1' | 'form2'): Uint8Array {
  return Uint8Array.of(0, 0, form === 'form2' ? FORM_2 : DATA, 0);
}

export function putPlainSubheader(frame: Uint8Array, at: number, form: 'form1' | 'form2'): void {
  putSubheader(frame, at, plainSubheader(form));
}

/** A subheader (4 bytes) whose SUBMODE says this form. */
export function withForm(subheader: Uint8Array, form: 'form1' | 'form2'): Uint8Array {
  const said = subheader.slice(0, 4);
  const submode = said[SUBMODE] as number;
  said[SUBMODE] = form === 'form2' ? submode | FORM_2 : submode & ~FORM_2;
  return said;
}

/** Writes EDC and parity of a sector whose header, subheader and user data are there. */
export function sealFrame(frame: Uint8Array, at: number, form: DataForm): void {
  if (form === 'mode1') {
    putEdc(frame, at, at + MODE_1_EDC_AT);
    const zeros = at + MODE_1_EDC_AT + EDC_BYTES;
    frame.fill(0, zeros, zeros + MODE_1_ZEROS);
    putParity(frame, at, false);
  } else if (form === 'form1') {
    putEdc(frame, at + BODY_AT, at + FORM_1_EDC_AT);
    putParity(frame, at, true);
  } else if (form === 'form2') {
    putEdc(frame, at + BODY_AT, at + FORM_2_EDC_AT);
  }
}

const sealing = new Uint8Array(FRAME_BYTES);

/** Writes EDC and parity of an XA sector into the 2336 bytes at `at`, which are what is behind its header. */
export function sealBody(bytes: Uint8Array, at: number, form: 'form1' | 'form2'): void {
  sealing.set(bytes.subarray(at, at + MODE_2_DATA_BYTES), BODY_AT);
  sealFrame(sealing, 0, form);
  bytes.set(sealing.subarray(BODY_AT), at);
}

/** Where the user data of a sector begins, and how much there is. */
export function dataAt(form: DataForm): number {
  return form === 'mode1' || form === 'mode2' ? BODY_AT : XA_DATA_AT;
}
export function dataBytes(form: DataForm): number {
  if (form === 'mode2') return MODE_2_DATA_BYTES;
  return form === 'form2' ? FORM_2_DATA_BYTES : MODE_1_DATA_BYTES;
}

/** The 2352 bytes of a sector with this user data; `subheader` (4 bytes) is that of form 1 and 2. */
export function makeFrame(
  lba: number,
  form: DataForm,
  data: Uint8Array,
  subheader?: Uint8Array,
): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES);
  putHeader(frame, 0, lba, form === 'mode1' ? 1 : 2);
  if (form === 'form1' || form === 'form2') {
    if (subheader === undefined) putPlainSubheader(frame, 0, form);
    else putSubheader(frame, 0, subheader);
  }
  frame.set(data.subarray(0, dataBytes(form)), dataAt(form));
  sealFrame(frame, 0, form);
  return frame;
}

/** Form of the XA sector whose subheader is at `at`. */
export function xaFormAt(bytes: Uint8Array, at: number): 'form1' | 'form2' {
  return ((bytes[at + SUBMODE] as number) & FORM_2) === 0 ? 'form1' : 'form2';
}

/** Whether the 8 bytes at `at` are a subheader, which is there twice. */
export function isSubheader(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 4; i += 1) if (bytes[at + i] !== bytes[at + 4 + i]) return false;
  return true;
}

/** What 2352 bytes are, by what they say of themselves. */
export interface FrameContent {
  /** `empty`: mode 0. */
  readonly form: 'audio' | 'empty' | DataForm;
  /** Address in the header; null: it has none, or it is no time. */
  readonly lba: number | null;
  /** The EDC is right. A form 2 sector need not have one; audio, mode 0 and formless mode 2 have none. */
  readonly edc: 'good' | 'bad' | 'none';
  /** P and Q parity are right; null: the form has none. */
  readonly parity: boolean | null;
}

function formOf(frame: Uint8Array, at: number): FrameContent['form'] | null {
  const mode = frame[at + MODE_AT] as number;
  if (mode === 0) return 'empty';
  if (mode === 1) return 'mode1';
  if (mode !== 2) return null;
  return isSubheader(frame, at + BODY_AT) ? xaFormAt(frame, at + BODY_AT) : 'mode2';
}

function edcOf(frame: Uint8Array, at: number, form: FrameContent['form']): FrameContent['edc'] {
  const check = (from: number, end: number): FrameContent['edc'] =>
    edc(frame, at + from, at + end) === edcAt(frame, at + end) ? 'good' : 'bad';
  if (form === 'mode1') return check(0, MODE_1_EDC_AT);
  if (form === 'form1') return check(BODY_AT, FORM_1_EDC_AT);
  if (form !== 'form2' || edcAt(frame, at + FORM_2_EDC_AT) === 0) return 'none';
  return check(BODY_AT, FORM_2_EDC_AT);
}

/** Takes the 2352 (descrambled) bytes at `at` apart. Bytes with a sync pattern and an unknown mode are no sector: null. */
export function inspectFrame(frame: Uint8Array, at = 0): FrameContent | null {
  if (!hasSync(frame, at)) return { form: 'audio', lba: null, edc: 'none', parity: null };
  const form = formOf(frame, at);
  if (form === null) return null;
  const coded = form === 'mode1' || form === 'form1';
  return {
    form,
    lba: bcdLbaAt(frame, at + HEADER_AT),
    edc: edcOf(frame, at, form),
    parity: coded ? hasParity(frame, at, form === 'form1') : null,
  };
}
