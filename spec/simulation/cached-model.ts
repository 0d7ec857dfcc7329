/** Who has written what may be in a volatile cache alone (SPC-4 4.5.7): a failed flush concerns them all. */
import { isWriter } from './command.ts';
import type { ModelTask } from './model-task.ts';

export class CachedModel {
  /** When each nexus last wrote something that is not stable yet, as far as it has been told GOOD; absent: never. */
  readonly #newest = new Map<number, { readonly at: number; readonly certain: boolean }>();

  /** A command has ended GOOD; `unchanged`: nobody turned the write cache on or off since it began. */
  good(task: ModelTask, unchanged: boolean): void {
    const { kind, fua } = task.command;
    if (!isWriter(task.command) || kind === 'unmap' || task.storeDoneAt < 0 || fua) return;
    if (unchanged && task.durable) return;
    this.#newest.set(task.nexus, { at: task.storeDoneAt, certain: unchanged });
  }

  /** What was over before `since` is stable. */
  stable(since = Number.POSITIVE_INFINITY): void {
    for (const [nexus, { at }] of this.#newest) if (at < since) this.#newest.delete(nexus);
  }

  /** Some of it is lost: whom that concerns, who are forgotten, and whether it certainly does. */
  lost(): (readonly [nexus: number, certain: boolean])[] {
    const concerned = [...this.#newest].map(([nexus, { certain }]) => [nexus, certain] as const);
    this.#newest.clear();
    return concerned;
  }
}
