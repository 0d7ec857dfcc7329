/** WRITE SAME, COMPARE AND WRITE, ORWRITE and WRITE ATOMIC of blocks with protection information (SBC-3 5.2, 5.9, 5.43 to 5.45; SBC-4 5.48). */
import { strict as assert } from 'node:assert';
import { MEDIUM_WRITE } from '../../../../src/scsi/contracts.ts';
import { block, join, long } from '../../../support/protection.ts';
import { disk, type TestNexus } from '../../../support/target.ts';
import {
  be,
  compareAndWriteCdb,
  NDOB,
  orWrite16,
  preFetch10,
  read10,
  write10,
  writeSame10,
  writeSame16,
} from '../cdbs.ts';

const protect = (value: number): number => value << 5;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function bench(protection: 1 | 2 | 3 = 1, options = {}) {
  const bed = disk({ blocks: 4096, protection, ...options });
  return { bed, a: bed.nexus('a').clear(), store: bed.store };
}

function put(a: TestNexus, lba: number, ...blocks: Uint8Array[]): void {
  const r = a.run(write10(lba, blocks.length, protect(3)), { out: join(...blocks) });
  assert.equal(r.status, 0);
}
const raw = (a: TestNexus, lba: number, blocks = 1): Uint8Array =>
  a.run(read10(lba, blocks, protect(3)), { in: blocks * 520 }).dataIn;

describe('WRITE SAME with protection information', () => {
  it('counts the reference tag on from the one that came, over bounce buffers', () => {
    for (const cdb of [writeSame10(100, 300, protect(1)), writeSame16(100, 300, protect(1))]) {
      const { a } = bench();
      const r = a.run(cdb, { out: block(6, { reference: 100, application: 0x77 }) });
      assert.deepEqual([r.status, r.dataOutMoved, r.residualOut], [0, 520, 0]);
      for (const at of [100, 101, 225, 226, 399]) {
        assert.equal(hex(raw(a, at)), hex(block(6, { reference: at, application: 0x77 })), `${at}`);
      }
      assert.equal(a.run(read10(100, 300, protect(1)), { in: 300 * 520 }).status, 0);
      assert.equal(hex(raw(a, 400).subarray(512)), 'ff'.repeat(8));
    }
  });

  it('type 3: every block gets the reference tag that came', () => {
    const { a } = bench(3);
    a.run(writeSame10(100, 3, protect(1)), { out: block(6, { reference: 8, application: 1 }) });
    assert.equal(hex(raw(a, 102)), hex(block(6, { reference: 8, application: 1 })));
  });

  it('without WRPROTECT makes the information of each', () => {
    const { a } = bench();
    a.run(writeSame16(100, 200), { out: new Uint8Array(512).fill(3) });
    const expected = block(3, { reference: 290, application: 0xffff });
    assert.equal(hex(raw(a, 290)), hex(expected));
    const three = bench(3);
    three.a.run(writeSame16(100, 200), { out: new Uint8Array(512).fill(3) });
    const theirs = block(3, { reference: 0xffffffff, application: 0xffff });
    assert.equal(hex(raw(three.a, 290)), hex(theirs));
  });

  it('checks the block that came, and its size', () => {
    const { a, store } = bench();
    const r = a.run(writeSame10(100, 3, protect(1)), { out: block(6, { reference: 0 }) });
    assert.deepEqual([r.sense, r.information, store.calls.write], ['b/10/03', 100, 0]);
    for (const [flags, bytes] of [
      [protect(1), 512],
      [0, 520],
      [protect(1), 1040],
    ] as const) {
      const out = new Uint8Array(bytes);
      assert.equal(a.run(writeSame10(0, 1, flags), { out }).sense, '5/24/00');
    }
  });

  it('NDOB: zeros that were never written', () => {
    const { a } = bench();
    put(a, 7, block(9, { reference: 7 }), block(9, { reference: 8 }));
    assert.equal(a.run(writeSame16(8, 1, NDOB)).status, 0);
    assert.equal(hex(raw(a, 8)), `${'00'.repeat(512)}${'ff'.repeat(8)}`);
    assert.equal(hex(raw(a, 7)), hex(block(9, { reference: 7 })));
  });

  it('zero blocks mean the rest, as long as the limit allows', () => {
    const { a } = bench();
    a.run(writeSame16(4000, 0, protect(1)), { out: block(5, { reference: 4000 }) });
    assert.equal(hex(raw(a, 4095)), hex(block(5, { reference: 4095 })));
  });

  it('WRITE SAME(32) has the tags of its CDB, and NDOB', () => {
    const { a } = bench(2);
    const expected = { protect: 1, reference: 77, application: 1, mask: 0xffff };
    const out = block(5, { reference: 77, application: 1 });
    assert.equal(a.run(long(0x0d, 10, 4, expected), { out }).status, 0);
    assert.equal(a.run(long(0x09, 10, 4, expected), { in: 4 * 520 }).status, 0);
    const r = a.run(long(0x0d, 10, 4, { ...expected, reference: 78 }), { out });
    assert.deepEqual([r.sense, r.information], ['b/10/03', 10]);
    assert.equal(a.run(long(0x0d, 11, 1, { flags: 1 })).status, 0);
    const back = a.run(long(0x09, 11, 1, { protect: 3 }), { in: 520 });
    assert.equal(hex(back.dataIn), `${'00'.repeat(512)}${'ff'.repeat(8)}`);
  });

  it('with the write cache off all of it is stable when it is GOOD', () => {
    const { bed, a, store } = bench();
    bed.unit.writeCacheEnabled = false;
    a.run(writeSame16(0, 300, protect(1)), { out: block(5, { reference: 0 }) });
    store.powerCut();
    assert.equal(hex(raw(a, 299)), hex(block(5, { reference: 299 })));
  });
});

