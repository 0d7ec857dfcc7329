/** What a disk with protection information says about itself, and how it is formatted and sanitized (SBC-3 5.3, 5.16; SPC-4 6.6, 7.5.8). */
import { strict as assert } from 'node:assert';
import { DONE, type OperationStore } from '../../../../src/scsi/contracts.ts';
import { hex } from '../../../support/direct-port.ts';
import { block } from '../../../support/protection.ts';
import { disk } from '../../../support/target.ts';
import { read10, write10 } from '../cdbs.ts';

const TYPES = [1, 2, 3] as const;
const READ_CAPACITY_16 = '9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00';

describe('protection information: reports', () => {
  it('READ CAPACITY(16): PROT_EN, P_TYPE one less than the type, P_I_EXPONENT 0', () => {
    for (const type of TYPES) {
      const a = disk({ blocks: 4096, protection: type }).nexus('a').clear();
      const { dataIn } = a.run(READ_CAPACITY_16, { in: 32 });
      assert.equal(hex(dataIn.subarray(0, 12)), '00 00 00 00 00 00 0f ff 00 00 02 00');
      assert.deepEqual([...dataIn.subarray(12, 16)], [((type - 1) << 1) | 1, 0, 0, 0]);
      const ten = a.run('25 00 00 00 00 00 00 00 00 00', { in: 8 }).dataIn;
      assert.equal(hex(ten), '00 00 0f ff 00 00 02 00');
    }
    const plain = disk({ blocks: 4096 }).nexus('a').clear();
    assert.equal(plain.run(READ_CAPACITY_16, { in: 32 }).dataIn[12], 0);
  });

  it('INQUIRY: PROTECT', () => {
    const inquiry = '12 00 00 00 60 00';
    for (const type of TYPES) {
      const a = disk({ protection: type }).nexus('a');
      assert.equal(a.run(inquiry, { in: 96 }).dataIn[5], 0x19);
    }
    assert.equal(disk().nexus('a').run(inquiry, { in: 96 }).dataIn[5], 0x18);
  });

  it('Control mode page: ATO, which nobody changes', () => {
    const control = (protection: 0 | 1, pageControl: number): number | undefined => {
      const a = disk({ protection }).nexus('a').clear();
      return a.run([0x1a, 0x08, (pageControl << 6) | 0x0a, 0, 255, 0], { in: 255 }).dataIn[9];
    };
    assert.deepEqual(
      [0, 1, 2].map((which) => control(1, which)),
      [0xc0, 0x40, 0xc0],
    );
    assert.deepEqual(
      [0, 1, 2].map((which) => control(0, which)),
      [0x40, 0x40, 0x40],
    );
  });

  it('Block Limits: as many blocks as without', () => {
    const limit = (options: object): number => {
      const a = disk({ protection: 1, ...options })
        .nexus('a')
        .clear();
      const { dataIn } = a.run('12 01 b0 00 ff 00', { in: 255 });
      return new DataView(dataIn.buffer).getUint32(8);
    };
    assert.equal(limit({}), 2048);
    assert.equal(limit({ blockBytes: 4096 }), 256);
  });

  it('REPORT SUPPORTED OPERATION CODES: 32-byte CDBs by service action, protect fields in the usage data', () => {
    const two = disk({ protection: 2 }).nexus('a').clear();
    const one = (options: number, opcode: number, action: number): string => {
      const cdb = [0xa3, 0x0c, options, opcode, action >> 8, action & 0xff, 0, 0, 2, 0, 0, 0];
      return hex(two.run(cdb, { in: 512 }).dataIn);
    };
    const usage =
      '7f 04 00 00 00 00 1f 18 00 09 fa 00 ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff';
    assert.equal(one(2, 0x7f, 0x0009), `00 03 00 20 ${usage}`);
    assert.equal(one(3, 0x7f, 0x0009), `00 03 00 20 ${usage}`);
    assert.equal(one(2, 0x7f, 0x0009 + 0x20), '00 01 00 00');
    assert.equal(one(1, 0x28, 0), '00 03 00 0a 28 fa ff ff ff ff 1f ff ff 04');
    const all = two.run('a3 0c 00 00 00 00 00 00 ff ff 00 00', { in: 4096 }).dataIn;
    const entries = Array.from({ length: (all.length - 4) / 8 }, (_, i) =>
      hex(all.subarray(4 + i * 8, 12 + i * 8)),
    );
    assert.deepEqual(
      entries.filter((entry) => entry.startsWith('7f')),
      [
        '7f 00 00 09 00 01 00 20',
        '7f 00 00 0a 00 01 00 20',
        '7f 00 00 0b 00 01 00 20',
        '7f 00 00 0c 00 01 00 20',
        '7f 00 00 0d 00 01 00 20',
      ],
    );
  });
});

describe('protection information: FORMAT UNIT and SANITIZE', () => {
  const keeper: OperationStore = { save: () => DONE };
  function bench(protection: 1 | 2 | 3) {
    const bed = disk({ blocks: 4096, protection, operationStore: keeper });
    const a = bed.nexus('a').clear();
    a.run(write10(4, 1), { out: new Uint8Array(512).fill(7) });
    const start = (cdb: string, ...list: number[]) => {
      const pending = a.start(cdb, { out: Uint8Array.from(list) });
      while (bed.timers.run());
      return pending.result;
    };
    return { a, store: bed.store, start };
  }
  /** FMTPINFO in byte 1, PROTECTION FIELD USAGE in byte 0 of the list (SBC-3 table 41). */
  const asks = [
    [1, '04 90 00 00 00 00', 0],
    [2, '04 d0 00 00 00 00', 0],
    [3, '04 d0 00 00 00 00', 1],
  ] as const;

  it('FORMAT UNIT that names the type leaves zeros that were never written', () => {
    for (const [type, cdb, usage] of asks) {
      const { store, start } = bench(type);
      assert.equal(start(cdb, usage, 0, 0, 0).status, 0, `type ${type}`);
      assert.ok(store.memory.every((byte) => byte === 0));
    }
    assert.equal(bench(1).start('04 80 00 00 00 00').status, 0, 'without a list');
  });

  it('FORMAT UNIT that asks for another type, or none, is refused', () => {
    for (const type of TYPES) {
      for (const [other, cdb, usage] of asks) {
        if (other === type) continue;
        const { store, start } = bench(type);
        assert.match(start(cdb, usage, 0, 0, 0).sense, /^5\/2[46]\/00$/);
        assert.equal(store.memory[4 * 520], 7);
      }
      const r = bench(type).start('04 10 00 00 00 00', 0, 0, 0, 0);
      assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 1.7']);
    }
    assert.equal(bench(3).start('04 c0 00 00 00 00').sense, '5/24/00', 'no list says usage 001b');
  });

  it('FORMAT UNIT with a pattern and SANITIZE fill the blocks and not their information', () => {
    for (const [cdb, list] of [
      ['04 90 00 00 00 00', [0, 0x88, 0, 0, 0, 1, 0, 1, 0x3c]],
      ['48 01 00 00 00 00 00 00 05 00', [1, 0, 0, 1, 0x3c]],
    ] as const) {
      const { a, start } = bench(1);
      assert.equal(start(cdb, ...list).status, 0);
      for (const lba of [0, 4, 126, 4095]) {
        const r = a.run(read10(lba, 1, 0x60), { in: 520 });
        const expected = block(0x3c, { guard: 0xffff, application: 0xffff, reference: 0xffffffff });
        assert.deepEqual(r.dataIn, expected, `${lba}`);
        assert.equal(a.run(read10(lba, 1, 0x20), { in: 520 }).status, 0);
      }
    }
  });
});
