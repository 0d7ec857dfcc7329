/** SEND DIAGNOSTIC and RECEIVE DIAGNOSTIC RESULTS (SPC-4 6.42, 6.21): self-tests, and the list of diagnostic pages. */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import {
  ABORTED_BY_SEND_DIAGNOSTIC,
  ABORTED_OTHERWISE,
  COMPLETED,
} from '../log/self-test-results.ts';
import { answer, parameterList, refuse, refuseField, unitOf } from '../parameter-data.ts';
import { cdbBytePointer, cdbPointer, parameterBytePointer } from '../sense.ts';
import {
  INVALID_FIELD_IN_PARAMETER_LIST,
  LOGICAL_UNIT_FAILED_SELF_TEST,
  PARAMETER_LIST_LENGTH_ERROR,
} from '../sense-codes.ts';
import type { Task } from '../task.ts';

const SELF_TEST_CODE = bits(1, 7, 5);
const PF = bits(1, 4, 4);
const SELF_TEST = bits(1, 2, 2);
const DEVOFFL = bits(1, 1, 1);
const UNITOFFL = bits(1, 0, 0);
const LIST_LENGTH = u(3, 2);

export const SEND_DIAGNOSTIC = command(
  0x1d,
  'SEND DIAGNOSTIC',
  6,
  {
    selfTestCode: SELF_TEST_CODE,
    pf: PF,
    selfTest: SELF_TEST,
    // Our tests disturb neither other units nor this one: permission to do so is not needed.
    devOffL: DEVOFFL,
    unitOffL: UNITOFFL,
    parameterListLength: LIST_LENGTH,
  },
  {
    data: 'out',
    medium: 'none',
    attention: 'report',
    reservation: 'writes',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.42',
  },
);

const PCV = bits(1, 0, 0);
const PAGE_CODE = u(2, 1);

export const RECEIVE_DIAGNOSTIC_RESULTS = command(
  0x1c,
  'RECEIVE DIAGNOSTIC RESULTS',
  6,
  { pcv: PCV, pageCode: PAGE_CODE, allocationLength: LIST_LENGTH },
  {
    data: 'in',
    medium: 'none',
    attention: 'report',
    reservation: 'reads',
    extent: TOUCHES_NOTHING,
    clause: 'SPC-4 6.21',
  },
);

/** SELF-TEST CODE values (SPC-4 table 263). */
const NO_CODE = 0b000;
const BACKGROUND_SHORT = 0b001;
const BACKGROUND_EXTENDED = 0b010;
const ABORT_BACKGROUND = 0b100;
const FOREGROUND_SHORT = 0b101;
const FOREGROUND_EXTENDED = 0b110;

const SUPPORTED_PAGES = 0x00;
const PAGE_HEADER_BYTES = 4;

/** Runs a test that the command waits for. */
function testFor(task: Task, code: number, extended: boolean): void {
  const unit = unitOf(task);
  unit.selfTest.beginFor(task, { code, extended }, (outcome) => {
    // The sense of the fault is in the log; the command says that there was one.
    if (outcome !== COMPLETED && outcome !== ABORTED_OTHERWISE) {
      task.check(LOGICAL_UNIT_FAILED_SELF_TEST);
    }
    unit.finish(task);
  });
}

/** What stands against a test now: sense with its pointer, or null. */
function obstacle(task: Task): { readonly sense: number; readonly pointer?: number } | null {
  const { selfTest, medium } = unitOf(task);
  if (selfTest.running) return { sense: selfTest.sense, pointer: selfTest.pointer };
  const absence = medium?.absence ?? 0;
  return absence === 0 ? null : { sense: absence };
}

function test(task: Task, code: number): void {
  const unit = unitOf(task);
  if (code === ABORT_BACKGROUND) {
    if (unit.selfTest.abort(ABORTED_BY_SEND_DIAGNOSTIC)) unit.finish(task);
    else refuseField(task, cdbPointer(SELF_TEST_CODE.byte, 7));
    return;
  }
  const against = obstacle(task);
  if (against !== null) {
    refuse(task, against.sense, against.pointer);
    return;
  }
  if (code === FOREGROUND_SHORT || code === FOREGROUND_EXTENDED) {
    testFor(task, code, code === FOREGROUND_EXTENDED);
  } else if (code === NO_CODE) {
    testFor(task, NO_CODE, false);
  } else {
    unit.finish(task);
    unit.selfTest.begin({ code, extended: code === BACKGROUND_EXTENDED });
  }
}

/** One page, the list of supported ones, which has nothing in it when it is sent. */
function pages(task: Task, lengthBytes: number): void {
  const list = parameterList(task, lengthBytes);
  if (list === null) return;
  if (list.length < PAGE_HEADER_BYTES) {
    refuse(task, PARAMETER_LIST_LENGTH_ERROR);
    return;
  }
  const wrong = list.findIndex((byte) => byte !== 0);
  if (wrong >= 0 || list.length > PAGE_HEADER_BYTES) {
    const at = wrong >= 0 ? wrong : PAGE_HEADER_BYTES;
    refuse(task, INVALID_FIELD_IN_PARAMETER_LIST, parameterBytePointer(at));
    return;
  }
  unitOf(task).finish(task);
}

const CODES = new Set([
  NO_CODE,
  BACKGROUND_SHORT,
  BACKGROUND_EXTENDED,
  ABORT_BACKGROUND,
  FOREGROUND_SHORT,
  FOREGROUND_EXTENDED,
]);

/** SELFTEST = 1: the default self-test, a short one, not logged. A test and diagnostic pages exclude each other (SPC-4 6.42). */
export function sendDiagnostic(task: Task): void {
  const { cdb } = task;
  const code = field(cdb, SELF_TEST_CODE);
  const byDefault = field(cdb, SELF_TEST) === 1;
  const lengthBytes = field(cdb, LIST_LENGTH);
  const tests = byDefault || code !== NO_CODE;
  if (!CODES.has(code) || (byDefault && code !== NO_CODE)) {
    refuseField(task, cdbPointer(SELF_TEST_CODE.byte, 7));
  } else if (tests && lengthBytes > 0) {
    refuseField(task, cdbBytePointer(LIST_LENGTH.byte));
  } else if (tests) {
    test(task, code);
  } else if (lengthBytes === 0) {
    unitOf(task).finish(task);
  } else if (field(cdb, PF) === 0) {
    // Without page format a list means whatever its vendor likes. We like nothing.
    refuseField(task, cdbPointer(PF.byte, 4));
  } else {
    pages(task, lengthBytes);
  }
}

/** The list of diagnostic pages: itself alone. It is also the result of every SEND DIAGNOSTIC (PCV = 0). */
export function receiveDiagnosticResults(task: Task): void {
  const code = field(task.cdb, PAGE_CODE);
  if (code !== SUPPORTED_PAGES) {
    refuseField(task, cdbBytePointer(PAGE_CODE.byte));
    return;
  }
  const data = Uint8Array.of(SUPPORTED_PAGES, 0, 0, 1, SUPPORTED_PAGES);
  answer(task, data, data.length, field(task.cdb, LIST_LENGTH));
}
