/** The rows of the commands that burn, and what a burner says of a disc that it cannot write. */
import { strict as assert } from 'node:assert';
import { newBurnStoreBytes } from '../../../../src/luns/disc/burn-store.ts';
import { burnCommands } from '../../../../src/scsi/mmc/burn/commands.ts';
import { MEDIUM_KINDS } from '../../../../src/scsi/mmc/burn/media.ts';
import { FinishedDisc } from '../../../../src/scsi/mmc/finished-disc.ts';
import { burner, writeBlocks } from '../../../support/burner.ts';
import { dataDisc } from '../../../support/optical.ts';
import { jsonVector } from '../../../support/vectors.ts';

interface OpcodeRow {
  readonly opcode: number;
  readonly name: string;
  readonly cdbLength: number;
}

const opcodes = jsonVector<readonly OpcodeRow[]>('t10/opcodes.json');

describe('commands that burn', () => {
  for (const [row] of burnCommands) {
    it(`${row.name}: opcode, name and CDB length as T10 lists them`, () => {
      const theirs = opcodes.find(({ opcode, name }) => opcode === row.opcode && name === row.name);
      assert.equal(row.lengthBytes, theirs?.cdbLength);
      assert.match(row.clause, /^MMC-6 6\.\d+$/);
    });

    it(`${row.name}: refuses bits that it does not honour`, () => {
      const { a } = burner('cd-rw');
      for (let byte = 1; byte < row.lengthBytes; byte += 1) {
        for (let bit = 0; bit < 8; bit += 1) {
          if (((row.honoured[byte] as number) & (1 << bit)) !== 0) continue;
          const cdb = new Uint8Array(row.lengthBytes);
          cdb[0] = row.opcode;
          cdb[byte] = 1 << bit;
          const { sense, pointer } = a.run(cdb, { in: 64, out: new Uint8Array(64) });
          assert.deepEqual([sense, pointer], ['5/24/00', `cdb ${byte}.${bit}`]);
        }
      }
    });
  }

  it('answer 5/30/05 when a pressed disc is in the drive', () => {
    const { a, unit } = burner('cd-r');
    unit.optical?.change(new FinishedDisc(dataDisc(20)));
    assert.equal(writeBlocks(a, 0, 1), '5/30/05');
    for (const cdb of [
      'a1 00 00 00 00 00 00 00 00 00 00 00',
      '5b 00 02 00 00 00 00 00 00 00',
      '53 00 00 00 00 00 00 00 10 00',
      '54 01 00 00 00 00 00 00 00 00',
    ]) {
      assert.equal(a.run(cdb).sense, '5/30/05', cdb);
    }
    assert.equal(a.run('35 00 00 00 00 00 00 00 00 00').sense, '');
  });

  it('READ BUFFER CAPACITY tells bytes, or blocks', () => {
    const { a } = burner('cd-r');
    const hex = (cdb: string): string => Buffer.from(a.run(cdb, { in: 12 }).dataIn).toString('hex');
    assert.equal(hex('5c 00 00 00 00 00 00 00 0c 00'), '000a00000020000000200000');
    assert.equal(hex('5c 01 00 00 00 00 00 00 0c 00'), '000a00010000040000000400');
  });

  it('WRITE AND VERIFY reads back what it has written', () => {
    for (const kind of ['cd-r', 'dvd-ram'] as const) {
      const { a, store } = burner(kind);
      const out = new Uint8Array(4 * 2048).fill(7);
      assert.equal(a.run('2e 02 00 00 00 00 00 00 04 00', { out }).sense, '', kind);
      assert.equal(store.memory.get(kind === 'cd-r' ? 150 * 2448 : 0, 1)[0], 7, kind);
    }
  });

  it('a medium in a store of its own begins with its header', () => {
    for (const kind of MEDIUM_KINDS) {
      const text = new TextDecoder().decode(newBurnStoreBytes(kind).subarray(0, 32));
      assert.equal(text.replace(/\0+$/, ''), `RINGSCSI BURN 1\n${kind}`);
    }
  });
});
