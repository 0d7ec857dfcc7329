/** One copy at work, piece by piece: nothing is held between two pieces, neither a buffer nor a place in a task set. */
import type { LogicalUnit } from '../logical-unit.ts';
import { BUSY, GOOD, TASK_SET_FULL } from '../sam.ts';
import { BOUNCE_BYTES } from '../sbc/bounce.ts';
import { MAX_WRITE_SAME_BLOCKS } from '../sbc/limits.ts';
import { COPY_ABORTED, ILLEGAL_REQUEST, NONE, packSense, senseKeyOf } from '../sense.ts';
import { THIRD_PARTY_DEVICE_FAILURE, UNREACHABLE_COPY_TARGET } from '../sense-codes.ts';
import type { Target } from '../target.ts';
import type { CommandOutcome, CopyCommands } from './copy-commands.ts';

/** COPY ABORTED without more to say: what is asked for cannot be there, or nobody wants it any more. */
export const COPY_ABORTED_NO_ADDITIONAL_SENSE = packSense(COPY_ABORTED, 0x00, 0x00);

/** Bytes between two rests, which let the other units of the thread have their turn. */
const BYTES_PER_TURN = 1024 * 1024;
/** Zeros are written, or space is given back, faster than data is copied. */
const MAX_ZERO_BYTES = 16 * 1024 * 1024;
const AGAIN_MS = 5;

/** Where bytes go. */
export interface Way {
  /** Null: zeros. */
  readonly source: LogicalUnit | null;
  readonly destination: LogicalUnit;
  /** Byte positions: whole blocks of their units. */
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  /** From the last piece to the first: it overwrites what it reads. */
  readonly backwards: boolean;
  /** Where the parameter list names its two ends, as a field pointer, or NONE. */
  readonly sourcePointer: number;
  readonly destinationPointer: number;
}

/** Why a copy has failed. */
export interface CopyFault {
  readonly sense: number;
  readonly pointer: number;
}

/** How far a copy is. */
export interface CopyProgress {
  /** Ways that are wholly copied. */
  readonly ways: number;
  /** Bytes that are copied, and none behind them that are not: those of a way that goes backwards count with its end. */
  readonly bytes: number;
  /** Commands that were sent, and ended GOOD. */
  readonly commands: number;
}

/** What a copy has to do. */
export interface CopyPlan {
  /** The next way, null when there is no other, or why there is none. */
  next(): Way | CopyFault | null;
  /** 0, or the sense code that says why what is read is not what was to be copied. */
  spoilt(): number;
  /** Nobody wants the rest of it. */
  stopped(): boolean;
  /** So far it came. */
  progressed(progress: CopyProgress): void;
}

/** It may have been taken away between two pieces, and its LUN given to another unit, which nobody named. */
function isHere(unit: LogicalUnit): boolean {
  return unit.target.unit(unit.lun) === unit;
}

const generationOf = (unit: LogicalUnit): number => unit.medium?.generation ?? 0;

export class CopyOperation {
  readonly #target: Target;
  readonly #commands: CopyCommands;
  readonly #plan: CopyPlan;
  readonly #ended: (fault: CopyFault | null) => void;
  /** Generations of the removable media that were there when the copy began: it is about those. */
  readonly #media: ReadonlyMap<LogicalUnit, number>;
  #sinceRest = 0;
  #ways = 0;
  #bytes = 0;
  #commandsGood = 0;

  /** `ended` is called once, with null when the plan was carried out, or nobody wanted more of it. */
  constructor(
    target: Target,
    commands: CopyCommands,
    plan: CopyPlan,
    ended: (fault: CopyFault | null) => void,
  ) {
    this.#target = target;
    this.#commands = commands;
    this.#plan = plan;
    this.#ended = ended;
    this.#media = new Map(target.units().map((unit) => [unit, generationOf(unit)]));
  }

  start(): void {
    if (this.#plan.stopped()) {
      this.#ended(null);
      return;
    }
    const way = this.#plan.next();
    if (way === null || 'sense' in way) this.#ended(way);
    else this.#go(way, 0);
  }

