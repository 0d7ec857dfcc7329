/** How long the data of READ CD and READ CD MSF is (MMC-6 6.16): computed from the CDB, for the largest kind of sector that it may meet. */
import { bits, field, u } from '../../scsi/cdb.ts';
import { EDC_ECC, selectedPart, USER_DATA } from '../../scsi/mmc/cd/main-channel.ts';
import type { FrameForm } from '../../scsi/mmc/cd/sector-reader.ts';
import { FRAME_BYTES } from '../../scsi/mmc/sector/frame.ts';
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

/** EXPECTED SECTOR TYPE from 1 on; 0 takes all. */
const FORMS: readonly FrameForm[] = ['audio', 'mode1', 'mode2', 'form1', 'form2'];

/** Main channel bytes of a sector; -1: this choice of parts is illegal for it. */
function mainBytes(form: FrameForm, selection: number): number {
  // An audio sector has no parts: whatever is chosen, drives send all of it.
  if (form === 'audio') return selection === 0 ? 0 : FRAME_BYTES;
  const part = selectedPart(selection, form);
  return part === null ? -1 : part.end - part.from;
}

/** Bytes of one block with C2 and sub-channel, or why the CDB is refused. */
export function readCdBlockBytes(cdb: Uint8Array): number | Refusal {
  const type = field(cdb, EXPECTED_TYPE);
  if (type >= RESERVED_TYPE) return refusedField(EXPECTED_TYPE);
  const c2 = C2_BYTES[field(cdb, C2)];
  if (c2 === undefined) return refusedField(C2);
  const sub = SUB_BYTES[field(cdb, SUB_CHANNEL)];
  if (sub === undefined || sub === null) return refusedField(SUB_CHANNEL);
  const selection = field(cdb, MAIN_CHANNEL);
  if ((selection & EDC_ECC) !== 0 && (selection & USER_DATA) === 0)
    return refusedField(MAIN_CHANNEL);
  const forms = type === 0 ? FORMS : FORMS.slice(type - 1, type);
  const main = Math.max(...forms.map((form) => mainBytes(form, selection)));
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
