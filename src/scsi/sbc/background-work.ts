/**
 * Work on the whole medium that goes on when its command has ended (SANITIZE): in pieces, paced so that other logical
 * units of the thread go on, undisturbed by aborts and resets.
 */
import { DONE, PENDING, type StoreReply } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { newPrivateTask } from '../private-task.ts';
import type { Task } from '../task.ts';
import type { BlockDevice } from './block-device.ts';

/** Bytes a second, and how often a part of them is done. */
const BYTES_PER_SECOND = 32 * 1024 * 1024;
const TICK_MS = 16;
const BYTES_PER_TICK = Math.floor((BYTES_PER_SECOND * TICK_MS) / 1000);

/** One piece of work on a store. */
export type Piece = (work: Task, position: number, length: number) => StoreReply;

export class BackgroundWork {
  readonly #unit: LogicalUnit;
  readonly #block: BlockDevice;
  readonly #work = newPrivateTask();
  readonly #passes: number;
  readonly #piece: (pass: number) => Piece;
  readonly #pieceBytes: number;
  readonly #ended: (fault: StoreReply) => void;
  #pass = 0;
  #position = 0;
  #doneInTick = 0;
  #stopped: (() => void) | null = null;
  #busy = false;

  /**
   * `passes` times over the medium, each in pieces of `pieceBytes`; `piece` makes the request for one of a pass. `ended`
   * gets DONE when all is done and stable, or the fault that ended it.
   */
  constructor(
    unit: LogicalUnit,
    block: BlockDevice,
    options: {
      readonly passes: number;
      readonly pieceBytes: number;
      readonly piece: (pass: number) => Piece;
      readonly ended: (fault: StoreReply) => void;
    },
  ) {
    this.#unit = unit;
    this.#block = block;
    this.#passes = options.passes;
    this.#piece = options.piece;
    this.#pieceBytes = options.pieceBytes;
    this.#ended = options.ended;
  }

  /** The task the store sees; it may hold a bounce buffer. */
  get task(): Task {
    return this.#work;
  }

  /** How much is done, in 65536ths (SPC-4 4.5.2.4.6). */
  get progress(): number {
    const share = (this.#pass + this.#position / this.#block.store.bytes) / this.#passes;
    return Math.min(0xffff, Math.floor(share * 0x10000));
  }

  /** Makes the task ready and calls `prepared`, which calls `go` when it has what it needs. */
  begin(prepared: () => void): void {
    this.#work.unit = this.#unit;
    this.#busy = true;
    prepared();
  }

  go(): void {
    this.#go();
  }

  /** Does no further piece; `stopped` is called when the store works on none. What is left undone is not reported. */
  stop(stopped: () => void): void {
    this.#stopped = stopped;
    if (!this.#busy) stopped();
  }

  #go(): void {
    const { store } = this.#block;
    while (this.#stopped === null && this.#pass < this.#passes) {
      if (this.#position >= store.bytes) {
        this.#pass += 1;
        this.#position = 0;
        continue;
      }
      if (this.#doneInTick >= BYTES_PER_TICK) {
        this.#rest();
        return;
      }
      const length = Math.min(this.#pieceBytes, store.bytes - this.#position);
      const reply = this.#piece(this.#pass)(this.#work, this.#position, length);
      if (reply === PENDING) {
        this.#work.await(PENDING, (_, later) => {
          if (this.#accept(later, length)) this.#go();
        });
        return;
      }
      if (!this.#accept(reply, length)) return;
    }
    this.#settle();
  }

  #accept(reply: StoreReply, length: number): boolean {
    if (reply !== DONE) {
      this.#end(reply);
      return false;
    }
    this.#position += length;
    this.#doneInTick += length;
    return true;
  }

  #rest(): void {
    this.#doneInTick = 0;
    this.#busy = false;
    this.#unit.target.timers.after(TICK_MS, () => {
      if (this.#stopped !== null) return;
      this.#busy = true;
      this.#go();
    });
  }

  #settle(): void {
    if (this.#stopped !== null) {
      this.#busy = false;
      this.#stopped();
      return;
    }
    this.#work.await(this.#block.store.flush(this.#work), (_, reply) => this.#end(reply));
  }

  #end(fault: StoreReply): void {
    this.#busy = false;
    if (this.#stopped !== null) this.#stopped();
    else this.#ended(fault);
  }
}
