/** The rows of MMC: against T10's list, the requests of Debian's tools, stray bits and allocation lengths. */
import { strict as assert } from 'node:assert';
import { firstStrayBit } from '../../../src/scsi/cdb.ts';
import type { CommandRow } from '../../../src/scsi/command-table.ts';
import { audioCommands } from '../../../src/scsi/mmc/audio/commands.ts';
import { informationCommands } from '../../../src/scsi/mmc/information/commands.ts';
import { POISON } from '../../support/direct-port.ts';
import { audioDisc, dataDisc, optical } from '../../support/optical.ts';
import { jsonVector } from '../../support/vectors.ts';

interface OpcodeRow {
  readonly opcode: number;
  readonly sa: number | null;
  readonly name: string;
  readonly cdbLength: number;
}

const opcodes = jsonVector<readonly OpcodeRow[]>('t10/opcodes.json');
const rows = [...informationCommands, ...audioCommands].map(([row]) => row);
/** T10's list is of 2012: MMC-6 has renamed one since, and one was obsolete then. */
const OLD_NAMES: Readonly<Record<string, string>> = { 'READ DISC STRUCTURE': 'READ DVD STRUCTURE' };
const UNLISTED: readonly string[] = ['PLAY AUDIO TRACK INDEX'];

describe('command rows of MMC', () => {
  for (const row of rows) {
    it(`${row.name}: opcode, name and CDB length as T10 lists them`, () => {
      const name = OLD_NAMES[row.name] ?? row.name;
      const theirs = opcodes.find((each) => each.opcode === row.opcode && each.name === name);
      assert.equal(theirs?.cdbLength, UNLISTED.includes(name) ? undefined : row.lengthBytes);
    });
  }

  it('take what the tools of Debian send, but for a slip of dvd+rw-mediainfo', () => {
    const byOpcode = new Map<number, CommandRow>();
    const { unit } = optical(dataDisc(1), new Uint8Array(2048));
    for (const { row } of unit.deviceType.commands) byOpcode.set(row.opcode, row);
    const refused = jsonVector<readonly string[]>('mmc/trace-cdbs.json').filter((text) => {
      const cdb = Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
      const row = byOpcode.get(cdb[0] as number);
      return row === undefined || firstStrayBit(row.honoured, cdb) >= 0;
    });
    assert.deepEqual(refused, ['51 10 00 00 00 00 00 00 10 00']);
  });

  it('exempt from unit attention is GET CONFIGURATION alone', () => {
    const exempt = rows.filter(({ attention }) => attention !== 'report');
    assert.deepEqual(
      exempt.map(({ name }) => name),
      ['GET CONFIGURATION'],
    );
  });

  for (const row of rows) {
    it(`${row.name}: every bit that means nothing is refused`, () => {
      const a = optical(audioDisc([0], 600), new Uint8Array(0))
        .bed.nexus('a')
        .clear();
      for (let byte = 1; byte < row.lengthBytes; byte += 1) {
        for (let bit = 0; bit < 8; bit += 1) {
          if (((row.honoured[byte] as number) & (1 << bit)) !== 0) continue;
          const cdb = new Uint8Array(row.lengthBytes);
          cdb[0] = row.opcode;
          cdb[byte] = 1 << bit;
          const { sense, pointer } = a.run(cdb, { in: 256, out: new Uint8Array(64) });
          assert.deepEqual([sense, pointer], ['5/24/00', `cdb ${byte}.${bit}`]);
        }
      }
    });
  }
});

/** Commands with an ALLOCATION LENGTH, and the disc they have an answer for. */
const CASES: readonly (readonly [name: string, cdb: string, at: number, profile: 0x08 | 0x10])[] = [
  ['READ FORMAT CAPACITIES', '23 00 00 00 00 00 00 00 00 00', 7, 0x08],
  ['READ SUB-CHANNEL', '42 00 40 02 00 00 00 00 00 00', 7, 0x08],
  ['READ TOC/PMA/ATIP', '43 00 00 00 00 00 00 00 00 00', 7, 0x08],
  ['GET CONFIGURATION', '46 00 00 00 00 00 00 00 00 00', 7, 0x08],
  ['READ DISC INFORMATION', '51 00 00 00 00 00 00 00 00 00', 7, 0x08],
  ['READ TRACK INFORMATION', '52 01 00 00 00 01 00 00 00 00', 7, 0x08],
  ['REPORT KEY', 'a4 00 00 00 00 00 00 00 00 00 08 00', 8, 0x08],
  ['READ DISC STRUCTURE', 'ad 00 00 00 00 00 00 ff 00 00 00 00', 8, 0x10],
  ['MECHANISM STATUS', 'bd 00 00 00 00 00 00 00 00 00 00 00', 8, 0x08],
];

describe('allocation lengths of MMC', () => {
  for (const [name, text, at, profile] of CASES) {
    it(`${name}: 0 to one past the answer`, () => {
      const { bed } = optical(dataDisc(40, profile), new Uint8Array(40 * 2048));
      const a = bed.nexus('a').clear();
      const cdb = Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
      const run = (length: number) => {
        const sized = cdb.slice();
        sized[at] = length >> 8;
        sized[at + 1] = length & 0xff;
        return a.run(sized, { in: 1024 });
      };
      const whole = run(1024).dataIn;
      for (let length = 0; length <= whole.length + 1; length += 1) {
        const { status, dataIn, buffer } = run(length);
        assert.equal(status, 0);
        assert.deepEqual(dataIn, whole.slice(0, length));
        assert.equal(buffer[dataIn.length], POISON);
      }
    });
  }
});
