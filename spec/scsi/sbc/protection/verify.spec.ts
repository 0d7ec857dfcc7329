/** VERIFY and WRITE AND VERIFY of blocks with protection information (SBC-3 5.29 to 5.32, 5.37 to 5.40). */
import { strict as assert } from 'node:assert';
import { block, join, long } from '../../../support/protection.ts';
import { disk, type TestNexus } from '../../../support/target.ts';
import {
  read10,
  verify10,
  verify12,
  verify16,
  write10,
  writeVerify10,
  writeVerify12,
  writeVerify16,
} from '../cdbs.ts';

const EACH = 0x02;
const RESERVED = 0x04;
const ONE = 0x06;
const protect = (value: number): number => value << 5;

function bench(protection: 1 | 2 | 3 = 1, options = {}) {
  const bed = disk({ blocks: 4096, protection, ...options });
  return { bed, a: bed.nexus('a').clear(), store: bed.store };
}

/** Stores blocks as they are. */
function put(a: TestNexus, lba: number, ...blocks: Uint8Array[]): void {
  const r = a.run(write10(lba, blocks.length, protect(3)), { out: join(...blocks) });
  assert.equal(r.status, 0);
}

const good = (i: number, value = i): Uint8Array =>
  block(value, { reference: 50 + i, application: 7 });

describe('VERIFY with protection information', () => {
  it('with BYTCHK = 00b checks the medium as READ does, and moves nothing', () => {
    const cases: readonly (readonly [Uint8Array, string, readonly number[]])[] = [
      [block(3, { reference: 51, guard: 0x4321 }), 'b/10/01', [0, 1, 4, 5]],
      [block(3, { reference: 49 }), 'b/10/03', [0, 1, 2, 5]],
    ];
    for (const [data, sense, checked] of cases) {
      for (const value of [0, 1, 2, 3, 4, 5]) {
        for (const verify of [verify10, verify12, verify16]) {
          const { a } = bench();
          put(a, 50, good(0), data, good(2));
          const r = a.run(verify(50, 3, protect(value)));
          const fails = checked.includes(value);
          assert.deepEqual([r.sense, r.information], fails ? [sense, 51] : ['', -1], `${value}`);
          assert.equal(r.dataOutWanted, 0);
        }
      }
    }
  });

  it('with BYTCHK = 01b compares each block with its own', () => {
    const { a } = bench();
    put(a, 50, good(0), good(1), good(2));
    const same = join(good(0), good(1), good(2));
    for (const value of [1, 2, 3, 4, 5]) {
      const r = a.run(verify10(50, 3, protect(value) | EACH), { out: same });
      assert.deepEqual([r.sense, r.residualOut, r.dataOutMoved], ['', 0, 1560]);
    }
    const other = join(good(0), good(1, 9), good(2));
    const r = a.run(verify16(50, 3, protect(1) | EACH), { out: other });
    assert.deepEqual([r.sense, r.information], ['e/1d/00', 51]);
    const users = join(good(0).subarray(0, 512), good(1).subarray(0, 512));
    assert.equal(a.run(verify10(50, 2, EACH), { out: users }).status, 0);
    users[1000] = 0xee;
    const r2 = a.run(verify10(50, 2, EACH), { out: users });
    assert.deepEqual([r2.sense, r2.information], ['e/1d/00', 51]);
  });

  it('with BYTCHK = 01b compares the information: MISCOMPARE, and the field in the additional sense', () => {
    const cases: readonly (readonly [Uint8Array, Uint8Array, string, readonly number[]])[] = [
      // Medium, data-out buffer, sense, values of VRPROTECT that compare.
      [block(1, { reference: 50, guard: 1 }), block(1, { reference: 50 }), 'e/10/01', [1, 3, 4, 5]],
      [
        block(1, { reference: 50, application: 1 }),
        block(1, { reference: 50, application: 2 }),
        'e/10/02',
        [1, 2, 3, 4, 5],
      ],
      [block(1, { reference: 51 }), block(1, { reference: 50 }), 'e/10/03', [1, 2, 3, 4, 5]],
    ];
    for (const [there, sent, sense, comparing] of cases) {
      for (const value of [1, 2, 3, 4, 5]) {
        const { a } = bench();
        put(a, 50, there);
        const r = a.run(verify10(50, 1, protect(value) | EACH), { out: sent });
        assert.equal(r.sense, comparing.includes(value) ? sense : '', `VRPROTECT ${value}`);
      }
    }
  });

  it('with BYTCHK = 01b checks what came before it reads', () => {
    const { a, store } = bench();
    put(a, 50, good(0));
    const reads = store.calls.read;
    const r = a.run(verify10(50, 1, protect(1) | EACH), { out: block(0, { reference: 9 }) });
    assert.deepEqual([r.sense, r.information], ['b/10/03', 50]);
    assert.equal(store.calls.read, reads);
  });

  it('with BYTCHK = 01b and no VRPROTECT checks the medium, with one it does not', () => {
    const { a } = bench();
    const bad = block(1, { reference: 50, guard: 1 });
    put(a, 50, bad);
    const user = bad.subarray(0, 512);
    assert.equal(a.run(verify10(50, 1, EACH), { out: user }).sense, 'b/10/01');
    assert.equal(a.run(verify10(50, 1, protect(3) | EACH), { out: bad }).status, 0);
  });

  it('with BYTCHK = 11b compares all with one block, whose reference tag counts on', () => {
    const { a } = bench();
    put(a, 50, good(0, 4), good(1, 4), good(2, 4));
    const r = a.run(verify16(50, 3, protect(1) | ONE), { out: good(0, 4) });
    assert.deepEqual([r.sense, r.dataOutWanted], ['', 520]);
    put(a, 51, good(0, 4));
    const r2 = a.run(verify16(50, 3, protect(3) | ONE), { out: good(0, 4) });
    assert.deepEqual([r2.sense, r2.information], ['e/10/03', 51]);
    const many = bench();
    assert.equal(many.a.run(verify16(0, 1000, ONE), { out: new Uint8Array(512) }).status, 0);
    const r3 = many.a.run(verify16(0, 1000, ONE), { out: new Uint8Array(512).fill(1, 511) });
    assert.deepEqual([r3.sense, r3.information], ['e/1d/00', 0]);
  });

  it('compares no more than came, and reads the rest', () => {
    const { a } = bench();
    put(a, 50, good(0), good(1), block(2, { reference: 52, guard: 5 }));
    const r = a.run(verify10(50, 3, protect(1) | EACH), { out: join(good(0), good(1)) });
    assert.deepEqual([r.status, r.residualOut], [0, -520]);
    const none = a.run(verify10(50, 3, protect(1) | EACH));
    assert.deepEqual([none.status, none.dataOutWanted], [0, 1560]);
  });

  it('refuses BYTCHK = 10b and beyond the end', () => {
    const { a } = bench();
    assert.equal(a.run(verify10(0, 1, RESERVED)).pointer, 'cdb 1.2');
    assert.equal(a.run(verify10(4095, 2, protect(1))).sense, '5/21/00');
  });

  it('VERIFY(32) knows the tags of the CDB', () => {
    const { a } = bench(2);
    const data = join(
      block(1, { reference: 9, application: 5 }),
      block(2, { reference: 10, application: 5 }),
    );
    assert.equal(a.run(long(0x0b, 50, 2, { protect: 3 }), { out: data }).status, 0);
    const expected = { reference: 9, application: 5, mask: 0xffff };
    assert.equal(a.run(long(0x0a, 50, 2, { ...expected, protect: 1 })).status, 0);
    const r = a.run(long(0x0a, 51, 1, { ...expected, protect: 1 }));
    assert.deepEqual([r.sense, r.information], ['b/10/03', 51]);
    const each = { ...expected, protect: 1, flags: EACH };
    assert.equal(a.run(long(0x0a, 50, 2, each), { out: data }).status, 0);
    const app = { ...each, application: 6 };
    assert.equal(a.run(long(0x0a, 50, 2, app), { out: data }).sense, 'b/10/02');
    assert.equal(a.run(long(0x0a, 0, 1, { flags: RESERVED })).pointer, 'cdb 10.2');
  });
});

