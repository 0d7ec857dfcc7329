/** PRE-FETCH(10) and PRE-FETCH(16) (SBC-3 5.7, 5.8; status: SAM-5 5.3.1). */
import { strict as assert } from 'node:assert';
import { MEDIUM_READ } from '../../../src/scsi/contracts.ts';
import { disk } from '../../support/target.ts';
import { preFetch10, preFetch16 } from './cdbs.ts';

const CONDITION_MET = 0x04;
const IMMED = 0x02;

for (const [name, preFetch] of [
  ['PRE-FETCH(10)', preFetch10],
  ['PRE-FETCH(16)', preFetch16],
] as const) {
  describe(name, () => {
    it('reads the range and says CONDITION MET, with IMMED and a group number too', () => {
      const bed = disk({ blocks: 4096 });
      const a = bed.nexus('a').clear();
      assert.equal(a.run(preFetch(10, 300)).status, CONDITION_MET);
      const read = bed.store.requests.reduce((sum, { length }) => sum + length, 0);
      assert.equal(read, 300 * 512);
      assert.equal(a.run(preFetch(10, 1, IMMED)).status, CONDITION_MET);
      const grouped = preFetch(10, 1);
      grouped[name.endsWith('(10)') ? 6 : 14] = 3;
      assert.equal(a.run(grouped).status, CONDITION_MET);
    });
    it('no length means to the end; a range that does not fit ends GOOD', () => {
      const bed = disk({ blocks: 4096 });
      const a = bed.nexus('a').clear();
      assert.equal(a.run(preFetch(4000, 0)).status, CONDITION_MET);
      assert.equal(bed.store.requests.at(-1)?.position, 4000 * 512 + 0);
      const r = a.run(preFetch(0, 0));
      assert.equal(r.status, 0);
      assert.equal(r.sense, '');
    });
    it('refuses ranges beyond the end', () => {
      const bed = disk({ blocks: 4096 });
      const a = bed.nexus('a').clear();
      for (const [lba, blocks] of [
        [4096, 1],
        [4097, 0],
        [4095, 2],
        [2 ** 31, 1],
        [2 ** 32 - 1, 0],
      ] as const) {
        assert.equal(a.run(preFetch(lba, blocks)).sense, '5/21/00', `${lba} ${blocks}`);
      }
      assert.equal(bed.store.requests.length, 0);
    });
    it('a block that cannot be read is 3/11/00 at its LBA', () => {
      const bed = disk({ blocks: 4096 });
      const a = bed.nexus('a').clear();
      bed.store.fail('read', MEDIUM_READ, 1024);
      const r = a.run(preFetch(10, 5));
      assert.deepEqual([r.sense, r.information], ['3/11/00', 12]);
      assert.equal(bed.unit.block?.bounce.free, 2);
    });
  });
}
