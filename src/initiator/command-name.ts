/** Names of commands for messages, and the LBA a CDB names, from the command rows of a device type. */

import { opticalTable } from '../luns/passthrough/optical-table.ts';
import { changerTable, tapeTable } from '../luns/passthrough/tape-tables.ts';
import { field, serviceActionField } from '../scsi/cdb.ts';
import type { CommandRow } from '../scsi/command-table.ts';
import { CD_DVD, writeDrive } from '../scsi/mmc/optical-type.ts';
import { DIRECT_ACCESS_BLOCK, fullDisk, fullProtectedDisk } from '../scsi/sbc/disk-type.ts';
import { spcCommands } from '../scsi/spc/commands.ts';

const SEQUENTIAL_ACCESS = 0x01;
const MEDIUM_CHANGER = 0x08;

interface Named {
  readonly opcode: number;
  readonly serviceAction: number;
  readonly name: string;
}

const keyOf = (opcode: number, serviceAction: number): number => opcode * 0x10000 + serviceAction;

/** The rows by what chooses them; what comes first counts. */
function indexOf<N extends Named>(rows: readonly N[]): ReadonlyMap<number, N> {
  return new Map(
    rows.toReversed().map((row) => [keyOf(row.opcode, row.serviceAction), row] as const),
  );
}

function rowOf<N extends Named>(rows: ReadonlyMap<number, N>, cdb: Uint8Array): N | null {
  const opcode = cdb[0] ?? 0;
  // On a drive A3h with a service action is SPC's, and without one that is known SEND KEY.
  const action = field(cdb, serviceActionField(opcode));
  return rows.get(keyOf(opcode, action)) ?? rows.get(keyOf(opcode, -1)) ?? null;
}

const DISK_ROWS: readonly CommandRow[] = [...fullDisk.commands, ...fullProtectedDisk.commands].map(
  ({ row }) => row,
);
const OPTICAL_ROWS: readonly Named[] = [
  ...writeDrive.commands.map(({ row }) => row),
  ...opticalTable,
];
const SHARED_ROWS: readonly Named[] = spcCommands.map(([row]) => row);

const disk = indexOf(DISK_ROWS);
/** One operation code means one thing on a disk and another on a drive: 53h is XDWRITEREAD(10), or RESERVE TRACK. */
const namesByType: ReadonlyMap<number, ReadonlyMap<number, Named>> = new Map([
  [DIRECT_ACCESS_BLOCK, indexOf<Named>(DISK_ROWS)],
  [SEQUENTIAL_ACCESS, indexOf([...tapeTable, ...SHARED_ROWS])],
  [CD_DVD, indexOf(OPTICAL_ROWS)],
  [MEDIUM_CHANGER, indexOf([...changerTable, ...SHARED_ROWS])],
]);
/** Of a unit that nobody knows the type of: the names of disks, and of drives what a disk does not have. */
const namesOfAny = indexOf([...DISK_ROWS, ...OPTICAL_ROWS]);

/** Name of the command in T10 spelling, or its opcode. `peripheralType` (SPC-4 6.4.2) is that of the unit it went to, where that is known. */
export function cdbName(cdb: Uint8Array, peripheralType = -1): string {
  const names = namesByType.get(peripheralType) ?? namesOfAny;
  const opcode = (cdb[0] ?? 0).toString(16).padStart(2, '0');
  return rowOf(names, cdb)?.name ?? `command ${opcode}h`;
}

/** LOGICAL BLOCK ADDRESS of a CDB to a disk that has one, else null. */
export function cdbLba(cdb: Uint8Array): number | null {
  const row = rowOf(disk, cdb);
  return row === null || row.lba === null ? null : field(cdb, row.lba);
}
