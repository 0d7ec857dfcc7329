/** Features of optical drives (MMC-6 5.3): which there are, when each is current, and what its descriptor says. */
import type { LogicalUnit } from '../../logical-unit.ts';
import { blockTypeBits, PACKET, TRACK_AT_ONCE } from '../burn/write-parameters.ts';
import type { Disc } from '../disc.ts';
import { BLOCK_BYTES, driveOf } from '../optical-drive.ts';
import {
  BD_R,
  BD_RE,
  BD_ROM,
  blockingOf,
  CD_R,
  CD_ROM,
  CD_RW,
  type DiscFamily,
  DVD_PLUS_R,
  DVD_PLUS_R_DUAL_LAYER,
  DVD_PLUS_RW,
  DVD_R,
  DVD_R_DUAL_LAYER,
  DVD_RAM,
  DVD_ROM,
  DVD_RW_RESTRICTED_OVERWRITE,
  DVD_RW_SEQUENTIAL,
  familyOf,
  type Profile,
} from '../profile.ts';

/** Profiles of a drive in the order of its preference (MMC-6 5.3.1). */
const READ_PROFILES: readonly Profile[] = [BD_ROM, DVD_ROM, CD_ROM];
const WRITE_PROFILES: readonly Profile[] = [
  BD_RE,
  BD_R,
  BD_ROM,
  DVD_PLUS_R_DUAL_LAYER,
  DVD_PLUS_R,
  DVD_PLUS_RW,
  DVD_R_DUAL_LAYER,
  DVD_RW_SEQUENTIAL,
  DVD_RW_RESTRICTED_OVERWRITE,
  DVD_RAM,
  DVD_R,
  DVD_ROM,
  CD_RW,
  CD_R,
  CD_ROM,
];

export interface Feature {
  readonly code: number;
  readonly name: string;
  readonly version: number;
  /** Whether drives that only read have it too. */
  readonly of: 'drives' | 'writers';
  /** Always current; else `current` says with which disc. */
  readonly persistent: boolean;
  readonly current: (disc: Disc) => boolean;
  /** Feature dependent data, without the four bytes in front of it. */
  readonly data: (unit: LogicalUnit, disc: Disc | null) => Uint8Array;
}

type Data = Feature['data'];
type Current = Feature['current'];

/** Data that nothing changes. */
function fixed(hex: string): Data {
  const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
  return () => bytes;
}
/** Data that writers have more of. */
function byKind(reader: string, writer: string): Data {
  const [less, more] = [fixed(reader), fixed(writer)];
  return (unit, disc) => (driveOf(unit).writes ? more : less)(unit, disc);
}
const NO_DATA = fixed('');

const withEvery: Current = () => true;
const withFamily =
  (family: DiscFamily): Current =>
  ({ profile }) =>
    familyOf(profile) === family;
const withProfile =
  (...profiles: readonly Profile[]): Current =>
  ({ profile }) =>
    profiles.includes(profile);
/** Something can still be written to it, as it is or when it is blank again. */
const whileWritable =
  (...profiles: readonly Profile[]): Current =>
  ({ profile, status, erasable }) =>
    profiles.includes(profile) && (status !== 'complete' || erasable);

function always(code: number, name: string, version: number, data: Data): Feature {
  return { code, name, version, of: 'drives', persistent: true, current: withEvery, data };
}
function reading(
  code: number,
  name: string,
  version: number,
  current: Current,
  data: Data,
): Feature {
  return { code, name, version, of: 'drives', persistent: false, current, data };
}
function writing(
  code: number,
  name: string,
  version: number,
  current: Current,
  data: Data,
): Feature {
  return { code, name, version, of: 'writers', persistent: false, current, data };
}

