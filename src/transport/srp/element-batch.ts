/** A few CRQ elements taken together, so that fetching their IUs from the other core's cache overlaps. */
import type { MemoryRegion } from '../memory.ts';
import type { Channel, CrqElement } from './channel.ts';
import { emptyElement } from './crq-element.ts';

const BATCH = 8;
/** Word of an IU that is touched: bytes 16 to 19, reserved in SRP_CMD and SRP_TSK_MGMT, in the line of the header. */
const TOUCHED_WORD = 4;

export class ElementBatch {
  readonly #channel: Channel;
  readonly #region: MemoryRegion;
  readonly #elements: readonly CrqElement[] = Array.from({ length: BATCH }, emptyElement);
  /** Kept so that the touching reads are not optimized away; nothing looks at it. */
  #touched = 0;

  constructor(channel: Channel, region: MemoryRegion) {
    this.#channel = channel;
    this.#region = region;
  }

  /** Takes at most `limit` elements, and at most BATCH; returns how many. `prefetch`: they name commands. */
  take(limit: number, prefetch: boolean): number {
    const elements = this.#elements;
    const { words } = this.#region;
    const most = Math.min(limit, BATCH);
    let touched = 0;
    let taken = 0;
    while (taken < most) {
      const element = elements[taken] as CrqElement;
      if (!this.#channel.take(element)) break;
      taken += 1;
      // Only a prefetch: whoever handles the element checks where its IU lies, and copies it once.
      const word = (element.low >>> 2) + TOUCHED_WORD;
      if (prefetch && word < words.length) touched ^= words[word] as number;
    }
    this.#touched = touched;
    return taken;
  }

  /** The i-th element of the last `take`. */
  at(i: number): CrqElement {
    return this.#elements[i] as CrqElement;
  }

  /** For the compiler: a use of what was touched. */
  get touched(): number {
    return this.#touched;
  }
}
