/**
 * One EXTENDED COPY at work: READ and WRITE commands of its own to the logical units it copies between, piece by piece, so
 * that each piece obeys the order, the reservations and the gates of its unit like anybody's.
 */
import { assert } from '../../assert.ts';
import type { TargetPort } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import { COPY_MANAGER_INDEX, type Nexus } from '../nexus.ts';
import { unitOf } from '../parameter-data.ts';
import { BUSY, GOOD, HEAD_OF_QUEUE, TASK_SET_FULL } from '../sam.ts';
import { BOUNCE_BYTES } from '../sbc/bounce.ts';
import { Segments } from '../segments.ts';
import { COPY_ABORTED, ILLEGAL_REQUEST, NONE, packSense, senseKeyOf } from '../sense.ts';
import {
  THIRD_PARTY_DEVICE_FAILURE,
  UNEXPECTED_INEXACT_SEGMENT,
  UNREACHABLE_COPY_TARGET,
} from '../sense-codes.ts';
import { Task } from '../task.ts';
import type { CopyList, Cscd, Segment } from './copy-list.ts';
import { MAX_SEGMENT_BYTES } from './limits.ts';

/** Bytes between two rests, which let the other units of the thread have their turn. */
const BYTES_PER_TURN = 1024 * 1024;
/** COPY ABORTED without more to say: what the segment asks for cannot be there. */
const COPY_ABORTED_NO_ADDITIONAL_SENSE = packSense(COPY_ABORTED, 0x00, 0x00);
const AGAIN_MS = 5;
const READ_16 = 0x88;
const WRITE_16 = 0x8a;

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

const NAA = 0x03;

/** The unit of this target that a designator of its VPD page 83h names. */
function find(task: Task, { type, designator }: Cscd): LogicalUnit | null {
  if (type !== NAA) return null;
  const units = unitOf(task).target.units();
  return (
    units.find(({ identity, block }) => block !== null && same(identity.naa, designator)) ?? null
  );
}

/** Where a segment goes, in bytes. */
interface Way {
  readonly source: LogicalUnit;
  readonly destination: LogicalUnit;
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
}

export class CopyOperation implements TargetPort {
  readonly lunPresentation = 'native';
  readonly #task: Task;
  readonly #list: CopyList;
  readonly #ended: () => void;
  readonly #nexus: Nexus;
  #child: Task | null = null;
  #childDone: (() => void) | null = null;
  #outcome = { status: GOOD as number, sense: 0 };
  #tags = 0;
  #moved = 0;
  /** Generations of the removable media that were there when the copy began: it is about those. */
  readonly #media = new Map<LogicalUnit, number>();
  /** Segments that are wholly copied. */
  processed = 0;

  /** Copies for `task`, which holds a bounce buffer; its outcome is set when `ended` is called. */
  constructor(task: Task, list: CopyList, ended: () => void) {
    const { nexus } = task;
    assert(nexus !== null, 'a running task has a nexus');
    this.#task = task;
    this.#list = list;
    this.#ended = ended;
    // Its port is that of who asked: reservations are met, or not, as by the initiator itself.
    for (const cscd of list.cscds) {
      const unit = find(task, cscd);
      if (unit?.medium != null) this.#media.set(unit, unit.medium.generation);
    }
    this.#nexus = { ...nexus, index: COPY_MANAGER_INDEX, name: 'copy manager' };
  }

  start(): void {
    this.#next();
  }

