/**
 * A daemon that is killed in the middle of a burn, under a guest that reaches its burner over iSCSI: QEMU does not come back to a
 * vhost-user device, open-iscsi logs in again.
 */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MediaStatus } from '../../../src/daemon/media-house.ts';
import { verifyBurnt } from '../../../src/luns/disc/burn-export.ts';
import { openBurnStore } from '../../../src/luns/disc/burn-store.ts';
import type { DiscReport } from '../../../src/luns/disc-report.ts';
import { Guest } from '../support/guest.ts';
import { logIn, NETWORK } from '../support/open-iscsi.ts';
import { Portal } from '../support/portal.ts';
import { blankAt } from './drive.ts';
import { burnSlowly, SLOWLY_WRITTEN_BLOCKS, UNPACK } from './functions.ts';
import { ends, GOOD, until } from './shared-pair.ts';
import type { Sources } from './sources.ts';
import { attempt, type Suite } from './suite.ts';

class IscsiStation {
  readonly #directory: string;
  readonly #portal: Portal;
  readonly #guest: Guest;
  readonly sources: Sources;

  private constructor(directory: string, portal: Portal, guest: Guest, sources: Sources) {
    this.#directory = directory;
    this.#portal = portal;
    this.#guest = guest;
    this.sources = sources;
  }

  static async start(sources: Sources): Promise<IscsiStation> {
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-discs-'));
    const path = blankAt(join(directory, 'disc'), 'cd-rw');
    let portal: Portal | null = null;
    let guest: Guest | null = null;
    try {
      portal = await Portal.open([], [`0:burner,path=${path}`]);
      const options = [...NETWORK, ...sources.disk()];
      guest = await Guest.boot({ image: 'iscsi-burners', memoryMiB: 768, options });
      await guest.sh(UNPACK.replace('[ -b /dev/sr0 ]', ''));
      await logIn(guest, portal);
      await guest.shUntil('[ -b /dev/sr0 ]');
      return new IscsiStation(directory, portal, guest, sources);
    } catch (error) {
      await guest?.kill();
      await portal?.storage.end();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  get path(): string {
    return join(this.#directory, 'disc');
  }

  async disc(): Promise<DiscReport> {
    const [medium] = (await this.#portal.storage.call('media.list')) as MediaStatus[];
    assert(medium?.disc, 'the disc is in the burner');
    return medium.disc;
  }

  run(line: string): Promise<string> {
    return ends(this.#guest, line, GOOD);
  }

  shUntil(line: string): Promise<string> {
    return this.#guest.shUntil(line, 60_000);
  }

  /** `kill -9`, a look at what is left, and a new daemon at the same port. */
  async bounce(look: () => void): Promise<void> {
    await this.#portal.storage.stop('SIGKILL');
    look();
    await this.#portal.storage.restart();
    await this.shUntil('iscsiadm -m session -P 1 | grep -q LOGGED_IN');
  }

  async end(): Promise<void> {
    await this.#guest.kill();
    await this.#portal.storage.end();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The disc begins with it, for the guest and in the file. */
async function begins(station: IscsiStation, image: string): Promise<void> {
  await station.run(`mounted iso9660 md5sum -c $S/${image}.md5 && same ${image} iflag=direct`);
  assert.equal(verifyBurnt(station.path, station.sources.path(image)).different, 0);
}

async function killed(station: IscsiStation): Promise<void> {
  await station.run('cdrskin dev=$D -v -tao -multi padsize=0 $S/a.iso');
  await begins(station, 'a.iso');
  await station.run(burnSlowly('-multi'));
  await until('the burn is in its middle', async () => {
    const { burning } = await station.disc();
    return burning?.writtenBlocks === SLOWLY_WRITTEN_BLOCKS;
  });
  await station.bounce(() => {
    // It is read only when it is legal. Nothing had been synchronized of the second track.
    const { sessions, tracks } = openBurnStore(station.path).state;
    assert.equal(sessions.length, 1);
    assert.deepEqual(
      tracks.map(({ state, damaged }) => [state, damaged]),
      [
        ['complete', false],
        ['open', true],
      ],
    );
  });
  const { status, sessions, burning } = await station.disc();
  assert.deepEqual([status, sessions, burning], ['appendable', 1, null]);

  // The program goes on, with a drive that has lost power: it is told, and ends with an error.
  await station.run('touch /tmp/go');
  await station.shUntil('[ -s /tmp/code ]');
  const said = await station.run('cat /tmp/burn /tmp/code');
  assert.match(said, /SCSI error on write[\s\S]*burning failed/);
  assert.notEqual(said.trimEnd().split('\n').at(-1), '0');
  await begins(station, 'a.iso');
}

/** The disc is taken up where it was left: another session, and then everything anew. */
async function burntAgain(station: IscsiStation): Promise<void> {
  const { status, sessions } = await station.disc();
  assert.deepEqual([status, sessions], ['appendable', 1]);
  await station.run('xorriso -dev $D -map $S/g /g -commit -toc -end');
  await station.run('mounted iso9660 sh -c "cmp g $S/g && md5sum -c $S/a.iso.md5"');
  assert.equal((await station.disc()).sessions, 2);
  await station.run('cdrskin dev=$D -v blank=fast');
  assert.equal((await station.disc()).status, 'blank');
  await station.run('cdrskin dev=$D -v -sao $S/b.iso');
  await begins(station, 'b.iso');
}

const MODE = 'killed in the middle of a burn';

export const RESTART: Suite = {
  medium: 'cd-rw',
  tool: 'cdrskin over iSCSI',
  modes: new Map([[MODE, false]]),
  notOnQemu: 'QEMU has no burner',
  async run(_, sources, report) {
    const station = await IscsiStation.start(sources);
    try {
      const result = await attempt(RESTART, MODE, null, async () => {
        await killed(station);
        await burntAgain(station);
      });
      report(result);
    } finally {
      await station.end();
    }
  },
};
