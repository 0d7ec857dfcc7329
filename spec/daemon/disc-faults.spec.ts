/** Faults and pace of the drives of a running daemon, as an operator gives them. */
import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { ringscsiHere } from '../cli/command.ts';
import {
  blocks,
  CLOSE_SESSION,
  SYNCHRONIZE_CACHE,
  select,
  write,
} from '../support/burn-commands.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, type TestInitiator } from '../support/ports.ts';
import { MediaBench } from './media-bench.ts';

const [CD, BURNER, PACED, SLOW_BURNER] = [0, 1, 2, 3] as const;
const READ_16 = '28 00 00 00 00 08 00 00 10 00';
const OPC = '54 01 00 00 00 00 00 00 00 00';

describe('faults of the drives of a daemon', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  let bench: MediaBench;

  before(async () => {
    const luns = [
      `${CD}:cdrom,unreadable=16-17+500`,
      `${BURNER}:burner,media=cd-r,path=w`,
      `${PACED}:cdrom,paced`,
      `${SLOW_BURNER}:burner,media=cd-rw,path=rw,paced`,
    ];
    daemon = await DaemonProcess.start(luns);
    bench = new MediaBench(daemon);
    writeFileSync(daemon.path('a.iso'), Buffer.alloc(600 * 2048, 7));
    await bench.load({ lun: CD, path: daemon.path('a.iso') });
    await bench.load({ lun: PACED, path: daemon.path('a.iso') });
  });
  after(async () => {
    await bench.detach();
    await daemon.end();
  });

  const inject = async (lun: number, ...rules: readonly string[]) => {
    const words = rules.flatMap((rule) => ['--rule', rule]);
    return await ringscsiHere(
      ...['inject', 'set', '--lun', String(lun), ...words],
      ...['--control', daemon.path('c.sock')],
    );
  };
  const read = async (a: TestInitiator, cdb: string) =>
    await a.run(cdb, { dataInBytes: 16 * 2048 });

  it('blocks of the option cannot be read, whatever rules come and go', async () => {
    const a = await bench.attach('a', CD);
    const result = await read(a, READ_16);
    assert.deepEqual([sense(result), result.dataIn.length], ['3/11/05', 8 * 2048]);
    assert.equal((await inject(CD, 'read,fault=medium,lba=9,count=1')).code, 0);
    assert.equal((await read(a, READ_16)).dataIn.length, 2048);
    assert.equal((await read(a, READ_16)).dataIn.length, 8 * 2048);
  });

  it('a burner whose laser, disc and last session fail, once each', async () => {
    const a = await bench.attach('b', BURNER);
    const rules = ['calibration,fault=medium,count=1', 'close,fault=medium,count=1'];
    assert.equal((await inject(BURNER, ...rules, 'write,fault=medium,lba=20,count=1')).code, 0);
    assert.equal(await select(a, '41c408'), '');
    assert.deepEqual([sense(await a.run(OPC)), sense(await a.run(OPC))], ['3/73/03', '']);
    const track = blocks(0, 32);
    assert.equal(await write(a, 0, track), '3/0c/00');
    assert.equal(await write(a, 0, track), '');
    assert.equal(sense(await a.run(SYNCHRONIZE_CACHE)), '');
    assert.equal(sense(await a.run(CLOSE_SESSION)), '3/72/00');
    assert.equal(sense(await a.run(CLOSE_SESSION)), '');
  });

  it('a rule that a drive has no use for is refused, with what it has', async () => {
    const { code, err } = await inject(CD, 'close,fault=medium');
    assert.equal(code, 1);
    assert.match(err, /Cannot inject faults into LUN 0: close is what burners do/);
    const other = await inject(CD, 'read,delay=5,lba=3');
    assert.match(other.err, /lba goes with read, write or any and fault=medium, without delay/);
  });

  it('a drive that is paced takes the time of its speed', async () => {
    const a = await bench.attach('c', PACED);
    // Four times a CD: 16 sectors of 2352 bytes take 53 ms.
    assert.equal(sense(await a.run('bb 00 02 c2 ff ff 00 00 00 00 00 00')), '');
    const begin = performance.now();
    assert.equal(sense(await read(a, READ_16)), '');
    assert.ok(performance.now() - begin >= 53);
  });

  it('a burner that is paced blanks for 100 seconds, tells how far it is, and gives the disc out by force only', async () => {
    const a = await bench.attach('d', SLOW_BURNER);
    assert.equal(sense(await a.run('a1 10 00 00 00 00 00 00 00 00 00 00')), '');
    assert.equal(await a.ready(), '2/04/07');
    assert.equal(sense(await a.run('a6 00 00 00 02 00 00 00 00 00 00 00')), '2/04/07');
    const { out } = await ringscsiHere('media', 'list', '--control', daemon.path('c.sock'));
    assert.match(out, /cd-rw, blank, blanking: \d+ %/);
    await assert.rejects(bench.eject({ lun: SLOW_BURNER }), {
      message:
        'Cannot eject the medium of LUN 3: the drive is blanking it for "d"; --force does not let it take its time',
    });
    await bench.eject({ lun: SLOW_BURNER, force: true });
    assert.equal(await a.ready(), '2/3a/01');
    // One that a command waits for does not hold the operator up either.
    await bench.load({ lun: SLOW_BURNER, path: daemon.path('rw') });
    await a.attentions();
    const waiting = a.run('a1 00 00 00 00 00 00 00 00 00 00 00').catch(() => null);
    await bench.eject({ lun: SLOW_BURNER, force: true });
    await waiting;
    assert.equal(await a.ready(), '2/3a/01');
  });
});
