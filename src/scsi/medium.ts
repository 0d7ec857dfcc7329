/** The medium of a drive whose medium can be removed: where it is, which one it is, and who holds it fast (SPC-4, SBC-3 4.3, 5.13, 5.25). */
import type { MediumChanger } from './contracts.ts';
import type { LogicalUnit } from './logical-unit.ts';
import type { Nexus } from './nexus.ts';
import {
  MEDIUM_NOT_PRESENT_TRAY_CLOSED,
  MEDIUM_NOT_PRESENT_TRAY_OPEN,
  NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED,
} from './sense-codes.ts';

/** In the drive; out with the tray, as a START STOP UNIT leaves it; or taken by the operator, who has closed the tray. */
export type MediumPlace = 'drive' | 'tray' | 'away';

/** What a drive is found with, for the drives that are not found with their first medium in them. */
export interface MediumState {
  readonly place: MediumPlace;
  readonly generation: number;
  /** The operator prevents its removal. */
  readonly locked: boolean;
}

/**
 * How nexuses learn that a medium has gone. `t10`: NOT READY, and 28/00 when the next one is there (SAM-5, MMC-6). `maxfield`: as in his
 * proposal for shared CD drives, 28/00 first, then NOT READY.
 */
export type MediaChangeStyle = 't10' | 'maxfield';

/** Told of what becomes of the medium beside the unit attentions: the events of an optical drive. */
export interface MediumWatcher {
  /** A medium is in the drive. */
  arrived(): void;
  /** It is no longer. */
  left(): void;
}

interface Preventions {
  plain: boolean;
  persistent: boolean;
}

export class Medium {
  /** Nexuses that hold it fast. */
  readonly #holders = new Map<Nexus, Preventions>();
  #place: MediumPlace;
  #generation: number;
  #leaving = false;
  /** The operator holds it fast: a prevention like those of the nexuses, which no reset ends. */
  locked: boolean;
  /** Who takes media out and brings them; null: the only one there is lies in the tray when it is out. */
  readonly changer: MediumChanger | null;
  readonly changeStyle: MediaChangeStyle;
  watcher: MediumWatcher | null = null;
  /** The operator has asked for it, and it has not left the drive since. */
  requested = false;

  constructor(
    changer: MediumChanger | null,
    { place, generation, locked }: MediumState,
    changeStyle: MediaChangeStyle = 't10',
  ) {
    this.changer = changer;
    this.changeStyle = changeStyle;
    this.#place = place;
    this.#generation = generation;
    this.locked = locked;
  }

  get place(): MediumPlace {
    return this.#place;
  }

  /** It is in the drive, and commands may begin that touch it. */
  get loaded(): boolean {
    return this.#place === 'drive' && !this.#leaving;
  }

  /** It is being taken out. */
  get leaving(): boolean {
    return this.#leaving;
  }

  /** Grows with every medium that comes into the drive, the same one again included: nobody knows what was done to it outside. */
  get generation(): number {
    return this.#generation;
  }

  /** Somebody prevents its removal. */
  get prevented(): boolean {
    return this.locked || this.#holders.size > 0;
  }

  /** The nexuses that prevent its removal. */
  get holders(): readonly Nexus[] {
    return [...this.#holders.keys()];
  }

  /** A nexus prevents it, as long as this one is in the drive. */
  get preventedPlainly(): boolean {
    return [...this.#holders.values()].some(({ plain }) => plain);
  }

  /** A nexus prevents it persistently: to press the button is a request then, no removal. */
  get preventedPersistently(): boolean {
    return [...this.#holders.values()].some(({ persistent }) => persistent);
  }

  /**
   * Whether commands of a nexus may move it: nobody prevents that, but a persistent prevention does not bind those that have one (MMC-6
   * PREVENT ALLOW MEDIUM REMOVAL).
   */
  movableBy(nexus: Nexus): boolean {
    if (this.locked || this.preventedPlainly) return false;
    return !this.preventedPersistently || this.#holders.get(nexus)?.persistent === true;
  }

  /** Only this nexus prevents its removal, or nobody. */
  isFreeFor(nexus: Nexus): boolean {
    return !this.locked && this.holders.every((holder) => holder === nexus);
  }

  prevent(nexus: Nexus, kind: keyof Preventions = 'plain'): void {
    const preventions = this.#holders.get(nexus) ?? { plain: false, persistent: false };
    preventions[kind] = true;
    this.#holders.set(nexus, preventions);
  }

  /** Ends one of the two preventions of a nexus. */
  endPrevention(nexus: Nexus, kind: keyof Preventions): void {
    const preventions = this.#holders.get(nexus);
    if (preventions === undefined) return;
    preventions[kind] = false;
    if (!preventions.plain && !preventions.persistent) this.#holders.delete(nexus);
  }

  /** Ends the preventions of a nexus, or (null) of all: resets know no holders. */
  allow(nexus: Nexus | null): void {
    if (nexus === null) this.#holders.clear();
    else this.#holders.delete(nexus);
  }

  /** It leaves all the same: what is not persistent was about this one. */
  overrule(): void {
    for (const nexus of this.holders) this.endPrevention(nexus, 'plain');
  }

  /** NOT READY sense while there is no medium, else 0. */
  get absence(): number {
    if (this.loaded) return 0;
    return this.#place === 'tray' ? MEDIUM_NOT_PRESENT_TRAY_OPEN : MEDIUM_NOT_PRESENT_TRAY_CLOSED;
  }

  /** The tray goes out with it. */
  eject(unit: LogicalUnit, by: Nexus | null): void {
    if (this.changeStyle === 'maxfield' && !this.#leaving) this.#tellChange(unit, by);
    this.#leaves('tray');
  }

  /** It is being taken out: what has begun may end, nothing else begins. Ends by `take`, `eject` or `stay`. */
  leave(unit: LogicalUnit, by: Nexus | null = null): void {
    this.#leaving = true;
    if (this.changeStyle === 'maxfield') this.#tellChange(unit, by);
  }

  /** The operator has taken it, out of the drive or the tray, which is closed now. */
  take(): void {
    this.#leaves('away');
  }

  #leaves(to: MediumPlace): void {
    const wasThere = this.#place === 'drive';
    this.#leaving = false;
    this.#place = to;
    this.requested = false;
    if (wasThere) this.watcher?.left();
  }

  #tellChange(unit: LogicalUnit, by: Nexus | null): void {
    unit.attentionForAll(NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED, by?.index ?? -1);
  }

  /** It could not be taken out: it is ready again, which every nexus is told. */
  stay(unit: LogicalUnit): void {
    this.#leaving = false;
    unit.attentionForAll(NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED);
    this.watcher?.arrived();
  }

  /** A medium is in the drive: every nexus is told 28/00 but the one that asked for it, which knows. */
  insert(unit: LogicalUnit, generation: number, by: Nexus | null): void {
    this.#leaving = false;
    this.#place = 'drive';
    this.#generation = generation;
    this.requested = false;
    unit.power.reset();
    unit.target.rodTokens.revoke(unit);
    unit.logs.loadUnloadCycles += 1;
    this.#tellChange(unit, by);
    this.watcher?.arrived();
  }
}
