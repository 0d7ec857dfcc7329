/** Command rows of disks with protection information: the protect field of each command, and the commands with 32-byte CDBs. */
import { bits, type CdbFields, field, u, VARIABLE_LENGTH } from '../../cdb.ts';
import { type CommandPolicy, type CommandRow, command } from '../../command-table.ts';
import { FMTPINFO, FORMAT_UNIT } from '../format-unit.ts';
import { READ_16 } from '../read.ts';
import { VERIFY_16 } from '../verify.ts';
import { WRITE_16 } from '../write.ts';
import { WRITE_SAME_16 } from '../write-same.ts';
import { WRITE_AND_VERIFY_16 } from '../write-verify.ts';
import type { ExpectedTags } from './information.ts';

/** RDPROTECT, WRPROTECT, VRPROTECT, ORPROTECT: the same bits of byte 1, or of byte 10 where the CDB has 32 bytes. */
const PROTECT = bits(1, 7, 5);
const PROTECT_32 = bits(10, 7, 5);
const DPO_32 = bits(10, 4, 4);
const FUA_32 = bits(10, 3, 3);
const FUA_NV_32 = bits(10, 1, 1);
const BYTCHK = bits(1, 2, 1);
const BYTCHK_32 = bits(10, 2, 1);
const NDOB = bits(1, 0, 0);
const NDOB_32 = bits(10, 0, 0);
/** FUA and FUA_NV, in the byte that has them. */
const FUA_BITS = 0x0a;
const EXPECTED_REFERENCE = u(20, 4);
const EXPECTED_APPLICATION = u(24, 2);
const APPLICATION_MASK = u(26, 2);

/** The same command with its protect field. */
export function protectedRow(row: CommandRow): CommandRow {
  return command(
    row.opcode,
    row.name,
    row.lengthBytes,
    { protect: PROTECT, ...row.fields },
    row,
    row.serviceAction,
  );
}

const FIELDS_32 = {
  group: bits(6, 4, 0),
  protect: PROTECT_32,
  lba: u(12, 8),
  expectedReference: EXPECTED_REFERENCE,
  expectedApplication: EXPECTED_APPLICATION,
  applicationMask: APPLICATION_MASK,
  blocks: u(28, 4),
} as const;

function row32(
  serviceAction: number,
  name: string,
  fields: CdbFields,
  policy: CommandPolicy,
  clause: string,
): CommandRow {
  return command(
    VARIABLE_LENGTH,
    name,
    32,
    { ...FIELDS_32, ...fields },
    { ...policy, clause },
    serviceAction,
  );
}

const ACCESS_32 = { dpo: DPO_32, fua: FUA_32, fuaNv: FUA_NV_32 };
const VERIFY_FIELDS_32 = { dpo: DPO_32, bytchk: BYTCHK_32 };

export const READ_32: CommandRow = row32(0x0009, 'READ(32)', ACCESS_32, READ_16, 'SBC-3 5.14');
export const VERIFY_32: CommandRow = row32(
  0x000a,
  'VERIFY(32)',
  VERIFY_FIELDS_32,
  VERIFY_16,
  'SBC-3 5.32',
);
export const WRITE_32: CommandRow = row32(0x000b, 'WRITE(32)', ACCESS_32, WRITE_16, 'SBC-3 5.36');
export const WRITE_AND_VERIFY_32: CommandRow = row32(
  0x000c,
  'WRITE AND VERIFY(32)',
  VERIFY_FIELDS_32,
  WRITE_AND_VERIFY_16,
  'SBC-3 5.40',
);
export const WRITE_SAME_32: CommandRow = row32(
  0x000d,
  'WRITE SAME(32)',
  { ndob: NDOB_32 },
  WRITE_SAME_16,
  'SBC-3 5.45',
);

/** FORMAT UNIT that can ask for a type of protection information. */
export const PROTECTED_FORMAT_UNIT: CommandRow = command(
  FORMAT_UNIT.opcode,
  FORMAT_UNIT.name,
  FORMAT_UNIT.lengthBytes,
  { formatInformation: FMTPINFO, ...FORMAT_UNIT.fields },
  FORMAT_UNIT,
);

export const isLong = (cdb: Uint8Array): boolean => cdb[0] === VARIABLE_LENGTH;
export const protectField = (cdb: Uint8Array) => (isLong(cdb) ? PROTECT_32 : PROTECT);
export const bytchkField = (cdb: Uint8Array) => (isLong(cdb) ? BYTCHK_32 : BYTCHK);
export const ndobOf = (cdb: Uint8Array): boolean => field(cdb, isLong(cdb) ? NDOB_32 : NDOB) !== 0;
/** Not for READ(6) and WRITE(6). */
export const fuaOf = (cdb: Uint8Array): boolean =>
  ((cdb[isLong(cdb) ? FUA_32.byte : PROTECT.byte] as number) & FUA_BITS) !== 0;

/** The tags a 32-byte CDB says the blocks have. */
export function expectedByCdb(cdb: Uint8Array): ExpectedTags {
  return {
    reference: field(cdb, EXPECTED_REFERENCE),
    application: field(cdb, EXPECTED_APPLICATION),
    applicationMask: field(cdb, APPLICATION_MASK),
  };
}
