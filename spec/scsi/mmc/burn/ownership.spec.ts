/** How long a burn is somebody's, what it keeps others (and itself) from, and what the drive does with the disc by itself. */
import { strict as assert } from 'node:assert';
import { DONE, PENDING, type StoreReply } from '../../../../src/scsi/contracts.ts';
import { decodeDiscState } from '../../../../src/scsi/mmc/burn/disc-state.ts';
import type { MediumKind } from '../../../../src/scsi/mmc/burn/media.ts';
import type { Task } from '../../../../src/scsi/task.ts';
import {
  type BurnerBed,
  blocksOf,
  burner,
  MemoryJournal,
  selectWrite,
  writeBlocks,
} from '../../../support/burner.ts';
import type { TestNexus } from '../../../support/target.ts';

const TUR = '00 00 00 00 00 00';
const SYNC = '35 00 00 00 00 00 00 00 00 00';
const READ = '28 00 00 00 00 00 00 00 01 00';
const READ_CD = 'be 00 00 00 00 00 00 00 01 10 00 00';
const EJECT = '1b 00 00 00 02 00';
const UNLOAD = 'a6 00 00 00 02 00 00 00 00 00 00 00';
const BLANK = 'a1 11 00 00 00 00 00 00 00 00 00 00';
const SET_CD_SPEED = 'bb 00 ff ff 02 c2 00 00 00 00 00 00';
const EVENT = '4a 01 00 00 10 00 00 00 08 00';
/** One data track of 150 blocks behind its pregap of 150. */
const SHEET = '4100001400000000 4101001000000000 4101011000000200 41aa011400000400';

interface Two extends BurnerBed {
  readonly b: TestNexus;
}

function two(kind: MediumKind, options: Parameters<typeof burner>[1] = {}): Two {
  const bed = burner(kind, options);
  return { ...bed, b: bed.bed.nexus('b').clear() };
}

/** A has sent a cue sheet and the pregap of it. */
function begunAtOnce(options: Parameters<typeof burner>[1] = {}): Two {
  const all = two('cd-r', options);
  selectWrite(all.a, '420000');
  all.b.clear();
  all.a.run('5d 00 00 00 00 00 00 00 20 00', { out: SHEET });
  assert.equal(writeBlocks(all.a, -150, 150), '');
  return all;
}

const read = (nexus: TestNexus, cdb = READ): string => nexus.run(cdb, { in: 2048 }).sense;
const event = (nexus: TestNexus): number => nexus.run(EVENT, { in: 8 }).dataIn[4] as number;

describe('a session at once', () => {
  it('the laser is not free for reads of its owner either (5/2C/00), and for others 2/04/08', () => {
    const { a, b } = begunAtOnce();
    for (const cdb of [
      READ,
      READ_CD,
      '2b 00 00 00 00 00 00 00 00 00',
      '45 00 00 00 00 00 00 00 01 00',
    ]) {
      assert.deepEqual([read(a, cdb), read(b, cdb)], ['5/2c/00', '2/04/08'], cdb);
    }
    assert.equal(a.run('51 00 00 00 00 00 00 00 22 00', { in: 34 }).sense, '');
  });

  it('nor is it while a DVD-R is written as a whole (RESERVE TRACK, write type 2)', () => {
    const { a, b } = two('dvd-r');
    selectWrite(a, '620508');
    b.clear();
    a.run('53 00 00 00 00 00 00 00 40 00');
    assert.equal(writeBlocks(a, 0, 16), '');
    assert.deepEqual([read(a), read(b)], ['5/2c/00', '2/04/08']);
    writeBlocks(a, 16, 48);
    assert.equal(a.run(SYNC).sense, '');
    assert.deepEqual([read(a), b.attentions(), read(b)], ['', ['6/28/00'], '']);
  });

  it('an initiator that is lost while the end is being kept leaves what is kept: the session is closed', () => {
    class Late extends MemoryJournal {
      task: Task | null = null;
      late = false;

      override save(task: Task, state: Uint8Array): StoreReply {
        const reply = super.save(task, state);
        if (!this.late) return reply;
        this.task = task;
        return PENDING;
      }
    }
    const journal = new Late();
    const { a, bed, disc } = begunAtOnce({ journal });
    journal.late = true;
    const last = a.start('2a 00 00 00 00 00 00 00 96 00', { out: blocksOf(0, 150) });
    assert.equal(last.done, false);
    bed.target.nexusLost(a.nexus);
    journal.task?.stored(DONE);
    assert.deepEqual(decodeDiscState(journal.kept ?? new Uint8Array()), disc.state);
    assert.deepEqual([disc.status, disc.tracks[0]?.damaged], ['complete', false]);
  });
});

