/** The parameter lists of EXTENDED COPY (SPC-4 6.4.2 to 6.4.6, 6.5), copied, then checked whole. */
import { parameterBytePointer, parameterPointer } from '../sense.ts';
import {
  INLINE_DATA_LENGTH_EXCEEDED,
  INVALID_FIELD_IN_PARAMETER_LIST,
  PARAMETER_LIST_LENGTH_ERROR,
  TOO_MANY_SEGMENT_DESCRIPTORS,
  TOO_MANY_TARGET_DESCRIPTORS,
  UNSUPPORTED_SEGMENT_DESCRIPTOR_TYPE_CODE,
  UNSUPPORTED_TARGET_DESCRIPTOR_TYPE_CODE,
} from '../sense-codes.ts';
import {
  type CopyListHeader,
  type CopyRefusal,
  type HeaderReader,
  refusal,
} from './copy-list-header.ts';
import {
  BLOCK_TO_BLOCK,
  IDENTIFICATION_CSCD,
  MAX_CSCD_DESCRIPTORS,
  MAX_DESCRIPTOR_LIST_BYTES,
  MAX_SEGMENT_DESCRIPTORS,
} from './limits.ts';

const CSCD_BYTES = 32;
const SEGMENT_BYTES = 28;
const DC = 0x02;
/** Fields of a block to block segment descriptor (SPC-4 6.4.6.4). */
export const SOURCE_INDEX_AT = 4;
export const DESTINATION_INDEX_AT = 6;
export const NUMBER_OF_BLOCKS_AT = 10;
export const SOURCE_LBA_AT = 12;
export const DESTINATION_LBA_AT = 20;

/** An identification descriptor CSCD descriptor (SPC-4 6.4.5): NUL and peripheral device type, then the designator. */
const DEVICE_TYPE_AT = 1;
const NUL = 0x20;
const NUL_BIT = 5;
const CODE_SET_AT = 4;
const DESIGNATOR_TYPE_AT = 5;
const DESIGNATOR_LENGTH_AT = 7;
const DESIGNATOR_AT = 8;
const MAX_DESIGNATOR_BYTES = 20;
/** DISK BLOCK LENGTH. */
const BLOCK_LENGTH_AT = 28;

const CODE_SET_BINARY = 0x01;
/** DESIGNATOR TYPE 3h with ASSOCIATION 00b: an NAA designator of a logical unit. */
const NAA_OF_UNIT = 0x03;

/** The longest list there can be, of the longer header. */
export const MAX_LIST_BYTES = 48 + MAX_DESCRIPTOR_LIST_BYTES;

/** How a CSCD is named. */
export interface Cscd {
  /** Where its descriptor begins in the list. */
  readonly at: number;
  readonly peripheralType: number;
  /** The NAA designator of VPD page 83h; null when it is named in a way that names nobody here. */
  readonly naa: Uint8Array | null;
}

/** A CSCD descriptor that names a disk by its NAA designator. */
export function identificationCscd(naa: Uint8Array, blockBytes: number): Uint8Array {
  const bytes = new Uint8Array(CSCD_BYTES);
  bytes[0] = IDENTIFICATION_CSCD;
  bytes[CODE_SET_AT] = CODE_SET_BINARY;
  bytes[DESIGNATOR_TYPE_AT] = NAA_OF_UNIT;
  bytes[DESIGNATOR_LENGTH_AT] = naa.length;
  bytes.set(naa, DESIGNATOR_AT);
  // Three bytes behind one of flags.
  new DataView(bytes.buffer).setUint32(BLOCK_LENGTH_AT, blockBytes);
  return bytes;
}

export interface Segment {
  /** CSCD descriptor IDs. */
  readonly source: number;
  readonly destination: number;
  readonly sourceLba: number;
  readonly destinationLba: number;
  /** In blocks of the destination if `countsDestination`, else of the source. */
  readonly blocks: number;
  readonly countsDestination: boolean;
}

export interface CopyList {
  readonly header: CopyListHeader;
  readonly cscds: readonly Cscd[];
  readonly segments: readonly Segment[];
}

