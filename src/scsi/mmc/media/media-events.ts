/** Events of an optical drive, a queue per I_T nexus apart from the unit attentions: what GET EVENT STATUS NOTIFICATION tells. */
import type { LogicalUnit } from '../../logical-unit.ts';
import type { Medium, MediumWatcher } from '../../medium.ts';
import type { Nexus } from '../../nexus.ts';
import { NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED } from '../../sense-codes.ts';

/** Notification classes that are fed. */
export const OPERATIONAL_CHANGE_CLASS = 1;
export const MEDIA_CLASS = 4;
export type NotificationClass = typeof OPERATIONAL_CHANGE_CLASS | typeof MEDIA_CLASS;
/** They, lowest first. */
export const CLASSES: readonly NotificationClass[] = [OPERATIONAL_CHANGE_CLASS, MEDIA_CLASS];

/** Event codes. */
export const NO_CHANGE = 0;
/** Of the operational change class: features have become current, or are no longer. */
export const OPERATIONAL_CHANGE_OCCURRED = 2;
/** Of the media class. */
export const EJECT_REQUEST = 1;
export const NEW_MEDIA = 2;
export const MEDIA_REMOVAL = 3;
export const BACKGROUND_FORMAT_COMPLETED = 5;
export const BACKGROUND_FORMAT_RESTARTED = 6;

type MediaEvent =
  | typeof EJECT_REQUEST
  | typeof NEW_MEDIA
  | typeof MEDIA_REMOVAL
  | typeof BACKGROUND_FORMAT_COMPLETED
  | typeof BACKGROUND_FORMAT_RESTARTED;

/** What one nexus has not been told yet. */
interface Pending {
  operational: boolean;
  /** Oldest first; each code is there at most once, which bounds it. */
  media: readonly MediaEvent[];
}

const NOTHING: Pending = { operational: false, media: [] };

/**
 * Whoever changes a disc says so here: `newMedia` when a command has made another disc of it (a session is closed, it is blank, it
 * has another format), `formatCompleted` and `formatRestarted` of a format in the background. What comes and goes with the tray is
 * told by the `Medium`.
 */
export class MediaEvents implements MediumWatcher {
  readonly #pending = new Map<number, Pending>();
  #unit: LogicalUnit | null = null;

  /** It is about the medium of this unit, and for the nexuses of its target. */
  attach(unit: LogicalUnit): void {
    this.#unit = unit;
    if (unit.medium !== null) unit.medium.watcher = this;
  }

  get medium(): Medium | null {
    return this.#unit?.medium ?? null;
  }

  arrived(): void {
    this.#change(NEW_MEDIA);
  }

  left(): void {
    this.#change(MEDIA_REMOVAL);
  }

  /**
   * A command of `by` (null: the drive itself) has made another disc of the one that is there. Everybody has the event, without which
   * Linux keeps the old capacity; everybody else is told 28/00 as well, under whom the contents changed.
   */
  newMedia(by: Nexus | null): void {
    this.arrived();
    this.#unit?.attentionForAll(NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED, by?.index ?? -1);
  }

  /** A format in the background has ended. */
  formatCompleted(): void {
    this.#post(BACKGROUND_FORMAT_COMPLETED);
  }

  /** A format in the background goes on after a stop. */
  formatRestarted(): void {
    this.#post(BACKGROUND_FORMAT_RESTARTED);
  }

  /** Somebody has pressed the button, which does not open the tray by itself now. */
  ejectRequested(): void {
    this.#post(EJECT_REQUEST);
  }

  /** The lowest of `classes` that has an event for the nexus, or the lowest of all; null: none of `classes` is fed. */
  classFor(nexusIndex: number, classes: number): NotificationClass | null {
    const asked = CLASSES.filter((each) => (classes & (1 << each)) !== 0);
    const news = asked.find((each) => this.peek(nexusIndex, each) !== NO_CHANGE);
    return news ?? asked[0] ?? null;
  }

  /** The event of a class that the nexus is told next. */
  peek(nexusIndex: number, notificationClass: NotificationClass): number {
    const { operational, media } = this.#pending.get(nexusIndex) ?? NOTHING;
    if (notificationClass === MEDIA_CLASS) return media[0] ?? NO_CHANGE;
    return operational ? OPERATIONAL_CHANGE_OCCURRED : NO_CHANGE;
  }

  /** It has been told. */
  told(nexusIndex: number, notificationClass: NotificationClass): void {
    const pending = this.#pending.get(nexusIndex);
    if (pending === undefined) return;
    if (notificationClass === MEDIA_CLASS) pending.media = pending.media.slice(1);
    else pending.operational = false;
  }

  /** The nexus record is recycled: its events belonged to another initiator. */
  forget(nexusIndex: number): void {
    this.#pending.delete(nexusIndex);
  }

  /** The disc is another one, or none: which features are current changes too, and what was told of the old disc is void. */
  #change(event: MediaEvent): void {
    for (const nexus of this.#unit?.target.nexuses.all() ?? []) {
      const pending = this.#of(nexus);
      pending.operational = true;
      const other = event === NEW_MEDIA ? MEDIA_REMOVAL : NEW_MEDIA;
      pending.media = pending.media.includes(other) ? [other, event] : [event];
    }
  }

  #post(event: MediaEvent): void {
    for (const nexus of this.#unit?.target.nexuses.all() ?? []) {
      const pending = this.#of(nexus);
      pending.media = [...pending.media.filter((other) => other !== event), event];
    }
  }

  #of({ index }: Nexus): Pending {
    const pending = this.#pending.get(index) ?? { ...NOTHING };
    this.#pending.set(index, pending);
    return pending;
  }
}
