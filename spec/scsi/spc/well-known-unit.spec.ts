/** LUNs without a logical unit, and the REPORT LUNS well-known logical unit (SPC-4 6.6.2, 6.39, clause 8). */
import { strict as assert } from 'node:assert';
import { hex } from '../../support/direct-port.ts';
import { disk } from '../../support/target.ts';

const MISSING = '00 07 00 00 00 00 00 00';
const WELL_KNOWN = 'c1 01 00 00 00 00 00 00';

describe('a LUN without a logical unit', () => {
  const a = disk().nexus('a');

  it('answers INQUIRY with qualifier 011b and type 1Fh, and has no VPD pages', () => {
    const r = a.run('12 00 00 00 60 00', { in: 96, lunField: MISSING });
    assert.equal(r.status, 0);
    assert.equal(r.dataIn[0], 0x7f);
    assert.equal(r.dataIn[4], r.dataIn.length - 5);
    const page = a.run('12 01 00 00 60 00', { in: 96, lunField: MISSING });
    assert.deepEqual([page.sense, page.pointer], ['5/24/00', 'cdb 2']);
  });

  it('answers REQUEST SENSE GOOD, with 5/25/00 as parameter data', () => {
    const r = a.run('03 00 00 00 fc 00', { in: 252, lunField: MISSING });
    assert.equal(r.status, 0);
    assert.equal(hex(r.dataIn), '70 00 05 00 00 00 00 0a 00 00 00 00 25 00 00 00 00 00');
    const descriptor = a.run('03 01 00 00 fc 00', { in: 252, lunField: MISSING });
    assert.equal(hex(descriptor.dataIn), '72 05 25 00 00 00 00 00');
  });

  it('answers REPORT LUNS as every unit does', () => {
    const r = a.run('a0 00 00 00 00 00 00 00 01 00 00 00', { in: 256, lunField: MISSING });
    assert.equal(hex(r.dataIn), '00 00 00 08 00 00 00 00 00 00 00 00 00 00 00 00');
  });

  it('answers everything else 5/25/00, known and unknown, and never a unit attention', () => {
    for (let opcode = 0; opcode < 256; opcode += 1) {
      if ([0x03, 0x12, 0xa0].includes(opcode)) continue;
      const cdb = new Uint8Array(16);
      cdb[0] = opcode;
      const r = a.run(cdb, { in: 512, lunField: MISSING });
      assert.deepEqual([r.status, r.sense, r.dataInWanted], [2, '5/25/00', 0]);
    }
  });

  it('is any field that names no unit: other levels, buses, well-known units', () => {
    for (const lunField of [
      'c1 02 00 00 00 00 00 00',
      '00 00 00 01 00 00 00 00',
      '01 00 00 00 00 00 00 00',
      'ff ff ff ff ff ff ff ff',
    ]) {
      assert.equal(a.run('00 00 00 00 00 00', { lunField }).sense, '5/25/00');
    }
  });
});

describe('the REPORT LUNS well-known logical unit', () => {
  const a = disk().nexus('a');

  it('is ready, of type 1Eh, and lists only what it has', () => {
    assert.equal(a.run('00 00 00 00 00 00', { lunField: WELL_KNOWN }).status, 0);
    const r = a.run('12 00 00 00 60 00', { in: 96, lunField: WELL_KNOWN });
    assert.equal(r.dataIn[0], 0x1e);
    const pages = a.run('12 01 00 00 60 00', { in: 96, lunField: WELL_KNOWN });
    assert.equal(hex(pages.dataIn), '1e 00 00 02 00 83');
    const designators = a.run('12 01 83 00 60 00', { in: 96, lunField: WELL_KNOWN });
    assert.equal(hex(designators.dataIn), '1e 83 00 00');
  });

  it('answers REPORT LUNS and REQUEST SENSE', () => {
    const luns = a.run('a0 00 02 00 00 00 00 00 01 00 00 00', { in: 256, lunField: WELL_KNOWN });
    assert.equal(
      hex(luns.dataIn),
      '00 00 00 10 00 00 00 00 00 00 00 00 00 00 00 00 c1 01 00 00 00 00 00 00',
    );
    const sense = a.run('03 00 00 00 12 00', { in: 18, lunField: WELL_KNOWN });
    assert.equal(sense.dataIn[2], 0);
  });

  it('has no other command', () => {
    const r = a.run('25 00 00 00 00 00 00 00 00 00', { in: 8, lunField: WELL_KNOWN });
    assert.equal(r.sense, '5/20/00');
  });
});
