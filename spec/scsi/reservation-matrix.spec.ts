/**
 * K11: what a reservation of another nexus does to every command of a disk. The columns are those of SPC-4 table 51 (and of
 * SPC-2 for RESERVE); the rows were typed in from there, not taken from the command table.
 */
import { strict as assert } from 'node:assert';
import { REGISTER, RESERVE, reserveOut } from '../support/reservation-list.ts';
import { disk, type TestNexus } from '../support/target.ts';

const CONFLICT = 0x18;

/** A letter per column: allowed or conflict. WE, EA, RO/AR registered, WE-RO/AR not registered, EA-RO/AR not, RESERVE. */
const ALWAYS = 'AAAAAA';
const BUT_RESERVE = 'AAAAAC';
const READS = 'ACAACC';
const WRITES = 'CCACCC';

/** CDBs by what SPC-4 says of them; zeros follow. */
const ROWS: readonly (readonly [string, string, string])[] = [
  ['TEST UNIT READY', '00', BUT_RESERVE],
  ['REQUEST SENSE', '03', ALWAYS],
  ['READ(6)', '08', READS],
  ['WRITE(6)', '0a', WRITES],
  ['INQUIRY', '12', ALWAYS],
  ['MODE SELECT(6)', '15 10', WRITES],
  ['RELEASE(6)', '17', '.....A'],
  ['MODE SENSE(6)', '1a 00 3f', READS],
  ['START STOP UNIT, start', '1b 00 00 00 01', ALWAYS],
  ['START STOP UNIT, stop', '1b 00 00 00 00', WRITES],
  ['START STOP UNIT, idle', '1b 00 00 00 21', WRITES],
  ['READ CAPACITY(10)', '25', ALWAYS],
  ['READ(10)', '28', READS],
  ['WRITE(10)', '2a', WRITES],
  ['WRITE AND VERIFY(10)', '2e', WRITES],
  ['VERIFY(10)', '2f', READS],
  ['PRE-FETCH(10)', '34', READS],
  ['SYNCHRONIZE CACHE(10)', '35', WRITES],
  ['READ DEFECT DATA(10)', '37', READS],
  ['WRITE SAME(10)', '41', WRITES],
  ['UNMAP', '42', WRITES],
  ['LOG SENSE', '4d 00 40', ALWAYS],
  ['MODE SELECT(10)', '55 10', WRITES],
  ['RELEASE(10)', '57', '.....A'],
  ['MODE SENSE(10)', '5a 00 3f', READS],
  ['PERSISTENT RESERVE IN', '5e', BUT_RESERVE],
  ['EXTENDED COPY(LID1)', '83 00', WRITES],
  ['EXTENDED COPY(LID4)', '83 01', WRITES],
  ['POPULATE TOKEN', '83 10', READS],
  ['WRITE USING TOKEN', '83 11', WRITES],
  ['COPY OPERATION ABORT', '83 1c', WRITES],
  ['RECEIVE COPY STATUS(LID1)', '84 00', WRITES],
  ['RECEIVE COPY FAILURE DETAILS(LID1)', '84 04', WRITES],
  ['RECEIVE COPY STATUS(LID4)', '84 05', BUT_RESERVE],
  ['RECEIVE COPY DATA(LID4)', '84 06', BUT_RESERVE],
  ['RECEIVE ROD TOKEN INFORMATION', '84 07', BUT_RESERVE],
  ['REPORT ALL ROD TOKENS', '84 08', BUT_RESERVE],
  ['READ(16)', '88', READS],
  ['COMPARE AND WRITE', '89', WRITES],
  ['WRITE(16)', '8a', WRITES],
  ['ORWRITE', '8b', WRITES],
  ['WRITE AND VERIFY(16)', '8e', WRITES],
  ['VERIFY(16)', '8f', READS],
  ['PRE-FETCH(16)', '90', READS],
  ['SYNCHRONIZE CACHE(16)', '91', WRITES],
  ['WRITE SAME(16)', '93', WRITES],
  ['READ CAPACITY(16)', '9e 10', ALWAYS],
  ['GET LBA STATUS', '9e 12', READS],
  ['REPORT LUNS', 'a0', ALWAYS],
  ['REPORT SUPPORTED OPERATION CODES', 'a3 0c', READS],
  ['REPORT SUPPORTED TMF', 'a3 0d', READS],
  ['READ(12)', 'a8', READS],
  ['WRITE(12)', 'aa', WRITES],
  ['WRITE AND VERIFY(12)', 'ae', WRITES],
  ['VERIFY(12)', 'af', READS],
  ['READ DEFECT DATA(12)', 'b7', READS],
  ['a command nobody knows', 'c7', WRITES],
];

const COLUMNS: readonly (readonly [string, number, boolean])[] = [
  ['Write Exclusive', 1, false],
  ['Exclusive Access', 3, true],
  ['Registrants Only and All Registrants, registered', 6, true],
  ['Write Exclusive - Registrants Only, not registered', 5, false],
  ['Exclusive Access - Registrants Only, not registered', 6, false],
  ['RESERVE(6)', 0, false],
];

function out(n: TestNexus, action: number, options: object): void {
  const { cdb, list } = reserveOut(action, options);
  assert.equal(n.run(cdb, { out: list }).status, 0);
}

/** A nexus that meets a reservation of another one. */
function meets(type: number, registered: boolean): TestNexus {
  const bed = disk({ thin: true });
  const [holder, other] = [bed.nexus('holder').clear(), bed.nexus('other').clear()];
  if (type === 0) {
    assert.equal(holder.run('16 00 00 00 00 00').status, 0);
    return other;
  }
  out(holder, REGISTER, { actionKey: 1 });
  out(holder, RESERVE, { key: 1, type });
  if (registered) out(other, REGISTER, { actionKey: 2 });
  return other;
}

