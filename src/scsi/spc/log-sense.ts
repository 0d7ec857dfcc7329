/** LOG SENSE (SPC-4 6.8, 7.3): what a unit has counted since it was made. Nothing is saved, nothing has a threshold. */
import { bits, field, u } from '../cdb.ts';
import { command, TOUCHES_NOTHING } from '../command-table.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { answer, refuseField, unitOf } from '../parameter-data.ts';
import { cdbBytePointer, cdbPointer } from '../sense.ts';
import type { Task } from '../task.ts';

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

/** PC 01b: what has been counted until now. */
const CUMULATIVE = 1;
const ALL_SUBPAGES = 0xff;
const HEADER_BYTES = 4;
const SPF = 0x40;

/** A log parameter: its code, the byte that says how it is kept, its value. */
interface Parameter {
  readonly code: number;
  readonly control: number;
  readonly value: Uint8Array;
}

export interface LogPage {
  readonly code: number;
  readonly name: string;
  /** In ascending order of code. */
  readonly parameters: (unit: LogicalUnit) => readonly Parameter[];
}

/** A counter of 8 bytes; FORMAT AND LINKING 00b, a bounded data counter. */
function counter(code: number, count: number): Parameter {
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, BigInt(Math.floor(count)));
  return { code, control: 0x00, value };
}

/** Parameter codes of the error counter pages (SPC-4 table 349). */
const TOTAL_BYTES_PROCESSED = 0x0005;
const TOTAL_UNCORRECTED_ERRORS = 0x0006;

const WRITE_ERRORS: LogPage = {
  code: 0x02,
  name: 'Write error counters',
  parameters: ({ counters }) => [
    counter(TOTAL_BYTES_PROCESSED, counters.bytesWritten),
    counter(TOTAL_UNCORRECTED_ERRORS, counters.writeErrors),
  ],
};

const READ_ERRORS: LogPage = {
  code: 0x03,
  name: 'Read error counters',
  parameters: ({ counters }) => [
    counter(TOTAL_BYTES_PROCESSED, counters.bytesRead),
    counter(TOTAL_UNCORRECTED_ERRORS, counters.readErrors),
  ],
};

/** No temperature is known (FFh). */
const NO_TEMPERATURE = 0xff;
/** A list in binary format. */
const BINARY_LIST = 0x03;

/** General parameter: no exception condition is there (SPC-4 7.3.8). */
const INFORMATIONAL_EXCEPTIONS: LogPage = {
  code: 0x2f,
  name: 'Informational exceptions',
  parameters: () => [
    { code: 0x0000, control: BINARY_LIST, value: Uint8Array.of(0, 0, NO_TEMPERATURE, 0) },
  ],
};

const PAGES: readonly LogPage[] = [WRITE_ERRORS, READ_ERRORS, INFORMATIONAL_EXCEPTIONS];

/** Page 00h, with SUBPAGE FFh as pairs of page and subpage (SPC-4 7.3.16, 7.3.17). */
function supportedPages(withSubpages: boolean): Uint8Array {
  const codes = [0x00, ...PAGES.map(({ code }) => code)];
  if (!withSubpages) return Uint8Array.from(codes);
  return Uint8Array.from([...codes.flatMap((code) => [code, 0]), 0x00, ALL_SUBPAGES]);
}

function put(parameters: readonly Parameter[]): Uint8Array {
  const bytes = parameters.flatMap(({ code, control, value }) => [
    ...[code >> 8, code & 0xff, control, value.length],
    ...value,
  ]);
  return Uint8Array.from(bytes);
}

function respond(task: Task, page: number, subpage: number, body: Uint8Array): void {
  const data = new Uint8Array(HEADER_BYTES + body.length);
  data[0] = page | (subpage === 0 ? 0 : SPF);
  data[1] = subpage;
  new DataView(data.buffer).setUint16(2, body.length);
  data.set(body, HEADER_BYTES);
  answer(task, data, data.length, field(task.cdb, ALLOCATION_LENGTH));
}

/** Runs LOG SENSE: of a page the parameters from PARAMETER POINTER on; it must not point behind the last. */
export function logSense(task: Task): void {
  const code = field(task.cdb, PAGE_CODE);
  const subpage = field(task.cdb, SUBPAGE);
  const pointer = field(task.cdb, PARAMETER_POINTER);
  const page = PAGES.find((each) => each.code === code);
  if (field(task.cdb, PAGE_CONTROL) !== CUMULATIVE) {
    refuseField(task, cdbPointer(PAGE_CONTROL.byte, 7));
  } else if (code !== 0 && page === undefined) {
    refuseField(task, cdbPointer(PAGE_CODE.byte, 5));
  } else if (subpage !== 0 && !(code === 0 && subpage === ALL_SUBPAGES)) {
    refuseField(task, cdbBytePointer(SUBPAGE.byte));
  } else if (page === undefined) {
    if (pointer === 0) respond(task, code, subpage, supportedPages(subpage === ALL_SUBPAGES));
    else refuseField(task, cdbBytePointer(PARAMETER_POINTER.byte));
  } else {
    const wanted = page.parameters(unitOf(task)).filter((each) => each.code >= pointer);
    if (wanted.length > 0) respond(task, code, subpage, put(wanted));
    else refuseField(task, cdbBytePointer(PARAMETER_POINTER.byte));
  }
}
