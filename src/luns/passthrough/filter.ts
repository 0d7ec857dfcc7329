/** The filter of passthrough: what one row of a table says about a command that may go to a real device. */
import { bits, type CdbField, type CdbFields, field } from '../../scsi/cdb.ts';
import {
  type AttentionPolicy,
  type CommandRow,
  command,
  type ReservationClass,
  WRITES_UNIT,
} from '../../scsi/command-table.ts';
import { cdbPointer, NONE } from '../../scsi/sense.ts';
import { INVALID_FIELD_IN_CDB } from '../../scsi/sense-codes.ts';
import type { Task } from '../../scsi/task.ts';

/** What is known of the device that lengths depend on. */
export interface TransferState {
  /** Bytes of a block as READ and WRITE count them. */
  readonly blockBytes: number;
  /** Bytes of `blocks` blocks from `lba` (signed) on, as WRITE sends them now; 0: that cannot be known. */
  writeBytes(lba: number, blocks: number): number;
}

export interface Refusal {
  readonly sense: number;
  readonly pointer: number;
}

/** Data length of a command, or why it is refused. A function of the CDB and of what was said to the device before. */
export type DataLength = (cdb: Uint8Array, state: TransferState) => number | Refusal;

/** Looks at a parameter list of which only this copy is sent. */
export type ListCheck = (list: Uint8Array, cdb: Uint8Array) => Refusal | null;

/** Values of a field that are let through. */
export interface Allowed {
  readonly field: CdbField;
  readonly values: readonly number[];
}

/** A transfer of blocks that may be sent in parts. */
export interface Parts {
  readonly lba: CdbField;
  readonly blocks: CdbField;
}

/**
 * What a command is to the owner of a burn. `writes`: it begins or goes on with one. `ends`: it does so, and one is over when it has
 * succeeded. `settles`: one of a whole session is over when it has succeeded. `moves`: it would take the disc away from the owner,
 * or change how it is written.
 */
export type BurnRole = 'writes' | 'ends' | 'settles' | 'moves';

/** What the daemon does beside sending it. */
export type Special = 'start-stop' | 'prevent' | 'mode-select' | 'cue-sheet' | 'key' | 'ready';

export interface PassedCommand {
  readonly opcode: number;
  /** -1: the operation code has none. */
  readonly serviceAction: number;
  readonly name: string;
  readonly cdbBytes: number;
  readonly data: 'none' | 'in' | 'out';
  readonly length: DataLength;
  /** The field of an allocation length, which is lowered to what the host can move. */
  readonly allocation: CdbField | null;
  readonly allowed: readonly Allowed[];
  readonly list: ListCheck | null;
  readonly parts: Parts | null;
  readonly timeoutMs: number;
  /** It needs the medium. */
  readonly medium: boolean;
  readonly reservation: ReservationClass;
  readonly attention: AttentionPolicy;
  readonly burn: BurnRole | null;
  readonly special: Special | null;
  readonly clause: string;
}

export interface PassedOptions {
  readonly serviceAction?: number;
  readonly data?: 'in' | 'out';
  readonly length?: DataLength;
  readonly allocation?: CdbField;
  readonly allowed?: readonly Allowed[];
  readonly list?: ListCheck;
  readonly parts?: Parts;
  readonly timeoutMs?: number;
  readonly medium?: boolean;
  readonly reservation?: ReservationClass;
  readonly attention?: AttentionPolicy;
  readonly burn?: BurnRole;
  readonly special?: Special;
}

const SECOND_MS = 1000;
export const MINUTE_MS: number = 60 * SECOND_MS;
export const HOUR_MS: number = 60 * MINUTE_MS;
/** What most commands may take. */
export const SHORT_MS: number = 30 * SECOND_MS;
/** Reads of a bad disc, and whatever waits for a mechanism. */
export const MEDIUM_MS: number = MINUTE_MS;

const NO_DATA: DataLength = () => 0;

