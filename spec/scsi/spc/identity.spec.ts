/** Who a unit is to administrators and multipath drivers: port groups, identifying information, timestamp, VPD 83h and 86h to 88h. */
import { strict as assert } from 'node:assert';
import { DONE, type InformationStore, MEDIUM_WRITE } from '../../../src/scsi/contracts.ts';
import { IdentifyingInformation } from '../../../src/scsi/spc/identifying-information.ts';
import { disk, type TestNexus } from '../../support/target.ts';

const groups = (format = 0): number[] => [0xa3, 0x0a | (format << 5), 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
const vpd = (a: TestNexus, page: number): number[] => [
  ...a.run([0x12, 1, page, 0, 0xff, 0], { in: 255 }).dataIn,
];

describe('REPORT TARGET PORT GROUPS (SPC-4 5.15)', () => {
  it('is one group of one port, active/optimized, implicit, as INQUIRY and VPD 83h say', () => {
    const a = disk().nexus('a').clear();
    assert.equal((a.run('12 00 00 00 24 00', { in: 36 }).dataIn[5] as number) & 0x30, 0x10);
    const data = [...a.run(groups(), { in: 256 }).dataIn];
    assert.deepEqual(data, [0, 0, 0, 12, 0x00, 0x05, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
    const page = Buffer.from(vpd(a, 0x83)).toString('hex');
    assert.match(page, /01140004000000010115000400000001$/);
  });

  it('has the extended header when asked for, and no other format', () => {
    const a = disk().nexus('a').clear();
    const data = [...a.run(groups(1), { in: 256 }).dataIn];
    assert.deepEqual(data.slice(0, 8), [0, 0, 0, 16, 0x10, 0, 0, 0]);
    assert.equal(data.length, 20);
    const refused = a.run(groups(2), { in: 256 });
    assert.deepEqual([refused.sense, refused.pointer], ['5/24/00', 'cdb 1.7']);
  });

  it('says standby in standby, where it can be asked, and that the state was altered since', () => {
    const bed = disk();
    const a = bed.nexus('a').clear();
    bed.unit.standBy(() => undefined);
    assert.equal(a.run('00 00 00 00 00 00').sense, '6/2a/06');
    assert.deepEqual([...a.run(groups(), { in: 256 }).dataIn.subarray(4, 10)], [2, 5, 0, 1, 0, 2]);
    bed.unit.activate();
    a.run('00 00 00 00 00 00');
    assert.deepEqual([...a.run(groups(), { in: 256 }).dataIn.subarray(4, 10)], [0, 5, 0, 1, 0, 2]);
  });
});

describe('vital product data of a disk', () => {
  it('86h: attributes, the volatile cache, LUICLR, longest sense data', () => {
    const expected = [0, 0x86, 0, 0x3c, 0, 0x07, 0x01, 0x01, 0, 0, 0, 1, 0, 32];
    const page = vpd(disk().nexus('a').clear(), 0x86);
    assert.deepEqual(page.slice(0, 14), expected);
    assert.ok(page.slice(14).every((byte) => byte === 0) && page.length === 64);
    for (const [type, byte] of [
      [1, 0x05],
      [2, 0x17],
      [3, 0x24],
    ] as const) {
      assert.equal(vpd(disk({ protection: type }).nexus('a').clear(), 0x86)[4], byte);
    }
    const stable = vpd(disk({ volatileCache: false }).nexus('a').clear(), 0x86);
    assert.equal(stable[6], 0);
  });

  it('87h: every mode page is shared', () => {
    const bed = disk();
    const [a, b] = [bed.nexus('a').clear(), bed.nexus('b').clear()];
    assert.deepEqual(vpd(a, 0x87), [0, 0x87, 0, 4, 0x3f, 0xff, 0, 0]);
    const page = [0x0a, 0x0a, 0x06, ...new Array<number>(9).fill(0)];
    page[5] = 0x40;
    page.splice(8, 4, 0x01, 0x2c, 0xff, 0xff);
    const out = Uint8Array.from([0, 0, 0, 0, ...page]);
    assert.equal(a.run([0x15, 0x10, 0, 0, out.length, 0], { out }).status, 0);
    assert.equal(b.run('00 00 00 00 00 00').sense, '6/2a/01');
    assert.equal(b.run('1a 08 0a 00 10 00', { in: 16 }).dataIn[6], 0x06);
  });

  it('88h: one port, no initiator port, its designators', () => {
    const page = Buffer.from(vpd(disk().nexus('a').clear(), 0x88)).toString('hex');
    const designators = '01140004000000010115000400000001';
    assert.equal(page, `0088001c000000010000000000000010${designators}`);
  });
});

describe('REPORT TIMESTAMP, SET TIMESTAMP (SPC-4 5.16)', () => {
  const REPORT = 'a3 0f 00 00 00 00 00 00 00 0c 00 00';
  const SET = 'a4 0f 00 00 00 00 00 00 00 0c 00 00';
  const read = (a: TestNexus) => {
    const data = Buffer.from(a.run(REPORT, { in: 12 }).dataIn);
    assert.equal(data.readUInt16BE(0), 10);
    return { origin: data[2], milliseconds: data.readUIntBE(4, 6) };
  };

  it('is this host’s clock, by other means, until somebody sets it', () => {
    const bed = disk();
    const [a, b] = [bed.nexus('a').clear(), bed.nexus('b').clear()];
    const before = Date.now();
    const first = read(a);
    assert.equal(first.origin, 3);
    assert.ok(first.milliseconds >= before && first.milliseconds <= Date.now());
    const out = Buffer.alloc(12);
    out.writeUIntBE(0x0123_4567_89ab, 4, 6);
    assert.equal(a.run(SET, { out }).status, 0);
    assert.equal(b.run('00 00 00 00 00 00').sense, '6/2a/10');
    assert.equal(a.run('00 00 00 00 00 00').status, 0, 'who set it knows');
    const second = read(b);
    assert.equal(second.origin, 2);
    const passed = second.milliseconds - 0x0123_4567_89ab;
    assert.ok(passed >= 0 && passed < 60_000, `${passed} ms later`);
  });

  it('no list changes nothing; another length, or less than came, is refused', () => {
    const a = disk().nexus('a').clear();
    assert.equal(a.run('a4 0f 00 00 00 00 00 00 00 00 00 00').status, 0);
    assert.equal(read(a).origin, 3);
    const long = a.run('a4 0f 00 00 00 00 00 00 00 0d 00 00', { out: new Uint8Array(13) });
    assert.deepEqual([long.sense, long.pointer], ['5/24/00', 'cdb 6']);
    assert.equal(a.run(SET, { out: new Uint8Array(11) }).sense, '5/1a/00');
  });
});

describe('REPORT and SET IDENTIFYING INFORMATION (SPC-4 5.7)', () => {
  const report = (a: TestNexus, type: number): number[] => [
    ...a.run([0xa3, 5, 0, 0, 0, 0, 0, 0, 4, 0, type << 1, 0], { in: 1024 }).dataIn,
  ];
  const set = (a: TestNexus, type: number, out: Uint8Array) =>
    a.run([0xa4, 6, 0, 0, 0, 0, 0, 0, out.length >> 8, out.length & 0xff, type << 1, 0], { out });

  class Keeper implements InformationStore {
    readonly saved: Uint8Array[] = [];
    reply: typeof DONE | typeof MEDIUM_WRITE = DONE;
    save(_task: unknown, _lun: number, state: Uint8Array): typeof DONE | typeof MEDIUM_WRITE {
      this.saved.push(state);
      return this.reply;
    }
  }
  function setUp() {
    const keeper = new Keeper();
    const bed = disk({ informationStore: keeper });
    return { keeper, bed, a: bed.nexus('a').clear(), b: bed.nexus('b').clear() };
  }

  it('is empty at first, then what was set, for both types; others are told 3F/05', () => {
    const { a, b, keeper } = setUp();
    assert.deepEqual(report(a, 0), [0, 0, 0, 0]);
    assert.equal(set(a, 0, Uint8Array.of(1, 2, 3)).status, 0);
    assert.equal(b.run('00 00 00 00 00 00').sense, '6/3f/05');
    assert.equal(a.run('00 00 00 00 00 00').status, 0);
    assert.equal(set(a, 2, Buffer.from('ö\0')).status, 0);
    assert.deepEqual(report(b, 0), []);
    assert.deepEqual(report(b, 0), [0, 0, 0, 3, 1, 2, 3]);
    assert.deepEqual(report(b, 2), [0, 0, 0, 3, 0xc3, 0xb6, 0]);
    assert.equal(set(a, 0, new Uint8Array(0)).status, 0);
    assert.deepEqual(report(a, 0), [0, 0, 0, 0], 'no list takes it away');
    const again = new IdentifyingInformation();
    assert.ok(again.load(keeper.saved[1] as Uint8Array));
    assert.deepEqual([...again.get(0)], [1, 2, 3]);
    assert.deepEqual([...again.get(2)], [0xc3, 0xb6, 0]);
  });

  it('says which types there are and how long they may be; others are refused', () => {
    const { a } = setUp();
    assert.deepEqual(report(a, 0x7f), [0, 0, 0, 8, 0, 0, 2, 0, 4, 0, 1, 0]);
    assert.equal(set(a, 0, new Uint8Array(512).fill(7)).status, 0);
    const long = set(a, 0, new Uint8Array(513));
    assert.deepEqual([long.sense, long.pointer], ['5/24/00', 'cdb 6']);
    for (const type of [1, 3, 0x7f]) {
      const refused = set(a, type, Uint8Array.of(0));
      assert.deepEqual([refused.sense, refused.pointer], ['5/24/00', 'cdb 10.7'], String(type));
    }
    assert.equal(a.run('a3 05 00 00 00 00 00 00 04 00 02 00', { in: 16 }).sense, '5/24/00');
  });

  it('text is UTF-8 with its zero at the end and nowhere else', () => {
    const { a } = setUp();
    const cases: readonly (readonly [number[], string])[] = [
      [[0x61], 'list 0'],
      [[0x61, 0, 0x62, 0], 'list 1'],
      [[0xff, 0], 'list 0'],
    ];
    for (const [bytes, pointer] of cases) {
      const refused = set(a, 2, Uint8Array.from(bytes));
      assert.deepEqual([refused.sense, refused.pointer], ['5/26/00', pointer]);
    }
    assert.deepEqual(report(a, 2), [0, 0, 0, 0]);
  });

  it('what cannot be kept is not set; where nothing can be kept there is no command', () => {
    const { a, keeper } = setUp();
    keeper.reply = MEDIUM_WRITE;
    assert.equal(set(a, 0, Uint8Array.of(1)).sense, '4/44/00');
    assert.deepEqual(report(a, 0), [0, 0, 0, 0]);
    const plain = disk().nexus('a').clear();
    assert.equal(set(plain, 0, Uint8Array.of(1)).sense, '5/24/00');
    assert.deepEqual(report(plain, 0), [0, 0, 0, 0]);
  });

  it('bytes that are no information are none', () => {
    for (const bytes of [[0], [0, 0, 1], [1, 0, 0], [0, 2, 1, ...new Array<number>(513).fill(0)]]) {
      assert.equal(new IdentifyingInformation().load(Uint8Array.from(bytes)), false);
    }
  });
});
