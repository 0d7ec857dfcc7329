/** Allocation lengths 0 to one past the answer, for every command with parameter data (SPC-4 4.3.5.6). */
import { strict as assert } from 'node:assert';
import { POISON } from '../../support/direct-port.ts';
import { disk, type Testbed, type TestNexus } from '../../support/target.ts';

/** A command, and how an allocation length gets into its CDB. */
interface Case {
  readonly name: string;
  readonly cdb: readonly number[];
  readonly at: number;
  readonly width: number;
}

const CASES: readonly Case[] = [
  { name: 'REQUEST SENSE', cdb: [0x03, 0, 0, 0, 0, 0], at: 4, width: 1 },
  { name: 'REQUEST SENSE DESC', cdb: [0x03, 1, 0, 0, 0, 0], at: 4, width: 1 },
  { name: 'INQUIRY', cdb: [0x12, 0, 0, 0, 0, 0], at: 3, width: 2 },
  ...[0x00, 0x80, 0x83, 0x86, 0x87, 0x88, 0x8a, 0x8f, 0xb0, 0xb1, 0xb2].map((page) => ({
    name: `INQUIRY VPD ${page.toString(16)}h`,
    cdb: [0x12, 1, page, 0, 0, 0],
    at: 3,
    width: 2,
  })),
  { name: 'MODE SENSE(6)', cdb: [0x1a, 0, 0x3f, 0, 0, 0], at: 4, width: 1 },
  { name: 'MODE SENSE(10)', cdb: [0x5a, 0x10, 0x3f, 0xff, 0, 0, 0, 0, 0, 0], at: 7, width: 2 },
  ...[0x00, 0x01, 0x02, 0x03].map((action) => ({
    name: `PERSISTENT RESERVE IN ${action}`,
    cdb: [0x5e, action, 0, 0, 0, 0, 0, 0, 0, 0],
    at: 7,
    width: 2,
  })),
  { name: 'LOG SENSE', cdb: [0x4d, 0, 0x42, 0, 0, 0, 0, 0, 0, 0], at: 7, width: 2 },
  { name: 'RTPG', cdb: [0xa3, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], at: 6, width: 4 },
  { name: 'RTPG extended', cdb: [0xa3, 0x2a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], at: 6, width: 4 },
  { name: 'REPORT IDENTIFYING', cdb: [0xa3, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0xfe, 0], at: 6, width: 4 },
  { name: 'RECEIVE DIAGNOSTIC RESULTS', cdb: [0x1c, 1, 0, 0, 0, 0], at: 3, width: 2 },
  { name: 'READ BUFFER descriptor', cdb: [0x3c, 3, ...new Array(8).fill(0)], at: 6, width: 3 },
  { name: 'READ BUFFER data', cdb: [0x3c, 2, 0, 0, 0xff, 0xf0, 0, 0, 0, 0], at: 6, width: 3 },
  { name: 'ECHO descriptor', cdb: [0x3c, 0x0b, ...new Array(8).fill(0)], at: 6, width: 3 },
  { name: 'RSTMF', cdb: [0xa3, 0x0d, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0], at: 6, width: 4 },
  { name: 'COPY OPERATING PARAMETERS', cdb: [0x84, 3, ...new Array(14).fill(0)], at: 10, width: 4 },
  { name: 'REPORT LUNS', cdb: [0xa0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0], at: 6, width: 4 },
  { name: 'RSOC all', cdb: [0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], at: 6, width: 4 },
  { name: 'RSOC all RCTD', cdb: [0xa3, 0x0c, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0], at: 6, width: 4 },
  { name: 'RSOC one', cdb: [0xa3, 0x0c, 0x83, 0x28, 0, 0, 0, 0, 0, 0, 0, 0], at: 6, width: 4 },
  { name: 'GET LBA STATUS', cdb: [0x9e, 0x12, ...new Array(14).fill(0)], at: 10, width: 4 },
  { name: 'READ DEFECT DATA(10)', cdb: [0x37, 0, 0x18, 0, 0, 0, 0, 0, 0, 0], at: 7, width: 2 },
  { name: 'READ DEFECT DATA(12)', cdb: [0xb7, 0x18, ...new Array(10).fill(0)], at: 6, width: 4 },
  { name: 'READ CAPACITY(16)', cdb: [0x9e, 0x10, ...new Array(14).fill(0)], at: 10, width: 4 },
];

function cdbWith(each: Case, allocation: number): Uint8Array {
  const cdb = Uint8Array.from(each.cdb);
  let rest = allocation;
  for (let i = each.width - 1; i >= 0; i -= 1) {
    cdb[each.at + i] = rest & 0xff;
    rest >>= 8;
  }
  return cdb;
}

const LARGEST = { 1: 0xff, 2: 0xffff, 3: 0xffff, 4: 0xffff } as const;

function whole(a: TestNexus, each: Case): Uint8Array {
  const allocation = LARGEST[each.width as 1 | 2 | 3 | 4];
  const r = a.run(cdbWith(each, allocation), { in: 4096 });
  assert.equal(r.status, 0);
  assert.ok(r.dataIn.length > 0 && r.dataIn.length < 4096);
  return r.dataIn;
}

function sweep(t: Testbed, each: Case): void {
  const a = t.nexus(each.name).clear();
  const data = whole(a, each);
  for (let allocation = 0; allocation <= data.length + 1; allocation += 1) {
    const cdb = cdbWith(each, allocation);
    const expected = Math.min(allocation, data.length);
    for (const [buffer, split] of [
      [data.length + 8, 7],
      [expected, 8192],
    ] as const) {
      const r = a.run(cdb, { in: buffer, split: Math.max(split, Math.ceil(buffer / 60)) });
      assert.equal(r.status, 0);
      assert.equal(r.dataInWanted, expected, `allocation ${allocation}`);
      assert.equal(r.residualIn, buffer - expected);
      assert.deepEqual(r.dataIn, data.subarray(0, expected));
      assert.ok(r.buffer.subarray(expected).every((byte) => byte === POISON));
    }
  }
}

describe('allocation length', () => {
  const t = disk({ thin: true });
  for (const each of CASES) it(each.name, () => sweep(t, each));

  it('beyond the data-in buffer is an overrun: what fits is moved, GOOD', () => {
    const a = t.nexus('short').clear();
    for (const each of CASES) {
      const data = whole(a, each);
      const r = a.run(cdbWith(each, LARGEST[each.width as 1 | 2 | 4]), { in: 3 });
      assert.equal(r.status, 0);
      assert.deepEqual(r.dataIn, data.subarray(0, 3));
      assert.equal(r.residualIn, 3 - data.length);
    }
  });

  it('is swept for every command of the table with parameter data', () => {
    const swept = new Set(CASES.map(({ cdb }) => cdb[0]));
    const blocks = new Set([0x08, 0x28, 0x88, 0xa8, 0x25]); // reads, and READ CAPACITY(10) has none
    for (const { row } of t.unit.deviceType.commands) {
      if (row.data === 'in') assert.ok(swept.has(row.opcode) || blocks.has(row.opcode), row.name);
    }
  });
});
