/** SRP_AER_REQ from a real daemon: an initiator that asked for it hears of a unit attention before its next command. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { DaemonProcess } from '../support/daemon-process.ts';

describe('asynchronous event', function () {
  this.timeout(20_000);
  let daemon: DaemonProcess;
  before(async () => {
    daemon = await DaemonProcess.start(['0:disk,memory=16M']);
  });
  after(() => daemon.end());

  it('a resized disk is announced at once, and the unit attention is still there for the next command', async () => {
    const initiator = await openInitiator({ connect: daemon.connect, name: 'listener' });
    const ready = (): Promise<{ sense: { asc: number; ascq: number } | null }> =>
      initiator.execute({ lun: 0, cdb: new Uint8Array(6) });
    while ((await ready()).sense !== null);
    const heard = once(initiator, 'asynchronousEvent', { signal: AbortSignal.timeout(5000) });
    await daemon.call('lun.resize', { lun: 0, size: 32 * 2 ** 20 });
    const [event] = (await heard) as [{ lun: number; sense: { asc: number; ascq: number } }];
    assert.deepEqual([event.lun, event.sense.asc, event.sense.ascq], [0, 0x2a, 0x09]);
    const { sense } = await ready();
    assert.deepEqual([sense?.asc, sense?.ascq], [0x2a, 0x09]);
    assert.equal((await ready()).sense, null);
    await initiator.close();
  });

  it('a second one, after the first was answered, comes too', async () => {
    const initiator = await openInitiator({ connect: daemon.connect, name: 'listener' });
    for (const size of [48, 64]) {
      const heard = once(initiator, 'asynchronousEvent', { signal: AbortSignal.timeout(5000) });
      await daemon.call('lun.resize', { lun: 0, size: size * 2 ** 20 });
      const [event] = (await heard) as [{ sense: { asc: number } }];
      assert.equal(event.sense.asc, 0x2a);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await initiator.close();
  });
});
