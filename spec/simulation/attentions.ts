/** What unit attentions a nexus must see (SAM-5 5.14, 6.2), written from the rules: one queue per nexus, each code once. */

/** Precedence of the reset family; a lower number goes first and replaces what is behind it. */
const RESETS: readonly string[] = ['6/29/00', '6/29/03', '6/29/07'];

export const POWER_ON = '6/29/00';
export const UNIT_RESET = '6/29/03';
export const NEXUS_LOSS = '6/29/07';
export const MODE_CHANGED = '6/2a/01';
export const CAPACITY_CHANGED = '6/2a/09';
export const CLEARED = '6/2f/00';

function rank(code: string): number {
  const at = RESETS.indexOf(code);
  return at < 0 ? RESETS.length : at;
}

export class ExpectedAttentions {
  #queue: string[] = [];
  /** How often something was posted or reported: whoever looks twice knows whether it was always the same. */
  changes = 0;

  get pending(): boolean {
    return this.#queue.length > 0;
  }

  get first(): string {
    return this.#queue[0] ?? '';
  }

  post(code: string): void {
    this.changes += 1;
    const level = rank(code);
    if (level < 2 && this.#queue.some((each) => rank(each) <= level)) {
      // Under a greater reset, or again: nothing new, and everything older is implied.
      this.#queue = this.#queue.filter((each) => rank(each) <= level);
      return;
    }
    if (this.#queue.includes(code)) return;
    if (this.#queue.some((each) => rank(each) < level && level < RESETS.length)) return;
    // A reset implies everything older; a nexus loss only what is below it.
    if (level < 2) this.#queue = [];
    this.#queue.push(code);
    this.#queue.sort((a, b) => rank(a) - rank(b));
  }

  /** One was reported. Returns what is wrong with that, or an empty string. */
  reported(code: string): string {
    this.changes += 1;
    const expected = this.#queue.shift() ?? 'none';
    return code === expected ? '' : `unit attention ${code} was reported, ${expected} was due`;
  }
}
