/** Two guests on one drive: what one does, or the operator, the other is told, once and in time. */
import { strict as assert } from 'node:assert';
import type { ScriptOutcome } from '../support/guest.ts';
import { Guest } from '../support/guest.ts';
import { OurDrive } from './drive.ts';
import { OPTICAL_FUNCTIONS, POLL, UNPACK } from './functions.ts';
import type { RowResult } from './result.ts';
import type { Sources } from './sources.ts';

const MEDIUM = 'cd-rom';
const TOOL = 'two guests';
const COMMAND_LINES = 40;

/** Exit codes of sg3_utils. */
const GOOD = 0;
const NOT_READY = 2;
const ILLEGAL_REQUEST = 5;
const UNIT_ATTENTION = 6;

/** READ(10) of block 16, where the volume descriptor with the name is. */
const READ_16 = 'sg_raw -r 2048 $(sg 0) 28 00 00 00 00 10 00 00 01 00 2>&1';
const EVENTS = 'sg_raw -r 8 $(sg 0) 4a 01 00 00 10 00 00 00 08 00 2>&1';

/** Media events (MMC-6 6.7.2.5, event codes). */
const EJECT_REQUEST = 1;
const NEW_MEDIA = 2;
const MEDIA_REMOVAL = 3;

class Pair {
  readonly drive: OurDrive;
  readonly sources: Sources;
  first: Guest;
  second: Guest;

  private constructor(drive: OurDrive, sources: Sources, first: Guest, second: Guest) {
    this.drive = drive;
    this.sources = sources;
    this.first = first;
    this.second = second;
  }

  static async start(sources: Sources): Promise<Pair> {
    const drive = await OurDrive.start(MEDIUM, sources);
    try {
      const boots = await Promise.allSettled([boot(drive, sources), boot(drive, sources)]);
      const guests = boots.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      const [first, second] = guests;
      if (first === undefined || second === undefined) {
        await Promise.all(guests.map((guest) => guest.kill()));
        throw boots.find((one) => one.status === 'rejected')?.reason;
      }
      return new Pair(drive, sources, first, second);
    } catch (error) {
      await drive.end();
      throw error;
    }
  }

  get both(): readonly Guest[] {
    return [this.first, this.second];
  }

  /** Disc a is in, nothing is mounted, and both have been told everything. */
  async settle(): Promise<void> {
    for (const guest of this.both)
      await guest.run('umount /m 2> /dev/null; sg_prevent -a /dev/sr0');
    await this.drive.load(this.sources.path('a.iso'), true);
    for (const guest of this.both) {
      await guest.shUntil('sg_turs $(sg 0) > /dev/null 2>&1');
      for (let i = 0; i < 16 && (await event(guest)) !== 0; i += 1);
    }
  }

  async end(): Promise<void> {
    await this.first.kill();
    await this.second.kill();
    await this.drive.end();
  }
}

async function boot(drive: OurDrive, sources: Sources): Promise<Guest> {
  const options = [...drive.adapter(), ...sources.disk()];
  const guest = await Guest.boot({ image: 'burners', memoryMiB: 512, options });
  await guest.sh(UNPACK.replace('[ -b /dev/sr0 ]', ''));
  return guest;
}

function run(guest: Guest, line: string): Promise<ScriptOutcome> {
  return guest.run(`${OPTICAL_FUNCTIONS}\n${line}`);
}

/** The line ends with this code. */
async function ends(guest: Guest, line: string, code: number): Promise<string> {
  const outcome = await run(guest, line);
  const { output } = outcome;
  assert.equal(outcome.code, code, `${line}: ends with ${outcome.code}, not ${code}\n${output}`);
  return output;
}

const ready = (guest: Guest, code: number): Promise<string> =>
  ends(guest, 'sg_turs -v $(sg 0) 2>&1', code);

/** The media event this guest is told next; 0: none. */
async function event(guest: Guest): Promise<number> {
  const said = await ends(guest, EVENTS, GOOD);
  const found = /00 {5}00 06 04 [0-9a-f]{2} ([0-9a-f]{2})/.exec(said);
  assert(found?.[1], `eight bytes, class 4: ${said}`);
  return Number.parseInt(found[1], 16) & 0xf;
}

