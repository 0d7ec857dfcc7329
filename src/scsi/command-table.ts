/** Command rows (one per opcode and service action, the only place that knows it) and the table of a device type. */
import {
  type CdbField,
  type CdbFields,
  controlByteOf,
  honouredBits,
  serviceActionField,
  usageMap,
} from './cdb.ts';
import type { Task } from './task.ts';

/** How a task is ordered against others by the blocks it touches (QUEUE ALGORITHM MODIFIER 0, SAM-5 8). */
export const TOUCHES_NOTHING = 0;
export const READS_EXTENT = 1;
export const WRITES_EXTENT = 2;
/** Writes somewhere on the logical unit, known only from the parameter list (UNMAP). */
export const WRITES_UNIT = 3;
/** Reads somewhere on the logical unit, known only from the parameter list (POPULATE TOKEN). */
export const READS_UNIT = 4;
export type Extent =
  | typeof TOUCHES_NOTHING
  | typeof READS_EXTENT
  | typeof WRITES_EXTENT
  | typeof WRITES_UNIT
  | typeof READS_UNIT;

/** What a pending unit attention does to the command (SAM-5 5.14). */
export type AttentionPolicy = 'report' | 'ignore' | 'clear';

/**
 * What a reservation of another nexus does to the command (SPC-4 table 51, SPC-2 table 10).
 *   always   nothing
 *   allowed  nothing, but RESERVE(6) and (10) exclude it
 *   persistent  nothing, but RESERVE(6) and (10) exclude it, whoever sends it (SPC-2 5.5.1)
 *   reads    exclusive access excludes it
 *   writes   every reservation excludes it, but for registrants where registrants share
 */
export type ReservationClass = 'always' | 'allowed' | 'persistent' | 'reads' | 'writes';

/** What a TRANSFER LENGTH of zero means. */
export type ZeroBlocks = 'none' | '256' | 'rest';

/**
 * What a command is to the disc in a burner, which may be burnt by another initiator or be worked on by the drive itself.
 *   changes  it changes what is burnt, or how
 *   reads    it moves the laser, which a session at once needs until its end
 *   moves    it takes the disc out, or in
 *   uses     it has to do with the disc, though its row does not require one
 */
export type BurnEffect = 'changes' | 'reads' | 'moves' | 'uses';

export interface CommandPolicy {
  /** Direction of the data, seen from the initiator. */
  readonly data: 'none' | 'in' | 'out' | 'both';
  /** `required`: the medium must be ready (and is checked before the CDB's range). */
  readonly medium: 'required' | 'none';
  readonly attention: AttentionPolicy;
  /** A function when it depends on the CDB. */
  readonly reservation: ReservationClass | ((task: Task) => ReservationClass);
  readonly extent: Extent;
  readonly zeroBlocks?: ZeroBlocks;
  /** The command changes the medium: refused when the logical unit is write protected. */
  readonly writes?: boolean;
  /** Absent: `changes` of a row that writes, `reads` of one that reads blocks, else none. A function when it depends on the CDB. */
  readonly burn?: BurnEffect | ((cdb: Uint8Array) => BurnEffect);
  /** Not about the medium, though it is ordered with commands that are: it is served when that changes meanwhile. */
  readonly anyMedium?: boolean;
  /** Served in the standby state as well (SPC-4 5.15.2.4.4); the others answer 2/04/0B there. */
  readonly standby?: boolean;
  /** Clause of the standard. */
  readonly clause: string;
}

/** One command: what T10 says about it. Rows are data; handlers are attached by `deviceType`. */
export interface CommandRow extends CommandPolicy {
  readonly opcode: number;
  /** -1 when the opcode has none. */
  readonly serviceAction: number;
  readonly name: string;
  readonly lengthBytes: number;
  readonly fields: CdbFields;
  /** CDB usage data (SPC-4 6.29.3). */
  readonly usage: Uint8Array;
  /** Bits that may be set: `usage` with every bit of the fields that choose the command. */
  readonly honoured: Uint8Array;
  /** The LBA and TRANSFER LENGTH fields, when the row orders by extent. */
  readonly lba: CdbField | null;
  readonly blocks: CdbField | null;
  /** CONTROL byte position. */
  readonly controlByte: number;
}

