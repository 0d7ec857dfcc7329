/** APTPL: persistent reservations outlive a daemon that is killed, and nothing is guessed from a torn file (K12, K28). */
import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, truncateSync } from 'node:fs';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, TestInitiator } from '../support/ports.ts';
import { type OutOptions, REGISTER, RESERVE, reserveOut } from '../support/reservation-list.ts';

const CONFLICT = 0x18;
const EA = 3;
const APTPL = 0x01;
const KILLS = 6;

describe('reservations that persist through power loss', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  const open: TestInitiator[] = [];

  /** An initiator with a port of its own, so that it is the same one after a restart; unit attentions are eaten. */
  const initiator = async (last: number): Promise<TestInitiator> => {
    const one = await openInitiator({
      connect: daemon.connect,
      name: `guest ${last}`,
      initiatorPort: Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? last : 0x5a)),
    });
    const test = new TestInitiator(one, 0);
    open.push(test);
    await test.attentions();
    return test;
  };
  const out = async (a: TestInitiator, action: number, options: OutOptions): Promise<number> => {
    const { cdb, list } = reserveOut(action, options);
    return (await a.initiator.execute({ lun: 0, cdb, dataOut: list })).status;
  };
  const keys = async (a: TestInitiator): Promise<string> => {
    const { dataIn } = await a.run('5e 00 00 00 00 00 00 00 ff 00', { dataInBytes: 255 });
    return Buffer.from(dataIn).toString('hex');
  };
  const end = async (): Promise<void> => {
    await Promise.all(open.splice(0).map(({ initiator: one }) => one.close()));
  };

  beforeEach(async () => {
    daemon = await DaemonProcess.start(['0:disk,path=a.img,size=4M'], [], ['--state', 'state']);
  });
  afterEach(async () => {
    await end();
    await daemon.end();
  });

  it('are there after kill -9; PRGENERATION begins again', async () => {
    const a = await initiator(1);
    assert.equal(await out(a, REGISTER, { actionKey: 0xa, flags: APTPL }), 0);
    assert.equal(await out(a, RESERVE, { key: 0xa, type: EA }), 0);
    await daemon.kill();
    await end();
    await daemon.restart();
    const [again, b] = [await initiator(1), await initiator(2)];
    assert.equal(await keys(b), '0000000000000008000000000000000a');
    assert.equal((await b.read(0)).status, CONFLICT);
    assert.equal((await again.read(0)).status, 0);
  });

  it('without APTPL they are gone', async () => {
    const a = await initiator(1);
    assert.equal(await out(a, REGISTER, { actionKey: 0xa, flags: APTPL }), 0);
    assert.equal(await out(a, REGISTER, { key: 0xa, actionKey: 0xb }), 0);
    await daemon.kill();
    await end();
    await daemon.restart();
    assert.equal(await keys(await initiator(1)), '0000000000000000');
  });

  it('K28: killed while registering, the daemon comes back with the last answered state or the next', async () => {
    let key = 1;
    let a = await initiator(1);
    assert.equal(await out(a, REGISTER, { actionKey: key, flags: APTPL }), 0);
    for (let i = 0; i < KILLS; i += 1) {
      let answered = key;
      let asked = key;
      let alive = true;
      const hammer = (async () => {
        while (alive) {
          asked = answered + 1;
          const status = await out(a, REGISTER, { key: answered, actionKey: asked, flags: APTPL });
          if (status === 0) answered = asked;
        }
      })().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 5 + i * 3));
      alive = false;
      await daemon.kill();
      await hammer;
      await end();
      await daemon.restart();
      a = await initiator(1);
      key = Number.parseInt((await keys(a)).slice(16), 16);
      assert.ok(key === answered || key === asked, `${key}, answered ${answered}, asked ${asked}`);
    }
  });

  it('K28: a torn file stops the start with its name, and is left as it is', async () => {
    const a = await initiator(1);
    assert.equal(await out(a, REGISTER, { actionKey: 0xa, flags: APTPL }), 0);
    await daemon.kill();
    await end();
    const file = daemon.path('state/reservations-0');
    truncateSync(file, readFileSync(file).length - 1);
    await assert.rejects(daemon.restart(), /reservations-0": it is torn/);
    assert.ok(existsSync(file));
  });

  it('are forgotten with the LUN', async () => {
    const a = await initiator(1);
    assert.equal(await out(a, REGISTER, { actionKey: 0xa, flags: APTPL }), 0);
    assert.ok(existsSync(daemon.path('state/reservations-0')));
    await daemon.call('lun.remove', { lun: 0 });
    assert.equal(existsSync(daemon.path('state/reservations-0')), false);
    assert.equal(sense(await a.run('00 00 00 00 00 00')), '5/25/00');
  });
});
