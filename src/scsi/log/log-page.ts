/** Log pages as bytes (SPC-4 7.3.2). */
import type { LogicalUnit } from '../logical-unit.ts';

/** FORMAT AND LINKING (SPC-4 table 351). */
export const BOUNDED_COUNTER = 0b00;
export const ASCII_LIST = 0b01;
export const UNBOUNDED_COUNTER = 0b10;
export const BINARY_LIST = 0b11;

export interface LogParameter {
  readonly code: number;
  readonly format:
    | typeof BOUNDED_COUNTER
    | typeof ASCII_LIST
    | typeof UNBOUNDED_COUNTER
    | typeof BINARY_LIST;
  readonly value: Uint8Array;
  /** Takes a new value of the same length from LOG SELECT; absent: it has none. False: no such value. */
  readonly set?: (value: Uint8Array) => boolean;
  /** Sets the default value; absent: it has none, or the present one. */
  readonly reset?: () => void;
}

export interface LogPage {
  readonly code: number;
  readonly name: string;
  /** Its parameters are kept over a restart, where anything is. */
  readonly savable: boolean;
  /** In ascending order of code, at least one. */
  readonly parameters: (unit: LogicalUnit) => readonly LogParameter[];
}

export const PAGE_HEADER_BYTES = 4;
export const PARAMETER_HEADER_BYTES = 4;
/** In the first byte of a page: nothing of it can be saved; a subpage code follows. */
export const DS = 0x80;
export const SPF = 0x40;
/** In the control byte of a parameter: the unit does not save it by itself. */
export const TSD = 0x20;

export const isSaved = (page: LogPage, unit: LogicalUnit): boolean =>
  page.savable && unit.logStore !== null;

/** Control byte of a parameter. */
export function controlByte(page: LogPage, unit: LogicalUnit, { format }: LogParameter): number {
  return (isSaved(page, unit) ? 0 : TSD) | format;
}

function header(first: number, subpage: number, bodyBytes: number): number[] {
  return [first | (subpage === 0 ? 0 : SPF), subpage, bodyBytes >> 8, bodyBytes & 0xff];
}

/** A page with these of its parameters. */
export function encodeLogPage(
  page: LogPage,
  unit: LogicalUnit,
  parameters: readonly LogParameter[],
): Uint8Array {
  const body = parameters.flatMap((each) => [
    ...[each.code >> 8, each.code & 0xff, controlByte(page, unit, each), each.value.length],
    ...each.value,
  ]);
  const first = page.code | (isSaved(page, unit) ? 0 : DS);
  return Uint8Array.from([...header(first, 0, body.length), ...body]);
}

/** Page 00h: the pages there are. With subpage FFh each with its subpage (SPC-4 7.3.18, 7.3.19). */
export function encodeSupportedPages(pages: readonly LogPage[], subpage: number): Uint8Array {
  const codes = pages.map(({ code }) => code);
  const body = subpage === 0 ? [0, ...codes] : [0, 0, 0, subpage, ...codes.flatMap((c) => [c, 0])];
  return Uint8Array.from([...header(0, subpage, body.length), ...body]);
}
