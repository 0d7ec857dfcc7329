/** READ DEFECT DATA(10) and (12) (SBC-3 5.17, 5.18): empty lists. */
import { strict as assert } from 'node:assert';
import { hex } from '../../support/direct-port.ts';
import { disk } from '../../support/target.ts';

describe('READ DEFECT DATA', () => {
  const a = disk().nexus('a').clear();

  it('(10) answers a header that gives the request back', () => {
    assert.equal(hex(a.run('37 00 00 00 00 00 00 00 20 00', { in: 32 }).dataIn), '00 00 00 00');
    assert.equal(hex(a.run('37 00 1d 00 00 00 00 00 20 00', { in: 32 }).dataIn), '00 1d 00 00');
    assert.equal(hex(a.run('37 00 08 00 00 00 00 00 02 00', { in: 32 }).dataIn), '00 08');
  });
  it('(12) answers a header that gives the request back, whatever the index', () => {
    const r = a.run('b7 1d 00 00 00 09 00 00 00 20 00 00', { in: 32 });
    assert.equal(hex(r.dataIn), '00 1d 00 00 00 00 00 00');
  });
});
