/** Command rows, VPD pages and mode pages of the device types against T10's lists. */
import { strict as assert } from 'node:assert';
import { readDrive } from '../../src/scsi/mmc/optical-type.ts';
import {
  diskType,
  fullDisk,
  fullProtectedDisk,
  thickDisk,
  thinDisk,
} from '../../src/scsi/sbc/disk-type.ts';
import { pagesOf } from '../../src/scsi/spc/vpd.ts';
import { disk } from '../support/target.ts';
import { jsonVector } from '../support/vectors.ts';

interface OpcodeRow {
  readonly opcode: number;
  readonly sa: number | null;
  readonly name: string;
  readonly cdbLength: number;
}

interface PageRow {
  readonly page: number;
  readonly subpage?: number;
  readonly name: string;
  readonly deviceType: string | null;
  readonly totalBytesIncludingHeader?: number;
}

const opcodes = jsonVector<readonly OpcodeRow[]>('t10/opcodes.json');
const vpdPages = jsonVector<readonly PageRow[]>('t10/vpd-pages.json');
const modePages = jsonVector<readonly PageRow[]>('t10/mode-pages.json');

/** Opcodes SBC-3 table 35 makes mandatory for a disk, and those the issue adds. */
const DISK_OPCODES = [
  0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x16, 0x17, 0x1a, 0x1b, 0x1c, 0x1d, 0x25, 0x28, 0x2a, 0x2e,
  0x2f, 0x34, 0x35, 0x37, 0x3b, 0x3c, 0x41, 0x4c, 0x4d, 0x53, 0x55, 0x56, 0x57, 0x5a, 0x5e, 0x5e,
  0x5e, 0x5e, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x5f, 0x83, 0x83, 0x83, 0x83, 0x83, 0x84,
  0x84, 0x84, 0x84, 0x84, 0x84, 0x84, 0x88, 0x89, 0x8a, 0x8b, 0x8e, 0x8f, 0x90, 0x91, 0x93, 0x9e,
  0x9e, 0xa0, 0xa3, 0xa3, 0xa3, 0xa3, 0xa3, 0xa4, 0xa8, 0xaa, 0xae, 0xaf, 0xb7,
];

/** Names that T10's list of 2012 has otherwise (READ DVD STRUCTURE until MMC-5), and a command that it has no more. */
const NAMED_IN_LIST = new Map([['READ DISC STRUCTURE', 'READ DVD STRUCTURE']]);
const OBSOLETE = ['PLAY AUDIO TRACK INDEX'];
/** No number is given where it could not be looked up. */
const CLAUSE = /^((SPC-[24]|SBC-[234]) \d+\.\d+|MMC-[2356]( \d+\.\d+)?)/;

