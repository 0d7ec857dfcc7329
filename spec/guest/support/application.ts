/** ringscsi itself as a disk image that a guest unpacks: what runs of this build, and the packages it needs. */
import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './places.ts';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
}

function dependenciesOf(manifest: string): string[] {
  const { dependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
  return Object.keys(dependencies);
}

/** Names of the packages that run time needs, and of those that these need. */
function packages(): string[] {
  const found = new Set(dependenciesOf(join(ROOT, 'package.json')));
  // A set grows while it is walked.
  for (const name of found) {
    for (const other of dependenciesOf(join(ROOT, 'node_modules', name, 'package.json'))) {
      found.add(other);
    }
  }
  // The library of koffi, which is an optional dependency for each platform.
  found.add('@koromix/koffi-linux-x64');
  return [...found];
}

/** Writes the image, an archive that begins with the disk. */
export function packApplication(path: string): void {
  const folders = ['dist/src', ...packages().map((name) => `node_modules/${name}`)];
  const words = ['-C', ROOT, '-chf', path, 'package.json', ...folders];
  const ran = spawnSync('tar', words, { encoding: 'utf8' });
  assert.equal(ran.status, 0, ran.stderr);
}