describe('COMPARE AND WRITE with protection information', () => {
  const old = block(1, { reference: 20, application: 4 });
  const young = block(2, { reference: 20, application: 5 });

  it('writes when the user data is the same, whatever the tags', () => {
    const { a } = bench();
    put(a, 20, old);
    const verify = block(1, { reference: 20, application: 9 });
    const r = a.run(compareAndWriteCdb(20, 1, protect(1)), { out: join(verify, young) });
    assert.deepEqual([r.status, r.dataOutWanted], [0, 1040]);
    assert.equal(hex(raw(a, 20)), hex(young));
  });

  it('tells the offset of the first difference, and writes nothing', () => {
    const { a } = bench();
    put(a, 20, old, block(1, { reference: 21 }));
    const verify = block(1, { reference: 21 });
    verify[3] = 0;
    const second = block(1, { reference: 21 });
    second.set(verify);
    const unchecked = join(old, second, young, block(2, { reference: 21 }));
    const r = a.run(compareAndWriteCdb(20, 2, protect(3)), { out: unchecked });
    assert.deepEqual([r.sense, r.information], ['e/1d/00', 523]);
    const plain = join(old.subarray(0, 512), second.subarray(0, 512), new Uint8Array(1024));
    const r2 = a.run(compareAndWriteCdb(20, 2), { out: plain });
    assert.deepEqual([r2.sense, r2.information], ['e/1d/00', 515]);
    assert.equal(hex(raw(a, 20)), hex(old));
  });

  it('checks the information of both halves', () => {
    for (const out of [
      join(block(1, { reference: 9 }), young),
      join(old, block(2, { reference: 9 })),
    ]) {
      const { a } = bench();
      put(a, 20, old);
      const r = a.run(compareAndWriteCdb(20, 1, protect(1)), { out });
      assert.deepEqual([r.sense, r.information], ['b/10/03', 20]);
      assert.equal(hex(raw(a, 20)), hex(old));
    }
  });

  it('without WRPROTECT makes the information', () => {
    const { a } = bench();
    put(a, 20, old);
    const out = join(old.subarray(0, 512), young.subarray(0, 512));
    assert.equal(a.run(compareAndWriteCdb(20, 1), { out }).status, 0);
    assert.equal(hex(raw(a, 20)), hex(block(2, { reference: 20, application: 0xffff })));
  });

  it('takes as many blocks as Block Limits says, and a buffer of the right size alone', () => {
    const { a } = bench();
    const limits = a.run('12 01 b0 00 ff 00', { in: 255 }).dataIn;
    assert.equal(limits[5], 126);
    const whole = new Uint8Array(2 * 126 * 512);
    assert.equal(a.run(compareAndWriteCdb(0, 126), { out: whole }).status, 0);
    assert.equal(a.run(compareAndWriteCdb(0, 127), { out: whole }).pointer, 'cdb 13.7');
    const r = a.run(compareAndWriteCdb(0, 1, protect(1)), { out: new Uint8Array(1024) });
    assert.equal(r.sense, '5/24/00');
  });
});

describe('ORWRITE with protection information', () => {
  it('sets bits; the guard is that of the result, the tags are those that came', () => {
    const { a } = bench();
    put(a, 30, block(0x0f, { reference: 30, application: 1 }));
    const out = block(0x50, { reference: 30, application: 2 });
    const r = a.run(orWrite16(30, 1, protect(1)), { out });
    assert.deepEqual([r.status, r.dataOutMoved], [0, 520]);
    assert.equal(hex(raw(a, 30)), hex(block(0x5f, { reference: 30, application: 2 })));
  });

  it('without ORPROTECT makes the information, over bounce buffers', () => {
    const { a } = bench();
    a.run(writeSame10(30, 200), { out: new Uint8Array(512).fill(1) });
    a.run(orWrite16(30, 200), { out: new Uint8Array(200 * 512).fill(2) });
    assert.equal(hex(raw(a, 229)), hex(block(3, { reference: 229, application: 0xffff })));
  });

  it('checks the medium and what came', () => {
    const { a } = bench();
    put(a, 30, block(0x0f, { reference: 30, guard: 1 }));
    const out = block(0x50, { reference: 30 });
    assert.equal(a.run(orWrite16(30, 1, protect(1)), { out }).sense, 'b/10/01');
    assert.equal(a.run(orWrite16(30, 1), { out: out.subarray(0, 512) }).sense, 'b/10/01');
    const wrong = a.run(orWrite16(30, 1, protect(1)), { out: block(1, { reference: 31 }) });
    assert.deepEqual([wrong.sense, wrong.information], ['b/10/03', 30]);
    assert.equal(a.run(orWrite16(30, 1, protect(3)), { out }).status, 0);
    assert.equal(hex(raw(a, 30)), hex(block(0x5f, { reference: 30 })));
  });
});

