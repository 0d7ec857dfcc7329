/** A CD drive in a guest: Linux's own sr and isofs drivers mount what xorriso made here, eject it, and get another disc. */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MediaStatus } from '../../src/daemon/media-house.ts';
import { findCommand } from '../../src/guest-image/commands.ts';
import { DaemonStorage } from './support/daemon-storage.ts';
import { Guest } from './support/guest.ts';

const LUN = 3;
const MIB = 1024 * 1024;

describe('CD drive', () => {
  let storage: DaemonStorage;
  let guest: Guest;
  const sums = new Map<string, string>();

  /** An ISO image with one file of random bytes; its volume is called what its file is called. */
  function burn(name: string, mebibytes: number): string {
    const folder = join(storage.directory, name);
    mkdirSync(folder);
    const data = randomFillSync(Buffer.alloc(mebibytes * MIB + 777));
    writeFileSync(join(folder, 'data.bin'), data);
    sums.set(name, createHash('md5').update(data).digest('hex'));
    const path = join(storage.directory, `${name}.iso`);
    const words = ['-as', 'mkisofs', '-quiet', '-R', '-V', name, '-o', path, folder];
    const { status, stderr } = spawnSync(findCommand('xorriso') ?? '', words, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return path;
  }

  /** What is in the drive, read through the file system of the guest. */
  async function mounted(name: string): Promise<void> {
    const said = await guest.sh(
      `mount -t iso9660 -o ro $(node block ${LUN}) /mnt
      md5sum < /mnt/data.bin
      umount /mnt`,
    );
    assert.equal(said.split(' ')[0], sums.get(name));
  }

  async function state(): Promise<string | undefined> {
    const drives = (await storage.call('media.list')) as MediaStatus[];
    return drives.find(({ lun }) => lun === LUN)?.state;
  }

  before(async () => {
    storage = await DaemonStorage.start([{ lun: 0, sizeMiB: 8 }]);
    await storage.call('lun.add', { lun: LUN, type: 'cdrom', path: burn('FIRST', 6) });
    guest = await Guest.boot({ image: 'optical', options: storage.adapter() });
  });

  after(async () => {
    await guest?.kill();
    await storage?.end();
  });

  it('is sr0, a CD-ROM of this vendor', async () => {
    assert.equal(await guest.sh(`node block ${LUN}`), '/dev/sr0');
    const said = await guest.sh('lsscsi');
    assert.match(said, /cd\/dvd\s+RINGSCSI\s+CD\/DVD drive\s+.*\/dev\/sr0/);
  });

  it('has the size of its image in the guest, and every byte of it', async () => {
    const path = join(storage.directory, 'FIRST.iso');
    const { stdout } = spawnSync('md5sum', [path], { encoding: 'utf8' });
    const said = await guest.sh('md5sum < /dev/sr0');
    assert.equal(said.split(' ')[0], stdout.split(' ')[0]);
  });

  it('mounts what xorriso made', async () => {
    await mounted('FIRST');
  });

  it('cannot be written', async () => {
    const { code } = await guest.run('dd if=/dev/zero of=/dev/sr0 bs=2048 count=1 conv=notrunc');
    assert.notEqual(code, 0);
  });

  it('eject opens the tray and eject -t closes it, with the same disc', async () => {
    await guest.sh('eject /dev/sr0');
    assert.equal(await state(), 'open');
    await guest.sh('eject -t /dev/sr0');
    assert.equal(await state(), 'loaded');
    await mounted('FIRST');
  });

  it('whoever opens the device pulls an open tray in: the driver sees it by the events of the drive', async () => {
    await guest.sh('eject /dev/sr0');
    await guest.sh('dd if=/dev/sr0 of=/dev/null bs=2048 count=1');
    assert.equal(await state(), 'loaded');
  });

  it('another disc that the operator puts in is another disc in the guest', async () => {
    await storage.call('media.load', { lun: LUN, path: burn('SECOND', 9) });
    await mounted('SECOND');
  });

  it('is held fast while it is mounted: the guest does not open the tray, and the operator only asks for it', async () => {
    await guest.sh('mount -t iso9660 -o ro /dev/sr0 /mnt');
    assert.notEqual((await guest.run(`sg_start --eject $(sg ${LUN})`)).code, 0);
    const asked = (await storage.call('media.eject', { lun: LUN })) as MediaStatus;
    assert.deepEqual([asked.state, asked.ejectRequested], ['loaded', true]);
    await guest.sh('umount /mnt');
    await storage.call('media.eject', { lun: LUN });
    assert.equal(await state(), 'empty');
  });

  it('leaves no complaint in the kernel log but of what was asked of an empty drive', async () => {
    const said = await guest.messages();
    assert.doesNotMatch(said, /Internal target failure|timed out|rejecting I\/O|BUG:|WARNING:/);
  });
});
