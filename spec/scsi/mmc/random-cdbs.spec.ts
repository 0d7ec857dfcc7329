/** Command descriptor blocks of all sorts at an optical drive: each ends once, moves no more than it may, and breaks nothing. */
import { strict as assert } from 'node:assert';
import type { Command } from '../../../src/scsi/command-table.ts';
import type { DiscLayout, SectorRun } from '../../../src/scsi/mmc/disc.ts';
import { optical, track, userRun } from '../../support/optical.ts';
import { Seeded } from '../../transport/control/seeded.ts';

/** After some commands a new drive: reservations and mode pages of the old one would keep the others out. */
const ROUND = 100;
const ROUNDS = 100;
const MOST_BYTES = 8192;
const SECTORS = 16;

/** Allow removal, load. */
const SETTLING = ['1e 00 00 00 00 00', '1b 00 00 00 03 00'];

/** User data, raw audio, sectors of both forms: 16 of each. */
function mixedDisc(): { readonly layout: DiscLayout; readonly bytes: Uint8Array } {
  const audioAt = SECTORS * 2048;
  const raw = (first: number, form: SectorRun['form'], position: number): SectorRun => ({
    ...userRun(first, SECTORS, position),
    form,
    stored: 'raw',
    strideBytes: 2352,
  });
  const end = 3 * SECTORS;
  const layout: DiscLayout = {
    profile: 0x08,
    sessions: [{ number: 1, type: 0x20, firstTrack: 1, lastTrack: 3, leadOut: end }],
    tracks: [
      track(1, 0, SECTORS, 'mode1'),
      track(2, SECTORS, 2 * SECTORS, 'audio'),
      track(3, 2 * SECTORS, end, 'mixed'),
    ],
    runs: [
      userRun(0, SECTORS),
      raw(SECTORS, 'audio', audioAt),
      raw(2 * SECTORS, 'mixed', audioAt + SECTORS * 2352),
    ],
    catalog: null,
    cdText: null,
  };
  return { layout, bytes: new Uint8Array(audioAt + 2 * SECTORS * 2352).fill(0x5a) };
}

/** A descriptor block of one of `commands`, with bits that it honours or with any; or of no command at all. */
function randomCdb(random: Seeded, commands: readonly Command[]): Uint8Array {
  const row = commands[random.below(commands.length)]?.row;
  if (row === undefined || random.below(20) === 0) return random.bytes(6 + random.below(11));
  // Small numbers are near the truth more often.
  const byte = (): number => (random.below(2) === 0 ? 0 : random.below(256));
  const cdb = Uint8Array.from({ length: row.lengthBytes }, byte);
  const masked = random.below(4) > 0;
  if (masked) cdb.set(cdb.map((value, i) => value & (row.honoured[i] as number)));
  if (row.serviceAction >= 0) cdb[1] = ((cdb[1] as number) & 0xe0) | row.serviceAction;
  cdb[0] = row.opcode;
  // An ACA would keep all the others out.
  cdb[row.controlByte] = 0;
  return cdb;
}

/** Sends some at a new drive; returns how many ended GOOD. */
function round(random: Seeded): number {
  const { layout, bytes } = mixedDisc();
  const faults = [{ operation: 'read', first: 5, end: 7 }] as const;
  const { bed, unit } = optical(layout, bytes, { faults });
  const nexuses = [bed.nexus('a').clear(), bed.nexus('b').clear()] as const;
  let good = 0;
  for (let i = 0; i < ROUND; i += 1) {
    const nexus = nexuses[random.below(2)] ?? nexuses[0];
    const cdb = randomCdb(random, unit.deviceType.commands);
    const out = random.bytes(random.below(64));
    const most = random.below(MOST_BYTES);
    const pending = nexus.start(cdb, random.below(3) === 0 ? { out } : { in: most });
    while (pending.outcome === null && bed.timers.run());
    const what = `${Buffer.from(cdb).toString('hex')} ended`;
    assert(pending.outcome, what);
    assert.ok(pending.outcome.dataIn.length <= most, what);
    if (pending.outcome.status === 0) good += 1;
    for (const settling of SETTLING) nexus.run(settling);
  }
  assert.deepEqual(bed.internalErrors, []);
  assert.equal(unit.taskSet.count, 0);
  return good;
}

describe('optical drive: random commands', () => {
  const random = new Seeded();

  it(`${ROUNDS * ROUND} of them (seed ${random.seed})`, function () {
    this.timeout(15_000);
    let good = 0;
    for (let i = 0; i < ROUNDS; i += 1) good += round(random);
    assert.ok(good > (ROUNDS * ROUND) / 10, `only ${good} were good`);
  });
});
