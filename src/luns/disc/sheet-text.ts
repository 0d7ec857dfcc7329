/** What sheets have in common: their text, times, codes and titles. */
import {
  type CdTextBlock,
  isCdText,
  makeCdText,
  PACK_BYTES,
  sealCdText,
} from '../../scsi/mmc/sector/cd-text.ts';
import { FRAMES_PER_SECOND, framesOf, SECONDS_PER_MINUTE } from '../../scsi/mmc/sector/msf.ts';
import type { ImageFiles } from './image-files.ts';

/** A sheet describes at most 99 tracks; what is longer is something else. */
export const MOST_SHEET_BYTES = 1024 * 1024;

/** Text of a sheet: UTF-16 and UTF-8 when it says so or is nothing else, otherwise ISO 8859-1. */
export function decodeSheet(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('latin1').decode(bytes);
  }
}

/** Frames of "mm:ss:ff", or null: it is no time. */
export function framesOfText(text: string): number | null {
  const match = /^(\d{1,3}):(\d{1,2}):(\d{1,2})$/.exec(text);
  if (match === null) return null;
  const [minute = 0, second = 0, frame = 0] = match.slice(1).map(Number);
  if (second >= SECONDS_PER_MINUTE || frame >= FRAMES_PER_SECOND) return null;
  return framesOf(minute, second, frame);
}

/** A media catalogue number; a UPC of 12 digits is one with a zero in front. */
export function catalogOf(text: string, files: ImageFiles, where: string): string {
  const digits = text.length === 12 ? `0${text}` : text;
  if (!/^\d{13}$/.test(digits)) {
    files.refuse(where, `the catalogue number "${text}" has to be 13 digits`);
  }
  return digits;
}

/** An ISRC, with or without hyphens. */
export function isrcOf(text: string, files: ImageFiles, where: string): string {
  const code = text.replaceAll('-', '').toUpperCase();
  if (!/^[0-9A-Z]{5}\d{7}$/.test(code)) {
    files.refuse(where, `the ISRC "${text}" has to be five letters or digits and seven digits`);
  }
  return code;
}

/** CD-TEXT of a disc, or null: nothing is said. */
export function cdTextOf(
  blocks: readonly CdTextBlock[],
  firstTrack: number,
  lastTrack: number,
  files: ImageFiles,
): Uint8Array | null {
  try {
    return makeCdText(blocks, firstTrack, lastTrack);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return files.refuse('', `${error.message}; make its titles shorter`);
  }
}

/** Bytes of a header that READ TOC puts in front of packs, and of a zero that some programs put behind them. */
const TOC_HEADER_BYTES = 4;

/** CD-TEXT packs as a file has them. */
export function cdTextPacks(bytes: Uint8Array, files: ImageFiles, where: string): Uint8Array {
  const rest = bytes.length % PACK_BYTES;
  const packs =
    rest === TOC_HEADER_BYTES
      ? bytes.slice(TOC_HEADER_BYTES)
      : bytes.slice(0, bytes.length - (rest === 1 ? 1 : 0));
  sealCdText(packs);
  if (!isCdText(packs)) {
    files.refuse(where, 'its CD-TEXT is no packs of 18 bytes with the right CRCs');
  }
  return packs;
}
