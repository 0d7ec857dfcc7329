/** The disc as the host has it after a burn: exported by `ringscsi library export` and compared with its source. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { MAIN } from '../support/places.ts';
import type { OpticalCase } from './case.ts';
import type { Drive } from './drive.ts';
import { OurDrive } from './drive.ts';
import type { Sources } from './sources.ts';

function ringscsi(...words: string[]): { readonly status: number | null; readonly said: string } {
  const ran = spawnSync(process.execPath, [MAIN, ...words], { encoding: 'utf8' });
  return { status: ran.status, said: `${ran.stdout}${ran.stderr}` };
}

/** What stands in the way; null: the command is there. */
export function hostSideMissing(): string | null {
  return /^ +ringscsi library /m.test(ringscsi('--help').said)
    ? null
    : 'this ringscsi has no library export';
}

function startsWith(path: string, expected: Buffer): boolean {
  const file = openSync(path, 'r');
  try {
    const found = Buffer.alloc(expected.length);
    return readSync(file, found, 0, found.length, 0) === found.length && found.equals(expected);
  } finally {
    closeSync(file);
  }
}

/** Why the export is not what was burnt; null: it is, or there is no image to compare with. */
export function hostSide(drive: Drive, row: OpticalCase, sources: Sources): string | null {
  if (!(drive instanceof OurDrive) || row.leaves.kind !== 'image') return null;
  if (hostSideMissing() !== null) return null;
  const file = `${drive.disc}.export.iso`;
  try {
    const { status, said } = ringscsi('library', 'export', drive.disc, file);
    if (status !== 0) return `library export ended with ${status}: ${said}`;
    const same = startsWith(file, readFileSync(sources.path(row.leaves.image)));
    return same ? null : `the export does not begin with ${row.leaves.image}`;
  } finally {
    rmSync(file, { force: true });
  }
}
