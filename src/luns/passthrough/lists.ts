/** Parameter lists of passthrough that are looked at before they are sent (SPC-4, MMC-6). */
import { bits, type CdbField, field } from '../../scsi/cdb.ts';
import { parameterBytePointer } from '../../scsi/sense.ts';
import {
  INVALID_FIELD_IN_PARAMETER_LIST,
  PARAMETER_LIST_LENGTH_ERROR,
} from '../../scsi/sense-codes.ts';
import { type DataLength, type ListCheck, type Refusal, refused, refusedField } from './filter.ts';

const PAGE_CODE = 0x3f;
const SUB_PAGE_FORMAT = 0x40;
const BLOCK_DESCRIPTOR_BYTES = 8;

/** Where the pages of a mode parameter list begin, or -1: it is cut short. */
function pagesAt(list: Uint8Array, isTen: boolean): number {
  const header = isTen ? 8 : 4;
  if (list.length < header) return -1;
  const descriptors = isTen
    ? ((list[6] as number) << 8) | (list[7] as number)
    : (list[3] as number);
  const at = header + descriptors;
  return at > list.length ? -1 : at;
}

export interface ModePageBytes {
  readonly code: number;
  /** Of its first byte in the list. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** The pages of a mode parameter list; null: one is cut short. */
export function modePages(list: Uint8Array, isTen: boolean): readonly ModePageBytes[] | null {
  let at = pagesAt(list, isTen);
  if (at < 0) return null;
  const pages: ModePageBytes[] = [];
  while (at < list.length) {
    const first = list[at] as number;
    const isSubPage = (first & SUB_PAGE_FORMAT) !== 0;
    const header = isSubPage ? 4 : 2;
    if (at + header > list.length) return null;
    const length = isSubPage
      ? ((list[at + 2] as number) << 8) | (list[at + 3] as number)
      : (list[at + 1] as number);
    const end = at + header + length;
    if (end > list.length) return null;
    // A subpage is none of the pages that tables name.
    const code = isSubPage ? -1 : first & PAGE_CODE;
    pages.push({ code, at, bytes: list.subarray(at, end) });
    at = end;
  }
  return pages;
}

const MODE_SELECT_10 = 0x55;

/**
 * Only these pages. `blockBytes`: lengths that a block descriptor may have; null: any. An empty list changes nothing.
 */
export function modeSelectList(
  pages: readonly number[],
  blockBytes: readonly number[] | null,
): ListCheck {
  return (list, cdb) => {
    if (list.length === 0) return null;
    const isTen = cdb[0] === MODE_SELECT_10;
    const found = modePages(list, isTen);
    if (found === null) return refused(PARAMETER_LIST_LENGTH_ERROR);
    const stranger = found.find(({ code }) => !pages.includes(code));
    if (stranger !== undefined) return wrongList(stranger.at);
    const header = isTen ? 8 : 4;
    const descriptor = list.subarray(header, pagesAt(list, isTen));
    if (blockBytes === null || descriptor.length === 0) return null;
    if (descriptor.length !== BLOCK_DESCRIPTOR_BYTES) return wrongList(header - 1);
    const length =
      ((descriptor[5] as number) << 16) |
      ((descriptor[6] as number) << 8) |
      (descriptor[7] as number);
    return blockBytes.includes(length) ? null : wrongList(header + 5);
  };
}

/** 5/26/00 with a pointer to a byte of the list. */
export function wrongList(at: number): Refusal {
  return refused(INVALID_FIELD_IN_PARAMETER_LIST, parameterBytePointer(at));
}

const FORMAT_DATA: CdbField = bits(1, 4, 4);
const FORMAT_CODE: CdbField = bits(1, 2, 0);
const MMC_FORMAT_CODE = 1;
const FORMAT_LIST_BYTES = 12;
const FORMAT_DESCRIPTOR_BYTES = 8;

/** FORMAT UNIT of an optical drive: a header and one format descriptor (MMC-6 6.5). Its length is in the list, not in the CDB. */
export const opticalFormatLength: DataLength = (cdb) => {
  if (field(cdb, FORMAT_DATA) !== 1) return refusedField(FORMAT_DATA);
  return field(cdb, FORMAT_CODE) === MMC_FORMAT_CODE
    ? FORMAT_LIST_BYTES
    : refusedField(FORMAT_CODE);
};

export const opticalFormatList: ListCheck = (list) => {
  const length = ((list[2] as number) << 8) | (list[3] as number);
  return length === FORMAT_DESCRIPTOR_BYTES ? null : wrongList(2);
};

const CUE_BYTES = 8;

/** SEND CUE SHEET: whole entries. */
export const cueSheetList: ListCheck = (list) =>
  list.length > 0 && list.length % CUE_BYTES === 0 ? null : refused(PARAMETER_LIST_LENGTH_ERROR);
