/** The command as a whole: a daemon in its own process, with its real reactor, and every verb against it. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ringscsi, ringscsiHere, Serving } from './command.ts';

const INQUIRY = ['--cdb', '12 00 00 00 60 00', '--in', '96'];
const TEST_UNIT_READY = ['--cdb', '00 00 00 00 00 00'];

interface ExecResult {
  readonly status: number;
  readonly statusText: string;
  readonly sense: Record<string, unknown> | null;
  readonly dataIn: string;
  readonly residualIn: number;
  readonly residualOut: number;
}

describe('command: serve and its verbs', function () {
  this.timeout(20_000);
  this.slow(1000);
  const home = process.cwd();
  let directory = '';
  let serving: Serving[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-serve-'));
    process.chdir(directory);
    serving = [];
  });

  afterEach(async () => {
    for (const daemon of serving) daemon.signal('SIGKILL');
    await Promise.all(serving.map((daemon) => daemon.ended()));
    process.chdir(home);
    rmSync(directory, { recursive: true });
  });

  async function json<T>(...words: readonly string[]): Promise<T> {
    const { code, out, err } = await ringscsiHere(...words, '--json');
    assert.equal(code, 0, err);
    return JSON.parse(out) as T;
  }

  const control = ['--control', './c.sock'];
  const connect = ['--connect', 'srp:./a.sock'];

  async function serve(...words: readonly string[]): Promise<Serving> {
    const daemon = new Serving(directory, '--listen', 'srp:./a.sock', ...control, ...words);
    serving.push(daemon);
    await daemon.ready();
    return daemon;
  }

  async function exec(...words: readonly string[]): Promise<ExecResult> {
    const { out, err } = await ringscsiHere('exec', ...connect, ...words, '--json');
    assert.notEqual(out, '', err);
    return JSON.parse(out);
  }

  /** A new initiator finds POWER ON OCCURRED and the like before its first command; this one has been told. */
  async function ask(...words: readonly string[]): Promise<ExecResult> {
    for (let i = 0; i < 5; i++) {
      const result = await exec(...words);
      if (result.sense?.['key'] !== 6) return result;
    }
    assert.fail('unit attention does not end');
  }

  it('serves what is configured and says when it is ready', async () => {
    const daemon = await serve(
      '--lun',
      '0:disk,path=./a.img,size=256M',
      '--lun',
      '1:disk,memory=1M',
    );
    const line = `ready: 2 LUNs, srp:${join(directory, 'a.sock')}, control ${join(directory, 'c.sock')}\n`;
    assert.equal(daemon.out, line);
    assert.equal(statSync(join(directory, 'a.img')).size, 268435456);
    assert.equal(statSync(join(directory, 'c.sock')).mode & 0o777, 0o600);
    assert.equal(await daemon.stop(), 0);
    assert.equal(existsSync(join(directory, 'c.sock')), false);
    assert.equal(existsSync(join(directory, 'a.sock')), false);
    assert.equal(daemon.out, line, 'standard output has nothing else');
  });

  it('executes raw CDBs: INQUIRY, a read past the end, writes and what they wrote', async () => {
    await serve('--lun', '0:disk,path=./a.img,size=256M');
    const printed = await ringscsi(directory, 'exec', ...connect, ...INQUIRY, '--json');
    assert.deepEqual([printed.code, printed.err], [0, '']);
    const inquiry: ExecResult = JSON.parse(printed.out);
    assert.equal(inquiry.status, 0);
    assert.equal(inquiry.statusText, 'GOOD');
    assert.equal(inquiry.sense, null);
    assert.match(inquiry.dataIn, /^000006[0-9a-f]{186}$/);
    assert.equal(inquiry.residualIn, 0);

    // READ(10), LBA 524288 of 524288 blocks: 5/21/00 (SBC-3 5.10).
    const read = ['--cdb', '28 00 00 08 00 00 00 00 01 00', '--in', '512'];
    const past = await ask(...read);
    assert.equal(past.status, 2);
    assert.equal(past.statusText, 'CHECK CONDITION');
    assert.equal(past.sense?.['key'], 5);
    assert.equal(past.sense?.['asc'], 33);
    assert.equal(past.sense?.['ascq'], 0);
    assert.equal(
      past.sense?.['text'],
      'ILLEGAL REQUEST, LOGICAL BLOCK ADDRESS OUT OF RANGE (5/21/00)',
    );
    assert.equal(past.residualIn, 512);
    const { code, out } = await ringscsiHere('exec', ...connect, ...read);
    assert.equal(code, 1, 'not GOOD');
    assert.match(out, /^status: CHECK CONDITION\nsense: /);

    const block = 'a5'.repeat(512);
    writeFileSync(join(directory, 'block'), Buffer.from(block, 'hex'));
    const write = ['--cdb', '2a 00 00 00 00 07 00 00 01 00', '--out', './block'];
    assert.equal((await ask(...write)).status, 0);
    const back = await ask('--cdb', '28 00 00 00 00 07 00 00 01 00', '--in', '512');
    assert.equal(back.dataIn, block);
    const hex = ['--cdb', '2a 00 00 00 00 08 00 00 01 00', '--out', '5a'.repeat(512)];
    assert.equal((await ask(...hex, '--attribute', 'ordered')).status, 0);
    const both = await ask('--cdb', '28 00 00 00 00 07 00 00 02 00', '--in', '1K');
    assert.equal(both.dataIn, block + '5a'.repeat(512));
  });

  it('adds, lists, resizes and removes LUNs; guests see them come, grow and go', async () => {
    await serve('--lun', '0:disk,memory=1M');
    const added = await ringscsiHere(
      'lun',
      'add',
      '2:disk,path=b.img,size=1M,block=4096,ro=no',
      ...control,
    );
    assert.deepEqual(added, { code: 0, out: 'LUN 2 attached: 1 MiB\n', err: '' });
    assert.equal(statSync(join(directory, 'b.img')).size, 1048576);
    assert.equal((await ask('--lun', '2', ...TEST_UNIT_READY)).status, 0);

    const resized = await ringscsiHere('lun', 'resize', '2', '2M', ...control);
    assert.deepEqual(resized, { code: 0, out: 'LUN 2 resized: 2 MiB\n', err: '' });
    // READ CAPACITY(10): last LBA 511, block length 4096 (SBC-3 5.15).
    const capacity = await ask('--lun', '2', '--cdb', '25 00 00 00 00 00 00 00 00 00', '--in', '8');
    assert.equal(capacity.dataIn, '000001ff00001000');

    const luns = await json<{ lun: number; bytes: number }[]>('lun', 'list', ...control);
    assert.deepEqual(
      luns.map(({ lun, bytes }) => [lun, bytes]),
      [
        [0, 1048576],
        [2, 2097152],
      ],
    );
    const { out } = await ringscsiHere('lun', 'list', ...control);
    const [title, first, second] = out.split('\n');
    assert.match(title ?? '', /^LUN {2}TYPE +SIZE +BLOCK +FLAGS +SERIAL +BACKING$/);
    assert.match(first ?? '', /^ {2}0 {2}disk +1 MiB +512 +rw,writeback,thin +\S+ +memory$/);
    assert.match(second ?? '', /^ {2}2 {2}disk +2 MiB +4096 +rw,writeback\S* +\S+ +\/.*b\.img$/);

    assert.deepEqual(await json('lun', 'remove', '2', ...control), { lun: 2, removed: true });
    const gone = await exec('--lun', '2', ...TEST_UNIT_READY);
    assert.deepEqual(
      [gone.sense?.['key'], gone.sense?.['asc'], gone.sense?.['ascq']],
      [5, 0x25, 0],
    );
    const again = await ringscsiHere('lun', 'remove', '2', ...control);
    assert.equal(again.code, 1);
    assert.match(again.err, /Cannot remove LUN 2: there is none; attached are 0/);
  });

  it('counts, traces, injects faults, and shows guests', async () => {
    await serve('--lun', '0:disk,memory=1M', '--lun', '1:cdrom');
    const tracing = json<{ commands: number }>(
      'trace',
      '--save',
      't.trace',
      '--count',
      '5',
      ...control,
    );
    await sleep(600);
    await ringscsiHere(
      'inject',
      'set',
      '--lun',
      '0',
      '--rule',
      'read,fault=medium,lba=4-5,count=1',
      ...control,
    );
    const read = ['--cdb', '28 00 00 00 00 00 00 00 08 00', '--in', '4096'];
    const failed = await ask(...read);
    // Unrecovered read error, INFORMATION = the first bad block (SBC-3 4.18.2).
    assert.deepEqual([failed.status, failed.sense?.['key'], failed.sense?.['asc']], [2, 3, 0x11]);
    assert.equal(failed.sense?.['information'], 4);
    assert.equal((await ask(...read)).status, 0, 'the rule acts once');
    await exec('--lun', '1', '--cdb', '42 00 40 01 00 00 00 00 10 00', '--in', '16');
    assert.equal((await tracing).commands, 5);
    const { out } = await ringscsiHere('trace', '--show', 't.trace');
    assert.equal(out.trim().split('\n').length, 5);
    assert.match(out, /lun 1 {2}READ SUB-CHANNEL \[42 /);
    assert.match(out, /lun 0 {2}READ\(10\) \[28 00 00 00 00 00 00 00 08 00\] {2}/);

    const stats = await json<{
      reactor: { commands: number; units: { lun: number; reads: number }[] };
    }>('stats', ...control);
    assert.equal(stats.reactor.units[0]?.lun, 0);
    assert.ok((stats.reactor.units[0]?.reads ?? 0) >= 2);
    assert.match(
      (await ringscsiHere('stats', ...control)).out,
      /^process \d+, up \d+ s, .* resident\nreactor: /,
    );
    const watched = await ringscsiHere('stats', '--watch', '--count', '1', ...control);
    assert.match(
      watched.out,
      /^ +\d+ commands\/s {2}read .*\/s {2}write .*\/s {2}CPU +\d+ % {2}0 guests\n$/,
    );
    assert.deepEqual(await json('guest', 'list', ...control), []);
    const kick = await ringscsiHere('guest', 'kick', '99', ...control);
    assert.equal(kick.code, 1);
  });

  it('shows an attached guest, and lets go of it when kicked', async () => {
    await serve('--lun', '0:disk,memory=1M');
    await ringscsiHere('inject', 'set', '--lun', '0', '--rule', 'read,delay=5000', ...control);
    // The delayed read keeps this guest attached.
    const slow = (async () => {
      for (;;) {
        const outcome = await ringscsiHere(
          'exec',
          ...connect,
          '--name',
          'sleeper',
          '--json',
          '--cdb',
          '28 00 00 00 00 00 00 00 01 00',
          '--in',
          '512',
        );
        if (!outcome.out.includes('"key":6')) return outcome;
      }
    })();
    type Guest = { id: number; name: string; outstanding: number };
    let guest: Guest | undefined;
    for (let i = 0; i < 50 && guest === undefined; i++) {
      const guests = await json<Guest[]>('guest', 'list', ...control);
      guest = guests.find(({ name, outstanding }) => name === 'sleeper' && outstanding === 1);
    }
    assert.ok(guest !== undefined, 'the guest with its read is listed');
    const started = performance.now();
    const kicked = await ringscsiHere('guest', 'kick', String(guest.id), ...control);
    assert.deepEqual([kicked.code, kicked.err], [0, '']);
    assert.equal((await slow).code, 1, 'its command did not end well');
    assert.ok(performance.now() - started < 4500, 'nobody waited for the read');
  });

  it('remembers with --state: LUNs, sizes, saved mode pages', async () => {
    const words = ['--state', './state', '--lun', '0:disk,path=a.img,size=1M'];
    const first = await serve(...words);
    await ringscsiHere('lun', 'add', '7:disk,memory=1M', ...control);
    await ringscsiHere('lun', 'resize', '0', '2M', ...control);
    // MODE SELECT(6), PF = 1, SP = 1: caching page with WCE = 0 (SPC-4 6.11, SBC-3 6.5.5).
    const page = `00000000 0812 ${'00'.repeat(18)}`;
    const select = await ask('--cdb', '15 11 00 00 18 00', '--out', page);
    assert.equal(select.status, 0, JSON.stringify(select.sense));
    const before = await json<unknown[]>('lun', 'list', ...control);
    assert.equal(await first.stop(), 0);

    await serve(...words);
    assert.deepEqual(await json('lun', 'list', ...control), before);
    // MODE SENSE(6), DBD = 1, caching page, current values: byte 2 bit 2 is WCE.
    const sense = await ask('--cdb', '1a 08 08 00 18 00', '--in', '24');
    assert.equal(Number.parseInt(sense.dataIn.slice(12, 14), 16) & 0x04, 0);
  });

  it('reads a configuration file', async () => {
    const config = {
      control: 'c.sock',
      listen: ['srp:a.sock'],
      luns: [{ lun: 9, type: 'disk', memory: '1M' }],
    };
    writeFileSync(join(directory, 'r.json'), JSON.stringify(config));
    const daemon = new Serving(directory, '--config', 'r.json', '--json');
    serving.push(daemon);
    const ready = JSON.parse(await daemon.ready());
    assert.equal(ready.ready, true);
    assert.equal(ready.luns, 1);
    assert.equal((await ask('--lun', '9', ...TEST_UNIT_READY)).status, 0);
    assert.equal(await daemon.stop(), 0);
  });

  it('refuses an image and a control socket that another daemon has, and says who', async () => {
    await serve('--lun', '0:disk,path=a.img,size=1M');
    const image = await ringscsiHere('serve', '--control', 'd.sock', '--lun', '0:disk,path=a.img');
    assert.equal(image.code, 1);
    assert.match(image.err, /Cannot attach LUN 0: ".*a\.img" is in use by process \d+ \(node\)/);
    const socket = await ringscsiHere('serve', ...control);
    assert.equal(socket.code, 1);
    assert.match(
      socket.err,
      /Cannot listen at control socket ".*c\.sock": a running daemon answers/,
    );
    assert.equal((await json<unknown[]>('lun', 'list', ...control)).length, 1);
  });

  it('starts again after SIGKILL, sockets of the dead notwithstanding', async () => {
    const first = await serve('--lun', '0:disk,path=a.img,size=1M');
    first.signal('SIGKILL');
    await first.ended();
    assert.ok(existsSync(join(directory, 'c.sock')));
    await serve('--lun', '0:disk,path=a.img');
    assert.equal((await exec(...INQUIRY)).status, 0);
  });

  it('ends at once at the second signal', async () => {
    const daemon = await serve('--lun', '0:disk,memory=1M', '--grace', '60');
    await ringscsiHere('inject', 'set', '--lun', '0', '--rule', 'read,delay=60000', ...control);
    const read = ['--cdb', '28 00 00 00 00 00 00 00 01 00', '--in', '512'];
    const pending = (async () => {
      for (;;) {
        const outcome = await ringscsiHere('exec', ...connect, ...read, '--json');
        if (!outcome.out.includes('"key":6')) return outcome;
      }
    })();
    type Stats = { reactor: { units: { outstanding: number }[] } };
    for (let i = 0; i < 50; i++) {
      const stats = await json<Stats>('stats', ...control);
      if (stats.reactor.units[0]?.outstanding === 1) break;
    }
    daemon.signal('SIGTERM');
    await sleep(300);
    const started = performance.now();
    daemon.signal('SIGTERM');
    assert.equal(await daemon.ended(), 1);
    assert.ok(performance.now() - started < 2000);
    await pending;
  });

  it('serves on when nobody takes its log any more (F17)', async () => {
    const daemon = await serve('--lun', '0:disk,memory=1M');
    daemon.stopListening();
    for (let i = 0; i < 3; i++) assert.equal((await exec(...INQUIRY)).status, 0);
    assert.equal(await daemon.stop(), 0);
  });
});
