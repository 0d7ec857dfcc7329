/** Identifying information outlives the daemon it was set through (SPC-4 5.7). */
import { strict as assert } from 'node:assert';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, TestInitiator } from '../support/ports.ts';

const REPORT = 'a3 05 00 00 00 00 00 00 04 00 00 00';
const SET = 'a4 06 00 00 00 00 00 00 00 04 00 00';

describe('identifying information over a restart', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  let open: TestInitiator | null = null;

  const attach = async (): Promise<TestInitiator> => {
    await open?.initiator.close();
    open = new TestInitiator(await openInitiator({ connect: daemon.connect, name: 'a' }), 0);
    while ((await open.ready()).startsWith('6/'));
    return open;
  };

  afterEach(async () => {
    await open?.initiator.close();
    open = null;
    await daemon.end();
  });

  it('is there after kill -9, and goes with its LUN', async () => {
    const lun = '0:disk,path=a.img,size=1M';
    daemon = await DaemonProcess.start([lun], [], ['--state', 'state']);
    const a = await attach();
    assert.equal(sense(await a.run(SET, { dataOut: Uint8Array.of(9, 8, 7, 6) })), '');
    await daemon.kill();
    await daemon.restart();
    const b = await attach();
    const kept = await b.run(REPORT, { dataInBytes: 64 });
    assert.deepEqual([...kept.dataIn], [0, 0, 0, 4, 9, 8, 7, 6]);
  });

  it('cannot be set without a state directory on what outlives the daemon', async () => {
    daemon = await DaemonProcess.start(['0:disk,path=a.img,size=1M']);
    const a = await attach();
    assert.equal(sense(await a.run(SET, { dataOut: new Uint8Array(4) })), '5/24/00');
    assert.deepEqual([...(await a.run(REPORT, { dataInBytes: 64 })).dataIn], [0, 0, 0, 0]);
  });
});
