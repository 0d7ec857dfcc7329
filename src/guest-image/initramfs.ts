/** Builds root file systems of guests: busybox, kernel modules, tools of this machine with their libraries, scripts. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { findCommand } from './commands.ts';
import { CpioArchive } from './cpio.ts';
import { type GuestKernel, guestKernel, staticBusybox } from './debian-packages.ts';
import { moduleOrder } from './kernel-modules.ts';

export interface RootFileSystem {
  /** What its file in the cache is called. */
  readonly name: string;
  /** Kernel modules; what they need comes along. They are in /modules, /modules/order names them in loading order. */
  readonly modules: readonly string[];
  /** Programs of this machine, to be found in /usr/bin. */
  readonly tools: readonly string[];
  /** Files of this machine that the programs read, at the same place in the guest. */
  readonly files?: readonly string[];
  /** Texts of files by path; /init is the first process. */
  readonly scripts: Readonly<Record<string, string>>;
}

export interface BootFiles {
  readonly kernel: string;
  readonly initramfs: string;
}

/** Libraries a program is loaded with, as ldd finds them here. */
function libraries(program: string): string[] {
  const ran = spawnSync('ldd', [program], { encoding: 'utf8' });
  // "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)" and "/lib64/ld-linux-x86-64.so.2 (0x…)".
  return [...ran.stdout.matchAll(/(?:^|=>)\s*(\/\S+) \(/gm)].map((match) => match[1] ?? '');
}

function addTools(archive: CpioArchive, tools: readonly string[]): void {
  for (const tool of tools) {
    const program = findCommand(tool);
    if (program === null) throw new Error(`${tool} is not installed`);
    archive.file(`usr/bin/${tool}`, readFileSync(program));
    for (const library of libraries(program)) {
      archive.file(library.slice(1), readFileSync(realpathSync(library)));
    }
  }
}

function build(cache: string, root: RootFileSystem, kernel: GuestKernel): Buffer {
  const archive = new CpioArchive();
  for (const folder of ['bin', 'dev', 'etc', 'mnt', 'proc', 'sys', 'tmp', 'modules']) {
    archive.folder(folder);
  }
  archive.characterDevice('dev/console', 5, 1);
  archive.file('bin/busybox', readFileSync(staticBusybox(cache))).link('bin/sh', 'busybox');
  // mke2fs and e2fsck want to know what is mounted.
  archive.link('etc/mtab', '/proc/mounts');
  for (const [path, text] of Object.entries(root.scripts)) archive.file(path, text);
  const modules = moduleOrder(kernel.modules, root.modules);
  for (const path of modules) archive.file(`modules/${basename(path)}`, readFileSync(path), 0o644);
  archive.file('modules/order', `${modules.map((path) => basename(path)).join('\n')}\n`, 0o644);
  addTools(archive, root.tools);
  for (const path of root.files ?? []) archive.file(path.slice(1), readFileSync(path), 0o644);
  return archive.bytes();
}

/** Changes when an image would have to be built anew: other scripts, tools, kernel. */
function fingerprint(root: RootFileSystem, kernel: GuestKernel): string {
  const { name, modules, tools, files = [], scripts } = root;
  const hash = createHash('sha256').update(
    JSON.stringify([name, kernel.version, modules, files, scripts]),
  );
  for (const tool of tools) {
    const program = findCommand(tool);
    hash.update(`${tool} `);
    if (program !== null) hash.update(readFileSync(program));
  }
  return hash.digest('hex').slice(0, 12);
}

/**
 * Kernel and initramfs, built when the cache directory does not have them: Debian's cloud kernel and a static busybox are
 * fetched with apt then. Throws when that fails; nothing is installed.
 */
export function bootFiles(cache: string, root: RootFileSystem): BootFiles {
  const kernel = guestKernel(cache);
  const initramfs = join(cache, `${root.name}-${fingerprint(root, kernel)}.cpio`);
  if (!existsSync(initramfs)) {
    mkdirSync(cache, { recursive: true });
    const part = `${initramfs}.${process.pid}`;
    writeFileSync(part, build(cache, root, kernel));
    renameSync(part, initramfs);
  }
  return { kernel: kernel.image, initramfs };
}
