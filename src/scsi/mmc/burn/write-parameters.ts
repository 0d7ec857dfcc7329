/** Write parameters mode page (05h, MMC-6 7.5): how the next track is to be written. */
import { CURRENT_VALUES, type ModePage, type ModePages } from '../../mode-page.ts';
import {
  SESSION_CD_DA_OR_ROM,
  SESSION_CD_I,
  SESSION_XA,
  type SectorForm,
  type Session,
  type StoredForm,
} from '../disc.ts';

export const WRITE_PARAMETERS_PAGE = 0x05;
const PAGE_BYTES = 52;
/** With four vendor specific bytes, as some hosts send it. */
const LONG_PAGE_BYTES = 56;

/** WRITE TYPE. */
export const PACKET = 0x00;
export const TRACK_AT_ONCE = 0x01;
export const SESSION_AT_ONCE = 0x02;
export const RAW = 0x03;

const TYPE_BYTE = 2;
const WRITE_TYPE = 0x0f;
const TEST_WRITE = 0x10;
const TRACK_BYTE = 3;
const TRACK_MODE = 0x0f;
const COPY = 0x10;
const FIXED_PACKETS = 0x20;
const MULTI_SESSION_SHIFT = 6;
const BLOCK_TYPE_BYTE = 4;
const BLOCK_TYPE = 0x0f;
const SESSION_FORMAT_BYTE = 8;
const PACKET_SIZE = 10;
const CATALOG = 16;
const CATALOG_DIGITS = 13;
const ISRC = 32;
const ISRC_LETTERS = 12;
const SUBHEADER = 48;
const SUBHEADER_BYTES = 4;
const VALID = 0x80;

/** MULTI-SESSION: no session may follow, or one may. */
export const NO_NEXT_SESSION = 0;
export const NEXT_SESSION = 3;
const RESERVED_MULTI_SESSION = 2;

/** What the host sends of a block, by DATA BLOCK TYPE (MMC-6 table 668). */
export interface BlockType {
  readonly bytes: number;
  readonly stored: StoredForm;
  /** What the sectors are; null: the track mode says it (audio, or mode 1 as a whole). */
  readonly form: SectorForm | null;
  /** Bytes of sub-channel behind it: 16 of P and Q, or 96 of all. */
  readonly subBytes: 0 | 16 | 96;
  /** Subheader of XA sectors: the host sends one with each, the page has that of all; or there is none, or it is part of the user data. */
  readonly subheader: 'sent' | 'page' | 'none';
  /** WRITE TYPEs that take it. */
  readonly types: readonly number[];
}

const PLAIN_TYPES = [PACKET, TRACK_AT_ONCE, SESSION_AT_ONCE] as const;
const SUB_TYPES = [SESSION_AT_ONCE, RAW] as const;
const RAW_BYTES = 2352;

/** Sectors as a whole, with sub-channel behind them or without. */
function rawBlock(subBytes: BlockType['subBytes'], types: readonly number[]): BlockType {
  const bytes = RAW_BYTES + subBytes;
  return { bytes, stored: 'raw', form: null, subBytes, subheader: 'none', types };
}

function dataBlock(
  bytes: number,
  stored: StoredForm,
  form: SectorForm,
  subheader: BlockType['subheader'] = 'none',
): BlockType {
  return { bytes, stored, form, subBytes: 0, subheader, types: PLAIN_TYPES };
}

const BLOCK_TYPES: ReadonlyMap<number, BlockType> = new Map([
  [0, rawBlock(0, [TRACK_AT_ONCE, SESSION_AT_ONCE])],
  [1, rawBlock(16, SUB_TYPES)],
  [2, rawBlock(96, SUB_TYPES)],
  [3, rawBlock(96, SUB_TYPES)],
  [8, dataBlock(2048, 'user', 'mode1')],
  [9, dataBlock(2336, 'mode2', 'mode2')],
  [10, dataBlock(2048, 'user', 'form1', 'page')],
  [11, dataBlock(2056, 'mode2', 'form1', 'sent')],
  [12, dataBlock(2324, 'form2', 'form2', 'page')],
  [13, dataBlock(2332, 'mode2', 'mixed', 'sent')],
]);

/** DATA BLOCK TYPEs that a CD is written with by this WRITE TYPE, as features 0021h and 002Dh say it: bit n is type n. */
export function blockTypeBits(writeType: number): number {
  return [...BLOCK_TYPES].reduce(
    (sum, [type, { types }]) => (types.includes(writeType) ? sum | (1 << type) : sum),
    0,
  );
}

