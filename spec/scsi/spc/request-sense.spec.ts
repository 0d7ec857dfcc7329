/** REQUEST SENSE (SPC-4 6.39). */
import { strict as assert } from 'node:assert';
import { hex } from '../../support/direct-port.ts';
import { disk } from '../../support/target.ts';

describe('REQUEST SENSE', () => {
  it('has nothing to say of a ready unit, in either format', () => {
    const a = disk().nexus('a').clear();
    assert.equal(
      hex(a.run('03 00 00 00 fc 00', { in: 252 }).dataIn),
      '70 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00',
    );
    assert.equal(hex(a.run('03 01 00 00 fc 00', { in: 252 }).dataIn), '72 00 00 00 00 00 00 00');
  });

  it('never repeats the sense that a failed command already carried', () => {
    const a = disk().nexus('a').clear();
    assert.equal(a.run('28 00 ff ff ff ff 00 00 01 00', { in: 512 }).sense, '5/21/00');
    assert.equal(a.run('03 00 00 00 12 00', { in: 18 }).dataIn[2], 0);
  });

  it('says 2/04/02 of a stopped unit, after the unit attentions', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    assert.equal(a.run('1b 00 00 00 00 00').status, 0);
    t.unit.attention.post(a.nexus.index, 0x62a01);
    const first = a.run('03 01 00 00 12 00', { in: 18 });
    assert.equal(hex(first.dataIn.subarray(0, 4)), '72 06 2a 01');
    const second = a.run('03 01 00 00 12 00', { in: 18 });
    assert.equal(hex(second.dataIn.subarray(0, 4)), '72 02 04 02');
    assert.equal(a.run('00 00 00 00 00 00').sense, '2/04/02');
    assert.equal(a.run('1b 00 00 00 01 00').status, 0);
    assert.equal(a.run('00 00 00 00 00 00').status, 0);
  });

  it('keeps a unit attention that its own bad CDB did not deliver', () => {
    const a = disk().nexus('a');
    assert.equal(a.run('03 02 00 00 12 00', { in: 18 }).sense, '5/24/00');
    assert.deepEqual(a.attentions(), ['6/29/00']);
  });
});