describe('WRITE AND VERIFY with protection information', () => {
  it('writes durably and verifies what is on the medium then', () => {
    for (const write of [writeVerify10, writeVerify12, writeVerify16]) {
      for (const flags of [0, EACH]) {
        const { a, store } = bench();
        const data = join(...Array.from({ length: 150 }, (_, i) => good(i)));
        const r = a.run(write(50, 150, protect(1) | flags), { out: data });
        assert.deepEqual([r.status, r.dataOutMoved], [0, 150 * 520]);
        store.powerCut();
        const back = a.run(read10(50, 150, protect(1)), { in: data.length });
        assert.ok(Buffer.from(data).equals(Buffer.from(back.dataIn)));
      }
    }
  });

  it('makes the information when none came', () => {
    const { a } = bench();
    const r = a.run(writeVerify10(50, 1, EACH), { out: new Uint8Array(512).fill(8) });
    assert.equal(r.status, 0);
    const expected = block(8, { application: 0xffff, reference: 50 });
    assert.deepEqual(a.run(read10(50, 1, protect(3)), { in: 520 }).dataIn, expected);
  });

  it('tells when the medium kept something else', () => {
    const { a, store } = bench();
    store.hold = true;
    const pending = a.start(writeVerify10(50, 1, protect(1) | EACH), { out: good(0) });
    store.release(1);
    store.memory[50 * 520] = 0xee;
    store.release();
    assert.deepEqual([pending.result.sense, pending.result.information], ['e/1d/00', 50]);
  });

  it('checks what came first; BYTCHK = 10b and 11b are reserved', () => {
    const { a, store } = bench();
    const r = a.run(writeVerify10(50, 1, protect(1)), { out: block(1, { reference: 5 }) });
    assert.deepEqual([r.sense, r.information, store.calls.write], ['b/10/03', 50, 0]);
    assert.equal(a.run(writeVerify10(50, 1, ONE), { out: new Uint8Array(512) }).sense, '5/24/00');
  });

  it('WRITE AND VERIFY(32) expects what the CDB says', () => {
    const { a } = bench(2);
    const data = block(1, { reference: 0x1000, application: 3 });
    const expected = { protect: 1, flags: EACH, reference: 0x1000, application: 3, mask: 0xffff };
    assert.equal(a.run(long(0x0c, 5, 1, expected), { out: data }).status, 0);
    const r = a.run(long(0x0c, 5, 1, { ...expected, reference: 5 }), { out: data });
    assert.deepEqual([r.sense, r.information], ['b/10/03', 5]);
  });
});
