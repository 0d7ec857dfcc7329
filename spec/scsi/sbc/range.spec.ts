/** LBA arithmetic of every command that names a range: no LBA and no length wraps, rounds or overflows (bug 18 of the list). */
import { strict as assert } from 'node:assert';
import { GONE } from '../../../src/scsi/contracts.ts';
import { disk } from '../../support/target.ts';
import { be, RANGED, unmapCdb, unmapList } from './cdbs.ts';

const CAPACITY = 2048;
const HUGE = [
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 32n + 1n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const block = new Uint8Array(512).fill(0x5a);
const buffers = (name: string): object => (name.startsWith('READ') ? { in: 512 } : { out: block });

describe('block ranges', () => {
  for (const [name, cdb, lbaBytes] of RANGED) {
    const fits = HUGE.filter((lba) => lba < 2n ** BigInt(lbaBytes * 8));
    it(`K18 ${name} refuses one block at 2^31 … 2^64 - 1`, () => {
      const bed = disk({ blocks: CAPACITY });
      const a = bed.nexus('a').clear();
      for (const lba of fits) {
        const r = a.run(cdb(lba, 1), buffers(name));
        assert.equal(r.sense, '5/21/00', `LBA ${lba}`);
        const exact = lba < 2n ** 53n;
        assert.equal(r.information, exact ? Number(lba) : -1, `INFORMATION for LBA ${lba}`);
      }
      assert.equal(bed.store.requests.length, 0);
    });
    it(`${name} refuses no blocks there too, and at capacity + 1`, () => {
      const bed = disk({ blocks: CAPACITY });
      const a = bed.nexus('a').clear();
      for (const lba of [CAPACITY + 1, ...fits]) {
        assert.equal(a.run(cdb(lba, 0), buffers(name)).sense, '5/21/00', `LBA ${lba}`);
      }
      assert.equal(bed.store.requests.length, 0);
    });
    it(`${name} takes no blocks at LBA = capacity`, () => {
      const a = disk({ blocks: CAPACITY }).nexus('a').clear();
      assert.equal(a.run(cdb(CAPACITY, 0), buffers(name)).status, 0);
    });
    it(`${name} names the capacity as the first missing block of a range that starts inside`, () => {
      const a = disk({ blocks: CAPACITY }).nexus('a').clear();
      const r = a.run(cdb(CAPACITY - 1, 2), buffers(name));
      assert.equal(r.sense, '5/21/00');
      assert.equal(r.information, CAPACITY);
    });
    it(`${name} never wraps on the longest length there is`, () => {
      const bed = disk({ blocks: CAPACITY });
      const a = bed.nexus('a').clear();
      const longest = lbaBytes === 8 || name.endsWith('(12)') ? 2 ** 32 - 1 : 2 ** 16 - 1;
      for (const lba of [0, 1, CAPACITY - 1, CAPACITY, ...fits]) {
        const r = a.run(cdb(lba, longest), buffers(name));
        assert.match(r.sense, /^5\/2[14]\/00$/, `LBA ${lba}`);
      }
      assert.equal(bed.store.requests.length, 0);
    });
    if (lbaBytes === 4) continue;
    it(`${name} reaches the blocks on both sides of 2^32`, () => {
      const bed = disk({ blocks: CAPACITY });
      bed.store.bytes = (2 ** 32 + 1) * 512;
      bed.store.memory = new Uint8Array(0);
      const a = bed.nexus('a').clear();
      assert.equal(a.run(cdb(2n ** 32n + 1n, 1), buffers(name)).information, 2 ** 32 + 1);
      if (name.startsWith('SYNC')) return;
      for (const lba of [2 ** 32 - 1, 2 ** 32]) {
        const moves = name.startsWith('WRITE') ? 'write' : 'read';
        bed.store.fail(moves, GONE);
        a.run(cdb(lba, 1), buffers(name));
        assert.equal(bed.store.requests.at(-1)?.position, lba * 512);
      }
    });
  }

  it('UNMAP refuses a descriptor at 2^31 … 2^64 - 1, or one block too long', () => {
    const bed = disk({ blocks: CAPACITY, thin: true });
    const a = bed.nexus('a').clear();
    for (const lba of HUGE) {
      const out = unmapList([
        [0, 1],
        [lba, 1],
      ]);
      const r = a.run(unmapCdb(out.length), { out });
      assert.equal(r.sense, '5/21/00');
      assert.equal(r.information, lba < 2n ** 53n ? Number(lba) : -1);
    }
    const out = unmapList([[CAPACITY - 1, 2]]);
    assert.equal(a.run(unmapCdb(out.length), { out }).information, CAPACITY);
    assert.equal(bed.store.calls.discard, 0);
  });

  it('the LBA field is read whole: every single bit of it makes an LBA out of range', () => {
    const a = disk({ blocks: 1 }).nexus('a').clear();
    for (let bit = 0n; bit < 64n; bit += 1n) {
      const cdb = [0x88, 0, ...be(1n << bit, 8), 0, 0, 0, 1, 0, 0];
      assert.equal(a.run(cdb, { in: 512 }).sense, '5/21/00', `bit ${bit}`);
    }
  });
});
