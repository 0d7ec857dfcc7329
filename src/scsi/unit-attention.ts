/**
 * What a logical unit has to tell an I_T nexus before it does anything else for it: unit attentions, then deferred errors. A queue
 * per nexus, precedence and clearing (SAM-5 5.14, 6.2; SPC-4 4.5.7).
 */
import { MAX_NEXUSES } from './nexus.ts';
import { BUSY, RESERVATION_CONFLICT, TASK_SET_FULL } from './sam.ts';
import { ascOf, ascqOf, DEFERRED } from './sense.ts';
import {
  PREVIOUS_BUSY_STATUS,
  PREVIOUS_RESERVATION_CONFLICT_STATUS,
  PREVIOUS_TASK_SET_FULL_STATUS,
  REPORTED_LUNS_DATA_HAS_CHANGED,
} from './sense-codes.ts';

const NEXUS_LOSS = 7;
const OTHERS = 8;
const DEFERRED_ERRORS = 9;

/** Precedence of the reset family, highest first (sam-5 6.2.1): POWER ON, BUS RESET, LU RESET, NEXUS LOSS; others; deferred errors. */
function rank(sense: number): number {
  if ((sense & DEFERRED) !== 0) return DEFERRED_ERRORS;
  if (ascOf(sense) !== 0x29) return OTHERS;
  const ascq = ascqOf(sense);
  if (ascq <= 0x01 || ascq === 0x04) return 0;
  return ascq;
}

/** Power on, resets and nexus loss (29/xx), which precede everything but ACA ACTIVE (SAM-5 5.3.3). */
export function isOfResetFamily(sense: number): boolean {
  return sense !== 0 && rank(sense) < OTHERS;
}

/** The condition that a status leaves behind under UA_INTLCK_CTRL = 11b (SPC-4 7.5.8), or 0. */
export function attentionAfter(status: number): number {
  if (status === BUSY) return PREVIOUS_BUSY_STATUS;
  if (status === TASK_SET_FULL) return PREVIOUS_TASK_SET_FULL_STATUS;
  return status === RESERVATION_CONFLICT ? PREVIOUS_RESERVATION_CONFLICT_STATUS : 0;
}

export class UnitAttention {
  /** Number of pending conditions per nexus index: the one word the hot path looks at. */
  readonly pending = new Uint8Array(MAX_NEXUSES + 1);
  readonly #queues = new Map<number, number[]>();

  /**
   * Posts a condition for one nexus, the copy manager's excepted, who has nobody to tell. Each code is queued once; of the reset family only the highest stays, and a reset
   * (not a nexus loss) drops everything older, which it implies.
   */
  post(nexusIndex: number, sense: number): void {
    if (nexusIndex >= MAX_NEXUSES) return;
    const queue = this.#queues.get(nexusIndex) ?? [];
    const level = rank(sense);
    if (queue.includes(sense) || (level < OTHERS && queue.some((q) => rank(q) < level))) {
      // A reset under a greater one is no news, but what is older than it is not either.
      if (level < NEXUS_LOSS) {
        this.#set(
          nexusIndex,
          queue.filter((q) => rank(q) <= level || rank(q) === DEFERRED_ERRORS),
        );
      }
      return;
    }
    // A reset brings no lost data back.
    const stays = level < NEXUS_LOSS ? DEFERRED_ERRORS : OTHERS;
    const kept = queue.filter((q) => level >= OTHERS || rank(q) >= stays);
    kept.push(sense);
    kept.sort((a, b) => rank(a) - rank(b));
    this.#set(nexusIndex, kept);
  }

  /** The condition that would be reported next, or 0. */
  peek(nexusIndex: number): number {
    if (this.pending[nexusIndex] === 0) return 0;
    return this.#queues.get(nexusIndex)?.[0] ?? 0;
  }

  /** Takes the condition that is reported now, by REQUEST SENSE. */
  take(nexusIndex: number): number {
    const queue = this.#queues.get(nexusIndex);
    const sense = queue?.shift() ?? 0;
    if (queue !== undefined) this.#set(nexusIndex, queue);
    return sense;
  }

  /** The condition has been reported: it is pending until then, whoever may be aborted on the way. */
  reported(nexusIndex: number, sense: number): void {
    const queue = this.#queues.get(nexusIndex);
    if (queue === undefined) return;
    this.#set(
      nexusIndex,
      queue.filter((other) => other !== sense),
    );
  }

  /** REPORT LUNS was executed: 3F/0E is no longer news (SPC-4 6.33). */
  clearReportedLuns(nexusIndex: number): void {
    const queue = this.#queues.get(nexusIndex);
    if (queue === undefined) return;
    this.#set(
      nexusIndex,
      queue.filter((sense) => sense !== REPORTED_LUNS_DATA_HAS_CHANGED),
    );
  }

  /** The nexus record is recycled: its conditions belonged to another initiator. */
  forget(nexusIndex: number): void {
    this.#set(nexusIndex, []);
  }

  #set(nexusIndex: number, queue: number[]): void {
    this.pending[nexusIndex] = queue.length;
    if (queue.length === 0) this.#queues.delete(nexusIndex);
    else this.#queues.set(nexusIndex, queue);
  }
}
