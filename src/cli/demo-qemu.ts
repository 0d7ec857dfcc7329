/** What `npm run demo -- --qemu` shows: a stock Linux guest in a stock QEMU attaches, and says itself what it sees. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { LunStatus } from '../daemon/attached-disk.ts';
import type { BootFiles } from '../guest-image/initramfs.ts';
import type { Cast } from './demo-cast.ts';
import { DemoMachine, demoBootFiles, machineWords, QEMU } from './demo-machine.ts';
import { check, type Shown, type Step } from './demo-step.ts';
import { shellLine } from './qemu-command.ts';

const IMAGE_MIB = 64;
const FILES = 8;
const HOT_ADD_S = 10;

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

export class QemuStage {
  readonly cast: Cast;
  #boot: BootFiles | null = null;
  #machine: DemoMachine | null = null;
  words: readonly string[] = [];

  constructor(cast: Cast) {
    this.cast = cast;
  }

  get image(): string {
    return join(this.cast.directory, 'a.img');
  }

  /** Kernel and root file system. */
  get boot(): BootFiles {
    this.#boot ??= demoBootFiles();
    return this.#boot;
  }

  get guest(): DemoMachine {
    check(this.#machine !== null, 'the guest does not run');
    return this.#machine;
  }

  async start(words: readonly string[]): Promise<void> {
    this.#machine = new DemoMachine(words);
    await this.#machine.booted();
  }

  end(): void {
    this.#machine?.kill();
  }
}

async function fetchKernel(stage: QemuStage): Promise<Shown> {
  await Promise.resolve();
  const { kernel, initramfs } = stage.boot;
  return {
    text: `${kernel.split('/').at(-1)}, from Debian, unmodified`,
    facts: { kernel, initramfs },
  };
}

async function startDaemon({ cast }: QemuStage): Promise<Shown> {
  const listen = `vhost-user:${join(cast.directory, 'vu.sock')}`;
  const luns = [`0:disk,path=a.img,size=${IMAGE_MIB}M`, '1:disk,memory=32M,block=4096'];
  await cast.startDaemon(luns, listen);
  const options = [...luns.map((lun) => `--lun ${lun}`), '--listen vhost-user:vu.sock'];
  const line = `ringscsi serve ${options.join(' ')} --control control.sock`;
  return { text: line, facts: { processId: cast.daemonProcessId, listen } };
}

async function askForWords(stage: QemuStage): Promise<Shown> {
  const control = join(stage.cast.directory, 'control.sock');
  const args = ['qemu-args', '--control', control, '--memory', '256M', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args]);
  stage.words = JSON.parse(stdout) as string[];
  const text = `ringscsi qemu-args --control control.sock --memory 256M: ${shellLine(stage.words)}`;
  return { text, facts: { words: stage.words } };
}

async function bootGuest(stage: QemuStage): Promise<Shown> {
  await stage.start([...stage.words, ...machineWords(stage.boot)]);
  const system = await stage.guest.run('uname -sr');
  const driver = await stage.guest.run('cat /sys/class/scsi_host/host0/proc_name');
  check(driver === 'virtio_scsi', `the guest's HBA is driven by ${driver}`);
  const text = `${QEMU} $(ringscsi qemu-args …) …: ${system}, its stock driver ${driver} found the HBA`;
  return { text, facts: { system, driver } };
}

async function listDisks({ guest, cast }: QemuStage): Promise<Shown> {
  const view = await guest.run('/usr/bin/lsscsi --size');
  const luns = await cast.control<LunStatus[]>('lun.list');
  const lines = view.split('\n');
  check(lines.length === luns.length, `the guest lists ${lines.length} disks of ${luns.length}`);
  check(
    lines.every((line) => line.includes('RINGSCSI')),
    `the guest sees other disks:\n${view}`,
  );
  const text = ['lsscsi in the guest says', ...lines].join('\n          ');
  return { text, facts: { lsscsi: lines } };
}

/** The name that the guest has for LUN 0: it looks at its disks side by side, so the names fall as they may. */
async function firstDisk(guest: QemuStage['guest']): Promise<string> {
  return `/dev/${await guest.run('ls /sys/class/scsi_device/*:0:0:0/device/block')}`;
}

async function writeFiles({ guest }: QemuStage): Promise<Shown> {
  const disk = await firstDisk(guest);
  const sums = await guest.run(`
    /usr/bin/mke2fs -q -t ext4 ${disk}
    mount ${disk} /mnt
    for i in $(seq ${FILES}); do dd if=/dev/urandom of=/mnt/file$i bs=1M count=2 2>/dev/null; done
    cd /mnt; sha256sum file* > sums; cd /
    umount /mnt
    echo 3 > /proc/sys/vm/drop_caches
    mount ${disk} /mnt
    cd /mnt; sha256sum -c sums; cd /
    umount /mnt`);
  const good = sums.split('\n').filter((line) => line.endsWith(': OK')).length;
  check(good === FILES, `the guest read back what it did not write:\n${sums}`);
  const text = `ext4 made and mounted, ${FILES} files of 2 MiB written, unmounted, read again: every checksum is right`;
  return { text, facts: { files: FILES } };
}

async function compareImage({ guest, image }: QemuStage): Promise<Shown> {
  const disk = await firstDisk(guest);
  const [seen = ''] = (await guest.run(`sha256sum ${disk}`)).split(' ');
  const hash = createHash('sha256');
  await pipeline(createReadStream(image), hash);
  const stored = hash.digest('hex');
  check(seen === stored, `the guest reads ${seen}, the image is ${stored}`);
  const text = `sha256 of ${disk} in the guest and of a.img here: ${seen.slice(0, 16)}…, both`;
  return { text, facts: { sha256: seen } };
}

async function hotAdd({ guest, cast }: QemuStage): Promise<Shown> {
  await cast.control('lun.add', { lun: 2, type: 'disk', memory: 16 * 2 ** 20 });
  const line = await guest.run(`
    for i in $(seq ${HOT_ADD_S * 10}); do
      /usr/bin/lsscsi | grep '0:0:0:2' && exit 0
      usleep 100000
    done
    exit 1`);
  return { text: `LUN 2 added; the guest found it by itself: ${line}`, facts: { lsscsi: line } };
}

async function endGuest({ guest, cast }: QemuStage): Promise<Shown> {
  const machine = await guest.powerOff();
  check(machine === 0, `QEMU ended with ${machine}`);
  const exitCode = await cast.stopDaemon();
  check(exitCode === 0, `the daemon ended with ${exitCode}`);
  return { text: 'the guest switched itself off, the daemon ended with exit code 0', facts: {} };
}

export const QEMU_STEPS: readonly Step<QemuStage>[] = [
  { name: 'kernel', run: fetchKernel },
  { name: 'daemon', run: startDaemon },
  { name: 'qemu-args', run: askForWords },
  { name: 'boot', run: bootGuest },
  { name: 'lsscsi', run: listDisks },
  { name: 'checksums', run: writeFiles },
  { name: 'image', run: compareImage },
  { name: 'hot add', run: hotAdd },
  { name: 'stop', run: endGuest },
];
