/** A disk whose medium can be removed: eject, load, prevention, and what is answered meanwhile (sam-rules 17, 18; SBC-3). */
import { strict as assert } from 'node:assert';
import { MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { ORDERED } from '../../../src/scsi/sam.ts';
import { MODE_PARAMETERS_CHANGED } from '../../../src/scsi/sense-codes.ts';
import {
  PREEMPT_AND_ABORT,
  REGISTER,
  RESERVE,
  reserveOut,
} from '../../support/reservation-list.ts';
import { disk, type TestNexus } from '../../support/target.ts';
import { pattern, RANGED, unmapCdb, write10 } from './cdbs.ts';

const TUR = '00 00 00 00 00 00';
const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';
const STOP = '1b 00 00 00 00 00';
const START = '1b 00 00 00 01 00';
const PREVENT = '1e 00 00 00 01 00';
const ALLOW = '1e 00 00 00 00 00';
const NO_MEDIUM = '2/3a/02';
const PREVENTED = '5/53/02';

function drive(options = {}) {
  const bed = disk({ thin: true, removable: true, ...options });
  return { bed, a: bed.nexus('a').clear(), b: bed.nexus('b').clear(), store: bed.store };
}
const sense = (n: TestNexus, cdb: string): string => n.run(cdb).sense;

describe('removable disk', () => {
  it('says so, and has PREVENT ALLOW MEDIUM REMOVAL, which fixed disks have not', () => {
    const { a } = drive();
    assert.equal(a.run('12 00 00 00 60 00', { in: 96 }).dataIn[1], 0x80);
    const fixed = disk().nexus('a').clear();
    assert.equal(fixed.run('12 00 00 00 60 00', { in: 96 }).dataIn[1], 0);
    assert.equal(sense(fixed, PREVENT), '5/20/00');
  });

  it('ejected: every medium command is 2/3A/02, for everybody, and reaches nothing', () => {
    const { a, b, store } = drive();
    assert.equal(a.run(EJECT).status, 0);
    const before = store.requests.length;
    for (const nexus of [a, b]) {
      assert.equal(sense(nexus, TUR), NO_MEDIUM);
      for (const [name, cdb] of RANGED) {
        assert.equal(nexus.run(cdb(0, 1), { out: pattern(0, 1) }).sense, NO_MEDIUM, name);
      }
      assert.equal(nexus.run(unmapCdb(0)).sense, NO_MEDIUM);
      assert.equal(nexus.run('25 00 00 00 00 00 00 00 00 00', { in: 8 }).sense, NO_MEDIUM);
    }
    assert.equal(store.requests.length, before);
  });

  it('ejected: INQUIRY, MODE SENSE and REQUEST SENSE work; no blocks, no write protection', () => {
    const { a, store } = drive();
    store.readOnly = true;
    a.run(EJECT);
    assert.equal(a.run('12 00 00 00 60 00', { in: 96 }).dataIn[0], 0);
    const mode = a.run('1a 00 3f 00 ff 00', { in: 255 }).dataIn;
    assert.equal((mode[2] as number) & 0x80, 0);
    assert.deepEqual([...mode.subarray(4, 8)], [0, 0, 0, 0]);
    assert.equal(a.run('03 00 00 00 12 00', { in: 18 }).status, 0);
  });

  it('loaded again: who asked knows, everybody else is told 28/00 once before anything is read', () => {
    const { a, b } = drive();
    a.run(EJECT);
    assert.equal(a.run(LOAD).status, 0);
    assert.equal(sense(a, TUR), '');
    assert.equal(b.run('28 00 00 00 00 00 00 00 01 00', { in: 512 }).sense, '6/28/00');
    assert.equal(sense(b, TUR), '');
  });

  it('load with a medium in the drive is GOOD and no news', () => {
    const { a, b } = drive();
    assert.equal(a.run(LOAD).status, 0);
    assert.deepEqual(b.attentions(), []);
  });

  it('K31: eject flushes first; when that fails the medium stays', () => {
    const { a, store } = drive();
    a.run(write10(4, 1), { out: pattern(4, 1) });
    store.fail('flush', MEDIUM_WRITE);
    assert.equal(a.run(EJECT).sense, '3/0c/00');
    assert.equal(sense(a, TUR), '');
    const good = drive();
    good.a.run(write10(4, 1), { out: pattern(4, 1) });
    assert.equal(good.a.run(EJECT).status, 0);
    good.store.powerCut();
    assert.deepEqual(good.store.memory.slice(4 * 512, 5 * 512), pattern(4, 1));
  });

  it('K21: eject waits for commands under way; those that wait behind it find no medium', () => {
    const { a, b, store } = drive();
    store.hold = true;
    const write = a.start(write10(4, 1), { out: pattern(4, 1) });
    const eject = b.start(EJECT);
    const late = a.start(write10(5, 1), { out: pattern(5, 1) });
    assert.equal(eject.done, false);
    store.releaseAll();
    assert.equal(write.result.status, 0);
    assert.equal(eject.result.status, 0);
    assert.equal(late.result.sense, NO_MEDIUM);
    assert.equal(store.memory[5 * 512], 0);
  });

  it('START = 0 without LOEJ flushes and stops nothing; START = 1 is GOOD', () => {
    const { a, store } = drive();
    a.run(write10(4, 1), { out: pattern(4, 1) });
    assert.equal(a.run(STOP).status, 0);
    assert.equal(sense(a, TUR), '');
    store.powerCut();
    assert.deepEqual(store.memory.slice(4 * 512, 5 * 512), pattern(4, 1));
    assert.equal(a.run(START).status, 0);
  });

  it('power conditions ignore LOEJ', () => {
    const { a } = drive();
    for (let condition = 1; condition < 16; condition += 1) {
      assert.equal(a.run([0x1b, 0, 0, 0, (condition << 4) | 2, 0]).status, 0);
      assert.equal(sense(a, TUR), '');
    }
  });
});

describe('removable disk: a medium that leaves and comes', () => {
  const REQUEST_SENSE = '03 00 00 00 12 00';
  const parameterSense = (n: TestNexus): string => {
    const data = n.run(REQUEST_SENSE, { in: 18 }).dataIn;
    const digits = (at: number): string => (data[at] as number).toString(16).padStart(2, '0');
    return `${(data[2] as number) & 0xf}/${digits(12)}/${digits(13)}`;
  };

  it('REQUEST SENSE says that there is none (SPC-4 6.39)', () => {
    const { a, b } = drive();
    a.run(EJECT);
    assert.equal(parameterSense(b), NO_MEDIUM);
    assert.equal(parameterSense(b), NO_MEDIUM, 'it is a state, not an event');
  });

  it('REQUEST SENSE says a pending unit attention first', () => {
    const { bed, a } = drive();
    a.run(EJECT);
    bed.unit.attentionForAll(MODE_PARAMETERS_CHANGED);
    assert.equal(parameterSense(a), '6/2a/01');
    assert.equal(parameterSense(a), NO_MEDIUM);
  });

  it('taken by the operator: 2/3A/01, the tray is closed', () => {
    const { bed, a } = drive();
    bed.unit.medium?.take();
    assert.equal(sense(a, TUR), '2/3a/01');
    assert.equal(parameterSense(a), '2/3a/01');
  });

  it('PREVENT that arrives during the flush of an eject keeps the medium in', () => {
    const { a, b, store } = drive();
    store.hold = true;
    const eject = a.start(EJECT);
    assert.equal(b.run(PREVENT).status, 0);
    store.releaseAll();
    assert.equal(eject.result.sense, PREVENTED);
    assert.equal(sense(b, TUR), '');
  });

  it('an eject waits for a SYNCHRONIZE CACHE beside it', () => {
    const { a, b, store } = drive();
    store.hold = true;
    const sync = b.start('35 00 00 00 00 00 00 00 00 00');
    const eject = a.start(EJECT);
    store.releaseAt(1);
    assert.equal(eject.done, false);
    store.releaseAll();
    assert.equal(sync.result.status, 0);
    assert.equal(eject.result.status, 0);
  });

  it('into an empty drive nothing is loaded while somebody prevents removal (PreventAllow.Eject)', () => {
    const { a, b } = drive();
    a.run(EJECT);
    assert.equal(b.run(PREVENT).status, 0);
    assert.equal(sense(a, LOAD), PREVENTED);
    assert.equal(sense(b, LOAD), PREVENTED);
    assert.equal(b.run(ALLOW).status, 0);
    assert.equal(a.run(LOAD).status, 0);
    assert.equal(sense(a, TUR), '');
  });

  it('a generation for each medium that comes', () => {
    const { bed, a } = drive();
    const first = bed.unit.medium?.generation ?? 0;
    a.run(EJECT);
    assert.equal(bed.unit.medium?.generation, first);
    a.run(LOAD);
    assert.equal(bed.unit.medium?.generation, first + 1);
    a.run(LOAD);
    assert.equal(bed.unit.medium?.generation, first + 1, 'it was in');
  });

  it('what was queued for the old one never reaches the new one: 28/00 once, then 2/3A/00', () => {
    const { bed, a, b, store } = drive();
    store.hold = true;
    const running = a.start(write10(4, 1), { out: pattern(4, 1) });
    const queued = [4, 4].map((lba) => b.start(write10(lba, 1), { out: pattern(7, 1) }));
    const { medium } = bed.unit;
    medium?.insert(bed.unit, 2, null);
    store.releaseAll();
    assert.equal(running.result.status, 0);
    assert.deepEqual(
      queued.map(({ result }) => result.sense),
      ['6/28/00', '2/3a/00'],
    );
    assert.deepEqual(store.memory.slice(4 * 512, 5 * 512), pattern(4, 1));
    store.hold = false;
    assert.equal(b.run(write10(4, 1), { out: pattern(7, 1) }).status, 0);
  });

  it('a SYNCHRONIZE CACHE of the old one is not about the blocks of the new one', () => {
    const { bed, b, store } = drive();
    store.hold = true;
    b.start('35 00 00 00 00 00 00 00 00 00');
    const queued = [TUR, '35 00 00 00 00 00 00 00 00 00'].map((cdb) =>
      b.start(cdb, { attribute: ORDERED }),
    );
    bed.unit.medium?.insert(bed.unit, 2, null);
    store.releaseAll();
    assert.deepEqual(
      queued.map(({ result }) => result.sense),
      ['6/28/00', '2/3a/00'],
    );
  });

  it('an eject that was queued for the old one leaves the new one in', () => {
    const { bed, a, b, store } = drive();
    store.hold = true;
    a.start(write10(4, 1), { out: pattern(4, 1) });
    const stale = [b.start(EJECT), b.start(EJECT)];
    bed.unit.medium?.insert(bed.unit, 2, null);
    store.releaseAll();
    assert.deepEqual(
      stale.map(({ result }) => result.sense),
      ['6/28/00', '2/3a/00'],
    );
    assert.equal(sense(b, TUR), '');
  });

  it('the operator holds it fast as a nexus does, and no reset ends that', () => {
    const { bed, a, b } = drive();
    const { medium } = bed.unit;
    assert(medium);
    medium.locked = true;
    assert.equal(sense(a, EJECT), PREVENTED);
    b.manage(0x08);
    a.attentions();
    assert.equal(sense(a, EJECT), PREVENTED);
    medium.locked = false;
    assert.equal(a.run(EJECT).status, 0);
  });
});

describe('PREVENT ALLOW MEDIUM REMOVAL', () => {
  it('keeps the medium in against everybody, and a load out', () => {
    const { a, b } = drive();
    assert.equal(a.run(PREVENT).status, 0);
    for (const nexus of [a, b]) {
      assert.equal(sense(nexus, EJECT), PREVENTED);
      assert.equal(sense(nexus, LOAD), PREVENTED);
      assert.equal(sense(nexus, TUR), '');
    }
    a.run(ALLOW);
    assert.equal(b.run(EJECT).status, 0);
  });

  it('is each nexus’s own: the medium is free when the last one lets go', () => {
    const { a, b } = drive();
    a.run(PREVENT);
    b.run(PREVENT);
    a.run(ALLOW);
    assert.equal(sense(a, EJECT), PREVENTED);
    b.run(ALLOW);
    assert.equal(a.run(EJECT).status, 0);
  });

  it('ends with resets and with its nexus', () => {
    for (const end of [
      ({ b }: ReturnType<typeof drive>) => b.manage(0x08),
      ({ a }: ReturnType<typeof drive>) => a.manage(0x80),
      ({ bed, a }: ReturnType<typeof drive>) => bed.target.nexusLost(a.nexus),
    ]) {
      const all = drive();
      all.a.run(PREVENT);
      end(all);
      all.b.attentions();
      assert.equal(all.b.run(EJECT).status, 0);
    }
  });

  it('ends before its nexus’s commands do, which lets others run', () => {
    for (const end of [
      ({ a }: ReturnType<typeof drive>) => a.manage(0x80),
      ({ bed, a }: ReturnType<typeof drive>) => bed.target.nexusLost(a.nexus),
    ]) {
      const all = drive();
      all.a.run(PREVENT);
      all.store.hold = true;
      all.b.start('35 00 00 00 00 00 00 00 00 00');
      all.a.start(TUR, { attribute: ORDERED });
      const eject = all.b.start(EJECT);
      end(all);
      all.store.hold = false;
      all.store.releaseAll();
      assert.equal(eject.result.status, 0);
    }
  });

  it('does not end with another nexus', () => {
    const { bed, a, b } = drive();
    a.run(PREVENT);
    bed.target.nexusLost(b.nexus);
    assert.equal(sense(a, EJECT), PREVENTED);
  });

  it('of a nexus that is preempted ends (SPC-4 5.13.11.5)', () => {
    const { a, b } = drive();
    for (const [nexus, action, options] of [
      [a, REGISTER, { actionKey: 1 }],
      [b, REGISTER, { actionKey: 2 }],
      [a, RESERVE, { key: 1, type: 1 }],
    ] as const) {
      const { cdb, list } = reserveOut(action, options);
      assert.equal(nexus.run(cdb, { out: list }).status, 0);
    }
    a.run(PREVENT);
    assert.equal(b.run(EJECT).status, 0x18, 'reserved');
    const { cdb, list } = reserveOut(PREEMPT_AND_ABORT, { key: 2, actionKey: 1, type: 1 });
    assert.equal(b.run(cdb, { out: list }).status, 0);
    assert.equal(b.run(EJECT).status, 0);
  });

  it('under a reservation of another: PREVENT = 1 is a conflict, PREVENT = 0 is not', () => {
    const { a, b } = drive();
    a.run('16 00 00 00 00 00');
    assert.equal(b.run(PREVENT).status, 0x18);
    assert.equal(b.run(ALLOW).status, 0);
  });
});
