/** Media of a running daemon: loads, ejects and locks of the operator and of guests, the locks of images, restarts. */
import { strict as assert } from 'node:assert';
import { closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { MediaChange, MediaStatus } from '../../src/daemon/media-house.ts';
import { type Initiator, openInitiator } from '../../src/initiator/initiator.ts';
import { openDiskFile } from '../../src/luns/open.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, TestInitiator } from '../support/ports.ts';

const MIB = 1024 * 1024;
const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';
const PREVENT = '1e 00 00 00 01 00';
const STATE = ['--state', 'state'];

describe('media of a daemon', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  const open: Initiator[] = [];

  const attach = async (name = 'a', lun = 0): Promise<TestInitiator> => {
    const initiator = await openInitiator({ connect: daemon.connect, name });
    open.push(initiator);
    const test = new TestInitiator(initiator, lun);
    await test.attentions();
    return test;
  };
  const image = (name: string, bytes: number, fill: number): string => {
    const path = daemon.path(name);
    writeFileSync(path, Buffer.alloc(bytes, fill));
    return path;
  };
  const load = (args: Record<string, unknown>): Promise<MediaChange> =>
    daemon.call('media.load', { lun: 0, ...args }) as Promise<MediaChange>;
  const eject = (args: Record<string, unknown> = {}): Promise<MediaChange> =>
    daemon.call('media.eject', { lun: 0, ...args }) as Promise<MediaChange>;
  const media = (): Promise<MediaStatus[]> => daemon.call('media.list') as Promise<MediaStatus[]>;
  const start = async (spec: string, options: readonly string[] = []): Promise<void> => {
    daemon = await DaemonProcess.start([spec], [], options);
  };
  /** Somebody else who has the image for writing; throws when it is locked. */
  const own = (path: string): (() => void) => {
    const { fd } = openDiskFile({ lun: 9, path, blockBytes: 512, readOnly: false });
    return () => closeSync(fd);
  };
  /** Resolves when the daemon works on a command. */
  const begun = async (): Promise<void> => {
    type Stats = { reactor: { units: { outstanding: number }[] } };
    for (;;) {
      const stats = (await daemon.call('stats')) as Stats;
      if (stats.reactor.units[0]?.outstanding === 1) return;
    }
  };
  const capacity = async (a: TestInitiator): Promise<number> => {
    const { dataIn } = await a.run('25 00 00 00 00 00 00 00 00 00', { dataInBytes: 8 });
    return Buffer.from(dataIn).readUInt32BE(0) + 1;
  };

  afterEach(async () => {
    await Promise.all(open.splice(0).map((initiator) => initiator.close()));
    await daemon.end();
  });

  it('another image: 28/00, another capacity, its data, and the old one is free', async () => {
    await start('0:disk,path=a.img,size=1M,removable');
    const a = await attach();
    await a.write(5, 0x11);
    const b = image('b.img', 2 * MIB, 0x22);
    const status = await load({ path: b });
    assert.deepEqual(
      [status.state, status.path, status.generation, status.flushed],
      ['loaded', b, 2, true],
    );
    assert.deepEqual(await a.attentions(), ['6/28/00']);
    assert.equal(await capacity(a), (2 * MIB) / 512);
    assert.equal(await a.byteAt(5), 0x22);
    own(daemon.path('a.img'))();
    assert.equal(readFileSync(daemon.path('a.img'))[5 * 512], 0x11);
    assert.throws(() => own(b), { code: 'ERR_IMAGE_LOCKED' });
  });

  it('an image that somebody has is refused by name, and the old medium stays', async () => {
    await start('0:disk,path=a.img,size=1M,removable');
    const a = await attach();
    const b = image('b.img', MIB, 0x22);
    const letGo = own(b);
    await assert.rejects(load({ path: b }), {
      code: 'ERR_IMAGE_LOCKED',
      message: new RegExp(`Cannot load a medium into LUN 0: "${b}" is in use by process \\d+`),
    });
    letGo();
    assert.equal(await a.ready(), '');
  });

  it('an image of another LUN is refused', async () => {
    daemon = await DaemonProcess.start([
      '0:disk,path=a.img,size=1M,removable',
      '1:disk,path=b.img,size=1M',
    ]);
    await assert.rejects(load({ path: daemon.path('b.img') }), {
      message: /is LUN 1 of this daemon/,
    });
  });

  it('an image that is no multiple of the block is refused', async () => {
    await start('0:disk,path=a.img,size=1M,removable,block=4096');
    await assert.rejects(load({ path: image('odd.img', 4096 + 512, 0) }), {
      message: /is 4608 bytes, a disk image needs a multiple of 4096/,
    });
  });

  it('write protected by ro', async () => {
    await start('0:disk,path=a.img,size=1M,removable');
    const a = await attach();
    assert.equal((await load({ path: image('b.img', MIB, 0x22), ro: true })).writeProtected, true);
    await a.attentions();
    assert.equal(sense(await a.write(0, 1)), '7/27/00');
  });

  it('eject gives the image back; load without a path brings it again', async () => {
    await start('0:disk,path=a.img,size=1M,removable');
    const a = await attach();
    const path = daemon.path('a.img');
    assert.equal((await eject()).state, 'empty');
    assert.equal(await a.ready(), '2/3a/01');
    const letGo = own(path);
    await assert.rejects(load({}), { code: 'ERR_IMAGE_LOCKED' });
    letGo();
    assert.equal((await load({})).path, path);
    assert.deepEqual(await a.attentions(), ['6/28/00']);
  });

  it('START STOP UNIT gives the image back, and takes it again', async () => {
    await start('0:disk,path=a.img,size=1M,removable');
    const a = await attach();
    const b = await attach('b');
    const path = daemon.path('a.img');
    assert.equal(sense(await a.run(EJECT)), '');
    const [drive] = await media();
    assert.deepEqual([drive?.state, drive?.path], ['open', path]);
    assert.equal(await b.ready(), '2/3a/02');
    const letGo = own(path);
    assert.equal(sense(await a.run(LOAD)), '4/53/00', 'somebody has it');
    letGo();
    assert.equal(sense(await a.run(LOAD)), '');
    assert.throws(() => own(path), { code: 'ERR_IMAGE_LOCKED' });
    assert.equal(await a.ready(), '');
    assert.deepEqual(await b.attentions(), ['6/28/00']);
  });

  it('a medium in memory keeps its data while it is out', async () => {
    await start('0:disk,memory=1M,removable');
    const a = await attach();
    await a.write(3, 0x33);
    await a.run(EJECT);
    await a.run(LOAD);
    assert.equal(await a.byteAt(3), 0x33);
    await eject();
    await load({});
    await a.attentions();
    assert.equal(await a.byteAt(3), 0x33);
  });

  it('says who prevents the removal, and force does it all the same', async () => {
    await start('0:disk,path=a.img,size=1M,removable');
    const a = await attach('keeper');
    await a.run(PREVENT);
    assert.deepEqual((await media())[0]?.preventedBy, ['keeper']);
    await assert.rejects(eject(), { code: 'ERR_MEDIUM_PREVENTED', message: /"keeper"/ });
    assert.equal(await a.ready(), '');
    assert.equal((await eject({ force: true })).state, 'empty');
  });

  it('lock keeps guests from ejecting, over a restart; unlock ends that', async () => {
    await start('0:disk,path=a.img,size=1M,removable', STATE);
    await daemon.call('media.lock', { lun: 0 });
    await daemon.kill();
    await daemon.restart();
    const a = await attach();
    assert.equal((await media())[0]?.locked, true);
    assert.equal(sense(await a.run(EJECT)), '5/53/02');
    await daemon.call('media.unlock', { lun: 0 });
    assert.equal(sense(await a.run(EJECT)), '');
  });

  it('a failed flush keeps the medium in, and says so', async () => {
    await start('0:disk,path=a.img,size=1M,removable');
    const a = await attach();
    await a.write(0, 1);
    await daemon.call('inject.set', { lun: 0, rules: [{ operation: 'flush', fault: 'medium' }] });
    await assert.rejects(eject(), { code: 'ERR_FLUSH' });
    assert.equal((await media())[0]?.state, 'loaded');
    assert.equal((await eject({ force: true })).flushed, false);
  });

  it('waits for a write that has begun', async () => {
    await start('0:disk,path=a.img,size=1M,removable');
    const a = await attach();
    const rules = [{ operation: 'write', delayMs: 1000, count: 1 }];
    await daemon.call('inject.set', { lun: 0, rules });
    const write = a.write(7, 0x77);
    await begun();
    await load({ path: image('b.img', MIB, 0x22) });
    assert.equal((await write).status, 0);
    assert.equal(readFileSync(daemon.path('a.img'))[7 * 512], 0x77);
    assert.equal(readFileSync(daemon.path('b.img'))[7 * 512], 0x22);
  });

  it('comes back with the medium that was in it last', async () => {
    await start('0:disk,path=a.img,size=1M,removable', STATE);
    const path = image('b.img', 2 * MIB, 0x22);
    await load({ path, ro: true });
    await daemon.kill();
    await daemon.restart();
    const [drive] = await media();
    assert.deepEqual(
      [drive?.state, drive?.path, drive?.writeProtected, drive?.generation],
      ['loaded', path, true, 2],
    );
    assert.equal(await (await attach()).byteAt(0), 0x22);
  });

  it('comes back empty, and with the tray open', async () => {
    for (const [state, out] of [
      ['empty', () => eject()],
      ['open', async () => (await attach()).run(EJECT)],
    ] as const) {
      await start('0:disk,path=a.img,size=1M,removable', STATE);
      await out();
      await daemon.kill();
      await daemon.restart();
      assert.equal((await media())[0]?.state, state);
      own(daemon.path('a.img'))();
      assert.equal((await load({})).state, 'loaded');
      if (state === 'empty') await daemon.end();
    }
  });

  it('is empty when the image that was loaded has gone, and serves the rest', async () => {
    await start('0:disk,path=a.img,size=1M,removable', STATE);
    await load({ path: image('b.img', MIB, 0x22) });
    await daemon.kill();
    rmSync(daemon.path('b.img'));
    await daemon.restart();
    assert.equal((await media())[0]?.state, 'empty');
    assert.match(daemon.errors, /LUN 0 is without its medium: .*b\.img" does not exist/);
  });

  it('begins empty without a path', async () => {
    await start('0:disk,removable');
    const a = await attach();
    assert.equal(await a.ready(), '2/3a/01');
    await assert.rejects(load({}), { message: /none was in it before, name an image/ });
    await load({ path: image('b.img', MIB, 0x22) });
    assert.deepEqual(await a.attentions(), ['6/28/00']);
    assert.equal(await a.byteAt(0), 0x22);
  });

  it('grows the medium that is in it, and no other', async () => {
    await start('0:disk,path=a.img,size=1M,removable', STATE);
    const a = await attach();
    await load({ path: image('b.img', MIB, 0x22) });
    await a.attentions();
    await daemon.call('lun.resize', { lun: 0, size: 2 * MIB });
    assert.deepEqual(await a.attentions(), ['6/2a/09']);
    await daemon.kill();
    await daemon.restart();
    assert.equal(await capacity(await attach('b')), (2 * MIB) / 512);
    await load({ path: daemon.path('a.img') });
    assert.equal((await media())[0]?.bytes, MIB);
  });

  it('leaves no descriptor behind', async () => {
    await start('0:disk,path=a.img,size=1M,removable');
    const b = image('b.img', MIB, 0x22);
    const round = async (): Promise<void> => {
      await load({ path: b });
      await eject();
      await load({ path: daemon.path('a.img') });
      await assert.rejects(load({ path: daemon.path('none.img') }));
    };
    await round();
    const before = daemon.descriptors();
    await round();
    assert.equal(daemon.descriptors(), before);
  });

  it('a disk whose medium is fixed is refused', async () => {
    await start('0:disk,path=a.img,size=1M');
    await assert.rejects(eject(), {
      message:
        'Cannot eject the medium of LUN 0: its medium is fixed; attach the disk with removable',
    });
    assert.deepEqual(await media(), []);
  });

  it('a LUN is removed while a load of it waits', async () => {
    await start('0:disk,path=a.img,size=1M,removable');
    const a = await attach();
    await a.run(EJECT);
    const loading = a.run(LOAD).catch(() => null);
    await daemon.call('lun.remove', { lun: 0 });
    await loading;
    own(daemon.path('a.img'))();
  });
});