  /** Pieces of a way from `done` on. */
  #go(way: Way, done: number): void {
    if (done === way.bytes) {
      this.#ways += 1;
      if (way.backwards) this.#bytes += way.bytes;
      this.#tellProgress();
      this.#rest(() => this.start());
    } else if (this.#plan.stopped()) {
      this.#ended(null);
    } else if (this.#sinceRest >= BYTES_PER_TURN) {
      this.#rest(() => this.#go(way, done));
    } else if (way.source === null) {
      this.#zero(way, done);
    } else {
      this.#commands.hold(() => this.#copy(way, way.source as LogicalUnit, done));
    }
  }

  #copy(way: Way, source: LogicalUnit, done: number): void {
    const length = Math.min(BOUNCE_BYTES, way.bytes - done);
    const at = way.backwards ? way.bytes - done - length : done;
    // It may have waited for the buffer.
    if (this.#spoilt(source, way.sourcePointer)) return;
    this.#commands.read(source, way.from + at, length, (read) => {
      if (this.#failed(read, way.sourcePointer, () => this.#go(way, done))) return;
      if (this.#spoilt(way.destination, way.destinationPointer)) return;
      this.#commands.write(way.destination, way.to + at, length, (written) => {
        if (this.#failed(written, way.destinationPointer, () => this.#go(way, done))) return;
        this.#commands.giveBack();
        this.#account(way, length, 2);
        this.#go(way, done + length);
      });
    });
  }

  #zero(way: Way, done: number): void {
    const { destination, destinationPointer } = way;
    if (this.#hasOtherMedium(destination)) {
      this.#ended({ sense: THIRD_PARTY_DEVICE_FAILURE, pointer: destinationPointer });
      return;
    }
    const most = MAX_WRITE_SAME_BLOCKS * (destination.block?.blockBytes ?? 1);
    const length = Math.min(way.bytes - done, most, MAX_ZERO_BYTES);
    this.#commands.zero(destination, way.to + done, length, (zeroed) => {
      const { status } = zeroed;
      if (status === GOOD) {
        this.#account(way, length, 1);
        this.#go(way, done + length);
      } else if (status === BUSY || status === TASK_SET_FULL)
        this.#later(() => this.#go(way, done));
      else this.#ended({ sense: senseOfFailure(zeroed), pointer: destinationPointer });
    });
  }

  #hasOtherMedium(unit: LogicalUnit): boolean {
    return this.#media.get(unit) !== generationOf(unit);
  }

  #account(way: Way, length: number, commands: number): void {
    if (!way.backwards) this.#bytes += length;
    this.#commandsGood += commands;
    this.#sinceRest += length;
    this.#tellProgress();
  }

  #tellProgress(): void {
    const progress = { ways: this.#ways, bytes: this.#bytes, commands: this.#commandsGood };
    this.#plan.progressed(progress);
  }

  /**
   * True, and the copy has ended, when nobody wants the next command any more, or it would move what is not meant, or reach a unit
   * that nobody named.
   */
  #spoilt(unit: LogicalUnit, pointer: number): boolean {
    const stopped = this.#plan.stopped();
    const spoilt = this.#plan.spoilt();
    const other = this.#hasOtherMedium(unit);
    if (!stopped && spoilt === 0 && isHere(unit) && !other) return false;
    this.#commands.giveBack();
    if (stopped) this.#ended(null);
    else if (spoilt !== 0) this.#ended({ sense: spoilt, pointer: NONE });
    else
      this.#ended({ sense: other ? THIRD_PARTY_DEVICE_FAILURE : UNREACHABLE_COPY_TARGET, pointer });
    return true;
  }

  /** True when a command was not GOOD: the copy has ended, or where there was no room for the command begins the piece again. */
  #failed(outcome: CommandOutcome, pointer: number, again: () => void): boolean {
    const { status } = outcome;
    if (status === GOOD) return false;
    this.#commands.giveBack();
    // No room, or an ACA condition: both pass, and may take their time.
    if (status === BUSY || status === TASK_SET_FULL) this.#later(again);
    else this.#ended({ sense: senseOfFailure(outcome), pointer });
    return true;
  }

  #rest(goOn: () => void): void {
    this.#sinceRest = 0;
    this.#target.timers.after(0, goOn);
  }

  #later(goOn: () => void): void {
    this.#sinceRest = 0;
    this.#target.timers.after(AGAIN_MS, goOn);
  }
}

function senseOfFailure({ sense }: CommandOutcome): number {
  return senseKeyOf(sense) === ILLEGAL_REQUEST
    ? COPY_ABORTED_NO_ADDITIONAL_SENSE
    : THIRD_PARTY_DEVICE_FAILURE;
}
