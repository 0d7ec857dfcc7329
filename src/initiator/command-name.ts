/** Names of commands for messages, and the LBA a CDB names, from the command rows of the disk type. */
import { field } from '../scsi/cdb.ts';
import type { Command } from '../scsi/command-table.ts';
import { fullDisk, fullProtectedDisk } from '../scsi/sbc/disk-type.ts';

const hex = (value: number): string => value.toString(16).padStart(2, '0');

function commandOf(cdb: Uint8Array): Command | null {
  const opcode = cdb[0] ?? 0;
  const entry = fullDisk.opcodes[opcode] ?? fullProtectedDisk.opcodes[opcode] ?? null;
  if (entry === null) return null;
  return entry.single ?? entry.byServiceAction?.get(field(cdb, entry.serviceAction)) ?? null;
}

/** Name of the command in T10 spelling, or its opcode. */
export function cdbName(cdb: Uint8Array): string {
  return commandOf(cdb)?.row.name ?? `command ${hex(cdb[0] ?? 0)}h`;
}

/** LOGICAL BLOCK ADDRESS of a CDB that has one, else null. */
export function cdbLba(cdb: Uint8Array): number | null {
  const row = commandOf(cdb)?.row ?? null;
  return row === null || row.lba === null ? null : field(cdb, row.lba);
}