describe('what others may do while one burns', () => {
  it('not change its speed (SET CD SPEED, SET STREAMING)', () => {
    const { a, b, unit } = two('cd-r');
    writeBlocks(a, 0, 16);
    const speed = unit.optical?.speeds.write(unit.optical.disc);
    assert.equal(b.run(SET_CD_SPEED).sense, '5/2c/00');
    assert.equal(
      b.run('b6 00 00 00 00 00 00 00 00 00 1c 00', { out: new Uint8Array(28) }).sense,
      '5/2c/00',
    );
    assert.equal(unit.optical?.speeds.write(unit.optical.disc), speed);
    assert.equal(a.run(SET_CD_SPEED).sense, '');
  });

  it('not take the disc, by LOAD/UNLOAD MEDIUM as little as by START STOP UNIT', () => {
    const { a, b } = two('cd-r');
    writeBlocks(a, 0, 16);
    assert.deepEqual([b.run(EJECT).sense, b.run(UNLOAD).sense], ['5/53/02', '5/53/02']);
  });
});

describe('a burner that is idle', () => {
  const MINUTE = 60_000;

  it('is not kept for its owner any longer than a minute, when somebody else writes', () => {
    let ms = 0;
    const { a, b } = two('cd-r', { now: () => ms });
    selectWrite(a, '41c408');
    b.clear();
    writeBlocks(a, 0, 16);
    ms += MINUTE;
    assert.equal(writeBlocks(b, 16, 16), '5/2c/00');
    ms += 1;
    assert.equal(writeBlocks(b, 16, 16), '');
    assert.equal(writeBlocks(a, 32, 16), '5/2c/00');
  });

  it('goes on for its owner as long as nobody else wants it', () => {
    let ms = 0;
    const { a, b, disc } = begunAtOnce({ now: () => ms });
    ms += 10 * MINUTE;
    assert.equal(b.run(TUR).sense, '');
    assert.equal(writeBlocks(a, 0, 100), '');
    ms += 10 * MINUTE;
    assert.equal(writeBlocks(a, 100, 50), '');
    assert.equal(disc.status, 'complete');
  });

  it('a session at once is damaged by whoever begins something else then', () => {
    let ms = 0;
    const { a, b, disc } = begunAtOnce({ now: () => ms });
    ms += MINUTE + 1;
    assert.equal(selectWrite(b, '41c408'), '');
    assert.equal(disc.tracks[0]?.damaged, true);
    a.clear();
    assert.equal(writeBlocks(a, 0, 100), '5/21/02');
  });
});

