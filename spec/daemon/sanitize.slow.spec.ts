/** A SANITIZE outlives the daemon that began it (SBC-3 4.11). */
import { strict as assert } from 'node:assert';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, TestInitiator } from '../support/ports.ts';

const MIB = 1024 * 1024;
const BYTES = 24 * MIB;
/** IMMED = 1, one pass of one byte. */
const OVERWRITE = '48 81 00 00 00 00 00 00 05 00';
const LIST = Uint8Array.of(1, 0, 0, 1, 0x5a);

describe('SANITIZE over a restart', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  let open: TestInitiator | null = null;

  const attach = async (): Promise<TestInitiator> => {
    const initiator = await openInitiator({ connect: daemon.connect, name: 'a' });
    open = new TestInitiator(initiator, 0);
    return open;
  };
  /** The sense of a TEST UNIT READY that is no unit attention. */
  const ready = async (a: TestInitiator): Promise<string> => {
    let found = await a.ready();
    while (found.startsWith('6/')) found = await a.ready();
    return found;
  };

  afterEach(async () => {
    await open?.initiator.close();
    await daemon.end();
  });

  it('goes on after kill -9, and the whole image is overwritten', async () => {
    daemon = await DaemonProcess.start(
      [`0:disk,path=a.img,size=${BYTES}`],
      [],
      ['--state', 'state'],
    );
    const image = daemon.path('a.img');
    writeFileSync(image, Buffer.alloc(BYTES, 0x11), { flag: 'r+' });
    const a = await attach();
    await ready(a);
    assert.equal(sense(await a.run(OVERWRITE, { dataOut: LIST })), '');
    assert.equal(await ready(a), '2/04/1b');
    await sleep(100);
    await daemon.kill();
    await a.initiator.close();
    assert.ok(readFileSync(image).includes(0x11), 'it was in the middle');
    await daemon.restart();
    const b = await attach();
    assert.equal(await ready(b), '2/04/1b');
    assert.equal(sense(await b.read(0)), '2/04/1b');
    while ((await ready(b)) !== '') await sleep(20);
    assert.ok(readFileSync(image).every((byte) => byte === 0x5a));
    await b.write(0, 0x77);
    await daemon.kill();
    await b.initiator.close();
    await daemon.restart();
    assert.equal(await ready(await attach()), '', 'it does not begin again when it has ended');
    assert.equal(readFileSync(image)[0], 0x77);
  });

  it('does not exist without a state directory, for what outlives the daemon', async () => {
    daemon = await DaemonProcess.start(['0:disk,path=a.img,size=1M', '1:disk,memory=1M']);
    const a = await attach();
    await ready(a);
    assert.equal(sense(await a.run(OVERWRITE, { dataOut: LIST })), '5/20/00');
    const memory = new TestInitiator(a.initiator, 1);
    await ready(memory);
    assert.equal(sense(await memory.run(OVERWRITE, { dataOut: LIST })), '');
  });
});
