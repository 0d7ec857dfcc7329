/** WRITE(6), (10), (12), (16) as a disk must answer them, and when their data is safe (SBC-3 5.33 to 5.35, 4.15). */
import { strict as assert } from 'node:assert';
import { BUFFER, FULL, GONE, MEDIUM_WRITE, READ_ONLY } from '../../../src/scsi/contracts.ts';
import { disk, type Testbed, type TestNexus } from '../../support/target.ts';
import { DPO, FUA, pattern, write6, write10, write12, write16 } from './cdbs.ts';

const BLOCKS = 4096;

function blank(blockBytes = 512): { bed: Testbed; a: TestNexus } {
  const bed = disk({ blocks: BLOCKS, blockBytes });
  return { bed, a: bed.nexus('a').clear() };
}

const at = (bytes: Uint8Array, lba: number, blocks: number): Uint8Array =>
  bytes.slice(lba * 512, (lba + blocks) * 512);
const zeros = (blocks: number): Uint8Array => new Uint8Array(blocks * 512);

describe('WRITE', () => {
  const forms = [
    ['WRITE(6)', write6],
    ['WRITE(10)', write10],
    ['WRITE(12)', write12],
    ['WRITE(16)', write16],
  ] as const;
  for (const [name, cdb] of forms) {
    it(`${name} writes the blocks named and no other`, () => {
      const { bed, a } = blank();
      const r = a.run(cdb(100, 3), { out: pattern(100, 3), split: 333 });
      assert.equal(r.status, 0);
      assert.equal(r.residualOut, 0);
      assert.deepEqual(
        at(bed.store.memory, 99, 5),
        Uint8Array.from([...zeros(1), ...pattern(100, 3), ...zeros(1)]),
      );
    });
    it(`${name} past the last block is 5/21/00 at the first missing one, and writes nothing`, () => {
      const { bed, a } = blank();
      const r = a.run(cdb(BLOCKS - 1, 2), { out: pattern(0, 2) });
      assert.equal(r.sense, '5/21/00');
      assert.equal(r.information, BLOCKS);
      assert.equal(bed.store.calls.write, 0);
    });
  }
  it('WRITE(6) with TRANSFER LENGTH 0 writes 256 blocks', () => {
    const { bed, a } = blank();
    const r = a.run(write6(8, 0), { out: pattern(8, 256) });
    assert.equal(r.residualOut, 0);
    assert.deepEqual(at(bed.store.memory, 8, 256), pattern(8, 256));
  });
  for (const [name, cdb] of forms.slice(1)) {
    it(`${name} with TRANSFER LENGTH 0 writes nothing and is GOOD`, () => {
      const { bed, a } = blank();
      const r = a.run(cdb(3, 0), { out: pattern(3, 1) });
      assert.equal(r.status, 0);
      assert.equal(r.residualOut, 512);
      assert.equal(bed.store.calls.write, 0);
    });
  }
  it('refuses a transfer over the limit with a pointer to TRANSFER LENGTH', () => {
    const { a } = blank();
    const r = a.run(write16(0, 2049), { out: pattern(0, 1) });
    assert.equal(r.sense, '5/24/00');
    assert.equal(r.pointer, 'cdb 10.7');
  });
  it('refuses WRPROTECT', () => {
    const { bed, a } = blank();
    for (const protect of [0x20, 0x80, 0xe0]) {
      assert.equal(a.run(write12(0, 1, protect), { out: zeros(1) }).sense, '5/24/00');
    }
    assert.equal(bed.store.calls.write, 0);
  });

  it('with the write cache on, GOOD does not mean stable', () => {
    const { bed, a } = blank();
    a.run(write10(5, 1), { out: pattern(5, 1) });
    bed.store.powerCut();
    assert.deepEqual(at(bed.store.memory, 5, 1), zeros(1));
  });
  it('FUA: GOOD means stable', () => {
    for (const flags of [FUA, FUA | DPO]) {
      for (const cdb of [write10, write12, write16]) {
        const { bed, a } = blank();
        a.run(cdb(5, 1, flags), { out: pattern(5, 1) });
        bed.store.powerCut();
        assert.deepEqual(at(bed.store.memory, 5, 1), pattern(5, 1));
      }
    }
  });
  it('K24 with the write cache off, GOOD means stable for every WRITE', () => {
    for (const [, cdb] of forms) {
      const { bed, a } = blank();
      bed.unit.writeCacheEnabled = false;
      a.run(cdb(5, 1), { out: pattern(5, 1) });
      bed.store.powerCut();
      assert.deepEqual(at(bed.store.memory, 5, 1), pattern(5, 1));
    }
  });
  it('an LBA bit of WRITE(6) is not mistaken for FUA', () => {
    const { bed, a } = blank();
    bed.store.bytes = 2 ** 21 * 512;
    bed.store.memory = new Uint8Array(0);
    bed.store.fail('write', FULL);
    a.run('0a 08 00 00 01 00', { out: pattern(0, 1) });
    assert.equal(bed.store.requests.at(-1)?.durable, false);
  });

  it('names the first block that could not be written', () => {
    const { bed, a } = blank();
    bed.store.fail('write', MEDIUM_WRITE, 4 * 512);
    const r = a.run(write10(100, 16), { out: pattern(100, 16) });
    assert.equal(r.sense, '3/0c/00');
    assert.equal(r.information, 104);
    assert.equal(r.dataOutMoved, 4 * 512);
  });
  it('a full store is 7/27/07, never a medium error and never GOOD', () => {
    const { bed, a } = blank();
    bed.store.fail('write', FULL);
    const r = a.run(write10(100, 1), { out: pattern(100, 1) });
    assert.equal(r.sense, '7/27/07');
    assert.equal(r.information, -1);
  });
  for (const [fault, sense] of [
    [GONE, '4/44/00'],
    [READ_ONLY, '7/27/00'],
    [BUFFER, 'b/4b/00'],
  ] as const) {
    it(`store fault ${fault} is ${sense}`, () => {
      const { bed, a } = blank();
      bed.store.fail('write', fault);
      assert.equal(a.run(write10(1, 1), { out: zeros(1) }).sense, sense);
    });
  }
  it('a read-only store answers 7/27/00 before anything about the CDB', () => {
    const bed = disk({ readOnly: true });
    const a = bed.nexus('a').clear();
    for (const cdb of [write10(0, 1), write10(0, 1, 0x20), write16(2n ** 63n, 1), write6(0, 1)]) {
      assert.equal(a.run(cdb, { out: zeros(1) }).sense, '7/27/00');
    }
  });
  it('software write protection answers 7/27/02', () => {
    const { bed, a } = blank();
    bed.unit.softwareWriteProtect = true;
    assert.equal(a.run(write10(0, 1), { out: zeros(1) }).sense, '7/27/02');
    assert.equal(bed.store.calls.write, 0);
  });

  it('of a buffer that is too short writes the whole blocks, GOOD, with the overflow as residual', () => {
    const { bed, a } = blank();
    const r = a.run(write10(10, 3), { out: pattern(10, 3).slice(0, 1200) });
    assert.equal(r.status, 0);
    assert.equal(r.residualOut, 1200 - 1536);
    assert.equal(r.dataOutMoved, 1024);
    assert.deepEqual(
      at(bed.store.memory, 10, 3),
      Uint8Array.from([...pattern(10, 2), ...zeros(1)]),
    );
  });
  it('with less than one block writes nothing', () => {
    const { bed, a } = blank();
    const r = a.run(write10(10, 1), { out: pattern(10, 1).slice(0, 511) });
    assert.equal(r.status, 0);
    assert.equal(r.residualOut, -1);
    assert.equal(bed.store.calls.write, 0);
  });
  it('ignores what a buffer that is too long has behind the transfer', () => {
    const { bed, a } = blank();
    const r = a.run(write10(10, 1), { out: pattern(10, 3) });
    assert.equal(r.residualOut, 1024);
    assert.deepEqual(at(bed.store.memory, 11, 2), zeros(2));
  });
  it('without a buffer, or with a data-in buffer instead, writes nothing and is GOOD', () => {
    const { bed, a } = blank();
    assert.equal(a.run(write10(10, 1)).status, 0);
    const r = a.run(write10(10, 1), { in: 512 });
    assert.equal(r.status, 0);
    assert.equal(r.dataIn.length, 0);
    assert.equal(bed.store.calls.write, 0);
  });
});
