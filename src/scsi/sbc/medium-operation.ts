/**
 * Operations on a whole medium: sanitize (SBC-3 4.11: nothing that was there can be read any more) and format (SBC-3 5.3).
 * They go on through aborts, resets and nexus loss, and after a restart they begin again; when one fails, nothing but
 * another one, or leaving the failure mode of a sanitize where that was allowed, helps.
 */
import type { CommandRow } from '../command-table.ts';
import { DONE, MEDIUM_WRITE, type StoreReply } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { NONE, progressPointer } from '../sense.ts';
import {
  FORMAT_COMMAND_FAILED,
  LOGICAL_UNIT_NOT_READY_FORMAT_IN_PROGRESS,
  LOGICAL_UNIT_NOT_READY_SANITIZE_IN_PROGRESS,
  SANITIZE_COMMAND_FAILED,
} from '../sense-codes.ts';
import { BackgroundWork, type Piece } from './background-work.ts';
import type { BlockDevice } from './block-device.ts';
import { BOUNCE_BYTES } from './bounce.ts';

export const OVERWRITE = 0x01;
export const BLOCK_ERASE = 0x02;
export const CRYPTOGRAPHIC_ERASE = 0x03;
/** FORMAT UNIT, which is no service action of SANITIZE. */
export const FORMAT = 0x80;
const SANITIZE = 0x48;
const FORMAT_UNIT = 0x04;
/** Space is given back faster than it is written: one piece a tick. */
const ERASE_BYTES = 64 * 1024 * 1024;

/** What was asked for. */
export interface OperationPlan {
  readonly kind: typeof OVERWRITE | typeof BLOCK_ERASE | typeof CRYPTOGRAPHIC_ERASE | typeof FORMAT;
  /** Times the medium is written, 1 to 31. */
  readonly count: number;
  /** Every pass writes the complement of what the one before it wrote. */
  readonly invert: boolean;
  /** Fills each logical block from its start, again and again; none: zeros. */
  readonly pattern: Uint8Array;
  /** AUSE: the failure mode may be left without another sanitize operation. */
  readonly mayExit: boolean;
}

const LAYOUT = 1;
const HEADER_BYTES = 8;
const INVERT = 0x01;
const MAY_EXIT = 0x02;
const FAILED = 0x04;

/** A plan as bytes, for keeping; `failed`: it is over, and was in vain. */
export function encodePlan(plan: OperationPlan, failed: boolean): Uint8Array {
  const { kind, count, invert, pattern, mayExit } = plan;
  const bytes = new Uint8Array(HEADER_BYTES + pattern.length);
  bytes[0] = LAYOUT;
  bytes[1] = kind;
  bytes[2] = count;
  bytes[3] = (invert ? INVERT : 0) | (mayExit ? MAY_EXIT : 0) | (failed ? FAILED : 0);
  bytes.set(pattern, HEADER_BYTES);
  return bytes;
}

/** What `encodePlan` made these bytes from, or null. */
export function decodePlan(bytes: Uint8Array): { plan: OperationPlan; failed: boolean } | null {
  const [layout, kind, count = 0, flags = 0] = bytes;
  if (bytes.length < HEADER_BYTES || layout !== LAYOUT || count === 0) return null;
  if (
    kind !== OVERWRITE &&
    kind !== BLOCK_ERASE &&
    kind !== CRYPTOGRAPHIC_ERASE &&
    kind !== FORMAT
  ) {
    return null;
  }
  const pattern = bytes.slice(HEADER_BYTES);
  if (kind === OVERWRITE && pattern.length === 0) return null;
  const plan = {
    kind,
    count,
    pattern,
    invert: (flags & INVERT) !== 0,
    mayExit: (flags & MAY_EXIT) !== 0,
  } as const;
  return { plan, failed: (flags & FAILED) !== 0 };
}

/** Protection information is FFFFFFFFFFFFFFFFh afterwards (SBC-3 4.22.2), which the medium has as zeros. */
function fill(bytes: Uint8Array, plan: OperationPlan, pass: number, block: BlockDevice): void {
  const { blockBytes, storedBlockBytes } = block;
  const flip = plan.invert && pass % 2 === 1 ? 0xff : 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const at = i % storedBlockBytes;
    bytes[i] = at >= blockBytes ? 0 : (plan.pattern[at % plan.pattern.length] as number) ^ flip;
  }
}

export class MediumOperation {
  readonly plan: OperationPlan;
  readonly #unit: LogicalUnit;
  readonly #block: BlockDevice;
  readonly #ended: (failed: boolean) => void;
  #work: BackgroundWork | null = null;
  #holdsBuffer = false;
  failed = false;

