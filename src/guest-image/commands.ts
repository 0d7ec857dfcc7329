/** Finds the programs of this machine: those that run here, and those that are copied into a guest. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

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

export interface NeededCommand {
  readonly command: string;
  /** Debian package that has it. */
  readonly from: string;
}

/** What is missing, and how to install it, as text for people that begins with `who`; null when nothing is missing. */
export function missingCommands(who: string, needs: readonly NeededCommand[]): string | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return `${who} Linux on x86-64: the guest is an x86-64 Debian with the tools of this machine.`;
  }
  const missing = needs.filter(({ command }) => findCommand(command) === null);
  if (missing.length === 0) return null;
  const packages = [...new Set(missing.map(({ from }) => from))].sort();
  const lines = missing.map(({ command, from }) => `  ${command.padEnd(20)} (package ${from})`);
  return [
    `${who} commands that are not here:`,
    ...lines,
    `Install them: apt-get install --no-install-recommends ${packages.join(' ')}`,
  ].join('\n');
}
