/** MECHANISM STATUS, REPORT KEY, SEEK(10), SET READ AHEAD (MMC-6). */
import { strict as assert } from 'node:assert';
import { dataDisc, optical } from '../../../support/optical.ts';

const held = () => optical(dataDisc(40), new Uint8Array(40 * 2048));

describe('MECHANISM STATUS', () => {
  const STATUS = 'bd 00 00 00 00 00 00 00 00 08 00 00';

  it('of an idle drive is where the head is', () => {
    const a = held().bed.nexus('a').clear();
    a.run('28 00 00 00 00 09 00 00 01 00', { in: 2048 });
    const { dataIn } = a.run(STATUS, { in: 8 });
    assert.equal(Buffer.from(dataIn).toString('hex'), '0000000009000000');
  });

  it('says that the door is open when the tray is out', () => {
    const a = held().bed.nexus('a').clear();
    a.run('1b 00 00 00 02 00');
    const { dataIn } = a.run(STATUS, { in: 8 });
    assert.equal(Buffer.from(dataIn).toString('hex'), '0010000000000000');
  });
});

describe('REPORT KEY', () => {
  it('has the state of a drive whose region nobody has set', () => {
    const { bed, unit } = held();
    unit.medium?.take();
    const { dataIn } = bed.nexus('a').clear().run('a4 00 00 00 00 00 00 00 00 08 08 00', { in: 8 });
    assert.equal(Buffer.from(dataIn).toString('hex'), '0006000025ff0100');
  });

  it('has no keys, of no class', () => {
    const a = held().bed.nexus('a').clear();
    const pointers = [
      'a4 00 00 00 00 00 00 00 00 08 00 00',
      'a4 00 00 00 00 00 00 00 00 08 01 00',
      'a4 00 00 00 00 00 00 02 00 08 08 00',
    ].map((cdb) => a.run(cdb, { in: 8 }).pointer);
    assert.deepEqual(pointers, ['cdb 10.5', 'cdb 10.5', 'cdb 7']);
  });
});

describe('SEEK(10) and SET READ AHEAD', () => {
  it('reach the last block and none behind it', () => {
    const a = held().bed.nexus('a').clear();
    const senses = [
      '2b 00 00 00 00 27 00 00 00 00',
      '2b 00 00 00 00 28 00 00 00 00',
      'a7 00 00 00 00 00 00 00 00 27 00 00',
      'a7 00 00 00 00 00 00 00 00 28 00 00',
    ].map((cdb) => a.run(cdb).sense);
    assert.deepEqual(senses, ['', '5/21/00', '', '5/21/00']);
  });

  it('need a disc', () => {
    const { bed, unit } = held();
    const a = bed.nexus('a').clear();
    unit.medium?.take();
    assert.equal(a.run('2b 00 00 00 00 00 00 00 00 00').sense, '2/3a/01');
  });
});
