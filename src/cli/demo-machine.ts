/** The virtual machine of `npm run demo -- --qemu`: a stock QEMU with Debian's kernel, and a shell at its serial port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { missingCommands } from '../guest-image/commands.ts';
import { type BootFiles, bootFiles } from '../guest-image/initramfs.ts';

export const QEMU = 'qemu-system-x86_64';

/** dist/src/cli/demo-machine.js → the project. */
const CACHE = fileURLToPath(new URL('../../../.cache/guest', import.meta.url));

const NEEDS = [
  { command: QEMU, from: 'qemu-system-x86' },
  { command: 'apt-get', from: 'apt' },
  { command: 'dpkg-deb', from: 'dpkg' },
  { command: 'ldd', from: 'libc-bin' },
  { command: 'lsscsi', from: 'lsscsi' },
  { command: 'mke2fs', from: 'e2fsprogs' },
] as const;

const READY = 'demo-ready';
const ANSWER = 'demo-answer';
const BOOT_MS = 120_000;
const SCRIPT_MS = 60_000;

/** The first process of the guest: loads the drivers and runs what comes, a script of base64 a line. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
while read -r module; do insmod /modules/$module; done < /modules/order
stty -echo
echo ${READY}
while read -r id script; do
  printf %s "$script" | base64 -d > /tmp/script
  sh /tmp/script > /tmp/output 2>&1 < /dev/null
  echo "${ANSWER} $id $? $(base64 /tmp/output | tr -d '\\n')"
done
poweroff -f
`;

/** Why no machine can be started here, as text for people; null when one can. */
export function missingForMachine(): string | null {
  return missingCommands('A demo with a real guest needs', NEEDS);
}

/** Debian's kernel and a root file system for it; fetched and built the first time. Throws when that fails. */
export function demoBootFiles(): BootFiles {
  return bootFiles(CACHE, {
    name: 'demo',
    modules: ['virtio_pci', 'virtio_scsi', 'sd_mod', 'crc32c_generic'],
    tools: ['lsscsi', 'mke2fs'],
    scripts: { init: INIT },
  });
}

/** What the command line has beside the words of `ringscsi qemu-args`. */
export function machineWords(boot: BootFiles): string[] {
  return [
    ...['-M', 'q35', '-accel', 'tcg', '-cpu', 'max', '-nodefaults', '-display', 'none'],
    ...['-no-reboot', '-serial', 'stdio', '-kernel', boot.kernel, '-initrd', boot.initramfs],
    ...['-append', 'console=ttyS0 quiet loglevel=0 panic=-1 mitigations=off'],
  ];
}

interface Waiting {
  readonly resolve: (output: string) => void;
  readonly reject: (error: Error) => void;
}

export class DemoMachine {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #waiting = new Map<number, Waiting>();
  #errors = '';
  #rest = '';
  #lastId = 0;

  /** Starts QEMU with these words. */
  constructor(words: readonly string[]) {
    const child = spawn(QEMU, words, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.stdout.setEncoding('latin1').on('data', (chunk: string) => this.#received(chunk));
    child.stderr.on('data', (chunk: Uint8Array) => {
      this.#errors += Buffer.from(chunk).toString();
    });
    child.stdin.on('error', () => undefined);
    this.#ended = once(child, 'close').then(([code]) => code as number | null);
    this.#ended.then(
      () => this.#fail(`${QEMU} ended: ${this.#errors.trim()}`),
      (error: Error) => this.#fail(error.message),
    );
  }

  /** Resolves when the guest's drivers are loaded. */
  async booted(): Promise<void> {
    await this.#answer(0, BOOT_MS, 'the guest did not boot');
  }

  /** Runs a shell script in the guest; resolves with what it said. Rejects when it fails. */
  async run(script: string): Promise<string> {
    this.#lastId += 1;
    const answer = this.#answer(this.#lastId, SCRIPT_MS, `the guest did not finish "${script}"`);
    const text = Buffer.from(`set -e\n${script}\n`).toString('base64');
    this.#child.stdin?.write(`${this.#lastId} ${text}\n`);
    return await answer;
  }

  /** Has the guest switch itself off. Resolves with QEMU's exit code. */
  async powerOff(): Promise<number | null> {
    this.run('poweroff -f').catch(() => undefined);
    return await this.#ended;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #answer(id: number, timeoutMs: number, otherwise: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`${otherwise} within ${timeoutMs} ms`));
      }, timeoutMs);
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T): void => {
          clearTimeout(timer);
          then(value);
        };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
    });
  }

  #received(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line.trim());
  }

  /** The kernel may say something at the same port. */
  #line(line: string): void {
    if (line === READY) this.#settled(0)?.resolve('');
    if (!line.startsWith(`${ANSWER} `)) return;
    const [, id = '', code = '', output = ''] = line.split(' ');
    const text = Buffer.from(output, 'base64').toString().trimEnd();
    const waiting = this.#settled(Number(id));
    if (code === '0') waiting?.resolve(text);
    else waiting?.reject(new Error(`in the guest: ${text}`));
  }

  #settled(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #fail(why: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(why));
    this.#waiting.clear();
  }
}
