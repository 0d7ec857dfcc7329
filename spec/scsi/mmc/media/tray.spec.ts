/** The tray of an optical drive and who prevents that it opens (MMC-6 PREVENT ALLOW MEDIUM REMOVAL, START STOP UNIT, LOAD/UNLOAD MEDIUM). */
import { strict as assert } from 'node:assert';
import { I_T_NEXUS_RESET, LOGICAL_UNIT_RESET } from '../../../../src/scsi/sam.ts';
import { dataDisc, optical } from '../../../support/optical.ts';
import {
  type OutOptions,
  PREEMPT_AND_ABORT,
  REGISTER,
  RESERVE,
  reserveOut,
} from '../../../support/reservation-list.ts';
import type { TestNexus } from '../../../support/target.ts';

const TUR = '00 00 00 00 00 00';
const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';
const ALLOW = '1e 00 00 00 00 00';
const PREVENT = '1e 00 00 00 01 00';
const PERSISTENT_ALLOW = '1e 00 00 00 02 00';
const PERSISTENT_PREVENT = '1e 00 00 00 03 00';
const PREVENTED = '5/53/02';
const TRAY_OPEN = '2/3a/02';

function drive() {
  const { bed, unit, store } = optical(dataDisc(16), new Uint8Array(16 * 2048).fill(7));
  const { medium } = unit;
  assert(medium);
  return { bed, unit, store, medium, a: bed.nexus('a').clear(), b: bed.nexus('b').clear() };
}
const sense = (n: TestNexus, cdb: string): string => n.run(cdb).sense;

describe('tray of an optical drive', () => {
  it('goes out, and comes in with the same disc', () => {
    const { a } = drive();
    assert.equal(sense(a, EJECT), '');
    assert.equal(sense(a, TUR), TRAY_OPEN);
    assert.equal(sense(a, LOAD), '');
    assert.equal(a.run('28 00 00 00 00 01 00 00 01 00', { in: 2048 }).dataIn[0], 7);
  });

  it('there is no profile while the disc lies outside', () => {
    const { unit, a } = drive();
    assert.equal(unit.optical?.profile, 8);
    a.run(EJECT);
    assert.equal(unit.optical?.profile, 0);
    a.run(LOAD);
    assert.equal(unit.optical?.profile, 8);
  });

  it('start and stop move nothing, IMMED or not', () => {
    const { a } = drive();
    for (const cdb of ['1b 00 00 00 00 00', '1b 01 00 00 00 00', '1b 01 00 00 01 00']) {
      assert.equal(sense(a, cdb), '');
      assert.equal(sense(a, TUR), '');
    }
  });

  it('start, stop and eject are GOOD without a disc', () => {
    const { medium, a } = drive();
    medium.take();
    for (const cdb of ['1b 00 00 00 00 00', '1b 00 00 00 01 00', EJECT]) {
      assert.equal(sense(a, cdb), '');
    }
    assert.equal(sense(a, TUR), '2/3a/01');
  });

  it('power conditions are accepted, and LOEJ and START ignored then', () => {
    const { a } = drive();
    for (let condition = 1; condition < 16; condition += 1) {
      assert.equal(a.run([0x1b, 0, 0, 0, (condition << 4) | 2, 0]).status, 0);
      assert.equal(sense(a, TUR), '');
    }
  });

  it('format layers are refused', () => {
    const { a } = drive();
    const fl = a.run('1b 00 00 01 07 00');
    assert.deepEqual([fl.sense, fl.pointer], ['5/24/00', 'cdb 3.0']);
    assert.deepEqual(a.run('1b 00 00 00 05 00').pointer, 'cdb 4.2');
  });

  it('a flush that fails keeps the disc in', () => {
    const { a, store } = drive();
    store.fail('flush', 3);
    assert.equal(sense(a, EJECT), '3/0c/00');
    assert.equal(sense(a, TUR), '');
  });

  it('LOAD/UNLOAD MEDIUM of slot 0 is the tray', () => {
    const { a } = drive();
    assert.equal(sense(a, 'a6 00 00 00 02 00 00 00 00 00 00 00'), '');
    assert.equal(sense(a, TUR), TRAY_OPEN);
    assert.equal(sense(a, 'a6 01 00 00 03 00 00 00 00 00 00 00'), '');
    assert.equal(sense(a, TUR), '');
  });

  it('LOAD/UNLOAD MEDIUM has no other slot', () => {
    const { a } = drive();
    const { sense: refused, pointer } = a.run('a6 00 00 00 03 00 00 00 01 00 00 00');
    assert.deepEqual([refused, pointer], ['5/24/00', 'cdb 8.7']);
  });
});

