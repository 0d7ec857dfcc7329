/** Which file a QEMU means by the name of an image: relative names start at its own working directory. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename, isAbsolute, resolve } from 'node:path';

function lines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}

function names(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/**
 * Sockets that listen under this file name (unix(7), /proc/net/unix; flags 00010000 is SO_ACCEPTCON): what links of
 * descriptors say of them, and the name each was bound to, which may be relative to its process.
 */
function listeners(fileName: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of lines('/proc/net/unix')) {
    const [, , , flags, , , inode, name = ''] = line.trim().split(/\s+/);
    if (flags === '00010000' && basename(name) === fileName) found.set(`socket:[${inode}]`, name);
  }
  return found;
}

/** Working directory of the process that listens at a unix socket; null when it cannot be seen from here. */
function directoryOfListener(socket: string): string | null {
  const bound = listeners(basename(socket));
  if (bound.size === 0) return null;
  for (const id of names('/proc').filter((name) => /^\d+$/.test(name))) {
    const directory = linkOf(`/proc/${id}/cwd`);
    const fds = `/proc/${id}/fd`;
    for (const fd of directory === '' ? [] : names(fds)) {
      const name = bound.get(linkOf(`${fds}/${fd}`));
      if (name !== undefined && isSameFile(resolve(directory, name), socket)) return directory;
    }
  }
  return null;
}

/** Absolute path of what the QEMU behind the monitor at `socket` calls `name`; null when that cannot be told. */
export function imagePath(name: string, socket: string): string | null {
  if (isAbsolute(name)) return name;
  const directory = directoryOfListener(socket);
  return directory === null ? null : resolve(directory, name);
}

/** Whether both paths lead to one file or device, through links or not. */
export function isSameFile(a: string, b: string): boolean {
  const one = statSync(a, { throwIfNoEntry: false, bigint: true });
  const other = statSync(b, { throwIfNoEntry: false, bigint: true });
  if (one === undefined || other === undefined) return false;
  if (one.isBlockDevice() && other.isBlockDevice()) return one.rdev === other.rdev;
  return one.dev === other.dev && one.ino === other.ino;
}
