/**
 * `npm run test:power-cut [-- --seed N] [--cuts N] [--no-guest]`: random power cuts, half of them under a journal of our own, half
 * under ext4 in a guest; what they lost, and that a store without its sync would have lost something. Exits 1 on a loss.
 */
import { parseArgs } from 'node:util';
import { bootFiles } from '../guest/support/initramfs.ts';
import { missingNeeds } from '../guest/support/needs.ts';
import { cutExt4 } from './ext4.ts';
import { recordExt4 } from './ext4-guest.ts';
import { type CutReport, cutOwnJournal } from './own-journal.ts';

const SHOWN = 10;
const WITHOUT_SYNC = 20;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function show(what: string, { cuts, losses, replays }: CutReport): void {
  for (const loss of losses.slice(0, SHOWN)) print(loss);
  print(`${what}: ${cuts} cuts, ${losses.length} losses (${replays} journals replayed)`);
}

/** Whether a broken store is noticed. */
function noticed(what: string, { cuts, losses }: CutReport): boolean {
  print(`${what}, without syncs: ${cuts} cuts, ${losses.length} losses`);
  if (losses.length === 0) print('  a store that forgets its sync must lose something here');
  return losses.length > 0;
}

async function main(seed: number, cuts: number, guest: boolean): Promise<number> {
  const missing = guest ? missingNeeds() : 'No guest was asked for';
  const inGuest = missing === null ? Math.floor(cuts / 2) : 0;
  print(`seed ${seed}`);
  const own = cutOwnJournal(seed, cuts - inGuest, 'none');
  show('own journal', own);
  let good = noticed('own journal', cutOwnJournal(seed, WITHOUT_SYNC, 'no-sync'));
  let losses = own.losses.length;
  let total = own.cuts;
  if (missing === null) {
    bootFiles('base');
    const recording = await recordExt4();
    print(`ext4: ${recording.events.length} events recorded`);
    const ext4 = await cutExt4(recording, seed, inGuest, true);
    show('ext4', ext4);
    good = noticed('ext4', await cutExt4(recording, seed, WITHOUT_SYNC, false)) && good;
    losses += ext4.losses.length;
    total += ext4.cuts;
  } else {
    print(`ext4 is skipped, every cut is one of our own journal. ${missing}`);
  }
  print(`${total} cuts, ${losses} losses`);
  return good && losses === 0 ? 0 : 1;
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    cuts: { type: 'string', default: '1000' },
    'no-guest': { type: 'boolean', default: false },
  },
});
const seed = Number(values.seed ?? Date.now() % 1_000_000);
process.exitCode = await main(seed, Number(values.cuts), !values['no-guest']);
