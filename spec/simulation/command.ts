/** Commands as the simulation means them, and the bytes it sends for them (CDB layouts: SPC-4 clause 6, SBC-3 clause 5). */

export const BLOCK_BYTES = 512;

export type Kind =
  | 'read'
  | 'write'
  | 'write-same'
  | 'unmap'
  | 'compare-and-write'
  | 'or-write'
  | 'sync'
  | 'tur'
  | 'inquiry'
  | 'request-sense'
  | 'report-luns'
  | 'read-capacity'
  | 'mode-select'
  | 'start-stop'
  | 'prevent'
  | 'unknown-opcode'
  | 'unknown-service-action';

/** A run of blocks. */
export interface Range {
  readonly lba: number;
  readonly blocks: number;
}

/** What MODE SELECT asks for in the Control and Caching pages; whole pages are sent. */
export interface ModeValues {
  readonly tst: number;
  readonly qam: number;
  readonly qerr: number;
  readonly interlock: number;
  readonly tas: boolean;
  readonly swp: boolean;
  readonly dSense: boolean;
  readonly wce: boolean;
}

/** One command. Every block it writes holds one 32-bit value over and over, so that a torn block shows. */
export interface Command {
  readonly kind: Kind;
  /** CDB bytes: 6, 10, 12 or 16. */
  readonly length: number;
  readonly range: Range;
  readonly fua: boolean;
  /** A reserved bit is set. */
  readonly stray: boolean;
  /** WRITE SAME: the UNMAP bit; START STOP UNIT: START; PREVENT ALLOW MEDIUM REMOVAL: PREVENT; REQUEST SENSE: DESC. */
  readonly flag: boolean;
  /** START STOP UNIT: LOEJ. */
  readonly loej: boolean;
  readonly naca: boolean;
  /** The value written (or ORed in) per block. */
  readonly values: readonly number[];
  /** COMPARE AND WRITE: the value each block is compared with. */
  readonly compared: readonly number[];
  /** UNMAP descriptors. */
  readonly unmapped: readonly Range[];
  readonly mode: ModeValues | null;
  /** Bytes of the data-in buffer. */
  readonly inBytes: number;
  /** Bytes cut off (negative) the data-out buffer. */
  readonly outCut: number;
}

const READ = { 6: 0x08, 10: 0x28, 12: 0xa8, 16: 0x88 } as const;
const WRITE = { 6: 0x0a, 10: 0x2a, 12: 0xaa, 16: 0x8a } as const;

