/** Two guests on one daemon, and what they are asked. */
import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MediaStatus } from '../../../src/daemon/media-house.ts';
import { Guest, type ScriptOutcome } from '../support/guest.ts';
import { OurDrive } from './drive.ts';
import { OPTICAL_FUNCTIONS, UNPACK } from './functions.ts';
import type { Sources } from './sources.ts';

/** Exit codes of sg3_utils. */
export const GOOD = 0;
export const NOT_READY = 2;
export const ILLEGAL_REQUEST = 5;
export const UNIT_ATTENTION = 6;
export const RESERVATION_CONFLICT = 24;

/** Units of the daemon beside the cdrom, which is LUN 0: a burner, and removable disks that tell of changes in both styles. */
export const BURNER = 1;
export const DISKS = { t10: 2, maxfield: 3 } as const;

/** The disc in the cdrom has been changed almost 2^32 times. */
const GENERATION = 2 ** 32 - 64;
const DISK_BYTES = 2 ** 20;
/** As long as anything may take that is waited for. */
const PATIENCE_MS = 120_000;

/** Waits until that is so. */
export async function until(what: string, so: () => Promise<boolean>): Promise<void> {
  const stop = performance.now() + PATIENCE_MS;
  while (!(await so())) {
    assert(performance.now() < stop, `${what}: not in ${PATIENCE_MS} ms`);
    await sleep(100);
  }
}

/** Both guests are attached to one cdrom with disc a, one burner and two removable disks of one daemon. */
export class Pair {
  readonly drive: OurDrive;
  readonly sources: Sources;
  readonly #guests: (Guest | null)[];

  private constructor(drive: OurDrive, sources: Sources, guests: readonly Guest[]) {
    this.drive = drive;
    this.sources = sources;
    this.#guests = [...guests];
  }

  static async start(sources: Sources): Promise<Pair> {
    const drive = await OurDrive.start('cd-rom', sources, {
      generation: GENERATION,
      luns: (directory) => [
        `${BURNER}:burner,media=cd-rw,path=${directory}/burner`,
        ...Object.entries(DISKS).map(
          ([style, lun]) =>
            `${lun}:disk,path=${directory}/${style},size=${DISK_BYTES},removable,mediaChangeStyle=${style}`,
        ),
      ],
    });
    const pair = new Pair(drive, sources, []);
    try {
      const boots = await Promise.allSettled([pair.boot(), pair.boot()]);
      pair.#guests.push(...boots.map((one) => (one.status === 'fulfilled' ? one.value : null)));
      const failed = boots.find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      return pair;
    } catch (error) {
      await pair.end();
      throw error;
    }
  }

  /** Another guest; whoever boots it ends it. */
  async boot(): Promise<Guest> {
    const options = [...this.drive.adapter(), ...this.sources.disk()];
    const guest = await Guest.boot({ image: 'burners', memoryMiB: 512, options });
    await guest.sh(UNPACK.replace('[ -b /dev/sr0 ]', ''));
    return guest;
  }

  #guest(who: number): Guest {
    const guest = this.#guests[who] ?? null;
    assert(guest, `guest ${who} runs`);
    return guest;
  }
  get first(): Guest {
    return this.#guest(0);
  }
  get second(): Guest {
    return this.#guest(1);
  }
  get both(): readonly Guest[] {
    return [this.first, this.second];
  }

  /** It loses power. */
  async kill(guest: Guest): Promise<void> {
    await guest.kill();
    const who = this.#guests.indexOf(guest);
    if (who >= 0) this.#guests[who] = null;
  }

  /** Whoever does not run boots. */
  async revive(): Promise<void> {
    const boots = this.#guests.map(async (guest, who) => {
      this.#guests[who] = guest ?? (await this.boot());
    });
    await Promise.all(boots);
  }

  /** The operator puts an image into a drive; null: what was in it last. */
  async load(lun: number, path: string | null, force = false): Promise<void> {
    const image = path === null ? {} : { path };
    await this.drive.daemon.call('media.load', { lun, ...image, force });
  }

  async medium(lun: number): Promise<MediaStatus> {
    const media = (await this.drive.daemon.call('media.list')) as MediaStatus[];
    const medium = media.find((each) => each.lun === lun);
    assert(medium, `LUN ${lun} is a drive`);
    return medium;
  }

  async end(): Promise<void> {
    await Promise.all(this.#guests.map((guest) => guest?.kill()));
    await this.drive.end();
  }
}

/** One row of the table. */
export interface SharedRow {
  readonly mode: string;
  /** It is in the run that CI does. */
  readonly quick: boolean;
  readonly run: (pair: Pair) => Promise<void>;
}

export function run(guest: Guest, line: string): Promise<ScriptOutcome> {
  return guest.run(`${OPTICAL_FUNCTIONS}\n${line}`);
}

/** The line ends with this code; what it said. */
export async function ends(guest: Guest, line: string, code: number): Promise<string> {
  const outcome = await run(guest, line);
  const { output } = outcome;
  assert.equal(outcome.code, code, `${line}: ends with ${outcome.code}, not ${code}\n${output}`);
  return output;
}
