/** What a unit has logged outlives an orderly end of the daemon, and a kill when somebody has saved it (SPC-4 7.3.2.2, GLTSD). */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, TestInitiator } from '../support/ports.ts';

const SAVED_BYTES_WRITTEN = '02000018' + '00050008';

describe('logs over a restart', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  let open: TestInitiator | null = null;

  const attach = async (): Promise<TestInitiator> => {
    await open?.initiator.close();
    open = new TestInitiator(await openInitiator({ connect: daemon.connect, name: 'a' }), 0);
    while ((await open.ready()).startsWith('6/'));
    return open;
  };

  /** Log page 02h, saved when `sp` is 1. */
  const written = async (a: TestInitiator, sp = 0): Promise<string> => {
    const r = await a.run(`4d 0${sp} 42 00 00 00 00 00 ff 00`, { dataInBytes: 255 });
    assert.equal(sense(r), '');
    return Buffer.from(r.dataIn.subarray(0, 16)).toString('hex');
  };

  const write = async (a: TestInitiator, blocks: number): Promise<void> => {
    const dataOut = new Uint8Array(blocks * 512);
    assert.equal(sense(await a.run(`2a 00 00 00 00 00 00 00 0${blocks} 00`, { dataOut })), '');
  };

  beforeEach(async () => {
    daemon = await DaemonProcess.start(['0:disk,path=a.img,size=1M'], [], ['--state', 'state']);
  });
  afterEach(async () => {
    await open?.initiator.close();
    open = null;
    await daemon.end();
  });

  it('goes on counting after an orderly end', async () => {
    await write(await attach(), 2);
    await open?.initiator.close();
    open = null;
    await daemon.kill('SIGTERM');
    await daemon.restart();
    const b = await attach();
    await write(b, 1);
    assert.equal(await written(b), `${SAVED_BYTES_WRITTEN}0000000000000600`);
  });

  it('after kill -9 has what was saved last: by SP = 1, and by a self-test that ended', async () => {
    const a = await attach();
    await write(a, 2);
    assert.equal(await written(a, 1), `${SAVED_BYTES_WRITTEN}0000000000000400`);
    await write(a, 4);
    await daemon.kill();
    await daemon.restart();
    const b = await attach();
    assert.equal(await written(b), `${SAVED_BYTES_WRITTEN}0000000000000400`);
    assert.equal(sense(await b.run('1d a0 00 00 00 00')), '');
    await daemon.kill();
    await daemon.restart();
    const c = await attach();
    const results = await c.run('4d 00 50 00 00 00 00 00 18 00', { dataInBytes: 24 });
    assert.equal(
      Buffer.from(results.dataIn.subarray(0, 12)).toString('hex'),
      '10000190' + '00010310' + 'a0000000',
    );
  });
});

describe('times of log page 19h', function () {
  this.timeout(30_000);
  const DELAY_MS = 150;

  it('are those of the commands: a read that waits, and nothing before it', async () => {
    const daemon = await DaemonProcess.start(['0:disk,memory=1M']);
    const initiator = await openInitiator({ connect: daemon.connect, name: 'a' });
    try {
      const a = new TestInitiator(initiator, 0);
      while ((await a.ready()).startsWith('6/'));
      const microseconds = async (): Promise<{ read: number; idle: number }> => {
        const r = await a.run('4d 00 59 00 00 00 00 00 ff 00', { dataInBytes: 255 });
        const data = Buffer.from(r.dataIn);
        assert.equal(data.subarray(-8).toString('hex'), '0000000600000001', '10^-6 s');
        return { read: Number(data.readBigUInt64BE(40)), idle: Number(data.readBigUInt64BE(76)) };
      };
      await daemon.call('inject.set', {
        lun: 0,
        rules: [{ operation: 'read', delayMs: DELAY_MS, count: 1 }],
      });
      // The page is made somewhere between a question and its answer.
      const beganMs = performance.now();
      const before = await microseconds();
      await new Promise((resolve) => setTimeout(resolve, DELAY_MS));
      const restedMs = performance.now();
      assert.equal(sense(await a.run('28 00 00 00 00 00 00 00 01 00', { dataInBytes: 512 })), '');
      const readMs = performance.now() - restedMs;
      const after = await microseconds();
      const wholeMs = performance.now() - beganMs;
      const [read, idle] = [(after.read - before.read) / 1000, (after.idle - before.idle) / 1000];
      assert.ok(read > DELAY_MS - 10 && read < readMs + 10, `${read} of ${readMs} ms`);
      assert.ok(idle > DELAY_MS - 10, `${idle} ms idle`);
      assert.ok(read + idle < wholeMs + 10, `${read + idle} of ${wholeMs} ms`);
    } finally {
      await initiator.close();
      await daemon.end();
    }
  });
});
