/**
 * The unit attentions each nexus has to see, from SAM-5 5.14 and 6.2: one queue per nexus, each code once, the reset
 * family before everything else, one per CHECK CONDITION.
 *
 * Two liberties of a target are modelled. A condition that came with a step counts from the end of the step: commands that
 * the same step lets run may or may not see it. One that a reset makes old may be reported or forgotten.
 */
import { must } from './violation.ts';

interface Condition {
  readonly sense: string;
  /** It has to be reported. */
  required: boolean;
  /** Posted in the step under way. */
  fresh: boolean;
  /** When it was posted. */
  at: number;
  /** Its place among others of its rank is not known. */
  floating: boolean;
}

const RESET_FAMILY = ['6/29/00', '6/29/01', '6/29/02', '6/29/03', '6/29/07'];

export class AttentionModel {
  readonly #queues: Condition[][];
  /** Every code that was ever posted. */
  readonly #past: Set<string>[];
  /** Reports that are late (QERR) cannot be put in order with other events: then only what was posted may be reported. */
  readonly #loose: boolean;
  /** UA_INTLCK_CTRL is not 0: a CHECK CONDITION reports a condition and leaves it. */
  readonly #kept: boolean;

  constructor(nexuses: number, options: { readonly loose: boolean; readonly kept: boolean }) {
    this.#queues = Array.from({ length: nexuses }, () => []);
    this.#past = Array.from({ length: nexuses }, () => new Set());
    this.#loose = options.loose;
    this.#kept = options.kept;
  }

  /** Something happened that this nexus is to be told. `required` false: it need not be. */
  post(nexus: number, sense: string, now: number, required = true): void {
    this.#past[nexus]?.add(sense);
    const queue = this.#queueOf(nexus);
    const present = queue.find((condition) => condition.sense === sense);
    if (present !== undefined) {
      if (!required || present.required) return;
      // Whether it was forgotten in between is not known, nor is its place.
      Object.assign(present, { required: true, fresh: true, floating: true, at: now });
      return;
    }
    queue.push({ sense, required, fresh: true, floating: false, at: now });
  }

  /** A reset: older conditions need not be reported any more, the reset itself has to, unless a greater one is pending. */
  reset(nexus: number, sense: string, now: number): void {
    const queue = this.#queueOf(nexus);
    const greater = queue.some((c) => c.required && rankOf(c.sense) < rankOf(sense));
    for (const c of queue) {
      // It brings no lost data back.
      const old = rankOf(c.sense) >= rankOf(sense) && !c.sense.startsWith('deferred');
      if (old) c.required = false;
    }
    this.post(nexus, sense, now, !greater);
  }

  /** I_T nexus loss: it is to be told, unless a reset is pending, which says more. */
  lost(nexus: number, now: number): void {
    const greater = this.#queueOf(nexus).some(
      (c) => c.required && rankOf(c.sense) < rankOf('6/29/07'),
    );
    this.post(nexus, '6/29/07', now, !greater);
  }

  /** The step has ended. */
  settle(): void {
    for (const queue of this.#queues) for (const condition of queue) condition.fresh = false;
  }

  /** A command of the nexus ends with this unit attention, or REQUEST SENSE returns it (`data`). */
  reported(nexus: number, sense: string, data: boolean): void {
    const queue = this.#queueOf(nexus);
    const at = queue.findIndex((condition) => condition.sense === sense);
    // A late CHECK CONDITION (QERR) may report what REQUEST SENSE has cleared since.
    if (at < 0 && this.#loose && this.#kept && this.#past[nexus]?.has(sense)) return;
    must(at >= 0, `${sense} is reported to nexus ${nexus}, which has no such unit attention`);
    if (!this.#loose) this.#checkPrecedence(queue, at);
    if (data || !this.#kept || sense.startsWith('deferred')) queue.splice(at, 1);
  }

  #checkPrecedence(queue: readonly Condition[], at: number): void {
    const reported = queue[at] as Condition;
    for (const [i, other] of queue.entries()) {
      if (!other.required || other.fresh || i === at) continue;
      const [mine, its] = [rankOf(reported.sense), rankOf(other.sense)];
      const unknown = mine === its && (reported.floating || other.floating);
      must(
        unknown || mine < its || (mine === its && at < i),
        `${reported.sense} is reported while ${other.sense} goes before it`,
      );
    }
  }

  /** A command that would report one ran instead; it could run since `since`. */
  ranWithout(nexus: number, since: number): void {
    if (this.#loose) return;
    const queue = this.#queueOf(nexus);
    const missed = queue.find((c) => c.required && !c.fresh && c.at <= since);
    must(missed === undefined, `a command runs while ${missed?.sense} is pending`);
    for (let i = queue.length - 1; i >= 0; i -= 1) {
      const condition = queue[i] as Condition;
      if (!condition.required && !condition.fresh && condition.at <= since) queue.splice(i, 1);
    }
  }

  /** Whether this one may be what the nexus is told. */
  holds(nexus: number, sense: string): boolean {
    return this.#queueOf(nexus).some((condition) => condition.sense === sense);
  }

  /** What has to be reported still. */
  required(nexus: number): string[] {
    return this.#queueOf(nexus)
      .filter((condition) => condition.required)
      .map((condition) => condition.sense);
  }

  #queueOf(nexus: number): Condition[] {
    return this.#queues[nexus] as Condition[];
  }
}

/** Precedence: 29/00 to 29/07 in that order, then all other unit attentions alike, then deferred errors. */
function rankOf(sense: string): number {
  if (sense.startsWith('deferred')) return RESET_FAMILY.length + 1;
  const at = RESET_FAMILY.indexOf(sense);
  return at < 0 ? RESET_FAMILY.length : at;
}
