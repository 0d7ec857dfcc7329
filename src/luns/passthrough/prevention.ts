/** What the device is told about medium removal: the sum of what the nexuses have said (MMC-6, SPC-4 PREVENT ALLOW MEDIUM REMOVAL). */
import type { Medium } from '../../scsi/medium.ts';
import { GOOD } from '../../scsi/sam.ts';
import { chore, type Turn } from './line.ts';

const PREVENT_ALLOW_MEDIUM_REMOVAL = 0x1e;
const PERSISTENT_BIT = 0x02;

export type Kind = 'plain' | 'persistent';
const KINDS: readonly Kind[] = ['plain', 'persistent'];

export class Prevention {
  readonly #medium: Medium | null;
  readonly #data: Uint8Array;
  /** What the device was told last. */
  readonly #told = { plain: false, persistent: false };

  constructor(medium: Medium | null, data: Uint8Array) {
    this.#medium = medium;
    this.#data = data;
  }

  /** Whether the device knows already how things are. */
  isTold(kind: Kind): boolean {
    return this.#told[kind] === this.#wanted(kind);
  }

  /** The command that says how things are. */
  cdb(kind: Kind): Uint8Array {
    const prevents = this.#wanted(kind) ? 1 : 0;
    const value = prevents | (kind === 'persistent' ? PERSISTENT_BIT : 0);
    return Uint8Array.of(PREVENT_ALLOW_MEDIUM_REMOVAL, 0, 0, 0, value, 0);
  }

  /** The device has taken that. */
  told(kind: Kind, prevents: boolean): void {
    this.#told[kind] = prevents;
  }

  /** It was reset. */
  forgotten(): void {
    for (const kind of KINDS) this.#told[kind] = false;
  }

  /** What has to be said after nexuses were lost or reset. */
  reconcile(): Turn[] {
    return KINDS.filter((kind) => !this.isTold(kind)).map((kind) => {
      const wanted = this.#wanted(kind);
      const turn = chore([...this.cdb(kind)], 0, ({ status }) => {
        if (status === GOOD) this.told(kind, wanted);
      });
      return turn(this.#data);
    });
  }

  #wanted(kind: Kind): boolean {
    const medium = this.#medium;
    if (medium === null) return false;
    if (kind === 'persistent') return medium.preventedPersistently;
    return medium.locked || medium.preventedPlainly;
  }
}
