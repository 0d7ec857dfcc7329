/** Every bit outside the usage of every command of a disk is refused, and pointed at (SPC-4 4.3, sam-rules: reserved bits). */
import { strict as assert } from 'node:assert';
import { setField } from '../../src/scsi/cdb.ts';
import type { CommandRow, DeviceType } from '../../src/scsi/command-table.ts';
import type { LogicalUnit } from '../../src/scsi/logical-unit.ts';
import type { HeldStore } from '../support/held-store.ts';
import { dataDisc, optical } from '../support/optical.ts';
import { type DiskOptions, disk, type Testbed, type TestNexus } from '../support/target.ts';

const ATOMIC = { atomicBytes: 65536 };

/** Sends the CDB with one bit more; the data buffers are large enough for whatever would run. */
function sendBit(a: TestNexus, cdb: Uint8Array, byte: number, bit: number) {
  const stray = cdb.slice();
  stray[byte] = (stray[byte] as number) | (1 << bit);
  return a.run(stray, { in: 4096, out: new Uint8Array(4096) });
}

/** Checks every bit of one command outside `honoured`; returns how many there were. */
function sweep(a: TestNexus, cdb: Uint8Array, honoured: Uint8Array, name: string): number {
  let count = 0;
  for (let byte = 1; byte < cdb.length; byte += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      if (((honoured[byte] as number) & (1 << bit)) !== 0) continue;
      const r = sendBit(a, cdb, byte, bit);
      assert.equal(r.sense, '5/24/00', `${name} byte ${byte} bit ${bit}`);
      assert.equal(r.pointer, `cdb ${byte}.${bit}`, name);
      assert.equal(r.dataInWanted, 0);
      count += 1;
    }
  }
  return count;
}

/** A unit whose commands are swept. */
interface Swept {
  readonly bed: Testbed;
  readonly unit: LogicalUnit;
  readonly store: HeldStore;
}

/** The CDB of a command with every field that does not say which it is zero. */
function bareCdb(type: DeviceType, row: CommandRow): Uint8Array {
  const cdb = new Uint8Array(row.lengthBytes);
  cdb[0] = row.opcode;
  if (row.opcode === 0x7f) cdb[7] = row.lengthBytes - 8;
  const at = type.opcodes[row.opcode]?.serviceAction;
  if (row.serviceAction >= 0 && at !== undefined) setField(cdb, at, row.serviceAction);
  return cdb;
}

function sweepType(t: Swept, name: string): void {
  const type = t.unit.deviceType;
  const a = t.bed.nexus('a').clear();
  for (const { row } of type.commands) {
    it(`${row.name}${name}`, () => {
      const cdb = bareCdb(type, row);
      const before = t.store.requests.length;
      assert.ok(
        sweep(a, cdb, row.honoured, row.name) >= 8,
        'the CONTROL byte at least is reserved',
      );
      assert.equal(t.store.requests.length, before, 'nothing was executed');
    });
  }
}

describe('stray bits', () => {
  const sweeps: readonly (readonly [string, DiskOptions])[] = [
    ['', {}],
    [' (thin)', { thin: true, ...ATOMIC }],
    [' (protection)', { protection: 2, ...ATOMIC }],
  ];
  for (const [name, options] of sweeps) {
    const bed = disk(options);
    sweepType({ bed, unit: bed.unit, store: bed.store }, name);
  }
  sweepType(optical(dataDisc(8), new Uint8Array(8 * 2048)), ' (optical drive)');

  it('point at the first of several', () => {
    const a = disk().nexus('a').clear();
    assert.equal(a.run('00 00 00 06 00 80').pointer, 'cdb 3.2');
  });

  it('refuse unknown service actions of known opcodes at byte 1', () => {
    const a = disk().nexus('a').clear();
    for (let action = 0; action < 32; action += 1) {
      if (![0x05, 0x0a, 0x0c, 0x0d, 0x0f].includes(action)) {
        const r = a.run([0xa3, action, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0], { in: 4096 });
        assert.deepEqual([r.sense, r.pointer], ['5/24/00', 'cdb 1.4']);
      }
    }
  });

  it('leave every other opcode at 5/20/00', () => {
    const t = disk({ thin: true, ...ATOMIC });
    const a = t.nexus('a').clear();
    let unknown = 0;
    for (let opcode = 0; opcode < 256; opcode += 1) {
      if (t.unit.deviceType.opcodes[opcode] !== null) continue;
      const cdb = new Uint8Array(16);
      cdb[0] = opcode;
      const r = a.run(cdb, { in: 512 });
      assert.deepEqual([r.sense, r.pointer], ['5/20/00', ''], opcode.toString(16));
      unknown += 1;
    }
    assert.equal(unknown, 256 - 54);
  });

  it('refuse a CDB that is shorter than its opcode says', () => {
    const t = disk();
    const a = t.nexus('a').clear();
    for (const { row } of t.unit.deviceType.commands) {
      const cdb = new Uint8Array(row.lengthBytes - 1);
      cdb[0] = row.opcode;
      if (row.serviceAction >= 0) cdb[1] = row.serviceAction;
      assert.equal(a.run(cdb, { in: 512 }).sense, '5/24/00', row.name);
    }
    assert.equal(t.store.requests.length, 0);
  });
});
