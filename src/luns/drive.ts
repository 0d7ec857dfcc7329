/** The drive of a removable disk: media come into it and leave it, and no command of one ever reaches the next. */
import { assert } from '../assert.ts';
import {
  DONE,
  GONE,
  type MediumChanger,
  PENDING,
  type StoreReply,
  type Timers,
} from '../scsi/contracts.ts';
import type { LogicalUnit } from '../scsi/logical-unit.ts';
import type { Medium, MediumPlace } from '../scsi/medium.ts';
import { newPrivateTask } from '../scsi/private-task.ts';
import { loseCachedWrites } from '../scsi/sbc/store-fault.ts';
import type { Task } from '../scsi/task.ts';
import type { Backing } from './backing.ts';
import type { BurnerJournal } from './disc/burner-journal.ts';
import { type DiscReport, discReport } from './disc-report.ts';
import type { DiskOptions } from './disk.ts';
import { InventoryError } from './inventory-error.ts';
import { discOfBacking } from './optical.ts';
import type { DiskStore } from './store/disk-store.ts';
import { EmptyStore } from './store/empty.ts';
import type { FaultStore } from './store/fault.ts';

/** How long commands that have begun may go on when the operator takes their medium; they are aborted then. */
const GRACE_MS = 2000;

/** A medium for a drive. Its file was opened, checked and locked before. */
export interface MediumSpec {
  readonly backing: Backing;
  readonly readOnly: boolean;
  readonly generation: number;
}

export interface DriveStatus {
  readonly lun: number;
  readonly place: MediumPlace;
  readonly generation: number;
  /** The operator prevents the removal of the medium. */
  readonly locked: boolean;
  /** Names of the initiators that do. */
  readonly preventedBy: readonly string[];
  /** The operator has asked for the medium, which has not left since. */
  readonly ejectRequested: boolean;
  /** The disc in an optical drive; null: there is none, or it has other media. */
  readonly disc: DiscReport | null;
}

/** Who has the files of media and their locks. It is asked, and answers when it can: `Drive.insert`, `Drive.answer`. */
export interface MediaKeeper {
  /** A START STOP UNIT has sent the tray out with the medium of this generation; its file is not used any more. */
  ejected(lun: number, generation: number): void;
  /** A START STOP UNIT wants what lies in the tray. */
  wanted(lun: number): void;
}

/** How a removal by the operator ended: null is well; `flushed` is false when what was written last is lost. */
export type Removed = (error: InventoryError | null, flushed: boolean) => void;

export interface DriveOptions {
  readonly disk: DiskOptions;
  readonly store: FaultStore;
  readonly keeper: MediaKeeper;
  readonly timers: Timers;
  /** Opens the store of a medium. Throws SystemError. */
  readonly open: (options: DiskOptions) => DiskStore;
  /** Of a burner. */
  readonly journal?: BurnerJournal | null;
}

/** A START STOP UNIT wants something of the keeper; null: it has ended. */
interface Question {
  task: Task | null;
  readonly loads: boolean;
}

export class Drive implements MediumChanger {
  readonly #given: DriveOptions;
  #disk: DiskOptions;
  /**
   * What the keeper was asked for and has not answered yet, in order. START STOP UNITs wait one at a time, but a medium of the
   * operator ends a load before its answer: that comes late, and is not for the next one.
   */
  readonly #asked: Question[] = [];
  /** The operator's changes that wait until an eject, which has sent the tray out, has let go of the store. */
  #waiting: (() => void)[] = [];
  /** The disk goes away: the keeper would answer nobody. */
  #abandoned = false;

  /** A medium in memory that is out: nobody else has its bytes. */
  #kept: DiskStore | null = null;

  constructor(given: DriveOptions) {
    this.#given = given;
    this.#disk = given.disk;
  }

  /** What the disk is made of now. */
  get disk(): DiskOptions {
    return this.#disk;
  }

  status(unit: LogicalUnit): DriveStatus {
    const { place, generation, locked, holders, requested: ejectRequested } = mediumOf(unit);
    const preventedBy = holders.map(({ name, port }) => name || port);
    const disc = discReport(unit);
    return { lun: unit.lun, place, generation, locked, preventedBy, ejectRequested, disc };
  }

