/** FORMAT UNIT (SBC-3 5.3): every block holds the initialization pattern afterwards. There are no defects to manage. */
import { bits, field } from '../cdb.ts';
import { command, WRITES_UNIT } from '../command-table.ts';
import { refuse } from '../parameter-data.ts';
import { parameterBytePointer, parameterPointer } from '../sense.ts';
import { INVALID_FIELD_IN_PARAMETER_LIST, PARAMETER_LIST_LENGTH_ERROR } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import { blockDeviceOf, refuseField } from './access.ts';
import { beginOperation } from './begin-operation.ts';
import type { BlockDevice } from './block-device.ts';
import { FORMAT } from './medium-operation.ts';

/** FMTPINFO; only rows of disks with protection information have it. */
export const FMTPINFO = bits(1, 7, 6);
/**
 * FMTPINFO and PROTECTION FIELD USAGE (byte 0 of the list) that ask for each type (SBC-3 table 41). A format changes no type: the
 * image has the room it was made with.
 */
const FORMAT_INFORMATION = [0b00, 0b10, 0b11, 0b11];
const FIELD_USAGE = [0, 0, 0, 1];

const LONGLIST = bits(1, 5, 5);
const FMTDATA = bits(1, 4, 4);

export const FORMAT_UNIT = command(
  0x04,
  'FORMAT UNIT',
  6,
  {
    longList: LONGLIST,
    formatData: FMTDATA,
    // Both are about defects, of which a list of none is the only one there can be.
    completeList: bits(1, 3, 3),
    defectListFormat: bits(1, 2, 0),
  },
  {
    data: 'out',
    medium: 'required',
    attention: 'report',
    reservation: 'writes',
    extent: WRITES_UNIT,
    writes: true,
    clause: 'SBC-3 5.3',
  },
);

const SHORT_HEADER_BYTES = 4;
const LONG_HEADER_BYTES = 8;
const FOV = 0x80;
/** DPRY, DCRT, STPF and IP: they mean something with FOV = 1 only. */
const OPTIONS = 0x78;
const IP = 0x08;
const IMMED = 0x02;
const PATTERN_HEADER_BYTES = 4;
const DEFAULT_PATTERN = 0x00;
const REPEATED_PATTERN = 0x01;

interface Asked {
  readonly pattern: Uint8Array;
  readonly immediately: boolean;
}

/** Sense and field pointer of what is wrong. */
type Wrong = readonly [sense: number, pointer?: number];

const wrong = (pointer: number): Wrong => [INVALID_FIELD_IN_PARAMETER_LIST, pointer];

/** Reads the initialization pattern descriptor at `at` (SBC-3 table 39). */
function readPattern(list: Uint8Array, at: number, blockBytes: number): Uint8Array | Wrong {
  if (at + PATTERN_HEADER_BYTES > list.length) return [PARAMETER_LIST_LENGTH_ERROR];
  if (list[at] !== 0) return wrong(parameterBytePointer(at));
  const type = list[at + 1] as number;
  const length = ((list[at + 2] as number) << 8) | (list[at + 3] as number);
  if (type === DEFAULT_PATTERN && length === 0) return new Uint8Array(0);
  if (type !== REPEATED_PATTERN) return wrong(parameterBytePointer(at + 1));
  if (length === 0 || length > blockBytes) return wrong(parameterBytePointer(at + 2));
  const start = at + PATTERN_HEADER_BYTES;
  if (start + length > list.length) return [PARAMETER_LIST_LENGTH_ERROR];
  return list.slice(start, start + length);
}

/** Reads the parameter list (SBC-3 5.3.2). */
function readList(list: Uint8Array, long: boolean, block: BlockDevice): Asked | Wrong {
  const headerBytes = long ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES;
  if (list.length < headerBytes) return [PARAMETER_LIST_LENGTH_ERROR];
  const flags = list[1] as number;
  if (list[0] !== FIELD_USAGE[block.protectionType]) return wrong(parameterBytePointer(0));
  if ((flags & FOV) === 0 && (flags & OPTIONS) !== 0) return wrong(parameterPointer(1, 7));
  if (long && list[3] !== 0) return wrong(parameterBytePointer(3));
  const lengthAt = headerBytes - (long ? 4 : 2);
  if (list.subarray(lengthAt, headerBytes).some((byte) => byte !== 0)) {
    return wrong(parameterBytePointer(lengthAt));
  }
  const immediately = (flags & IMMED) !== 0;
  if ((flags & IP) === 0) return { pattern: new Uint8Array(0), immediately };
  const pattern = readPattern(list, headerBytes, block.blockBytes);
  return pattern instanceof Uint8Array ? { pattern, immediately } : pattern;
}

/** The CDB has no length of the list: it is as long as it needs to be, or the data-out buffer is too short. */
export function formatUnit(task: Task): void {
  const block = blockDeviceOf(task);
  const { blockBytes, protectionType } = block;
  const hasList = field(task.cdb, FMTDATA) === 1;
  if (
    field(task.cdb, FMTPINFO) !== FORMAT_INFORMATION[protectionType] ||
    (!hasList && FIELD_USAGE[protectionType] !== 0)
  ) {
    refuseField(task, FMTPINFO);
    return;
  }
  let asked: Asked | Wrong = { pattern: new Uint8Array(0), immediately: false };
  if (hasList) {
    const most = LONG_HEADER_BYTES + PATTERN_HEADER_BYTES + blockBytes;
    const list = new Uint8Array(Math.min(task.dataOut.bytes, most));
    task.dataOut.get(0, list, 0, list.length);
    task.dataOutWanted = list.length;
    task.dataOutMoved = list.length;
    asked = readList(list, field(task.cdb, LONGLIST) === 1, block);
  }
  if ('pattern' in asked) {
    const { pattern, immediately } = asked;
    const plan = { kind: FORMAT, count: 1, invert: false, pattern, mayExit: false } as const;
    beginOperation(task, plan, immediately);
  } else {
    refuse(task, ...asked);
  }
}
