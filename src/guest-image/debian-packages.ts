/** Fetches Debian's cloud kernel and static busybox into the cache and unpacks them there; nothing is installed. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const KERNEL_PACKAGE = 'linux-image-cloud-amd64';

export interface GuestKernel {
  /** For QEMU's -kernel. */
  readonly image: string;
  /** lib/modules/VERSION. */
  readonly modules: string;
  readonly version: string;
}

function run(command: string, args: readonly string[], directory: string): string {
  const ran = spawnSync(command, args, { cwd: directory, encoding: 'utf8' });
  if (ran.status === 0) return ran.stdout;
  const why = ran.error?.message ?? ran.stderr.trim();
  throw new Error(`${command} ${args.join(' ')} failed: ${why}\nIs "apt-get update" needed?`);
}

/** The package with the files: the one without a version only depends on it. */
function versionedKernel(): string {
  const depends = run('apt-cache', ['depends', KERNEL_PACKAGE], '/');
  const found = /Depends: (linux-image-\S+-cloud-amd64)/.exec(depends);
  if (found?.[1] === undefined) {
    throw new Error(`Package ${KERNEL_PACKAGE} is unknown here; is "apt-get update" needed?`);
  }
  return found[1];
}

/** Unpacks a package below the cache, once; a half-done attempt does not count. */
function unpacked(cache: string, name: string, packageName: () => string): string {
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  run('apt-get', ['download', '-q', packageName()], part);
  const archive = readdirSync(part).find((file) => file.endsWith('.deb')) ?? '';
  run('dpkg-deb', ['-x', archive, '.'], part);
  rmSync(join(part, archive));
  renameSync(part, folder);
  return folder;
}

export function guestKernel(cache: string): GuestKernel {
  const folder = unpacked(cache, 'kernel', versionedKernel);
  const versions = readdirSync(join(folder, 'lib', 'modules'));
  const version = versions[0] ?? '';
  return {
    image: join(folder, 'boot', `vmlinuz-${version}`),
    modules: join(folder, 'lib', 'modules', version),
    version,
  };
}

/** The path of a busybox that needs no libraries. */
export function staticBusybox(cache: string): string {
  return join(
    unpacked(cache, 'busybox', () => 'busybox-static'),
    'bin',
    'busybox',
  );
}
