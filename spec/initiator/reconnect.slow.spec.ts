/** A daemon that is killed and comes back: what is repeated, what is reported, what is refused. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { type Initiator, openInitiator } from '../../src/initiator/initiator.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { cdb, sense, transfer10 } from '../support/ports.ts';

describe('reconnect', function () {
  this.timeout(20_000);
  let daemon: DaemonProcess;
  const open: Initiator[] = [];

  const initiator = async (reconnect = true): Promise<Initiator> => {
    const one = await openInitiator({ connect: daemon.connect, name: 'again', reconnect });
    open.push(one);
    return one;
  };

  beforeEach(async () => {
    daemon = await DaemonProcess.start(['0:disk,path=a.img,size=4M']);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
    await daemon.end();
  });

  it('block access goes on over kill -9 and restart; a raw command in flight is reported lost', async () => {
    const one = await initiator();
    const disk = await one.disk(0);
    await disk.write(1, new Uint8Array(512).fill(0x11), { fua: true });
    await daemon.call('inject.set', { lun: 0, rules: [{ operation: 'any', delayMs: 5000 }] });
    const raw = one.execute({
      lun: 0,
      cdb: transfer10(0x2a, 2, 1),
      dataOut: new Uint8Array(512).fill(0x22),
    });
    const write = disk.write(3, new Uint8Array(512).fill(0x33));
    const read = disk.read(1, 1);
    raw.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const lost = once(one, 'lost');
    const reconnected = once(one, 'reconnected');
    await daemon.kill();
    await lost;
    await assert.rejects(raw, { code: 'ERR_NEXUS_LOST' });
    assert.equal(one.connected, false);
    const later = disk.read(3, 1);
    await daemon.restart();
    await reconnected;
    await write;
    assert.equal((await read)[0], 0x11);
    const data = await later;
    assert.ok(data[0] === 0x33 || data[0] === 0, 'before or after the repeated write');
    assert.equal((await disk.read(3, 1))[0], 0x33);
    assert.equal((await disk.read(1, 1))[511], 0x11);
  });

  it('a unit attention after the restart says so', async () => {
    const one = await initiator();
    const turn = (): Promise<string> =>
      one.execute({ lun: 0, cdb: cdb('00 00 00 00 00 00') }).then(sense);
    assert.equal(await turn(), '6/29/00');
    assert.equal(await turn(), '');
    const reconnected = once(one, 'reconnected');
    await daemon.kill();
    await daemon.restart();
    await reconnected;
    assert.equal(await turn(), '6/29/00');
    assert.equal(await turn(), '');
  });

  it('a guest that is kicked comes back by itself', async () => {
    const one = await initiator();
    const disk = await one.disk(0);
    const reconnected = once(one, 'reconnected');
    const [guest] = (await daemon.call('guest.list')) as { id: number }[];
    await daemon.call('guest.kick', { id: guest?.id });
    await reconnected;
    await disk.write(0, new Uint8Array(512));
  });

  it('without reconnect everything afterwards rejects', async () => {
    const one = await initiator(false);
    const disk = await one.disk(0);
    const lost = once(one, 'lost');
    await daemon.kill();
    await lost;
    await assert.rejects(disk.read(0, 1), { code: 'ERR_NEXUS_LOST' });
    await assert.rejects(one.logicalUnitReset(0), { code: 'ERR_NEXUS_LOST' });
  });

  it('a command that waits for a connection has its time as well', async () => {
    const one = await initiator();
    const lost = once(one, 'lost');
    await daemon.kill();
    await lost;
    const startedMs = performance.now();
    const waiting = one.execute({ lun: 0, cdb: cdb('00 00 00 00 00 00'), timeoutMs: 80 });
    await assert.rejects(waiting, { code: 'ERR_NEXUS_LOST' });
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs >= 75 && tookMs < 2000, `${tookMs} ms`);
  });

  it('SIGTERM logs the guest out in words', async () => {
    const one = await initiator();
    const lost = once(one, 'lost');
    assert.equal(await daemon.kill('SIGTERM'), 0);
    assert.match(String((await lost)[0]), /logged this initiator out|closed the c/);
  });
});
