/**
 * The drive of the reference model (SPC-4, SBC-3 4.3, 5.13, 5.25): where its medium is, which one it is, who prevents its removal,
 * and what each medium holds. A fixed disk is a drive whose only medium never moves.
 */
import { BLOCK_BYTES } from './command.ts';
import { MediumModel, type StoreContents } from './medium-model.ts';
import { looksAtBlocks, type ModelTask, movesMedium } from './model-task.ts';
import { must } from './violation.ts';

/** A medium that may come into the drive. */
export interface MediumOptions {
  readonly capacity: number;
  readonly contents: StoreContents;
}

interface ModelMedium {
  capacity: number;
  readonly blocks: MediumModel;
  readonly contents: StoreContents;
}

/** What is known of the tasks when the medium moves. */
export type Live = readonly ModelTask[];

export class MediaModel {
  readonly removable: boolean;
  /** In the drive, out in the tray because a nexus ejected it, or away with the operator. */
  place: 'drive' | 'tray' | 'away' = 'drive';
  /** The operator is taking it: nothing begins that needs it. */
  #leaving = false;
  /** The operator prevents its removal. */
  locked = false;
  /** The operator removes it whoever prevents that, and whether or not it can be flushed. */
  forced = false;
  /** Nexuses that prevent its removal. */
  readonly holders = new Set<number>();
  /** The store of the medium is not closed yet. */
  inUse = true;
  /** How many media have come: a command remembers at its arrival which one was there. */
  arrivals = 0;
  #generation = 1;
  /** The flush before the operator gets it has failed: what was written last may be lost. */
  #lost = false;
  #flushed = false;
  #current = 0;
  readonly #media: readonly ModelMedium[];

  constructor(media: readonly MediumOptions[], largest: number) {
    this.removable = media.length > 1;
    this.#media = media.map(({ capacity, contents }) => ({
      capacity,
      contents,
      blocks: new MediumModel(largest),
    }));
  }

  get #medium(): ModelMedium {
    return this.#media[this.#current] as ModelMedium;
  }

  /** What the medium holds that is in the drive, or was last. */
  get blocks(): MediumModel {
    return this.#medium.blocks;
  }
  get contents(): StoreContents {
    return this.#medium.contents;
  }
  get capacity(): number {
    return this.#medium.capacity;
  }
  grew(capacity: number): void {
    this.#medium.capacity = capacity;
  }

  /** There is one, and commands may begin that need it. */
  get loaded(): boolean {
    return this.place === 'drive' && !this.#leaving;
  }

  /** It is on its way out, and something may still work on it. */
  get moving(): boolean {
    return this.#leaving || (this.place === 'tray' && this.inUse);
  }

  get prevented(): boolean {
    return this.locked || this.holders.size > 0;
  }

  /** Why the unit is not ready, or nothing. */
  get absence(): string {
    if (this.loaded) return '';
    return this.place === 'tray' ? '2/3a/02' : '2/3a/01';
  }

  /** A command was sent for a medium that is not the one which is there. */
  isStale(task: ModelTask): boolean {
    const { command, arrivals } = task;
    const names = looksAtBlocks(command) || command.kind === 'sync';
    return names && arrivals !== this.arrivals;
  }

  /** The command reaches the store of medium `index`. */
  accessed(task: ModelTask, index: number): void {
    must(this.place === 'drive', `#${task.id} reaches the store and the medium is out`);
    must(index === this.#current, `#${task.id} reaches another medium`);
    must(!this.isStale(task), `#${task.id} was sent for another medium`);
  }

  /** The tray goes out, which a START STOP UNIT has asked for and has the right to. */
  ejects(live: Live, now: number): void {
    must(this.loaded, 'a medium is ejected that is not in the drive');
    must(!this.prevented, 'the medium is ejected while its removal is prevented');
    const causer = live.find((task) => this.#mayEject(task));
    must(causer !== undefined, 'the medium is ejected and no command asked for it');
    causer.moved = true;
    for (const other of live) {
      const works = other !== causer && other.started && looksAtBlocks(other.command);
      must(!works, `the medium is ejected while #${other.id} works on it`);
    }
    this.#checkStable(now);
    this.place = 'tray';
  }

  #mayEject(task: ModelTask): boolean {
    const { command, started, requests, aborted, fault, moved } = task;
    const asks = movesMedium(command) && !command.flag && !this.isStale(task);
    return asks && started && requests === 0 && aborted === null && fault === '' && !moved;
  }

  /** The operator begins to take it out. */
  leaves(): void {
    must(this.loaded, 'the operator takes a medium that is not there');
    must(this.forced || !this.prevented, 'the operator takes the medium and that is prevented');
    this.#leaving = true;
    this.#flushed = false;
    this.#lost = false;
  }

  /** The flush before the operator gets it begins, on medium `index`. */
  flushes(index: number, live: Live): void {
    must(this.#leaving, 'a medium is flushed that does not leave');
    must(index === this.#current, 'another medium is flushed');
    for (const task of live) {
      must(task.requests === 0, `the medium leaves while #${task.id} works on it`);
    }
  }

  /** It has ended. */
  flushEnded(good: boolean): void {
    if (good) this.#flushed = true;
    else this.#lost = true;
  }

  /** The operator has it, out of the drive or its tray. */
  taken(now: number): void {
    must(this.place !== 'away', 'the operator takes a medium that is away');
    if (this.place === 'drive') {
      must(this.#leaving && (this.#flushed || this.#lost), 'a medium is taken without a flush');
      must(this.forced || !this.#lost, 'a medium is taken that could not be flushed');
      must(this.forced || !this.prevented, 'a medium is taken and its removal is prevented');
      if (!this.#lost) this.#checkStable(now);
    }
    this.#leaving = false;
    this.place = 'away';
  }

  /** It stays: its removal is prevented, or what was written last cannot be flushed. */
  stays(): void {
    must(this.#leaving, 'a medium stays that did not leave');
    must(!this.forced && (this.prevented || this.#lost), 'a medium stays for no reason');
    this.#leaving = false;
  }

  /** Nobody works on medium `index` any more; its cache is gone with the drive. */
  closed(index: number, live: Live): void {
    if (index !== this.#current) return;
    this.inUse = false;
    for (const task of live) {
      must(task.requests === 0, `the medium is out while #${task.id} works on it`);
    }
    // Somebody was told. What it is now it was once, and stays.
    if (this.#lost) this.blocks.settle(this.contents);
  }

  /** Medium `index` is in the drive. */
  comes(index: number, generation: number): void {
    must(this.place !== 'drive', 'a medium comes into a drive that has one');
    must(generation > this.#generation, 'a medium comes with an old generation');
    this.#generation = generation;
    this.#lost = false;
    this.arrivals += 1;
    this.#current = index;
    this.inUse = true;
    this.place = 'drive';
  }

  /** It was flushed when it left: all that was acknowledged is on it when it comes back. */
  #checkStable(now: number): void {
    const blocks = this.contents.stable.length / BLOCK_BYTES;
    for (let block = 0; block < blocks; block += 1) {
      this.blocks.checkStable(block, this.contents, now);
    }
  }
}
