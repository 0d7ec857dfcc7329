/** A guest of the demo: a process of its own with its own shared memory, told by its parent what to do with its disks. */
import { Buffer } from 'node:buffer';
import type { BlockAccess } from '../initiator/block-access.ts';
import { ScsiError, TaskAbortedError } from '../initiator/errors.ts';
import { type ExecuteRequest, type Initiator, openInitiator } from '../initiator/initiator.ts';
import type { CommandResult } from '../initiator/request.ts';
import { GOOD } from '../scsi/sam.ts';
import { senseText } from '../scsi/sense-text.ts';
import { GuestDrive } from './demo-drive.ts';
import { fillPattern, firstWrongBlock } from './demo-pattern.ts';

/** What a guest can be asked. */
export type GuestTask =
  | { readonly kind: 'login'; readonly connect: string; readonly name: string }
  | { readonly kind: 'identify' }
  | { readonly kind: 'luns' }
  | { readonly kind: 'inventory' }
  | {
      readonly kind: 'fill' | 'compare';
      readonly lun: number;
      readonly bytes: number;
      readonly depth: number;
    }
  | { readonly kind: 'ordered'; readonly lun: number; readonly slowLba: number }
  | { readonly kind: 'hang'; readonly lun: number; readonly lba: number }
  | { readonly kind: 'abort'; readonly lun: number; readonly lba: number }
  | { readonly kind: 'outOfRange'; readonly lun: number }
  | { readonly kind: 'reset'; readonly lun: number }
  | { readonly kind: 'attentions' | 'look' | 'readDisc' | 'eject'; readonly lun: number }
  | { readonly kind: 'copyDisc'; readonly from: number; readonly lun: number }
  | { readonly kind: 'logout' };

export interface GuestCall {
  readonly id: number;
  readonly task: GuestTask;
}

export type GuestAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly message: string };

export interface UnitDescription {
  readonly lun: number;
  readonly vendor: string;
  readonly product: string;
  readonly revision: string;
  readonly blocks: number;
  readonly blockBytes: number;
}

export interface OrderedOutcome {
  /** Names of the commands in the order in which they ended. */
  readonly order: readonly string[];
  readonly lastLba: number;
}

const TRANSFER_BYTES = 64 * 1024;
const UNIT_ATTENTION = 6;
const MAX_ATTENTIONS = 16;
const SIMPLE_WRITES = 8;

const cdb = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes);
const TEST_UNIT_READY = cdb(0, 0, 0, 0, 0, 0);
const INQUIRY_BYTES = 36;
const INQUIRY = cdb(0x12, 0, 0, 0, INQUIRY_BYTES, 0);

class Guest {
  readonly #initiator: Initiator;
  readonly #disks = new Map<number, BlockAccess>();
  #hanging: Promise<CommandResult> | null = null;

  constructor(initiator: Initiator) {
    this.#initiator = initiator;
  }

  do(task: Exclude<GuestTask, { kind: 'login' }>): Promise<unknown> {
    switch (task.kind) {
      case 'identify':
        return Promise.resolve(this.#initiator.identify());
      case 'luns':
        return this.#initiator.luns();
      case 'inventory':
        return this.#inventory();
      case 'fill':
        return this.#transfer(task.lun, task.bytes, task.depth, writePattern);
      case 'compare':
        return this.#transfer(task.lun, task.bytes, task.depth, comparePattern);
      case 'ordered':
        return this.#ordered(task.lun, task.slowLba);
      case 'hang':
        return this.#hang(task.lun, task.lba);
      case 'abort':
        return this.#abort(task.lun, task.lba);
      case 'outOfRange':
        return this.#outOfRange(task.lun);
      case 'reset':
        return this.#initiator.logicalUnitReset(task.lun);
      case 'attentions':
        return this.#attentions(task.lun);
      case 'look':
        return this.#drive(task.lun).look();
      case 'readDisc':
        return this.#drive(task.lun).contents();
      case 'copyDisc':
        return this.#drive(task.lun).copyOf(this.#drive(task.from));
      case 'eject':
        return this.#drive(task.lun).eject();
      case 'logout':
        return this.#initiator.close();
    }
  }

  async #disk(lun: number): Promise<BlockAccess> {
    const known = this.#disks.get(lun) ?? (await this.#initiator.disk(lun));
    this.#disks.set(lun, known);
    return known;
  }

  #drive(lun: number): GuestDrive {
    return new GuestDrive(this.#initiator, lun);
  }

