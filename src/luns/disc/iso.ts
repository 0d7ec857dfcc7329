/** Images of a single data track: ISO images (user data and nothing else), and sectors that are kept with more than that. */
import type { DiscLayout } from '../../scsi/mmc/disc.ts';
import { BD_ROM, CD_ROM, DVD_ROM, type Profile } from '../../scsi/mmc/profile.ts';
import { FRAME_BYTES } from '../../scsi/mmc/sector/frame.ts';
import type { DiscImage } from './disc-image.ts';
import type { ImageFile, ImageFiles } from './image-files.ts';
import { type Keeping, LayoutBuilder } from './layout-builder.ts';
import { mode2FormAt, RAW_AND_SUB_BYTES, rawFormAt } from './stored-sectors.ts';

const SECTOR_BYTES = 2048;
const MODE_2_BYTES = 2336;
/** What a CD (79:59:74 behind a pregap of two seconds) and a DVD of two layers hold, in sectors. */
const MOST_CD_SECTORS = 359_849;
const MOST_DVD_SECTORS = 4_173_824;

/** The disc that a number of sectors would be sold on. */
function profileFor(sectors: number): Profile {
  if (sectors <= MOST_CD_SECTORS) return CD_ROM;
  return sectors <= MOST_DVD_SECTORS ? DVD_ROM : BD_ROM;
}

/** A disc of one session with one track of `sectors` sectors of user data, from byte `position` of the store. */
export function dataDiscLayout(sectors: number, position = 0): DiscLayout {
  return {
    profile: profileFor(sectors),
    sessions: [{ number: 1, type: 0x00, firstTrack: 1, lastTrack: 1, leadOut: sectors }],
    tracks: [
      {
        number: 1,
        session: 1,
        control: 0x4,
        form: 'mode1',
        pregap: 0,
        start: 0,
        end: sectors,
        indexes: [],
        isrc: null,
        state: 'complete',
        nextWritable: null,
        lastRecorded: sectors - 1,
        packetBlocks: 0,
        packet: false,
        damaged: false,
        copy: false,
      },
    ],
    runs: [
      {
        first: 0,
        blocks: sectors,
        form: 'mode1',
        stored: 'user',
        position,
        strideBytes: SECTOR_BYTES,
        subChannel: 'none',
        subPosition: 0,
        subStrideBytes: 0,
      },
    ],
    catalog: null,
    cdText: null,
  };
}

/** The same as an image. */
export function dataDiscImage(files: ImageFiles, sectors: number, position: number): DiscImage {
  return { layout: dataDiscLayout(sectors, position), files: files.list };
}

/** Block 16 of a volume has its first descriptor, which says CD001 behind its type (ECMA-119 8.1). */
const DESCRIPTOR_BLOCK = 16;
const IDENTIFIER = 'CD001';

/** Whether a file has a volume when its sectors take `stride` bytes and user data begins at byte `from` of them. */
function hasVolume(files: ImageFiles, file: ImageFile, stride: number, from: number): boolean {
  const at = DESCRIPTOR_BLOCK * stride + from + 1;
  const bytes = files.read(file, at, IDENTIFIER.length);
  return String.fromCharCode(...bytes) === IDENTIFIER;
}

/** How the sectors of a file are kept that is none of user data alone, or null. */
function rawKeeping(files: ImageFiles, file: ImageFile): Keeping | null {
  const form = rawFormAt(files, file, 0);
  if (form !== 'audio') {
    const hasSub =
      rawFormAt(files, file, FRAME_BYTES) === 'audio' &&
      rawFormAt(files, file, RAW_AND_SUB_BYTES) !== 'audio';
    if (!hasSub) return { form, stored: 'raw', strideBytes: FRAME_BYTES };
    return { form, stored: 'raw', strideBytes: RAW_AND_SUB_BYTES, subAt: FRAME_BYTES };
  }
  if (hasVolume(files, file, SECTOR_BYTES, 0) || !hasVolume(files, file, MODE_2_BYTES, 8))
    return null;
  return { form: mode2FormAt(files, file, 0), stored: 'mode2', strideBytes: MODE_2_BYTES };
}

/** The disc of a file that is nothing but sectors. Throws DiscImageError when it is none. */
export function sectorsImage(files: ImageFiles, file: ImageFile): DiscImage {
  const { bytes } = file;
  const keeping = bytes < SECTOR_BYTES ? null : rawKeeping(files, file);
  if (keeping !== null) {
    const builder = new LayoutBuilder(files);
    builder.track(1, 0, keeping.form, '');
    builder.sectors(Math.floor(bytes / keeping.strideBytes), keeping, file, 0);
    return { layout: builder.finish(), files: files.list };
  }
  if (bytes === 0 || bytes % SECTOR_BYTES !== 0) {
    const isRaw = bytes > 0 && (bytes % FRAME_BYTES === 0 || bytes % RAW_AND_SUB_BYTES === 0);
    const advice = isRaw
      ? '; if it is the audio of a CD, name its .cue, .toc or .ccd file'
      : '; an ISO image is whole sectors';
    files.refuse('', `its size ${bytes} is no multiple of ${SECTOR_BYTES} bytes${advice}`);
  }
  return dataDiscImage(files, bytes / SECTOR_BYTES, file.base);
}
