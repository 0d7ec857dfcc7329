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

export class Medium {
  /** Nexuses that hold it fast (PREVENT = 01b). */
  readonly #holders = new Set<Nexus>();
  #place: MediumPlace;
  #generation: number;
  #leaving = false;
  /** The operator holds it fast: a prevention like those of the nexuses, which no reset ends. */
  locked: boolean;
  /** Who takes media out and brings them; null: the only one there is lies in the tray when it is out. */
  readonly changer: MediumChanger | null;

  constructor(changer: MediumChanger | null, { place, generation, locked }: MediumState) {
    this.changer = changer;
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
    return [...this.#holders];
  }

  prevent(nexus: Nexus): void {
    this.#holders.add(nexus);
  }

  /** Ends the prevention of a nexus, or (null) of all: resets know no holders. */
  allow(nexus: Nexus | null): void {
    if (nexus === null) this.#holders.clear();
    else this.#holders.delete(nexus);
  }

  /** NOT READY sense while there is no medium, else 0. */
  get absence(): number {
    if (this.loaded) return 0;
    return this.#place === 'tray' ? MEDIUM_NOT_PRESENT_TRAY_OPEN : MEDIUM_NOT_PRESENT_TRAY_CLOSED;
  }

  /** The tray goes out with it. */
  eject(): void {
    this.#place = 'tray';
  }

  /** The operator is taking it out: what has begun may end, nothing else begins. Ends by `take` or `stay`. */
  leave(): void {
    this.#leaving = true;
  }

  /** The operator has taken it, out of the drive or the tray, which is closed now. */
  take(): void {
    this.#leaving = false;
    this.#place = 'away';
  }

  /** It could not be taken out: it is ready again, which every nexus is told. */
  stay(unit: LogicalUnit): void {
    this.#leaving = false;
    unit.attentionForAll(NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED);
  }

  /** A medium is in the drive: every nexus is told 28/00 but the one that asked for it, which knows. */
  insert(unit: LogicalUnit, generation: number, by: Nexus | null): void {
    this.#leaving = false;
    this.#place = 'drive';
    this.#generation = generation;
    unit.power.reset();
    unit.target.rodTokens.revoke(unit);
    unit.logs.loadUnloadCycles += 1;
    unit.attentionForAll(NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED, by?.index ?? -1);
  }
}
