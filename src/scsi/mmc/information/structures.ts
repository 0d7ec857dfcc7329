/** Structures of DVDs and BDs that READ DISC STRUCTURE returns: what a disc that is kept in a file truly has (MMC-6). */
import type { Disc, Recordable } from '../disc.ts';
import {
  BD_R,
  BD_RE,
  BD_ROM,
  DVD_PLUS_R,
  DVD_PLUS_R_DUAL_LAYER,
  DVD_PLUS_RW,
  DVD_R,
  DVD_R_DUAL_LAYER,
  DVD_RAM,
  DVD_ROM,
  DVD_RW_RESTRICTED_OVERWRITE,
  DVD_RW_SEQUENTIAL,
  type Profile,
} from '../profile.ts';

/** One structure: FORMAT CODE, bytes without the header, and which discs have it. */
export interface Structure {
  readonly code: number;
  readonly bytes: number;
  readonly has: (disc: Disc) => boolean;
  readonly write: (bytes: Uint8Array, disc: Disc) => void;
}

type Has = Structure['has'];
const on =
  (...profiles: readonly Profile[]): Has =>
  ({ profile }) =>
    profiles.includes(profile);
const withEvery: Has = () => true;
const asItIs = (): void => undefined;

const SECTOR_BYTES = 2048;

/** DISK CATEGORY and PART VERSION (MMC-6, READ DISC STRUCTURE format 00h). */
const BOOKS: Readonly<Partial<Record<Profile, number>>> = {
  [DVD_ROM]: 0x01,
  [DVD_RAM]: 0x16,
  [DVD_R]: 0x25,
  [DVD_R_DUAL_LAYER]: 0x26,
  [DVD_RW_SEQUENTIAL]: 0x32,
  [DVD_RW_RESTRICTED_OVERWRITE]: 0x32,
  [DVD_PLUS_RW]: 0x92,
  [DVD_PLUS_R]: 0xa1,
  [DVD_PLUS_R_DUAL_LAYER]: 0xe1,
};
/** 120 mm; MAXIMUM RATE: not specified. */
const SIZE_AND_RATE = 0x0f;
const OPPOSITE_TRACK_PATH = 0x10;
/** LAYER TYPE. */
const EMBOSSED = 0x01;
const RECORDABLE_AREA = 0x02;
const REWRITABLE_AREA = 0x04;
/** Physical sector numbers of block 0. */
const FIRST_SECTOR = 0x03_0000;
const FIRST_SECTOR_RAM = 0x03_1000;
/** Blocks of a pressed DVD, and of a BD, of one layer. */
const MOST_ONE_LAYER = 2_298_496;
const MOST_ONE_LAYER_BD = 12_219_392;
const ECC_BLOCKS = 16;
/** Where DVD+R and DVD+RW say who made them: 8 characters, and 3 of the media type. */
const MANUFACTURER_PLUS = 19;
const MEDIA_TYPE_PLUS = 27;

/** Layers of the disc: a pressed one has as many as its blocks need. */
export function layersOf({ profile, recordable, blocks }: Disc): number {
  if (recordable !== undefined) return recordable.layers;
  return blocks > (profile === BD_ROM ? MOST_ONE_LAYER_BD : MOST_ONE_LAYER) ? 2 : 1;
}

/** Blocks of the first of two layers: of a pressed disc half of them. */
function layerBreakOf({ recordable, blocks }: Disc): number | null {
  if (recordable !== undefined) return recordable.layerBreak;
  return Math.ceil(blocks / 2 / ECC_BLOCKS) * ECC_BLOCKS;
}

function layerType(disc: Disc): number {
  if (disc.recordable === undefined) return EMBOSSED;
  return disc.erasable ? REWRITABLE_AREA : RECORDABLE_AREA;
}

function text(bytes: Uint8Array, at: number, value: string, length: number): void {
  bytes.set(Buffer.from(value.padEnd(length).slice(0, length), 'latin1'), at);
}

/** Physical format information with a data area of `blocks`. */
function physical(bytes: Uint8Array, disc: Disc, blocks: number): void {
  const first = disc.profile === DVD_RAM ? FIRST_SECTOR_RAM : FIRST_SECTOR;
  const two = layersOf(disc) === 2;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  bytes[0] = BOOKS[disc.profile] ?? 0;
  bytes[1] = SIZE_AND_RATE;
  bytes[2] = (two ? (1 << 5) | OPPOSITE_TRACK_PATH : 0) | layerType(disc);
  view.setUint32(4, first);
  view.setUint32(8, first + Math.max(1, blocks) - 1);
  const layerBreak = two ? layerBreakOf(disc) : null;
  view.setUint32(12, layerBreak === null ? 0 : first + layerBreak - 1);
  if (isPlus(disc)) {
    text(bytes, MANUFACTURER_PLUS, disc.recordable?.manufacturer ?? '', 8);
    text(bytes, MEDIA_TYPE_PLUS, disc.recordable?.mediaType ?? '', 3);
  }
}