/** The disc this guest reads, through its block device. */
const mounts = (guest: Guest, image: string): Promise<string> =>
  ends(guest, `mounted iso9660 md5sum -c $S/${image}.md5`, GOOD);

/** Each row begins as `settle` leaves it. X numbers: the traces of the media-change facts. */
const ROWS: Readonly<Record<string, (pair: Pair) => Promise<void>>> = {
  'X1 one ejects, both not ready': async ({ first, second }) => {
    await ends(first, 'eject $D', GOOD);
    for (const guest of [first, second, second]) {
      assert.match(await ready(guest, NOT_READY), /Medium not present/i);
    }
    await ends(second, READ_16, NOT_READY);
  },
  'X2 back in, told once': async ({ first, second }) => {
    await ends(first, 'sg_start --eject $D', GOOD);
    await ready(second, NOT_READY);
    await ends(first, 'sg_start --load $D', GOOD);
    assert.match(await ready(second, UNIT_ATTENTION), /medium may have changed/i);
    for (const guest of [first, second]) await ready(guest, GOOD);
  },
  'X3 no poll between, READ is told': async ({ first, second, drive, sources }) => {
    await ends(first, 'sg_start --eject $D', GOOD);
    await drive.load(sources.path('b.iso'));
    assert.doesNotMatch(await ends(second, READ_16, UNIT_ATTENTION), /AAA|BBB/);
    assert.match(await ends(second, READ_16, GOOD), /BBB/);
  },
  'X4 operator ejects and loads': async ({ drive, sources, first, second }) => {
    await drive.eject();
    for (const guest of [first, second]) await ready(guest, NOT_READY);
    await drive.load(sources.path('a.iso'));
    for (const guest of [first, second]) {
      await ready(guest, UNIT_ATTENTION);
      await ready(guest, GOOD);
    }
  },
  'X5 swap between two polls': async ({ drive, sources, first, second }) => {
    await drive.load(sources.path('b.iso'));
    for (const guest of [first, second]) {
      await ready(guest, UNIT_ATTENTION);
      await ready(guest, GOOD);
      await mounts(guest, 'b.iso');
    }
  },
  'X6 two changes, one attention': async ({ drive, sources, first, second }) => {
    for (const image of ['b.iso', 'a.iso', 'b.iso']) await drive.load(sources.path(image));
    for (const guest of [first, second]) {
      await ready(guest, UNIT_ATTENTION);
      await ready(guest, GOOD);
    }
  },
  'X7 the same disc again': async ({ drive, second }) => {
    await drive.eject();
    await drive.load(null);
    await ready(second, UNIT_ATTENTION);
    await ready(second, GOOD);
    await mounts(second, 'a.iso');
  },
  'X8 boots while the tray is out': async (pair) => {
    await ends(pair.first, 'sg_start --eject $D', GOOD);
    await pair.second.kill();
    pair.second = await boot(pair.drive, pair.sources);
    await ready(pair.second, NOT_READY);
    await pair.drive.load(null);
    await ready(pair.second, UNIT_ATTENTION);
    await mounts(pair.second, 'a.iso');
  },
  'X9 a guest dies, its lock too': async (pair) => {
    await ends(pair.second, 'mount -t iso9660 -o ro $D /m', GOOD);
    await ends(pair.first, 'sg_start --eject $(sg 0)', ILLEGAL_REQUEST);
    await pair.second.kill();
    await pair.first.shUntil('sg_start --eject $(sg 0)');
    pair.second = await boot(pair.drive, pair.sources);
  },
  'X10 sr and sg are one drive': async ({ first, second }) => {
    await ends(first, 'sg_start --eject $(sg 0)', GOOD);
    await ends(first, 'sg_turs $D', NOT_READY);
    await ends(second, 'sg_turs $D', NOT_READY);
  },
  'X13 one locks, the other ejects': async ({ first, second }) => {
    await ends(first, 'mount -t iso9660 -o ro $D /m', GOOD);
    const said = await ends(second, 'sg_start -v --eject $(sg 0) 2>&1', ILLEGAL_REQUEST);
    assert.match(said, /removal prevented/i);
    await ends(first, 'cd /m && md5sum -c $S/a.iso.md5', GOOD);
    await ends(first, 'umount /m', GOOD);
    await ends(second, 'sg_start --eject $(sg 0)', GOOD);
    await ready(first, NOT_READY);
  },
  'X14 a thousand polls move nothing': async ({ first, drive }) => {
    const before = await drive.daemon.call('media.list');
    await ends(first, 'sg_turs -n 1000 $(sg 0)', GOOD);
    assert.equal(await event(first), 0);
    assert.deepEqual(await drive.daemon.call('media.list'), before);
  },
  'events, a queue each': async ({ first, second, drive }) => {
    await ends(first, 'sg_start --eject $(sg 0)', GOOD);
    for (const guest of [second, first]) assert.equal(await event(guest), MEDIA_REMOVAL);
    await drive.load(null);
    for (const guest of [first, second]) {
      assert.equal(await event(guest), NEW_MEDIA);
      assert.equal(await event(guest), 0);
    }
  },
  'operator asks a mounted disc out': async ({ first, second, drive }) => {
    await ends(first, 'mount -t iso9660 -o ro $D /m', GOOD);
    assert.equal(await drive.eject(), 'loaded');
    assert.equal(await event(first), EJECT_REQUEST);
    await ends(first, 'cd /m && md5sum -c $S/a.iso.md5', GOOD);
    await ready(second, GOOD);
  },
  'forced out: nothing old is read': async ({ first, drive, sources }) => {
    await ends(first, 'mount -t iso9660 -o ro $D /m', GOOD);
    await drive.load(sources.path('b.iso'), true);
    await ends(first, 'refused dd if=/m/f0 of=/dev/null', GOOD);
    await ends(first, 'umount /m', GOOD);
    await mounts(first, 'b.iso');
  },
  'the kernel polls and tells udev': async ({ first, second, drive, sources }) => {
    // A change that no open has seen yet is not told again.
    await mounts(second, 'a.iso');
    await ends(second, 'uevent env > /tmp/told 2>&1 &', GOOD);
    await second.sh(POLL);
    assert.equal((await second.run('grep -q DISK_MEDIA_CHANGE=1 /tmp/told')).code, 1);
    await ends(first, 'eject $D', GOOD);
    await drive.load(sources.path('b.iso'));
    await second.shUntil('grep -q DISK_MEDIA_CHANGE=1 /tmp/told');
    await mounts(second, 'b.iso');
    await ends(first, 'mount -t iso9660 -o ro $D /m', GOOD);
    assert.equal(await drive.eject(), 'loaded');
    await second.shUntil('grep -q DISK_EJECT_REQUEST=1 /tmp/told');
    await second.sh(`killall uevent; ${POLL.replace('2000', '0')}`);
  },
};

export const SHARED_MODES: readonly string[] = Object.keys(ROWS);

export function sharedName(mode: string): string {
  return `${MEDIUM} ${TOOL} ${mode}`;
}

async function attempt(pair: Pair, mode: string): Promise<RowResult> {
  const begin = performance.now();
  const done = (verdict: 'passed' | 'failed', reason: string, detail: string): RowResult => {
    const seconds = (performance.now() - begin) / 1000;
    return { medium: MEDIUM, tool: TOOL, mode, verdict, seconds, reason, detail };
  };
  try {
    await pair.settle();
    pair.drive.commands.clear();
    await ROWS[mode]?.(pair);
    return done('passed', '', '');
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const commands = pair.drive.commands.tail(COMMAND_LINES);
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    const detail = [text, stack, 'last commands:', ...commands].join('\n');
    return done('failed', text.split('\n')[0] ?? '', detail);
  }
}

/** Boots both guests and runs these rows. */
export async function runShared(
  modes: readonly string[],
  sources: Sources,
  report: (result: RowResult) => void,
): Promise<void> {
  const pair = await Pair.start(sources);
  try {
    for (const mode of modes) report(await attempt(pair, mode));
  } finally {
    await pair.end();
  }
}
