/**
 * LOG SELECT (SPC-4 6.7): sets counts and what else of the log pages can be set, or all of it back. The whole list is checked
 * before anything changes; what cannot be saved (SP = 1) changes nothing.
 */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import {
  controlByte,
  DS,
  isSaved,
  type LogPage,
  type LogParameter,
  PAGE_HEADER_BYTES,
  PARAMETER_HEADER_BYTES,
  SPF,
} from '../log/log-page.ts';
import { LOG_PAGES } from '../log/log-pages.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { nexusIndexOf, parameterList, refuse, refuseField, unitOf } from '../parameter-data.ts';
import { cdbBytePointer, cdbPointer, parameterBytePointer, parameterPointer } from '../sense.ts';
import {
  INTERNAL_TARGET_FAILURE,
  INVALID_FIELD_IN_PARAMETER_LIST,
  LOG_PARAMETERS_CHANGED,
  PARAMETER_LIST_LENGTH_ERROR,
} from '../sense-codes.ts';
import type { Task } from '../task.ts';

const PCR = bits(1, 1, 1);
const SP = bits(1, 0, 0);
const PAGE_CONTROL = bits(2, 7, 6);
const PAGE_CODE = bits(2, 5, 0);
const SUBPAGE = u(3, 1);
const LIST_LENGTH = u(7, 2);

export const LOG_SELECT = command(
  0x4c,
  'LOG SELECT',
  10,
  {
    pcr: PCR,
    sp: SP,
    pageControl: PAGE_CONTROL,
    pageCode: PAGE_CODE,
    subpageCode: SUBPAGE,
    parameterListLength: LIST_LENGTH,
  },
  {
    data: 'out',
    medium: 'none',
    standby: true,
    attention: 'report',
    reservation: 'writes',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.7',
  },
);

/** PC values (SPC-4 table 186). */
const CUMULATIVE = 0b01;
const DEFAULT_CUMULATIVE = 0b11;
const PAGE_CODE_MASK = 0x3f;

/** What is wrong with a list: sense, and a pointer into it. */
interface Fault {
  readonly sense: number;
  readonly pointer?: number;
}

const tooShort: Fault = { sense: PARAMETER_LIST_LENGTH_ERROR };
const invalid = (pointer: number): Fault => ({ sense: INVALID_FIELD_IN_PARAMETER_LIST, pointer });

/** Something a good list asks for. */
type Change = () => boolean;

/** Checks one parameter; its bytes, or what is wrong. */
function readParameter(
  unit: LogicalUnit,
  page: LogPage,
  known: readonly LogParameter[],
  list: Uint8Array,
  at: number,
  changes: Change[],
): number | Fault {
  const [high = 0, low = 0, control = 0, length = 0] = list.subarray(at);
  const parameter = known.find(({ code }) => code === ((high << 8) | low));
  if (parameter === undefined) return invalid(parameterBytePointer(at));
  if (control !== controlByte(page, unit, parameter)) return invalid(parameterBytePointer(at + 2));
  if (length !== parameter.value.length) return invalid(parameterBytePointer(at + 3));
  const value = list.slice(at + PARAMETER_HEADER_BYTES, at + PARAMETER_HEADER_BYTES + length);
  if (value.length < length) return tooShort;
  const { set } = parameter;
  if (set !== undefined) changes.push(() => set(value));
  else if (value.some((byte, i) => byte !== parameter.value[i])) {
    return invalid(parameterBytePointer(at + PARAMETER_HEADER_BYTES));
  }
  return PARAMETER_HEADER_BYTES + length;
}

/** Checks the parameters of a page, which are in ascending order. */
function readParameters(
  unit: LogicalUnit,
  page: LogPage,
  list: Uint8Array,
  start: number,
  end: number,
  changes: Change[],
): Fault | null {
  const known = page.parameters(unit);
  let last = -1;
  for (let at = start; at < end; ) {
    if (at + PARAMETER_HEADER_BYTES > end) return tooShort;
    const code = ((list[at] as number) << 8) | (list[at + 1] as number);
    if (code <= last) return invalid(parameterBytePointer(at));
    last = code;
    const bytes = readParameter(unit, page, known, list.subarray(0, end), at, changes);
    if (typeof bytes !== 'number') return bytes;
    at += bytes;
  }
  return null;
}

