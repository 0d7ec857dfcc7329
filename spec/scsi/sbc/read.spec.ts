/** READ(6), (10), (12), (16) as a disk must answer them (SBC-3 5.11 to 5.13). */
import { strict as assert } from 'node:assert';
import { BUFFER, GONE, MEDIUM_READ, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { POISON } from '../../support/direct-port.ts';
import { disk, type Testbed, type TestNexus } from '../../support/target.ts';
import { DPO, FUA, pattern, read6, read10, read12, read16 } from './cdbs.ts';

const BLOCKS = 4096;

function filled(blockBytes = 512): { bed: Testbed; a: TestNexus } {
  const bed = disk({ blocks: BLOCKS, blockBytes });
  bed.store.memory.set(pattern(0, BLOCKS, blockBytes));
  return { bed, a: bed.nexus('a').clear() };
}

describe('READ', () => {
  const forms = [
    ['READ(6)', read6],
    ['READ(10)', read10],
    ['READ(12)', read12],
    ['READ(16)', read16],
  ] as const;
  for (const [name, cdb] of forms) {
    it(`${name} returns the blocks asked for`, () => {
      const { a } = filled();
      const r = a.run(cdb(100, 3), { in: 1536 });
      assert.equal(r.status, 0);
      assert.deepEqual(r.dataIn, pattern(100, 3));
      assert.equal(r.residualIn, 0);
    });
    it(`${name} returns the last block`, () => {
      const { a } = filled();
      assert.deepEqual(a.run(cdb(BLOCKS - 1, 1), { in: 512 }).dataIn, pattern(BLOCKS - 1, 1));
    });
    it(`${name} scatters over segments`, () => {
      const { a } = filled();
      assert.deepEqual(a.run(cdb(7, 2), { in: 1024, split: 100 }).dataIn, pattern(7, 2));
    });
    it(`${name} past the last block is 5/21/00 at the first missing one, and moves nothing`, () => {
      const { bed, a } = filled();
      const r = a.run(cdb(BLOCKS - 1, 2), { in: 1024 });
      assert.equal(r.sense, '5/21/00');
      assert.equal(r.information, BLOCKS);
      assert.equal(r.dataIn.length, 0);
      assert.equal(bed.store.calls.read, 0);
    });
  }

  it('READ(6) with TRANSFER LENGTH 0 reads 256 blocks', () => {
    const { a } = filled();
    const r = a.run(read6(8, 0), { in: 256 * 512 });
    assert.deepEqual(r.dataIn, pattern(8, 256));
    assert.equal(r.residualIn, 0);
  });
  it('READ(6) with TRANSFER LENGTH 0 whose 256 blocks pass the end is out of range', () => {
    const { a } = filled();
    const r = a.run(read6(BLOCKS - 255, 0), { in: 256 * 512 });
    assert.equal(r.sense, '5/21/00');
    assert.equal(r.information, BLOCKS);
  });
  it('READ(6) addresses 21 bits', () => {
    const bed = disk({ blocks: 16 });
    bed.store.bytes = 2 ** 22 * 512;
    const a = bed.nexus('a').clear();
    a.run('08 1f ff ff 01 00', { in: 512 });
    assert.equal(bed.store.requests.at(-1)?.position, 0x1fffff * 512);
  });
  for (const [name, cdb] of forms.slice(1)) {
    it(`${name} with TRANSFER LENGTH 0 moves nothing and is GOOD`, () => {
      const { bed, a } = filled();
      const r = a.run(cdb(0, 0), { in: 512 });
      assert.equal(r.status, 0);
      assert.equal(r.residualIn, 512);
      assert.equal(bed.store.calls.read, 0);
    });
  }

  it('honours DPO and FUA together', () => {
    const { a } = filled();
    assert.deepEqual(a.run(read10(1, 1, DPO | FUA), { in: 512 }).dataIn, pattern(1, 1));
  });
  it('ignores the group number', () => {
    const { a } = filled();
    assert.equal(a.run('28 00 00 00 00 00 1f 00 01 00', { in: 512 }).status, 0);
  });
  it('refuses RDPROTECT, this unit has no protection information', () => {
    const { a } = filled();
    for (const protect of [0x20, 0x40, 0x60, 0x80, 0xa0, 0xc0, 0xe0]) {
      assert.equal(a.run(read10(0, 1, protect), { in: 512 }).sense, '5/24/00');
      assert.equal(a.run(read16(0, 1, protect), { in: 512 }).sense, '5/24/00');
    }
  });
  it('refuses a transfer over the limit with a pointer to TRANSFER LENGTH', () => {
    const { a } = filled();
    const r = a.run(read16(0, 2049), { in: 512 });
    assert.equal(r.sense, '5/24/00');
    assert.equal(r.pointer, 'cdb 10.7');
    assert.equal(a.run(read10(0, 2049), { in: 512 }).pointer, 'cdb 7.7');
    assert.equal(a.run(read12(0, 2049), { in: 512 }).pointer, 'cdb 6.7');
  });
  it('takes the longest transfer there is, 1 MiB', () => {
    const { a } = filled();
    assert.deepEqual(a.run(read10(5, 2048), { in: 1 << 20 }).dataIn, pattern(5, 2048));
  });
  it('counts in the logical blocks of a 4096-byte disk', () => {
    const { a } = filled(4096);
    assert.deepEqual(a.run(read10(3, 2), { in: 8192 }).dataIn, pattern(3, 2, 4096));
    assert.equal(a.run(read10(0, 257), { in: 8192 }).sense, '5/24/00');
  });

  it('FUA flushes a volatile cache before it reads', () => {
    const { bed, a } = filled();
    const before = bed.store.requests.length;
    a.run(read10(0, 1, FUA), { in: 512 });
    assert.deepEqual(
      bed.store.requests.slice(before).map((request) => request.call),
      ['flush', 'read'],
    );
  });
  it('FUA flushes nothing where there is no volatile cache', () => {
    const bed = disk({ volatileCache: false });
    const a = bed.nexus('a').clear();
    a.run(read10(0, 1, FUA), { in: 512 });
    assert.equal(bed.store.calls.flush, 0);
  });
  it('FUA with a failing flush is 3/0C/00 without an LBA, and returns no data', () => {
    const { bed, a } = filled();
    bed.store.fail('flush', MEDIUM_WRITE);
    const r = a.run(read10(9, 1, FUA), { in: 512 });
    assert.equal(r.sense, '3/0c/00');
    assert.equal(r.information, -1);
    assert.equal(r.dataIn.length, 0);
  });

  it('names the first unreadable block and returns the good ones before it', () => {
    const { bed, a } = filled();
    bed.store.fail('read', MEDIUM_READ, 2 * 512);
    const r = a.run(read10(100, 4), { in: 2048 });
    assert.equal(r.sense, '3/11/00');
    assert.equal(r.information, 102);
    assert.deepEqual(r.dataIn, pattern(100, 2));
  });
  it('names the block, not the byte, when the fault is in the middle of one', () => {
    const { bed, a } = filled();
    bed.store.fail('read', MEDIUM_READ, 512 + 100);
    assert.equal(a.run(read10(100, 4), { in: 2048 }).information, 101);
  });
  it('K19 puts an LBA above 2^32 whole into descriptor sense and not at all into fixed sense', () => {
    const bed = disk({ blocks: 16 });
    bed.store.bytes = 2 ** 44;
    const a = bed.nexus('a').clear();
    const lba = 2 ** 32 + 0x12345;
    bed.store.fail('read', MEDIUM_READ, 512, 2);
    const fixed = a.run(read16(lba, 2), { in: 1024 });
    assert.equal(fixed.information, lba + 1);
    assert.equal(fixed.senseBytes[0], 0x70, 'VALID = 0');
    assert.deepEqual([...fixed.senseBytes.subarray(15)], [0x80, 0, 0], 'it was not repeated');
    bed.unit.descriptorSense = true;
    const { senseBytes } = a.run(read16(lba, 2), { in: 1024 });
    assert.equal(
      Buffer.from(senseBytes).toString('hex'),
      `72031100${'00000014'}000a800000000001000${'12346'}${'0206000080000000'}`,
    );
  });
  it('a store that is gone is 4/44/00, never zeros', () => {
    const { bed, a } = filled();
    bed.store.fail('read', GONE);
    const r = a.run(read10(0, 1), { in: 512 });
    assert.equal(r.sense, '4/44/00');
    assert.equal(r.dataIn.length, 0);
  });
  it('initiator memory that cannot be reached is B/4B/00', () => {
    const { bed, a } = filled();
    bed.store.fail('read', BUFFER);
    assert.equal(a.run(read10(0, 1), { in: 512 }).sense, 'b/4b/00');
  });

  it('fills a buffer that is too short, GOOD, with the overflow as residual', () => {
    const { a } = filled();
    const r = a.run(read10(10, 2), { in: 700 });
    assert.equal(r.status, 0);
    assert.deepEqual(r.dataIn, pattern(10, 2).slice(0, 700));
    assert.equal(r.residualIn, 700 - 1024);
  });
  it('leaves the rest of a buffer that is too long alone', () => {
    const { a } = filled();
    const r = a.run(read10(10, 1), { in: 10_000 });
    assert.equal(r.residualIn, 10_000 - 512);
    assert.ok(r.buffer.subarray(512).every((byte) => byte === POISON));
  });
  it('without a buffer is GOOD and asks the store for nothing', () => {
    const { bed, a } = filled();
    const r = a.run(read10(10, 1));
    assert.equal(r.status, 0);
    assert.equal(r.residualIn, -512);
    assert.equal(bed.store.calls.read, 0);
  });
  it('with a data-out buffer instead is GOOD and neither reads nor writes', () => {
    const { bed, a } = filled();
    const r = a.run(read10(10, 1), { out: new Uint8Array(512) });
    assert.equal(r.status, 0);
    assert.equal(r.dataOutMoved, 0);
    assert.equal(bed.store.requests.length, 0);
  });

  it('completes when the store does', () => {
    const { bed, a } = filled();
    bed.store.hold = true;
    const pending = a.start(read10(33, 1), { in: 512 });
    assert.equal(pending.done, false);
    bed.store.release();
    assert.deepEqual(pending.result.dataIn, pattern(33, 1));
  });
});
