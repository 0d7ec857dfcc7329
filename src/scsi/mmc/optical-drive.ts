/** The drive of an optical logical unit: the disc that is in it, and where the sectors of that are read from. */
import { assert } from '../../assert.ts';
import type { BlockStore } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import type { Medium } from '../medium.ts';
import { unitOf } from '../parameter-data.ts';
import type { BouncePool } from '../sbc/bounce.ts';
import type { Task } from '../task.ts';
import type { Disc } from './disc.ts';
import { MediaEvents } from './media/media-events.ts';
import { NO_PROFILE } from './profile.ts';

/** Bytes of a logical block of every optical disc, as READ and WRITE count them. */
export const BLOCK_BYTES = 2048;

export interface OpticalDriveOptions {
  /** Where the sectors of the disc are; what is behind it changes with the disc. */
  readonly store: BlockStore;
  readonly bounce: BouncePool;
  /** The disc it is found with; null: none. */
  readonly disc: Disc | null;
}

export class OpticalDrive {
  readonly store: BlockStore;
  readonly bounce: BouncePool;
  /** What GET EVENT STATUS NOTIFICATION tells. */
  readonly events = new MediaEvents();
  #disc: Disc | null;
  #medium: Medium | null = null;

  constructor(options: OpticalDriveOptions) {
    this.store = options.store;
    this.bounce = options.bounce;
    this.#disc = options.disc;
  }

  /** What is in the drive; null: nothing. */
  get disc(): Disc | null {
    return this.#disc;
  }

  /** Current profile (MMC-6 6.6): that of the disc, unless it lies in the tray outside. */
  get profile(): number {
    if (this.#medium !== null && this.#medium.place !== 'drive') return NO_PROFILE;
    return this.#disc?.profile ?? NO_PROFILE;
  }

  /** It is the drive of this unit, from the beginning on. */
  attach(unit: LogicalUnit): void {
    this.#medium = unit.medium;
    this.events.attach(unit);
  }

  /** Another disc is in the drive, or (null) none. */
  change(disc: Disc | null): void {
    this.#disc = disc;
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