/** Checks pages in ascending order; each `change` is one value to set. */
function readList(unit: LogicalUnit, list: Uint8Array, changes: Change[]): Fault | null {
  let last = -1;
  for (let at = 0; at < list.length; ) {
    if (at + PAGE_HEADER_BYTES > list.length) return tooShort;
    const first = list[at] as number;
    const code = first & PAGE_CODE_MASK;
    const page = LOG_PAGES.find((each) => each.code === code);
    if (page === undefined || code <= last) return invalid(parameterPointer(at, 5));
    // SPF and a subpage: none of our pages has one. DS must be as we told it.
    if ((first & SPF) !== 0) return invalid(parameterPointer(at, 6));
    if ((first & DS) !== (isSaved(page, unit) ? 0 : DS)) return invalid(parameterPointer(at, 7));
    if (list[at + 1] !== 0) return invalid(parameterBytePointer(at + 1));
    last = code;
    const start = at + PAGE_HEADER_BYTES;
    const end = start + (((list[at + 2] as number) << 8) | (list[at + 3] as number));
    if (end > list.length) return tooShort;
    const fault = readParameters(unit, page, list, start, end, changes);
    if (fault !== null) return fault;
    at = end;
  }
  return null;
}

/** Resets every parameter of the page that is named, or (page 00h) of all pages, that has a default value. */
function resets(unit: LogicalUnit, code: number): Change[] {
  const pages = code === 0 ? LOG_PAGES : LOG_PAGES.filter((page) => page.code === code);
  const parameters = pages.flatMap((page) => page.parameters(unit));
  return parameters.flatMap(({ reset }) => {
    if (reset === undefined) return [];
    return [
      () => {
        reset();
        return true;
      },
    ];
  });
}

/** Makes the changes, or none: when one cannot be, or cannot be saved. Tells the other nexuses. */
function change(task: Task, changes: readonly Change[]): void {
  const unit = unitOf(task);
  const { logs } = unit;
  const before = logs.settings;
  if (!changes.every((each) => each())) {
    logs.restore(before);
    refuse(task, INVALID_FIELD_IN_PARAMETER_LIST);
    return;
  }
  const saved = (_: Task, reply: StoreReply): void => {
    if (reply !== DONE) {
      logs.restore(before);
      refuse(task, INTERNAL_TARGET_FAILURE);
      return;
    }
    if (changes.length > 0) unit.attentionForAll(LOG_PARAMETERS_CHANGED, nexusIndexOf(task));
    unit.finish(task);
  };
  task.await(field(task.cdb, SP) === 1 ? logs.save(task) : DONE, saved);
}

/** The CDB field that is wrong, as a pointer, or -1. */
function wrongField(task: Task, unit: LogicalUnit, lengthBytes: number): number {
  const { cdb } = task;
  const code = field(cdb, PAGE_CODE);
  if (field(cdb, SP) === 1 && unit.logStore === null) return cdbPointer(SP.byte, 0);
  // Names of pages are for lists that name none (SPC-4 6.7).
  if (lengthBytes > 0 && field(cdb, PCR) === 1) return cdbPointer(PCR.byte, 1);
  if (lengthBytes > 0 && code !== 0) return cdbPointer(PAGE_CODE.byte, 5);
  if (code !== 0 && !LOG_PAGES.some((page) => page.code === code)) {
    return cdbPointer(PAGE_CODE.byte, 5);
  }
  if (field(cdb, SUBPAGE) !== 0) return cdbBytePointer(SUBPAGE.byte);
  const cumulative = field(cdb, PAGE_CONTROL) === CUMULATIVE;
  return lengthBytes > 0 && !cumulative ? cdbPointer(PAGE_CONTROL.byte, 7) : -1;
}

/** Thresholds and default values cannot be set, there are none of the one, and the others are zero. */
export function logSelect(task: Task): void {
  const unit = unitOf(task);
  const lengthBytes = field(task.cdb, LIST_LENGTH);
  const wrong = wrongField(task, unit, lengthBytes);
  if (wrong >= 0) {
    refuseField(task, wrong);
    return;
  }
  if (lengthBytes === 0) {
    const all = field(task.cdb, PCR) === 1 || field(task.cdb, PAGE_CONTROL) === DEFAULT_CUMULATIVE;
    change(task, all ? resets(unit, field(task.cdb, PAGE_CODE)) : []);
    return;
  }
  const list = parameterList(task, lengthBytes);
  if (list === null) return;
  const changes: Change[] = [];
  const fault = readList(unit, list, changes);
  if (fault === null) change(task, changes);
  else refuse(task, fault.sense, fault.pointer);
}
