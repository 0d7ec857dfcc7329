/** READ and WRITE of blocks with protection information: what moves, what is checked, what is stored (SBC-3 4.22, 5.11, 5.33). */
import { strict as assert } from 'node:assert';
import { MEDIUM_READ, MEDIUM_WRITE } from '../../../../src/scsi/contracts.ts';
import { block, crc16, join, long } from '../../../support/protection.ts';
import { disk, type TestNexus } from '../../../support/target.ts';
import {
  DPO,
  FUA,
  read6,
  read10,
  read12,
  read16,
  write6,
  write10,
  write12,
  write16,
} from '../cdbs.ts';

type Type = 1 | 2 | 3;
const NEVER_WRITTEN = 'ff'.repeat(8);
const protect = (value: number): number => value << 5;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function bench(protection: Type, options = {}) {
  const bed = disk({ blocks: 4096, protection, ...options });
  return { bed, a: bed.nexus('a').clear(), store: bed.store };
}

/** Blocks with their information as they are, nothing checked. */
function raw(a: TestNexus, type: Type, lba: number, blocks = 1): Uint8Array {
  const cdb =
    type === 2 ? long(0x09, lba, blocks, { protect: 3 }) : read10(lba, blocks, protect(3));
  const r = a.run(cdb, { in: blocks * 520 });
  assert.deepEqual([r.status, r.residualIn], [0, 0], r.sense);
  return r.dataIn;
}

/** Stores blocks with their information as they are, nothing checked. */
function put(a: TestNexus, type: Type, lba: number, data: Uint8Array): void {
  const blocks = data.length / 520;
  const cdb =
    type === 2 ? long(0x0b, lba, blocks, { protect: 3 }) : write10(lba, blocks, protect(3));
  assert.equal(a.run(cdb, { out: data }).status, 0);
}

