/** The daemon's choreography: LUNs come, grow and go, survive restarts, and end in order. The reactor is a stand-in here. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseLunSpec } from '../../src/daemon/config.ts';
import { Daemon, type DaemonOptions } from '../../src/daemon/daemon.ts';
import type { DiskSpec, TraceEntry } from '../../src/daemon/reactor-messages.ts';
import { ControlClient } from '../../src/transport/control/client.ts';
import { FakeReactor } from './fake-reactor.ts';

const MIB = 1024 * 1024;

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

describe('daemon: choreography', () => {
  let directory = '';
  let reactor: FakeReactor;
  let lines: string[] = [];
  let running: Daemon[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-daemon-'));
    reactor = new FakeReactor();
    lines = [];
    running = [];
  });

  afterEach(async () => {
    await Promise.all(running.map((daemon) => daemon.stop()));
    rmSync(directory, { recursive: true });
  });

  const at = (name: string): string => join(directory, name);

  function make(luns: readonly string[], options: Partial<DaemonOptions['config']> = {}): Daemon {
    const daemon = new Daemon({
      config: {
        state: null,
        control: null,
        listen: [{ kind: 'srp', path: at('a.sock') }],
        luns: luns.map((spec) => parseLunSpec(spec, directory)),
        ...options,
      },
      startReactor: reactor.start,
      log: { write: (level, text) => void lines.push(`${level} ${text}`) },
      graceMs: 100,
    });
    running.push(daemon);
    return daemon;
  }

  function disks(): DiskSpec[] {
    return reactor.requests.flatMap((request) =>
      request.kind === 'addDisk' ? [request.disk] : [],
    );
  }

  const disk = (spec: string) => parseLunSpec(spec, directory);

  it('opens every disk before it listens, and closes everything at the end', async () => {
    const before = descriptors();
    const daemon = make([
      '0:disk,path=a.img,size=1M',
      '1:disk,memory=2M,block=4096,cache=writethrough',
    ]);
    await daemon.start();
    assert.deepEqual(reactor.kinds(), ['addDisk', 'addDisk', 'listen']);
    const [file, memory] = disks();
    assert.equal(file?.backing.kind, 'file');
    assert.equal(file?.backing.bytes, MIB);
    assert.equal(file?.blockBytes, 512);
    assert.equal(file?.physicalBlockBytes, 4096);
    assert.equal(file?.writeCache, true);
    assert.equal(file?.savable, false);
    assert.deepEqual(memory?.backing, { kind: 'memory', bytes: 2 * MIB });
    assert.equal(memory?.writeCache, false);
    assert.equal(memory?.thin, true);
    assert.notEqual(file?.serial, memory?.serial);
    assert.equal(await daemon.stop(), 0);
    assert.equal(await daemon.ended, 0);
    assert.deepEqual(reactor.requests.at(-1), { kind: 'shutdown', graceMs: 100 });
    assert.equal(descriptors(), before);
  });

  it('leaves nothing open when it cannot start', async () => {
    const before = descriptors();
    writeFileSync(at('odd.img'), Buffer.alloc(2047));
    const daemon = make(['0:disk,path=a.img,size=1M', '3:disk,path=odd.img']);
    await assert.rejects(daemon.start(), {
      message: `Cannot attach LUN 3: "${at('odd.img')}" is 2047 bytes, a disk image needs a multiple of 512`,
    });
    assert.equal(descriptors(), before);
  });

  it('leaves nothing open when the reactor refuses', async () => {
    const before = descriptors();
    reactor.answers.set('listen', () => ({ ok: false, code: 'ERR_X', message: 'Cannot listen' }));
    await assert.rejects(make(['0:disk,path=a.img,size=1M']).start(), {
      code: 'ERR_X',
      message: 'Cannot listen',
    });
    assert.equal(descriptors(), before);
  });

  it('attaches and removes while it runs; the file is free again', async () => {
    const daemon = make([]);
    await daemon.start();
    const before = descriptors();
    const status = await daemon.addLun(disk('5:disk,path=b.img,size=1M'));
    assert.equal(status.bytes, MIB);
    assert.equal(status.path, at('b.img'));
    assert.deepEqual(daemon.luns(), [status]);
    await daemon.removeLun(5);
    assert.deepEqual(daemon.luns(), []);
    assert.equal(descriptors(), before);
    await daemon.addLun(disk('6:disk,path=b.img'));
    assert.deepEqual(reactor.kinds(), ['listen', 'addDisk', 'removeUnit', 'addDisk']);
  });

  it('refuses a LUN that is there, a file that is attached, a LUN that is not', async () => {
    const daemon = make(['0:disk,path=a.img,size=1M']);
    await daemon.start();
    await assert.rejects(daemon.addLun(disk('0:disk,memory=1M')), {
      code: 'ERR_LUN',
      message:
        'Cannot attach LUN 0: there is a LUN of this number, choose another or remove it first',
    });
    await assert.rejects(daemon.addLun(disk('1:disk,path=./x/../a.img')), {
      code: 'ERR_LUN',
      message: `Cannot attach LUN 1: "${at('a.img')}" is LUN 0 of this daemon; remove that one first, or attach both with ro`,
    });
    await assert.rejects(daemon.removeLun(9), {
      code: 'ERR_LUN',
      message: 'Cannot remove LUN 9: there is none; attached are 0',
    });
    assert.deepEqual(reactor.kinds(), ['addDisk', 'listen']);
  });

  it('shares a file between LUNs that only read it', async () => {
    writeFileSync(at('a.img'), Buffer.alloc(4096));
    const daemon = make(['0:disk,path=a.img,ro', '1:disk,path=a.img,ro,serial=B']);
    await daemon.start();
    assert.equal(daemon.luns().length, 2);
  });

  it('takes a LUN back that the reactor refuses', async () => {
    const daemon = make([]);
    await daemon.start();
    const before = descriptors();
    reactor.answers.set('addDisk', () => ({ ok: false, code: 'ERR_LUN_SIZE', message: 'no' }));
    await assert.rejects(daemon.addLun(disk('5:disk,path=b.img,size=1M')), {
      code: 'ERR_LUN_SIZE',
    });
    assert.deepEqual(daemon.luns(), []);
    assert.equal(descriptors(), before);
    reactor.answers.clear();
    await daemon.addLun(disk('5:disk,path=b.img'));
  });

  it('grows a file before it tells the reactor, and never shrinks one', async () => {
    const daemon = make(['0:disk,path=a.img,size=1M', '1:disk,memory=1M']);
    await daemon.start();
    reactor.answers.set('resizeUnit', () => {
      assert.equal(statSync(at('a.img')).size, 3 * MIB);
      return { ok: true };
    });
    assert.equal((await daemon.resizeLun(0, 3 * MIB)).bytes, 3 * MIB);
    reactor.answers.clear();
    assert.equal((await daemon.resizeLun(1, 2 * MIB)).bytes, 2 * MIB);
    const action = 'Cannot resize LUN 0 to';
    await assert.rejects(daemon.resizeLun(0, MIB), {
      message: `${action} 1048576 bytes: it has 3145728, a disk only grows`,
    });
    await assert.rejects(daemon.resizeLun(0, 4 * MIB + 1), {
      message: `${action} 4194305 bytes: a multiple of its block of 512 bytes is needed`,
    });
    await assert.rejects(daemon.resizeLun(7, MIB), /Cannot resize LUN 7: there is none/);
    assert.equal(statSync(at('a.img')).size, 3 * MIB);
  });

  it('changes one LUN at a time, in the order asked', async () => {
    const daemon = make([]);
    await daemon.start();
    let inside = 0;
    reactor.answers.set('addDisk', async () => {
      inside += 1;
      assert.equal(inside, 1);
      await sleep(5);
      inside -= 1;
      return { ok: true };
    });
    const outcomes = await Promise.allSettled([
      daemon.addLun(disk('1:disk,memory=1M')),
      daemon.addLun(disk('1:disk,memory=2M')),
      daemon.removeLun(1),
      daemon.addLun(disk('1:disk,memory=3M')),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    );
    assert.equal(daemon.luns()[0]?.bytes, 3 * MIB);
  });

  describe('with a state directory', () => {
    const stateful = (luns: readonly string[]): Daemon => make(luns, { state: at('state') });

    async function restart(daemon: Daemon, luns: readonly string[]): Promise<Daemon> {
      assert.equal(await daemon.stop(), 0);
      reactor = new FakeReactor();
      const next = stateful(luns);
      await next.start();
      return next;
    }

    it('brings back what was added, resized and removed at run time', async () => {
      const configured = ['0:disk,path=a.img,size=1M'];
      let daemon = stateful(configured);
      await daemon.start();
      await daemon.addLun(disk('4:disk,path=b.img,size=1M,block=4096,cache=writethrough'));
      await daemon.addLun(disk('5:disk,memory=1M'));
      await daemon.addLun(disk('6:disk,memory=1M'));
      await daemon.resizeLun(0, 2 * MIB);
      await daemon.resizeLun(4, 3 * MIB);
      await daemon.resizeLun(5, 4 * MIB);
      await daemon.removeLun(6);
      const before = daemon.luns();
      daemon = await restart(daemon, configured);
      assert.deepEqual(daemon.luns(), before);
      assert.deepEqual(
        before.map(({ lun, bytes }) => [lun, bytes]),
        [
          [0, 2 * MIB],
          [4, 3 * MIB],
          [5, 4 * MIB],
        ],
      );
    });

    it('lets the configuration win where both name a LUN', async () => {
      let daemon = stateful(['0:disk,memory=1M']);
      await daemon.start();
      await daemon.resizeLun(0, 2 * MIB);
      daemon = await restart(daemon, ['0:disk,memory=8M,ro']);
      assert.equal(daemon.luns()[0]?.bytes, 8 * MIB);
      assert.equal(daemon.luns()[0]?.readOnly, true);
    });

    it('keeps identities, also of memory disks of several daemons apart', async () => {
      const first = stateful(['0:disk,memory=1M']);
      await first.start();
      const identity = first.luns()[0]?.serial;
      reactor = new FakeReactor();
      const other = make(['0:disk,memory=1M'], { state: at('other') });
      await other.start();
      assert.notEqual(other.luns()[0]?.serial, identity);
      await other.stop();
      const again = await restart(first, ['0:disk,memory=1M']);
      assert.equal(again.luns()[0]?.serial, identity);
    });

    it('serves the others when a remembered file is gone, and remembers it still', async () => {
      let daemon = stateful(['0:disk,memory=1M']);
      await daemon.start();
      await daemon.addLun(disk('4:disk,path=b.img,size=1M'));
      truncateSync(at('b.img'), 1000);
      for (let i = 0; i < 2; i++) {
        daemon = await restart(daemon, ['0:disk,memory=1M']);
        const [, gone] = daemon.luns();
        assert.equal(gone?.state, 'unavailable');
        assert.match(gone?.why ?? '', /Cannot attach LUN 4: .* is 1000 bytes/);
      }
      assert.ok(lines.some((line) => line.startsWith('error LUN 4 of the last run is not served')));
      truncateSync(at('b.img'), MIB);
      assert.equal((await daemon.addLun(disk('4:disk,path=b.img'))).state, 'attached');
      await daemon.removeLun(4);
      assert.equal(daemon.luns().length, 1);
    });

    it('saves mode pages when asked, and hands them to the next run of the same disk', async () => {
      const pages = Uint8Array.of(0x08, 0x12, 0x00);
      let daemon = stateful(['0:disk,memory=1M', '1:disk,memory=1M']);
      await daemon.start();
      assert.equal(disks()[0]?.savable, true);
      assert.equal(disks()[0]?.savedPages, null);
      reactor.onEvent({ kind: 'save', ticket: 77, lun: 0, what: 'pages', bytes: pages });
      assert.deepEqual(reactor.requests.at(-1), { kind: 'saved', ticket: 77, ok: true });
      daemon = await restart(daemon, ['0:disk,memory=1M', '1:disk,memory=1M']);
      assert.deepEqual(
        disks().map((spec) => spec.savedPages),
        [pages, null],
      );
      // Another disk under the same number starts with its defaults.
      daemon = await restart(daemon, ['0:disk,memory=1M,serial=OTHER']);
      assert.equal(disks()[0]?.savedPages, null);
      await daemon.removeLun(0);
      assert.equal(existsSync(at('state/mode-pages-0')), false);
    });

    it('answers that mode pages were not saved when they could not be', async () => {
      const daemon = stateful(['0:disk,memory=1M']);
      await daemon.start();
      rmSync(at('state'), { recursive: true });
      reactor.onEvent({ kind: 'save', ticket: 5, lun: 0, what: 'pages', bytes: Uint8Array.of(1) });
      assert.deepEqual(reactor.requests.at(-1), { kind: 'saved', ticket: 5, ok: false });
      assert.match(
        lines.at(-1) ?? '',
        /^error mode pages of LUN 0 not saved: Cannot write state file/,
      );
    });

    it('does not start with a torn inventory, and names it', async () => {
      const daemon = stateful(['0:disk,memory=1M']);
      await daemon.start();
      await daemon.stop();
      truncateSync(at('state/inventory'), 40);
      reactor = new FakeReactor();
      await assert.rejects(
        stateful([]).start(),
        /Cannot use state file ".*state\/inventory": it is torn/,
      );
      assert.deepEqual(reactor.requests, []);
    });
  });

  it('refuses to save mode pages without a state directory', async () => {
    await make(['0:disk,memory=1M']).start();
    reactor.onEvent({ kind: 'save', ticket: 9, lun: 0, what: 'pages', bytes: Uint8Array.of(1) });
    assert.deepEqual(reactor.requests.at(-1), { kind: 'saved', ticket: 9, ok: false });
  });

  it('stops with exit code 1 when the reactor ends by itself', async () => {
    const daemon = make(['0:disk,memory=1M']);
    await daemon.start();
    reactor.end(3);
    assert.equal(await daemon.ended, 1);
    assert.match(lines.at(-1) ?? '', /^error the reactor ended by itself with code 3/);
  });

  it('stops with exit code 1 when the reactor could not flush', async () => {
    const daemon = make(['0:disk,memory=1M']);
    await daemon.start();
    reactor.answers.set('shutdown', () => {
      reactor.end(0);
      return { ok: false, code: 'ERR_FLUSH', message: 'LUN 0 could not be flushed' };
    });
    assert.equal(await daemon.stop(), 1);
    assert.deepEqual(lines.at(-1), 'error shutdown: LUN 0 could not be flushed');
  });

  it('stops once however often it is asked, and changes nothing afterwards', async () => {
    const daemon = make(['0:disk,memory=1M']);
    await daemon.start();
    assert.deepEqual(await Promise.all([daemon.stop(), daemon.stop(), daemon.stop()]), [0, 0, 0]);
    assert.equal(reactor.kinds().filter((kind) => kind === 'shutdown').length, 1);
    await assert.rejects(daemon.addLun(disk('1:disk,memory=1M')), /the daemon is stopping/);
  });

  it('ends its start before it stops', async () => {
    const before = descriptors();
    const daemon = make(['0:disk,path=a.img,size=1M'], { control: at('c.sock') });
    const starting = daemon.start();
    assert.equal(await daemon.stop(), 0);
    await starting;
    assert.equal(descriptors(), before);
    assert.equal(existsSync(at('c.sock')), false);
  });

  describe('over the control socket', () => {
    let client: ControlClient;
    let daemon: Daemon;
    let events: unknown[] = [];

    beforeEach(async () => {
      events = [];
      daemon = make(['0:disk,memory=1M'], { control: at('c.sock') });
      await daemon.start();
      client = await ControlClient.connect({
        path: at('c.sock'),
        onEvent: (event, value) => void events.push([event, value]),
      });
    });

    afterEach(() => client.close());

    it('is not open to others', () => {
      assert.equal(statSync(at('c.sock')).mode & 0o777, 0o600);
    });

    it('lists, adds, resizes, removes LUNs', async () => {
      await client.call('lun.add', { lun: 2, type: 'disk', memory: '1M' });
      await client.call('lun.resize', { lun: 2, size: '2M' });
      const luns = (await client.call('lun.list')) as { lun: number; bytes: number }[];
      assert.deepEqual(
        luns.map(({ lun, bytes }) => [lun, bytes]),
        [
          [0, MIB],
          [2, 2 * MIB],
        ],
      );
      assert.equal(await client.call('lun.remove', { lun: 2 }), null);
      assert.equal(((await client.call('lun.list')) as unknown[]).length, 1);
    });

    const bad: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
      ['lun.ad', {}, /unknown verb "lun.ad", did you mean "lun.add"\?/],
      ['lun.add', {}, /LUN is undefined/],
      ['lun.add', { lun: 1, type: 'tape' }, /unknown device type "tape"/],
      ['lun.add', { lun: 1, type: 'disk', path: 'a.img' }, /a path must be absolute/],
      ['lun.add', { lun: 1, type: 'disk', memory: 100 }, /no multiple of the block/],
      ['lun.remove', { lun: 'x' }, /LUN is "x"/],
      ['lun.remove', { lun: 0, force: true }, /unknown key "force"/],
      ['lun.resize', { lun: 0 }, /size is undefined/],
      ['guest.kick', {}, /id is undefined, a number from 0/],
      ['inject.set', { lun: 0, rules: [] }, /a list of 1 to 64 rules/],
      [
        'inject.set',
        { lun: 0, rules: [{ operation: 'rd', fault: 'medium' }] },
        /did you mean "read"/,
      ],
      ['inject.set', { lun: 0, rules: [{ operation: 'read' }] }, /a fault, a delay, or both/],
      ['inject.set', { lun: 0, rules: [{ operation: 'read', delayMs: -1 }] }, /delayMs is -1/],
      [
        'inject.set',
        { lun: 0, rules: [{ operation: 'read', fault: 'full', firstLba: 9, lastLba: 8 }] },
        /first block 9 lies behind last block 8/,
      ],
    ];
    for (const [verb, args, message] of bad) {
      it(`refuses ${verb} ${JSON.stringify(args)}`, async () => {
        const before = reactor.requests.length;
        await assert.rejects(client.call(verb, args), { code: 'ERR_CONFIG', message });
        assert.equal(reactor.requests.length, before);
      });
    }

    it('sets and clears fault injection', async () => {
      const rules = [{ operation: 'read', fault: 'medium', firstLba: 1, lastLba: 2, count: 3 }];
      await client.call('inject.set', { lun: 0, rules });
      assert.deepEqual(reactor.requests.at(-1), { kind: 'inject', lun: 0, rules });
      await client.call('inject.clear', { lun: 0 });
      assert.deepEqual(reactor.requests.at(-1), { kind: 'inject', lun: 0, rules: [] });
      await assert.rejects(client.call('inject.clear', { lun: 4 }), { code: 'ERR_LUN' });
    });

    it('traces while somebody follows', async () => {
      const entry = (sequence: number): TraceEntry => ({
        sequence,
        atUs: 1.5,
        guest: 1,
        lun: 0,
        peripheralType: 0,
        cdb: Uint8Array.of(0x12, 0, 0, 0, 0x60, 0),
        status: 0,
        sense: 0,
        bytesIn: 96,
        bytesOut: 0,
        durationUs: 3,
      });
      const other = await ControlClient.connect({ path: at('c.sock') });
      await Promise.all([client.call('trace.start'), other.call('trace.start')]);
      const entries = Array.from({ length: 300 }, (_, i) => entry(i));
      reactor.onEvent({ kind: 'traced', entries });
      await client.call('trace.stop');
      other.close();
      const switches = () => reactor.requests.filter((request) => request.kind === 'trace');
      for (let i = 0; i < 100 && switches().length < 2; i++) await sleep(5);
      assert.deepEqual(switches(), [
        { kind: 'trace', on: true },
        { kind: 'trace', on: false },
      ]);
      const got = events.flatMap((event) => (event as [string, { sequence: number }[]])[1]);
      assert.deepEqual(
        got.map(({ sequence }) => sequence),
        entries.map(({ sequence }) => sequence),
      );
      assert.equal(events.length, 2, 'cut into events of at most 256');
    });

    it('tells who it is, and stops on demand with an answer', async () => {
      const info = (await client.call('daemon.info')) as Record<string, unknown>;
      assert.equal(info['processId'], process.pid);
      assert.equal(info['luns'], 1);
      assert.equal(await client.call('daemon.stop'), null);
      assert.equal(await daemon.ended, 0);
      await client.closed;
    });
  });
});
