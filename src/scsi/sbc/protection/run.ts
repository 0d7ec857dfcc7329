/**
 * A command over blocks with protection information, a bounce buffer at a time. Blocks never go straight between the store and
 * the initiator's memory: what is checked is a copy that nobody else can change. These commands use closures: a disk with
 * protection information computes a CRC over every byte, which costs more.
 */
import { DONE, type StoreReply } from '../../contracts.ts';
import type { Segments } from '../../segments.ts';
import type { Task } from '../../task.ts';
import { blockDeviceOf, endWithBuffer } from '../access.ts';
import type { BlockDevice } from '../block-device.ts';
import { BOUNCE_BYTES } from '../bounce.ts';
import { checkFlushFault, checkTransferFault } from '../store-fault.ts';
import { type ExpectedTags, ProtectedBlocks } from './information.ts';

export interface RunSteps {
  /** Works on the piece in hand; ends with `next` or `end`. */
  readonly piece: (run: Run) => void;
  /** All pieces are done; `end` unless given. */
  readonly done?: (run: Run) => void;
  /** Once it has moved something an abort waits for its end. */
  readonly whole?: boolean;
}

export class Run {
  readonly task: Task;
  readonly device: BlockDevice;
  /** Blocks of the command that are worked on. */
  readonly count: number;
  /** First block of the piece in hand, counted from the first of the command. */
  first = 0;
  readonly #steps: RunSteps;
  #information: ProtectedBlocks | null = null;

  constructor(task: Task, count: number, steps: RunSteps) {
    this.task = task;
    this.device = blockDeviceOf(task);
    this.count = count;
    this.#steps = steps;
  }

  start(): void {
    this.device.bounce.acquire(this.task, () => {
      const { bounce, blockBytes } = this.device;
      this.#information = new ProtectedBlocks(bounce.bytesOf(this.task), blockBytes);
      this.#go();
    });
  }

  /** Blocks of the piece in hand. */
  get blocks(): number {
    const most = Math.floor(BOUNCE_BYTES / this.device.storedBlockBytes);
    return Math.min(this.count - this.first, most);
  }

  /** LBA of the first of them. */
  get lba(): number {
    return this.task.lba + this.first;
  }

  get #position(): number {
    return this.lba * this.device.storedBlockBytes;
  }

  get #length(): number {
    return this.blocks * this.device.storedBlockBytes;
  }

  /** The bounce buffer as blocks with information. */
  get held(): ProtectedBlocks {
    return this.#information as ProtectedBlocks;
  }

  get segments(): Segments {
    return this.device.bounce.segmentsOf(this.task);
  }

  next(): void {
    this.first += this.blocks;
    this.#go();
  }

  #go(): void {
    const given = this.task.aborting && !(this.#steps.whole === true && this.first > 0);
    if (given) this.end();
    else if (this.first < this.count) this.#steps.piece(this);
    else if (this.#steps.done === undefined) this.end();
    else this.#steps.done(this);
  }

  /** Reads the piece into `held`. `then` gets the number of good blocks; when these are not all, the outcome is set. */
  read(then: (good: number) => void): void {
    const { store, storedBlockBytes } = this.device;
    const { task } = this;
    task.await(store.read(task, this.#position, this.#length, this.segments), (_, reply) => {
      let good = this.blocks;
      if (reply !== DONE) {
        good = Math.min(good, Math.floor(task.storedBytes / storedBlockBytes));
        checkTransferFault(task, reply, this.#position);
      }
      this.held.invert(good);
      then(good);
    });
  }

  /** Writes the piece from `held`, which is not readable afterwards; ends the command when that fails. */
  write(durable: boolean, then: () => void): void {
    const { store } = this.device;
    this.#put(store.write(this.task, this.#ready(), this.#length, this.segments, durable), then);
  }

  /** The same, all or nothing. */
  writeAtomic(then: () => void): void {
    const { store } = this.device;
    this.#put(store.writeAtomic(this.task, this.#ready(), this.#length, this.segments), then);
  }

  #ready(): number {
    this.held.invert(this.blocks);
    return this.#position;
  }

  #put(reply: StoreReply, then: () => void): void {
    this.task.await(reply, (task, later) => {
      if (later === DONE) then();
      else this.#fault(task, later);
    });
  }

  #fault(task: Task, reply: StoreReply): void {
    checkTransferFault(task, reply, this.#position);
    this.end();
  }

  /** Makes what was written stable, then ends the command. */
  flush(): void {
    this.task.await(this.device.store.flush(this.task), (task, reply) => {
      if (reply !== DONE) checkFlushFault(task, reply);
      this.end();
    });
  }

  /** First of `count` blocks of `held` whose information is wrong, with the outcome set, or `count`. `read`: FFFFh escapes. */
  firstWrong(count: number, fields: number, expected: ExpectedTags, read: boolean): number {
    const { protectionType } = this.device;
    for (let i = 0; i < count; i += 1) {
      if (read && this.held.escapes(i, protectionType)) continue;
      const sense = this.held.check(i, this.first + i, fields, expected);
      if (sense === 0) continue;
      this.task.check(sense, this.lba + i);
      return i;
    }
    return count;
  }

  end(): void {
    endWithBuffer(this.task);
  }
}