  ejected(task: Task, unit: LogicalUnit): StoreReply {
    this.#empty(unit);
    if (!this.#abandoned) {
      this.#asked.push({ task, loads: false });
      this.#given.keeper.ejected(unit.lun, mediumOf(unit).generation);
    }
    for (const change of this.#waiting.splice(0)) change();
    return this.#abandoned ? DONE : PENDING;
  }

  load(task: Task, unit: LogicalUnit): StoreReply {
    this.#asked.push({ task, loads: true });
    this.#given.keeper.wanted(unit.lun);
    return PENDING;
  }

  /** The keeper has done what a START STOP UNIT asked for, or cannot: one answer to each question, but for a medium that it asked for. */
  answer(reply: StoreReply): void {
    this.#asked.shift()?.task?.stored(reply);
  }

  /** The disk goes away: nobody answers any more. */
  abandon(): void {
    this.#abandoned = true;
    for (const { task } of this.#asked.splice(0)) task?.stored(GONE);
  }

  /**
   * Puts a medium in, in the place of the one that is there. `asked`: a START STOP UNIT wants it, whose initiator is not told. `done` gets
   * what came of the medium that was there; when that stayed, the descriptors of the new one are closed. Throws InventoryError
   * and SystemError; those are the caller's then.
   */
  insert(
    unit: LogicalUnit,
    spec: MediumSpec,
    { force, asked }: { readonly force: boolean; readonly asked: boolean },
    done: Removed,
  ): void {
    const medium = mediumOf(unit);
    const { lun } = unit;
    const put = (inner: DiskStore, flushed: boolean): void => {
      this.#put(unit, inner, spec, asked);
      done(null, flushed);
    };
    if (medium.place !== 'drive') {
      // A medium in memory may be the one that is still on its way out.
      const opened = spec.backing.kind === 'memory' ? null : this.#openStore(spec);
      this.#whenEmpty(unit, () => put(opened ?? this.#openStore(spec), true));
      return;
    }
    this.#checkRemovable(unit, force, `Cannot load another medium into LUN ${lun}`);
    const inner = this.#openStore(spec);
    this.#takeOut(unit, force, `Cannot load another medium into LUN ${lun}`, (error, flushed) => {
      if (error === null) put(inner, flushed);
      else {
        inner.close();
        done(error, flushed);
      }
    });
  }

  /** The disk is gone. Closes what it kept. */
  close(): void {
    this.#kept?.close();
    this.#kept = null;
  }

