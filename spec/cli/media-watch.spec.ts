/** `media list --watch`: bars and lines for given states, and a burn on a daemon as two processes see it. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  BurnWatch,
  type DriveProgress,
  progressText,
  WatchScreen,
} from '../../src/cli/media-watch.ts';
import type { MediaStatus } from '../../src/daemon/media-house.ts';
import type { DiscReport } from '../../src/luns/disc-report.ts';
import { MediaBench } from '../daemon/media-bench.ts';
import {
  blocks,
  CLOSE_SESSION,
  SYNCHRONIZE_CACHE,
  select,
  write,
} from '../support/burn-commands.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, type TestInitiator } from '../support/ports.ts';
import { MAIN, ringscsiHere } from './command.ts';

const CD_R: DiscReport = {
  kind: 'cd-r',
  status: 'blank',
  sessions: 0,
  bytes: 0,
  burning: null,
  work: null,
};

function drive(lun: number, disc: Partial<DiscReport> | null, generation = 1): MediaStatus {
  return {
    lun,
    state: disc === null ? 'empty' : 'loaded',
    path: '/disc',
    name: null,
    last: '/disc',
    bytes: 0,
    blockBytes: 2048,
    writeProtected: false,
    locked: false,
    preventedBy: [],
    ejectRequested: false,
    generation,
    disc: disc === null ? null : { ...CD_R, ...disc },
  };
}

function burning(writtenBlocks: number, expectedBlocks: number | null): Partial<DiscReport> {
  return { burning: { by: 'guest-1', writtenBlocks, expectedBlocks } };
}

describe('media list --watch, what it says of given states', () => {
  const text = (told: readonly DriveProgress[]): string[] =>
    told.map((each) => progressText(each, true));

  it('nothing under way', () => {
    assert.deepEqual(new BurnWatch().see([drive(0, {}), drive(1, null)], 0), []);
    assert.equal(
      new WatchScreen().show([], null),
      'no drive burns, blanks, formats or closes a disc',
    );
  });

  it('a burn whose end is known: bar, part, rate and time left', () => {
    const watch = new BurnWatch();
    assert.deepEqual(text(watch.see([drive(0, burning(0, 2400))], 5000)), [
      'LUN 0  cd-r      burning     [........................]    0 %  0 of 2400 blocks  by guest-1',
    ]);
    assert.deepEqual(text(watch.see([drive(0, burning(1200, 2400))], 15_000)), [
      'LUN 0  cd-r      burning     [############............]   50 %  1200 of 2400 blocks  120 blocks/s  10 s left  by guest-1',
    ]);
    assert.deepEqual(text(watch.see([drive(0, burning(2400, 2400))], 25_000)), [
      'LUN 0  cd-r      burning     [########################]  100 %  2400 of 2400 blocks  120 blocks/s  0 s left  by guest-1',
    ]);
  });

  it('a burn whose end is not known has a rate, and no part', () => {
    const watch = new BurnWatch();
    watch.see([drive(3, burning(100, null))], 0);
    assert.deepEqual(text(watch.see([drive(3, burning(400, null))], 2000)), [
      'LUN 3  cd-r      burning     [~~~~~~~~~~~~~~~~~~~~~~~~]  400 blocks  150 blocks/s  by guest-1',
    ]);
  });

  it('the rate is over the last eight looks, and null while nothing is written', () => {
    const watch = new BurnWatch();
    const at = (second: number, written: number): (number | null)[] =>
      watch
        .see([drive(0, burning(written, 10_000))], second * 1000)
        .map(({ blocksPerSecond }) => blocksPerSecond);
    assert.deepEqual(at(0, 0), [null]);
    assert.deepEqual(at(1, 0), [null]);
    for (let second = 2; second < 10; second += 1) at(second, (second - 1) * 100);
    assert.deepEqual(at(10, 900), [100]);
    for (let second = 11; second < 18; second += 1) at(second, 900);
    assert.deepEqual(at(18, 900), [null]);
  });

  it('another disc, or another initiator, begins anew', () => {
    for (const next of [
      drive(0, burning(500, 1000), 2),
      drive(0, { burning: { by: 'b', writtenBlocks: 500, expectedBlocks: 1000 } }),
      drive(0, burning(100, 1000)),
    ]) {
      const watch = new BurnWatch();
      watch.see([drive(0, burning(400, 1000))], 0);
      assert.equal(watch.see([next], 1000)[0]?.blocksPerSecond, null);
    }
  });

  it('blanking, formatting and closing, beside each other', () => {
    const told = new BurnWatch().see(
      [
        drive(0, { ...burning(0, null), kind: 'cd-rw', work: { what: 'blanking', done: 0.25 } }),
        drive(1, { kind: 'dvd+rw', work: { what: 'formatting', done: null } }),
        drive(2, { ...burning(70, null), work: { what: 'closing', done: 0.999 } }),
      ],
      0,
    );
    assert.deepEqual(text(told), [
      'LUN 0  cd-rw     blanking    [######..................]   25 %  by guest-1',
      'LUN 1  dvd+rw    formatting  [~~~~~~~~~~~~~~~~~~~~~~~~]',
      'LUN 2  cd-r      closing     [#######################.]   99 %  by guest-1',
    ]);
  });

  it('the end is told once: what the disc is then, or that it is gone', () => {
    const watch = new BurnWatch();
    const all = [0, 1, 2].map((lun) => drive(lun, burning(7, 7)));
    watch.see(all, 0);
    assert.deepEqual(text(watch.see([drive(0, { status: 'complete' }), drive(1, null)], 1000)), [
      'LUN 0  cd-r      ended       7 of 7 blocks  complete',
      'LUN 1  cd-r      ended       7 of 7 blocks  the disc has left',
      'LUN 2  cd-r      ended       7 of 7 blocks  the disc has left',
    ]);
    assert.deepEqual(watch.see([drive(0, { status: 'complete' }), drive(1, null)], 2000), []);
  });

  it('a terminal is painted over from the first line that changes; what has ended stays above', () => {
    const watch = new BurnWatch();
    const screen = new WatchScreen();
    const shown = (drives: readonly MediaStatus[], atMs: number): string | null =>
      screen.show(watch.see(drives, atMs), 41);
    assert.equal(
      shown([drive(0, burning(1, 4)), drive(1, burning(2, 4))], 0),
      'LUN 0  cd-r      burning     [######....\nLUN 1  cd-r      burning     [##########',
    );
    assert.equal(
      shown([drive(0, { status: 'complete' }), drive(1, burning(2, 4))], 1000),
      '\x1b[2F\x1b[JLUN 0  cd-r      ended       1 of 4 bloc\nLUN 1  cd-r      burning     [##########',
    );
    assert.equal(
      shown([drive(0, { status: 'complete' }), drive(1, burning(2, 4))], 2000),
      '\x1b[1F\x1b[JLUN 1  cd-r      burning     [##########',
    );
  });

  it('without a terminal there are lines, without bars, when something is new', () => {
    const watch = new BurnWatch();
    const screen = new WatchScreen();
    const shown = (written: number, atMs: number): string | null =>
      screen.show(watch.see([drive(0, burning(written, 4))], atMs), null);
    const line = 'LUN 0  cd-r      burning      25 %  1 of 4 blocks  by guest-1';
    assert.equal(shown(1, 0), line);
    assert.equal(shown(1, 1000), null);
    assert.equal(
      shown(2, 2000),
      'LUN 0  cd-r      burning      50 %  2 of 4 blocks  1 blocks/s  4 s left  by guest-1',
    );
  });
});

/** `ringscsi media list --watch` in a process of its own. */
class Watcher {
  readonly #child: ChildProcess;
  #out = '';
  err = '';

