/** The drive of an optical logical unit: the disc that is in it, and where the sectors of that are read from. */
import { assert } from '../../assert.ts';
import type { BlockStore } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import type { Nexus } from '../nexus.ts';
import { unitOf } from '../parameter-data.ts';
import type { BouncePool } from '../sbc/bounce.ts';
import { NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED } from '../sense-codes.ts';
import type { Task } from '../task.ts';
import type { Burner } from './burn/burner.ts';
import type { Disc } from './disc.ts';
import { NO_PROFILE } from './profile.ts';

/** Bytes of a logical block of every optical disc, as READ and WRITE count them. */
export const BLOCK_BYTES = 2048;

export interface OpticalDriveOptions {
  /** Where the sectors of the disc are; what is behind it changes with the disc. */
  readonly store: BlockStore;
  readonly bounce: BouncePool;
  /** The disc it is found with; null: none. */
  readonly disc: Disc | null;
  /** What makes it a burner; absent: it only reads. */
  readonly burner?: Burner | null;
}

export class OpticalDrive {
  readonly store: BlockStore;
  readonly bounce: BouncePool;
  readonly burner: Burner | null;
  #disc: Disc | null;

  constructor(options: OpticalDriveOptions) {
    this.store = options.store;
    this.bounce = options.bounce;
    this.#disc = options.disc;
    this.burner = options.burner ?? null;
  }

  /** What is in the drive; null: nothing. */
  get disc(): Disc | null {
    return this.#disc;
  }

  /** Current profile (MMC-6 6.6). */
  get profile(): number {
    return this.#disc?.profile ?? NO_PROFILE;
  }

  /** Another disc is in the drive, or (null) none. */
  change(disc: Disc | null): void {
    this.#disc = disc;
    this.burner?.discChanged();
  }

  /**
   * A guest has changed what the disc is: a session was closed, or it was blanked or formatted. Every other nexus may know what was
   * there (6/28/00).
   */
  contentsChanged(unit: LogicalUnit, by: Nexus): void {
    unit.attentionForAll(NOT_READY_TO_READY_CHANGE_MEDIUM_MAY_HAVE_CHANGED, by.index);
  }
}

/** The drive a running task works on: MMC tables are only composed for units that have one. */
export function opticalOf(task: Task): OpticalDrive {
  const { optical } = unitOf(task);
  assert(optical !== null, 'an optical command runs on an optical drive');
  return optical;
}

/** The disc a running task works on: its row requires a medium, so there is one. */
export function discOf(task: Task): Disc {
  const { disc } = opticalOf(task);
  assert(disc !== null, 'a command that requires a medium finds a disc');
  return disc;
}
