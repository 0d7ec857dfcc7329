/** Burners of a running daemon: discs that are made, burnt, read back, and come again. One daemon for all. */
import { strict as assert } from 'node:assert';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { LunStatus } from '../../src/daemon/attached-disk.ts';
import type { Initiator } from '../../src/initiator/initiator.ts';
import { createBurnStore, openBurnStore } from '../../src/luns/disc/burn-store.ts';
import { ringscsiHere } from '../cli/command.ts';
import {
  blocks,
  burn,
  CLOSE_SESSION,
  LAST_TRACK_AT_ONCE,
  read,
  SECTOR,
  select,
  TRACK_AT_ONCE,
  write,
} from '../support/burn-commands.ts';
import { DaemonProcess } from '../support/daemon-process.ts';
import { sense, type TestInitiator } from '../support/ports.ts';
import { BurnerBench } from './burner-bench.ts';

const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';
/** First block of the second session when the first has 16 blocks. */
const SECOND = 18 + 11_400;

describe('burners of a daemon', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  let bench: BurnerBench;
  let a: TestInitiator;
  let discs = 0;

  /** A new blank disc in the burner. */
  const fresh = async (kind: Parameters<typeof createBurnStore>[1] = 'cd-r'): Promise<string> => {
    discs += 1;
    const path = daemon.path(`disc-${discs}`);
    createBurnStore(path, kind);
    await bench.load({ path, force: true });
    await a.attentions();
    return path;
  };

  before(async () => {
    daemon = await DaemonProcess.start(
      ['0:burner,media=cd-r,path=first', '1:cdrom'],
      [],
      ['--state', 'state'],
    );
    bench = new BurnerBench(daemon);
    a = await bench.attach();
  });

  after(async () => {
    await bench.detach();
    await daemon.end();
  });

  it('media=KIND made a blank medium, which is sparse, and says so', async () => {
    assert.equal(openBurnStore(daemon.path('first')).kind, 'cd-r');
    const { size, blocks: used } = statSync(daemon.path('first'));
    assert.ok(size > 800e6 && used * 512 < 1e6, `${size} bytes, ${used} blocks`);
    assert.equal(await a.ready(), '');
    // READ DISC INFORMATION: blank, the last session is empty.
    const { dataIn } = await a.run('51 00 00 00 00 00 00 00 22 00', { dataInBytes: 34 });
    assert.equal((dataIn[2] as number) & 0x0f, 0x00);
  });

  it('is a writer by its INQUIRY data, and by lun list', async () => {
    const { dataIn } = await a.run('12 00 00 00 24 00', { dataInBytes: 36 });
    assert.deepEqual([dataIn[0], dataIn[1]], [0x05, 0x80]);
    assert.equal(Buffer.from(dataIn.subarray(16, 32)).toString('latin1'), 'CD/DVD/BD writer');
    const [lun] = (await daemon.call('lun.list')) as LunStatus[];
    assert.deepEqual(
      [lun?.type, lun?.backing, lun?.readOnly, lun?.bytes],
      ['burner', 'recordable', false, 359_847 * SECTOR],
    );
  });

  it('burns a session that is read back, by READ TOC and by READ(10)', async () => {
    await fresh();
    const data = blocks(0, 20);
    assert.deepEqual(await burn(a, 0, data), []);
    const { dataIn } = await a.run('43 00 00 00 00 00 01 00 14 00', { dataInBytes: 20 });
    assert.equal(
      Buffer.from(dataIn).toString('hex'),
      // Track 1 begins at 0; the lead-out behind 20 blocks and two of run-out.
      '0012010100140100000000000014aa0000000016',
    );
    assert.deepEqual(await read(a, 0, 20), Buffer.from(data));
  });

  it('GET CONFIGURATION has the profile of the medium that is in it', async () => {
    for (const [kind, profile] of [
      ['dvd+rw', 0x1a],
      ['bd-r', 0x41],
      ['cd-rw', 0x0a],
    ] as const) {
      await fresh(kind);
      const { dataIn } = await a.run('46 02 00 00 00 00 00 00 08 00', { dataInBytes: 8 });
      assert.equal(Buffer.from(dataIn).readUInt16BE(6), profile, kind);
    }
  });

  it('a disc that left by the tray comes back as it was burnt', async () => {
    await fresh();
    await burn(a, 0, blocks(0, 16));
    assert.equal(sense(await a.run(EJECT)), '');
    assert.equal(sense(await a.run(LOAD)), '');
    assert.deepEqual(await read(a, 15, 1), Buffer.from(blocks(15, 1)));
    assert.deepEqual(await burn(a, SECOND, blocks(1, 16)), []);
  });

  it('one that is written is locked against everybody, and free outside', async () => {
    const path = await fresh();
    assert.throws(() => bench.own(path), { code: 'ERR_IMAGE_LOCKED' });
    await assert.rejects(bench.load({ lun: 1, path }), { message: /is LUN 0 of this daemon/ });
    await bench.eject();
    bench.own(path)();
  });

  it('in a cdrom it is read with its own profile, and what writes is not there', async () => {
    const path = await fresh();
    await burn(a, 0, blocks(0, 16));
    await bench.eject();
    await bench.load({ lun: 1, path });
    const b = await bench.attach('b', 1);
    const { dataIn } = await b.run('46 02 00 00 00 00 00 00 08 00', { dataInBytes: 8 });
    assert.equal(Buffer.from(dataIn).readUInt16BE(6), 0x09);
    assert.deepEqual(await read(b, 0, 16), Buffer.from(blocks(0, 16)));
    assert.equal(await write(b, 16, blocks(16, 1)), '5/20/00');
    await bench.eject({ lun: 1 });
  });

  it('BLANK gives the space of the file back', async () => {
    const path = await fresh('cd-rw');
    await burn(a, 0, blocks(0, 512));
    const before = statSync(path).blocks;
    assert.equal(sense(await a.run('a1 01 00 00 00 00 00 00 00 00 00 00')), '');
    assert.ok(before - statSync(path).blocks > 2000, `${before}, then ${statSync(path).blocks}`);
  });

  it('an image in it is only read, shared with others', async () => {
    const path = bench.image('a.iso', 4 * SECTOR, 0x11);
    await bench.load({ path });
    await bench.load({ lun: 1, path });
    await a.attentions();
    assert.equal((await read(a, 3, 1))[0], 0x11);
    assert.equal(await write(a, 0, blocks(0, 1)), '7/27/00');
    assert.equal((await bench.drive())?.writeProtected, true);
    await bench.eject({ lun: 1 });
  });

  it('a medium that is another one than media says is refused', async () => {
    createBurnStore(daemon.path('rw'), 'cd-rw');
    bench.image('b.iso', 4 * SECTOR, 0x11);
    for (const [name, is] of [
      ['rw', 'cd-rw'],
      ['b.iso', 'disc image'],
    ] as const) {
      const path = daemon.path(name);
      await assert.rejects(
        daemon.call('lun.add', { lun: 5, type: 'burner', media: 'cd-r', path }),
        {
          message: `Cannot attach LUN 5: "${path}" is a ${is}, not the cd-r of media=: leave media out, or name another file`,
        },
      );
      bench.own(path)();
    }
  });

  it('media makes a medium when its LUN is attached, not when one is loaded', async () => {
    const path = daemon.path('second');
    await daemon.call('lun.add', { lun: 5, type: 'burner', media: 'dvd-r', path });
    assert.ok(existsSync(path));
    await assert.rejects(bench.load({ lun: 5, path: daemon.path('none') }), {
      message: /none" does not exist, a disc image has to$/,
    });
    await daemon.call('lun.remove', { lun: 5 });
    bench.own(path)();
  });

  describe('while somebody burns', () => {
    let path = '';
    beforeEach(async () => {
      path = await fresh();
      await burn(a, 0, blocks(0, 16));
      await select(a, TRACK_AT_ONCE);
      await write(a, SECOND, blocks(0, 32));
    });

    const stays = async (): Promise<void> => {
      assert.equal((await bench.drive())?.state, 'loaded');
      assert.equal(await write(a, SECOND + 32, blocks(0, 16)), '');
    };

    it('media list says who, and how much is written', async () => {
      const { disc } = (await bench.drive()) ?? {};
      assert.deepEqual([disc?.kind, disc?.status, disc?.sessions], ['cd-r', 'appendable', 1]);
      assert.deepEqual(disc?.burning, { by: 'a', writtenBlocks: 32, expectedBlocks: null });
    });

    it('a track that was reserved says how much comes', async () => {
      await fresh('dvd-r');
      await select(a, '400000');
      // RESERVE TRACK: 64 blocks.
      assert.equal(sense(await a.run('53 00 00 00 00 00 00 00 40 00')), '');
      await write(a, 0, blocks(0, 16));
      assert.deepEqual((await bench.drive())?.disc?.burning, {
        by: 'a',
        writtenBlocks: 16,
        expectedBlocks: 64,
      });
    });

    it('the operator cannot take the disc, nor load another, and is told who burns', async () => {
      const why = ': "a" is burning it, and has not closed the session; --force interrupts that';
      await assert.rejects(bench.eject(), {
        message: `Cannot eject the medium of LUN 0${why}`,
      });
      await assert.rejects(bench.load({ path: bench.image('c.iso', SECTOR, 1) }), {
        message: `Cannot load another medium into LUN 0${why}`,
      });
      await stays();
    });

    it('no guest can: START STOP UNIT, LOAD/UNLOAD and MEDIA_REQUEST of who burns and of others', async () => {
      const b = await bench.attach('b');
      const unload = 'a6 00 00 00 02 00 00 00 00 00 00 00';
      for (const each of [a, b]) {
        assert.equal(sense(await each.run(EJECT)), '5/53/02');
        assert.equal(sense(await each.run(unload)), '5/53/02');
        const { result } = await (each.initiator as Initiator).mediaRequest(0, 'eject');
        assert.equal(result, 'prevented');
      }
      await stays();
    });

    it('--force takes it: the session that was closed is whole, the track that was not is damaged', async () => {
      assert.equal((await bench.eject({ force: true })).flushed, true);
      const { state } = openBurnStore(path);
      assert.equal(state.sessions.length, 1);
      assert.deepEqual([state.tracks[1]?.next, state.tracks[1]?.damaged], [SECOND + 32, true]);
      await bench.load({ path });
      await a.attentions();
      assert.deepEqual(await read(a, 0, 16), Buffer.from(blocks(0, 16)));
      assert.equal((await bench.drive())?.disc?.burning, null);
    });
  });

  describe('files of recordable discs', () => {
    let path = '';
    let source = '';
    before(async () => {
      path = await fresh();
      await burn(a, 0, blocks(0, 300), LAST_TRACK_AT_ONCE);
      await bench.eject();
      source = daemon.path('source');
      writeFileSync(source, blocks(0, 300));
    });

    it('media new makes one, and no other in its place', async () => {
      const made = daemon.path('made');
      const { code, out } = await ringscsiHere('media', 'new', 'dvd+rw', made);
      assert.deepEqual([code, out], [0, `"${made}" is a blank dvd+rw: 4.4 GiB\n`]);
      assert.equal(openBurnStore(made).kind, 'dvd+rw');
      const again = await ringscsiHere('media', 'new', 'cd-r', made);
      assert.equal(again.code, 1);
      assert.match(again.err, /Cannot create the recordable disc ".*made": EEXIST/);
    });

    it('media export makes an ISO image, which is what was burnt, and a CUE sheet and a TOC file', async () => {
      const targets = ['out.iso', 'out.cue', 'o.toc'].map((name) => daemon.path(name));
      const [iso = '', cue = '', toc = ''] = targets;
      const { code, out, err } = await ringscsiHere(
        ...['media', 'export', path, '--iso', iso, '--cue', cue, '--toc', toc, '--verify', source],
      );
      assert.deepEqual(
        [code, out],
        [
          0,
          [
            ...targets.map((name) => `"${name}" written`),
            `300 sectors are those of "${source}"`,
            '',
          ].join('\n'),
        ],
        err,
      );
      assert.deepEqual(readFileSync(iso), readFileSync(source));
      for (const sheet of [cue, toc]) {
        await bench.load({ lun: 1, path: sheet });
        const b = await bench.attach('b', 1);
        assert.deepEqual(await read(b, 299, 1), Buffer.from(blocks(299, 1)), sheet);
        await bench.eject({ lun: 1 });
      }
    });

    it('media export --verify tells how much differs: exit code 1', async () => {
      const other = daemon.path('other');
      const bytes = blocks(0, 300);
      bytes.fill(0xff, 7 * SECTOR, 9 * SECTOR);
      writeFileSync(other, bytes);
      const { code, out } = await ringscsiHere('media', 'export', path, '--verify', other);
      assert.deepEqual(
        [code, out],
        [1, `2 of 300 sectors are not those of "${other}", the first is 7\n`],
      );
    });

    it('media export refuses a disc that is in a burner, and not one that is in a cdrom', async () => {
      await bench.load({ path });
      const refused = await ringscsiHere('media', 'export', path, '--verify', source);
      assert.equal(refused.code, 1);
      assert.match(refused.err, /Cannot export a disc: ".*" is in use by process \d+/);
      await bench.eject();
      await bench.load({ lun: 1, path });
      assert.equal((await ringscsiHere('media', 'export', path, '--verify', source)).code, 0);
      await bench.eject({ lun: 1 });
    });

    it('media list shows what disc there is', async () => {
      await bench.load({ path });
      const control = daemon.path('c.sock');
      const { out } = await ringscsiHere('media', 'list', '--control', control);
      const [, line = ''] = out.split('\n');
      // 300 blocks and two of run-out.
      assert.match(line, /loaded +604 KiB +yes .* cd-r, complete +\//, out);
    });
  });

  describe('over a restart', () => {
    const restart = async (signal: NodeJS.Signals): Promise<void> => {
      await bench.detach().catch(() => undefined);
      await daemon.kill(signal);
      await daemon.restart();
      a = await bench.attach();
    };

    it('after a kill in the middle of a burn: the same drive and disc, the finished session whole, the other damaged', async () => {
      const path = await fresh();
      const serialOf = async (): Promise<string | undefined> =>
        ((await daemon.call('lun.list')) as LunStatus[])[0]?.serial;
      const serial = await serialOf();
      await burn(a, 0, blocks(0, 64));
      await select(a, TRACK_AT_ONCE);
      const next = 64 + 2 + 11_400;
      await write(a, next, blocks(64, 64));
      await daemon.kill('SIGKILL');
      await restart('SIGKILL');
      const now = await bench.drive();
      assert.deepEqual([now?.path, await serialOf()], [path, serial]);
      assert.deepEqual(
        [now?.disc?.status, now?.disc?.sessions, now?.disc?.burning],
        ['appendable', 1, null],
      );
      assert.deepEqual(await read(a, 0, 64), Buffer.from(blocks(0, 64)));
      // READ DISC INFORMATION: appendable, the last session is damaged; erasable is not set.
      const { dataIn } = await a.run('51 00 00 00 00 00 00 00 22 00', { dataInBytes: 34 });
      assert.equal((dataIn[2] as number) & 0x1f, 0x09);
      // The host closes what is left, which is nothing that was synchronized, and goes on.
      await select(a, TRACK_AT_ONCE);
      assert.equal(sense(await a.run(CLOSE_SESSION)), '');
      assert.deepEqual(await burn(a, next, blocks(64, 64)), []);
      assert.equal((await bench.drive())?.disc?.sessions, 2);
    });

    it('when the daemon ends in order nothing is lost that was written in increments', async () => {
      await fresh('dvd-r');
      await select(a, '400000');
      assert.equal(await write(a, 0, blocks(0, 32)), '');
      await restart('SIGTERM');
      // READ TRACK INFORMATION of the incomplete track: next writable address.
      const { dataIn } = await a.run('52 01 00 00 00 ff 00 00 24 00', { dataInBytes: 36 });
      assert.equal(Buffer.from(dataIn).readUInt32BE(12), 32);
      assert.deepEqual(await read(a, 0, 32), Buffer.from(blocks(0, 32)));
    });

    it('when its LUN is removed nothing is, either', async () => {
      const path = daemon.path('removed');
      await daemon.call('lun.add', { lun: 6, type: 'burner', media: 'dvd-r', path });
      const c = await bench.attach('c', 6);
      await select(c, '400000');
      assert.equal(await write(c, 0, blocks(0, 32)), '');
      await daemon.call('lun.remove', { lun: 6 });
      assert.equal(openBurnStore(path).state.tracks[0]?.next, 32);
    });

    it('a disc that is gone leaves the drive empty, and the rest is served', async () => {
      const path = await fresh();
      await daemon.kill('SIGKILL');
      rmSync(path);
      await restart('SIGKILL');
      assert.equal((await bench.drive())?.state, 'empty');
      assert.match(daemon.errors, /LUN 0 is without its medium: .* does not exist/);
    });
  });

  it('is not loaded write protected', async () => {
    const path = daemon.path('rw');
    await assert.rejects(bench.load({ path, ro: true }), {
      message:
        'Cannot load a medium into LUN 0: a burner writes, load it into a cdrom to have it protected',
    });
  });
});