const PROFILE_BYTES = 4;
function profileList(unit: LogicalUnit, disc: Disc | null): Uint8Array {
  const profiles = driveOf(unit).writes ? WRITE_PROFILES : READ_PROFILES;
  const view = new DataView(new ArrayBuffer(profiles.length * PROFILE_BYTES));
  profiles.forEach((profile, i) => {
    view.setUint16(i * PROFILE_BYTES, profile);
    view.setUint8(i * PROFILE_BYTES + 2, disc?.profile === profile ? 1 : 0);
  });
  return new Uint8Array(view.buffer);
}

/** LOGICAL BLOCK SIZE, BLOCKING, and PP (page 01h is there). */
function readableBlocks(disc: Disc | null): number[] {
  const blocking = disc === null ? 1 : blockingOf(disc.profile);
  return [0, 0, BLOCK_BYTES >> 8, 0, 0, blocking, 1, 0];
}

/** The same behind the last logical block address; a disc that is not there is taken for a DVD. */
function writableBlocks(_: LogicalUnit, disc: Disc | null): Uint8Array {
  const there = disc !== null && isRandomWritable(disc) ? disc : null;
  const bytes = Uint8Array.from([0, 0, 0, 0, ...readableBlocks(there)]);
  const last = (there?.recordable?.capacity ?? 1) - 1;
  new DataView(bytes.buffer).setUint32(0, last);
  if (there === null) bytes[9] = blockingOf(DVD_RAM);
  return bytes;
}

const isRandomWritable = withProfile(DVD_RAM, DVD_PLUS_RW, BD_RE);

const CD_LINK = 7;
const DVD_LINK = 16;
const BUF_AND_ARSV = 0x01;
const bytes16 = (value: number): [number, number] => [value >> 8, value & 0xff];

/** Data block types that can be written in packets: those of a CD, else 2048 bytes; BUF; one link size. */
function incrementalStreaming(_: LogicalUnit, disc: Disc | null): Uint8Array {
  const isCd = disc !== null && familyOf(disc.profile) === 'cd';
  const types = disc === null || isCd ? bytes16(blockTypeBits(PACKET)) : [0x01, 0x00];
  return Uint8Array.from([...types, BUF_AND_ARSV, 1, isCd ? CD_LINK : DVD_LINK, 0, 0, 0]);
}

/** Padded with blanks to a multiple of four (MMC-6 5.3.40). */
function serialNumber({ identity: { serial } }: LogicalUnit): Uint8Array {
  return Uint8Array.from(Buffer.from(serial.padEnd(Math.ceil(serial.length / 4) * 4), 'latin1'));
}