  /** `ended` is called once, when all of the medium is done and stable, or cannot be. */
  constructor(
    unit: LogicalUnit,
    block: BlockDevice,
    plan: OperationPlan,
    ended: (failed: boolean) => void,
  ) {
    this.#unit = unit;
    this.#block = block;
    this.plan = plan;
    this.#ended = ended;
  }

  /** What other commands are told. */
  get sense(): number {
    if (this.plan.kind === FORMAT) {
      return this.failed ? FORMAT_COMMAND_FAILED : LOGICAL_UNIT_NOT_READY_FORMAT_IN_PROGRESS;
    }
    return this.failed ? SANITIZE_COMMAND_FAILED : LOGICAL_UNIT_NOT_READY_SANITIZE_IN_PROGRESS;
  }

  /** Sense-key specific data that goes with it. */
  get pointer(): number {
    return this.failed || this.#work === null ? NONE : progressPointer(this.#work.progress);
  }

  /** Whether a command cannot be served meanwhile: all but those that ask who is there, and what is the matter. */
  refuses(row: CommandRow): boolean {
    if (row.attention !== 'report') return false;
    return !(this.failed && (row.opcode === SANITIZE || row.opcode === FORMAT_UNIT));
  }

  start(): void {
    this.#unit.operation = this;
    if (this.plan.kind === CRYPTOGRAPHIC_ERASE) this.#eraseKey();
    else if (this.plan.pattern.length > 0) this.#overwrite();
    else this.#erase();
  }

  /** Stops for good, without a result: the unit goes away. */
  stop(stopped: () => void): void {
    if (this.#work === null || this.failed) {
      stopped();
      return;
    }
    this.#work.stop(() => {
      this.#giveBack();
      stopped();
    });
  }

  /** The failure of an earlier run. */
  fail(): void {
    this.failed = true;
    this.#unit.operation = this;
  }

  #overwrite(): void {
    const { store, bounce, storedBlockBytes } = this.#block;
    let filled = -1;
    const piece = (pass: number): Piece => {
      const { task } = work;
      if (pass !== filled) fill(bounce.bytesOf(task), this.plan, pass, this.#block);
      filled = pass;
      return (each, position, length) =>
        store.write(each, position, length, bounce.segmentsOf(each), false);
    };
    const work = new BackgroundWork(this.#unit, this.#block, {
      passes: this.plan.count,
      pieceBytes: BOUNCE_BYTES - (BOUNCE_BYTES % storedBlockBytes),
      piece,
      ended: (fault) => {
        this.#giveBack();
        this.#end(fault);
      },
    });
    this.#work = work;
    work.begin(() =>
      bounce.acquire(work.task, () => {
        this.#holdsBuffer = true;
        work.go();
      }),
    );
  }

  #giveBack(): void {
    if (!this.#holdsBuffer || this.#work === null) return;
    this.#holdsBuffer = false;
    this.#block.bounce.release(this.#work.task.scratch);
  }

  #erase(): void {
    const { store, thin } = this.#block;
    const work = new BackgroundWork(this.#unit, this.#block, {
      passes: 1,
      pieceBytes: ERASE_BYTES,
      // Zeros either way (noise, where a key makes that of holes); a fully provisioned disk keeps its space.
      piece: () => (each, position, length) =>
        thin
          ? store.discard(each, position, length)
          : store.writeZeroes(each, position, length, false),
      ended: (fault) => this.#end(fault),
    });
    this.#work = work;
    work.begin(() => work.go());
  }

  /** One step, whatever the size. */
  #eraseKey(): void {
    const { store } = this.#block;
    const work = new BackgroundWork(this.#unit, this.#block, {
      passes: 1,
      pieceBytes: store.bytes,
      // A disk whose key was taken away with its configuration between two runs has nothing that could be erased so.
      piece: () => () => store.key?.erase() ?? MEDIUM_WRITE,
      ended: (fault) => this.#end(fault),
    });
    this.#work = work;
    work.begin(() => work.go());
  }

  /** The medium is accessible again only when a restart cannot begin all of it anew. */
  #end(fault: StoreReply): void {
    const failed = fault !== DONE;
    const kept = failed ? encodePlan(this.plan, true) : new Uint8Array(0);
    const { operationStore, lun } = this.#unit;
    const task = this.#work?.task;
    if (task === undefined || operationStore === null) return;
    task.await(operationStore.save(task, lun, kept), (_, reply) => {
      this.failed = failed || reply !== DONE;
      if (!this.failed) this.#unit.operation = null;
      this.#ended(this.failed);
    });
  }
}
