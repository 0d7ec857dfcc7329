/** CD drives of a running daemon: images that come, go, vanish and shrink; the tray, the locks, restarts. One daemon for all. */
import { strict as assert } from 'node:assert';
import { closeSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChecks } from '../../src/conformance/run.ts';
import type { LunStatus } from '../../src/daemon/attached-disk.ts';
import type { MediaChange, MediaStatus } from '../../src/daemon/media-house.ts';
import { type Initiator, openInitiator } from '../../src/initiator/initiator.ts';
import { openDiskFile } from '../../src/luns/open.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, TestInitiator } from '../support/ports.ts';

const SECTOR = 2048;
const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';
const PREVENT = '1e 00 00 00 01 00';
const ALLOW = '1e 00 00 00 00 00';
const TEST_UNIT_READY = '00 00 00 00 00 00';

describe('CD drives of a daemon', function () {
  this.timeout(30_000);
  const directory = mkdtempSync(join(tmpdir(), 'ringscsi-cdrom-'));
  let daemon: DaemonProcess;
  let open: Initiator[] = [];
  let a: TestInitiator<Initiator>;

  const image = (name: string, sectors: number, fill: number): string => {
    const path = join(directory, name);
    writeFileSync(path, Buffer.alloc(sectors * SECTOR, fill));
    return path;
  };
  const attach = async (lun: number, name = 'a'): Promise<TestInitiator<Initiator>> => {
    const initiator = await openInitiator({ connect: daemon.connect, name });
    open.push(initiator);
    const test = new TestInitiator(initiator, lun);
    await test.attentions();
    return test;
  };
  const ends = async (test: TestInitiator, cdb: string): Promise<string> =>
    sense(await test.run(cdb, { dataInBytes: SECTOR }));
  /** First byte of a sector. */
  const byteAt = async (test: TestInitiator, lba: number): Promise<number | undefined> =>
    (await test.run(`28 00 00 00 00 0${lba} 00 00 01 00`, { dataInBytes: SECTOR })).dataIn[0];
  const capacity = async (test: TestInitiator): Promise<number> => {
    const { dataIn } = await test.run('25 00 00 00 00 00 00 00 00 00', { dataInBytes: 8 });
    return Buffer.from(dataIn).readUInt32BE(0) + 1;
  };
  const load = (path: string | null, lun = 0): Promise<MediaChange> =>
    daemon.call('media.load', { lun, ...(path === null ? {} : { path }) }) as Promise<MediaChange>;
  const eject = (lun = 0): Promise<MediaChange> =>
    daemon.call('media.eject', { lun }) as Promise<MediaChange>;
  const drive = async (lun = 0): Promise<MediaStatus | undefined> =>
    ((await daemon.call('media.list')) as MediaStatus[]).find((each) => each.lun === lun);
  const restart = async (): Promise<void> => {
    await daemon.kill();
    await Promise.all(open.splice(0).map((initiator) => initiator.close().catch(() => undefined)));
    await daemon.restart();
    a = await attach(0);
  };
  /** Somebody else who has the image; throws when it is locked. */
  const own = (path: string, readOnly: boolean): (() => void) => {
    const { fd } = openDiskFile({ lun: 9, path, blockBytes: SECTOR, readOnly });
    return () => closeSync(fd);
  };

  before(async () => {
    const path = image('a.iso', 4, 0x11);
    daemon = await DaemonProcess.start(
      [`0:cdrom,path=${path}`, '1:cdrom', '2:disk,memory=1M'],
      [],
      ['--state', 'state'],
    );
    a = await attach(0);
  });

  beforeEach(async () => {
    await load(image('a.iso', 4, 0x11));
    await a.attentions();
  });

  after(async () => {
    await Promise.all(open.map((initiator) => initiator.close()));
    await daemon.end();
    open = [];
    rmSync(directory, { recursive: true });
  });

  it('reads the sectors of its image, and no more than there are', async () => {
    assert.equal(await capacity(a), 4);
    assert.equal(await byteAt(a, 3), 0x11);
    assert.equal(await ends(a, '28 00 00 00 00 04 00 00 01 00'), '5/21/00');
  });

  it('lun list tells what it is', async () => {
    const [first, empty] = (await daemon.call('lun.list')) as LunStatus[];
    assert.deepEqual(
      [first?.type, first?.backing, first?.bytes, first?.blockBytes, first?.readOnly],
      ['cdrom', 'disc', 4 * SECTOR, SECTOR, true],
    );
    assert.deepEqual([empty?.type, empty?.backing, empty?.bytes], ['cdrom', null, 0]);
  });

  it('two drives have one image; elsewhere it can be read and not be written', async () => {
    const path = join(directory, 'a.iso');
    await load(path, 1);
    own(path, true)();
    assert.throws(() => own(path, false), { code: 'ERR_IMAGE_LOCKED' });
    await assert.rejects(daemon.call('lun.add', { lun: 7, type: 'disk', path }), {
      message: /is LUN 0 of this daemon/,
    });
    await eject(1);
  });

  it('an image that somebody writes is refused by name', async () => {
    const path = image('b.iso', 2, 0x22);
    const letGo = own(path, false);
    await assert.rejects(load(path), {
      code: 'ERR_IMAGE_LOCKED',
      message: new RegExp(`Cannot load a medium into LUN 0: "${path}" is in use by process \\d+`),
    });
    letGo();
    assert.equal(await a.ready(), '');
  });

  it('another disc: 28/00, its size and its data, and the old image is free', async () => {
    const status = await load(image('b.iso', 9, 0x22));
    assert.deepEqual([status.state, status.bytes, status.flushed], ['loaded', 9 * SECTOR, true]);
    assert.deepEqual(await a.attentions(), ['6/28/00']);
    assert.deepEqual([await capacity(a), await byteAt(a, 8)], [9, 0x22]);
    own(join(directory, 'a.iso'), false)();
  });

  it('START STOP UNIT opens the tray, the disc stays in it, and comes back', async () => {
    assert.equal(await ends(a, EJECT), '');
    assert.deepEqual(
      [(await drive())?.state, (await drive())?.path],
      ['open', join(directory, 'a.iso')],
    );
    assert.equal(await a.ready(), '2/3a/02');
    own(join(directory, 'a.iso'), false)();
    assert.equal(await ends(a, LOAD), '');
    assert.equal(await byteAt(a, 0), 0x11);
  });

  /** GET EVENT STATUS NOTIFICATION, media class: event and state. */
  const event = async (): Promise<string> => {
    const { dataIn } = await a.run('4a 01 00 00 10 00 00 00 08 00', { dataInBytes: 8 });
    return Buffer.from(dataIn).toString('hex').slice(8, 12);
  };

  it('who prevents the removal is named and asked for the disc, which stays', async () => {
    while ((await event()).slice(0, 2) !== '00');
    await a.run(PREVENT);
    const status = (await eject()) as MediaStatus;
    assert.deepEqual(
      [status.state, status.preventedBy, status.ejectRequested],
      ['loaded', ['a'], true],
    );
    assert.equal(await event(), '0102', 'EjectRequest, a medium is there');
    assert.equal(await ends(a, EJECT), '5/53/02');
    await a.run(ALLOW);
  });

  it('media lock keeps guests from ejecting', async () => {
    await daemon.call('media.lock', { lun: 0 });
    assert.equal(await ends(a, EJECT), '5/53/02');
    await daemon.call('media.unlock', { lun: 0 });
  });

  const unusable: readonly (readonly [string, (path: string) => void, RegExp])[] = [
    ['is not there', () => undefined, /"\/.*x\.iso" does not exist, a disc image has to$/],
    [
      'is a directory',
      (path) => mkdirSync(path),
      /"\/.*x\.iso" is a directory, a disc image has to be a regular file$/,
    ],
    [
      'is empty',
      (path) => writeFileSync(path, ''),
      /"\/.*x\.iso" is empty, a disc image needs a sector of 2048 bytes at least$/,
    ],
    [
      'ends in the middle of a sector',
      (path) => writeFileSync(path, Buffer.alloc(SECTOR + 5)),
      /cannot use the disc image "\/.*x\.iso": /,
    ],
  ];
  for (const [what, make, message] of unusable) {
    it(`an image that ${what} is refused, and the disc that is in stays`, async () => {
      const path = join(directory, 'x.iso');
      rmSync(path, { recursive: true, force: true });
      make(path);
      const error = /^Cannot load a medium into LUN 0: .*/;
      await assert.rejects(load(path), { message });
      await assert.rejects(load(path), { message: error });
      assert.deepEqual([await a.ready(), await byteAt(a, 0)], ['', 0x11]);
      rmSync(path, { recursive: true, force: true });
    });
  }

  it('an image that vanished while its disc is in the tray: 4/53/00, and the log says why', async () => {
    await ends(a, EJECT);
    rmSync(join(directory, 'a.iso'));
    assert.equal(await ends(a, LOAD), '4/53/00');
    assert.match(daemon.errors, /LUN 0: Cannot load a medium .*a\.iso" does not exist/);
    assert.equal(await a.ready(), '2/3a/02');
  });

  it('an image that vanished while its disc is in the drive can still be taken out', async () => {
    rmSync(join(directory, 'a.iso'));
    assert.equal((await eject()).flushed, true);
    assert.equal(await a.ready(), '2/3a/01');
  });

  it('an image that was cut fails where it ends, and the other LUNs are served', async () => {
    truncateSync(join(directory, 'a.iso'), SECTOR);
    const result = await a.run('28 00 00 00 00 00 00 00 02 00', { dataInBytes: 2 * SECTOR });
    assert.equal(sense(result), '4/44/00');
    assert.equal(result.dataIn[0], 0x11);
    const disk = await attach(2, 'b');
    assert.equal(await ends(disk, TEST_UNIT_READY), '');
    // A load of what is in the drive would change nothing.
    await eject();
  });

  it('is neither resized nor put into standby', async () => {
    await assert.rejects(daemon.call('lun.resize', { lun: 0, size: 1_048_576 }), {
      message:
        'Cannot resize LUN 0 to 1048576 bytes: it is an optical drive, media load puts a larger disc in',
    });
    await assert.rejects(daemon.call('lun.standby', { lun: 0 }), { message: /Cannot put LUN 0/ });
  });

  it('fails no check of ringscsi conformance, --destructive or not', async () => {
    const results = await runChecks(a.initiator, 0, true);
    assert.deepEqual(
      results.filter(({ result }) => result === 'fail'),
      [],
    );
  });

  it('is added and removed while the daemon runs, and its image is free then', async () => {
    const path = image('c.iso', 3, 0x33);
    await daemon.call('lun.add', { lun: 5, type: 'cdrom', path });
    const c = await attach(5, 'c');
    assert.equal(await byteAt(c, 2), 0x33);
    await daemon.call('lun.remove', { lun: 5 });
    own(path, false)();
  });

  it('an image that cannot be used is not attached', async () => {
    const path = join(directory, 'none.iso');
    await assert.rejects(daemon.call('lun.add', { lun: 5, type: 'cdrom', path }), {
      message: `Cannot attach LUN 5: "${path}" does not exist, a disc image has to`,
    });
  });

  it('leaves no descriptor behind', async () => {
    const round = async (): Promise<void> => {
      await load(image('b.iso', 2, 0x22));
      await eject();
      await load(null);
      await assert.rejects(load(join(directory, 'none.iso')));
    };
    await round();
    const before = daemon.descriptors();
    await round();
    assert.equal(daemon.descriptors(), before);
  });

  it('comes back after a kill: the disc that was loaded, an empty drive, the same serial numbers', async () => {
    const serials = async (): Promise<string[]> =>
      ((await daemon.call('lun.list')) as LunStatus[]).map(({ serial }) => serial);
    const before = await serials();
    const path = image('b.iso', 5, 0x22);
    const { generation } = await load(path);
    await restart();
    const now = await drive();
    assert.deepEqual([now?.state, now?.path, now?.generation], ['loaded', path, generation]);
    assert.equal((await drive(1))?.state, 'empty');
    assert.equal(await byteAt(a, 4), 0x22);
    assert.deepEqual(await serials(), before);
  });

  it('comes back with the tray open; without its image it is empty and the rest is served', async () => {
    await load(image('b.iso', 5, 0x22), 1);
    await ends(a, EJECT);
    rmSync(join(directory, 'b.iso'));
    await restart();
    assert.deepEqual([(await drive())?.state, (await drive(1))?.state], ['open', 'empty']);
    assert.match(daemon.errors, /LUN 1 is without its medium: .*b\.iso" does not exist/);
    assert.equal(await ends(a, LOAD), '');
    assert.equal(await byteAt(a, 0), 0x11);
  });
});
