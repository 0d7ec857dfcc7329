/** Media of the drives of a daemon: what the operator loads, ejects and locks, and what START STOP UNIT sends out and wants back. */

import type { DiscReport } from '../luns/disc-report.ts';
import type { DriveStatus } from '../luns/drive.ts';
import { messageOf } from '../message-of.ts';
import { type AttachedDisk, LunError, type MediumInHand } from './attached-disk.ts';
import { isSameFile } from './file-identity.ts';
import type { Library } from './library.ts';
import type { Log } from './log.ts';
import type { ReactorReply, ReactorRequest } from './reactor-messages.ts';
import type { SavedMedium } from './state.ts';

export interface MediaStatus {
  readonly lun: number;
  /** `open`: a guest has ejected it, it lies in the tray; `empty`: there is none. */
  readonly state: 'loaded' | 'open' | 'empty';
  /** Image of the medium in the drive or its tray; null: it is in memory, or there is none. */
  readonly path: string | null;
  /** What the library calls that medium; null: it has no name. */
  readonly name: string | null;
  /** Image of the medium that was in it last. */
  readonly last: string | null;
  /** Bytes of the medium in the drive; of a disc what can be read of it. */
  readonly bytes: number;
  readonly blockBytes: number;
  readonly writeProtected: boolean;
  /** The operator prevents its removal. */
  readonly locked: boolean;
  /** Names of the initiators that do. */
  readonly preventedBy: readonly string[];
  /** Who prevents its removal was asked for it, and has not let it go yet. */
  readonly ejectRequested: boolean;
  /** Grows with each medium that comes into the drive. */
  readonly generation: number;
  /** The disc in an optical drive; null: there is none, or it has other media. */
  readonly disc: DiscReport | null;
}

/** What has come of a change. `flushed` is false when the medium that left has lost what was written last. */
export interface MediaChange extends MediaStatus {
  readonly flushed: boolean;
}

export interface LoadRequest {
  readonly lun: number;
  /** Image of the medium; null: the one that was in it last. */
  readonly path: string | null;
  /** Of a medium of the library, in the place of `path`; null: none is named. */
  readonly name: string | null;
  /** Null: as the drive is configured, or as the last medium was. */
  readonly readOnly: boolean | null;
  readonly force: boolean;
}

export interface EjectRequest {
  readonly lun: number;
  /** At once, whoever prevents it. */
  readonly force: boolean;
  /** Asks for it and takes nothing. */
  readonly request: boolean;
}

export interface MediaHouseOptions {
  readonly disks: ReadonlyMap<number, AttachedDisk>;
  readonly library: Library;
  /** Does one change of the LUN map at a time. */
  readonly change: <T>(work: () => Promise<T>) => Promise<T>;
  readonly ask: (request: ReactorRequest) => Promise<Extract<ReactorReply, { ok: true }>['value']>;
  /** Remembers what is in the drives. Throws StateError. */
  readonly save: () => void;
  readonly log: Log;
}

const STATES = { drive: 'loaded', tray: 'open', away: 'empty' } as const;

interface Drive {
  readonly disk: AttachedDisk;
  readonly medium: SavedMedium;
}

export class MediaHouse {
  readonly #options: MediaHouseOptions;
  /** Drives whose medium the operator is changing. */
  readonly #busy = new Set<number>();
  /** Loads that a START STOP UNIT asked for and that are under way. */
  readonly #loading = new Map<number, Promise<void>>();

  constructor(options: MediaHouseOptions) {
    this.#options = options;
  }

  /** Every drive, in ascending LUN order. */
  async list(): Promise<MediaStatus[]> {
    const drives = (await this.#options.ask({ kind: 'drives' })) as readonly DriveStatus[];
    return drives.flatMap((drive) => {
      const disk = this.#options.disks.get(drive.lun);
      if (disk?.medium == null) return [];
      const status = statusOf(disk, disk.medium, drive);
      const { path } = status;
      const name = path === null ? null : (this.#options.library.find(path)?.name ?? null);
      return [{ ...status, name }];
    });
  }

  /**
   * Puts a medium into a drive, in the place of the one that is there. Throws LunError, LibraryError, DiskFileError,
   * ReactorRefusedError.
   */
  load({ lun, path, name, readOnly, force }: LoadRequest): Promise<MediaChange> {
    return this.#changing(lun, 'load a medium into', async ({ disk, medium }) => {
      const { library, disks } = this.#options;
      const action = `Cannot load "${name}" into LUN ${lun}`;
      const image = name === null ? path : library.fileOf(action, name);
      const file = image ?? medium.path;
      const isProtected = file !== null && library.protects(file, disk.config.type);
      const protect = isProtected ? true : readOnly;
      const same =
        image === null ||
        (medium.path !== null && isSameFile(image, medium.path) && disk.holdsItsFile);
      const protectedSo = image === null || protect === null || protect === medium.readOnly;
      // It is in.
      if (same && protectedSo && medium.place === 'drive') return true;
      const hand = disk.pickUp(image, protect, disks.values());
      return await this.#put(disk, hand, { force, asked: false });
    });
  }

