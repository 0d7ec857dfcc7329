/** Who burns on a real drive, and which of its commands begin and end that. */

import { BurnOwner } from '../../scsi/mmc/burn/burn-owner.ts';
import type { Nexus } from '../../scsi/nexus.ts';
import type { PassedCommand } from './filter.ts';

export class PassedBurn {
  readonly #owner: BurnOwner;
  /** It has sent blocks, so that a flush may be the end of the session. */
  #wrote = false;

  constructor(now: () => number) {
    this.#owner = new BurnOwner(now);
  }

  /**
   * Whether a command has to wait for the burn of another nexus. `atOnce`: the session is written in one go; until then the disc cannot be
   * read either.
   */
  excludes(row: PassedCommand, nexus: Nexus | null, atOnce: boolean): boolean {
    const owner = this.#owner.nexus;
    if (owner === null || owner === nexus) return false;
    return row.burn !== null || (row.medium && atOnce);
  }

  /** A command of `nexus` goes to the drive. */
  began(row: PassedCommand, nexus: Nexus): void {
    if (row.burn === 'writes' || row.burn === 'ends') {
      if (this.#owner.nexus !== nexus) this.#wrote = false;
      this.#owner.claim(nexus);
    }
    if (this.#owner.heard(nexus) && row.burn === 'writes') this.#wrote = true;
  }

  /** A command of `nexus` has ended GOOD. True: it was the last of a burn. */
  ended(row: PassedCommand, cdb: Uint8Array, nexus: Nexus, atOnce: boolean): boolean {
    if (!this.#owner.heard(nexus)) return false;
    const ends =
      row.burn === 'ends' ? endsBurn(cdb) : row.burn === 'settles' && atOnce && this.#wrote;
    if (!ends) return false;
    this.release();
    return true;
  }

  release(): void {
    this.#owner.release();
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
