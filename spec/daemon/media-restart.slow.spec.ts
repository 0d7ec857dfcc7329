/** What a daemon remembers of the media of its drives over a kill and a restart. */
import { strict as assert } from 'node:assert';
import { rmSync } from 'node:fs';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense } from '../support/ports.ts';
import { capacity, EJECT, MediaBench, MIB } from './media-bench.ts';

describe('media of a daemon over a restart', function () {
  this.timeout(30_000);
  let bench: MediaBench;

  beforeEach(async () => {
    const options = ['--state', 'state'];
    bench = new MediaBench(
      await DaemonProcess.start(['0:disk,path=a.img,size=1M,removable'], [], options),
    );
  });
  afterEach(async () => {
    await bench.detach();
    await bench.daemon.end();
  });

  it('lock keeps guests from ejecting, over a restart; unlock ends that', async () => {
    await bench.daemon.call('media.lock', { lun: 0 });
    await bench.daemon.kill();
    await bench.daemon.restart();
    const a = await bench.attach();
    assert.equal((await bench.media())[0]?.locked, true);
    assert.equal(sense(await a.run(EJECT)), '5/53/02');
    await bench.daemon.call('media.unlock', { lun: 0 });
    assert.equal(sense(await a.run(EJECT)), '');
  });

  it('comes back with the medium that was in it last', async () => {
    const path = bench.image('b.img', 2 * MIB, 0x22);
    await bench.load({ path, ro: true });
    await bench.daemon.kill();
    await bench.daemon.restart();
    const [drive] = await bench.media();
    assert.deepEqual(
      [drive?.state, drive?.path, drive?.writeProtected, drive?.generation],
      ['loaded', path, true, 2],
    );
    assert.equal(await (await bench.attach()).byteAt(0), 0x22);
  });

  it('comes back empty', async () => {
    await bench.eject();
    await bench.daemon.kill();
    await bench.daemon.restart();
    assert.equal((await bench.media())[0]?.state, 'empty');
    bench.own(bench.path('a.img'))();
    assert.equal((await bench.load({})).state, 'loaded');
  });

  it('comes back with the tray open', async () => {
    await (await bench.attach()).run(EJECT);
    await bench.daemon.kill();
    await bench.daemon.restart();
    assert.equal((await bench.media())[0]?.state, 'open');
    bench.own(bench.path('a.img'))();
    assert.equal((await bench.load({})).state, 'loaded');
  });

  it('is empty when the image that was loaded has gone, and serves the rest', async () => {
    await bench.load({ path: bench.image('b.img', MIB, 0x22) });
    await bench.daemon.kill();
    rmSync(bench.path('b.img'));
    await bench.daemon.restart();
    assert.equal((await bench.media())[0]?.state, 'empty');
    assert.match(bench.daemon.errors, /LUN 0 is without its medium: .*b\.img" does not exist/);
  });

  it('grows the medium that is in it, and no other', async () => {
    const a = await bench.attach();
    await bench.load({ path: bench.image('b.img', MIB, 0x22) });
    await a.attentions();
    await bench.daemon.call('lun.resize', { lun: 0, size: 2 * MIB });
    assert.deepEqual(await a.attentions(), ['6/2a/09']);
    await bench.daemon.kill();
    await bench.daemon.restart();
    assert.equal(await capacity(await bench.attach('b')), (2 * MIB) / 512);
    await bench.load({ path: bench.path('a.img') });
    assert.equal((await bench.media())[0]?.bytes, MIB);
  });
});