function readSegment(view: DataView, at: number): Segment {
  return {
    countsDestination: (view.getUint8(at + 1) & DC) !== 0,
    source: view.getUint16(at + SOURCE_INDEX_AT),
    destination: view.getUint16(at + DESTINATION_INDEX_AT),
    blocks: view.getUint16(at + NUMBER_OF_BLOCKS_AT),
    // Rounded above 2^53, which is beyond every capacity.
    sourceLba: Number(view.getBigUint64(at + SOURCE_LBA_AT)),
    destinationLba: Number(view.getBigUint64(at + DESTINATION_LBA_AT)),
  };
}

function readCscd(list: Uint8Array, at: number): Cscd | CopyRefusal {
  if (list[at] !== IDENTIFICATION_CSCD) {
    return refusal(UNSUPPORTED_TARGET_DESCRIPTOR_TYPE_CODE, parameterBytePointer(at));
  }
  const device = list[at + DEVICE_TYPE_AT] as number;
  if ((device & NUL) !== 0) {
    return refusal(INVALID_FIELD_IN_PARAMETER_LIST, parameterPointer(at + DEVICE_TYPE_AT, NUL_BIT));
  }
  const length = list[at + DESIGNATOR_LENGTH_AT] as number;
  if (length > MAX_DESIGNATOR_BYTES) {
    const pointer = parameterBytePointer(at + DESIGNATOR_LENGTH_AT);
    return refusal(INVALID_FIELD_IN_PARAMETER_LIST, pointer);
  }
  const isNaa =
    ((list[at + CODE_SET_AT] as number) & 0x0f) === CODE_SET_BINARY &&
    ((list[at + DESIGNATOR_TYPE_AT] as number) & 0x3f) === NAA_OF_UNIT;
  const start = at + DESIGNATOR_AT;
  return {
    at,
    peripheralType: device & 0x1f,
    naa: isNaa ? list.slice(start, start + length) : null,
  };
}

/** What is wrong with the lengths in a header, or null. */
function refuseLengths(list: Uint8Array, header: CopyListHeader): CopyRefusal | null {
  const { headerBytes, cscdBytes, segmentBytes, inlineBytes } = header;
  if (cscdBytes + segmentBytes > MAX_DESCRIPTOR_LIST_BYTES) {
    return refusal(PARAMETER_LIST_LENGTH_ERROR);
  }
  if (cscdBytes > MAX_CSCD_DESCRIPTORS * CSCD_BYTES) return refusal(TOO_MANY_TARGET_DESCRIPTORS);
  if (segmentBytes > MAX_SEGMENT_DESCRIPTORS * SEGMENT_BYTES) {
    return refusal(TOO_MANY_SEGMENT_DESCRIPTORS);
  }
  if (inlineBytes !== 0) return refusal(INLINE_DATA_LENGTH_EXCEEDED);
  const end = headerBytes + cscdBytes + segmentBytes;
  const isWhole = cscdBytes % CSCD_BYTES === 0 && list.length >= end;
  return isWhole ? null : refusal(PARAMETER_LIST_LENGTH_ERROR);
}

/** Reads a whole list. SPC-4 has the LU ID TYPE ignored where only logical unit numbers exist. */
export function readCopyList(list: Uint8Array, readHeader: HeaderReader): CopyList | CopyRefusal {
  const header = readHeader(list);
  if ('sense' in header) return header;
  const wrong = refuseLengths(list, header);
  if (wrong !== null) return wrong;
  const cscdsEnd = header.headerBytes + header.cscdBytes;
  const end = cscdsEnd + header.segmentBytes;
  const cscds: Cscd[] = [];
  for (let at = header.headerBytes; at < cscdsEnd; at += CSCD_BYTES) {
    const cscd = readCscd(list, at);
    if ('sense' in cscd) return cscd;
    cscds.push(cscd);
  }
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  const segments: Segment[] = [];
  for (let at = cscdsEnd; at < end; at += SEGMENT_BYTES) {
    if (list[at] !== BLOCK_TO_BLOCK) {
      return refusal(UNSUPPORTED_SEGMENT_DESCRIPTOR_TYPE_CODE, parameterBytePointer(at));
    }
    if (at + SEGMENT_BYTES > end || view.getUint16(at + 2) !== SEGMENT_BYTES - 4) {
      return refusal(PARAMETER_LIST_LENGTH_ERROR);
    }
    segments.push(readSegment(view, at));
  }
  return { header, cscds, segments };
}