  constructor(daemon: DaemonProcess, ...words: readonly string[]) {
    const args = [MAIN, 'media', 'list', '--watch', ...words, '--control', daemon.path('c.sock')];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#out += chunk.toString();
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk.toString();
    });
  }

  /** Resolves when it has said that; mocha's time limit is the stop. */
  async says(what: RegExp): Promise<void> {
    while (!what.test(this.#out)) {
      await once(this.#child.stdout as NodeJS.ReadableStream, 'data');
    }
  }

  /** Resolves with its exit code. */
  async ends(signal: NodeJS.Signals | null): Promise<number | null> {
    const closed = once(this.#child, 'close');
    if (signal !== null) this.#child.kill(signal);
    const [code] = await closed;
    return code;
  }
}

describe('media list --watch, a burn on a daemon', function () {
  this.timeout(60_000);
  let daemon: DaemonProcess;
  let bench: MediaBench;
  let a: TestInitiator;
  const watchers: Watcher[] = [];
  const watch = (...words: readonly string[]): Watcher => {
    const watcher = new Watcher(daemon, ...words);
    watchers.push(watcher);
    return watcher;
  };

  before(async () => {
    daemon = await DaemonProcess.start(['0:burner,media=dvd-r,path=disc']);
    bench = new MediaBench(daemon);
    a = await bench.attach('guest-1');
  });

  after(async () => {
    for (const watcher of watchers) void watcher.ends('SIGKILL');
    await bench.detach();
    await daemon.end();
  });

  it('lines follow the burn from its first block to its end, until SIGINT', async () => {
    const lines = watch();
    const objects = watch('--json');
    await lines.says(/^no drive burns/m);
    await objects.says(/^\[\]$/m);
    // Incremental writing; RESERVE TRACK: 64 blocks.
    await select(a, '400000');
    assert.equal(sense(await a.run('53 00 00 00 00 00 00 00 40 00')), '');
    assert.equal(await write(a, 0, blocks(0, 16)), '');
    await lines.says(/^LUN 0 {2}dvd-r +burning +25 % {2}16 of 64 blocks .*by guest-1$/m);
    await objects.says(/"doing":"burning".*"writtenBlocks":16,"expectedBlocks":64,"done":0.25/);
    assert.equal(await write(a, 16, blocks(16, 32)), '');
    await lines.says(/75 % {2}48 of 64 blocks.*/);
    assert.equal(await write(a, 48, blocks(48, 16)), '');
    await lines.says(/100 % {2}64 of 64 blocks.*/);
    assert.equal(sense(await a.run(SYNCHRONIZE_CACHE)), '');
    assert.equal(sense(await a.run(CLOSE_SESSION)), '');
    await lines.says(/^LUN 0 {2}dvd-r +ended +64 of 64 blocks {2}(appendable|complete)$/m);
    await objects.says(/"doing":"ended"/);
    assert.deepEqual([await lines.ends('SIGINT'), lines.err], [0, '']);
    assert.deepEqual([await objects.ends('SIGTERM'), objects.err], [0, '']);
  });

  it('--count looks that often', async () => {
    const control = ['--control', daemon.path('c.sock')];
    const words = ['media', 'list', '--watch', '--count', '1', '--json'];
    assert.deepEqual(await ringscsiHere(...words, ...control), { code: 0, out: '[]\n', err: '' });
    const { code, err } = await ringscsiHere('media', 'list', '--watch', '--interval', '0');
    assert.equal(code, 2);
    assert.match(err, /--interval is "0"/);
  });

  it('a daemon that goes away is an error', async () => {
    const watcher = watch();
    await watcher.says(/^no drive burns/m);
    const code = watcher.ends(null);
    await bench.detach();
    await daemon.kill('SIGKILL');
    assert.equal(await code, 1);
    assert.match(watcher.err, /the daemon closed the connection|control/i);
  });
});
