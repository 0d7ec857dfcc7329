/** One burner and several initiators: who burns, what the others are told, and operations that take time. */
import { strict as assert } from 'node:assert';
import { discReport } from '../../../../src/luns/disc-report.ts';
import { MEDIUM_WRITE } from '../../../../src/scsi/contracts.ts';
import { decodeDiscState } from '../../../../src/scsi/mmc/burn/disc-state.ts';
import { burner, selectWrite, writeBlocks } from '../../../support/burner.ts';
import type { Testbed, TestNexus } from '../../../support/target.ts';

const TUR = '00 00 00 00 00 00';
const SYNC = '35 00 00 00 00 00 00 00 00 00';
const CLOSE_SESSION = '5b 00 02 00 00 00 00 00 00 00';
const BLANK = 'a1 11 00 00 00 00 00 00 00 00 00 00';
const EJECT = '1b 00 00 00 02 00';
const SHEET = '4100001400000000 4101001000000000 4101011000000200 41aa011400000400';

describe('one drive, several initiators', () => {
  it('while one burns track at once the others read, and may not write', () => {
    const { bed, a } = burner('cd-r');
    const b = bed.nexus('b').clear();
    selectWrite(a, '41c408');
    b.clear();
    writeBlocks(a, 0, 16);
    assert.equal(b.run('28 00 00 00 00 00 00 00 01 00', { in: 2048 }).sense, '');
    assert.equal(writeBlocks(b, 16, 16), '5/2c/00');
    assert.equal(b.run(CLOSE_SESSION).sense, '5/2c/00');
    assert.equal(selectWrite(b, '410408'), '5/2c/00');
    assert.equal(b.run(EJECT).sense, '5/53/02');
    assert.equal(writeBlocks(a, 16, 16), '');
  });

  it('while one burns a session at once the medium is not ready for the others (2/04/08)', () => {
    const { bed, a } = burner('cd-r');
    const b = bed.nexus('b').clear();
    selectWrite(a, '420000');
    b.clear();
    a.run('5d 00 00 00 00 00 00 00 20 00', { out: SHEET });
    writeBlocks(a, -150, 20);
    assert.equal(b.run(TUR).sense, '2/04/08');
    assert.equal(b.run('28 00 00 00 00 00 00 00 01 00', { in: 2048 }).sense, '2/04/08');
  });

  it('who writes a track at once cannot eject before it has ended (5/53/02)', () => {
    const { a } = burner('cd-r');
    selectWrite(a, '41c408');
    writeBlocks(a, 0, 16);
    assert.equal(a.run(EJECT).sense, '5/53/02');
    a.run(SYNC);
    assert.equal(a.run(EJECT).sense, '');
  });

  it('nor can who writes a session at once before it is whole', () => {
    const { a } = burner('cd-r');
    selectWrite(a, '420000');
    a.run('5d 00 00 00 00 00 00 00 20 00', { out: SHEET });
    writeBlocks(a, -150, 150);
    writeBlocks(a, 0, 100);
    assert.equal(a.run(EJECT).sense, '5/53/02');
    writeBlocks(a, 100, 50);
    assert.equal(a.run(EJECT).sense, '');
  });

  it('who writes in increments may, and what was written is kept without a SYNCHRONIZE CACHE', () => {
    const { a, journal } = burner('dvd-r');
    selectWrite(a, '400000', '0000100000000010000000000000');
    writeBlocks(a, 0, 32);
    assert.equal(a.run(EJECT).sense, '');
    const kept = decodeDiscState(journal.kept ?? new Uint8Array());
    assert(typeof kept !== 'string', `${kept}`);
    assert.equal(kept.tracks[0]?.next, 32);
  });

  it('a stop (START = 0) keeps what was written and lets the burn go on', () => {
    const { a, journal } = burner('cd-r');
    selectWrite(a, '41c408');
    writeBlocks(a, 0, 16);
    const { saves } = journal;
    assert.equal(a.run('1b 00 00 00 00 00').sense, '');
    assert.equal(journal.saves, saves + 1);
    assert.equal(writeBlocks(a, 16, 16), '');
  });

  it('when the session is closed the others are told 6/28/00, and who closed it is not', () => {
    const { bed, a } = burner('cd-r');
    const b = bed.nexus('b').clear();
    selectWrite(a, '41c408');
    b.clear();
    writeBlocks(a, 0, 16);
    a.run(SYNC);
    a.run(CLOSE_SESSION);
    assert.deepEqual([a.attentions(), b.attentions()], [[], ['6/28/00']]);
    selectWrite(b, '410408');
    assert.equal(writeBlocks(b, 18 + 11400, 16), '');
  });

  it('the loss of the initiator, and the host, end that somebody burns', () => {
    const { bed, a, burner: own } = burner('cd-r');
    const b = bed.nexus('b').clear();
    writeBlocks(a, 0, 16);
    assert.equal(own.owner, a.nexus);
    bed.target.nexusLost(a.nexus);
    assert.equal(own.owner, null);
    assert.equal(writeBlocks(b, 16, 16), '');
    own.release();
    assert.equal(own.owner, null);
  });
});

/** A command that takes its time, and that time. */
function inTime(bed: Testbed, nexus: TestNexus, cdb: string): string {
  const pending = nexus.start(cdb);
  while (bed.timers.run());
  return pending.result.sense;
}

