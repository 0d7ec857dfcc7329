/** The medium of a drive whose medium can be removed: in, out, or held fast (SPC-4 6.13 of SPC-3, SBC-3 5.13, 5.25). */
import type { LogicalUnit } from './logical-unit.ts';
import type { Nexus } from './nexus.ts';
import {
  MEDIUM_NOT_PRESENT_TRAY_OPEN,
  NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED,
} from './sense-codes.ts';

export class Medium {
  /** Nexuses that hold it fast (PREVENT = 01b). */
  readonly #holders = new Set<Nexus>();
  #loaded = true;

  /** It is in the drive. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Somebody prevents its removal. */
  get prevented(): boolean {
    return this.#holders.size > 0;
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
    return this.#loaded ? 0 : MEDIUM_NOT_PRESENT_TRAY_OPEN;
  }

  eject(): void {
    this.#loaded = false;
  }

  /** It is back: every nexus is told 28/00 but the one that asked for it, which knows. */
  load(unit: LogicalUnit, by: Nexus | null): void {
    if (this.#loaded) return;
    this.#loaded = true;
    unit.logs.loadUnloadCycles += 1;
    unit.attentionForAll(NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED, by?.index ?? -1);
  }
}