describe('command rows', () => {
  const all = [thickDisk, fullDisk, fullProtectedDisk, readDrive].flatMap((type) => type.commands);
  for (const { row } of [...new Set(all)]) {
    const action = row.serviceAction < 0 ? null : row.serviceAction;
    if (OBSOLETE.includes(row.name)) continue;
    it(`${row.name}: opcode, name and CDB length as T10 lists them`, () => {
      const name = NAMED_IN_LIST.get(row.name) ?? row.name;
      const theirs = opcodes.find(
        (each) => each.opcode === row.opcode && each.sa === action && each.name === name,
      );
      assert.ok(theirs, `${row.opcode.toString(16)}h ${row.name} is in op-num`);
      assert.equal(row.lengthBytes, theirs.cdbLength);
      assert.equal(row.usage.length, theirs.cdbLength);
      assert.equal(row.usage[0], theirs.opcode);
      assert.equal(row.controlByte, row.opcode === 0x7f ? 1 : theirs.cdbLength - 1);
      assert.match(row.clause, CLAUSE);
    });
  }

  it('are these, a thin disk has UNMAP besides, and one that can keep its promise WRITE ATOMIC', () => {
    const codes = (commands: typeof thickDisk.commands): number[] =>
      commands.map(({ row }) => row.opcode);
    assert.deepEqual(codes(thickDisk.commands), DISK_OPCODES);
    assert.deepEqual(
      codes(thinDisk.commands),
      [...DISK_OPCODES, 0x42].sort((a, b) => a - b),
    );
    assert.deepEqual(
      codes(diskType({ thin: true, anchor: true }).commands),
      codes(thinDisk.commands),
    );
    const withAtomic = (...more: number[]): number[] =>
      [...DISK_OPCODES, 0x9c, ...more].sort((a, b) => a - b);
    assert.deepEqual(codes(diskType({ atomic: true }).commands), withAtomic());
    assert.deepEqual(
      codes(diskType({ sanitize: true }).commands),
      [...DISK_OPCODES, 0x04, 0x48, 0x48].sort((a, b) => a - b),
    );
    assert.deepEqual(
      codes(diskType({ information: true }).commands),
      [...DISK_OPCODES, 0xa4].sort((a, b) => a - b),
    );
    assert.deepEqual(codes(diskType({ thin: true, atomic: true }).commands), withAtomic(0x42));
  });

  it('with protection information are those that know how blocks are stored then; 32-byte CDBs with type 2', () => {
    const codes = (protection: 1 | 2 | 3): string[] =>
      diskType({ protection }).commands.map(({ row }) => row.opcode.toString(16));
    // XDWRITEREAD does not.
    const theirs = DISK_OPCODES.filter((opcode) => opcode !== 0x53);
    const known = theirs.map((opcode) => opcode.toString(16));
    assert.deepEqual(codes(1), known);
    assert.deepEqual(codes(3), known);
    const at = theirs.findIndex((opcode) => opcode > 0x7f);
    assert.deepEqual(codes(2), known.toSpliced(at, 0, '7f', '7f', '7f', '7f', '7f'));
  });

  it('exempt from unit attention exactly INQUIRY, REPORT LUNS and REQUEST SENSE (SPC-4 5.14)', () => {
    const exempt = fullDisk.commands.filter(({ row }) => row.attention !== 'report');
    assert.deepEqual(
      exempt.map(({ row }) => [row.opcode, row.attention]),
      [
        [0x03, 'clear'],
        [0x12, 'ignore'],
        [0xa0, 'ignore'],
      ],
    );
  });

  it('leave the CONTROL byte to NACA: LINK and vendor bits are refused', () => {
    for (const { row } of [...fullDisk.commands, ...fullProtectedDisk.commands]) {
      assert.equal(row.usage[row.controlByte], 4, row.name);
    }
  });
});

describe('pages of a disk', () => {
  const t = disk();

  for (const { code, name } of pagesOf(t.unit)) {
    it(`VPD page ${code.toString(16)}h is T10's "${name}"`, () => {
      const theirs = vpdPages.find(
        (each) => each.page === code && (each.deviceType === null || each.deviceType === '0x00'),
      );
      assert.equal(name, theirs?.name);
    });
  }

  it('mode pages 01h, 08h, 0Ah, 1Ah and 1Ch have the lengths of the standards', () => {
    const a = t.nexus('a').clear();
    for (const page of [0x01, 0x08, 0x0a, 0x1a, 0x1c]) {
      const theirs = modePages.find(
        (each) =>
          each.page === page &&
          each.subpage === 0 &&
          (each.deviceType === 'common' || each.deviceType === '0x00') &&
          each.totalBytesIncludingHeader !== undefined,
      );
      const r = a.run([0x1a, 0x08, page, 0, 255, 0], { in: 255 });
      assert.equal(r.dataIn.length - 4, theirs?.totalBytesIncludingHeader);
      assert.equal(r.dataIn[4], page);
      assert.equal(r.dataIn[5], r.dataIn.length - 6);
    }
  });
});