  /**
   * Takes the medium out: commands that have begun end, or are aborted after a while; what was written is flushed. `force`: preventions
   * and a failed flush do not keep it in. Throws InventoryError.
   */
  take(unit: LogicalUnit, force: boolean, done: Removed): void {
    const medium = mediumOf(unit);
    const action = `Cannot eject the medium of LUN ${unit.lun}`;
    if (medium.place === 'away') {
      throw new InventoryError('ERR_MEDIUM_MISSING', `${action}: there is none in it`);
    }
    if (medium.place === 'tray') {
      this.#whenEmpty(unit, () => {
        medium.take();
        done(null, true);
      });
      return;
    }
    this.#checkRemovable(unit, force, action);
    this.#takeOut(unit, force, action, done);
  }

  /**
   * The operator asks for the medium: the initiators of an optical drive have an event, as when somebody presses the button of a drive that
   * is locked. `silently`: those of a disk, which have no events, are not told. Throws InventoryError.
   */
  request(unit: LogicalUnit, silently: boolean): void {
    const medium = mediumOf(unit);
    const action = `Cannot ask for the medium of LUN ${unit.lun}`;
    if (medium.place !== 'drive') {
      throw new InventoryError('ERR_MEDIUM_MISSING', `${action}: there is none in the drive`);
    }
    if (unit.optical === null && !silently) {
      throw new InventoryError(
        'ERR_MEDIUM_UNASKED',
        `${action}: a disk has no events, its initiators cannot be asked`,
      );
    }
    medium.requested = true;
    unit.optical?.events.ejectRequested();
  }

  /** Calls `empty` when the medium that is out is not used any more: an eject waits for what has begun beside it. */
  #whenEmpty(unit: LogicalUnit, empty: () => void): void {
    if (mediumOf(unit).place === 'tray' && this.#disk.backing.kind !== 'none') {
      this.#waiting.push(empty);
    } else {
      empty();
    }
  }

  #openStore({ backing, readOnly }: MediumSpec): DiskStore {
    if (backing.kind === 'memory' && this.#kept !== null) return this.#kept;
    return this.#given.open({ ...this.#disk, backing, readOnly });
  }

  #put(unit: LogicalUnit, inner: DiskStore, spec: MediumSpec, asked: boolean): void {
    const { backing, readOnly, generation } = spec;
    const load = this.#waitingLoad();
    if (asked) this.#asked.shift();
    this.#given.store.replace(inner).close();
    this.#given.journal?.change(backing);
    unit.optical?.change(discOfBacking(backing));
    if (this.#kept !== inner) this.#kept?.close();
    this.#kept = null;
    this.#disk = { ...this.#disk, backing, readOnly };
    const knows = asked && load !== null && !load.aborting;
    mediumOf(unit).insert(unit, generation, knows ? load.nexus : null);
    load?.stored(DONE);
  }

  /** The load that waits for a medium, or null; it does no longer. */
  #waitingLoad(): Task | null {
    const question = this.#asked.find(({ task, loads }) => loads && task !== null);
    if (question === undefined) return null;
    const { task } = question;
    question.task = null;
    return task;
  }

  #empty(unit: LogicalUnit): void {
    const out = this.#given.store.replace(new EmptyStore());
    this.#given.journal?.change({ kind: 'none' });
    unit.optical?.change(null);
    if (this.#disk.backing.kind === 'memory') this.#kept = out;
    else out.close();
    this.#disk = { ...this.#disk, backing: { kind: 'none' } };
  }

  #checkRemovable(unit: LogicalUnit, force: boolean, action: string): void {
    if (unit.operation !== null) {
      throw new InventoryError(
        'ERR_LUN_BUSY',
        `${action}: a SANITIZE or FORMAT UNIT is under way or has failed, it must have worked first`,
      );
    }
    if (mediumOf(unit).leaving) {
      throw new InventoryError('ERR_LUN_BUSY', `${action}: a guest is ejecting it`);
    }
    if (force) return;
    if (unit.optical?.burner?.keepsDisc(null) === true) throw this.#burnt(unit, action);
    if (mediumOf(unit).prevented) throw this.#prevented(unit, action);
  }

  #burnt(unit: LogicalUnit, action: string): InventoryError {
    const { name = '', port = '' } = unit.optical?.burner?.user ?? {};
    const who = quoted(name || port);
    const { what } = discReport(unit)?.work ?? { what: null };
    const why =
      what === null
        ? `${who} is burning it, and has not closed the session; --force interrupts that`
        : `the drive is ${what} it for ${who}; --force does not let it take its time`;
    return new InventoryError('ERR_MEDIUM_BURNT', `${action}: ${why}`);
  }

  #prevented(unit: LogicalUnit, action: string): InventoryError {
    const { locked, preventedBy } = this.status(unit);
    const who = [...(locked ? ['the operator (media lock)'] : []), ...preventedBy.map(quoted)];
    return new InventoryError(
      'ERR_MEDIUM_PREVENTED',
      `${action}: its removal is prevented by ${who.join(', ')}; --force does it all the same`,
    );
  }

  #takeOut(unit: LogicalUnit, force: boolean, action: string, done: Removed): void {
    const { timers, store } = this.#given;
    const medium = mediumOf(unit);
    medium.leave(unit);
    const patience = timers.after(GRACE_MS, () => unit.taskSet.abortWork());
    const stay = (error: InventoryError, flushed: boolean): void => {
      medium.stay(unit);
      done(error, flushed);
    };
    unit.whenMediumIdle(null, () => {
      timers.cancel(patience);
      if (!force && unit.optical?.burner?.keepsDisc(null) === true) {
        stay(this.#burnt(unit, action), true);
        return;
      }
      unit.optical?.burner?.release();
      const work = newPrivateTask();
      work.unit = unit;
      const settled = (_: Task, reply: StoreReply): void => {
        if (reply !== DONE) loseCachedWrites(unit, reply, -1);
        if (reply !== DONE && !force) {
          const why = 'what was written last could not be flushed; --force gives it out without';
          stay(new InventoryError('ERR_FLUSH', `${action}: ${why}`), false);
          return;
        }
        // Somebody may have prevented it meanwhile.
        if (!force && medium.prevented) {
          stay(this.#prevented(unit, action), reply === DONE);
          return;
        }
        unit.cachedWrites.stable(unit.cachedWrites.count);
        this.#empty(unit);
        // Who held an optical disc fast held this one; a persistent prevention is about the drive.
        if (unit.optical !== null) medium.overrule();
        medium.take();
        done(null, reply === DONE);
      };
      work.await(store.flush(work), (_, reply) => {
        if (reply === DONE) work.await(unit.optical?.settle(work) ?? DONE, settled);
        else settled(work, reply);
      });
    });
  }
}

function quoted(name: string): string {
  return `"${name}"`;
}

function mediumOf({ medium }: LogicalUnit): Medium {
  assert(medium !== null, 'a drive has a medium that can be removed');
  return medium;
}
