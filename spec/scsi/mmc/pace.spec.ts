/** A drive that is paced: reads and writes take the time of the speed that SET CD SPEED chose, by a clock of the spec. */
import { strict as assert } from 'node:assert';
import { burner, selectWrite, writeBlocks } from '../../support/burner.ts';
import { dataDisc, optical } from '../../support/optical.ts';

const BLOCKS = 4096;
const bytes = new Uint8Array(BLOCKS * 2048);
/** SET CD SPEED to 706 kB/s, four times a CD: 2352 bytes of a sector take 3.3314 ms. */
const FOUR_TIMES = 'bb 00 02 c2 02 c2 00 00 00 00 00 00';
const SECTOR_MS = 2352 / 706;
const BUFFER = '5c 00 00 00 00 00 00 00 0c 00';

interface Clock {
  ms: number;
}

/** Lets the clock pass in steps of a millisecond until the command has ended; returns when that was. */
function until(clock: Clock, done: () => boolean, run: () => boolean): number {
  while (!done()) {
    assert(clock.ms < 60_000, 'it ends');
    clock.ms += 1;
    run();
  }
  return clock.ms;
}

function drive(clock: Clock, paced = true) {
  const { bed } = optical(dataDisc(BLOCKS), bytes, { now: () => clock.ms, paced });
  const a = bed.nexus('a').clear();
  assert.equal(a.run(FOUR_TIMES).sense, '');
  return { bed, a };
}

describe('a drive that is paced', () => {
  it('READ ends when its sectors have passed the laser, one command after the other', () => {
    const clock = { ms: 0 };
    const { bed, a } = drive(clock);
    const first = a.start('28 00 00 00 00 00 00 00 20 00', { in: 32 * 2048 });
    const second = a.start('28 00 00 00 00 20 00 00 20 00', { in: 32 * 2048 });
    const at = until(
      clock,
      () => first.done,
      () => bed.timers.run(),
    );
    assert.ok(Math.abs(at - 32 * SECTOR_MS) <= 1, `${at} ms`);
    assert.equal(second.done, false);
    const end = until(
      clock,
      () => second.done,
      () => bed.timers.run(),
    );
    assert.ok(Math.abs(end - 64 * SECTOR_MS) <= 1, `${end} ms`);
    assert.deepEqual([first.result.status, second.result.status], [0, 0]);
  });

  it('READ CD and VERIFY take as long', () => {
    for (const cdb of ['be 00 00 00 00 00 00 00 20 10 00 00', '2f 00 00 00 00 00 00 00 20 00']) {
      const clock = { ms: 0 };
      const { bed, a } = drive(clock);
      const pending = a.start(cdb, { in: cdb.startsWith('be') ? 32 * 2048 : 0 });
      const at = until(
        clock,
        () => pending.done,
        () => bed.timers.run(),
      );
      assert.ok(Math.abs(at - 32 * SECTOR_MS) <= 1, `${at} ms`);
    }
  });

  it('an abort does not wait for the disc', () => {
    const clock = { ms: 0 };
    const { bed, a } = drive(clock);
    a.start('28 00 00 00 00 00 00 10 00 00', { in: 4096 * 2048 });
    assert.equal(bed.unit.taskSet.count, 1);
    bed.target.nexusLost(a.nexus);
    bed.timers.run();
    assert.equal(bed.unit.taskSet.count, 0);
  });

  it('without the option everything takes the time it takes', () => {
    const clock = { ms: 0 };
    const { a } = drive(clock, false);
    assert.equal(a.run('28 00 00 00 00 00 00 00 20 00', { in: 32 * 2048 }).sense, '');
  });

  it('the fastest speed is that of the page of capabilities', () => {
    const clock = { ms: 0 };
    const { bed } = optical(dataDisc(BLOCKS), bytes, { now: () => clock.ms, paced: true });
    const pending = bed
      .nexus('a')
      .clear()
      .start('28 00 00 00 00 00 00 02 00 00', { in: 1 << 20 });
    const at = until(
      clock,
      () => pending.done,
      () => bed.timers.run(),
    );
    assert.ok(Math.abs(at - (512 * 2352) / 8467) <= 1, `${at} ms`);
  });
});

describe('a burner that is paced', () => {
  it('takes what fits its buffer at once, then as fast as the disc; READ BUFFER CAPACITY tells how much fits', () => {
    const clock = { ms: 0 };
    const { bed, a } = burner('cd-r', { now: () => clock.ms });
    assert.equal(a.run(FOUR_TIMES).sense, '');
    selectWrite(a, '41c408');
    const fits = Math.floor((2 << 20) / 2352);
    assert.equal(writeBlocks(a, 0, fits), '');
    const free = new DataView(a.run(BUFFER, { in: 12 }).dataIn.slice().buffer).getUint32(8);
    assert.equal(free, (2 << 20) - fits * 2352);
    const cdb = `2a 00 00 00 ${(fits >> 8).toString(16).padStart(2, '0')} ${(fits & 0xff).toString(16).padStart(2, '0')} 00 00 40 00`;
    const pending = a.start(cdb, { out: new Uint8Array(64 * 2048) });
    const at = until(
      clock,
      () => pending.done,
      () => bed.timers.run(),
    );
    assert.equal(pending.result.status, 0);
    assert.ok(Math.abs(at - (64 * 2352 - free) / 706) <= 1, `${at} ms`);
  });

  it('SYNCHRONIZE CACHE ends when the buffer is empty', () => {
    const clock = { ms: 0 };
    const { bed, a } = burner('cd-r', { now: () => clock.ms });
    a.run(FOUR_TIMES);
    selectWrite(a, '41c408');
    writeBlocks(a, 0, 320);
    const sync = a.start('35 00 00 00 00 00 00 00 00 00');
    assert.equal(sync.done, false);
    while (!sync.done && bed.timers.run());
    assert.equal(sync.result.status, 0);
  });
});
