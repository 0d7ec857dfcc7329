/** The parameter lists of POPULATE TOKEN and WRITE USING TOKEN (SBC-3 5.7.2, 5.46.2), copied, then checked whole. */
import { exactInformation, firstMissingBlock } from '../sbc/access.ts';
import type { BlockDevice } from '../sbc/block-device.ts';
import { NONE, parameterBytePointer } from '../sense.ts';
import {
  INVALID_FIELD_IN_PARAMETER_LIST,
  LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE,
  PARAMETER_LIST_LENGTH_ERROR,
  TOO_MANY_SEGMENT_DESCRIPTORS,
} from '../sense-codes.ts';
import {
  DEFAULT_INACTIVITY_S,
  MAX_INACTIVITY_S,
  MAX_RANGES,
  MAX_ROD_BYTES,
  POINT_IN_TIME_CHANGE_VULNERABLE,
} from './limits.ts';
import { firstOverlap, type Range } from './ranges.ts';
import { ROD_TOKEN_BYTES } from './rod-token.ts';

const POPULATE_HEADER_BYTES = 16;
const INACTIVITY_TIMEOUT_AT = 4;
const ROD_TYPE_AT = 8;
const WRITE_HEADER_BYTES = 536;
/** OFFSET INTO ROD. */
export const OFFSET_AT = 8;
/** ROD TOKEN. */
export const TOKEN_AT = 16;
const FLAGS_AT = 2;
const IMMED = 0x01;
const RTV = 0x02;
const DEL_TKN = 0x02;
/** The list's own length, in its first two bytes, counts what follows them. */
const LENGTH_BYTES = 2;
/** BLOCK DEVICE RANGE DESCRIPTOR LENGTH ends the header; LBA (8), NUMBER OF LOGICAL BLOCKS (4), reserved (4). */
const RANGE_BYTES = 16;
const NUMBER_AT = 8;

/** The longest list there can be. */
export const MAX_TOKEN_LIST_BYTES = LENGTH_BYTES + 0xffff;

interface TokenList {
  /** IMMED: the command is answered before the copy has ended. */
  readonly immediate: boolean;
  readonly ranges: readonly Range[];
}

export interface PopulateList extends TokenList {
  readonly timeoutS: number;
}

export interface WriteList extends TokenList {
  /** DEL_TKN. */
  readonly deletesToken: boolean;
  /** Blocks of the unit that is written. */
  readonly offsetBlocks: number;
  /** ROD_TOKEN_BYTES of the list. */
  readonly token: Uint8Array;
}

export interface ListRefusal {
  readonly sense: number;
  readonly pointer: number;
  readonly information: number;
}

function refusal(sense: number, pointer: number, information: number = NONE): ListRefusal {
  return { sense, pointer, information };
}

function invalid(byte: number): ListRefusal {
  return refusal(INVALID_FIELD_IN_PARAMETER_LIST, parameterBytePointer(byte));
}

const viewOf = (list: Uint8Array): DataView =>
  new DataView(list.buffer, list.byteOffset, list.byteLength);

/** Where range descriptor `index` is in a list with a header of so many bytes. */
const rangeAt = (headerBytes: number, index: number): number => headerBytes + index * RANGE_BYTES;

/** Where WRITE USING TOKEN names the range of this index. */
export const writeRangeAt = (index: number): number => rangeAt(WRITE_HEADER_BYTES, index);

/** The range descriptors behind a header, or the first thing that is wrong with the lengths. */
function readRanges(list: Uint8Array, headerBytes: number): readonly Range[] | ListRefusal {
  if (list.length < headerBytes) return refusal(PARAMETER_LIST_LENGTH_ERROR, NONE);
  const view = viewOf(list);
  const following = view.getUint16(0);
  const rangeBytes = view.getUint16(headerBytes - LENGTH_BYTES);
  if (following < headerBytes + RANGE_BYTES - LENGTH_BYTES) return invalid(0);
  if (rangeBytes < RANGE_BYTES || rangeBytes % RANGE_BYTES !== 0) {
    return invalid(headerBytes - LENGTH_BYTES);
  }
  if (rangeBytes > MAX_RANGES * RANGE_BYTES) {
    const pointer = parameterBytePointer(headerBytes - LENGTH_BYTES);
    return refusal(TOO_MANY_SEGMENT_DESCRIPTORS, pointer);
  }
  const end = headerBytes + rangeBytes;
  if (following + LENGTH_BYTES < end || list.length < end) {
    return refusal(PARAMETER_LIST_LENGTH_ERROR, NONE);
  }
  const ranges: Range[] = [];
  for (let at = headerBytes; at < end; at += RANGE_BYTES) {
    // Rounded above 2^53, which is beyond every capacity.
    const lba = Number(view.getBigUint64(at));
    ranges.push({ lba, blocks: view.getUint32(at + NUMBER_AT) });
  }
  return ranges;
}

/** What is wrong with ranges that are well formed: too much, not there, or twice; or null. */
function refuseRanges(
  ranges: readonly Range[],
  headerBytes: number,
  block: BlockDevice,
): ListRefusal | null {
  let sum = 0;
  for (const [i, { lba, blocks }] of ranges.entries()) {
    const missing = firstMissingBlock(block, lba, blocks);
    if (missing >= 0) {
      const information = exactInformation(missing);
      return refusal(LOGICAL_BLOCK_ADDRESS_OUT_OF_RANGE, NONE, information);
    }
    sum += blocks;
    if (sum > MAX_ROD_BYTES / block.blockBytes) return invalid(rangeAt(headerBytes, i) + NUMBER_AT);
  }
  const twice = firstOverlap(ranges);
  return twice < 0 ? null : invalid(rangeAt(headerBytes, twice));
}

/** Reads the list of POPULATE TOKEN for a unit with this block device. */
export function readPopulateList(list: Uint8Array, block: BlockDevice): PopulateList | ListRefusal {
  const ranges = readRanges(list, POPULATE_HEADER_BYTES);
  if ('sense' in ranges) return ranges;
  const view = viewOf(list);
  const flags = view.getUint8(FLAGS_AT);
  const asked = view.getUint32(INACTIVITY_TIMEOUT_AT);
  if (asked > MAX_INACTIVITY_S) return invalid(INACTIVITY_TIMEOUT_AT);
  const isTyped = (flags & RTV) !== 0;
  if (isTyped && view.getUint32(ROD_TYPE_AT) !== POINT_IN_TIME_CHANGE_VULNERABLE) {
    return invalid(ROD_TYPE_AT);
  }
  const wrong = refuseRanges(ranges, POPULATE_HEADER_BYTES, block);
  if (wrong !== null) return wrong;
  const timeoutS = asked === 0 ? DEFAULT_INACTIVITY_S : asked;
  return { immediate: (flags & IMMED) !== 0, ranges, timeoutS };
}

/** Reads the list of WRITE USING TOKEN for a unit with this block device. */
export function readWriteList(list: Uint8Array, block: BlockDevice): WriteList | ListRefusal {
  const ranges = readRanges(list, WRITE_HEADER_BYTES);
  if ('sense' in ranges) return ranges;
  const wrong = refuseRanges(ranges, WRITE_HEADER_BYTES, block);
  if (wrong !== null) return wrong;
  const view = viewOf(list);
  const flags = view.getUint8(FLAGS_AT);
  return {
    immediate: (flags & IMMED) !== 0,
    deletesToken: (flags & DEL_TKN) !== 0,
    offsetBlocks: Number(view.getBigUint64(OFFSET_AT)),
    token: list.slice(TOKEN_AT, TOKEN_AT + ROD_TOKEN_BYTES),
    ranges,
  };
}