describe('protection information', () => {
  for (const type of [1, 2, 3] as const) {
    it(`type ${type}: blocks that were never written are zeros with FFFFFFFFFFFFFFFFh, and pass every check`, () => {
      const { a } = bench(type);
      assert.equal(hex(raw(a, type, 7).subarray(512)), NEVER_WRITTEN);
      assert.ok(
        raw(a, type, 7)
          .subarray(0, 512)
          .every((byte) => byte === 0),
      );
      assert.equal(a.run(read10(0, 8), { in: 4096 }).status, 0);
      const checked =
        type === 2 ? long(0x09, 0, 2, { protect: 1, mask: 0xffff }) : read10(0, 2, protect(1));
      assert.equal(a.run(checked, { in: 1040 }).status, 0);
    });

    it(`type ${type}: without WRPROTECT the guard is made, tags by type (SBC-3 5.33)`, () => {
      const { a } = bench(type);
      const data = new Uint8Array(1024).fill(0x5a, 0, 512).fill(0xa5, 512);
      const r = a.run(write10(0x123, 2), { out: data });
      assert.deepEqual([r.status, r.dataOutMoved, r.residualOut], [0, 1024, 0]);
      const reference = (lba: number): number => (type === 1 ? lba : 0xffffffff);
      const expected = join(
        block(0x5a, { application: 0xffff, reference: reference(0x123) }),
        block(0xa5, { application: 0xffff, reference: reference(0x124) }),
      );
      assert.equal(hex(raw(a, type, 0x123, 2)), hex(expected));
      assert.equal(hex(a.run(read10(0x123, 2), { in: 1024 }).dataIn), hex(data));
    });
  }

  it('on the medium is inverted and follows its block, so that a hole means never written', () => {
    const { a, store } = bench(1);
    put(a, 1, 2, block(0x11, { application: 0x2233, reference: 2 }));
    const stored = store.memory.subarray(2 * 520, 3 * 520);
    assert.ok(stored.subarray(0, 512).every((byte) => byte === 0x11));
    const information = block(0x11, { application: 0x2233, reference: 2 }).subarray(512);
    assert.equal(hex(stored.subarray(512)), hex(information.map((byte) => ~byte)));
    assert.ok(store.memory.subarray(3 * 520).every((byte) => byte === 0));
  });

  it('takes the low half of an LBA above 2^32 as type 1 reference tag', () => {
    const { a, bed } = bench(1);
    const { unit, store } = bed;
    // The store pretends to be large: the request for it is what counts.
    store.bytes = 2 ** 33 * 520;
    assert.equal(unit.block?.blocks, 2 ** 33);
    const lba = 2 ** 32 + 5;
    store.hold = true;
    const pending = a.start(write16(lba, 1, protect(1)), { out: block(1, { reference: lba }) });
    assert.equal(pending.done, false, 'no check failed: it is on its way to the store');
    assert.equal(store.held[0]?.position, lba * 520);
    const wrong = a.run(write16(lba + 1, 1, protect(1)), { out: block(1, { reference: 5 }) });
    assert.deepEqual([wrong.sense, wrong.information], ['b/10/03', lba + 1]);
  });

  it('READ(6) and WRITE(6) move user data alone', () => {
    for (const type of [1, 2, 3] as const) {
      const { a } = bench(type);
      const data = new Uint8Array(512).fill(0x66);
      assert.equal(a.run(write6(9, 1), { out: data }).status, 0);
      const r = a.run(read6(9, 1), { in: 512 });
      assert.deepEqual([r.status, hex(r.dataIn)], [0, hex(data)]);
      assert.equal(
        hex(raw(a, type, 9).subarray(512, 514)),
        crc16(data).toString(16).padStart(4, '0'),
      );
    }
  });

  it('moves with the blocks for every RDPROTECT and WRPROTECT but zero, in every CDB', () => {
    const { a } = bench(1);
    const data = join(
      block(1, { reference: 40, application: 0xabcd }),
      block(2, { reference: 41 }),
    );
    for (const value of [1, 2, 3, 4, 5]) {
      for (const write of [write10, write12, write16]) {
        const r = a.run(write(40, 2, protect(value)), { out: data });
        assert.deepEqual([r.status, r.dataOutMoved, r.residualOut], [0, 1040, 0]);
      }
      for (const read of [read10, read12, read16]) {
        const r = a.run(read(40, 2, protect(value)), { in: 1040, split: 100 });
        assert.deepEqual([r.status, hex(r.dataIn)], [0, hex(data)]);
      }
    }
    assert.deepEqual([...a.run(read10(40, 2), { in: 1024 }).dataIn.subarray(511, 513)], [1, 2]);
  });

  it('moves whole over many bounce buffers, in blocks of 4096 bytes too', () => {
    for (const blockBytes of [512, 4096]) {
      const { a } = bench(1, { blockBytes });
      const parts = Array.from({ length: 200 }, (_, i) =>
        block(i, { reference: 300 + i, application: i }, blockBytes),
      );
      const data = join(...parts);
      const size = { out: data, split: Math.ceil(data.length / 50) };
      assert.equal(a.run(write10(300, 200, protect(1)), size).status, 0);
      const r = a.run(read10(300, 200, protect(1)), { in: data.length });
      assert.equal(r.status, 0);
      assert.ok(Buffer.from(data).equals(Buffer.from(r.dataIn)));
      const users = join(...parts.map((part) => part.subarray(0, blockBytes)));
      const plain = a.run(read10(300, 200), { in: users.length });
      assert.ok(Buffer.from(users).equals(Buffer.from(plain.dataIn)));
    }
  });

  it('refuses reserved values of the field', () => {
    const { a } = bench(1);
    for (const value of [6, 7]) {
      for (const cdb of [read10(0, 1, protect(value)), write16(0, 1, protect(value))]) {
        const r = a.run(cdb, { in: 520, out: new Uint8Array(520) });
        assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 1.7']);
      }
    }
  });

  it('does not exist on an ordinary disk: no value but zero, and no 32-byte CDB', () => {
    const a = disk().nexus('a').clear();
    const r = a.run(read10(0, 1, protect(1)), { in: 520 });
    assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 1.5']);
    assert.equal(a.run(long(0x09, 0, 1), { in: 512 }).sense, '5/20/00');
  });
});

