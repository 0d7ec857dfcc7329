/** Finding out of sectors in a file what their description does not say. */
import { type SectorForm, SUB_CHANNEL_BYTES } from '../../scsi/mmc/disc.ts';
import { BODY_AT, FRAME_BYTES, hasSync, isSubheader } from '../../scsi/mmc/sector/frame.ts';
import type { ImageFile, ImageFiles } from './image-files.ts';

/** Bytes of a raw sector with its sub-channels behind it. */
export const RAW_AND_SUB_BYTES: number = FRAME_BYTES + SUB_CHANNEL_BYTES;

/** Whether mode 2 sectors are XA or formless: a subheader is there twice. `bodyAt` is where the first has it. */
export function mode2FormAt(files: ImageFiles, file: ImageFile, bodyAt: number): SectorForm {
  const subheader = files.read(file, bodyAt, 8);
  return subheader.length === 8 && isSubheader(subheader, 0) ? 'mixed' : 'mode2';
}

/** What the raw sector at `at` of a file is by its header. */
export function rawFormAt(files: ImageFiles, file: ImageFile, at: number): SectorForm {
  const head = files.read(file, at, BODY_AT);
  if (head.length < BODY_AT || !hasSync(head)) return 'audio';
  return head[BODY_AT - 1] === 2 ? mode2FormAt(files, file, at + BODY_AT) : 'mode1';
}
