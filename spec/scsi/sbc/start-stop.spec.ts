/** START STOP UNIT of a fixed disk (SBC-3 5.25). */
import { strict as assert } from 'node:assert';
import { MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { LOGICAL_UNIT_RESET } from '../../../src/scsi/sam.ts';
import { disk, type Testbed, type TestNexus } from '../../support/target.ts';
import { pattern, RANGED, read10, unmapCdb, write10 } from './cdbs.ts';

const TUR = '00 00 00 00 00 00';
const STOP = '1b 00 00 00 00 00';
const START = '1b 00 00 00 01 00';
const STOP_NO_FLUSH = '1b 00 00 00 04 00';
const condition = (value: number, low: number): number[] => [0x1b, 0, 0, 0, (value << 4) | low, 0];

function ready(): { bed: Testbed; a: TestNexus } {
  const bed = disk({ thin: true });
  return { bed, a: bed.nexus('a').clear() };
}

describe('START STOP UNIT', () => {
  it('START = 0 stops: every medium command and TEST UNIT READY are 2/04/02', () => {
    const { bed, a } = ready();
    assert.equal(a.run(STOP).status, 0);
    const before = bed.store.requests.length;
    assert.equal(a.run(TUR).sense, '2/04/02');
    for (const [name, cdb] of RANGED) {
      assert.equal(a.run(cdb(0, 1), { out: pattern(0, 1) }).sense, '2/04/02', name);
    }
    assert.equal(a.run(unmapCdb(0)).sense, '2/04/02');
    assert.equal(bed.store.requests.length, before);
  });
  it('START = 1 starts again', () => {
    const { a } = ready();
    a.run(STOP);
    assert.equal(a.run(START).status, 0);
    assert.equal(a.run(TUR).status, 0);
    assert.equal(a.run(read10(0, 1), { in: 512 }).status, 0);
  });
  it('INQUIRY and REPORT LUNS work while stopped', () => {
    const { a } = ready();
    a.run(STOP);
    assert.equal(a.run('12 00 00 00 24 00', { in: 36 }).status, 0);
    assert.equal(a.run('a0 00 00 00 00 00 00 00 01 00 00 00', { in: 256 }).status, 0);
  });
  it('the stopped state is the unit’s: another nexus sees it and can end it', () => {
    const { bed, a } = ready();
    const b = bed.nexus('b').clear();
    a.run(STOP);
    assert.equal(b.run(TUR).sense, '2/04/02');
    b.run(START);
    assert.equal(a.run(TUR).status, 0);
  });
  it('K31 stopping flushes the cache first', () => {
    const { bed, a } = ready();
    a.run(write10(4, 1), { out: pattern(4, 1) });
    a.run(STOP);
    bed.store.powerCut();
    assert.deepEqual(bed.store.memory.slice(4 * 512, 5 * 512), pattern(4, 1));
  });
  it('NO_FLUSH stops without a flush', () => {
    const { bed, a } = ready();
    assert.equal(a.run(STOP_NO_FLUSH).status, 0);
    assert.equal(bed.store.calls.flush, 0);
    assert.equal(a.run(TUR).sense, '2/04/02');
  });
  it('a flush that fails fails the command, and the unit stays started', () => {
    const { bed, a } = ready();
    bed.store.fail('flush', MEDIUM_WRITE);
    assert.equal(a.run(STOP).sense, '3/0c/00');
    assert.equal(a.run(TUR).status, 0);
  });
  it('a stop that a reset aborts while it flushes does not stop the unit after the reset', () => {
    const { bed, a } = ready();
    bed.store.hold = true;
    const stop = a.start(STOP);
    const reset = a.manage(LOGICAL_UNIT_RESET);
    bed.store.releaseAll();
    assert.equal(stop.result.dropped, true);
    assert.equal(reset.done, true);
    assert.deepEqual(a.attentions(), ['6/29/03']);
    assert.equal(a.run(TUR).status, 0);
  });
  it('IMMED = 1 is answered when the flush has ended', () => {
    const { bed, a } = ready();
    bed.store.hold = true;
    const pending = a.start('1b 01 00 00 00 00');
    assert.equal(pending.done, false);
    bed.store.release();
    assert.equal(pending.result.status, 0);
  });
  it('LOEJ = 1 is 5/24/00 with a pointer: this medium cannot be removed', () => {
    const { a } = ready();
    for (const low of [0x02, 0x03]) {
      const r = a.run(condition(0, low));
      assert.equal(r.sense, '5/24/00');
      assert.equal(r.pointer, 'cdb 4.1');
    }
    assert.equal(a.run(TUR).status, 0);
  });
  it('accepts power conditions 1 to F, ignoring START and LOEJ', () => {
    const { a } = ready();
    for (let value = 1; value <= 0xf; value += 1) {
      for (const low of [0, 1, 2, 3]) assert.equal(a.run(condition(value, low)).status, 0);
      assert.equal(a.run(TUR).status, 0, `power condition ${value}`);
    }
  });
  it('STANDBY and FORCE_STANDBY flush, unless NO_FLUSH; ACTIVE and IDLE do not', () => {
    for (const [value, low, flushes] of [
      [3, 0, 1],
      [0xb, 0, 1],
      [3, 4, 0],
      [1, 0, 0],
      [2, 0, 0],
    ] as const) {
      const { bed, a } = ready();
      a.run(condition(value, low));
      assert.equal(bed.store.calls.flush, flushes, `power condition ${value}`);
    }
  });
  it('ACTIVE, IDLE and STANDBY end the stopped state; LU_CONTROL does not', () => {
    for (const [value, sense] of [
      [1, ''],
      [2, ''],
      [3, ''],
      [7, '2/04/02'],
    ] as const) {
      const { a } = ready();
      a.run(STOP);
      a.run(condition(value, 0));
      assert.equal(a.run(TUR).sense, sense, `power condition ${value}`);
    }
  });
  it('ignores buffers', () => {
    const { a } = ready();
    const r = a.run(START, { in: 16, out: '00 00' });
    assert.equal(r.residualIn, 16);
    assert.equal(r.residualOut, 2);
  });
});
