/** Takeovers under a running Linux: from QEMU's scsi-hd to our LUN with the file system mounted, and every way it can fail. */
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LunStatus } from '../../src/daemon/attached-disk.ts';
import { tryLock } from '../../src/libc.ts';
import { type Outcome, ringscsi, ringscsiJson, Serving } from '../cli/command.ts';
import { Guest } from './support/guest.ts';
import { note } from './support/report.ts';

const IMAGE_MIB = 256;
/** How often in a row the takeover is done, each time with a fresh guest and image. */
const ROUNDS = Number(process.env['RINGSCSI_TAKEOVER_ROUNDS'] ?? 1);
const WRITE_MS = 1000;

/**
 * What the scripts share. `path VENDOR` prints the disk of a vendor; `writer` writes files and notes their checksums until
 * /tmp/stop is there; `multipath` makes one device of both disks, the emulated one first; requests wait while no path is left.
 */
const SCRIPT = `
path() {
  for place in /sys/block/sd*; do
    grep -q "^$1" $place/device/vendor && { basename $place; return 0; }
  done
  return 1
}
group() { echo "round-robin 0 1 1 $(cat /sys/block/$1/dev) 1"; }
mapping() {
  size=$(cat /sys/block/$(path RINGSCSI)/size)
  groups=
  for name in $*; do groups="$groups $(group $name)"; done
  echo "0 $size multipath 1 queue_if_no_path 0 $# 1$groups"
}
multipath() { dmsetup create disk --noudevsync --noudevrules --table "$(mapping $(path QEMU) $(path RINGSCSI))"; }
writer() {
  i=0
  until [ -e /tmp/stop ]; do
    dd if=/dev/urandom of=/mnt/file$i bs=64k count=8 conv=fsync 2>/dev/null || { echo "file $i" >> /tmp/failed; break; }
    sha256sum /mnt/file$i >> /tmp/sums
    i=$((i+1))
  done
  touch /tmp/ended
}
finish() {
  touch /tmp/stop
  until [ -e /tmp/ended ]; do usleep 50000; done
  [ ! -e /tmp/failed ] || { cat /tmp/failed; dmesg | tail -40; return 1; }
  sync
  echo 3 > /proc/sys/vm/drop_caches
  sha256sum -c /tmp/sums > /tmp/checked || { grep -v OK /tmp/checked; return 1; }
  umount /mnt
  e2fsck -fn $1
  wc -l < /tmp/sums
}
`;

