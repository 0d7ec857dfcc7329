/** The drive of an optical logical unit: the disc that is in it, and where the sectors of that are read from. */
import { assert } from '../../assert.ts';
import { type BlockStore, DONE, type StoreReply } from '../contracts.ts';
import type { LogicalUnit } from '../logical-unit.ts';
import type { Medium } from '../medium.ts';
import type { Nexus } from '../nexus.ts';
import { unitOf } from '../parameter-data.ts';
import type { BouncePool } from '../sbc/bounce.ts';
import type { Task } from '../task.ts';
import { AudioPlayer } from './audio/audio-player.ts';
import type { Burner } from './burn/burner.ts';
import { WRITE_PARAMETERS_PAGE } from './burn/write-parameters.ts';
import type { Disc } from './disc.ts';
import { type DiscFault, DiscFaults } from './disc-faults.ts';
import { Speeds } from './information/speeds.ts';
import { MediaEvents } from './media/media-events.ts';
import { Pace } from './pace.ts';
import { familyOf, NO_PROFILE } from './profile.ts';

/** Bytes of a logical block of every optical disc, as READ and WRITE count them. */
export const BLOCK_BYTES = 2048;

/**
 * Most blocks of one transfer: what READ(10) and WRITE(10) can name. Nothing tells hosts of a smaller limit, as VPD page B0h does for disks; Linux
 * sends more than 1 MiB at once.
 */
export const MOST_BLOCKS = 0xffff;

export interface OpticalDriveOptions {
  /** Where the sectors of the disc are; what is behind it changes with the disc. */
  readonly store: BlockStore;
  readonly bounce: BouncePool;
  /** The disc it is found with; null: none. */
  readonly disc: Disc | null;
  /** What makes it a burner; absent: it only reads. */
  readonly burner?: Burner | null;
  /** Monotonic milliseconds, which audio is played by; absent: those of the process. */
  readonly now?: () => number;
  /** Reading and writing take the time of the speed that was chosen. */
  readonly paced?: boolean;
  /** What always goes wrong; absent: nothing. */
  readonly faults?: readonly DiscFault[];
}

/** Bytes of a sector as speeds of CDs count them. */
const CD_SECTOR_BYTES = 2352;

export class OpticalDrive {
  readonly store: BlockStore;
  readonly bounce: BouncePool;
  /** What GET EVENT STATUS NOTIFICATION tells. */
  readonly events = new MediaEvents();
  readonly burner: Burner | null;
  readonly speeds: Speeds;
  readonly audio: AudioPlayer;
  /** What goes wrong on purpose. */
  readonly faults: DiscFaults;
  /** Null: everything takes the time it takes. */
  readonly pace: Pace | null;
  #disc: Disc | null;
  #unit: LogicalUnit | null = null;

  constructor(options: OpticalDriveOptions) {
    this.store = options.store;
    this.bounce = options.bounce;
    this.#disc = options.disc;
    this.burner = options.burner ?? null;
    this.speeds = new Speeds(this.writes);
    const now = options.now ?? ((): number => performance.now());
    this.audio = new AudioPlayer(now);
    this.faults = new DiscFaults(options.faults ?? []);
    this.pace = options.paced === true ? new Pace(now) : null;
  }

  /** It is a writer. */
  get writes(): boolean {
    return this.burner !== null;
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
    this.#unit = unit;
    this.events.attach(unit);
  }

  /** Another disc is in the drive, or (null) none. */
  change(disc: Disc | null): void {
    this.#disc = disc;
    this.pace?.reset();
    this.reset();
    this.audio.moveTo(0);
    this.burner?.discChanged();
    // How the disc before was to be written says nothing of this one.
    if (disc !== null && this.writes) this.#unit?.modePages?.renew(WRITE_PARAMETERS_PAGE);
  }

  /** Goes on with a command that reads `blocks` sectors, when they have passed the laser. */
  paceRead(task: Task, blocks: number, go: (task: Task) => void): void {
    if (this.pace === null) go(task);
    else this.pace.read(task, blocks * this.#sectorBytes, this.speeds.read(this.#disc), go);
  }

  /** Goes on with a command that writes `blocks` sectors, when the buffer has room for them. */
  paceWrite(task: Task, blocks: number, go: (task: Task) => void): void {
    if (this.pace === null) go(task);
    else this.pace.write(task, blocks * this.#sectorBytes, this.speeds.write(this.#disc), go);
  }

  /** Milliseconds that `blocks` sectors take at the speed that it writes the disc with. */
  laserMs(blocks: number): number {
    const speed = this.speeds.write(this.#disc);
    return speed > 0 ? (blocks * this.#sectorBytes) / speed : 0;
  }

  /** The same of a drive that is paced, with what waits in its buffer; of another: 0. */
  pacedMs(blocks: number): number {
    return this.pace === null ? 0 : this.pace.leftMs + this.laserMs(blocks);
  }

  get #medium(): Medium | null {
    return this.#unit?.medium ?? null;
  }

  get #sectorBytes(): number {
    const isCd = this.#disc !== null && familyOf(this.#disc.profile) === 'cd';
    return isCd ? CD_SECTOR_BYTES : BLOCK_BYTES;
  }

  /** What is known of the disc is kept with it, which is about to leave; what was written is flushed. DONE, or PENDING then `task.stored`. */
  settle(task: Task): StoreReply {
    return this.burner?.settle(task, this.#disc) ?? DONE;
  }

  /**
   * A guest has changed what the disc is: a session was closed, or it was blanked or formatted. Everybody has the event, and every other
   * nexus, which may know what was there, 6/28/00. Of a disc that is not in the drive any more nothing is told.
   */
  contentsChanged(by: Nexus): void {
    if (this.#medium === null || this.#medium.place === 'drive') this.events.newMedia(by);
  }

  /** Nothing is played, and the speeds are the fastest: after a reset of the logical unit, and with another disc. */
  reset(): void {
    this.audio.stop();
    this.speeds.choose(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  }
}

/** The drive of a unit that answers MMC commands, mode pages and features. */
export function driveOf({ optical }: LogicalUnit): OpticalDrive {
  assert(optical !== null, 'a unit with what optical drives have is one');
  return optical;
}

/** The disc that can be used now; null: there is none in the drive, or it is on its way out. */
export function discIn(unit: LogicalUnit): Disc | null {
  return unit.medium?.loaded === false ? null : driveOf(unit).disc;
}

/** The drive a running task works on: MMC tables are only composed for units that have one. */
export function opticalOf(task: Task): OpticalDrive {
  return driveOf(unitOf(task));
}

/** The disc a running task works on: its row requires a medium, so there is one. */
export function discOf(task: Task): Disc {
  const { disc } = opticalOf(task);
  assert(disc !== null, 'a command that requires a medium finds a disc');
  return disc;
}
