/** The texts of CD-TEXT packs as CUE sheets and TOC files name them. */
import { type CdTextField, readCdText } from '../../scsi/mmc/sector/cd-text.ts';

/** What sheets call the fields that each track can have. */
const WORDS: readonly (readonly [CdTextField, string])[] = [
  ['title', 'TITLE'],
  ['performer', 'PERFORMER'],
  ['songwriter', 'SONGWRITER'],
  ['composer', 'COMPOSER'],
  ['arranger', 'ARRANGER'],
  ['message', 'MESSAGE'],
];

/** Sheets are in ISO 8859-1. */
const SHEET_TEXT = /^[\u0020-\u00ff]+$/;

/** By track (0: the disc), by name: the texts of the first language, but for those that a sheet cannot say. */
export function cdTextNames(packs: Uint8Array): ReadonlyMap<number, ReadonlyMap<string, string>> {
  const fields = readCdText(packs)?.[0]?.fields ?? {};
  const tracks = new Map<number, Map<string, string>>();
  for (const [field, word] of WORDS) {
    for (const [track, text] of (fields[field] ?? []).entries()) {
      if (!SHEET_TEXT.test(text)) continue;
      const names = tracks.get(track) ?? new Map<string, string>();
      tracks.set(track, names.set(word, text));
    }
  }
  return tracks;
}
