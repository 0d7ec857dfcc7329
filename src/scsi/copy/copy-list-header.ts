/** The headers of the two parameter lists of EXTENDED COPY: with one byte and with four bytes of list identifier (SPC-4 6.4.2, 6.5). */
import { NONE, parameterBytePointer, parameterPointer } from '../sense.ts';
import {
  INVALID_FIELD_IN_CDB,
  INVALID_FIELD_IN_PARAMETER_LIST,
  PARAMETER_LIST_LENGTH_ERROR,
} from '../sense-codes.ts';

export interface CopyRefusal {
  readonly sense: number;
  readonly pointer: number;
}

export const refusal = (sense: number, pointer: number = NONE): CopyRefusal => ({ sense, pointer });

export interface CopyListHeader {
  readonly headerBytes: number;
  readonly listIdentifier: number;
  /** LIST ID USAGE 11b: the identifier means nothing, no results are kept. */
  readonly anonymous: boolean;
  /** IMMED: the command is answered before the copy has ended. */
  readonly immediate: boolean;
  readonly cscdBytes: number;
  readonly segmentBytes: number;
  readonly inlineBytes: number;
  /** CSCD descriptor ID of the first CSCD descriptor: an ID counts descriptors from byte 16 on (SPC-4 table 148). */
  readonly firstCscd: number;
}

/** Of a list, and which way it is laid out. */
export type HeaderReader = (list: Uint8Array) => CopyListHeader | CopyRefusal;

/** LIST ID USAGE in byte 1 of either list. */
const USAGE_BYTE = 1;
const USAGE_HIGH_BIT = 4;
const USAGE_MASK = 0x18;
const USAGE_RESERVED = 0x08;
const USAGE_NONE = 0x18;

const LID1_BYTES = 16;
const LID4_BYTES = 48;
const FORMAT_LID4 = 0x01;
/** What the list with four bytes has where the other has its first CSCD descriptor: a length of one, and a type that is none. */
const HEADER_CSCD_LENGTH_AT = 2;
const HEADER_CSCD_BYTES = 32;
const HEADER_CSCD_TYPE_AT = 16;
const NO_CSCD_TYPE = 0xff;
const FLAGS_AT = 15;
const IMMED = 0x01;
const G_SENSE = 0x02;
const G_SENSE_BIT = 1;
const LIST_IDENTIFIER_AT = 20;

const viewOf = (list: Uint8Array): DataView =>
  new DataView(list.buffer, list.byteOffset, list.byteLength);

const invalid = (pointer: number): CopyRefusal => refusal(INVALID_FIELD_IN_PARAMETER_LIST, pointer);

/** Header of EXTENDED COPY(LID1) (SPC-4 6.5). */
export const readHeaderLid1: HeaderReader = (list) => {
  if (list.length < LID1_BYTES) return refusal(PARAMETER_LIST_LENGTH_ERROR);
  const view = viewOf(list);
  const usage = view.getUint8(USAGE_BYTE) & USAGE_MASK;
  if (usage === USAGE_RESERVED) return invalid(parameterPointer(USAGE_BYTE, USAGE_HIGH_BIT));
  return {
    headerBytes: LID1_BYTES,
    listIdentifier: view.getUint8(0),
    anonymous: usage === USAGE_NONE,
    immediate: false,
    cscdBytes: view.getUint16(2),
    segmentBytes: view.getUint32(8),
    inlineBytes: view.getUint32(12),
    firstCscd: 0,
  };
};

/** Header of EXTENDED COPY(LID4) (SPC-4 6.4.2). No sense data goes with GOOD here: G_SENSE = 1 is refused. */
export const readHeaderLid4: HeaderReader = (list) => {
  if (list.length < LID4_BYTES) return refusal(PARAMETER_LIST_LENGTH_ERROR);
  const view = viewOf(list);
  const usage = view.getUint8(USAGE_BYTE) & USAGE_MASK;
  const flags = view.getUint8(FLAGS_AT);
  const immediate = (flags & IMMED) !== 0;
  const anonymous = usage === USAGE_NONE;
  const listIdentifier = view.getUint32(LIST_IDENTIFIER_AT);
  if (view.getUint8(0) !== FORMAT_LID4) return invalid(parameterBytePointer(0));
  if (usage === USAGE_RESERVED) return invalid(parameterPointer(USAGE_BYTE, USAGE_HIGH_BIT));
  if (view.getUint16(HEADER_CSCD_LENGTH_AT) !== HEADER_CSCD_BYTES) {
    return invalid(parameterBytePointer(HEADER_CSCD_LENGTH_AT));
  }
  // Nobody could ask what became of it; the standard has these two refused as if the CDB were wrong.
  if (immediate && (anonymous || (flags & G_SENSE) !== 0)) return refusal(INVALID_FIELD_IN_CDB);
  if ((flags & G_SENSE) !== 0) return invalid(parameterPointer(FLAGS_AT, G_SENSE_BIT));
  if (view.getUint8(HEADER_CSCD_TYPE_AT) !== NO_CSCD_TYPE) {
    return invalid(parameterBytePointer(HEADER_CSCD_TYPE_AT));
  }
  if (anonymous && listIdentifier !== 0) return invalid(parameterBytePointer(LIST_IDENTIFIER_AT));
  return {
    headerBytes: LID4_BYTES,
    listIdentifier,
    anonymous,
    immediate,
    cscdBytes: view.getUint16(42),
    segmentBytes: view.getUint16(44),
    inlineBytes: view.getUint16(46),
    firstCscd: 1,
  };
};
