/**
 * Media requests: a guest without a SCSI CD driver asks for what it needs of a drive, as in Sun's xVM (media-req): lock, unlock, eject, and
 * how things are. An eject goes on after its answer.
 *
 *                lock, unlock                      eject                    let go of
 *      LOADED --------------> LOADED      LOADED --------> EJECTING -------------------> OUT
 *                                            ^                 | cannot be flushed, another has prevented it
 *                                            +-----------------+
 */
import { DONE, type StoreReply } from './contracts.ts';
import type { LogicalUnit } from './logical-unit.ts';
import type { Medium } from './medium.ts';
import type { Nexus } from './nexus.ts';
import { newPrivateTask } from './private-task.ts';
import { loseCachedWrites } from './sbc/store-fault.ts';
import type { Task } from './task.ts';
import { quietens } from './tray.ts';

export type MediaRequest = 'query' | 'lock' | 'unlock' | 'eject';

/**
 * done; pending: the eject is under way, `query` says when it is not any more; unsupported: the medium of the unit is fixed; absent: there is
 * no medium, or it is leaving; failed: the eject could not be done; prevented: another initiator or the operator holds it.
 */
export type MediaResult = 'done' | 'pending' | 'unsupported' | 'absent' | 'failed' | 'prevented';

export interface MediaReply {
  readonly result: MediaResult;
  /** There is a medium, and commands reach it. */
  readonly loaded: boolean;
  /** The tray is out. */
  readonly open: boolean;
  /** The initiator that asks prevents the removal. */
  readonly locked: boolean;
  /** Somebody else does. */
  readonly held: boolean;
  /** The operator asks for it. */
  readonly requested: boolean;
  /** Grows with each medium that comes. */
  readonly generation: number;
}

/** Of a unit whose medium is fixed. */
export const FIXED: MediaReply = {
  result: 'unsupported',
  loaded: false,
  open: false,
  locked: false,
  held: false,
  requested: false,
  generation: 0,
};

/** Those of one logical unit. */
export class MediaRequests {
  readonly #unit: LogicalUnit;
  /** Whose eject is under way. */
  #ejecting: Nexus | null = null;
  /** Nexuses whose last eject could not be done, until they have been told. */
  readonly #failed = new WeakSet<Nexus>();
  #stopped: () => void = () => undefined;

  constructor(unit: LogicalUnit) {
    this.#unit = unit;
  }

  serve(nexus: Nexus, request: MediaRequest): MediaReply {
    const { medium } = this.#unit;
    if (medium === null) return FIXED;
    const result = this.#serve(medium, nexus, request);
    return {
      result,
      loaded: medium.loaded,
      open: medium.place === 'tray',
      locked: medium.holders.includes(nexus),
      held: !medium.isFreeFor(nexus),
      requested: medium.requested,
      generation: medium.generation,
    };
  }

  /** Calls `stopped` when no eject works on the store any more: the unit goes away. */
  stop(stopped: () => void): void {
    if (this.#ejecting === null) stopped();
    else this.#stopped = stopped;
  }

  #serve(medium: Medium, nexus: Nexus, request: MediaRequest): MediaResult {
    if (request === 'query') return this.#outcome(nexus);
    if (request === 'eject') return this.#eject(medium, nexus);
    if (medium.leaving) return 'absent';
    if (request === 'unlock') {
      medium.endPrevention(nexus, 'plain');
      return 'done';
    }
    if (!medium.loaded) return 'absent';
    if (this.#isReserved(nexus)) return 'prevented';
    medium.prevent(nexus);
    return 'done';
  }

  #outcome(nexus: Nexus): MediaResult {
    if (this.#ejecting === nexus) return 'pending';
    return this.#failed.delete(nexus) ? 'failed' : 'done';
  }

  #isReserved(nexus: Nexus): boolean {
    const { reservations } = this.#unit;
    return reservations.active && reservations.conflicts(nexus, 'writes');
  }

  /** A lock of its own does not bind an initiator, those of others do. */
  #eject(medium: Medium, nexus: Nexus): MediaResult {
    const unit = this.#unit;
    if (this.#ejecting === nexus) return 'pending';
    if (medium.leaving) return 'absent';
    if (medium.place !== 'drive') return 'done';
    if (!medium.isFreeFor(nexus) || this.#isReserved(nexus)) return 'prevented';
    if (unit.operation !== null || unit.block === null) return 'failed';
    this.#failed.delete(nexus);
    this.#ejecting = nexus;
    medium.leave(unit, nexus);
    const { store } = unit.block;
    // What has begun ends first.
    unit.whenMediumIdle(null, () => {
      const work = newPrivateTask();
      work.unit = unit;
      work.await(store.flush(work), (_, reply) => this.#flushed(medium, nexus, work, reply));
    });
    return this.#outcome(nexus);
  }

  #flushed(medium: Medium, nexus: Nexus, work: Task, reply: StoreReply): void {
    const unit = this.#unit;
    if (reply !== DONE) loseCachedWrites(unit, reply, -1);
    // Somebody may have prevented it meanwhile.
    if (reply !== DONE || !medium.isFreeFor(nexus)) {
      medium.stay(unit);
      this.#ended(nexus, false);
      return;
    }
    medium.endPrevention(nexus, 'plain');
    medium.eject(unit, nexus);
    unit.target.rodTokens.revoke(unit);
    quietens(unit);
    unit.cachedWrites.stable(unit.cachedWrites.count);
    const kept = medium.changer?.ejected(work, unit) ?? DONE;
    work.await(kept, (_, outcome) => this.#ended(nexus, outcome === DONE));
  }

  #ended(nexus: Nexus, well: boolean): void {
    this.#ejecting = null;
    if (!well) this.#failed.add(nexus);
    this.#stopped();
  }
}
