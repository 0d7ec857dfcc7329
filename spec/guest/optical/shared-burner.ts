/** X12: two guests that would write, on one burner. One of them does, the other is told so, and the disc is what the first has burnt. */
import { strict as assert } from 'node:assert';
import { verifyBurnt } from '../../../src/luns/disc/burn-export.ts';
import type { Guest } from '../support/guest.ts';
import { blankAt } from './drive.ts';
import { burnSlowly, SLOWLY_WRITTEN_BLOCKS } from './functions.ts';
import {
  BURNER,
  ends,
  GOOD,
  ILLEGAL_REQUEST,
  type Pair,
  RESERVATION_CONFLICT,
  type SharedRow,
  until,
} from './shared-pair.ts';

/** Device file of the burner. */
const BURNER_FILE = `D=$(node block ${BURNER});`;
const KEY = '0xa';

let discs = 0;

/** A fresh blank is in the burner, and both know. */
async function renew(pair: Pair): Promise<string> {
  discs += 1;
  const path = blankAt(pair.drive.file(`shared-${discs}`), 'cd-rw');
  await pair.load(BURNER, path, true);
  for (const guest of pair.both) {
    await guest.shUntil(`sg_turs $(sg ${BURNER}) > /dev/null 2>&1`);
  }
  pair.drive.commands.clear();
  return path;
}

const burns = (guest: Guest, line: string): Promise<string> =>
  ends(guest, `${BURNER_FILE} ${line}`, GOOD);

/** A program that burns ends with an error, and before it is ended. */
const fails = (guest: Guest, line: string): Promise<string> =>
  ends(guest, `${BURNER_FILE} refused timeout 100 ${line}`, GOOD);

/** Both read what is on the disc, and so does the host. */
async function isOn({ both, sources }: Pair, path: string, image: string): Promise<void> {
  for (const guest of both) {
    await burns(guest, `mounted iso9660 md5sum -c $S/${image}.md5 && same ${image} iflag=direct`);
  }
  assert.equal(verifyBurnt(path, sources.path(image)).different, 0);
}

/** The first guest burns disc a, and waits in the middle. */
async function begin(pair: Pair): Promise<void> {
  await burns(pair.first, burnSlowly(''));
  await until('the burn is in its middle', async () => {
    const { disc } = await pair.medium(BURNER);
    return disc?.burning?.writtenBlocks === SLOWLY_WRITTEN_BLOCKS;
  });
}

/** It goes on, and ends well. */
async function goOn({ first }: Pair): Promise<void> {
  await ends(first, 'touch /tmp/go', GOOD);
  await first.shUntil('[ -s /tmp/code ]', 60_000);
  assert.equal(
    (await ends(first, 'cat /tmp/burn /tmp/code', GOOD)).trimEnd().split('\n').at(-1),
    '0',
  );
}

async function oneBurns(pair: Pair): Promise<void> {
  const path = await renew(pair);
  const { second } = pair;
  await begin(pair);
  await fails(second, 'cdrskin dev=$D -v -tao $S/b.iso');
  await fails(second, 'wodim dev=$D gracetime=2 -tao -data $S/b.iso');
  await fails(second, 'cdrskin dev=$D -v blank=fast');
  // WRITE(10) where the first goes on, CLOSE SESSION, BLANK, the tray.
  for (const [cdb, data, why] of [
    ['2a 00 00 00 01 20 00 00 01 00', '-s 2048 -i $S/b.iso', /Command sequence error/i],
    ['5b 00 02 00 00 00 00 00 00 00', '', /Command sequence error/i],
    ['a1 01 00 00 00 00 00 00 00 00 00 00', '', /Command sequence error/i],
    ['1b 00 00 00 02 00', '', /removal prevented/i],
  ] as const) {
    const line = `sg_raw ${data} $(sg ${BURNER}) ${cdb} 2>&1`;
    assert.match(await ends(second, line, ILLEGAL_REQUEST), why, line);
  }
  await goOn(pair);
  await isOn(pair, path, 'a.iso');
  // Now it is the other's turn.
  await burns(second, 'cdrskin dev=$D -v blank=fast && cdrskin dev=$D -v -sao $S/b.iso');
  await isOn(pair, path, 'b.iso');
}

async function oneReserves(pair: Pair): Promise<void> {
  const path = await renew(pair);
  const { first, second } = pair;
  const persist = (words: string): Promise<string> =>
    ends(first, `sg_persist --out ${words} $(sg ${BURNER}) 2>&1`, GOOD);
  await persist(`--register --param-sark=${KEY}`);
  await persist(`--reserve --param-rk=${KEY} --prout-type=1`);
  await fails(second, 'wodim dev=$D gracetime=2 -tao -data $S/b.iso');
  // libburn looks at sense alone, and RESERVATION CONFLICT has none: it takes its writes for done.
  await burns(second, '{ cdrskin dev=$D -v -tao $S/b.iso || true; } 2>&1');
  assert.match(await burns(second, 'cdrskin dev=$D -minfo 2>&1'), /disk status:\s+empty/);
  const write = `sg_raw -s 2048 -i $S/b.iso $(sg ${BURNER}) 2a 00 00 00 00 00 00 00 01 00 2>&1`;
  await ends(second, write, RESERVATION_CONFLICT);
  await burns(first, 'cdrskin dev=$D -v -sao $S/a.iso');
  await isOn(pair, path, 'a.iso');
  await persist(`--clear --param-rk=${KEY}`);
  await burns(second, 'cdrskin dev=$D -v blank=fast');
}

export const BURNER_ROWS: readonly SharedRow[] = [
  { mode: 'X12 one burns, the other cannot', quick: true, run: oneBurns },
  { mode: 'X12 one reserves, then burns', quick: false, run: oneReserves },
];