  #next(): void {
    const segment = this.#list.segments[this.processed];
    if (segment === undefined || this.#task.aborting) {
      this.#ended();
      return;
    }
    const way = this.#way(segment);
    if (typeof way === 'number') this.#fail(way);
    else this.#copy(way, 0);
  }

  #fail(sense: number): void {
    this.#task.check(sense, NONE, NONE);
    this.#ended();
  }

  /** Where the segment leads, or the sense that says why nowhere. */
  #way(segment: Segment): Way | number {
    const cscds = [this.#list.cscds[segment.source], this.#list.cscds[segment.destination]];
    const [source, destination] = cscds.map((each) =>
      each === undefined ? null : find(this.#task, each),
    );
    if (source == null || destination == null) return UNREACHABLE_COPY_TARGET;
    assert(source.block !== null && destination.block !== null, 'units with blocks are found');
    const sourceBlock = source.block.blockBytes;
    const destinationBlock = destination.block.blockBytes;
    const bytes = segment.blocks * (segment.countsDestination ? destinationBlock : sourceBlock);
    if (bytes % sourceBlock !== 0 || bytes % destinationBlock !== 0) {
      return UNEXPECTED_INEXACT_SEGMENT;
    }
    const from = segment.sourceLba * sourceBlock;
    const to = segment.destinationLba * destinationBlock;
    const fits =
      bytes <= MAX_SEGMENT_BYTES &&
      from + bytes <= source.block.blocks * sourceBlock &&
      to + bytes <= destination.block.blocks * destinationBlock;
    return fits ? { source, destination, from, to, bytes } : COPY_ABORTED_NO_ADDITIONAL_SENSE;
  }

  /** Pieces of a segment from `done` on; an overlapping copy within a unit begins at the end it does not overwrite. */
  #copy(way: Way, done: number): void {
    if (done === way.bytes || this.#task.aborting) {
      if (done === way.bytes) this.processed += 1;
      this.#rest(() => this.#next());
      return;
    }
    const length = Math.min(BOUNCE_BYTES, way.bytes - done);
    const backwards = way.source === way.destination && way.from < way.to;
    const at = backwards ? way.bytes - done - length : done;
    this.#move(READ_16, way.source, way.from + at, length, () => {
      this.#move(WRITE_16, way.destination, way.to + at, length, () => {
        this.#moved += length;
        const goOn = (): void => this.#copy(way, done + length);
        if (this.#moved % BYTES_PER_TURN < length) this.#rest(goOn);
        else goOn();
      });
    });
  }

  #rest(goOn: () => void): void {
    unitOf(this.#task).target.timers.after(0, goOn);
  }

  /** Sends a command to a unit; goes on with `moved` when it was GOOD. */
  #move(
    opcode: number,
    unit: LogicalUnit,
    position: number,
    length: number,
    moved: () => void,
  ): void {
    assert(unit.block !== null, 'units with blocks are copied');
    // It may have been taken away between two pieces, and its LUN given to another unit, which nobody named.
    if (unit.target.unit(unit.lun) !== unit) {
      this.#fail(UNREACHABLE_COPY_TARGET);
      return;
    }
    if (this.#media.get(unit) !== unit.medium?.generation) {
      this.#fail(THIRD_PARTY_DEVICE_FAILURE);
      return;
    }
    const { blockBytes } = unit.block;
    const child = this.#newChild();
    child.receive(this.#nexus);
    child.attribute = HEAD_OF_QUEUE;
    child.lun = unit.lun;
    this.#tags += 1;
    child.tagHigh = 0;
    child.tagLow = this.#tags;
    child.cdb.fill(0, 0, 16);
    child.cdb[0] = opcode;
    const view = new DataView(child.cdb.buffer);
    view.setBigUint64(2, BigInt(position / blockBytes));
    view.setUint32(10, length / blockBytes);
    child.cdbBytes = 16;
    this.#lend(opcode === READ_16 ? child.dataIn : child.dataOut, length);
    this.#childDone = () => {
      const { status } = this.#outcome;
      if (status === GOOD) moved();
      else if (status === BUSY || status === TASK_SET_FULL) {
        // No room, or an ACA condition: both pass.
        unitOf(this.#task).target.timers.after(AGAIN_MS, () => {
          if (this.#task.aborting) this.#ended();
          else this.#move(opcode, unit, position, length, moved);
        });
      } else this.#fail(this.#senseOfFailure());
    };
    unit.target.receive(child);
  }

  #senseOfFailure(): number {
    return senseKeyOf(this.#outcome.sense) === ILLEGAL_REQUEST
      ? COPY_ABORTED_NO_ADDITIONAL_SENSE
      : THIRD_PARTY_DEVICE_FAILURE;
  }

  /** The bounce buffer that the copying task holds, as data of a child. */
  #lend(segments: Segments, length: number): void {
    const { block } = unitOf(this.#task);
    const held = block?.bounce.segmentsOf(this.#task);
    const memory = held?.memory[0];
    assert(held !== undefined && memory !== undefined, 'a copying task holds a buffer');
    segments.append(memory, held.offset[0] as number, length);
  }

  #newChild(): Task {
    if (this.#child !== null) return this.#child;
    const held = unitOf(this.#task).block?.bounce.segmentsOf(this.#task);
    assert(held !== undefined, 'a copying task holds a buffer');
    // The iovec is the buffer's own: one child at a time, in one direction.
    const borrowed = (): Segments => new Segments({ words: held.iovecs, address: held.iovAddress });
    this.#child = new Task(this, 0, borrowed(), borrowed());
    return this.#child;
  }

  /** The buffer describes itself again, as its pool wants it back. */
  giveBack(): void {
    const held = unitOf(this.#task).block?.bounce.segmentsOf(this.#task);
    const memory = held?.memory[0];
    const offset = held?.offset[0];
    if (held === undefined || memory === undefined || offset === undefined) return;
    held.clear();
    held.append(memory, offset, BOUNCE_BYTES);
  }

  respond(child: Task): void {
    this.#outcome = { status: child.status, sense: child.sense };
    this.#childEnded(child);
  }

  drop(child: Task): void {
    this.#outcome = { status: -1, sense: 0 };
    this.#childEnded(child);
  }

  taskManagementDone(): void {
    assert(false, 'a copy sends no functions');
  }

  #childEnded(child: Task): void {
    child.release();
    const done = this.#childDone;
    this.#childDone = null;
    done?.();
  }
}