describe('what the drive does by itself', () => {
  it('is ended by no LOAD/UNLOAD MEDIUM: 2/04/07, 2/04/08', () => {
    const rw = two('cd-rw', { slow: true });
    assert.equal(rw.a.run(BLANK).sense, '');
    assert.deepEqual([rw.a.run(UNLOAD).sense, rw.b.run(UNLOAD).sense], ['2/04/07', '2/04/07']);
    const cd = two('cd-r', { slow: true });
    writeBlocks(cd.a, 0, 16);
    cd.a.run('5b 01 02 00 00 00 00 00 00 00');
    assert.deepEqual([cd.a.run(UNLOAD).sense, cd.b.run(UNLOAD).sense], ['2/04/08', '2/04/08']);
  });

  it('is done at once when the operator takes the disc all the same, and is no news of a disc that is out', () => {
    const { a, b, unit, disc } = two('cd-rw', { slow: true });
    writeBlocks(a, 0, 16);
    a.run(BLANK);
    const { medium } = unit;
    medium?.leave(unit);
    medium?.take();
    unit.whenMediumIdle(null, () => undefined);
    assert.equal(disc.status, 'blank');
    assert.deepEqual([event(b), event(b)], [3, 0]);
  });

  it('nor by a media request', () => {
    const { a, unit, bed } = two('cd-rw', { slow: true });
    a.run(BLANK);
    assert.equal(unit.mediaRequests.serve(a.nexus, 'eject').result, 'prevented');
    while (bed.timers.run());
    assert.equal(unit.mediaRequests.serve(a.nexus, 'eject').result, 'done');
  });

  it('is done soon after the command that waits for it is aborted, and the abort is answered then', () => {
    const { a, bed, disc } = two('dvd-rw', { slow: true });
    writeBlocks(a, 0, 16);
    const blank = a.start('a1 00 00 00 00 00 00 00 00 00 00 00', { tag: 7 });
    bed.timers.run();
    const abort = a.manage(0x01, 7);
    assert.deepEqual([blank.done, abort.done], [false, false]);
    const { passedMs } = bed.timers;
    bed.timers.run();
    assert.ok(bed.timers.passedMs - passedMs <= 50);
    assert.deepEqual([blank.result.dropped, abort.done, disc.status], [true, true, 'blank']);
  });

  it('takes the time of the blocks that pass the laser, of a drive that is paced', () => {
    const seconds = (kind: MediumKind, cdb: string, out = ''): number => {
      const { a, bed } = two(kind, { slow: true });
      a.run(cdb, out === '' ? {} : { out });
      while (bed.timers.run());
      return Math.round(bed.timers.passedMs / 1000);
    };
    // All of a CD at 48 times: 359 847 sectors of 2352 bytes at 8467 kB/s; and a lead-in and lead-out of one.
    assert.equal(seconds('cd-rw', 'a1 10 00 00 00 00 00 00 00 00 00 00'), 100);
    assert.equal(seconds('cd-rw', BLANK), 3);
    // 2 297 888 blocks at 8 times (11 080 kB/s).
    assert.equal(seconds('dvd-rw', '04 11 00 00 00 00', '00020008 00231020 40 000010'), 425);
  });

  it('a format in the background ends with event 5, and begins again with event 6', () => {
    const { a, b, bed, disc } = two('dvd+rw');
    a.run('04 11 00 00 00 00', { out: '00020008 00230540 98 000000' });
    assert.deepEqual([event(a), event(b), event(a)], [2, 2, 0]);
    a.run('5b 00 00 00 00 00 00 00 00 00');
    assert.equal(disc.state.format?.background, 'stopped');
    a.clear();
    b.clear();
    a.run('04 11 00 00 00 00', { out: '00020008 00230540 98 000001' });
    assert.deepEqual([event(a), event(b), b.attentions()], [6, 6, []]);
    while (bed.timers.run());
    assert.deepEqual([event(a), event(b), b.attentions()], [5, 5, []]);
    assert.equal(disc.state.format?.background, 'complete');
  });
});

it('a disc whose format was stopped, and that is formatted anew, is another disc for everybody', () => {
  const { a, b, bed, disc } = two('dvd+rw');
  const fresh = '00020008 00230540 98 000000';
  a.run('04 11 00 00 00 00', { out: fresh });
  a.run('5b 00 00 00 00 00 00 00 00 00');
  event(a);
  b.clear();
  event(b);
  a.run('04 11 00 00 00 00', { out: fresh });
  assert.deepEqual([event(a), event(b), b.attentions()], [2, 2, ['6/28/00']]);
  while (bed.timers.run());
  assert.equal(disc.state.format?.background, 'complete');
});

describe('another disc', () => {
  it('is written by the default write parameters', () => {
    const { a, unit, disc } = burner('cd-r');
    selectWrite(a, '52c408');
    unit.optical?.change(null);
    unit.optical?.change(disc);
    const page = a.run('5a 00 05 00 00 00 00 00 3c 00', { in: 60 }).dataIn.subarray(8);
    assert.equal(Buffer.from(page.subarray(0, 5)).toString('hex'), '0532410508');
  });
});