describe('protection information: checks of WRITE', () => {
  const good = { reference: 50 };
  const wrong: readonly (readonly [string, Uint8Array, string])[] = [
    ['guard', block(3, { ...good, guard: 0x1234 }), 'b/10/01'],
    ['reference tag', block(3, { reference: 51 }), 'b/10/03'],
  ];
  /** Values of WRPROTECT that let a wrong field pass. */
  const unchecked: Readonly<Record<string, readonly number[]>> = {
    guard: [2, 3],
    'reference tag': [3, 4],
  };
  for (const [field, data, sense] of wrong) {
    it(`type 1: a wrong ${field} is ${sense} where WRPROTECT asks, and nothing is written`, () => {
      for (const value of [1, 2, 3, 4, 5]) {
        const { a, store } = bench(1);
        const r = a.run(write10(50, 1, protect(value)), { out: data });
        const passes = unchecked[field]?.includes(value) === true;
        assert.equal(r.sense, passes ? '' : sense, `WRPROTECT ${value}`);
        assert.equal(store.calls.write, passes ? 1 : 0);
        if (passes) assert.equal(hex(raw(a, 1, 50)), hex(data));
        else assert.equal(r.information, 50);
      }
    });
  }

  it('name the LBA of the block, with those before it in the buffer good', () => {
    const { a } = bench(1);
    const blocks = [0, 1, 2].map((i) => block(i, { reference: 60 + i }));
    blocks[2] = block(9, { reference: 62, guard: 1 });
    const r = a.run(write10(60, 3, protect(1)), { out: join(...blocks) });
    assert.deepEqual([r.sense, r.information], ['b/10/01', 62]);
  });

  it('an application tag of FFFFh lets nothing pass that is being written', () => {
    const { a } = bench(1);
    const data = block(3, { application: 0xffff, reference: 51 });
    assert.equal(a.run(write10(50, 1, protect(1)), { out: data }).sense, 'b/10/03');
  });

  it('type 3: the reference tag is the client’s', () => {
    const { a } = bench(3);
    const data = block(3, { reference: 0xdeadbeef, application: 5 });
    assert.equal(a.run(write10(50, 1, protect(1)), { out: data }).status, 0);
    const r = a.run(read10(50, 1, protect(1)), { in: 520 });
    assert.deepEqual([r.status, hex(r.dataIn)], [0, hex(data)]);
    const r2 = a.run(write10(50, 1, protect(1)), { out: block(3, { guard: 1 }) });
    assert.equal(r2.sense, 'b/10/01');
  });
});

describe('protection information: checks of READ', () => {
  it('type 1: a wrong field on the medium is told where RDPROTECT asks, and without RDPROTECT', () => {
    const cases: readonly (readonly [Uint8Array, string, readonly number[]])[] = [
      [block(3, { reference: 50, guard: 0x4321 }), 'b/10/01', [0, 1, 4, 5]],
      [block(3, { reference: 49 }), 'b/10/03', [0, 1, 2, 5]],
    ];
    for (const [data, sense, checked] of cases) {
      for (const value of [0, 1, 2, 3, 4, 5]) {
        const { a } = bench(1);
        put(a, 1, 50, data);
        const r = a.run(read10(50, 1, protect(value)), { in: 520 });
        assert.equal(r.sense, checked.includes(value) ? sense : '', `RDPROTECT ${value}`);
        if (checked.includes(value)) {
          assert.deepEqual([r.information, r.dataIn.length], [50, 0]);
        }
      }
    }
  });

  it('READ(6) checks, too', () => {
    const { a } = bench(1);
    put(a, 1, 50, block(3, { reference: 50, guard: 0x4321 }));
    assert.equal(a.run(read6(50, 1), { in: 512 }).sense, 'b/10/01');
  });

  it('deliver the blocks before the wrong one', () => {
    const { a } = bench(1);
    const blocks = Array.from({ length: 200 }, (_, i) => block(i, { reference: 100 + i }));
    blocks[150] = block(1, { reference: 100 });
    put(a, 1, 100, join(...blocks));
    const r = a.run(read10(100, 200, protect(1)), { in: 200 * 520 });
    assert.deepEqual([r.sense, r.information], ['b/10/03', 250]);
    assert.equal(r.dataIn.length, 150 * 520);
    const plain = a.run(read10(100, 200), { in: 200 * 512 });
    assert.equal(plain.dataIn.length, 150 * 512);
    assert.equal(plain.dataIn[149 * 512], 149);
  });

  it('skip a block whose application tag is FFFFh; type 3 wants a reference tag of FFFFFFFFh besides', () => {
    const bad = { guard: 0x1111, application: 0xffff };
    const one = bench(1);
    put(one.a, 1, 50, block(3, { ...bad, reference: 7 }));
    assert.equal(one.a.run(read10(50, 1, protect(1)), { in: 520 }).status, 0);
    const three = bench(3);
    put(three.a, 3, 50, block(3, { ...bad, reference: 7 }));
    assert.equal(three.a.run(read10(50, 1, protect(1)), { in: 520 }).sense, 'b/10/01');
    put(three.a, 3, 50, block(3, { ...bad, reference: 0xffffffff }));
    assert.equal(three.a.run(read10(50, 1, protect(1)), { in: 520 }).status, 0);
  });

  it('find what changed behind our back in the image', () => {
    const { a, store } = bench(1);
    a.run(write10(5, 1, protect(1)), { out: block(0x77, { reference: 5 }) });
    store.memory[5 * 520 + 100] = 0x78;
    const r = a.run(read10(5, 1), { in: 512 });
    assert.deepEqual([r.sense, r.information, r.dataIn.length], ['b/10/01', 5, 0]);
  });
});

