/**
 * MODE SELECT(6) and MODE SELECT(10) (SPC-4 6.11, 6.12): the whole list is checked before anything changes.
 *
 *   check list -> write cache going off? flush -> SP? save -> commit -> 2A/01 to the other nexuses
 *                                          |            |
 *                                          +-- fault ---+--> CHECK CONDITION, nothing changed
 */
import { assert } from '../../assert.ts';
import { bits, type CdbField, field, u } from '../cdb.ts';
import { type CommandPolicy, command, TOUCHES_NOTHING } from '../command-table.ts';
import { DONE, type StoreReply } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { type ModePages, PAGE_HEADER_BYTES, PS } from '../mode-page.ts';
import { nexusIndexOf, parameterList, refuse, refuseField, unitOf } from '../parameter-data.ts';
import { checkFlushFault } from '../sbc/store-fault.ts';
import { cdbPointer, NONE, parameterBytePointer, parameterPointer } from '../sense.ts';
import {
  INTERNAL_TARGET_FAILURE,
  INVALID_COMMAND_OPERATION_CODE,
  INVALID_FIELD_IN_PARAMETER_LIST,
  MODE_PARAMETERS_CHANGED,
  PARAMETER_LIST_LENGTH_ERROR,
} from '../sense-codes.ts';
import type { Task } from '../task.ts';
import {
  foreignDescriptorByte,
  HEADER_6,
  HEADER_10,
  LONG_DESCRIPTOR,
  SHORT_DESCRIPTOR,
} from './mode-parameters.ts';

function policy(clause: string): CommandPolicy {
  return {
    data: 'out',
    medium: 'none',
    standby: true,
    attention: 'report',
    reservation: 'writes',
    extent: TOUCHES_NOTHING,
    // Of a burner: how it is written.
    burn: 'changes',
    clause,
  };
}

const SELECT_FIELDS = { pf: bits(1, 4, 4), sp: bits(1, 0, 0) } as const;

export const MODE_SELECT_6 = command(
  0x15,
  'MODE SELECT(6)',
  6,
  { ...SELECT_FIELDS, parameterListLength: u(4, 1) },
  policy('SPC-4 6.11'),
);

export const MODE_SELECT_10 = command(
  0x55,
  'MODE SELECT(10)',
  10,
  { ...SELECT_FIELDS, parameterListLength: u(7, 2) },
  policy('SPC-4 6.12'),
);

const SPF = 0x40;
const PAGE_CODE = 0x3f;
const LONGLBA = 0x01;

/** What a mode parameter header says; positions are offsets in the list. */
interface Header {
  readonly bytes: number;
  readonly mediumTypeAt: number;
  readonly long: boolean;
  readonly descriptorLengthAt: number;
  readonly descriptorBytes: number;
}

function header6(list: Uint8Array): Header {
  const { at } = HEADER_6;
  return {
    bytes: HEADER_6.size,
    mediumTypeAt: at.mediumType,
    long: false,
    descriptorLengthAt: at.blockDescriptorLength,
    descriptorBytes: list[at.blockDescriptorLength] as number,
  };
}

function header10(list: Uint8Array): Header {
  const { at } = HEADER_10;
  const high = list[at.blockDescriptorLength] as number;
  return {
    bytes: HEADER_10.size,
    mediumTypeAt: at.mediumType,
    long: ((list[at.longLba] as number) & LONGLBA) !== 0,
    descriptorLengthAt: at.blockDescriptorLength,
    descriptorBytes: high * 256 + (list[at.blockDescriptorLength + 1] as number),
  };
}

function refuseList(task: Task, fieldPointer: number): false {
  task.check(INVALID_FIELD_IN_PARAMETER_LIST, NONE, fieldPointer);
  return false;
}

function refuseLength(task: Task): false {
  task.check(PARAMETER_LIST_LENGTH_ERROR);
  return false;
}

/** MODE DATA LENGTH and DEVICE-SPECIFIC PARAMETER mean nothing here; hosts send back what MODE SENSE gave them. */
function checkHeader(task: Task, unit: LogicalUnit, list: Uint8Array, header: Header): boolean {
  if (list[header.mediumTypeAt] !== 0) {
    return refuseList(task, parameterBytePointer(header.mediumTypeAt));
  }
  if (header.descriptorBytes === 0) return true;
  const one = header.long ? LONG_DESCRIPTOR.size : SHORT_DESCRIPTOR.size;
  if (header.descriptorBytes !== one || unit.block === null) {
    return refuseList(task, parameterBytePointer(header.descriptorLengthAt));
  }
  if (list.length < header.bytes + one) return refuseLength(task);
  const foreign = foreignDescriptorByte(unit, list, header.bytes, header.long);
  return foreign < 0 || refuseList(task, parameterBytePointer(header.bytes + foreign));
}