class Stage {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'ringscsi-takeover-'));
  serving: Serving | null = null;
  guest: Guest | null = null;

  get image(): string {
    return join(this.directory, 'disk.img');
  }

  /** Starts the daemon with the LUN in standby, and a guest with both the emulated disk and our HBA. */
  async begin(disk: readonly string[], boot: { readonly slots?: number } = {}): Promise<void> {
    writeFileSync(this.image, '');
    truncateSync(this.image, IMAGE_MIB * 1024 * 1024);
    const { directory } = this;
    const vhost = join(directory, 'vhost.sock');
    this.serving = new Serving(
      directory,
      ...['--listen', `vhost-user:${vhost}`, '--control', 'c.sock'],
      ...['--lun', '0:disk,path=disk.img,standby'],
      ...['--emulated', 'vm/emu0,at=scsi,qmp=takeover.qmp,lun=0'],
    );
    // The image is the emulated disk's at first: only then is the daemon's LUN in standby for a reason.
    await this.serving.ready();
    // The emulated disk says that it is the same one.
    const [lun] = await ringscsiJson<LunStatus[]>(directory, 'lun', 'list', '--control', 'c.sock');
    const identity = `,serial=${lun?.serial},wwn=0x${lun?.naa}`;
    const same = disk.map((word) => (word.startsWith('scsi-hd') ? word + identity : word));
    this.guest = await Guest.boot({
      slots: boot.slots ?? 0,
      options: [
        ...['-qmp', `unix:${join(directory, 'takeover.qmp')},server=on,wait=off`],
        ...['-drive', `if=none,id=d0,format=raw,file=${this.image}`],
        ...same,
        ...['-chardev', `socket,id=vhost,path=${vhost}`],
        ...['-device', 'vhost-user-scsi-pci,id=pv,chardev=vhost,num_queues=1'],
      ],
    });
  }

  async sh(script: string, timeoutMs?: number): Promise<string> {
    assert.ok(this.guest !== null);
    return await this.guest.sh(`${SCRIPT}\n${script}`, timeoutMs);
  }

  takeover(...words: readonly string[]): Promise<Outcome> {
    const fixed = ['takeover', '--control', 'c.sock', '--lun', '0'];
    return ringscsi(this.directory, ...fixed, ...words);
  }

  /** The takeover as it should be. */
  usual(): Promise<Outcome> {
    return this.takeover('--qmp', 'takeover.qmp', '--device', 'emu0');
  }

  async write(): Promise<void> {
    await this.sh('writer < /dev/null > /dev/null 2>&1 &');
    await new Promise((resolve) => setTimeout(resolve, WRITE_MS));
  }

  /** Ends the writing; everything that was written is there. Returns how many files that were. */
  async check(device: string): Promise<number> {
    const said = await this.sh(`finish ${device}`);
    return Number(said.split('\n').at(-1));
  }

  async end(): Promise<void> {
    await this.guest?.kill();
    await this.serving?.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

const SCSI_DISK = [
  '-device',
  'virtio-scsi-pci,id=emu',
  '-device',
  'scsi-hd,bus=emu.0,id=emu0,drive=d0',
];
const PCI_DISK = ['-device', 'virtio-blk-pci,bus=rp1,id=emu0,drive=d0'];
/** Hot-plugging by the PCI Express port itself, which the guest can be kept from following. */
const NATIVE_HOTPLUG = ['-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'];

describe('takeover', () => {
  let stage: Stage;
  beforeEach(() => {
    stage = new Stage();
  });
  afterEach(async () => await stage.end());

  const mounted = 'multipath; mke2fs -q -t ext4 /dev/dm-0; mount /dev/dm-0 /mnt';

  for (let round = 1; round <= ROUNDS; round += 1) {
    it(`with the file system mounted and written to (${round} of ${ROUNDS})`, async () => {
      await stage.begin(SCSI_DISK);
      await stage.sh(mounted);
      await stage.write();
      const before = Number(await stage.sh('wc -l < /tmp/sums'));
      const { code, out, err } = await stage.usual();
      assert.equal(code, 0, err);
      note(`takeover, round ${round}: ${out.trim()}`);
      await new Promise((resolve) => setTimeout(resolve, WRITE_MS));
      const files = await stage.check('/dev/dm-0');
      assert.ok(before > 0 && files > before + 1, `${before} files before, ${files} in the end`);
      assert.equal(await stage.sh('path QEMU || echo gone'), 'gone');
      // The multipath device is not needed any more: the LUN alone has it all.
      await stage.sh(
        'dmsetup remove --noudevsync disk; mount /dev/$(path RINGSCSI) /mnt; sha256sum -c /tmp/sums > /dev/null',
      );
      const messages = await stage.guest?.messages();
      assert.doesNotMatch(
        messages ?? '',
        /EXT4-fs error|Buffer I\/O error on dev dm-0|lost async page write/,
      );
    });
  }

  it('before anything is mounted, asked for by the driver of the guest at port 10h', async () => {
    await stage.begin(SCSI_DISK);
    await stage.sh('mke2fs -q -t ext4 /dev/$(path QEMU); sync');
    const transcript =
      'R.w 10=49d2; R.b 12=01; W.w 12=0003; W.l 10=00000001; R.w 10=49d2; W.w 10=0001';
    const played = await ringscsi(
      stage.directory,
      'unplug',
      'play',
      'vm',
      transcript,
      '--control',
      'c.sock',
    );
    assert.equal(played.code, 0, played.out + played.err);
    await stage.sh('until ! path QEMU; do usleep 100000; done; mount /dev/$(path RINGSCSI) /mnt');
    await stage.write();
    assert.ok((await stage.check('/dev/$(path RINGSCSI)')) > 0);
  });

  it('both disks have one NAA designator, by which udev and multipath daemons put them together', async () => {
    await stage.begin(SCSI_DISK);
    const naa = await stage.sh(
      'for one in QEMU RINGSCSI; do sg_vpd -p di /dev/$(path $one) | grep 0x3; done',
    );
    const [emulated, ours, third] = naa.split('\n').map((line) => line.trim());
    assert.match(ours ?? '', /^0x3[0-9a-f]{15}$/);
    assert.equal(emulated, ours);
    assert.equal(third, undefined);
  });

  it('a guest sees the LUN in standby: how large it is, not what is on it', async () => {
    await stage.begin(SCSI_DISK);
    const size = await stage.sh('cat /sys/block/$(path RINGSCSI)/size');
    assert.equal(Number(size), IMAGE_MIB * 2048);
    await stage.sh(`
      disk=/dev/$(path RINGSCSI)
      if dd if=$disk of=/dev/null bs=4k count=1; then exit 1; fi
      if dd if=/dev/zero of=$disk bs=4k count=1 oflag=direct; then exit 1; fi`);
    const sense = await stage.sh('sg_requests /dev/$(path RINGSCSI)');
    assert.match(sense, /target port in standby state/i);
  });

  for (const [name, words, reason] of [
    ['the device id is unknown', ['--qmp', 'takeover.qmp', '--device', 'emu9'], /none of this id/],
    ['no QEMU is at the monitor', ['--qmp', 'none.qmp', '--device', 'emu0'], /no QEMU listens/],
    ['the device is no disk', ['--qmp', 'takeover.qmp', '--device', 'pv'], /no disk/],
  ] as const) {
    it(`when ${name} the guest goes on with its emulated disk`, async () => {
      await stage.begin(SCSI_DISK);
      await stage.sh(mounted);
      await stage.write();
      const { code, err } = await stage.takeover(...words);
      assert.equal(code, 1);
      assert.match(err, reason);
      assert.ok((await stage.check('/dev/dm-0')) > 0);
      assert.match(await stage.sh('path QEMU'), /^sd/);
    });
  }

  it('when the guest refuses to let go it goes on with its emulated disk', async () => {
    await stage.begin([...NATIVE_HOTPLUG, ...PCI_DISK], { slots: 1 });
    await stage.sh(`
      for port in /sys/bus/pci_express/drivers/pciehp/*:pcie*; do
        [ -e $port ] && basename $port > /sys/bus/pci_express/drivers/pciehp/unbind
      done
      mke2fs -q -t ext4 /dev/vda; mount /dev/vda /mnt`);
    await stage.write();
    const words = ['--qmp', 'takeover.qmp', '--device', 'emu0', '--unplug-timeout', '3'];
    const { code, err } = await stage.takeover(...words);
    assert.equal(code, 1);
    assert.match(err, /kept it for 3000 ms.*the guest keeps its emulated disk/);
    assert.ok((await stage.check('/dev/vda')) > 0);
  });

  it('when the image cannot be locked the emulated disk comes back, and nothing is lost', async () => {
    await stage.begin(SCSI_DISK);
    await stage.sh(mounted);
    await stage.write();
    const fd = openSync(stage.image, 'r+');
    assert.ok(tryLock(fd, false));
    const { code, err } = await stage.usual();
    assert.equal(code, 1);
    assert.match(err, /in use by .*the emulated disk was plugged in again/);
    // What multipathd does when a path comes back under another name.
    await stage.sh(`
      until emulated=$(path QEMU); do usleep 100000; done
      dmsetup suspend --noudevsync --nolockfs --noflush disk
      dmsetup load disk --table "$(mapping $emulated $(path RINGSCSI))"
      dmsetup resume --noudevsync --noudevrules disk`);
    assert.ok((await stage.check('/dev/dm-0')) > 0);
    closeSync(fd);
    const { code: second, err: words } = await stage.usual();
    assert.equal(second, 0, words);
    await stage.sh('mount /dev/dm-0 /mnt; sha256sum -c /tmp/sums > /dev/null');
  });
});