describe('protection information: type 2 and 32-byte CDBs', () => {
  const tags = (i: number) => ({
    reference: 0xfffffffe + i > 0xffffffff ? i - 2 : 0xfffffffe + i,
    application: 0x1234,
  });
  const data = join(block(1, tags(0)), block(2, tags(1)), block(3, tags(2)));
  const expectation = { protect: 1, reference: 0xfffffffe, application: 0x1200, mask: 0xff00 };

  it('WRITE(32) and READ(32) check what the CDB expects; reference tags count on and wrap', () => {
    const { a } = bench(2);
    assert.equal(a.run(long(0x0b, 70, 3, expectation), { out: data }).status, 0);
    const r = a.run(long(0x09, 70, 3, expectation), { in: 3 * 520 });
    assert.deepEqual([r.status, hex(r.dataIn)], [0, hex(data)]);
  });

  it('tell which tag differs', () => {
    const { a } = bench(2);
    const cases = [
      [{ ...expectation, application: 0x1300 }, 'b/10/02', 70],
      [{ ...expectation, reference: 0xfffffffd }, 'b/10/03', 70],
      [{ ...expectation, reference: 0xfffffffd, protect: 4 }, '', -1],
      [{ ...expectation, application: 0x1299, mask: 0x00ff }, 'b/10/02', 70],
      [{ ...expectation, application: 0x1299 }, '', -1],
    ] as const;
    for (const [expected, sense, information] of cases) {
      const w = a.run(long(0x0b, 70, 3, expected), { out: data });
      assert.deepEqual([w.sense, w.information], [sense, information]);
      put(a, 2, 70, data);
      const r = a.run(long(0x09, 70, 3, expected), { in: 3 * 520 });
      assert.deepEqual([r.sense, r.information], [sense, information]);
    }
  });

  it('with a protect field of zero move user data alone', () => {
    const { a } = bench(2);
    const user = new Uint8Array(1024).fill(0x31);
    assert.equal(a.run(long(0x0b, 80, 2), { out: user }).status, 0);
    const r = a.run(long(0x09, 80, 2), { in: 1024 });
    assert.deepEqual([r.status, hex(r.dataIn)], [0, hex(user)]);
  });

  it('READ(10), (12), (16) and WRITE(10) … with a protect field are 5/20/00 (SBC-3 5.11), without one they work', () => {
    const { a } = bench(2);
    for (const cdb of [read10, read12, read16, write10, write12, write16]) {
      const r = a.run(cdb(0, 1, protect(1)), { in: 520, out: new Uint8Array(520) });
      assert.equal(r.sense, '5/20/00');
    }
    put(a, 2, 3, block(1, { reference: 0x55, application: 1 }));
    assert.equal(a.run(read10(3, 1), { in: 512 }).status, 0, 'nobody knows the reference tag');
    put(a, 2, 3, block(1, { guard: 0x55, application: 1 }));
    assert.equal(a.run(read10(3, 1), { in: 512 }).sense, 'b/10/01');
  });

  it('with types 1 and 3 no 32-byte CDB exists: 5/20/00 (SBC-3 5.14)', () => {
    for (const type of [1, 3] as const) {
      const { a } = bench(type);
      for (const action of [0x09, 0x0a, 0x0b, 0x0c, 0x0d]) {
        const r = a.run(long(action, 0, 1), { in: 520, out: new Uint8Array(512) });
        assert.equal(r.sense, '5/20/00');
      }
    }
  });

  it('say their length in byte 7, and unknown service actions are told at byte 8', () => {
    const { a } = bench(2);
    const cdb = long(0x09, 0, 1);
    cdb[7] = 0x14;
    const r = a.run(cdb, { in: 512 });
    assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 7']);
    const unknown = a.run(long(0x1ff, 0, 1), { in: 512 });
    assert.deepEqual([unknown.sense, unknown.pointer], ['5/24/00', 'cdb 8.7']);
    assert.equal(a.run(long(0x09, 0, 1).slice(0, 28), { in: 512 }).sense, '5/24/00');
  });

  it('READ(32) beyond the last block is 5/21/00, and longer than the maximum 5/24/00', () => {
    const { a } = bench(2);
    const r = a.run(long(0x09, 4095, 2), { in: 1024 });
    assert.deepEqual([r.sense, r.information], ['5/21/00', 4096]);
    const r2 = a.run(long(0x09, 0, 2049), { in: 1024 });
    assert.deepEqual([r2.sense, r2.pointer], ['5/24/00', 'cdb 28.7']);
  });
});

