/** One check of a target: what the standard asks for, where it says so, and a function that looks. */
import type { ExecuteRequest } from '../initiator/initiator.ts';
import type { CommandResult } from '../initiator/request.ts';

/** What the checks need of an initiator, whatever its transport. */
export interface CheckedInitiator {
  execute(request: ExecuteRequest): Promise<CommandResult>;
  abortTaskSet(lun: number): Promise<void>;
  logicalUnitReset(lun: number): Promise<void>;
}

export interface Check {
  readonly command: string;
  readonly clause: string;
  readonly check: string;
  /** It writes to the medium or resets the unit. */
  readonly destructive?: true;
  /** Resolves with what was seen. Throws Deviation, NotSupported or NotApplicable. */
  run(unit: CheckedUnit): Promise<string>;
}

/** The target does something else than the standard says. */
export class Deviation extends Error {}
/** The target does not have what the check is about, and need not. */
export class NotSupported extends Error {}
/** The check is about targets of another kind. */
export class NotApplicable extends Error {}

const GOOD = 0x00;
const CHECK_CONDITION = 0x02;
const UNIT_ATTENTION = 6;
const MAX_ATTENTIONS = 16;
const DEFAULT_ROOM = 4096;

/** `GOOD`, `5/24/00`, `status 18h`. */
export function seen({ status, sense }: CommandResult): string {
  const hex = (value: number): string => value.toString(16).padStart(2, '0');
  if (status === CHECK_CONDITION && sense !== null) {
    return `${sense.key.toString(16)}/${hex(sense.asc)}/${hex(sense.ascq)}`;
  }
  return status === GOOD ? 'GOOD' : `status ${hex(status)}h`;
}

/** Bytes of a CDB as hexadecimal pairs. */
export function cdb(text: string): Uint8Array {
  return Uint8Array.from(text.trim().split(/\s+/), (pair) => Number.parseInt(pair, 16));
}

export function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Deviation(otherwise);
}

export interface Sizes {
  readonly blocks: number;
  readonly blockBytes: number;
}

/** The logical unit under test. */
export class CheckedUnit {
  readonly initiator: CheckedInitiator;
  readonly lun: number;

  constructor(initiator: CheckedInitiator, lun: number) {
    this.initiator = initiator;
    this.lun = lun;
  }

  run(
    command: string | Uint8Array,
    options: { readonly room?: number; readonly dataOut?: Uint8Array } = {},
  ): Promise<CommandResult> {
    const { room = DEFAULT_ROOM, dataOut } = options;
    const bytes = typeof command === 'string' ? cdb(command) : command;
    const data = dataOut === undefined ? { dataInBytes: room } : { dataOut };
    return this.initiator.execute({ lun: this.lun, cdb: bytes, ...data });
  }

  /** A command without data. */
  plain(command: string | Uint8Array): Promise<CommandResult> {
    return this.run(command, { room: 0 });
  }

  /** Data of a command every target must do. */
  async data(command: string, room = DEFAULT_ROOM): Promise<Uint8Array> {
    const result = await this.run(command, { room });
    expect(result.status === GOOD, `${seen(result)} instead of GOOD`);
    return result.dataIn;
  }

  /** Data of a command a target may lack. */
  async optional(command: string, room = DEFAULT_ROOM): Promise<Uint8Array> {
    const result = await this.run(command, { room });
    refused(result);
    expect(result.status === GOOD, `${seen(result)} instead of GOOD`);
    return result.dataIn;
  }

  /** The unit attentions that wait, in order. */
  async attentions(): Promise<string[]> {
    const found: string[] = [];
    while (found.length < MAX_ATTENTIONS) {
      // biome-ignore lint/performance/noAwaitInLoops: one command after the other is what is checked
      const result = await this.plain('00 00 00 00 00 00');
      if (result.sense?.key !== UNIT_ATTENTION) break;
      found.push(seen(result));
    }
    return found;
  }

  async sizes(): Promise<Sizes> {
    const data = view(await this.data('25 00 00 00 00 00 00 00 00 00', 8));
    expect(data.byteLength === 8, `${data.byteLength} bytes of READ CAPACITY(10) instead of 8`);
    return { blocks: data.getUint32(0) + 1, blockBytes: data.getUint32(4) };
  }
}

/** Throws NotSupported when the command was refused as unknown, or as one with unknown fields. */
export function refused(result: CommandResult): void {
  const outcome = seen(result);
  if (outcome === '5/20/00' || outcome === '5/24/00') throw new NotSupported(outcome);
}

export function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