function put(cdb: Uint8Array, at: number, width: number, value: number): void {
  let rest = value;
  for (let i = width - 1; i >= 0; i -= 1) {
    cdb[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function transfer(
  command: Command,
  opcodes: Readonly<Record<6 | 10 | 12 | 16, number>>,
): Uint8Array {
  const { length, range, fua, stray } = command;
  const cdb = new Uint8Array(length);
  cdb[0] = opcodes[length as 6];
  if (length === 6) {
    put(cdb, 1, 3, range.lba);
    cdb[4] = range.blocks;
  } else {
    cdb[1] = fua ? 0x08 : 0;
    put(cdb, 2, length === 16 ? 8 : 4, range.lba);
    if (length === 10) put(cdb, 7, 2, range.blocks);
    else put(cdb, length === 12 ? 6 : 10, 4, range.blocks);
  }
  // Bit 7 of byte 1 is reserved, or RDPROTECT and WRPROTECT, which an unprotected disk refuses.
  if (stray) (cdb[1] as number) |= 0x80;
  return cdb;
}

function sixteen(command: Command, opcode: number, lengthAt: number, width: number): Uint8Array {
  const cdb = new Uint8Array(16);
  cdb[0] = opcode;
  cdb[1] = (command.fua ? 0x08 : 0) | (command.stray ? 0x80 : 0);
  put(cdb, 2, 8, command.range.lba);
  put(cdb, lengthAt, width, command.range.blocks);
  return cdb;
}

/** Bytes of a CDB that is not a transfer. */
const PLAIN: Partial<Record<Kind, readonly number[]>> = {
  tur: [0, 0, 0, 0, 0, 0],
  inquiry: [0x12, 0, 0, 0, 96, 0],
  'report-luns': [0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
  'read-capacity': [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  sync: [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  // UPDATE BLOCK, obsolete.
  'unknown-opcode': [0x3d, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  'unknown-service-action': [0x9e, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
};

function bytesWithoutControl(command: Command): Uint8Array {
  switch (command.kind) {
    case 'read':
      return transfer(command, READ);
    case 'write':
      return transfer(command, WRITE);
    case 'write-same': {
      const cdb = sixteen(command, 0x93, 10, 4);
      if (command.flag) (cdb[1] as number) |= 0x08;
      return cdb;
    }
    case 'compare-and-write':
      return sixteen(command, 0x89, 13, 1);
    case 'or-write':
      return sixteen(command, 0x8b, 10, 4);
    case 'unmap':
      return Uint8Array.of(0x42, 0, 0, 0, 0, 0, 0, 0, 8 + command.unmapped.length * 16, 0);
    case 'request-sense':
      return Uint8Array.of(0x03, command.flag ? 1 : 0, 0, 0, 252, 0);
    case 'mode-select':
      return Uint8Array.of(0x15, 0x10 | (command.stray ? 1 : 0), 0, 0, MODE_LIST_BYTES, 0);
    case 'start-stop':
      return Uint8Array.of(0x1b, 0, 0, 0, (command.loej ? 2 : 0) | (command.flag ? 1 : 0), 0);
    case 'prevent':
      return Uint8Array.of(0x1e, 0, 0, 0, command.flag ? 1 : 0, 0);
    default:
      return Uint8Array.from(PLAIN[command.kind] ?? []);
  }
}

/** The CDB. */
export function cdbOf(command: Command): Uint8Array {
  const cdb = bytesWithoutControl(command);
  if (command.naca) (cdb[cdb.length - 1] as number) |= 0x04;
  return cdb;
}

function fill(bytes: Uint8Array, block: number, value: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 0; at < BLOCK_BYTES; at += 4) view.setUint32(block * BLOCK_BYTES + at, value);
}

function blocksOf(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * BLOCK_BYTES);
  for (const [block, value] of values.entries()) fill(bytes, block, value);
  return bytes;
}

function unmapList(ranges: readonly Range[]): Uint8Array {
  const list = new Uint8Array(8 + ranges.length * 16);
  put(list, 0, 2, list.length - 2);
  put(list, 2, 2, ranges.length * 16);
  for (const [i, { lba, blocks }] of ranges.entries()) {
    put(list, 8 + i * 16, 8, lba);
    put(list, 16 + i * 16, 4, blocks);
  }
  return list;
}

const MODE_LIST_BYTES = 4 + 20 + 12;

/** Header, Caching page, Control page (SPC-4 7.5.5, 7.5.8; SBC-3 6.5.5); what is not changeable as MODE SENSE gives it. */
function modeList(mode: ModeValues): Uint8Array {
  const list = new Uint8Array(MODE_LIST_BYTES);
  list.set([0x08, 18, mode.wce ? 0x04 : 0], 4);
  list.set(
    [
      0x0a,
      10,
      (mode.tst << 5) | (mode.dSense ? 0x04 : 0) | 0x02,
      (mode.qam << 4) | (mode.qerr << 1),
      (mode.interlock << 4) | (mode.swp ? 0x08 : 0),
      mode.tas ? 0x40 : 0,
      0,
      0,
      0x01,
      0x2c,
      0xff,
      0xff,
    ],
    24,
  );
  return list;
}

/** The data-out buffer. */
export function dataOutOf(command: Command): Uint8Array {
  const whole = wholeDataOut(command);
  return command.outCut > 0 ? whole.subarray(0, Math.max(0, whole.length - command.outCut)) : whole;
}

function wholeDataOut(command: Command): Uint8Array {
  switch (command.kind) {
    case 'write':
    case 'write-same':
    case 'or-write':
      return blocksOf(command.values);
    case 'compare-and-write':
      return blocksOf([...command.compared, ...command.values]);
    case 'unmap':
      return unmapList(command.unmapped);
    case 'mode-select':
      return command.mode === null ? new Uint8Array(0) : modeList(command.mode);
    default:
      return new Uint8Array(0);
  }
}

/** Whether a command changes the medium. */
export function isWriter({ kind }: Pick<Command, 'kind'>): boolean {
  return (
    kind === 'write' ||
    kind === 'write-same' ||
    kind === 'unmap' ||
    kind === 'compare-and-write' ||
    kind === 'or-write'
  );
}

/** The blocks a command reads or writes, as its CDB and parameter list say; capacity for WRITE SAME to the end. */
export function rangesOf(command: Command): readonly Range[] {
  if (command.kind === 'unmap') return command.unmapped;
  return isWriter(command) || command.kind === 'read' ? [command.range] : [];
}

/** One line for a trace. */
export function describeCommand(command: Command): string {
  const { kind, range, values, naca, stray, flag, loej, fua, mode, outCut } = command;
  const where = rangesOf(command)
    .map(({ lba, blocks }) => ` ${lba}+${blocks}`)
    .join(',');
  const value = values.length > 0 ? ` =${(values[0] as number).toString(16)}` : '';
  const bits = [
    fua ? ' FUA' : '',
    naca ? ' NACA' : '',
    stray ? ' stray' : '',
    flag ? ' flag' : '',
    loej ? ' LOEJ' : '',
    outCut > 0 ? ` cut ${outCut}` : '',
  ].join('');
  const settings = mode === null ? '' : ` ${JSON.stringify(mode)}`;
  return `${kind}${where === '' && range.blocks > 0 ? ` ${range.lba}+${range.blocks}` : where}${value}${bits}${settings}`;
}

/** A command that has nothing special about it. */
export const PLAIN_COMMAND: Command = {
  kind: 'tur',
  length: 6,
  range: { lba: 0, blocks: 0 },
  fua: false,
  stray: false,
  flag: false,
  loej: false,
  naca: false,
  values: [],
  compared: [],
  unmapped: [],
  mode: null,
  inBytes: 0,
  outCut: 0,
};
