/**
 * Playing audio: a clock that knows which block would be heard now (MMC-3 audio status). Nobody listens; what hosts ask for is the
 * position and how it ends.
 *
 *            play, scan              pause
 *   NONE ---------------> PLAYING <--------> PAUSED
 *     ^                      |      resume      |
 *     |   reported once      | end, data        | stop, another disc, another access
 *     +---- COMPLETED, FAILED+                  |
 *     +-----------------------------------------+
 */
import type { LogicalUnit } from '../../logical-unit.ts';
import { FRAMES_PER_SECOND } from '../sector/msf.ts';

/** Audio status of READ SUB-CHANNEL, and the additional sense code qualifier of REQUEST SENSE. */
export const PLAYING = 0x11;
export const PAUSED = 0x12;
export const COMPLETED = 0x13;
export const FAILED = 0x14;
export const NO_STATUS = 0x15;
export type AudioStatus =
  | typeof PLAYING
  | typeof PAUSED
  | typeof COMPLETED
  | typeof FAILED
  | typeof NO_STATUS;

const MS_PER_SECOND = 1000;
/** How much faster than audio SCAN goes. */
const SCAN_RATE = 10;

/** What is to be heard: from one block up to another, which is not. */
export interface AudioRange {
  readonly from: number;
  readonly to: number;
  /** Something that is no audio begins there. */
  readonly failsAtEnd: boolean;
}

export class AudioPlayer {
  readonly #now: () => number;
  #status: AudioStatus = NO_STATUS;
  /** Where it was when the clock was last started, or stands. */
  #from = 0;
  #startedMs = 0;
  /** Blocks for each block of audio time; negative: backwards. */
  #rate = 1;
  #to = 0;
  /** Where playing goes on to when a scan is resumed. */
  #audioEnd = 0;
  #failsAtEnd = false;
  #generation = 0;
  /** A command that waits for the end, and what wakes it. */
  #waiter: ((status: AudioStatus) => void) | null = null;
  #timer: object | null = null;

  constructor(now: () => number) {
    this.#now = now;
  }

  play(unit: LogicalUnit, { from, to, failsAtEnd }: AudioRange): void {
    this.#begin(unit, from, to, 1);
    this.#audioEnd = to;
    this.#failsAtEnd = failsAtEnd;
  }

  /** From `from` to the bounds of the audio around it. */
  scan(unit: LogicalUnit, from: number, backwards: boolean, audio: AudioRange): void {
    this.#begin(unit, from, backwards ? audio.from : audio.to, backwards ? -SCAN_RATE : SCAN_RATE);
    this.#audioEnd = audio.to;
    this.#failsAtEnd = false;
  }

  #begin(unit: LogicalUnit, from: number, to: number, rate: number): void {
    this.stop();
    this.#status = PLAYING;
    this.#from = from;
    this.#to = to;
    this.#rate = rate;
    this.#startedMs = this.#now();
    this.#generation = unit.medium?.generation ?? 0;
  }

  /** Audio status; COMPLETED and FAILED are there until they are reported. */
  status(unit: LogicalUnit): AudioStatus {
    this.#settle(unit);
    return this.#status;
  }

  /** The same for an answer: how a play ended is told once. */
  report(unit: LogicalUnit): AudioStatus {
    const status = this.status(unit);
    if (status === COMPLETED || status === FAILED) this.#status = NO_STATUS;
    return status;
  }

  /** The block that is heard, or where the head stands. */
  position(unit: LogicalUnit): number {
    this.#settle(unit);
    return this.#place();
  }

  #place(): number {
    if (this.#status !== PLAYING) return this.#from;
    const seconds = (this.#now() - this.#startedMs) / MS_PER_SECOND;
    return this.#from + Math.floor(seconds * FRAMES_PER_SECOND) * this.#rate;
  }

  /** False: nothing is played that could pause. */
  pause(unit: LogicalUnit): boolean {
    this.#settle(unit);
    if (this.#status === PLAYING) {
      this.#from = this.#place();
      this.#status = PAUSED;
      this.#disarm(unit);
    }
    return this.#status === PAUSED;
  }

  /** A scan goes on as play. False: nothing is paused or played. */
  resume(unit: LogicalUnit): boolean {
    this.#settle(unit);
    if (this.#status === PAUSED) {
      this.#status = PLAYING;
      this.#startedMs = this.#now();
      this.#rate = 1;
      this.#to = this.#audioEnd;
      this.#arm(unit);
    }
    return this.#status === PLAYING;
  }

  /** Nothing is played any more; the head stays. */
  stop(): void {
    this.#from = this.#place();
    this.#end(NO_STATUS);
  }

  /** Another access: nothing is played any more, and the head is at `lba`. */
  moveTo(lba: number): void {
    this.#end(NO_STATUS);
    this.#from = lba;
  }

  /** Calls `ended` when what is played now is not any more. */
  whenEnded(unit: LogicalUnit, ended: (status: AudioStatus) => void): void {
    this.#waiter = ended;
    this.#arm(unit);
  }

  #end(status: AudioStatus): void {
    this.#status = status;
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.(status);
  }

  /** Ends what has ended since anybody looked: its range, or its disc. */
  #settle(unit: LogicalUnit): void {
    if (this.#status === NO_STATUS) return;
    const { medium } = unit;
    if (medium !== null && (!medium.loaded || medium.generation !== this.#generation)) {
      this.moveTo(0);
    } else if (this.#status === PLAYING) {
      const place = this.#place();
      const isOver = this.#rate > 0 ? place >= this.#to : place < this.#to;
      if (!isOver) return;
      this.#from = this.#rate > 0 ? this.#to - 1 : this.#to;
      this.#end(this.#failsAtEnd ? FAILED : COMPLETED);
    }
  }

  #disarm({ target: { timers } }: LogicalUnit): void {
    if (this.#timer !== null) timers.cancel(this.#timer);
    this.#timer = null;
  }

  /** Looks again when what is played should be over, if somebody waits for that. */
  #arm(unit: LogicalUnit): void {
    this.#disarm(unit);
    if (this.#waiter === null || this.#status !== PLAYING) return;
    const blocks = Math.abs(this.#to - this.#place());
    const delayMs = Math.ceil((blocks * MS_PER_SECOND) / FRAMES_PER_SECOND);
    this.#timer = unit.target.timers.after(delayMs, () => {
      this.#timer = null;
      this.#settle(unit);
      this.#arm(unit);
    });
  }
}