  async #inventory(): Promise<UnitDescription[]> {
    const luns = await this.#initiator.luns();
    return Promise.all(luns.map((lun) => this.#describe(lun)));
  }

  async #describe(lun: number): Promise<UnitDescription> {
    const { status, dataIn } = await this.#execute({
      lun,
      cdb: INQUIRY,
      dataInBytes: INQUIRY_BYTES,
    });
    if (status !== GOOD || dataIn.length < INQUIRY_BYTES) throw new Error(`INQUIRY of LUN ${lun}`);
    const text = (from: number, to: number): string =>
      Buffer.from(dataIn.subarray(from, to)).toString('latin1').trim();
    const { blocks, blockBytes } = await this.#disk(lun);
    return {
      lun,
      vendor: text(8, 16),
      product: text(16, 32),
      revision: text(32, 36),
      blocks,
      blockBytes,
    };
  }

  #execute(request: ExecuteRequest): Promise<CommandResult> {
    return this.#initiator.execute(request);
  }

  /** Moves `bytes` bytes from LBA 0 on in pieces, `depth` of them at a time. Returns milliseconds. */
  async #transfer(lun: number, bytes: number, depth: number, piece: Piece): Promise<number> {
    const disk = await this.#disk(lun);
    const pieceBlocks = TRANSFER_BYTES / disk.blockBytes;
    const end = bytes / disk.blockBytes;
    let next = 0;
    const step = async (scratch: Uint8Array): Promise<void> => {
      if (next >= end) return;
      const lba = next;
      next += pieceBlocks;
      await piece(disk, lba, scratch);
      await step(scratch);
    };
    const lane = (): Promise<void> => step(new Uint8Array(TRANSFER_BYTES));
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: depth }, lane));
    await disk.flush();
    return performance.now() - startedMs;
  }

  /**
   * SIMPLE writes of which one is slow, then an ORDERED write, then a SIMPLE one, all to different blocks. Only the
   * attributes can make the last two wait.
   */
  async #ordered(lun: number, slowLba: number): Promise<OrderedOutcome> {
    const disk = await this.#disk(lun);
    const order: string[] = [];
    const write = (name: string, lba: number, attribute: 'simple' | 'ordered'): Promise<void> => {
      const data = new Uint8Array(disk.blockBytes).fill(lba & 0xff);
      return disk.write(lba, data, { attribute }).then(() => {
        order.push(name);
      });
    };
    const work = Array.from({ length: SIMPLE_WRITES }, (_, i) =>
      write(i === 0 ? 'slow simple' : 'simple', slowLba + i, 'simple'),
    );
    const lastLba = slowLba + SIMPLE_WRITES + 1;
    work.push(write('ordered', lastLba - 1, 'ordered'), write('younger simple', lastLba, 'simple'));
    await Promise.all(work);
    return { order, lastLba };
  }

  /** Starts a write that the parent made slow. */
  async #hang(lun: number, lba: number): Promise<void> {
    const { blockBytes } = await this.#disk(lun);
    const write10 = cdb(0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0);
    new DataView(write10.buffer).setUint32(2, lba);
    const dataOut = new Uint8Array(blockBytes).fill(0xee);
    this.#hanging = this.#execute({ lun, cdb: write10, dataOut });
    this.#hanging.catch(() => undefined);
  }

  /** Aborts it, and makes sure that it ended so and that its block is what it was. */
  async #abort(
    lun: number,
    lba: number,
  ): Promise<{ readonly ms: number; readonly message: string }> {
    const hanging = this.#hanging;
    if (hanging === null) throw new Error('nothing runs that could be aborted');
    const startedMs = performance.now();
    await this.#initiator.abortTask(hanging);
    const ms = performance.now() - startedMs;
    const message = await hanging.then(
      () => 'the write was not aborted',
      (error: unknown) => (error instanceof TaskAbortedError ? error.message : String(error)),
    );
    const disk = await this.#disk(lun);
    const data = await disk.read(lba, 1);
    const wrong = firstWrongBlock(data, new Uint8Array(disk.blockBytes), lba, disk.blockBytes);
    if (wrong >= 0) throw new Error(`the aborted write changed LBA ${wrong}`);
    return { ms, message };
  }

  async #outOfRange(lun: number): Promise<unknown> {
    const disk = await this.#disk(lun);
    try {
      await disk.read(disk.blocks, 1);
    } catch (error) {
      if (!(error instanceof ScsiError) || error.sense === null) throw error;
      const { key, asc, ascq, information } = error.sense;
      return { message: error.message, key, asc, ascq, information, blocks: disk.blocks };
    }
    throw new Error('a read past the end succeeded');
  }

  /** Sense in words of the unit attentions that wait. */
  async #attentions(lun: number, seen: string[] = []): Promise<string[]> {
    const { sense } = await this.#execute({ lun, cdb: TEST_UNIT_READY });
    if (sense?.key !== UNIT_ATTENTION || seen.length === MAX_ATTENTIONS) return seen;
    return this.#attentions(lun, [...seen, senseText(sense.key, sense.asc, sense.ascq)]);
  }
}

type Piece = (disk: BlockAccess, lba: number, scratch: Uint8Array) => Promise<void>;

async function writePattern(disk: BlockAccess, lba: number, scratch: Uint8Array): Promise<void> {
  fillPattern(scratch, lba, disk.blockBytes);
  await disk.write(lba, scratch);
}

async function comparePattern(disk: BlockAccess, lba: number, scratch: Uint8Array): Promise<void> {
  const data = await disk.read(lba, scratch.length / disk.blockBytes);
  const wrong = firstWrongBlock(data, scratch, lba, disk.blockBytes);
  if (wrong >= 0) throw new Error(`LBA ${wrong} does not hold what was written there`);
}

let guest: Guest | null = null;

async function obey(task: GuestTask): Promise<unknown> {
  if (task.kind === 'login') {
    const initiator = await openInitiator({ connect: task.connect, name: task.name });
    guest = new Guest(initiator);
    return { processId: process.pid, connected: initiator.connected };
  }
  if (guest === null) throw new Error('not logged in');
  return guest.do(task);
}

process.on('message', ({ id, task }: GuestCall) => {
  const answer = (message: GuestAnswer): void => {
    process.send?.(message);
    if (task.kind === 'logout') process.disconnect();
  };
  obey(task).then(
    (value) => answer({ id, ok: true, value }),
    (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      answer({ id, ok: false, message });
    },
  );
});
// A guest without its parent has nothing to do.
process.on('disconnect', () => process.exit());