describe('prevention of an optical drive', () => {
  it('holds the tray for everybody, in and out', () => {
    const { a, b } = drive();
    a.run(PREVENT);
    for (const nexus of [a, b]) {
      for (const cdb of [EJECT, LOAD, 'a6 00 00 00 02 00 00 00 00 00 00 00']) {
        assert.equal(sense(nexus, cdb), PREVENTED);
      }
    }
    assert.equal(sense(b, TUR), '');
  });

  it('stays until everybody who prevents has allowed; each ends its own alone', () => {
    const { a, b } = drive();
    a.run(PREVENT);
    b.run(PREVENT);
    a.run(ALLOW);
    assert.equal(sense(a, EJECT), PREVENTED);
    b.run(ALLOW);
    assert.equal(sense(a, EJECT), '');
  });

  it('keeps an empty drive closed', () => {
    const { a, b } = drive();
    a.run(EJECT);
    assert.equal(sense(a, PREVENT), '');
    assert.equal(sense(b, LOAD), PREVENTED);
  });

  it('that comes during the flush of an eject keeps the disc in', () => {
    const { a, b, store } = drive();
    store.hold = true;
    const eject = a.start(EJECT);
    b.run(PREVENT);
    store.releaseAll();
    assert.equal(eject.result.sense, PREVENTED);
  });

  it('persistent: the holder moves the tray itself, others do not', () => {
    const { a, b } = drive();
    assert.equal(sense(a, PERSISTENT_PREVENT), '');
    assert.equal(sense(b, EJECT), PREVENTED);
    assert.equal(sense(a, EJECT), '');
    assert.equal(sense(b, LOAD), PREVENTED);
    assert.equal(sense(a, LOAD), '');
  });

  it('persistent and plain are two: 00b leaves the persistent one, 10b the plain one', () => {
    const { medium, a, b } = drive();
    a.run(PERSISTENT_PREVENT);
    a.run(PREVENT);
    assert.equal(sense(a, EJECT), PREVENTED, 'the plain one binds the holder as well');
    a.run(ALLOW);
    assert.equal(sense(b, EJECT), PREVENTED);
    a.run(PREVENT);
    a.run(PERSISTENT_ALLOW);
    assert.equal(medium.preventedPersistently, false);
    assert.equal(sense(b, EJECT), PREVENTED);
    a.run(ALLOW);
    assert.equal(sense(b, EJECT), '');
  });

  it('persistent survives a change of the medium', () => {
    const { unit, medium, a } = drive();
    a.run(PERSISTENT_PREVENT);
    a.run(EJECT);
    medium.take();
    medium.insert(unit, 2, null);
    assert.equal(medium.preventedPersistently, true);
  });

  const ends: readonly (readonly [string, (d: ReturnType<typeof drive>) => void])[] = [
    ['nexus loss', ({ bed, a }) => bed.target.nexusLost(a.nexus)],
    ['I_T NEXUS RESET', ({ a }) => void a.manage(I_T_NEXUS_RESET)],
    ['LOGICAL UNIT RESET by another', ({ b }) => void b.manage(LOGICAL_UNIT_RESET)],
    [
      'PREEMPT AND ABORT',
      ({ a, b }) => {
        const out = (nexus: TestNexus, action: number, options: OutOptions): void => {
          const { cdb, list } = reserveOut(action, options);
          assert.equal(nexus.run(cdb, { out: list }).status, 0);
        };
        out(a, REGISTER, { actionKey: 1 });
        out(b, REGISTER, { actionKey: 2 });
        out(a, RESERVE, { key: 1, type: 1 });
        out(b, PREEMPT_AND_ABORT, { key: 2, actionKey: 1, type: 1 });
      },
    ],
  ];
  for (const [name, end] of ends) {
    it(`both kinds end with ${name}`, () => {
      const d = drive();
      d.a.run(PREVENT);
      d.a.run(PERSISTENT_PREVENT);
      end(d);
      d.b.attentions();
      assert.equal(sense(d.b, EJECT), '');
    });
  }
});