export interface WriteParameters {
  readonly type: number;
  /** TEST WRITE: nothing reaches the disc. */
  readonly test: boolean;
  /** A session may follow this one. */
  readonly nextSession: boolean;
  readonly fixedPackets: boolean;
  readonly copy: boolean;
  /** CONTROL nibble of the track. */
  readonly control: number;
  readonly block: BlockType;
  /** SUB-HEADER: four bytes for sectors of block types 10 and 12; zeros: the host has named none. */
  readonly subheader: Uint8Array;
  readonly sessionType: Session['type'];
  readonly packetBlocks: number;
  readonly catalog: string | null;
  readonly isrc: string | null;
}

function text(page: Uint8Array, at: number, length: number): string | null {
  if (((page[at] as number) & VALID) === 0) return null;
  return String.fromCharCode(...page.subarray(at + 1, at + 1 + length));
}

function sessionTypeOf(format: number): Session['type'] {
  if (format === SESSION_XA || format === SESSION_CD_I) return format;
  return SESSION_CD_DA_OR_ROM;
}

function blockTypeOf(page: Uint8Array): BlockType | undefined {
  return BLOCK_TYPES.get((page[BLOCK_TYPE_BYTE] as number) & BLOCK_TYPE);
}

/** Reads a page that `refusedByte` found nothing wrong with. */
export function writeParametersOf(page: Uint8Array): WriteParameters {
  const type = page[TYPE_BYTE] as number;
  const track = page[TRACK_BYTE] as number;
  const catalog = text(page, CATALOG, CATALOG_DIGITS);
  const isrc = text(page, ISRC, ISRC_LETTERS);
  const block = blockTypeOf(page);
  if (block === undefined) throw new RangeError('Cannot read write parameters: no such block type');
  return {
    type: type & WRITE_TYPE,
    test: (type & TEST_WRITE) !== 0,
    nextSession: track >> MULTI_SESSION_SHIFT === NEXT_SESSION,
    fixedPackets: (track & FIXED_PACKETS) !== 0,
    copy: (track & COPY) !== 0,
    control: track & TRACK_MODE,
    block,
    subheader: page.slice(SUBHEADER, SUBHEADER + SUBHEADER_BYTES),
    sessionType: sessionTypeOf(page[SESSION_FORMAT_BYTE] as number),
    packetBlocks: new DataView(page.buffer, page.byteOffset).getUint32(PACKET_SIZE),
    catalog: catalog !== null && /^\d{13}$/.test(catalog) ? catalog : null,
    isrc: isrc !== null && /^[0-9A-Z]{12}$/.test(isrc) ? isrc : null,
  };
}

/** The values that rule now. */
export function currentWriteParameters(pages: ModePages): WriteParameters {
  return writeParametersOf(pages.sense(WRITE_PARAMETERS_PAGE, CURRENT_VALUES));
}

/**
 * Offset of the first byte that asks for what the drive does not do, or -1: hosts find out what it does by trying. Write types
 * that a medium has no use for (SESSION AT ONCE on DVD+R) are accepted, as drives do.
 */
function refusedByte(page: Uint8Array): number {
  const type = (page[TYPE_BYTE] as number) & WRITE_TYPE;
  if (type > RAW) return TYPE_BYTE;
  if ((page[TRACK_BYTE] as number) >> MULTI_SESSION_SHIFT === RESERVED_MULTI_SESSION) {
    return TRACK_BYTE;
  }
  return blockTypeOf(page)?.types.includes(type) === true ? -1 : BLOCK_TYPE_BYTE;
}

function defaults(): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  page.set([WRITE_PARAMETERS_PAGE, PAGE_BYTES - 2, 0x41, 0x05, 0x08, 0x10]);
  page[13] = 16;
  // AUDIO PAUSE LENGTH: 150.
  page[15] = 0x96;
  return page;
}

function changeable(): Uint8Array {
  const mask = new Uint8Array(PAGE_BYTES).fill(0xff);
  mask.fill(0, 0, 2);
  mask[TYPE_BYTE] = 0x7f;
  mask[BLOCK_TYPE_BYTE] = BLOCK_TYPE;
  mask[6] = 0;
  mask[9] = 0;
  return mask;
}

export const WRITE_PARAMETERS: ModePage = {
  name: 'Write parameters',
  defaults: defaults(),
  changeable: changeable(),
  reserved: refusedByte,
  longBytes: LONG_PAGE_BYTES,
};
