/** `ringscsi takeover` between a real QEMU and a real daemon. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LunStatus } from '../../src/daemon/attached-disk.ts';
import { openInitiator } from '../../src/index.ts';
import { needsQemu, QemuProcess } from '../support/qemu-process.ts';
import { ringscsi, ringscsiJson, Serving } from './command.ts';

const real = needsQemu('ringscsi takeover');
const TUR = ['--connect', 'srp:./a.sock', '--cdb', '000000000000'];

describe(real.title, function () {
  this.timeout(30_000);
  let directory: string;
  let serving: Serving | null = null;
  let qemu: QemuProcess | null = null;
  before(function () {
    if (real.missing) this.skip();
    directory = mkdtempSync(join(tmpdir(), 'ringscsi-cli-takeover-'));
    writeFileSync(join(directory, 'a.img'), Buffer.alloc(1024 * 1024));
  });
  after(async () => {
    await serving?.stop();
    await qemu?.end(true);
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  });

  /** What TEST UNIT READY answers. */
  const ready = async (): Promise<string> => (await ringscsi(directory, 'exec', ...TUR)).out;
  const state = async (): Promise<string | undefined> =>
    (await ringscsiJson<LunStatus[]>(directory, 'lun', 'list', '--control', 'c.sock'))[0]?.state;
  const takeover = (...words: readonly string[]): ReturnType<typeof ringscsi> =>
    ringscsi(directory, 'takeover', '--control', 'c.sock', '--lun', '0', ...words);

  it('fails with exit code 1 and the reason, then moves the guest, then has nothing left to move', async () => {
    qemu = QemuProcess.start(
      [
        ...['-machine', 'q35', '-device', 'virtio-scsi-pci'],
        ...['-drive', 'if=none,id=d0,format=raw,file=a.img', '-device', 'scsi-hd,id=emu0,drive=d0'],
      ],
      directory,
    );
    const monitor = await qemu.connect();
    await monitor.execute('cont');
    monitor.close();
    const options = ['--listen', 'srp:./a.sock', '--control', 'c.sock'];
    serving = new Serving(directory, ...options, '--lun', '0:disk,path=a.img,standby');
    await serving.ready();
    assert.match(await ready(), /NOT READY.*2\/04\/0B/);
    const owned = await ringscsi(directory, 'lun', 'activate', '0', '--control', 'c.sock');
    assert.equal(owned.code, 1);
    assert.match(owned.err, /in use by a QEMU/);

    const unknown = await takeover('--qmp', 'qmp.sock', '--device', 'emu1');
    assert.equal(unknown.code, 1);
    assert.match(unknown.err, /no.*of this id; known are .*emu0.*keeps its emulated disk/);
    const nobody = await takeover('--qmp', 'none.sock', '--device', 'emu0');
    assert.equal(nobody.code, 1);
    assert.match(nobody.err, /no QEMU listens/);
    assert.equal(await state(), 'standby');

    const { code, out, err } = await takeover('--qmp', 'qmp.sock', '--device', 'emu0');
    assert.equal(code, 0, err);
    assert.match(out, /LUN 0 has taken over from emu0, the guest was paused for \d+ ms/);
    assert.match(err, /guest paused\n.*unplugged\nLUN 0 active\nguest resumed/);
    assert.equal(await state(), 'attached');
    assert.match(await ready(), /ASYMMETRIC ACCESS STATE CHANGED \(6\/2A\/06\)/);
    assert.match(await ready(), /GOOD/);

    const again = await takeover('--qmp', 'qmp.sock', '--device', 'emu0');
    assert.equal(again.code, 1);
    assert.match(again.err, /none of this id/);
    const back = await ringscsi(directory, 'lun', 'standby', '0', '--control', 'c.sock');
    assert.equal(back.code, 0, back.err);
    assert.match(await ready(), /6\/2A\/06/);
    assert.match(await ready(), /2\/04\/0B/);
    const forth = await ringscsi(directory, 'lun', 'activate', '0', '--control', 'c.sock');
    assert.equal(forth.code, 0, forth.err);
    assert.match(await ready(), /6\/2A\/06/);
    assert.match(await ready(), /GOOD/);
  });

  it('a driver that unplugs at ports 10h and 12h has the same done, and a guest started anew has it undone', async () => {
    await serving?.stop();
    await qemu?.end(true);
    qemu = QemuProcess.start(
      [
        ...['-machine', 'q35', '-device', 'virtio-scsi-pci'],
        ...['-drive', 'if=none,id=d0,format=raw,file=a.img', '-device', 'scsi-hd,id=emu0,drive=d0'],
      ],
      directory,
    );
    (await qemu.connect()).close();
    const options = ['--listen', 'srp:./a.sock', '--control', 'c.sock'];
    const map = ['--emulated', 'vm1/emu0,at=scsi,qmp=qmp.sock,lun=0'];
    serving = new Serving(directory, ...options, ...map, '--lun', '0:disk,path=a.img,standby');
    await serving.ready();
    const linux = 'R.w 10=49d2; R.b 12=01; W.w 12=0003; W.l 10=00000001; R.w 10=49d2; W.w 10=0003';
    const unplug = (...words: readonly string[]): ReturnType<typeof ringscsi> =>
      ringscsi(directory, 'unplug', ...words, '--control', 'c.sock');
    assert.equal((await unplug('play', 'vm1', 'R.w 10=d249')).code, 1);
    const { code, out, err } = await unplug('play', 'vm1', linux);
    assert.equal(code, 0, out + err);
    assert.match(out, /R\.w 10=49d2 {2}-> 49d2/);
    assert.match(out, /vm1 +emu0 +scsi +0 +gone/);
    assert.equal(await state(), 'attached');
    assert.equal((await unplug('restart', 'vm1')).code, 0);
    assert.match((await unplug('list')).out, /emulated/);
    assert.equal(await state(), 'standby');
    for (const words of [
      ['play', 'vm1', 'W.w 10'],
      ['play', 'vm1'],
      ['list', 'x'],
    ]) {
      assert.equal((await unplug(...words)).code, 2, words.join(' '));
    }
    assert.equal((await unplug('play', 'vm9', linux)).code, 1);
  });

  it('a guest with a blacklisted driver cannot log in at our HBA either, until it is started anew', async () => {
    await serving?.stop();
    await qemu?.end(true);
    qemu = null;
    mkdirSync(join(directory, 'bl', 'xensource-windows'), { recursive: true });
    writeFileSync(join(directory, 'bl', 'xensource-windows', '4660'), '');
    const options = [
      '--listen',
      'srp:./a.sock',
      '--control',
      'c.sock',
      '--lun',
      '0:disk,memory=1M',
    ];
    const map = ['--emulated', 'vm1/emu0,at=scsi,qmp=qmp.sock,lun=0', '--driver-blacklist', 'bl'];
    serving = new Serving(directory, ...options, ...map);
    await serving.ready();
    const login = async (name: string): Promise<void> =>
      await (await openInitiator({ connect: `srp:${join(directory, 'a.sock')}`, name })).close();
    await login('vm1');
    // T2 of spec/vectors/unplug.json.
    const listed = 'R.w 10=49d2; R.b 12=01; W.w 12=0001; W.l 10=00001234; R.w 10=d249';
    const unplug = (...words: readonly string[]): ReturnType<typeof ringscsi> =>
      ringscsi(directory, 'unplug', ...words, '--control', 'c.sock');
    assert.equal((await unplug('play', 'vm1', listed)).code, 0);
    await assert.rejects(login('vm1'), /the driver is not welcome/);
    await login('vm2');
    assert.match(
      serving.err,
      /build 4660 is blacklisted[\s\S]*login of .* rejected, reason 10003h/,
    );
    assert.equal((await unplug('restart', 'vm1')).code, 0);
    await login('vm1');
  });

  it('refuses wrong usage with exit code 2', async () => {
    for (const words of [
      ['--device', 'emu0'],
      ['--qmp', 'q'],
      ['--qmp', 'q', '--device', '/machine/x'],
    ]) {
      assert.equal((await takeover(...words)).code, 2, words.join(' '));
    }
  });
});
