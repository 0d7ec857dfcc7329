/** Media of a running daemon: loads, ejects and locks of the operator and of guests, and the locks of images. */
import { strict as assert } from 'node:assert';
import { readFileSync, rmSync } from 'node:fs';
import type { LunStatus } from '../../src/daemon/attached-disk.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense } from '../support/ports.ts';
import { capacity, EJECT, LOAD, MediaBench, MIB, PREVENT } from './media-bench.ts';

describe('media of a daemon', function () {
  this.timeout(30_000);
  let bench: MediaBench;

  before(async () => {
    bench = new MediaBench(await DaemonProcess.start());
  });
  after(() => bench.daemon.end());

  const add = (args: Record<string, unknown>): Promise<unknown> =>
    bench.daemon.call('lun.add', args);
  /** Resolves when the daemon works on a command. */
  const begun = async (): Promise<void> => {
    type Stats = { reactor: { units: { outstanding: number }[] } };
    for (;;) {
      const stats = (await bench.daemon.call('stats')) as Stats;
      if (stats.reactor.units[0]?.outstanding === 1) return;
    }
  };

  afterEach(async () => {
    await bench.detach();
    const luns = (await bench.daemon.call('lun.list')) as LunStatus[];
    for (const { lun } of luns) await bench.daemon.call('lun.remove', { lun });
    for (const name of ['a.img', 'b.img', 'odd.img']) rmSync(bench.path(name), { force: true });
  });

  it('another image: 28/00, another capacity, its data, and the old one is free', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB, removable: true });
    const a = await bench.attach();
    await a.write(5, 0x11);
    const b = bench.image('b.img', 2 * MIB, 0x22);
    const status = await bench.load({ path: b });
    assert.deepEqual(
      [status.state, status.path, status.generation, status.flushed],
      ['loaded', b, 2, true],
    );
    assert.deepEqual(await a.attentions(), ['6/28/00']);
    assert.equal(await capacity(a), (2 * MIB) / 512);
    assert.equal(await a.byteAt(5), 0x22);
    bench.own(bench.path('a.img'))();
    assert.equal(readFileSync(bench.path('a.img'))[5 * 512], 0x11);
    assert.throws(() => bench.own(b), { code: 'ERR_IMAGE_LOCKED' });
  });

  it('an image that somebody has is refused by name, and the old medium stays', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB, removable: true });
    const a = await bench.attach();
    const b = bench.image('b.img', MIB, 0x22);
    const letGo = bench.own(b);
    await assert.rejects(bench.load({ path: b }), {
      code: 'ERR_IMAGE_LOCKED',
      message: new RegExp(`Cannot load a medium into LUN 0: "${b}" is in use by process \\d+`),
    });
    letGo();
    assert.equal(await a.ready(), '');
  });

  it('an image of another LUN is refused', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB, removable: true });
    await add({ lun: 1, type: 'disk', path: bench.path('b.img'), size: MIB });
    await assert.rejects(bench.load({ path: bench.path('b.img') }), {
      message: /is LUN 1 of this daemon/,
    });
  });

  it('an image that is no multiple of the block is refused', async () => {
    await add({
      lun: 0,
      type: 'disk',
      path: bench.path('a.img'),
      size: MIB,
      removable: true,
      block: 4096,
    });
    await assert.rejects(bench.load({ path: bench.image('odd.img', 4096 + 512, 0) }), {
      message: /is 4608 bytes, a disk image needs a multiple of 4096/,
    });
  });

  it('write protected by ro', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB, removable: true });
    const a = await bench.attach();
    assert.equal(
      (await bench.load({ path: bench.image('b.img', MIB, 0x22), ro: true })).writeProtected,
      true,
    );
    await a.attentions();
    assert.equal(sense(await a.write(0, 1)), '7/27/00');
  });

  it('eject gives the image back; load without a path brings it again', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB, removable: true });
    const a = await bench.attach();
    const path = bench.path('a.img');
    assert.equal((await bench.eject()).state, 'empty');
    assert.equal(await a.ready(), '2/3a/01');
    const letGo = bench.own(path);
    await assert.rejects(bench.load({}), { code: 'ERR_IMAGE_LOCKED' });
    letGo();
    assert.equal((await bench.load({})).path, path);
    assert.deepEqual(await a.attentions(), ['6/28/00']);
  });

  it('START STOP UNIT gives the image back, and takes it again', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB, removable: true });
    const a = await bench.attach();
    const b = await bench.attach('b');
    const path = bench.path('a.img');
    assert.equal(sense(await a.run(EJECT)), '');
    const [drive] = await bench.media();
    assert.deepEqual([drive?.state, drive?.path], ['open', path]);
    assert.equal(await b.ready(), '2/3a/02');
    const letGo = bench.own(path);
    assert.equal(sense(await a.run(LOAD)), '4/53/00', 'somebody has it');
    letGo();
    assert.equal(sense(await a.run(LOAD)), '');
    assert.throws(() => bench.own(path), { code: 'ERR_IMAGE_LOCKED' });
    assert.equal(await a.ready(), '');
    assert.deepEqual(await b.attentions(), ['6/28/00']);
  });

  it('a medium in memory keeps its data while it is out', async () => {
    await add({ lun: 0, type: 'disk', memory: MIB, removable: true });
    const a = await bench.attach();
    await a.write(3, 0x33);
    await a.run(EJECT);
    await a.run(LOAD);
    assert.equal(await a.byteAt(3), 0x33);
    await bench.eject();
    await bench.load({});
    await a.attentions();
    assert.equal(await a.byteAt(3), 0x33);
  });

  it('says who prevents the removal, and force does it all the same', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB, removable: true });
    const a = await bench.attach('keeper');
    await a.run(PREVENT);
    assert.deepEqual((await bench.media())[0]?.preventedBy, ['keeper']);
    await assert.rejects(bench.eject(), { code: 'ERR_MEDIUM_PREVENTED', message: /"keeper"/ });
    assert.equal(await a.ready(), '');
    assert.equal((await bench.eject({ force: true })).state, 'empty');
  });

  it('a failed flush keeps the medium in, and says so', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB, removable: true });
    const a = await bench.attach();
    await a.write(0, 1);
    await bench.daemon.call('inject.set', {
      lun: 0,
      rules: [{ operation: 'flush', fault: 'medium' }],
    });
    await assert.rejects(bench.eject(), { code: 'ERR_FLUSH' });
    assert.equal((await bench.media())[0]?.state, 'loaded');
    assert.equal((await bench.eject({ force: true })).flushed, false);
  });

  it('waits for a write that has begun', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB, removable: true });
    const a = await bench.attach();
    const rules = [{ operation: 'write', delayMs: 1000, count: 1 }];
    await bench.daemon.call('inject.set', { lun: 0, rules });
    const write = a.write(7, 0x77);
    await begun();
    await bench.load({ path: bench.image('b.img', MIB, 0x22) });
    assert.equal((await write).status, 0);
    assert.equal(readFileSync(bench.path('a.img'))[7 * 512], 0x77);
    assert.equal(readFileSync(bench.path('b.img'))[7 * 512], 0x22);
  });

  it('begins empty without a path', async () => {
    await add({ lun: 0, type: 'disk', removable: true });
    const a = await bench.attach();
    assert.equal(await a.ready(), '2/3a/01');
    await assert.rejects(bench.load({}), { message: /none was in it before, name an image/ });
    await bench.load({ path: bench.image('b.img', MIB, 0x22) });
    assert.deepEqual(await a.attentions(), ['6/28/00']);
    assert.equal(await a.byteAt(0), 0x22);
  });

  it('leaves no descriptor behind', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB, removable: true });
    const b = bench.image('b.img', MIB, 0x22);
    const round = async (): Promise<void> => {
      await bench.load({ path: b });
      await bench.eject();
      await bench.load({ path: bench.path('a.img') });
      await assert.rejects(bench.load({ path: bench.path('none.img') }));
    };
    await round();
    const before = bench.daemon.descriptors();
    await round();
    assert.equal(bench.daemon.descriptors(), before);
  });

  it('a disk whose medium is fixed is refused', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB });
    await assert.rejects(bench.eject(), {
      message:
        'Cannot eject the medium of LUN 0: its medium is fixed; attach the disk with removable',
    });
    assert.deepEqual(await bench.media(), []);
  });

  it('a LUN is removed while a load of it waits', async () => {
    await add({ lun: 0, type: 'disk', path: bench.path('a.img'), size: MIB, removable: true });
    const a = await bench.attach();
    await a.run(EJECT);
    const loading = a.run(LOAD).catch(() => null);
    await bench.daemon.call('lun.remove', { lun: 0 });
    await loading;
    bench.own(bench.path('a.img'))();
  });
});
