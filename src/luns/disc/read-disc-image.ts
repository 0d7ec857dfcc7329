/** Finding out what a disc image is. Runs in the main thread. */
import { statSync } from 'node:fs';
import { dirname, extname } from 'node:path';
import { ccdImage } from './ccd.ts';
import { cueImage } from './cue.ts';
import type { DiscImage } from './disc-image.ts';
import { FolderSource, type ImageFile, ImageFiles, refuseImage } from './image-files.ts';
import { sectorsImage } from './iso.ts';
import { MDS_SIGNATURE, mdsImage } from './mds.ts';
import { isNrg, nrgImage } from './nrg.ts';
import { decodeSheet, MOST_SHEET_BYTES } from './sheet-text.ts';
import { tocImage } from './toc.ts';

/** Sheets, by the ending of their names. */
const SHEETS = new Map<string, (text: string, files: ImageFiles) => DiscImage>([
  ['.cue', cueImage],
  ['.toc', tocImage],
  ['.ccd', ccdImage],
]);

/** The whole of a description, which is in a file of its own that is no part of the disc. */
function wholeOf(files: ImageFiles, file: ImageFile): Uint8Array {
  if (file.bytes > MOST_SHEET_BYTES) {
    files.refuse('', `it has ${file.bytes} bytes, a description at most ${MOST_SHEET_BYTES}`);
  }
  return files.read(file, 0, file.bytes);
}

function describedImage(path: string, source: FolderSource): DiscImage | null {
  const sheet = new ImageFiles(path, source);
  const file = sheet.addItself();
  const parse = SHEETS.get(extname(path).toLowerCase());
  if (parse !== undefined)
    return parse(decodeSheet(wholeOf(sheet, file)), new ImageFiles(path, source));
  const head = sheet.read(file, 0, MDS_SIGNATURE.length);
  if (String.fromCharCode(...head) !== MDS_SIGNATURE) return null;
  return mdsImage(wholeOf(sheet, file), new ImageFiles(path, source));
}

export type DiscFormat = 'cue' | 'toc' | 'ccd' | 'mds' | 'nrg' | 'sectors';

/** What a regular file is, by its name or what is in it; `sectors`: nothing but those, if it is a disc image. Throws DiscImageError. */
export function discFormatOf(path: string): DiscFormat {
  switch (extname(path).toLowerCase()) {
    case '.cue':
      return 'cue';
    case '.toc':
      return 'toc';
    case '.ccd':
      return 'ccd';
  }
  const files = new ImageFiles(path, new FolderSource(dirname(path)));
  const file = files.addItself();
  const head = files.read(file, 0, MDS_SIGNATURE.length);
  if (String.fromCharCode(...head) === MDS_SIGNATURE) return 'mds';
  return isNrg(files, file) ? 'nrg' : 'sectors';
}

/** Finds out what a disc image is and reads its description. Throws DiscImageError. */
export function readDiscImage(path: string): DiscImage {
  try {
    if (!statSync(path).isFile()) refuseImage(path, 'it is no regular file; name an image file');
  } catch (error) {
    if (error instanceof Error && 'code' in error) refuseImage(path, error.message);
    throw error;
  }
  const source = new FolderSource(dirname(path));
  const described = describedImage(path, source);
  if (described !== null) return described;
  const files = new ImageFiles(path, source);
  const file = files.addItself();
  return isNrg(files, file) ? nrgImage(files) : sectorsImage(files, file);
}