const isPlus = on(DVD_PLUS_R, DVD_PLUS_RW, DVD_PLUS_R_DUAL_LAYER);
const isDash = on(DVD_R, DVD_R_DUAL_LAYER, DVD_RW_SEQUENTIAL, DVD_RW_RESTRICTED_OVERWRITE);

/** As the disc was made. */
function made(bytes: Uint8Array, disc: Disc): void {
  physical(bytes, disc, disc.recordable?.capacity ?? disc.blocks);
}
/** As it is recorded. */
function recorded(bytes: Uint8Array, disc: Disc): void {
  physical(bytes, disc, disc.blocks);
}

/** Manufacturer identification in fields 3 and 4 of the pre-recorded lead-in. */
const FIELD_3 = 16;
const FIELD_4 = 24;
function preRecorded(bytes: Uint8Array, { recordable }: Disc): void {
  bytes[FIELD_3] = 3;
  text(bytes, FIELD_3 + 1, recordable?.manufacturer ?? '', 6);
  bytes[FIELD_4] = 4;
  text(bytes, FIELD_4 + 1, recordable?.mediaType ?? '', 6);
}

const hasSpares: Has = ({ recordable }) => (recordable?.spares ?? null) !== null;

/** DVD-RAM spare area information: unused primary, unused supplementary, allocated supplementary blocks. */
function ramSpares(bytes: Uint8Array, { recordable }: Disc): void {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, recordable?.spares?.free ?? 0);
}
/** BD spare area information: four reserved bytes, free and allocated blocks. */
function bdSpares(bytes: Uint8Array, { recordable }: Disc): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint32(4, recordable?.spares?.free ?? 0);
  view.setUint32(8, recordable?.spares?.allocated ?? 0);
}

const LAYER_BREAK_SET = 0x80;
function layerBoundary(bytes: Uint8Array, { recordable }: Disc): void {
  const { layerBreak = null, capacity = 0 } = recordable ?? {};
  bytes[0] = layerBreak === null ? 0 : LAYER_BREAK_SET;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(4, layerBreak ?? capacity / 2);
}

const isWritable: Has = ({ recordable }) => recordable !== undefined;

export const DVD_STRUCTURES: readonly Structure[] = [
  { code: 0x00, bytes: SECTOR_BYTES, has: withEvery, write: made },
  // Not protected, and for every region.
  { code: 0x01, bytes: 4, has: withEvery, write: asItIs },
  { code: 0x04, bytes: SECTOR_BYTES, has: withEvery, write: asItIs },
  // No cartridge, which is nowhere protected.
  { code: 0x09, bytes: 4, has: on(DVD_RAM), write: asItIs },
  {
    code: 0x0a,
    bytes: 12,
    has: (disc) => disc.profile === DVD_RAM && hasSpares(disc),
    write: ramSpares,
  },
  { code: 0x0e, bytes: 40, has: isDash, write: preRecorded },
  { code: 0x10, bytes: SECTOR_BYTES, has: isDash, write: recorded },
  { code: 0x11, bytes: SECTOR_BYTES, has: isPlus, write: made },
  {
    code: 0x20,
    bytes: 8,
    has: on(DVD_PLUS_R_DUAL_LAYER, DVD_R_DUAL_LAYER),
    write: layerBoundary,
  },
  { code: 0xc0, bytes: 4, has: isWritable, write: asItIs },
];

const DISC_TYPES: Readonly<Partial<Record<Profile, string>>> = { [BD_R]: 'BDR', [BD_RE]: 'BDW' };
const MANUFACTURER_BD = 100;
const MEDIA_TYPE_BD = 106;

/** One unit of disc information. */
function discInformation(bytes: Uint8Array, { profile, recordable }: Disc): void {
  text(bytes, 0, 'DI', 2);
  bytes[2] = 1;
  text(bytes, 8, DISC_TYPES[profile] ?? 'BDO', 3);
  if (recordable === undefined) return;
  writeMaker(bytes, recordable);
}

function writeMaker(bytes: Uint8Array, { manufacturer, mediaType }: Recordable): void {
  text(bytes, MANUFACTURER_BD, manufacturer, 6);
  text(bytes, MEDIA_TYPE_BD, mediaType, 3);
}

export const BD_STRUCTURES: readonly Structure[] = [
  { code: 0x00, bytes: 4096, has: withEvery, write: discInformation },
  { code: 0x09, bytes: 4, has: isWritable, write: asItIs },
  { code: 0x0a, bytes: 12, has: hasSpares, write: bdSpares },
  { code: 0xc0, bytes: 4, has: isWritable, write: asItIs },
];
