/** Two guests on one drive: what one does, or the operator, the other is told, once and in time. */
import { strict as assert } from 'node:assert';
import type { Guest } from '../support/guest.ts';
import { POLL } from './functions.ts';
import { BURNER_ROWS } from './shared-burner.ts';
import {
  ends,
  GOOD,
  ILLEGAL_REQUEST,
  NOT_READY,
  Pair,
  type SharedRow,
  UNIT_ATTENTION,
} from './shared-pair.ts';
import { TRACE_ROWS } from './shared-traces.ts';
import { attempt, type Suite } from './suite.ts';

const LUN = 0;

/** READ(10) of block 16, where the volume descriptor with the name is. */
const READ_16 = 'sg_raw -r 2048 $(sg 0) 28 00 00 00 00 10 00 00 01 00 2>&1';
const EVENTS = 'sg_raw -r 8 $(sg 0) 4a 01 00 00 10 00 00 00 08 00 2>&1';

/** Media events (MMC-6 6.7.2.5, event codes). */
const EJECT_REQUEST = 1;
const NEW_MEDIA = 2;
const MEDIA_REMOVAL = 3;

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

/** Disc a is in, nothing is mounted, and both have been told everything. */
async function settle({ both, drive, sources }: Pair): Promise<void> {
  for (const guest of both) await guest.run('umount /m 2> /dev/null; sg_prevent -a /dev/sr0');
  await drive.load(sources.path('a.iso'), true);
  for (const guest of both) {
    await guest.shUntil('sg_turs $(sg 0) > /dev/null 2>&1');
    for (let i = 0; i < 16 && (await event(guest)) !== 0; i += 1);
  }
}

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
    await pair.kill(pair.second);
    await pair.revive();
    await ready(pair.second, NOT_READY);
    await pair.drive.load(null);
    await ready(pair.second, UNIT_ATTENTION);
    await mounts(pair.second, 'a.iso');
  },
  'X9 a guest dies, its lock too': async (pair) => {
    await ends(pair.second, 'mount -t iso9660 -o ro $D /m', GOOD);
    await ends(pair.first, 'sg_start --eject $(sg 0)', ILLEGAL_REQUEST);
    await pair.kill(pair.second);
    await pair.first.shUntil('sg_start --eject $(sg 0)');
    await pair.revive();
  },
  'X10 sr and sg are one drive': async ({ first, second }) => {
    await ends(first, 'sg_start --eject $(sg 0)', GOOD);
    await ends(first, 'sg_turs $D', NOT_READY);
    await ends(second, 'sg_turs $D', NOT_READY);
  },
  'X11 the generation passes 2^32': async (pair) => {
    const { drive, sources, both } = pair;
    const last = 2 ** 32 - 1;
    for (;;) {
      const { generation } = await pair.medium(LUN);
      assert(generation <= last, `generation ${generation} is past it`);
      if (generation === last) break;
      await drive.eject();
      await drive.load(null);
    }
    for (const guest of both) await guest.shUntil('sg_turs $(sg 0) > /dev/null 2>&1');
    for (const [i, image] of ['b.iso', 'a.iso'].entries()) {
      await drive.load(sources.path(image));
      assert.equal((await pair.medium(LUN)).generation, last + 1 + i);
      for (const guest of both) {
        await ready(guest, UNIT_ATTENTION);
        await ready(guest, GOOD);
        await mounts(guest, image);
      }
    }
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

const ALL: readonly SharedRow[] = [
  ...Object.entries(ROWS).map(([mode, row]) => ({
    mode,
    quick: true,
    run: async (pair: Pair): Promise<void> => {
      await settle(pair);
      pair.drive.commands.clear();
      await row(pair);
    },
  })),
  ...BURNER_ROWS,
  ...TRACE_ROWS,
];

export const SHARED: Suite = {
  medium: 'cd-rom',
  tool: 'two guests',
  modes: new Map(ALL.map(({ mode, quick }) => [mode, quick])),
  notOnQemu: "QEMU's drive belongs to one machine",
  async run(modes, sources, report) {
    const pair = await Pair.start(sources);
    try {
      for (const mode of modes) {
        const work = async (): Promise<void> => {
          const row = ALL.find((each) => each.mode === mode);
          assert(row, `there is a row "${mode}"`);
          await pair.revive();
          await row.run(pair);
        };
        report(await attempt(SHARED, mode, pair.drive.commands, work));
      }
    } finally {
      await pair.end();
    }
  },
};
