/**
 * `npm run test:burn [-- SEEDS [KIND]]`: burns at random with so many seeds, a thousand commands each, on every kind of medium, as many kinds at a
 * time as there are processors. Exits 1 when a disc is not what the reference model has, and says by which seed and command.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  isMediumKind,
  MEDIUM_KINDS,
  type MediumKind,
} from '../../../../src/scsi/mmc/burn/media.ts';
import { burnAtRandom } from '../../../support/random-burn.ts';

const COMMANDS = 1000;
const [seedsText = '20', only] = process.argv.slice(2);
const seeds = Number(seedsText);

function burn(kind: MediumKind): void {
  for (let seed = 1; seed <= seeds; seed += 1) burnAtRandom(kind, seed, COMMANDS);
  process.stdout.write(`${kind}: ${seeds} seeds\n`);
}

/** Burns one kind after the other, each in a process of its own. */
async function lane(kinds: MediumKind[]): Promise<void> {
  for (let kind = kinds.shift(); kind !== undefined; kind = kinds.shift()) {
    const words = ['--enable-source-maps', fileURLToPath(import.meta.url), seedsText, kind];
    const child = spawn(process.execPath, words, { stdio: 'inherit' });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) process.exitCode = 1;
  }
}

if (only !== undefined && isMediumKind(only)) {
  burn(only);
} else {
  const kinds = [...MEDIUM_KINDS];
  await Promise.all(Array.from({ length: availableParallelism() }, () => lane(kinds)));
}