  /**
   * Presses the button of a drive: takes the medium out, of the drive or its tray; but where initiators prevent that they are asked
   * for it, and it is taken after `ejectTimeout`, if the LUN has one. Throws LunError, ReactorRefusedError.
   */
  eject({ lun, force, request }: EjectRequest): Promise<MediaChange> {
    return this.#changing(lun, 'eject the medium of', async ({ disk }) => {
      if (!request) {
        try {
          return await this.#takeOut(disk, force);
        } catch (error) {
          if (!isPrevented(error) || disk.medium?.locked === true) throw error;
          await this.#request(disk, error);
          return true;
        }
      }
      await this.#options.ask({ kind: 'requestMedium', lun, silently: false });
      this.#options.log.write('info', `LUN ${lun}: its initiators are asked for the medium`);
      return true;
    });
  }

  /** Resolves with whether the medium is flushed. */
  async #takeOut(disk: AttachedDisk, force: boolean): Promise<boolean> {
    const { lun } = disk.config;
    const outcome = await this.#options.ask({ kind: 'ejectMedium', lun, force });
    disk.giveOut('away');
    this.#options.save();
    this.#options.log.write('info', `LUN ${lun}: the medium is out`);
    return isFlushed(outcome);
  }

  /** Asks for a medium whose removal is prevented (`prevented` says by whom), and takes it when its time is over. */
  async #request(disk: AttachedDisk, prevented: Error): Promise<void> {
    const { lun, ejectTimeout } = disk.config;
    try {
      const silently = ejectTimeout !== undefined;
      await this.#options.ask({ kind: 'requestMedium', lun, silently });
    } catch (error) {
      // Nobody can be asked: the reason stays that it is prevented.
      throw isError(error, 'ERR_MEDIUM_UNASKED') ? prevented : error;
    }
    this.#options.log.write('info', `LUN ${lun}: those who hold the medium are asked for it`);
    if (ejectTimeout === undefined) return;
    const generation = disk.medium?.generation;
    const timer = setTimeout(() => {
      void this.#expire(disk, generation);
    }, ejectTimeout * 1000);
    timer.unref();
  }

  /** Who was asked for a medium has not let it go in time. */
  async #expire(disk: AttachedDisk, generation: number | undefined): Promise<void> {
    const { lun } = disk.config;
    const { medium } = disk;
    const isThere = medium?.place === 'drive' && medium.generation === generation;
    if (this.#options.disks.get(lun) !== disk || !isThere || medium.locked) return;
    try {
      await this.#changing(lun, 'eject the medium of', async () => {
        const still = disk.medium?.place === 'drive' && disk.medium.generation === generation;
        if (!still) return true;
        const burning = (await this.list()).find((drive) => drive.lun === lun)?.disc?.burning;
        if (burning != null) {
          throw new LunError(`"${burning.by}" is burning the disc that was asked for, it stays`);
        }
        return await this.#takeOut(disk, true);
      });
      this.#options.log.write('warn', `LUN ${lun}: it was taken from those who held it`);
    } catch (error) {
      this.#options.log.write('error', `LUN ${lun}: ${messageOf(error)}`);
    }
  }

  /** Prevents the removal of the medium of a drive, or ends that. Throws LunError, ReactorRefusedError. */
  lock(lun: number, locked: boolean): Promise<MediaStatus> {
    const verb = locked ? 'lock the medium of' : 'unlock the medium of';
    return this.#changing(lun, verb, async ({ disk, medium }) => {
      disk.medium = { ...medium, locked };
      this.#options.save();
      await this.#options.ask({ kind: 'lockMedium', lun, locked });
      return true;
    });
  }

  /** A START STOP UNIT has sent the tray out. */
  ejected(lun: number, generation: number): void {
    const disk = this.#options.disks.get(lun);
    if (disk?.medium?.generation === generation && disk.medium.place === 'drive') {
      disk.giveOut('tray');
      this.#saveQuietly(lun);
      this.#options.library.follow();
      this.#options.log.write('info', `LUN ${lun}: a guest has ejected the medium`);
    }
    this.#answer(lun, 'done');
  }

  /** A START STOP UNIT wants back what lies in the tray. */
  wanted(lun: number): void {
    const disk = this.#options.disks.get(lun);
    if (disk?.medium?.place !== 'tray' || this.#busy.has(lun) || this.#loading.has(lun)) {
      this.#answer(lun, 'none');
      return;
    }
    const loading = this.#reload(disk).catch((error: unknown) => {
      this.#options.log.write('error', `LUN ${lun}: ${messageOf(error)}`);
      this.#answer(lun, 'failed');
    });
    this.#loading.set(lun, loading);
    void loading.finally(() => this.#loading.delete(lun));
  }

  /** Resolves when no load that a START STOP UNIT asked for is under way. */
  async settled(lun: number): Promise<void> {
    await this.#loading.get(lun);
  }

  async #reload(disk: AttachedDisk): Promise<void> {
    const hand = disk.pickUp(null, null, this.#options.disks.values());
    await this.#put(disk, hand, { force: false, asked: true });
  }

  async #changing(
    lun: number,
    verb: string,
    work: (drive: Drive) => Promise<boolean>,
  ): Promise<MediaChange> {
    return await this.#options.change(async () => {
      this.#find(lun, verb);
      await this.settled(lun);
      this.#busy.add(lun);
      try {
        const flushed = await work(this.#find(lun, verb));
        return { ...(await this.#status(lun, verb)), flushed };
      } finally {
        this.#busy.delete(lun);
      }
    });
  }

  /** Resolves with whether the medium that was there before is flushed. */
  async #put(
    disk: AttachedDisk,
    hand: MediumInHand,
    how: { readonly force: boolean; readonly asked: boolean },
  ): Promise<boolean> {
    const { lun } = disk.config;
    disk.next = hand.medium;
    let flushed: boolean;
    try {
      // Remembered first: what a guest has seen must be there after a restart.
      this.#options.save();
      const outcome = await this.#options.ask({ kind: 'loadMedium', lun, spec: hand.spec, ...how });
      flushed = isFlushed(outcome);
    } catch (error) {
      disk.putDown(hand);
      this.#saveQuietly(lun);
      throw error;
    }
    disk.adopt(hand);
    this.#options.library.follow();
    const { path, generation } = hand.medium;
    const name = path === null ? 'the medium in memory' : `"${path}"`;
    this.#options.log.write('info', `LUN ${lun}: ${name} is in, generation ${generation}`);
    return flushed;
  }

  #find(lun: number, verb: string): Drive {
    const disk = this.#options.disks.get(lun);
    if (disk === undefined) throw new LunError(`Cannot ${verb} LUN ${lun}: there is no such LUN`);
    const { medium } = disk;
    if (medium !== null) return { disk, medium };
    throw new LunError(
      `Cannot ${verb} LUN ${lun}: its medium is fixed; attach the disk with removable`,
    );
  }

  async #status(lun: number, verb: string): Promise<MediaStatus> {
    const status = (await this.list()).find((drive) => drive.lun === lun);
    if (status === undefined) throw new LunError(`Cannot ${verb} LUN ${lun}: it has gone`);
    return status;
  }

  #answer(lun: number, outcome: 'done' | 'none' | 'failed'): void {
    this.#options.ask({ kind: 'mediumAnswered', lun, outcome }).catch((error: unknown) => {
      this.#options.log.write('warn', `LUN ${lun}: ${messageOf(error)}`);
    });
  }

  #saveQuietly(lun: number): void {
    try {
      this.#options.save();
    } catch (error) {
      this.#options.log.write('error', `medium of LUN ${lun} not saved: ${messageOf(error)}`);
    }
  }
}

function isError(error: unknown, code: string): error is Error {
  return error instanceof Error && 'code' in error && error.code === code;
}

function isPrevented(error: unknown): error is Error {
  return isError(error, 'ERR_MEDIUM_PREVENTED');
}

function isFlushed(outcome: unknown): boolean {
  return (
    typeof outcome === 'object' &&
    outcome !== null &&
    'flushed' in outcome &&
    outcome.flushed === true
  );
}

function statusOf(
  disk: AttachedDisk,
  medium: SavedMedium,
  drive: DriveStatus,
): Omit<MediaStatus, 'name'> {
  const { place, locked, preventedBy, ejectRequested, generation, disc } = drive;
  const { bytes, blockBytes } = disk.status();
  return {
    lun: drive.lun,
    state: STATES[place],
    path: place === 'away' ? null : medium.path,
    last: medium.path,
    bytes: disc?.bytes ?? bytes,
    blockBytes,
    writeProtected: place === 'drive' && disk.readOnly,
    locked,
    preventedBy,
    ejectRequested,
    generation,
    disc,
  };
}