/** READ and what else reads blocks for the initiator: what the logs count as reads. */
export function readsBlocks({ extent, data }: CommandRow): boolean {
  return extent === READS_EXTENT && data === 'in';
}

/** WRITE and what else writes blocks that the initiator sends. What burns a disc has an order of its own. */
export function writesBlocks({ extent, data, lba }: CommandRow): boolean {
  return data !== 'none' && (extent === WRITES_EXTENT || (extent === WRITES_UNIT && lba !== null));
}

/** What a command is to the disc in a burner; null: nothing. */
export function burnEffect(row: CommandRow, cdb: Uint8Array): BurnEffect | null {
  const { burn, writes, extent, medium } = row;
  if (burn !== undefined) return typeof burn === 'string' ? burn : burn(cdb);
  if (writes === true) return 'changes';
  const reads = extent === READS_EXTENT || extent === READS_UNIT;
  return reads && medium === 'required' ? 'reads' : null;
}

/** NACA, the one bit of the CONTROL byte that means something (SAM-5 5.2). */
export const NACA = 0x04;

/** Declares a command. Throws RangeError at import when fields overlap or leave the CDB. */
export function command<const F extends CdbFields>(
  opcode: number,
  name: string,
  lengthBytes: number,
  fields: F,
  policy: CommandPolicy,
  serviceAction = -1,
): CommandRow & { readonly fields: F } {
  const all: CdbFields = fields;
  const controlByte = controlByteOf(opcode, lengthBytes);
  const usage = usageMap(name, opcode, serviceAction, lengthBytes, fields);
  (usage[controlByte] as number) |= NACA;
  return {
    ...policy,
    opcode,
    serviceAction,
    name,
    lengthBytes,
    fields,
    usage,
    honoured: honouredBits(usage, serviceAction),
    lba: all['lba'] ?? null,
    blocks: all['blocks'] ?? null,
    controlByte,
  };
}

/** Executes a command whose gates have passed. Ends by `task.unit.finish(task)`, at once or from a continuation. */
export type Handler = (task: Task) => void;

export interface Command {
  readonly row: CommandRow;
  readonly run: Handler;
}

/** All commands of one opcode: a single one, or one per service action. */
export interface OpcodeEntry {
  readonly single: Command | null;
  readonly byServiceAction: ReadonlyMap<number, Command> | null;
  /** Where the CDB has the service action. */
  readonly serviceAction: CdbField;
}

export interface DeviceType {
  /** Peripheral device type (SPC-4 6.4.2). */
  readonly peripheralType: number;
  /** Indexed by opcode. */
  readonly opcodes: readonly (OpcodeEntry | null)[];
  /** Every command in ascending (opcode, service action) order. */
  readonly commands: readonly Command[];
}

/** Composes the table of a device type. Throws on a duplicate (opcode, service action) or a mixture of both kinds. */
export function deviceType(
  peripheralType: number,
  commands: readonly (readonly [CommandRow, Handler])[],
): DeviceType {
  const opcodes = new Array<OpcodeEntry | null>(256).fill(null);
  const sorted = commands
    .map(([row, run]): Command => ({ row, run }))
    .sort((a, b) => a.row.opcode - b.row.opcode || a.row.serviceAction - b.row.serviceAction);
  for (const entry of sorted) {
    const { opcode, serviceAction, name } = entry.row;
    const present = opcodes[opcode] ?? null;
    const at = serviceActionField(opcode);
    if (serviceAction < 0) {
      if (present !== null)
        throw new RangeError(`Cannot compose device type: ${name} is there twice`);
      opcodes[opcode] = { single: entry, byServiceAction: null, serviceAction: at };
      continue;
    }
    const actions = new Map(present?.byServiceAction ?? []);
    if (actions.has(serviceAction) || present?.single) {
      throw new RangeError(`Cannot compose device type: ${name} is there twice`);
    }
    opcodes[opcode] = {
      single: null,
      byServiceAction: actions.set(serviceAction, entry),
      serviceAction: at,
    };
  }
  return { peripheralType, opcodes, commands: sorted };
}