describe('reservation conflicts (K11)', () => {
  for (const [column, [title, type, registered]] of COLUMNS.entries()) {
    it(title, () => {
      for (const [name, start, letters] of ROWS) {
        if (letters[column] === '.') continue;
        const cdb = Buffer.alloc(16);
        Buffer.from(start.replaceAll(' ', ''), 'hex').copy(cdb);
        const { status } = meets(type, registered).run(cdb, { in: 512 });
        assert.equal(status === CONFLICT ? 'C' : 'A', letters[column], name);
      }
    });
  }

  it('the all registrants types are as the registrants only types', () => {
    for (const [type, letters] of [
      [7, 'AC'],
      [8, 'CC'],
    ] as const) {
      for (const [i, cdb] of [
        '28 00 00 00 00 00 00 00 01 00',
        '35 00 00 00 00 00 00 00 00 00',
      ].entries()) {
        const stranger = meets(type, false).run(cdb, { in: 512 }).status;
        assert.equal(stranger === CONFLICT ? 'C' : 'A', letters[i]);
        assert.equal(meets(type, true).run(cdb, { in: 512 }).status, 0);
      }
    }
  });

  it('the holder may do everything', () => {
    for (const type of [1, 3, 5, 6, 7, 8]) {
      const bed = disk();
      const holder = bed.nexus('holder').clear();
      out(holder, REGISTER, { actionKey: 1 });
      out(holder, RESERVE, { key: 1, type });
      assert.equal(
        holder.run('2a 00 00 00 00 00 00 00 01 00', { out: new Uint8Array(512) }).status,
        0,
      );
    }
  });

  it('RESERVE and RELEASE are conflicts for everybody while anybody is registered', () => {
    const bed = disk();
    const [a, b] = [bed.nexus('a').clear(), bed.nexus('b').clear()];
    out(a, REGISTER, { actionKey: 1 });
    for (const opcode of [0x16, 0x17, 0x56, 0x57]) {
      for (const nexus of [a, b]) {
        assert.equal(nexus.run([opcode, ...new Array(9).fill(0)]).status, CONFLICT);
      }
    }
  });

  it('a reset is reported before a conflict, anything else after it', () => {
    const other = meets(3, false);
    const read = '28 00 00 00 00 00 00 00 01 00';
    const [unit] = other.target.units();
    unit?.attention.post(other.nexus.index, 0x062a09);
    assert.equal(other.run(read, { in: 512 }).status, CONFLICT);
    unit?.attention.post(other.nexus.index, 0x062903);
    assert.equal(other.run(read, { in: 512 }).sense, '6/29/03');
    assert.equal(other.run(read, { in: 512 }).status, CONFLICT);
  });
});

describe('RESERVE and RELEASE', () => {
  function reserved() {
    const bed = disk();
    const [a, b] = [bed.nexus('a').clear(), bed.nexus('b').clear()];
    assert.equal(a.run('16 00 00 00 00 00').status, 0);
    return { bed, a, b, ready: (n: TestNexus) => n.run('00 00 00 00 00 00').status };
  }

  it('again by the holder is GOOD, by another one a conflict', () => {
    const { a, b } = reserved();
    assert.equal(a.run('56 00 00 00 00 00 00 00 00 00').status, 0);
    assert.equal(b.run('16 00 00 00 00 00').status, CONFLICT);
    assert.equal(b.run('5e 00 00 00 00 00 00 00 ff 00', { in: 255 }).status, CONFLICT);
    assert.equal(
      b.run('5f 06 00 00 00 00 00 00 18 00', { out: new Uint8Array(24) }).status,
      CONFLICT,
    );
  });

  it('shuts out PERSISTENT RESERVE IN and OUT of its holder too (SPC-2 5.5.1)', () => {
    const { a } = reserved();
    for (const action of [0, 1, 2, 3]) {
      const r = a.run([0x5e, action, 0, 0, 0, 0, 0, 0, 0xff, 0], { in: 255 });
      assert.equal(r.status, CONFLICT);
    }
    const list = new Uint8Array(24).fill(1, 8, 16);
    assert.equal(a.run('5f 00 00 00 00 00 00 00 18 00', { out: list }).status, CONFLICT);
    a.run('17 00 00 00 00 00');
    assert.equal(a.run('5e 00 00 00 00 00 00 00 08 00', { in: 8 }).dataIn[7], 0, 'no key');
    assert.equal(a.run('5f 00 00 00 00 00 00 00 18 00', { out: list }).status, 0);
  });

  it('RELEASE by another one is GOOD and releases nothing', () => {
    const { a, b, ready } = reserved();
    assert.equal(b.run('17 00 00 00 00 00').status, 0);
    assert.equal(ready(b), CONFLICT);
    assert.equal(a.run('57 00 00 00 00 00 00 00 00 00').status, 0);
    assert.equal(ready(b), 0);
  });

  it('ends with a reset, a nexus reset and the nexus', () => {
    for (const end of [
      ({ b }: ReturnType<typeof reserved>) => b.manage(0x08),
      ({ a }: ReturnType<typeof reserved>) => a.manage(0x80),
      ({ bed, a }: ReturnType<typeof reserved>) => bed.target.nexusLost(a.nexus),
    ]) {
      const all = reserved();
      end(all);
      all.b.attentions();
      assert.equal(all.ready(all.b), 0);
    }
  });
});
