/** An encrypted disk over restarts: its image tells nothing, its key is found again, and erasing that erases the disk. */
import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, TestInitiator } from '../support/ports.ts';

const LUN = '0:disk,path=a.img,size=1M,key=a.key';
const CRYPTOGRAPHIC_ERASE = '48 83 00 00 00 00 00 00 00 00';

describe('an encrypted disk', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  let open: TestInitiator | null = null;

  const attach = async (): Promise<TestInitiator> => {
    await open?.initiator.close();
    open = new TestInitiator(await openInitiator({ connect: daemon.connect, name: 'a' }), 0);
    let found = await open.ready();
    while (found.startsWith('6/')) found = await open.ready();
    assert.match(found, /^(2\/04\/1b)?$/);
    return open;
  };

  beforeEach(async () => {
    daemon = await DaemonProcess.start([LUN], [], ['--state', 'state']);
  });

  afterEach(async () => {
    await open?.initiator.close();
    open = null;
    await daemon.end();
  });

  it('reads the same after kill -9, and its image has none of it', async () => {
    const a = await attach();
    await a.write(3, 0x5a);
    await daemon.kill();
    assert.ok(!readFileSync(daemon.path('a.img')).includes(Buffer.alloc(16, 0x5a)));
    await daemon.restart();
    const { dataIn } = await (await attach()).read(3);
    assert.ok(dataIn.every((byte) => byte === 0x5a));
  });

  it('is erased by SANITIZE - CRYPTOGRAPHIC ERASE: the old key is nowhere, the data is noise', async () => {
    const a = await attach();
    await a.write(3, 0x5a);
    const old = readFileSync(daemon.path('a.key'));
    assert.equal(sense(await a.run(CRYPTOGRAPHIC_ERASE)), '');
    while ((await a.ready()) !== '') await sleep(10);
    const now = readFileSync(daemon.path('a.key'));
    assert.notDeepEqual(now, old);
    const first = (await a.read(3)).dataIn;
    assert.ok(!Buffer.from(first).includes(Buffer.alloc(4, 0x5a)));
    await a.write(4, 0x77);
    await daemon.kill();
    await daemon.restart();
    const b = await attach();
    assert.deepEqual((await b.read(3)).dataIn, first, 'the key is the one of before the restart');
    assert.ok((await b.read(4)).dataIn.every((byte) => byte === 0x77));
    assert.deepEqual(readFileSync(daemon.path('a.key')), now, 'erased once');
  });

  it('is not attached without its key; an image that got none is not left behind', async () => {
    const add = (lun: number, image: string, key: string): Promise<unknown> =>
      daemon.call('lun.add', {
        lun,
        type: 'disk',
        path: daemon.path(image),
        key: daemon.path(key),
        size: '1M',
      });
    writeFileSync(daemon.path('b.key'), '');
    await assert.rejects(add(1, 'b.img', 'b.key'), /its key ".*b\.key" is there already/);
    assert.ok(!existsSync(daemon.path('b.img')));
    await assert.rejects(add(1, 'b.img', 'a.key'), /its key ".*a\.key" is there already/);
    await add(1, 'c.img', 'c.key');
    await daemon.call('lun.remove', { lun: 1 });
    unlinkSync(daemon.path('c.key'));
    await assert.rejects(add(1, 'c.img', 'c.key'), /does not exist/);
    assert.ok(existsSync(daemon.path('c.img')), 'an image that was there stays');
    const luns = (await daemon.call('lun.list')) as { encrypted: boolean }[];
    assert.deepEqual(
      luns.map(({ encrypted }) => encrypted),
      [true],
    );
  });
});
