/** ISO images: the user data of a disc of one track, 2048 bytes a sector, and nothing else. */
import type { DiscLayout } from '../../scsi/mmc/disc.ts';
import { BD_ROM, CD_ROM, DVD_ROM, type Profile } from '../../scsi/mmc/profile.ts';
import { type DiscImage, DiscImageError } from './disc-image.ts';

const SECTOR_BYTES = 2048;
/** What a CD (79:59:74 behind a pregap of two seconds) and a DVD of two layers hold, in sectors. */
const MOST_CD_SECTORS = 359_849;
const MOST_DVD_SECTORS = 4_173_824;

/** The disc that a number of sectors would be sold on. */
function profileFor(sectors: number): Profile {
  if (sectors <= MOST_CD_SECTORS) return CD_ROM;
  return sectors <= MOST_DVD_SECTORS ? DVD_ROM : BD_ROM;
}

/** A disc of one session with one track of `sectors` sectors of user data. */
export function dataDiscLayout(sectors: number): DiscLayout {
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
        position: 0,
        strideBytes: SECTOR_BYTES,
        subChannel: 'none',
        subPosition: 0,
        subStrideBytes: 0,
      },
    ],
    catalog: null,
    cdText: null,
    unreadable: [],
  };
}

/** The disc of an ISO image. Throws DiscImageError when its size is none. */
export function isoImage(path: string, bytes: number): DiscImage {
  if (bytes === 0 || bytes % SECTOR_BYTES !== 0) {
    throw new DiscImageError(
      `Cannot use the disc image "${path}": its size ${bytes} is no multiple of ${SECTOR_BYTES} bytes`,
    );
  }
  return { layout: dataDiscLayout(bytes / SECTOR_BYTES), files: [{ path, bytes }] };
}
