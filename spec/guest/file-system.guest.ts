/** A file system on a logical unit: 500 MiB with checksums, mounted again, checked, read by the host's tools too. */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { findCommand } from '../../src/guest-image/commands.ts';
import { Guest } from './support/guest.ts';
import { startStorage } from './support/start-storage.ts';
import type { Storage } from './support/storage.ts';

describe('file system', () => {
  let storage: Storage;
  let guest: Guest;

  before(async () => {
    storage = await startStorage([
      { lun: 0, sizeMiB: 768 },
      { lun: 1, sizeMiB: 50 },
    ]);
    // Random bytes are slow to make in an emulated guest.
    writeFileSync(storage.image(1), randomFillSync(Buffer.alloc(50 * 1024 * 1024)), { flag: 'r+' });
    guest = await Guest.boot({ options: storage.adapter() });
  });

  after(async () => {
    await guest?.kill();
    await storage?.end();
  });

  it('takes 500 MiB in ten files', async () => {
    await guest.sh(
      `mke2fs -q -t ext4 $(disk 0)
      mount $(disk 0) /mnt
      for i in 0 1 2 3 4 5 6 7 8 9; do
        echo $i > /mnt/file$i
        cat $(disk 1) >> /mnt/file$i
      done
      cd /mnt
      md5sum file* > /tmp/sums
      cp /tmp/sums /mnt/sums
      sync
      [ $(wc -l < /mnt/sums) = 10 ]`,
      240_000,
    );
  });

  it('has them after a remount', async () => {
    const said = await guest.sh(
      `umount /mnt
      echo 3 > /proc/sys/vm/drop_caches
      mount $(disk 0) /mnt
      cmp /tmp/sums /mnt/sums
      cd /mnt
      md5sum -c sums`,
      240_000,
    );
    assert.equal(said.match(/: OK$/gm)?.length, 10, said);
  });

  it('is clean for e2fsck, in the guest and on the image', async () => {
    const inside = await guest.sh('umount /mnt; e2fsck -fn $(disk 0)');
    assert.match(inside, /Pass 5/);
    assert.equal(await guest.powerOff(), 0);
    const outside = spawnSync(findCommand('e2fsck') ?? '', ['-fn', storage.image(0)], {
      encoding: 'utf8',
    });
    assert.equal(outside.status, 0, outside.stdout + outside.stderr);
  });
});
