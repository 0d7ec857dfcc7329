/** Which bytes of a sector the field selection of READ CD asks for (MMC-6 table "data selection"). */
import { FRAME_BYTES, SYNC_BYTES } from '../sector/frame.ts';
import type { FrameForm } from './sector-reader.ts';

/** Bits of the selection, bits 7 to 3 of CDB byte 9. */
export const SYNC = 0x10;
export const SUBHEADER = 0x08;
export const HEADER = 0x04;
export const USER_DATA = 0x02;
export const EDC_ECC = 0x01;
const SELECTIONS = 0x20;

/** A part of a sector, [from, end). */
export interface Part {
  readonly from: number;
  readonly end: number;
}

type Field = readonly [selected: number, end: number];

/** The fields that a sector has, in order, by where they end; the first begins at 0. */
const FIELDS: Readonly<Record<Exclude<FrameForm, 'audio'>, readonly Field[]>> = {
  mode1: [
    [SYNC, SYNC_BYTES],
    [HEADER, 16],
    [USER_DATA, 2064],
    [EDC_ECC, FRAME_BYTES],
  ],
  mode2: [
    [SYNC, SYNC_BYTES],
    [HEADER, 16],
    [USER_DATA, FRAME_BYTES],
  ],
  form1: [
    [SYNC, SYNC_BYTES],
    [HEADER, 16],
    [SUBHEADER, 24],
    [USER_DATA, 2072],
    [EDC_ECC, FRAME_BYTES],
  ],
  // The EDC, which form 2 need not have, counts as user data.
  form2: [
    [SYNC, SYNC_BYTES],
    [HEADER, 16],
    [SUBHEADER, 24],
    [USER_DATA, FRAME_BYTES],
  ],
};

/** Whether no kind of sector can be read so: EDC without what it is of, or the sync pattern apart from what follows it. */
export function isNoSelection(selection: number): boolean {
  if ((selection & EDC_ECC) !== 0 && (selection & USER_DATA) === 0) return true;
  const behind = selection & (SUBHEADER | USER_DATA);
  return (selection & SYNC) !== 0 && (selection & HEADER) === 0 && behind !== 0;
}

/** Fields that follow each other on the disc are one part; others cannot be read together: null. */
function partOf(selection: number, form: FrameForm): Part | null {
  if (isNoSelection(selection)) return null;
  if (form === 'audio') return { from: 0, end: selection === 0 ? 0 : FRAME_BYTES };
  let from = -1;
  let end = 0;
  let begin = 0;
  for (const [field, fieldEnd] of FIELDS[form]) {
    if ((selection & field) !== 0) {
      if (from >= 0 && begin !== end) return null;
      if (from < 0) from = begin;
      end = fieldEnd;
    }
    begin = fieldEnd;
  }
  return from < 0 ? { from: 0, end: 0 } : { from, end };
}

const FORMS: readonly FrameForm[] = ['audio', 'mode1', 'mode2', 'form1', 'form2'];
const PARTS = new Map<FrameForm, readonly (Part | null)[]>(
  FORMS.map((form) => [
    form,
    Array.from({ length: SELECTIONS }, (_, selection) => partOf(selection, form)),
  ]),
);

/** The bytes that `selection` asks for of a sector, or null: such sectors cannot be read so. */
export function selectedPart(selection: number, form: FrameForm): Part | null {
  return PARTS.get(form)?.[selection] ?? null;
}
