/**
 * Initiators of others over iSCSI: the Linux kernel's with open-iscsi in a guest, QEMU's own (scsi-block and scsi-generic
 * on a drive that is an iSCSI URL), and libiscsi's tools. Each keeps its data over a restart of the daemon.
 */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Guest } from './support/guest.ts';
import { logIn, NETWORK } from './support/open-iscsi.ts';
import { Portal } from './support/portal.ts';

const runTool = promisify(execFile);
const TOOL_MS = 60_000;

/** Kills the daemon without a word and starts it again. */
async function bounce({ storage }: Portal): Promise<void> {
  await storage.stop('SIGKILL');
  await storage.restart();
}

describe('iSCSI, the Linux kernel in a guest with open-iscsi', () => {
  let portal: Portal;
  let guest: Guest;

  before(async () => {
    portal = await Portal.open([{ lun: 0, sizeMiB: 192 }]);
    guest = await Guest.boot({ image: 'iscsi', options: NETWORK });
  });

  after(async () => {
    await guest?.kill();
    await portal?.storage.end();
  });

  it('discovers the target, logs in and finds the disk', async () => {
    await logIn(guest, portal);
    await guest.shUntil('[ -b $(disk 0) ]');
    assert.match(await guest.sh('lsscsi'), /disk\s+RINGSCSI/);
    assert.match(await guest.sh('iscsiadm -m session -P 1'), /LOGGED_IN/);
  });

  it('keeps a file system with checksums', async () => {
    await guest.sh(
      `mke2fs -q -t ext4 $(disk 0)
      mount $(disk 0) /mnt
      dd if=/dev/urandom of=/mnt/file bs=1M count=24 2> /dev/null
      md5sum /mnt/file > /tmp/sum
      umount /mnt
      echo 3 > /proc/sys/vm/drop_caches
      mount $(disk 0) /mnt
      md5sum -c /tmp/sum`,
      240_000,
    );
  });

  it('goes on when the daemon is killed under it and comes back', async () => {
    const writing = guest.sh(
      'for i in 1 2 3 4 5 6; do cp /mnt/file /mnt/copy$i; sync; done',
      240_000,
    );
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await bounce(portal);
    await writing;
    await guest.sh(
      `cd /mnt
      echo 3 > /proc/sys/vm/drop_caches
      for i in 1 2 3 4 5 6; do cmp file copy$i; done
      md5sum -c /tmp/sum`,
      240_000,
    );
    assert.doesNotMatch(await guest.messages(), /I\/O error|EXT4-fs error/);
  });

  it('is clean for e2fsck after the logout', async () => {
    const said = await guest.sh(
      `umount /mnt
      e2fsck -fn $(disk 0)
      iscsiadm -m node -T ${portal.target} --logout`,
      240_000,
    );
    assert.match(said, /Pass 5/);
    assert.match(said, /successful/);
  });
});

describe('iSCSI, QEMU’s own initiator', () => {
  let portal: Portal;
  let guest: Guest;

  before(async () => {
    portal = await Portal.open([
      { lun: 0, sizeMiB: 128 },
      { lun: 1, sizeMiB: 16 },
    ]);
    const drive = (lun: number): string => `file=${portal.url(lun)},format=raw,if=none,id=d${lun}`;
    guest = await Guest.boot({
      options: [
        ...['-device', 'virtio-scsi-pci,id=scsi0'],
        ...['-drive', drive(0), '-device', 'scsi-block,drive=d0,scsi-id=0,lun=0'],
        ...['-drive', drive(1), '-device', 'scsi-generic,drive=d1,scsi-id=0,lun=1'],
      ],
    });
  });

  after(async () => {
    await guest?.kill();
    await portal?.storage.end();
  });

  it('passes our own answers to the guest', async () => {
    for (const lun of [0, 1]) assert.match(await guest.sh(`sg_inq $(sg ${lun})`), /RINGSCSI/);
  });

  it('scsi-block keeps a file system, over a restart of the daemon too', async () => {
    await guest.sh(
      `mke2fs -q -t ext4 $(disk 0)
      mount $(disk 0) /mnt
      dd if=/dev/urandom of=/mnt/file bs=1M count=16 2> /dev/null
      md5sum /mnt/file > /tmp/sum
      sync`,
      240_000,
    );
    await bounce(portal);
    await guest.sh(
      `cp /mnt/file /mnt/copy
      umount /mnt
      echo 3 > /proc/sys/vm/drop_caches
      mount $(disk 0) /mnt
      md5sum -c /tmp/sum
      cmp /mnt/file /mnt/copy
      umount /mnt
      e2fsck -fn $(disk 0)`,
      240_000,
    );
  });

  it('scsi-generic reads and writes', async () => {
    await guest.sh(
      `dd if=/dev/urandom of=/tmp/block bs=4096 count=64 2> /dev/null
      dd if=/tmp/block of=$(disk 1) bs=4096 oflag=direct 2> /dev/null
      dd if=$(disk 1) of=/tmp/back bs=4096 count=64 iflag=direct 2> /dev/null
      cmp /tmp/block /tmp/back`,
    );
  });
});

describe('iSCSI, libiscsi’s tools', () => {
  let portal: Portal;
  before(async () => {
    portal = await Portal.open([{ lun: 0, sizeMiB: 32 }]);
  });
  after(() => portal?.storage.end());

  const tool = async (name: string, ...args: string[]): Promise<string> => {
    const { stdout, stderr } = await runTool(name, args, { timeout: TOOL_MS });
    return stdout + stderr;
  };

  it('iscsi-ls shows the LUN with its size', async () => {
    const said = await tool('iscsi-ls', '-s', `iscsi://127.0.0.1:${portal.port}`);
    assert.match(said, /Lun:0\s+Type:DIRECT_ACCESS \(Size:3[123]M\)/, said);
  });

  it('iscsi-inq reads the vital product data', async () => {
    assert.match(await tool('iscsi-inq', portal.url(0)), /Vendor:RINGSCSI/);
    assert.match(await tool('iscsi-inq', '-e', '1', '-c', '176', portal.url(0)), /wsnz/i);
  });

  it('iscsi-readcapacity16 agrees with the image', async () => {
    const said = await tool('iscsi-readcapacity16', portal.url(0));
    assert.match(said, /RETURNED LOGICAL BLOCK ADDRESS:65535/);
  });

  it('iscsi-swp switches the software write protection', async () => {
    for (const [asked, seen] of [
      ['on', 'SWP:1'],
      ['off', 'SWP:0'],
    ] as const) {
      await tool('iscsi-swp', `--swp=${asked}`, portal.url(0));
      assert.ok((await tool('iscsi-swp', portal.url(0))).includes(seen));
    }
  });

  it('iscsi-perf reads for two seconds without an error', async () => {
    const said = await tool('iscsi-perf', '-t', '2', '-m', '16', portal.url(0));
    assert.match(said, /finished/, said);
  });
});
