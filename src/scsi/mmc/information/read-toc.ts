/** READ TOC/PMA/ATIP: table of contents, program memory area, pregroove and CD-TEXT of a disc (MMC-6). */
import { bits, field, u } from '../../cdb.ts';
import { command } from '../../command-table.ts';
import { answer, refuseField } from '../../parameter-data.ts';
import { cdbBytePointer, cdbPointer } from '../../sense.ts';
import type { Task } from '../../task.ts';
import type { Disc } from '../disc.ts';
import { discOf } from '../optical-drive.ts';
import { familyOf } from '../profile.ts';
import { TELLS_OF_DISC } from './policy.ts';
import {
  atipDescriptor,
  formattedToc,
  fullToc,
  programMemoryArea,
  sessionInformation,
} from './toc-entries.ts';

export const READ_TOC_PMA_ATIP = command(
  0x43,
  'READ TOC/PMA/ATIP',
  10,
  {
    msf: bits(1, 1, 1),
    format: bits(2, 3, 0),
    track: u(6, 1),
    allocationLength: u(7, 2),
    // Where SFF-8020 has the format; Linux asks so.
    oldFormat: bits(9, 7, 6),
  },
  TELLS_OF_DISC,
);

const FORMATTED_TOC = 0;
const SESSION_INFORMATION = 1;
const FULL_TOC = 2;
const PROGRAM_MEMORY_AREA = 3;
const ATIP = 4;
const CD_TEXT = 5;

const { fields } = READ_TOC_PMA_ATIP;

function formatOf(task: Task): number {
  return field(task.cdb, fields.format) || field(task.cdb, fields.oldFormat);
}

/** What follows TOC DATA LENGTH; null: the disc has no such thing, or not from the track that was named. */
function dataOf(task: Task, disc: Disc, format: number): readonly number[] | null {
  const track = field(task.cdb, fields.track);
  const asMsf = field(task.cdb, fields.msf) === 1;
  if (format === FORMATTED_TOC) return formattedToc(disc, track, asMsf);
  if (format === SESSION_INFORMATION) return sessionInformation(disc, asMsf);
  // The rest is read from sub-channels and the pregroove of a CD.
  if (familyOf(disc.profile) !== 'cd') return null;
  if (format === FULL_TOC) return fullToc(disc, track);
  if (format === PROGRAM_MEMORY_AREA) return programMemoryArea(disc);
  if (format === ATIP) return atipDescriptor(disc);
  return [0, 0, ...(disc.cdText ?? [])];
}

export function readToc(task: Task): void {
  const disc = discOf(task);
  const format = formatOf(task);
  if (format > CD_TEXT) {
    refuseField(task, cdbPointer(fields.format.byte, 3));
    return;
  }
  const data = dataOf(task, disc, format);
  if (data === null) {
    const isCd = familyOf(disc.profile) === 'cd';
    const named = format === FORMATTED_TOC || (format === FULL_TOC && isCd);
    refuseField(
      task,
      named ? cdbBytePointer(fields.track.byte) : cdbPointer(fields.format.byte, 3),
    );
    return;
  }
  const bytes = Uint8Array.from([data.length >> 8, data.length & 0xff, ...data]);
  answer(task, bytes, bytes.length, field(task.cdb, fields.allocationLength));
}
