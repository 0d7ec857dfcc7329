/** How long the data of READ CD and READ CD MSF is (MMC-6 6.16): computed from the CDB, for the largest kind of sector that it may meet. */
import { bits, field, u } from '../../scsi/cdb.ts';
import { framesOf } from '../../scsi/mmc/sector/msf.ts';
import { type DataLength, type Refusal, refusedField } from './filter.ts';

const EXPECTED_TYPE = bits(1, 4, 2);
const MAIN_CHANNEL = bits(9, 7, 3);
const C2 = bits(9, 2, 1);
const SUB_CHANNEL = bits(10, 2, 0);
const BLOCKS = u(6, 3);
const RESERVED_TYPE = 6;

const C2_BYTES = [0, 294, 296] as const;
/** None, raw P-W, Q, R-W. */
const SUB_BYTES: readonly (number | null)[] = [0, 96, 16, null, 96];

const SYNC = 0x10;
const SUB_HEADER = 0x08;
const HEADER = 0x04;
const USER = 0x02;
const EDC = 0x01;

const ANY = 0;
const CD_DA = 1;
const MODE_1 = 2;
const MODE_2 = 3;
const FORM_1 = 4;
const FORM_2 = 5;
const TYPES = [CD_DA, MODE_1, MODE_2, FORM_1, FORM_2] as const;
type SectorType = (typeof TYPES)[number];

const SYNC_BYTES = 12;
const HEADER_BYTES = 4;
const SUB_HEADER_BYTES = 8;
const AUDIO_BYTES = 2352;
const USER_BYTES = { [MODE_1]: 2048, [MODE_2]: 2336, [FORM_1]: 2048, [FORM_2]: 2328 } as const;
const EDC_BYTES = { [MODE_1]: 288, [MODE_2]: 0, [FORM_1]: 280, [FORM_2]: 0 } as const;

/** Main channel bytes of a sector; -1: this choice of parts is illegal for it. */
function mainBytes(type: SectorType, flags: number): number {
  if (flags === 0) return 0;
  if (type === CD_DA) return AUDIO_BYTES;
  const isXa = type === FORM_1 || type === FORM_2;
  const user = (flags & USER) !== 0;
  const header = (flags & HEADER) !== 0;
  const sub = (flags & SUB_HEADER) !== 0;
  // The parts follow each other without a gap: the header and the user data of an XA sector have the subheader between them.
  if (isXa && user && header && !sub) return -1;
  if (user && (flags & SYNC) !== 0 && !header) return -1;
  let bytes = 0;
  if ((flags & SYNC) !== 0) bytes += SYNC_BYTES;
  if (header) bytes += HEADER_BYTES;
  if (isXa && sub) bytes += SUB_HEADER_BYTES;
  if (user) bytes += USER_BYTES[type];
  if ((flags & EDC) !== 0) bytes += EDC_BYTES[type];
  return bytes;
}

/** Bytes of one block with C2 and sub-channel, or why the CDB is refused. */
export function readCdBlockBytes(cdb: Uint8Array): number | Refusal {
  const type = field(cdb, EXPECTED_TYPE);
  if (type >= RESERVED_TYPE) return refusedField(EXPECTED_TYPE);
  const c2 = C2_BYTES[field(cdb, C2)];
  if (c2 === undefined) return refusedField(C2);
  const sub = SUB_BYTES[field(cdb, SUB_CHANNEL)];
  if (sub === undefined || sub === null) return refusedField(SUB_CHANNEL);
  const flags = field(cdb, MAIN_CHANNEL);
  if ((flags & EDC) !== 0 && (flags & USER) === 0) return refusedField(MAIN_CHANNEL);
  const types = type === ANY ? TYPES : TYPES.filter((one) => one === type);
  const main = Math.max(...types.map((one) => mainBytes(one, flags)));
  return main < 0 ? refusedField(MAIN_CHANNEL) : main + c2 + sub;
}

export const readCdLength: DataLength = (cdb) => {
  const block = readCdBlockBytes(cdb);
  return typeof block === 'number' ? block * field(cdb, BLOCKS) : block;
};

const START = { minute: u(3, 1), second: u(4, 1), frame: u(5, 1) } as const;
const END = { minute: u(6, 1), second: u(7, 1), frame: u(8, 1) } as const;
/** Most sectors of one READ CD MSF, which is not sent in parts. */
const MSF_SECTORS = 32;

function frames(cdb: Uint8Array, at: typeof START | typeof END): number {
  return framesOf(field(cdb, at.minute), field(cdb, at.second), field(cdb, at.frame));
}

export const readCdMsfLength: DataLength = (cdb) => {
  const block = readCdBlockBytes(cdb);
  if (typeof block !== 'number') return block;
  const sectors = frames(cdb, END) - frames(cdb, START);
  return sectors < 0 || sectors > MSF_SECTORS ? refusedField(END.minute) : block * sectors;
};