/** Checks one page and writes it into `draft`; returns its bytes, or 0 when refused. */
function checkPage(
  task: Task,
  pages: ModePages,
  draft: Uint8Array,
  list: Uint8Array,
  at: number,
): number {
  if (at + PAGE_HEADER_BYTES > list.length) {
    refuseLength(task);
    return 0;
  }
  const first = (list[at] as number) & ~PS;
  if ((first & SPF) !== 0) {
    refuseList(task, parameterPointer(at, 6));
    return 0;
  }
  const code = first & PAGE_CODE;
  if (!pages.has(code)) {
    refuseList(task, parameterPointer(at, 5));
    return 0;
  }
  const bytes = pages.sentBytes(code, list[at + 1] as number);
  if (bytes === 0) {
    refuseList(task, parameterBytePointer(at + 1));
    return 0;
  }
  if (at + bytes > list.length) {
    refuseLength(task);
    return 0;
  }
  const fixed = pages.propose(draft, code, list, at);
  if (fixed < 0) return bytes;
  refuseList(task, parameterBytePointer(at + fixed));
  return 0;
}

/** Checks the list; true with `draft` holding what it asks for, false with the task's sense set. */
function checkList(
  task: Task,
  pages: ModePages,
  draft: Uint8Array,
  list: Uint8Array,
  header: Header,
): boolean {
  if (!checkHeader(task, unitOf(task), list, header)) return false;
  let at = header.bytes + header.descriptorBytes;
  while (at < list.length) {
    const bytes = checkPage(task, pages, draft, list, at);
    if (bytes === 0) return false;
    at += bytes;
  }
  return true;
}

function pagesOf(task: Task): ModePages {
  const { modePages } = unitOf(task);
  assert(modePages !== null, 'a running MODE SELECT has mode pages');
  return modePages;
}

/** Ends the MODE SELECT under way and lets those that waited for it run. */
function leave(task: Task): void {
  const pages = pagesOf(task);
  unitOf(task).finish(task);
  pages.leave(proceed);
}

function commit(task: Task): void {
  const saves = field(task.cdb, SELECT_FIELDS.sp) === 1;
  if (pagesOf(task).commit(saves)) {
    unitOf(task).attentionForAll(MODE_PARAMETERS_CHANGED, nexusIndexOf(task));
  }
  leave(task);
}

function saved(task: Task, reply: StoreReply): void {
  if (!task.aborting && reply === DONE) {
    commit(task);
    return;
  }
  task.check(INTERNAL_TARGET_FAILURE);
  leave(task);
}

function saveOrCommit(task: Task): void {
  const pages = pagesOf(task);
  const { parameters } = pages;
  if (field(task.cdb, SELECT_FIELDS.sp) === 0 || parameters === null) commit(task);
  else task.await(parameters.save(task, unitOf(task).lun, pages.proposed), saved);
}

function flushed(task: Task, reply: StoreReply): void {
  if (!task.aborting && reply === DONE) {
    saveOrCommit(task);
    return;
  }
  if (reply !== DONE) checkFlushFault(task, reply);
  leave(task);
}

/** Runs a MODE SELECT that has entered. */
function proceed(task: Task, list: Uint8Array): void {
  const pages = pagesOf(task);
  const draft = pages.draft();
  const header = task.row === MODE_SELECT_10 ? header10(list) : header6(list);
  if (task.aborting || !checkList(task, pages, draft, list, header)) {
    leave(task);
    return;
  }
  pages.proposed = draft;
  const { block, medium } = unitOf(task);
  // A medium that leaves is flushed by whoever takes it, and nothing else works on it.
  const flushes = block !== null && medium?.loaded !== false;
  if (flushes && pages.disablesWriteCache(draft)) {
    task.await(block.store.flush(task), flushed);
  } else {
    saveOrCommit(task);
  }
}

function modeSelect(task: Task, listLength: CdbField, headerBytes: number): void {
  const unit = unitOf(task);
  const lengthBytes = field(task.cdb, listLength);
  if (unit.modePages === null) {
    refuse(task, INVALID_COMMAND_OPERATION_CODE);
  } else if (field(task.cdb, SELECT_FIELDS.sp) === 1 && unit.modePages.parameters === null) {
    refuseField(task, cdbPointer(SELECT_FIELDS.sp.byte, 0));
  } else if (lengthBytes === 0) {
    unit.finish(task);
  } else if (field(task.cdb, SELECT_FIELDS.pf) === 0) {
    refuseField(task, cdbPointer(SELECT_FIELDS.pf.byte, 4));
  } else if (lengthBytes < headerBytes) {
    refuse(task, PARAMETER_LIST_LENGTH_ERROR);
  } else {
    const list = parameterList(task, lengthBytes);
    if (list !== null && unit.modePages.enter(task, list)) proceed(task, list);
  }
}

export function modeSelect6(task: Task): void {
  modeSelect(task, MODE_SELECT_6.fields.parameterListLength, HEADER_6.size);
}

export function modeSelect10(task: Task): void {
  modeSelect(task, MODE_SELECT_10.fields.parameterListLength, HEADER_10.size);
}
