/** Builds the guests' root file systems: busybox, kernel modules, tools of this machine with their libraries, an agent. */
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
import { CpioArchive } from './cpio.ts';
import { type GuestKernel, guestKernel, staticBusybox } from './debian-packages.ts';
import { AGENT, FUNCTIONS, INIT } from './guest-scripts.ts';
import { moduleOrder } from './kernel-modules.ts';
import { findCommand } from './needs.ts';
import { CACHE } from './places.ts';

const MODULES = [
  'virtio_pci',
  'virtio_console',
  'virtio_scsi',
  'crct10dif_pclmul',
  'crc32c_generic',
  'sd_mod',
  'sr_mod',
  'sg',
];

const TOOLS = [
  'lsscsi',
  'mke2fs',
  'e2fsck',
  'iscsi-test-cu',
  'sg_dd',
  'sg_inq',
  'sg_luns',
  'sg_modes',
  'sg_opcodes',
  'sg_persist',
  'sg_raw',
  'sg_readcap',
  'sg_requests',
  'sg_reset',
  'sg_sync',
  'sg_turs',
  'sg_vpd',
];

/** `fio` has 80 MB of libraries; only guests that need it carry it. */
const TOOLS_OF = { base: TOOLS, fio: [...TOOLS, 'fio'] } as const;

export type ImageKind = keyof typeof TOOLS_OF;

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

function build(kind: ImageKind, kernel: GuestKernel): Buffer {
  const archive = new CpioArchive();
  for (const folder of ['bin', 'dev', 'etc', 'mnt', 'proc', 'sys', 'tmp', 'modules']) {
    archive.folder(folder);
  }
  archive.characterDevice('dev/console', 5, 1);
  archive.file('bin/busybox', readFileSync(staticBusybox())).link('bin/sh', 'busybox');
  // mke2fs and e2fsck want to know what is mounted.
  archive.link('etc/mtab', '/proc/mounts');
  archive.file('init', INIT).file('bin/agent', AGENT).file('etc/functions', FUNCTIONS);
  const modules = moduleOrder(kernel.modules, MODULES);
  for (const path of modules) archive.file(`modules/${basename(path)}`, readFileSync(path), 0o644);
  archive.file('modules/order', `${modules.map((path) => basename(path)).join('\n')}\n`, 0o644);
  addTools(archive, TOOLS_OF[kind]);
  return archive.bytes();
}

/** Changes when an image would have to be built anew: other scripts, tools, kernel. */
function fingerprint(kind: ImageKind, kernel: GuestKernel): string {
  const hash = createHash('sha256').update(
    `${kind} ${kernel.version} ${INIT} ${AGENT} ${FUNCTIONS} ${MODULES}`,
  );
  for (const tool of TOOLS_OF[kind]) {
    const program = findCommand(tool);
    hash.update(`${tool} `);
    if (program !== null) hash.update(readFileSync(program));
  }
  return hash.digest('hex').slice(0, 12);
}

/** Kernel and initramfs of this kind, built when the cache does not have them. */
export function bootFiles(kind: ImageKind): BootFiles {
  const kernel = guestKernel();
  const initramfs = join(CACHE, `${kind}-${fingerprint(kind, kernel)}.cpio`);
  if (!existsSync(initramfs)) {
    mkdirSync(CACHE, { recursive: true });
    const part = `${initramfs}.${process.pid}`;
    writeFileSync(part, build(kind, kernel));
    renameSync(part, initramfs);
  }
  return { kernel: kernel.image, initramfs };
}
