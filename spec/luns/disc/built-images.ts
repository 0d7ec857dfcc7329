/** Nero and Alcohol images, built byte by byte from their layouts (little programs of Debian read them: see the specs). */

function bytes(...parts: readonly (string | number | Uint8Array)[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(
      parts.map((part) =>
        typeof part === 'number'
          ? Buffer.alloc(part)
          : typeof part === 'string'
            ? Buffer.from(part, 'latin1')
            : Buffer.from(part),
      ),
    ),
  );
}

function integer(value: number, size: 1 | 2 | 4 | 8, little = false): Uint8Array {
  const view = new DataView(new ArrayBuffer(size));
  if (size === 1) view.setUint8(0, value);
  else if (size === 2) view.setUint16(0, value, little);
  else if (size === 4) view.setInt32(0, value, little);
  else view.setBigInt64(0, BigInt(value), little);
  return new Uint8Array(view.buffer);
}

export function nrgChunk(
  id: string,
  ...data: readonly (string | number | Uint8Array)[]
): Uint8Array {
  const content = bytes(...data);
  return bytes(id, integer(content.length, 4), content);
}

export const END_CHUNK: Uint8Array = nrgChunk('END!');

/** Sectors, chunks and the footer that points to them. */
export function nrgFile(
  sectors: Uint8Array,
  chunks: readonly Uint8Array[],
  version: 1 | 2 = 2,
): Uint8Array {
  const footer =
    version === 2
      ? bytes('NER5', integer(sectors.length, 8))
      : bytes('NERO', integer(sectors.length, 4));
  return bytes(sectors, ...chunks, footer);
}

export interface NrgTrack {
  readonly mode: number;
  readonly sectorBytes: number;
  readonly offsets: readonly [pregap: number, start: number, end: number];
  readonly isrc?: string;
}

/** DAOX or DAOI: a session written at once. */
export function daoChunk(
  first: number,
  tracks: readonly NrgTrack[],
  version: 1 | 2 = 2,
  catalog = '',
): Uint8Array {
  const entries = tracks.map(({ mode, sectorBytes, offsets, isrc = '' }) =>
    bytes(
      isrc.padEnd(12, '\0'),
      integer(sectorBytes, 2),
      integer(mode, 1),
      integer(0, 1),
      integer(1, 2),
      ...offsets.map((offset) => integer(offset, version === 2 ? 8 : 4)),
    ),
  );
  const header = bytes(
    integer(
      entries.reduce((sum, { length }) => sum + length, 22),
      4,
      true,
    ),
    catalog.padEnd(13, '\0'),
    3,
    integer(first, 1),
    integer(first + tracks.length - 1, 1),
  );
  return nrgChunk(version === 2 ? 'DAOX' : 'DAOI', header, ...entries);
}

/** CUEX: points of a session, [control << 4 | ADR, track as BCD, index, address]. */
export function cueChunk(
  points: readonly (readonly [number, number, number, number])[],
): Uint8Array {
  return nrgChunk(
    'CUEX',
    ...points.map(([control, track, index, lba]) =>
      bytes(Uint8Array.of(control, track, index, 0), integer(lba, 4)),
    ),
  );
}

/** ETN2 or ETNF: tracks written one by one, [byte, bytes, mode, address]. */
export function etnChunk(
  tracks: readonly (readonly [number, number, number, number])[],
  version: 1 | 2 = 2,
): Uint8Array {
  const size = version === 2 ? 8 : 4;
  return nrgChunk(
    version === 2 ? 'ETN2' : 'ETNF',
    ...tracks.map(([at, length, mode, lba]) =>
      bytes(integer(at, size), integer(length, size), 3, integer(mode, 1), integer(lba, 4), size),
    ),
  );
}

export interface MdsTrack {
  readonly point: number;
  readonly mode: number;
  readonly control: number;
  readonly sub?: boolean;
  readonly sectorBytes: number;
  readonly start: number;
  readonly at: number;
  readonly pregap: number;
  readonly blocks: number;
}

export interface MdsSession {
  readonly tracks: readonly MdsTrack[];
  /** Minute, second and frame of the lead-out. */
  readonly leadOut: readonly [number, number, number];
}

const HEADER = 88;
const SESSION = 24;
const TRACK = 80;
const EXTRA = 8;

/** A description of version 1; the name of the sectors' file is "*.mdf" or `wideName` in UTF-16. */
export function mdsFile(
  sessions: readonly MdsSession[],
  medium = 0,
  wideName?: string,
): Uint8Array {
  const trackCount = sessions.reduce((sum, { tracks }) => sum + tracks.length + 1, 0);
  const tracksAt = HEADER + sessions.length * SESSION;
  const extrasAt = tracksAt + trackCount * TRACK;
  const footerAt = extrasAt + trackCount * EXTRA;
  const name = wideName === undefined ? bytes('*.mdf\0') : Buffer.from(`${wideName}\0`, 'utf16le');
  const blocks: Uint8Array[] = [];
  const extras: Uint8Array[] = [];
  const heads: Uint8Array[] = [];
  sessions.forEach(({ tracks, leadOut }, i) => {
    heads.push(
      bytes(
        8,
        integer(i + 1, 2, true),
        integer(tracks.length + 1, 1),
        integer(1, 1),
        8,
        integer(tracksAt + blocks.length * TRACK, 4, true),
      ),
    );
    blocks.push(bytes(2, Uint8Array.of(0x10, 0, 0xa2), 4, Uint8Array.of(...leadOut), TRACK - 12));
    extras.push(bytes(EXTRA));
    for (const track of tracks) {
      const extraAt = extrasAt + extras.length * EXTRA;
      blocks.push(
        bytes(
          Uint8Array.of(
            track.mode,
            track.sub === true ? 8 : 0,
            0x10 | track.control,
            0,
            track.point,
          ),
          7,
          integer(extraAt, 4, true),
          integer(track.sectorBytes, 2, true),
          18,
          integer(track.start, 4, true),
          integer(track.at, 8, true),
          integer(1, 4, true),
          integer(footerAt, 4, true),
          24,
        ),
      );
      extras.push(bytes(integer(track.pregap, 4, true), integer(track.blocks, 4, true)));
    }
  });
  return bytes(
    'MEDIA DESCRIPTOR',
    Uint8Array.of(1, 3),
    integer(medium, 2, true),
    integer(sessions.length, 2, true),
    58,
    integer(HEADER, 4, true),
    4,
    ...heads,
    ...blocks,
    ...extras,
    integer(footerAt + 16, 4, true),
    integer(wideName === undefined ? 0 : 1, 4, true),
    8,
    name,
  );
}