describe('WRITE ATOMIC with protection information', () => {
  const cdb = (lba: number, blocks: number, flags = 0): number[] => [
    0x9c,
    flags,
    ...be(lba, 8),
    ...[0, 0],
    ...be(blocks, 2),
    ...[0, 0],
  ];

  it('is one atomic request with the information in it', () => {
    const { a, store } = bench(1, { atomicBytes: 2 ** 20 });
    const data = join(...Array.from({ length: 126 }, (_, i) => block(i, { reference: 5 + i })));
    const r = a.run(cdb(5, 126, protect(1)), { out: data });
    assert.deepEqual([r.status, r.dataOutMoved], [0, data.length]);
    assert.deepEqual(
      store.requests.map(({ call, position, length }) => [call, position, length]),
      [['writeAtomic', 5 * 520, 126 * 520]],
    );
    assert.ok(Buffer.from(data).equals(Buffer.from(raw(a, 5, 126))));
    assert.equal(a.run(cdb(5, 1), { out: new Uint8Array(512).fill(2) }).status, 0);
    assert.equal(hex(raw(a, 5)), hex(block(2, { reference: 5, application: 0xffff })));
  });

  it('has the limit that Block Limits says, and takes whole buffers alone', () => {
    const { a, store } = bench(1, { atomicBytes: 2 ** 20 });
    const limits = a.run('12 01 b0 00 ff 00', { in: 255 }).dataIn;
    assert.equal(new DataView(limits.buffer).getUint32(44), 126);
    const long_ = a.run(cdb(0, 127), { out: new Uint8Array(127 * 512) });
    assert.deepEqual([long_.sense, long_.pointer], ['5/24/00', 'cdb 12.7']);
    const short = a.run(cdb(0, 2, protect(1)), { out: new Uint8Array(1039) });
    assert.deepEqual([short.sense, short.pointer], ['5/24/00', 'cdb 12.7']);
    const wrong = a.run(cdb(0, 1, protect(1)), { out: block(1, { reference: 1 }) });
    assert.deepEqual([wrong.sense, wrong.information], ['b/10/03', 0]);
    assert.equal(store.requests.length, 0);
  });
});

describe('deferred errors of disks with protection information (SPC-4 4.5.7)', () => {
  const user = (blocks: number): Uint8Array => new Uint8Array(blocks * 512).fill(1);
  const FUA = 0x08;
  const cases: readonly (readonly [string, number[], Uint8Array, boolean])[] = [
    ['WRITE', write10(0, 1), user(1), true],
    ['WRITE over bounce buffers', write10(0, 200), user(200), true],
    ['WRITE with FUA', write10(0, 1, FUA), user(1), false],
    ['WRITE SAME', writeSame10(0, 2), user(1), true],
    ['WRITE SAME with NDOB', writeSame16(0, 2, NDOB), new Uint8Array(0), true],
    ['ORWRITE', orWrite16(0, 1), user(1), true],
    ['ORWRITE with FUA', orWrite16(0, 1, FUA), user(1), false],
    ['COMPARE AND WRITE', compareAndWriteCdb(0, 1), join(new Uint8Array(512), user(1)), true],
    ['COMPARE AND WRITE with FUA', compareAndWriteCdb(0, 1, FUA), new Uint8Array(1024), false],
    ['WRITE AND VERIFY', [0x2e, 0, 0, 0, 0, 0, 0, 0, 1, 0], user(1), false],
  ];
  for (const [name, cdb, out, cached] of cases) {
    it(`${name} ${cached ? 'may be lost by a flush of somebody else' : 'is stable'}`, () => {
      const { bed, a, store } = bench();
      const b = bed.nexus('b').clear();
      assert.equal(a.run(cdb, { out }).status, 0);
      store.fail('flush', MEDIUM_WRITE);
      assert.equal(b.run('35 00 00 00 00 00 00 00 00 00').sense, '3/0c/00');
      assert.equal(a.run('00 00 00 00 00 00').sense, cached ? '3/0c/00' : '');
    });
  }
});

describe('PRE-FETCH with protection information', () => {
  it('reads the blocks where they are', () => {
    const { a, store } = bench();
    assert.equal(a.run(preFetch10(10, 4)).status, 0x04);
    assert.deepEqual(
      store.requests.map(({ position, length }) => [position, length]),
      [[10 * 520, 4 * 520]],
    );
    assert.equal(a.run(preFetch10(4095, 2)).sense, '5/21/00');
  });
});
