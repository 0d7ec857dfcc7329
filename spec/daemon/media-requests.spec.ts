/** Media requests of initiators on the SRP ring against the operator of a daemon: the scenarios of seeds section 4. */
import { strict as assert } from 'node:assert';
import { symlinkSync, writeFileSync } from 'node:fs';
import type { MediaStatus } from '../../src/daemon/media-house.ts';
import { type Initiator, openInitiator } from '../../src/initiator/initiator.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { TestInitiator } from '../support/ports.ts';

const MIB = 2 ** 20;
/** LUNs, each of one scenario. */
const LUNS = [
  'path=0.img,size=1M,removable',
  'path=1.img,size=1M,removable',
  'path=2.img,size=1M,removable',
  'memory=1M',
  'path=4.img,size=1M,removable',
];

describe('media requests of a daemon', function () {
  this.timeout(15_000);
  let daemon: DaemonProcess;
  let initiator: Initiator;

  before(async () => {
    daemon = await DaemonProcess.start(
      LUNS.map((options, lun) => `${lun}:disk,${options}`),
      [],
      ['--state', 'state'],
    );
    initiator = await openInitiator({ connect: daemon.connect, name: 'guest' });
  });
  after(async () => {
    await initiator.close();
    await daemon.end();
  });
  const on = async (lun: number, who = initiator): Promise<TestInitiator> => {
    const test = new TestInitiator(who, lun);
    await test.attentions();
    return test;
  };
  const image = (name: string, bytes: number): string => {
    const path = daemon.path(name);
    writeFileSync(path, Buffer.alloc(bytes, 0x22));
    return path;
  };
  const load = (lun: number, path: string): Promise<unknown> =>
    daemon.call('media.load', { lun, path });
  const media = async (lun: number): Promise<MediaStatus | undefined> =>
    ((await daemon.call('media.list')) as MediaStatus[]).find((drive) => drive.lun === lun);
  const capacity = async (a: TestInitiator): Promise<number> => {
    const { dataIn } = await a.run('25 00 00 00 00 00 00 00 00 00', { dataInBytes: 8 });
    return Buffer.from(dataIn).readUInt32BE(0) + 1;
  };
  /** Resolves when the daemon works on a command of the LUN. */
  const begun = async (lun: number): Promise<void> => {
    type Stats = { reactor: { units: { lun: number; outstanding: number }[] } };
    for (;;) {
      const { reactor } = (await daemon.call('stats')) as Stats;
      if (reactor.units.find((unit) => unit.lun === lun)?.outstanding === 1) return;
    }
  };
  /** Asks until the eject has ended. */
  const ended = async (lun: number) => {
    for (;;) {
      const reply = await initiator.mediaRequest(lun, 'query');
      if (reply.result !== 'pending') return reply;
    }
  };

  it('locked, then changed: refused by name; unlocked: the new size is seen', async () => {
    const a = await on(0);
    assert.equal((await initiator.mediaRequest(0, 'lock')).result, 'done');
    const other = image('larger.img', 2 * MIB);
    await assert.rejects(load(0, other), { code: 'ERR_MEDIUM_PREVENTED', message: /"guest"/ });
    await initiator.mediaRequest(0, 'unlock');
    await load(0, other);
    assert.deepEqual(await a.attentions(), ['6/28/00']);
    assert.equal(await capacity(a), (2 * MIB) / 512);
  });

  it('ejected with its own lock: the image is free', async () => {
    await initiator.mediaRequest(1, 'lock');
    await initiator.mediaRequest(1, 'eject');
    const { result, open, locked } = await ended(1);
    assert.deepEqual([result, open, locked], ['done', true, false]);
    while ((await media(1))?.state !== 'open');
  });

  it('ejected with a write in flight: that ends, and is on the image', async () => {
    const a = await on(2);
    const rules = [{ operation: 'write', delayMs: 100, count: 1 }];
    await daemon.call('inject.set', { lun: 2, rules });
    const write = a.write(7, 0x77);
    await begun(2);
    assert.equal((await initiator.mediaRequest(2, 'eject')).result, 'pending');
    assert.equal((await write).status, 0);
    assert.equal((await ended(2)).result, 'done');
    await a.run('1b 00 00 00 03 00');
    await a.attentions();
    assert.equal(await a.byteAt(7), 0x77);
  });

  it('of a disk whose medium is fixed: unsupported; of no LUN as well', async () => {
    assert.equal((await initiator.mediaRequest(3, 'eject')).result, 'unsupported');
    assert.equal((await initiator.mediaRequest(99, 'query')).result, 'unsupported');
  });

  it('two changes one behind the other: the last wins, one unit attention', async () => {
    const a = await on(4);
    await Promise.all([load(4, image('b.img', MIB)), load(4, image('c.img', 3 * MIB))]);
    assert.deepEqual(await a.attentions(), ['6/28/00']);
    assert.equal(await capacity(a), (3 * MIB) / 512);
  });

  it('changed to what is there: no event', async () => {
    const a = await on(4);
    await load(4, daemon.path('c.img'));
    assert.deepEqual(await a.attentions(), []);
    assert.equal((await media(4))?.generation, 3);
  });

  it('changed while the guest is away: it is told when it is back', async () => {
    const guest = await openInitiator({ connect: daemon.connect, name: 'sleeper' });
    await on(4, guest);
    await guest.close();
    await load(4, image('d.img', MIB));
    const again = await openInitiator({ connect: daemon.connect, name: 'sleeper' });
    const seen = await new TestInitiator(again, 4).attentions();
    await again.close();
    assert.ok(seen.includes('6/28/00'), seen.join(' '));
  });

  it('X10 another name of an image in a drive is the same image', async () => {
    symlinkSync(daemon.path('d.img'), daemon.path('alias.img'));
    const disk = { lun: 9, type: 'disk', path: daemon.path('alias.img') };
    await assert.rejects(daemon.call('lun.add', disk), { message: /is LUN 4 of this daemon/ });
  });

  it('a daemon that is killed with an eject pending comes back with the medium, and nothing is pending', async () => {
    const rules = [{ operation: 'flush', delayMs: 5000, count: 1 }];
    await daemon.call('inject.set', { lun: 4, rules });
    assert.equal((await initiator.mediaRequest(4, 'eject')).result, 'pending');
    await initiator.close();
    await daemon.kill();
    await daemon.restart();
    initiator = await openInitiator({ connect: daemon.connect, name: 'guest' });
    const { result, loaded } = await initiator.mediaRequest(4, 'query');
    assert.deepEqual([result, loaded], ['done', true]);
  });
});
