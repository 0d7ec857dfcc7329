/**
 * The commands that the copy manager sends: READ, WRITE and WRITE SAME of its own, so that what it copies obeys the order, the
 * reservations and the gates of its logical units like anybody's. One at a time.
 */
import { assert } from '../../assert.ts';
import type { TargetPort } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { COPY_MANAGER_INDEX, type Nexus } from '../nexus.ts';
import { newPrivateTask, noSegments } from '../private-task.ts';
import { GOOD, HEAD_OF_QUEUE } from '../sam.ts';
import { BOUNCE_BYTES, type BouncePool } from '../sbc/bounce.ts';
import { Segments } from '../segments.ts';
import { Task } from '../task.ts';

const READ_16 = 0x88;
const WRITE_16 = 0x8a;
const WRITE_SAME_16 = 0x93;
const NDOB = 0x01;
const UNMAP = 0x08;

/** What a command that no status came back for ends with. */
const NO_STATUS = -1;

/** Status (NO_STATUS: none came) and packed sense data of a command. */
export interface CommandOutcome {
  readonly status: number;
  readonly sense: number;
}

export type CommandEnded = (outcome: CommandOutcome) => void;

export class CopyCommands implements TargetPort {
  readonly lunPresentation = 'native';
  readonly #nexus: Nexus;
  readonly #bounce: BouncePool;
  /** Holds the buffer: the command that a copy is for may have ended. */
  readonly #holder = newPrivateTask();
  /** Tasks by the buffer they move, whose iovec is theirs. */
  readonly #tasks = new Map<number, Task>();
  readonly #bare = new Task(this, 0, noSegments(), noSegments());
  #ended: CommandEnded | null = null;
  #tags = 0;

  /** Commands on behalf of `nexus`, through buffers of `bounce`. */
  constructor(nexus: Nexus, bounce: BouncePool) {
    // Its port is that of who asked: reservations are met, or not, as by the initiator itself.
    this.#nexus = { ...nexus, index: COPY_MANAGER_INDEX, name: 'copy manager' };
    this.#bounce = bounce;
  }

  /** Calls `granted` when there is a buffer for `read` and `write`. */
  hold(granted: () => void): void {
    this.#bounce.acquireSpare(this.#holder, granted);
  }

  /** Others may have the buffer, which describes itself again as its pool wants it back. */
  giveBack(): void {
    const held = this.#bounce.segmentsOf(this.#holder);
    const memory = held.memory[0];
    assert(memory !== undefined, 'a buffer has memory');
    const offset = held.offset[0] as number;
    held.clear();
    held.append(memory, offset, BOUNCE_BYTES);
    this.#bounce.release(this.#holder.scratch);
  }

  /** Reads `length` bytes at byte `position` of the unit into the held buffer. */
  read(unit: LogicalUnit, position: number, length: number, ended: CommandEnded): void {
    const task = this.#taskOfBuffer();
    this.#lend(task.dataIn, length);
    this.#send(task, unit, { opcode: READ_16, flags: 0, position, length }, ended);
  }

  /** Writes `length` bytes of the held buffer. */
  write(unit: LogicalUnit, position: number, length: number, ended: CommandEnded): void {
    const task = this.#taskOfBuffer();
    this.#lend(task.dataOut, length);
    this.#send(task, unit, { opcode: WRITE_16, flags: 0, position, length }, ended);
  }

  /** Writes zeros; a thin unit gives the space back where holes read as zeros. Needs no buffer. */
  zero(unit: LogicalUnit, position: number, length: number, ended: CommandEnded): void {
    const unmaps = unit.block?.thin === true && unit.block.unmappedReadsZeros;
    const flags = unmaps ? NDOB | UNMAP : NDOB;
    this.#send(this.#bare, unit, { opcode: WRITE_SAME_16, flags, position, length }, ended);
  }

  #send(
    task: Task,
    unit: LogicalUnit,
    command: { opcode: number; flags: number; position: number; length: number },
    ended: CommandEnded,
  ): void {
    assert(unit.block !== null && this.#ended === null, 'one command at a time goes to a disk');
    const { blockBytes } = unit.block;
    task.receive(this.#nexus);
    task.attribute = HEAD_OF_QUEUE;
    task.lun = unit.lun;
    this.#tags += 1;
    task.tagHigh = 0;
    task.tagLow = this.#tags;
    task.cdb.fill(0, 0, 16);
    task.cdb[0] = command.opcode;
    task.cdb[1] = command.flags;
    const view = new DataView(task.cdb.buffer);
    view.setBigUint64(2, BigInt(command.position / blockBytes));
    view.setUint32(10, command.length / blockBytes);
    task.cdbBytes = 16;
    this.#ended = ended;
    unit.target.receive(task);
  }

  #lend(segments: Segments, length: number): void {
    const held = this.#bounce.segmentsOf(this.#holder);
    const memory = held.memory[0];
    assert(memory !== undefined, 'a buffer has memory');
    segments.append(memory, held.offset[0] as number, length);
  }

  #taskOfBuffer(): Task {
    const known = this.#tasks.get(this.#holder.scratch);
    if (known !== undefined) return known;
    const held = this.#bounce.segmentsOf(this.#holder);
    const borrowed = (): Segments => new Segments({ words: held.iovecs, address: held.iovAddress });
    const task = new Task(this, 0, borrowed(), borrowed());
    this.#tasks.set(this.#holder.scratch, task);
    return task;
  }

  respond(task: Task): void {
    this.#end(task, { status: task.status, sense: task.status === GOOD ? 0 : task.sense });
  }

  drop(task: Task): void {
    this.#end(task, { status: NO_STATUS, sense: 0 });
  }

  taskManagementDone(): void {
    assert(false, 'a copy sends no functions');
  }

  #end(task: Task, outcome: CommandOutcome): void {
    task.release();
    const ended = this.#ended;
    this.#ended = null;
    ended?.(outcome);
  }
}