describe('protection information: buffers and faults', () => {
  it('residuals count the information: buffers longer and shorter than the transfer', () => {
    const { a } = bench(1);
    const data = join(block(1, { reference: 0 }), block(2, { reference: 1 }));
    const long_ = a.run(write10(0, 1, protect(1)), { out: data });
    assert.deepEqual([long_.status, long_.residualOut, long_.dataOutMoved], [0, 520, 520]);
    const short = a.run(write10(0, 2, protect(1)), { out: data.subarray(0, 1024) });
    assert.deepEqual([short.status, short.residualOut, short.dataOutMoved], [0, -16, 520]);
    assert.equal(hex(raw(a, 1, 1).subarray(512)), NEVER_WRITTEN, 'half a block is not written');
    const r = a.run(read10(0, 2, protect(1)), { in: 1024 });
    assert.deepEqual([r.status, r.residualIn, r.dataIn.length], [0, -16, 1024]);
    const r2 = a.run(read10(0, 1, protect(1)), { in: 1024 });
    assert.deepEqual([r2.residualIn, r2.dataIn.length], [504, 520]);
  });

  it('no blocks move nothing', () => {
    const { a, store } = bench(1);
    assert.equal(a.run(read10(0, 0, protect(1)), { in: 520 }).residualIn, 520);
    assert.equal(a.run(write10(0, 0, protect(1)), { out: block(1) }).residualOut, 520);
    assert.equal(store.requests.length, 0);
  });

  it('a medium error names the block, and the blocks before it arrive', () => {
    const { a, store } = bench(1);
    store.fail('read', MEDIUM_READ, 3 * 520 + 100);
    const r = a.run(read10(10, 8, protect(1)), { in: 8 * 520 });
    assert.deepEqual([r.sense, r.information, r.dataIn.length], ['3/11/00', 13, 3 * 520]);
    store.fail('write', MEDIUM_WRITE, 520);
    const w = a.run(write10(10, 8), { out: new Uint8Array(4096) });
    assert.deepEqual([w.sense, w.information], ['3/0c/00', 11]);
  });

  it('FUA makes a write durable, and a read flushes first', () => {
    const { a, store } = bench(1);
    a.run(write10(0, 1, protect(1) | FUA | DPO), { out: block(1) });
    assert.deepEqual(
      store.requests.map(({ call, durable }) => [call, durable]),
      [['write', true]],
    );
    a.run(read10(0, 1, protect(1) | FUA), { in: 520 });
    assert.deepEqual(
      store.requests.slice(1).map(({ call }) => call),
      ['flush', 'read'],
    );
    const two = bench(2);
    two.a.run(long(0x0b, 0, 1, { flags: FUA }), { out: new Uint8Array(512) });
    assert.equal(two.store.requests[0]?.durable, true);
  });

  it('an aborted command gives its bounce buffer back', () => {
    const { a, bed, store } = bench(1, { bounceBuffers: 1 });
    store.hold = true;
    a.start(write10(0, 1, protect(1)), { out: block(1), tag: 9 });
    const abort = a.manage(0x01, 9);
    store.release();
    assert.equal(abort.done, true);
    assert.equal(bed.unit.block?.bounce.free, 1);
  });
});