/** Declares a row of the filter. Without `data` none is moved; without `reservation` it is excluded by every reservation. */
export function passed(
  opcode: number,
  name: string,
  cdbBytes: number,
  clause: string,
  options: PassedOptions = {},
): PassedCommand {
  const { allocation = null } = options;
  return {
    opcode,
    serviceAction: options.serviceAction ?? -1,
    name,
    cdbBytes,
    data: options.data ?? 'none',
    length: options.length ?? (allocation === null ? NO_DATA : (cdb) => field(cdb, allocation)),
    allocation,
    allowed: options.allowed ?? [],
    list: options.list ?? null,
    parts: options.parts ?? null,
    timeoutMs: options.timeoutMs ?? SHORT_MS,
    medium: options.medium ?? false,
    reservation: options.reservation ?? 'writes',
    attention: options.attention ?? 'report',
    burn: options.burn ?? null,
    special: options.special ?? null,
    clause,
  };
}

/** The data-in is as long as a field says, at most. */
export const dataIn = (
  allocation: CdbField,
): Pick<PassedOptions, 'data' | 'allocation' | 'reservation'> => ({
  data: 'in',
  allocation,
  reservation: 'reads',
});

/** The data-out is as long as a field says. */
export const dataOut = (length: CdbField): Pick<PassedOptions, 'data' | 'length'> => ({
  data: 'out',
  length: (cdb) => field(cdb, length),
});

/** The data-in has a length of its own. */
export const fixedIn = (bytes: number): Pick<PassedOptions, 'data' | 'length' | 'reservation'> => ({
  data: 'in',
  length: () => bytes,
  reservation: 'reads',
});

/** Only zero is let through. */
export const zero = (of: CdbField): Allowed => ({ field: of, values: [0] });

/** 5/24/00 with a pointer to the field. */
export function refusedField({ byte, mask }: CdbField): Refusal {
  return { sense: INVALID_FIELD_IN_CDB, pointer: cdbPointer(byte, 31 - Math.clz32(mask)) };
}

/** Why the filter refuses a CDB, or null. */
export function refusalOf(row: PassedCommand, cdb: Uint8Array): Refusal | null {
  for (const { field: at, values } of row.allowed) {
    if (!values.includes(field(cdb, at))) return refusedField(at);
  }
  return null;
}

/** Signed: addresses in front of a CD's first track are negative. */
export const lbaOf = (cdb: Uint8Array, at: CdbField): number =>
  at.width === 4 ? field(cdb, at) | 0 : field(cdb, at);

const NACA_BIT = 0x04;

/** All bits of a CDB but those that say which command it is, as fields: the device is to judge them. */
function everyBit(row: PassedCommand): CdbFields {
  const fields: Record<string, CdbField> = {};
  for (let byte = 1; byte < row.cdbBytes; byte += 1) {
    if (row.serviceAction >= 0 && byte === 1) fields['byte1'] = bits(1, 7, 5);
    else fields[`byte${byte}`] = bits(byte, 7, 0);
  }
  return fields;
}

/** The same command as a row of the core. It is ordered with every other one: the device does one at a time. */
export function commandRow(row: PassedCommand): CommandRow {
  return command(
    row.opcode,
    row.name,
    row.cdbBytes,
    everyBit(row),
    {
      data: row.data,
      medium: row.medium ? 'required' : 'none',
      anyMedium: !row.medium,
      attention: row.attention,
      reservation: row.reservation,
      extent: WRITES_UNIT,
      clause: row.clause,
    },
    row.serviceAction,
  );
}

/** What goes to the device: as many bytes as the command has, without NACA. */
export function sentCdb(row: PassedCommand, task: Task): Uint8Array {
  const cdb = task.cdb.slice(0, row.cdbBytes);
  const control = row.cdbBytes - 1;
  cdb[control] = (cdb[control] as number) & ~NACA_BIT;
  return cdb;
}

export function isRefusal(length: number | Refusal): length is Refusal {
  return typeof length !== 'number';
}

/** A refusal without a pointer. */
export const refused = (sense: number, pointer: number = NONE): Refusal => ({ sense, pointer });