describe('operations that take time', () => {
  it('BLANK with IMMED ends at once; until it is done 2/04/07 with progress, REQUEST SENSE says so, too', () => {
    const { bed, a, disc } = burner('cd-rw', { slow: true });
    selectWrite(a, '41c408');
    writeBlocks(a, 0, 16);
    assert.equal(a.run(BLANK).sense, '');
    for (let i = 0; i < 4; i += 1) bed.timers.run();
    const { sense, senseBytes } = a.run(TUR);
    assert.equal(sense, '2/04/07');
    assert.equal(Buffer.from(senseBytes.subarray(15)).toString('hex'), '804000');
    const asked = a.run('03 00 00 00 12 00', { in: 18 }).dataIn;
    assert.deepEqual([asked[2], asked[12], asked[13], asked[16]], [2, 4, 7, 0x40]);
    assert.equal(a.run(EJECT).sense, '2/04/07');
    assert.equal(disc.status, 'appendable');
    for (let i = 0; i < 12; i += 1) bed.timers.run();
    assert.equal(a.run(TUR).sense, '');
    assert.equal(disc.status, 'blank');
  });

  it('without IMMED the command ends when it is done', () => {
    const { bed, a } = burner('cd-rw', { slow: true });
    const pending = a.start('a1 01 00 00 00 00 00 00 00 00 00 00');
    assert.equal(pending.done, false);
    while (bed.timers.run());
    assert.equal(pending.result.sense, '');
  });

  it('a format says 2/04/04, a close 2/04/08', () => {
    const { a } = burner('dvd-rw', { slow: true });
    a.run('04 11 00 00 00 00', { out: '00020008 00000000 54 000010' });
    assert.equal(a.run(TUR).sense, '2/04/04');
    const cd = burner('cd-r', { slow: true });
    writeBlocks(cd.a, 0, 16);
    inTime(cd.bed, cd.a, SYNC);
    cd.a.run('5b 01 02 00 00 00 00 00 00 00');
    assert.equal(cd.a.run(TUR).sense, '2/04/08');
  });

  it('the operator sees who burns, and how far what the drive does by itself is', () => {
    const { bed, a, unit } = burner('cd-rw', { slow: true });
    const report = (): unknown[] => {
      const { burning, work } = discReport(unit) ?? {};
      return [burning?.writtenBlocks ?? null, work?.what ?? null, work?.done ?? null];
    };
    assert.deepEqual(report(), [null, null, null]);
    writeBlocks(a, 0, 16);
    assert.deepEqual(report(), [16, null, null]);
    inTime(bed, a, SYNC);
    a.run('5b 01 02 00 00 00 00 00 00 00');
    assert.deepEqual(report().slice(1), ['closing', 0]);
    while (bed.timers.run());
    a.run(BLANK);
    for (let i = 0; i < 4; i += 1) bed.timers.run();
    assert.deepEqual(report().slice(1), ['blanking', 0.25]);
    for (let i = 0; i < 12; i += 1) bed.timers.run();
    assert.deepEqual(report(), [null, null, null]);
    const dvd = burner('dvd-rw', { slow: true });
    dvd.a.run('04 11 00 00 00 00', { out: '00020008 00000000 54 000010' });
    assert.deepEqual(discReport(dvd.unit)?.work, { what: 'formatting', done: 0 });
  });

  it('whoever takes the medium waits for it, and it does not take its time then', () => {
    const { a, unit, disc } = burner('cd-rw', { slow: true });
    writeBlocks(a, 0, 16);
    a.run(BLANK);
    let idle = false;
    unit.whenMediumIdle(null, () => {
      idle = true;
    });
    assert.deepEqual([idle, disc.status], [true, 'blank']);
  });

  it('one that fails leaves the disc as it was: 3/72/00, with IMMED as a deferred error', () => {
    const { a, disc, journal } = burner('cd-r');
    selectWrite(a, '410408');
    writeBlocks(a, 0, 16);
    journal.reply = MEDIUM_WRITE;
    assert.equal(a.run(CLOSE_SESSION).sense, '3/72/00');
    assert.equal(disc.status, 'appendable');
    a.run('5b 01 02 00 00 00 00 00 00 00');
    const { sense, senseBytes } = a.run(TUR);
    assert.deepEqual([sense, senseBytes[0]], ['3/72/00', 0x71]);
    journal.reply = 0;
    assert.equal(a.run(CLOSE_SESSION).sense, '');
    assert.equal(disc.status, 'complete');
  });
});

describe('commands that wait for their operation', () => {
  it('hold up what writes, and not what only asks', () => {
    const { bed, a, disc } = burner('cd-rw', { slow: true });
    selectWrite(a, '41c408');
    const blank = a.start('a1 01 00 00 00 00 00 00 00 00 00 00');
    const write = a.start('2a 00 00 00 00 00 00 00 01 00', { out: new Uint8Array(2048) });
    assert.equal(a.run(TUR).sense, '');
    assert.deepEqual([blank.done, write.done], [false, false]);
    while (bed.timers.run());
    assert.deepEqual([blank.result.sense, write.result.sense], ['', '']);
    assert.equal(disc.tracks[0]?.nextWritable, 1);
  });

  it('go on when they are aborted, and the abort is answered when they have ended', () => {
    const { bed, a, disc } = burner('cd-rw', { slow: true });
    writeBlocks(a, 0, 16);
    inTime(bed, a, SYNC);
    const blank = a.start('a1 01 00 00 00 00 00 00 00 00 00 00', { tag: 7 });
    const abort = a.manage(0x01, 7);
    assert.deepEqual([blank.done, abort.done], [false, false]);
    while (bed.timers.run());
    assert.deepEqual([blank.result.dropped, abort.done, disc.status], [true, true, 'blank']);
  });
});
