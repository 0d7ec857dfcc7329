/** Whole answers of a disk against dumps kept in spec/golden: what an initiator sees changes only on purpose (GOLDEN=write). */
import { strict as assert } from 'node:assert';
import { hex } from '../support/direct-port.ts';
import { disk } from '../support/target.ts';
import { golden, writeGolden } from '../support/vectors.ts';

/** Golden file → CDB. Disk of 2048 blocks of 512 bytes, 4096-byte physical blocks. */
const COMMANDS: Readonly<Record<string, string>> = {
  inquiry: '12 00 00 00 ff 00',
  'vpd-00': '12 01 00 00 ff 00',
  'vpd-80': '12 01 80 00 ff 00',
  'vpd-83': '12 01 83 00 ff 00',
  'vpd-b0': '12 01 b0 00 ff 00',
  'vpd-b1': '12 01 b1 00 ff 00',
  'vpd-b2': '12 01 b2 00 ff 00',
  'mode-01': '5a 00 01 00 00 00 00 00 ff 00',
  'mode-08': '5a 00 08 00 00 00 00 00 ff 00',
  'mode-0a': '5a 00 0a 00 00 00 00 00 ff 00',
  'mode-1c': '5a 00 1c 00 00 00 00 00 ff 00',
  'mode-3f': '5a 00 3f 00 00 00 00 00 ff 00',
  'mode-3f-changeable': '5a 00 7f 00 00 00 00 00 ff 00',
  'mode6-3f': '1a 00 3f 00 ff 00',
  'opcodes-all': 'a3 0c 00 00 00 00 00 00 ff ff 00 00',
};

/** The answers that differ on a thin disk. */
const THIN: Readonly<Record<string, string>> = {
  'thin-vpd-b0': '12 01 b0 00 ff 00',
  'thin-vpd-b2': '12 01 b2 00 ff 00',
  'thin-opcodes-all': 'a3 0c 00 00 00 00 00 00 ff ff 00 00',
};

function compare(thin: boolean, commands: Readonly<Record<string, string>>): void {
  const a = disk({ thin }).nexus('a').clear();
  for (const [name, cdb] of Object.entries(commands)) {
    it(name, () => {
      const r = a.run(cdb, { in: 4096 });
      assert.equal(r.status, 0);
      if (process.env['GOLDEN'] === 'write') {
        const what = thin ? 'thin disk' : 'disk';
        writeGolden(name, `${what}, CDB ${cdb}`, r.dataIn, name.endsWith('opcodes-all') ? 8 : 16);
      }
      assert.equal(hex(r.dataIn), hex(golden(name)));
    });
  }
}

describe('golden answers of a disk', () => {
  compare(false, COMMANDS);
});

describe('golden answers of a thin disk', () => {
  compare(true, THIN);
});
