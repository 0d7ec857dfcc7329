/** WRITE ATOMIC(16) (SBC-4 5.48) and the fields of the Block Limits page about it (SBC-4 6.6.4, bytes 44 to 63). */
import { strict as assert } from 'node:assert';
import { FULL, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { disk, type Testbed } from '../../support/target.ts';
import { pattern } from './cdbs.ts';

const LIMITS = '12 01 b0 00 ff 00';

/** WRITE ATOMIC(16): flags in byte 1, LBA, ATOMIC BOUNDARY, TRANSFER LENGTH. */
function writeAtomic(lba: bigint | number, blocks: number, flags = 0, boundary = 0): Uint8Array {
  const cdb = new Uint8Array(16);
  const view = new DataView(cdb.buffer);
  cdb[0] = 0x9c;
  cdb[1] = flags;
  view.setBigUint64(2, BigInt.asUintN(64, BigInt(lba)));
  view.setUint16(10, boundary);
  view.setUint16(12, blocks);
  return cdb;
}

const bed = (): Testbed => disk({ blocks: 4096, atomicBytes: 64 * 1024, physicalBlockBytes: 512 });
const bytes = (blocks: number): Uint8Array => new Uint8Array(blocks * 512).fill(0x77);

describe('WRITE ATOMIC(16)', () => {
  it('writes its blocks by one atomic request of the store', () => {
    const t = bed();
    const r = t
      .nexus('a')
      .clear()
      .run(writeAtomic(5, 100), { out: bytes(100), split: 7000 });
    assert.deepEqual([r.status, r.residualOut, r.dataOutMoved], [0, 0, 51_200]);
    assert.ok(t.store.memory.subarray(5 * 512, 105 * 512).every((byte) => byte === 0x77));
    assert.deepEqual([t.store.memory[5 * 512 - 1], t.store.memory[105 * 512]], [0, 0]);
    assert.deepEqual(
      t.store.requests.map(({ call, position, length }) => [call, position, length]),
      [['writeAtomic', 5 * 512, 51_200]],
    );
  });

  it('accepts DPO and FUA, refuses WRPROTECT and an atomic boundary', () => {
    const a = bed().nexus('a').clear();
    for (const flags of [0x10, 0x08, 0x18]) {
      assert.equal(a.run(writeAtomic(0, 1, flags), { out: bytes(1) }).status, 0);
    }
    for (const flags of [0x20, 0xe0]) {
      const r = a.run(writeAtomic(0, 1, flags), { out: bytes(1) });
      assert.deepEqual([r.sense, r.pointer.slice(0, 5)], ['5/24/00', 'cdb 1']);
    }
    const r = a.run(writeAtomic(0, 8, 0, 4), { out: bytes(8) });
    assert.deepEqual([r.sense, r.pointer.slice(0, 6)], ['5/24/00', 'cdb 11']);
  });

  it('refuses more than MAXIMUM ATOMIC TRANSFER LENGTH at TRANSFER LENGTH', () => {
    const t = bed();
    const a = t.nexus('a').clear();
    assert.equal(a.run(writeAtomic(0, 128), { out: bytes(128) }).status, 0);
    const r = a.run(writeAtomic(0, 129), { out: bytes(129) });
    assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 12.7']);
    assert.equal(t.store.calls.writeAtomic, 1);
  });

  it('answers blocks that do not exist with 5/21/00, also for no blocks', () => {
    const a = bed().nexus('a').clear();
    const cases: [bigint | number, number, string][] = [
      [4095, 1, ''],
      [4095, 2, '5/21/00'],
      [4097, 0, '5/21/00'],
      [0x8000_0000_0000_0000n, 1, '5/21/00'],
      [-1, 0, '5/21/00'],
      [0, 0, ''],
    ];
    for (const [lba, blocks, sense] of cases) {
      assert.equal(a.run(writeAtomic(lba, blocks), { out: bytes(blocks) }).sense, sense);
    }
  });

  it('writes nothing of a buffer that is shorter than its transfer', () => {
    const t = bed();
    const r = t
      .nexus('a')
      .clear()
      .run(writeAtomic(0, 4), { out: bytes(3) });
    assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 12.7']);
    assert.equal(t.store.requests.length, 0);
  });

  it('refuses parts of physical blocks: ATOMIC ALIGNMENT, ATOMIC TRANSFER LENGTH GRANULARITY', () => {
    const t = disk({ blocks: 4096, atomicBytes: 65_536, physicalBlockBytes: 4096 });
    const a = t.nexus('a').clear();
    const limits = new DataView(a.run(LIMITS, { in: 255 }).dataIn.buffer);
    const fields = [44, 48, 52, 56, 60].map((at) => limits.getUint32(at));
    assert.deepEqual(fields, [128, 8, 8, 0, 0]);
    const outcome = (lba: number, blocks: number): string[] => {
      const r = a.run(writeAtomic(lba, blocks), { out: bytes(blocks) });
      return [r.sense, r.pointer];
    };
    assert.deepEqual(outcome(1, 8), ['5/24/00', 'cdb 2.7']);
    assert.deepEqual(outcome(0, 1), ['5/24/00', 'cdb 12.7']);
    assert.deepEqual(outcome(8, 12), ['5/24/00', 'cdb 12.7']);
    assert.equal(t.store.requests.length, 0);
    assert.deepEqual(outcome(8, 16), ['', '']);
  });

  it('says which fault the store had', () => {
    const t = bed();
    const a = t.nexus('a').clear();
    t.store.fail('writeAtomic', MEDIUM_WRITE);
    const r = a.run(writeAtomic(8, 4), { out: bytes(4) });
    assert.deepEqual([r.sense, r.information, r.dataOutMoved], ['3/0c/00', 8, 0]);
    t.store.fail('writeAtomic', FULL);
    assert.equal(a.run(writeAtomic(8, 4), { out: bytes(4) }).sense, '7/27/07');
  });

  it('is refused on a write protected disk', () => {
    const t = disk({ blocks: 4096, atomicBytes: 65_536, physicalBlockBytes: 512, readOnly: true });
    const a = t.nexus('a').clear();
    assert.equal(a.run(writeAtomic(0, 1), { out: bytes(1) }).sense, '7/27/00');
  });

  it('waits for what overlaps it, and is waited for', () => {
    const t = bed();
    const a = t.nexus('a').clear();
    t.store.hold = true;
    const first = a.start('2a 00 00 00 00 00 00 00 04 00', { out: pattern(0, 4) });
    const atomic = a.start(writeAtomic(2, 4), { out: bytes(4) });
    const read = a.start('28 00 00 00 00 05 00 00 01 00', { in: 512 });
    assert.deepEqual(
      t.store.held.map(({ call }) => call),
      ['write'],
    );
    t.store.release();
    assert.ok(first.done);
    assert.deepEqual(
      t.store.held.map(({ call }) => call),
      ['writeAtomic'],
    );
    t.store.release();
    t.store.release();
    assert.equal(atomic.result.status, 0);
    assert.equal(read.result.dataIn[0], 0x77);
  });

  it('does not exist where the store cannot do it: not listed, all limits zero', () => {
    const a = disk().nexus('a').clear();
    assert.equal(a.run(writeAtomic(0, 1), { out: bytes(1) }).sense, '5/20/00');
    const limits = a.run(LIMITS, { in: 255 }).dataIn;
    assert.equal(limits.length, 64);
    assert.ok(limits.slice(44).every((byte) => byte === 0));
    const one = a.run('a3 0c 01 9c 00 00 00 00 00 ff 00 00', { in: 255 }).dataIn;
    assert.equal((one[1] as number) & 7, 1, 'SUPPORT: not supported');
  });

  it('has its limits in the Block Limits page: a length, whole physical blocks, no boundary', () => {
    const a = disk({ atomicBytes: 2 ** 20, blockBytes: 4096 })
      .nexus('a')
      .clear();
    const limits = new DataView(a.run(LIMITS, { in: 255 }).dataIn.buffer);
    const fields = [44, 48, 52, 56, 60].map((at) => limits.getUint32(at));
    assert.deepEqual(fields, [256, 1, 1, 0, 0]);
    const usage = a.run('a3 0c 01 9c 00 00 00 00 00 ff 00 00', { in: 255 }).dataIn.slice(4);
    assert.equal(Buffer.from(usage).toString('hex'), '9c18ffffffffffffffff0000ffff1f04');
  });
});
