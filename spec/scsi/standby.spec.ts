/** A logical unit in standby (SPC-4 5.15.2.4.4): it can be asked who it is, and nothing touches its medium. */
import { strict as assert } from 'node:assert';
import { disk, type Testbed, type TestNexus } from '../support/target.ts';
import { pattern, RANGED, read10, unmapCdb, write10 } from './sbc/cdbs.ts';
import { COMMANDS } from './standby-cdbs.ts';

const TUR = '00 00 00 00 00 00';
const STANDBY = '2/04/0b';
const CHANGED = '6/2a/06';

function inStandby(): { bed: Testbed; a: TestNexus } {
  const bed = disk({ thin: true });
  const a = bed.nexus('a').clear();
  bed.unit.standby = true;
  return { bed, a };
}

describe('standby', () => {
  it('every command that touches the medium, and START STOP UNIT, is 2/04/0B; the store hears nothing', () => {
    const { bed, a } = inStandby();
    const before = bed.store.requests.length;
    for (const [name, cdb] of RANGED) {
      assert.equal(a.run(cdb(0, 1), { out: pattern(0, 1) }).sense, STANDBY, name);
    }
    for (const cdb of [
      TUR,
      unmapCdb(0),
      '1b 00 00 00 00 00',
      '1b 00 00 00 01 00',
      '35 00 00 00 00 00 00 00 00 00',
    ]) {
      assert.equal(a.run(cdb).sense, STANDBY, String(cdb));
    }
    assert.equal(bed.store.requests.length, before);
    assert.equal(bed.unit.block?.stopped, false);
  });

  for (const [name, cdb] of COMMANDS) {
    it(`${name} is served`, () => {
      const { a } = inStandby();
      assert.equal(a.run(cdb, { in: 252 }).status, 0);
    });
  }

  it('REQUEST SENSE tells the state', () => {
    const { a } = inStandby();
    const { dataIn } = a.run('03 00 00 00 12 00', { in: 18 });
    assert.deepEqual([...dataIn.slice(2, 3), ...dataIn.slice(12, 14)], [0x02, 0x04, 0x0b]);
  });

  it('activate tells every nexus 2A/06 and lets commands through', () => {
    const { bed, a } = inStandby();
    const b = bed.nexus('b').clear();
    bed.unit.activate();
    for (const nexus of [a, b]) {
      assert.equal(nexus.run(TUR).sense, CHANGED);
      assert.equal(nexus.run(TUR).status, 0);
    }
    assert.equal(a.run(write10(4, 1), { out: pattern(4, 1) }).status, 0);
    assert.deepEqual(b.run(read10(4, 1), { in: 512 }).dataIn, pattern(4, 1));
  });

  it('a unit that is active stays so without a word', () => {
    const bed = disk({});
    const a = bed.nexus('a').clear();
    bed.unit.activate();
    assert.equal(a.run(TUR).status, 0);
  });

  it('a reset leaves it in standby', () => {
    const { bed, a } = inStandby();
    bed.unit.reset();
    assert.equal(a.run(TUR).sense, '6/29/03');
    assert.equal(a.run(TUR).sense, STANDBY);
  });

  it('entering it waits for what a store still works on, and refuses what comes after', () => {
    const bed = disk({});
    const a = bed.nexus('a').clear();
    const b = bed.nexus('b').clear();
    bed.store.hold = true;
    const running = a.start(write10(0, 1), { out: pattern(0, 1) });
    const waiting = a.start(write10(0, 1), { out: pattern(1, 1) });
    let quiet = 0;
    bed.unit.standBy(() => {
      quiet += 1;
    });
    assert.equal(b.run(TUR).sense, CHANGED);
    assert.equal(b.run(read10(8, 1), { in: 512 }).sense, STANDBY);
    assert.equal(quiet, 0);
    bed.store.release();
    assert.equal(running.outcome?.status, 0);
    // It was waiting for the first one: by the time it runs the unit attention and standby stand in its way.
    assert.equal(waiting.outcome?.sense, CHANGED);
    assert.equal(quiet, 1);
    assert.deepEqual(bed.store.memory.slice(0, 512), pattern(0, 1));
  });
});
