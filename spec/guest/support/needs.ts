/** What the guest tests need from the machine they run on, and what to say when it is not there. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

interface Need {
  readonly command: string;
  /** Debian package that has it. */
  readonly from: string;
}

/** Tools that run here, and tools that are copied into the guest's image. */
const NEEDS: readonly Need[] = [
  { command: 'qemu-system-x86_64', from: 'qemu-system-x86' },
  { command: 'apt-get', from: 'apt' },
  { command: 'dpkg-deb', from: 'dpkg' },
  { command: 'ldd', from: 'libc-bin' },
  { command: 'fio', from: 'fio' },
  { command: 'iscsi-test-cu', from: 'libiscsi-bin' },
  { command: 'sg_inq', from: 'sg3-utils' },
  { command: 'lsscsi', from: 'lsscsi' },
  { command: 'mke2fs', from: 'e2fsprogs' },
];

function runnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The file behind a command; null when there is none. */
export function findCommand(command: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  // e2fsprogs live where only root's PATH leads.
  for (const folder of [...folders, '/usr/sbin', '/sbin']) {
    const path = join(folder, command);
    if (runnable(path)) return path;
  }
  return null;
}

/** What is missing, as text for people; null when nothing is. */
export function missingNeeds(): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return 'Guest tests need Linux on x86-64: the guest is an x86-64 Debian with the tools of this machine.';
  }
  const missing = NEEDS.filter(({ command }) => findCommand(command) === null);
  if (missing.length === 0) return null;
  const packages = [...new Set(missing.map(({ from }) => from))].sort();
  const lines = missing.map(({ command, from }) => `  ${command.padEnd(20)} (package ${from})`);
  return [
    'Guest tests need commands that are not here:',
    ...lines,
    `Install them: apt-get install --no-install-recommends ${packages.join(' ')}`,
  ].join('\n');
}
