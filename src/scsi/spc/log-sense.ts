/** LOG SENSE (SPC-4 6.8): the log pages of a unit, current values or default ones. */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import { encodeLogPage, encodeSupportedPages, type LogPage } from '../log/log-page.ts';
import { LOG_PAGES } from '../log/log-pages.ts';
import { answer, refuse, refuseField, unitOf } from '../parameter-data.ts';
import { cdbBytePointer, cdbPointer } from '../sense.ts';
import { INTERNAL_TARGET_FAILURE } from '../sense-codes.ts';
import type { Task } from '../task.ts';

const SP = bits(1, 0, 0);
const PAGE_CONTROL = bits(2, 7, 6);
const PAGE_CODE = bits(2, 5, 0);
const SUBPAGE = u(3, 1);
const PARAMETER_POINTER = u(5, 2);
const ALLOCATION_LENGTH = u(7, 2);

export const LOG_SENSE = command(
  0x4d,
  'LOG SENSE',
  10,
  {
    sp: SP,
    pageControl: PAGE_CONTROL,
    pageCode: PAGE_CODE,
    subpageCode: SUBPAGE,
    parameterPointer: PARAMETER_POINTER,
    allocationLength: ALLOCATION_LENGTH,
  },
  {
    data: 'in',
    medium: 'none',
    standby: true,
    attention: 'report',
    reservation: 'always',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.8',
  },
);

/** PC 01b: what has been counted until now. Nothing has a threshold (00b, 10b), and 11b, what counts begin with, is no news. */
const CUMULATIVE = 1;
const ALL_SUBPAGES = 0xff;

/** What is asked for: a page, the list of pages (null), or nothing there is (a field pointer). */
function wanted(task: Task): LogPage | null | number {
  const code = field(task.cdb, PAGE_CODE);
  const subpage = field(task.cdb, SUBPAGE);
  const page = LOG_PAGES.find((each) => each.code === code) ?? null;
  if (field(task.cdb, PAGE_CONTROL) !== CUMULATIVE) return cdbPointer(PAGE_CONTROL.byte, 7);
  if (code !== 0 && page === null) return cdbPointer(PAGE_CODE.byte, 5);
  if (subpage === 0 || (code === 0 && subpage === ALL_SUBPAGES)) return page;
  return cdbBytePointer(SUBPAGE.byte);
}

function encode(task: Task, page: LogPage | null): Uint8Array | null {
  const pointer = field(task.cdb, PARAMETER_POINTER);
  const unit = unitOf(task);
  if (page === null) {
    return pointer === 0 ? encodeSupportedPages(LOG_PAGES, field(task.cdb, SUBPAGE)) : null;
  }
  const parameters = page.parameters(unit).filter((each) => each.code >= pointer);
  return parameters.length === 0 ? null : encodeLogPage(page, unit, parameters);
}

/** Of a page the parameters from PARAMETER POINTER on; it must not point behind the last. SP = 1 saves all that is savable. */
export function logSense(task: Task): void {
  const { logs, logStore } = unitOf(task);
  const page = wanted(task);
  const saves = field(task.cdb, SP) === 1;
  if (saves && logStore === null) {
    refuseField(task, cdbPointer(SP.byte, 0));
    return;
  }
  if (typeof page === 'number') {
    refuseField(task, page);
    return;
  }
  const data = encode(task, page);
  if (data === null) {
    refuseField(task, cdbBytePointer(PARAMETER_POINTER.byte));
    return;
  }
  const saved = (_: Task, reply: StoreReply): void => {
    if (reply === DONE) answer(task, data, data.length, field(task.cdb, ALLOCATION_LENGTH));
    else refuse(task, INTERNAL_TARGET_FAILURE);
  };
  task.await(saves ? logs.save(task) : DONE, saved);
}
