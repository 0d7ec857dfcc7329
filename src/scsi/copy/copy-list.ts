/** The parameter list of EXTENDED COPY(LID1) (SPC-4 6.3.4, 6.3.6), copied, then checked whole. */
import { NONE, parameterBytePointer } from '../sense.ts';
import {
  INLINE_DATA_LENGTH_EXCEEDED,
  PARAMETER_LIST_LENGTH_ERROR,
  TOO_MANY_SEGMENT_DESCRIPTORS,
  TOO_MANY_TARGET_DESCRIPTORS,
  UNSUPPORTED_SEGMENT_DESCRIPTOR_TYPE_CODE,
  UNSUPPORTED_TARGET_DESCRIPTOR_TYPE_CODE,
} from '../sense-codes.ts';
import {
  BLOCK_TO_BLOCK,
  IDENTIFICATION_CSCD,
  MAX_CSCD_DESCRIPTORS,
  MAX_DESCRIPTOR_LIST_BYTES,
  MAX_SEGMENT_DESCRIPTORS,
} from './limits.ts';

const HEADER_BYTES = 16;
const CSCD_BYTES = 32;
const DESIGNATOR_AT = 8;
const MAX_DESIGNATOR_BYTES = 20;
const SEGMENT_BYTES = 28;
const DC = 0x02;

/** The longest list there can be. */
export const MAX_LIST_BYTES = HEADER_BYTES + MAX_DESCRIPTOR_LIST_BYTES;

/** How a CSCD is named: DESIGNATOR TYPE and designator of VPD page 83h. */
export interface Cscd {
  readonly type: number;
  readonly designator: Uint8Array;
}

export interface Segment {
  /** Indexes into the list of CSCDs. */
  readonly source: number;
  readonly destination: number;
  readonly sourceLba: number;
  readonly destinationLba: number;
  /** In blocks of the destination if `countsDestination`, else of the source. */
  readonly blocks: number;
  readonly countsDestination: boolean;
}

export interface CopyList {
  readonly listIdentifier: number;
  /** LIST ID USAGE 11b: the identifier means nothing, no results are kept. */
  readonly anonymous: boolean;
  readonly cscds: readonly Cscd[];
  readonly segments: readonly Segment[];
}

export interface CopyRefusal {
  readonly sense: number;
  readonly pointer: number;
}

const refusal = (sense: number, pointer: number = NONE): CopyRefusal => ({ sense, pointer });

function readSegment(view: DataView, at: number): Segment {
  return {
    countsDestination: (view.getUint8(at + 1) & DC) !== 0,
    source: view.getUint16(at + 4),
    destination: view.getUint16(at + 6),
    blocks: view.getUint16(at + 10),
    // Rounded above 2^53, which is beyond every capacity.
    sourceLba: Number(view.getBigUint64(at + 12)),
    destinationLba: Number(view.getBigUint64(at + 20)),
  };
}

/** Reads a whole list. SPC-4 has the LU ID TYPE ignored where only logical unit numbers exist. */
export function readCopyList(list: Uint8Array): CopyList | CopyRefusal {
  if (list.length < HEADER_BYTES) return refusal(PARAMETER_LIST_LENGTH_ERROR);
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  const cscdBytes = view.getUint16(2);
  const segmentBytes = view.getUint32(8);
  if (cscdBytes + segmentBytes > MAX_DESCRIPTOR_LIST_BYTES) {
    return refusal(PARAMETER_LIST_LENGTH_ERROR);
  }
  if (cscdBytes > MAX_CSCD_DESCRIPTORS * CSCD_BYTES) return refusal(TOO_MANY_TARGET_DESCRIPTORS);
  if (segmentBytes > MAX_SEGMENT_DESCRIPTORS * SEGMENT_BYTES) {
    return refusal(TOO_MANY_SEGMENT_DESCRIPTORS);
  }
  if (view.getUint32(12) !== 0) return refusal(INLINE_DATA_LENGTH_EXCEEDED);
  const end = HEADER_BYTES + cscdBytes + segmentBytes;
  const whole = cscdBytes % CSCD_BYTES === 0 && list.length >= end;
  if (!whole) return refusal(PARAMETER_LIST_LENGTH_ERROR);
  const cscds: Cscd[] = [];
  for (let at = HEADER_BYTES; at < HEADER_BYTES + cscdBytes; at += CSCD_BYTES) {
    if (list[at] !== IDENTIFICATION_CSCD) {
      return refusal(UNSUPPORTED_TARGET_DESCRIPTOR_TYPE_CODE, parameterBytePointer(at));
    }
    const length = Math.min(list[at + 7] as number, MAX_DESIGNATOR_BYTES);
    const start = at + DESIGNATOR_AT;
    cscds.push({
      type: (list[at + 5] as number) & 0x0f,
      designator: list.slice(start, start + length),
    });
  }
  const segments: Segment[] = [];
  for (let at = HEADER_BYTES + cscdBytes; at < end; at += SEGMENT_BYTES) {
    if (list[at] !== BLOCK_TO_BLOCK) {
      return refusal(UNSUPPORTED_SEGMENT_DESCRIPTOR_TYPE_CODE, parameterBytePointer(at));
    }
    if (at + SEGMENT_BYTES > end || view.getUint16(at + 2) !== SEGMENT_BYTES - 4) {
      return refusal(PARAMETER_LIST_LENGTH_ERROR);
    }
    segments.push(readSegment(view, at));
  }
  const anonymous = ((list[1] as number) & 0x18) === 0x18;
  return { listIdentifier: list[0] as number, anonymous, cscds, segments };
}
