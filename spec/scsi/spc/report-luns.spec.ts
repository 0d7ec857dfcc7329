/** REPORT LUNS (SPC-4 6.33) in both presentations. */
import { strict as assert } from 'node:assert';
import { hex, type Outcome } from '../../support/direct-port.ts';
import { disk, type TestNexus } from '../../support/target.ts';
import { capture } from '../../support/vectors.ts';

const report = (a: TestNexus, select: number, lunField = '00 00 00 00 00 00 00 00') =>
  a.run([0xa0, 0, select, 0, 0, 0, 0, 0, 0x10, 0, 0, 0], { in: 4096, lunField });

/** The listed LUN fields, first two bytes each; the rest must be zero. */
function listed({ dataIn }: Outcome): string[] {
  const luns: string[] = [];
  assert.equal(new DataView(dataIn.buffer).getUint32(0), dataIn.length - 8);
  for (let at = 8; at < dataIn.length; at += 8) {
    luns.push(hex(dataIn.subarray(at, at + 2)));
    assert.ok(dataIn.subarray(at + 2, at + 8).every((byte) => byte === 0));
  }
  return luns;
}

describe('REPORT LUNS', () => {
  it('answers as scsi_debug for each SELECT REPORT', () => {
    const a = disk().nexus('a');
    for (const select of [0, 1, 2]) {
      const theirs = capture('Linux-scsi_debug', `REPORT LUNS sel${select}`);
      assert.equal(hex(a.run(theirs.cdb, { in: 256 }).dataIn), theirs.dataIn);
    }
  });

  it('refuses other SELECT REPORT codes, pointing at byte 2', () => {
    const a = disk().nexus('a');
    for (const select of [0x03, 0x10, 0x11, 0x12, 0xff]) {
      const r = report(a, select);
      assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 2']);
    }
  });

  it('lists units ascending: peripheral addressing to 255, flat above', () => {
    const t = disk({ lun: 300 });
    for (const lun of [255, 256, 0, 16383]) t.add({ lun });
    const r = report(t.nexus('a'), 0);
    assert.deepEqual(listed(r), ['00 00', '00 ff', '41 00', '41 2c', '7f ff']);
  });

  it('works on a target without any unit', () => {
    const t = disk();
    const a = t.nexus('a');
    t.target.removeUnit(0, () => undefined);
    assert.deepEqual(listed(report(a, 0)), []);
    assert.deepEqual(listed(report(a, 2)), ['c1 01']);
  });

  describe('to a virtual SCSI initiator', () => {
    const t = disk();
    for (const lun of [1, 5, 63, 64]) t.add({ lun });
    const a = t.nexus('a', 'vscsi');

    it('lists the adapter at unit 0 and at the well-known unit: one target per unit', () => {
      const all = ['00 00', '81 00', '85 00', 'bf 00'];
      assert.deepEqual(listed(report(a, 0)), all);
      assert.deepEqual(listed(report(a, 0, 'c1 01 00 00 00 00 00 00')), all);
      assert.deepEqual(listed(report(a, 2)), [...all, 'c1 01']);
    });

    it('lists one LUN 0 at target n, and none at a target that is not there', () => {
      assert.deepEqual(listed(report(a, 0, '85 00 00 00 00 00 00 00')), ['00 00']);
      assert.deepEqual(listed(report(a, 0, '80 00 00 00 00 00 00 00')), ['00 00']);
      assert.deepEqual(listed(report(a, 0, '86 00 00 00 00 00 00 00')), []);
    });
  });
});
