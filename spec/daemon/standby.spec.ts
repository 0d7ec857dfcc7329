/** Standby LUNs of a daemon: who owns the image when, over errors and restarts. The reactor is a stand-in here. */
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseLunSpec } from '../../src/daemon/config.ts';
import { Daemon } from '../../src/daemon/daemon.ts';
import { openDiskFile } from '../../src/luns/open.ts';
import { FakeReactor } from './fake-reactor.ts';

const MIB = 1024 * 1024;

describe('daemon: standby', () => {
  let directory = '';
  let image = '';
  let reactor: FakeReactor;
  let lines: string[] = [];
  const running: Daemon[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-standby-'));
    image = join(directory, 'a.img');
    writeFileSync(image, Buffer.alloc(MIB));
    lines = [];
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((daemon) => daemon.stop()));
    rmSync(directory, { recursive: true });
  });

  async function start(spec: string, state = false): Promise<Daemon> {
    reactor = new FakeReactor();
    const daemon = new Daemon({
      config: {
        state: state ? join(directory, 'state') : null,
        control: null,
        listen: [],
        luns: [parseLunSpec(spec, directory)],
      },
      startReactor: reactor.start,
      log: { write: (level, text) => void lines.push(`${level} ${text}`) },
      graceMs: 100,
    });
    running.push(daemon);
    await daemon.start();
    return daemon;
  }

  /** Somebody else who has the image for writing; throws when it is locked. */
  function own(): () => void {
    const { fd } = openDiskFile({ lun: 9, path: image, blockBytes: 512, readOnly: false });
    return () => closeSync(fd);
  }

  it('serves an image somebody else owns, and refuses to activate it until that one lets go', async () => {
    const letGo = own();
    const daemon = await start('0:disk,path=a.img,standby');
    assert.equal(daemon.luns()[0]?.state, 'standby');
    const added = reactor.requests[0];
    assert.ok(added?.kind === 'addDisk' && added.disk.standby);
    await assert.rejects(daemon.activateLun(0), { code: 'ERR_IMAGE_LOCKED' });
    assert.equal(daemon.luns()[0]?.state, 'standby');
    letGo();
    assert.equal((await daemon.activateLun(0)).state, 'attached');
    assert.deepEqual(reactor.requests.at(-1), { kind: 'activateUnit', lun: 0, bytes: MIB });
    assert.throws(own, { code: 'ERR_IMAGE_LOCKED' });
    assert.equal((await daemon.activateLun(0)).state, 'attached');
  });

  it('takes over the size the owner gave the image', async () => {
    const daemon = await start('0:disk,path=a.img,standby');
    truncateSync(image, 3 * MIB);
    await daemon.activateLun(0);
    assert.equal(daemon.luns()[0]?.bytes, 3 * MIB);
    assert.deepEqual(reactor.requests.at(-1), { kind: 'activateUnit', lun: 0, bytes: 3 * MIB });
  });

  it('does not take a cut or exchanged image', async () => {
    const daemon = await start('0:disk,path=a.img,standby');
    truncateSync(image, MIB / 2);
    await assert.rejects(daemon.activateLun(0), /has shrunk/);
    own()();
    const other = join(directory, 'b.img');
    writeFileSync(other, Buffer.alloc(MIB));
    renameSync(other, image);
    await assert.rejects(daemon.activateLun(0), /another file now/);
    assert.equal(daemon.luns()[0]?.state, 'standby');
  });

  it('gives the image back when the reactor refuses, or when it is put into standby', async () => {
    const daemon = await start('0:disk,path=a.img,standby');
    const no = { ok: false, code: 'ERR_LUN_SIZE', message: 'no' } as const;
    reactor.answers.set('activateUnit', () => no);
    await assert.rejects(daemon.activateLun(0), { code: 'ERR_LUN_SIZE' });
    own()();
    reactor.answers.clear();
    await daemon.activateLun(0);
    assert.equal((await daemon.standByLun(0)).state, 'standby');
    own()();
  });

  it('keeps the image when it cannot be flushed', async () => {
    const daemon = await start('0:disk,path=a.img');
    const no = { ok: false, code: 'ERR_FLUSH', message: 'no' } as const;
    reactor.answers.set('standbyUnit', () => no);
    await assert.rejects(daemon.standByLun(0), { code: 'ERR_FLUSH' });
    assert.throws(own, { code: 'ERR_IMAGE_LOCKED' });
  });

  it('an image that was taken over is ours after a restart, unless somebody else has it', async () => {
    const spec = '0:disk,path=a.img,standby';
    const first = await start(spec, true);
    await first.activateLun(0);
    await first.stop();
    const second = await start(spec, true);
    assert.equal(second.luns()[0]?.state, 'attached');
    await second.stop();
    const letGo = own();
    const third = await start(spec, true);
    assert.equal(third.luns()[0]?.state, 'standby');
    assert.ok(lines.some((line) => /warn LUN 0 is in standby again: .*in use/.test(line)));
    letGo();
    await third.stop();
    const fourth = await start(spec, true);
    assert.equal(fourth.luns()[0]?.state, 'standby');
  });

  it('refuses what cannot be in standby', async () => {
    assert.throws(() => parseLunSpec('0:disk,memory=1M,standby', '/'), /memory disk/);
    const daemon = await start('0:disk,memory=1M');
    await assert.rejects(daemon.standByLun(0), { code: 'ERR_LUN' });
    await assert.rejects(daemon.activateLun(7), { code: 'ERR_LUN' });
    const waiting = await start('0:disk,path=a.img,standby');
    await assert.rejects(waiting.resizeLun(0, 2 * MIB), /in standby/);
  });
});
