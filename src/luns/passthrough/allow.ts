/** Operation codes that an operator lets through beside the table of the type: plain data, as they come from the configuration. */
import { bits, u } from '../../scsi/cdb.ts';
import {
  dataIn,
  dataOut,
  HOUR_MS,
  type PassedCommand,
  type PassedOptions,
  passed,
} from './filter.ts';

export interface AllowedOpcode {
  readonly opcode: number;
  readonly data: 'none' | 'in' | 'out';
  /** First and last byte of the length field in the CDB; both 0 without data. */
  readonly lengthFirst: number;
  readonly lengthLast: number;
  readonly cdbBytes: number;
}

const WRITE_BUFFER = 0x3b;
/** Not the modes that download microcode (4h to 7h, Dh to Fh), which nobody lets through. */
const WRITE_BUFFER_MODES = { field: bits(1, 4, 0), values: [0x0, 0x1, 0x2, 0xa, 0xb] };

/** CDB length by the group of an operation code (SPC-4 4.2.5.1); vendor groups have ten or twelve bytes, so it should be said. */
export function defaultCdbBytes(opcode: number): number {
  return [6, 10, 10, 16, 16, 12, 10, 12][opcode >> 5] ?? 12;
}

export function allowedRow(allowed: AllowedOpcode): PassedCommand {
  const { opcode, data, lengthFirst, lengthLast, cdbBytes } = allowed;
  const at = u(lengthFirst, lengthLast - lengthFirst + 1);
  let moves: PassedOptions = {};
  if (data === 'in') moves = dataIn(at);
  if (data === 'out') moves = dataOut(at);
  const name = `OPERATION CODE ${opcode.toString(16).toUpperCase().padStart(2, '0')}h`;
  return passed(opcode, name, cdbBytes, 'allow=', {
    ...moves,
    allowed: opcode === WRITE_BUFFER ? [WRITE_BUFFER_MODES] : [],
    reservation: 'writes',
    timeoutMs: HOUR_MS,
  });
}
