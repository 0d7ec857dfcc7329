/** Who burns: one nexus at a time, from its first command that writes until the session is closed, it is lost, or it has been idle. */
import type { Nexus } from '../../scsi/nexus.ts';
import type { PassedCommand } from './filter.ts';

/** A burn without a command for so long is none any more. */
const IDLE_MS = 60_000;

export class BurnOwner {
  readonly #now: () => number;
  #nexus: Nexus | null = null;
  #lastMs = 0;
  /** It has sent blocks, so that a flush may be the end of the session. */
  #wrote = false;

  constructor(now: () => number) {
    this.#now = now;
  }

  get nexus(): Nexus | null {
    const nexus = this.#nexus;
    if (nexus === null) return null;
    if (!nexus.present || this.#now() - this.#lastMs > IDLE_MS) this.#nexus = null;
    return this.#nexus;
  }

  /**
   * Whether a command has to wait for the burn of another nexus. `atOnce`: the session is written in one go; until then the disc cannot be
   * read either.
   */
  excludes(row: PassedCommand, nexus: Nexus | null, atOnce: boolean): boolean {
    const owner = this.nexus;
    if (owner === null || owner === nexus) return false;
    return row.burn !== null || (row.medium && atOnce);
  }

  /** A command of `nexus` goes to the drive. */
  began(row: PassedCommand, nexus: Nexus): void {
    if (row.burn === 'writes' || row.burn === 'ends') this.#nexus = nexus;
    if (this.#nexus !== nexus) return;
    if (row.burn === 'writes') this.#wrote = true;
    this.#lastMs = this.#now();
  }

  /** A command of `nexus` has ended GOOD. True: it was the last of a burn. */
  ended(row: PassedCommand, cdb: Uint8Array, nexus: Nexus, atOnce: boolean): boolean {
    if (this.#nexus !== nexus) return false;
    this.#lastMs = this.#now();
    const ends =
      row.burn === 'ends' ? endsBurn(cdb) : row.burn === 'settles' && atOnce && this.#wrote;
    if (!ends) return false;
    this.release();
    return true;
  }

  release(): void {
    this.#nexus = null;
    this.#wrote = false;
  }
}

const CLOSE_TRACK_SESSION = 0x5b;
const CLOSE_FUNCTION = 0x07;
const CLOSE_TRACK = 1;

/** BLANK and FORMAT UNIT do; CLOSE TRACK/SESSION does unless it closes a track alone. */
function endsBurn(cdb: Uint8Array): boolean {
  return cdb[0] !== CLOSE_TRACK_SESSION || ((cdb[2] as number) & CLOSE_FUNCTION) !== CLOSE_TRACK;
}
