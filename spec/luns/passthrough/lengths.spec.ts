/** Data lengths that follow from the CDB: READ CD as in the table of MMC-6 6.16, WRITE to a CD by write parameters and cue sheet. */
import { strict as assert } from 'node:assert';
import { type DataLength, isRefusal } from '../../../src/luns/passthrough/filter.ts';
import { readCdLength, readCdMsfLength } from '../../../src/luns/passthrough/read-cd.ts';
import { WriteBlocks } from '../../../src/luns/passthrough/write-blocks.ts';
import { bytesOf } from '../../support/direct-port.ts';

const NOTHING = new WriteBlocks(2048);

function length(of: DataLength, cdb: string): number | string {
  const bytes = of(bytesOf(cdb), NOTHING);
  return isRefusal(bytes) ? 'refused' : bytes;
}

/** Byte 9 of READ CD: bytes of Mode 1, Mode 2 formless, form 1, form 2. */
const TABLE: readonly (readonly [string, ...(number | string)[]])[] = [
  ['00', 0, 0, 0, 0],
  ['20', 4, 4, 4, 4],
  ['40', 0, 0, 8, 8],
  ['60', 4, 4, 12, 12],
  ['10', 2048, 2336, 2048, 2328],
  ['18', 2336, 2336, 2328, 2328],
  ['30', 2052, 2340, 'refused', 'refused'],
  ['38', 2340, 2340, 'refused', 'refused'],
  ['50', 2048, 2336, 2056, 2336],
  ['58', 2336, 2336, 2336, 2336],
  ['70', 2052, 2340, 2060, 2340],
  ['78', 2340, 2340, 2340, 2340],
  ['a0', 16, 16, 16, 16],
  ['e0', 16, 16, 24, 24],
  ['f0', 2064, 2352, 2072, 2352],
  ['f8', 2352, 2352, 2352, 2352],
];
const TYPES = ['08', '0c', '10', '14'] as const;

describe('passthrough: length of READ CD', () => {
  for (const [flags, ...expected] of TABLE) {
    it(`byte 9 = ${flags}h`, () => {
      const found = TYPES.map((type) =>
        length(readCdLength, `be ${type} 00 00 00 00 00 00 01 ${flags} 00 00`),
      );
      assert.deepEqual(found, expected);
    });
  }

  it('CD-DA has 2352 bytes', () => {
    assert.equal(length(readCdLength, 'be 04 00 00 00 00 00 00 02 10 00 00'), 4704);
  });

  it('any type: as much as the largest of all', () => {
    assert.equal(length(readCdLength, 'be 00 00 00 00 00 00 00 01 10 00 00'), 2352);
  });

  it('C2 and sub-channel come on top', () => {
    assert.equal(length(readCdLength, 'be 00 00 00 00 00 00 00 01 fa 01 00'), 2352 + 294 + 96);
    assert.equal(length(readCdLength, 'be 00 00 00 00 00 00 00 01 fc 02 00'), 2352 + 296 + 16);
  });

  it('reserved sector types, C2 and sub-channel codes are refused', () => {
    for (const cdb of [
      'be 18 00 00 00 00 00 00 01 10 00 00',
      'be 00 00 00 00 00 00 00 01 16 00 00',
      'be 00 00 00 00 00 00 00 01 10 03 00',
      'be 00 00 00 00 00 00 00 01 10 05 00',
      'be 08 00 00 00 00 00 00 01 08 00 00',
    ]) {
      assert.equal(length(readCdLength, cdb), 'refused', cdb);
    }
  });

  it('READ CD MSF counts from the start to the end, 32 sectors at most', () => {
    assert.equal(length(readCdMsfLength, 'b9 04 00 00 02 00 00 02 20 f8 00 00'), 32 * 2352);
    assert.equal(length(readCdMsfLength, 'b9 04 00 00 02 00 00 02 21 f8 00 00'), 'refused');
    assert.equal(length(readCdMsfLength, 'b9 04 00 00 02 01 00 02 00 f8 00 00'), 'refused');
  });
});

describe('passthrough: length of WRITE', () => {
  let blocks: WriteBlocks;
  beforeEach(() => {
    blocks = new WriteBlocks(2048);
    blocks.isCd = true;
  });

  for (const [type, bytes] of [
    [0, 2352],
    [1, 2368],
    [3, 2448],
    [8, 2048],
    [9, 2336],
    [12, 2324],
    [13, 2332],
    [5, 0],
  ] as const) {
    it(`track at once with data block type ${type}: ${bytes}`, () => {
      blocks.setPage(bytesOf(`05 32 01 04 0${type.toString(16)}`));
      assert.equal(blocks.writeBytes(0, 1), bytes);
    });
  }

  it('session at once without a cue sheet cannot be known', () => {
    blocks.setPage(bytesOf('05 32 42 00 00'));
    assert.equal(blocks.writeBytes(-150, 1), 0);
  });

  it('a data disc: 2048 from the pregap on', () => {
    blocks.setPage(bytesOf('05 32 42 00 00'));
    blocks.setCueSheet(
      bytesOf(`41 00 00 14 00 00 00 00 41 01 00 10 00 00 00 00
               41 01 01 10 00 00 02 00 41 aa 01 14 00 00 10 00`),
    );
    assert.equal(blocks.writeBytes(-150, 16), 16 * 2048);
  });

  it('a WRITE over two entries has blocks of both lengths', () => {
    blocks.setPage(bytesOf('05 32 42 00 00'));
    // Mode 1 until LBA 75, then audio.
    blocks.setCueSheet(
      bytesOf(`41 00 00 14 00 00 00 00 41 01 00 10 00 00 00 00 41 01 01 10 00 00 02 00
               01 02 01 00 00 00 03 00 01 aa 01 01 00 00 10 00`),
    );
    assert.equal(blocks.writeBytes(73, 4), 2 * 2048 + 2 * 2352);
  });

  it('CD-TEXT in the lead-in: 96 bytes', () => {
    blocks.setPage(bytesOf('05 32 42 00 00'));
    blocks.setCueSheet(
      bytesOf(`01 00 00 41 00 00 00 00 01 01 00 00 00 00 00 00
               01 01 01 00 00 00 02 00 01 aa 01 01 00 00 10 00`),
    );
    assert.equal(blocks.writeBytes(-11635, 10), 960);
    assert.equal(blocks.writeBytes(-150, 1), 2352);
  });

  it('anything but a CD has blocks of 2048, whatever the page says', () => {
    blocks.isCd = false;
    blocks.setPage(bytesOf('05 32 42 04 00'));
    assert.equal(blocks.writeBytes(0, 16), 16 * 2048);
  });
});