/** Every feature, ascending by code. */
const FEATURES: readonly Feature[] = [
  always(0x0000, 'Profile list', 0, profileList),
  // SCSI family; INQ2. No device busy events.
  always(0x0001, 'Core', 2, fixed('0000000102000000')),
  // OCEvent; not ASYNC.
  always(0x0002, 'Morphing', 1, fixed('02000000')),
  // A tray; eject, lock.
  always(0x0003, 'Removable media', 0, fixed('29000000')),
  reading(0x0010, 'Random readable', 0, withEvery, (_, disc) =>
    Uint8Array.from(readableBlocks(disc)),
  ),
  reading(0x001d, 'Multi-read', 0, withFamily('cd'), NO_DATA),
  // C2 pointers, CD-TEXT.
  reading(0x001e, 'CD read', 2, withFamily('cd'), fixed('03000000')),
  // MULTI110; dual layer DVD-R.
  reading(0x001f, 'DVD read', 1, withFamily('dvd'), fixed('01000100')),
  writing(0x0020, 'Random writable', 1, isRandomWritable, writableBlocks),
  writing(
    0x0021,
    'Incremental streaming writable',
    3,
    whileWritable(CD_R, CD_RW, DVD_R, DVD_R_DUAL_LAYER, DVD_RW_SEQUENTIAL, BD_R),
    incrementalStreaming,
  ),
  // RENoSA, Expand, QCert, Cert.
  writing(
    0x0023,
    'Formattable',
    1,
    ({ recordable }) => (recordable?.formats.length ?? 0) > 0,
    fixed('0f00000000000000'),
  ),
  writing(0x0024, 'Hardware defect management', 1, withProfile(DVD_RAM, BD_RE), fixed('00000000')),
  // A CD-RW in fixed packets as well.
  writing(
    0x0026,
    'Restricted overwrite',
    0,
    ({ profile, recordable }) =>
      profile === DVD_RW_RESTRICTED_OVERWRITE ||
      (profile === CD_RW && recordable?.overwritable === true),
    NO_DATA,
  ),
  writing(0x002a, 'DVD+RW', 0, withProfile(DVD_PLUS_RW), fixed('01000000')),
  writing(0x002b, 'DVD+R', 0, withProfile(DVD_PLUS_R), fixed('01000000')),
  // DSDG, DSDR, intermediate, blank.
  writing(
    0x002c,
    'Rigid restricted overwrite',
    0,
    withProfile(DVD_RW_RESTRICTED_OVERWRITE),
    fixed('0f000000'),
  ),
  // BUF, test write, CD-RW; data block types.
  writing(0x002d, 'CD track-at-once', 2, whileWritable(CD_R, CD_RW), () =>
    Uint8Array.from([0x46, 0, ...bytes16(blockTypeBits(TRACK_AT_ONCE))]),
  ),
  // BUF, SAO, raw and raw multi-session, test write, CD-RW, R-W; 3072 bytes of cue sheet.
  writing(
    0x002e,
    'CD mastering (session at once)',
    0,
    whileWritable(CD_R, CD_RW),
    fixed('7f000c00'),
  ),
  // BUF, dual layer, test write, DVD-RW.
  writing(
    0x002f,
    'DVD-R/-RW write',
    2,
    whileWritable(DVD_R, DVD_RW_SEQUENTIAL, DVD_R_DUAL_LAYER),
    fixed('4e000000'),
  ),
  // Sub-types 0, 1 and 2.
  writing(0x0037, 'CD-RW media write support', 0, withProfile(CD_RW), fixed('00000700')),
  writing(
    0x0038,
    'BD-R POW',
    0,
    ({ recordable }) => (recordable?.pow ?? null) !== null,
    fixed('00000000'),
  ),
  writing(0x003b, 'DVD+R dual layer', 0, withProfile(DVD_PLUS_R_DUAL_LAYER), fixed('01000000')),
  // Versions 1 to 3 of class 1: BD-RE, BD-R, BD-ROM.
  reading(
    0x0040,
    'BD read',
    1,
    withFamily('bd'),
    fixed('000000000000000e000000000000000e000000000000000e00000000'),
  ),
  writing(
    0x0041,
    'BD write',
    1,
    withProfile(BD_R, BD_RE),
    fixed('000000000000000e000000000000000e0000000000000000'),
  ),
  always(0x0100, 'Power management', 0, NO_DATA),
  // Scan, separate channel mute, separate volume; 256 levels.
  reading(0x0103, 'CD audio external play', 0, withFamily('cd'), fixed('07000100')),
  always(0x0105, 'Timeout', 1, fixed('00000000')),
  // SCS and MP2A; of writers RBCB, WSPD and SW besides.
  reading(0x0107, 'Real time streaming', 5, withEvery, byKind('0c000000', '1f000000')),
  always(0x0108, 'Drive serial number', 0, serialNumber),
  // "FDC", "SDC" and "TOC".
  writing(
    0x010a,
    'Disc control blocks',
    0,
    withProfile(DVD_PLUS_R, DVD_PLUS_R_DUAL_LAYER, DVD_PLUS_RW),
    fixed('4644430053444300544f4300'),
  ),
];

/** The features of a drive, ascending. */
export function featuresOf(writes: boolean): readonly Feature[] {
  return FEATURES.filter((feature) => writes || feature.of === 'drives');
}

export function isCurrent(feature: Feature, disc: Disc | null): boolean {
  return feature.persistent || (disc !== null && feature.current(disc));
}
