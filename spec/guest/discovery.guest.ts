/** What Linux's stock driver makes of our logical units: disks of both block sizes, read-only ones, names that last. */
import { strict as assert } from 'node:assert';
import { DaemonStorage } from './support/daemon-storage.ts';
import { Guest } from './support/guest.ts';
import { ON_QEMU, startStorage } from './support/start-storage.ts';
import type { DiskSpec, Storage } from './support/storage.ts';

const DISKS: readonly DiskSpec[] = [
  { lun: 0, sizeMiB: 64, serial: 'GUEST-0' },
  { lun: 1, sizeMiB: 128, blockBytes: 4096, serial: 'GUEST-1' },
  { lun: 7, sizeMiB: 16, readOnly: true, serial: 'GUEST-7' },
];
const LUNS = DISKS.map(({ lun }) => lun);

/**
 * The names udev gives a disk in /dev/disk/by-id. There is no udev in the guest; its rules (60-persistent-storage.rules,
 * 55-scsi-sg3_id.rules) take them from what sg_inq prints here.
 */
async function names(guest: Guest): Promise<string[]> {
  const all: string[] = [];
  for (const lun of LUNS) {
    const said = await guest.sh(
      `sg_inq --export --page=di $(sg ${lun}); sg_inq --export --page=sn $(sg ${lun})`,
    );
    const lines = said.split('\n').filter((line) => /^SCSI_IDENT_/.test(line));
    all.push(lines.sort().join(' '));
  }
  return all;
}

describe('discovery', () => {
  let storage: Storage;
  let guest: Guest;

  before(async () => {
    storage = await startStorage(DISKS);
    guest = await Guest.boot({ options: storage.adapter() });
  });

  after(async () => {
    await guest?.kill();
    await storage?.end();
  });

  it('finds every disk with its size, block size and write protection', async () => {
    for (const { lun, sizeMiB, blockBytes = 512, readOnly = false } of DISKS) {
      const said = await guest.sh(
        `d=$(disk ${lun}); blockdev --getsize64 $d; blockdev --getss $d; cat /sys/block/\${d#/dev/}/ro`,
      );
      assert.deepEqual(said.split('\n').map(Number), [
        sizeMiB * 1024 * 1024,
        blockBytes,
        readOnly ? 1 : 0,
      ]);
    }
    const listed = (await guest.sh('lsscsi')).split('\n');
    assert.equal(listed.length, DISKS.length, listed.join('\n'));
    for (const line of listed) assert.match(line, /^\[\d+:0:0:\d+\]\s+disk/);
  });

  it('has nothing to complain about', async () => {
    const complaints = (await guest.messages())
      .split('\n')
      .filter((line) => /scsi|\bsd\b|\[sd[a-z]\]|virtio|blk_update|I\/O error/i.test(line))
      .filter((line) => /error|fail|invalid|unexpected|timed? ?out|asking for cache/i.test(line));
    assert.deepEqual(complaints, []);
  });

  it('writes to a read-only disk fail with DATA PROTECT, reads work', async () => {
    const read = await guest.sh('dd if=$(disk 7) bs=4096 count=4 | md5sum');
    assert.match(read, /^[0-9a-f]{32}/m);
    const dd = await guest.run('dd if=/dev/zero of=$(disk 7) bs=4096 count=1 conv=fsync');
    assert.notEqual(dd.code, 0, 'the block layer refuses');
    const raw =
      'dd if=/dev/zero of=/tmp/block bs=512 count=1 2>/dev/null; sg_raw -s 512 -i /tmp/block $(sg 7) 2a 00 00 00 00 00 00 00 01 00';
    const { output } = await guest.run(raw);
    // SPC-4 table 44: sense key 7h; 27h/00h WRITE PROTECTED.
    assert.match(output, /Data Protect/i);
    assert.match(output, /Write protected/i);
  });

  it('a file system on 4 KiB blocks keeps its data', async () => {
    const checked = await guest.sh(`
      mke2fs -q -t ext4 -b 4096 $(disk 1)
      mount $(disk 1) /mnt
      dd if=/dev/urandom of=/mnt/file bs=1M count=40 2>/dev/null
      (cd /mnt; md5sum file > sums)
      umount /mnt
      mount $(disk 1) /mnt
      (cd /mnt; md5sum -c sums)
      umount /mnt
      e2fsck -fn $(disk 1)`);
    assert.match(checked, /file: OK/);
  });

  it('names in /dev/disk/by-id differ between disks and last over restarts', async () => {
    const first = await names(guest);
    assert.equal(new Set(first).size, LUNS.length, first.join('\n'));
    for (const [i, { serial }] of DISKS.entries()) {
      assert.match(first[i] ?? '', new RegExp(`SERIAL='?${serial}`), first[i]);
    }
    await guest.powerOff();
    if (storage instanceof DaemonStorage) {
      assert.equal(await storage.stop(), 0);
      await storage.restart();
    }
    // Another PCI place, so nothing can come from the path.
    guest = await Guest.boot({ slots: 3, options: storage.adapter({ bus: 'rp3' }) });
    assert.deepEqual(await names(guest), first);
    if (!ON_QEMU)
      for (const name of first) assert.match(name, /SCSI_IDENT_LUN_NAA/, 'a world wide name');
  });
});
