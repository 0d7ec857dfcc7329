/** Addresses, sub-channels and CD-TEXT packs, both ways. */
import { strict as assert } from 'node:assert';
import {
  type CdTextBlock,
  getPacks,
  makeCdText,
  putPacks,
  readCdText,
  sealCdText,
} from '../../../../src/scsi/mmc/sector/cd-text.ts';
import {
  absoluteFrames,
  bcdLbaAt,
  lbaOf,
  msfOf,
  putBcdMsf,
} from '../../../../src/scsi/mmc/sector/msf.ts';
import { interleave, separate } from '../../../../src/scsi/mmc/sector/sub-channel.ts';
import { bytesOf, hex } from '../../../support/direct-port.ts';

describe('addresses in minutes, seconds and frames', () => {
  const known: readonly (readonly [number, number, number, number])[] = [
    [0, 2, 0, 0],
    [0, 0, 0, -150],
    [97, 26, 65, -11635],
    [90, 0, 0, -45150],
    [99, 59, 74, -151],
    [79, 59, 72, 359847],
    [89, 59, 74, 404849],
  ];
  for (const [minute, second, frame, lba] of known) {
    it(`${minute}:${second}:${frame} is ${lba}`, () => {
      assert.equal(lbaOf(minute, second, frame), lba);
      assert.deepEqual(msfOf(lba), { minute, second, frame });
      const bytes = new Uint8Array(3);
      putBcdMsf(bytes, 0, absoluteFrames(lba));
      assert.equal(bcdLbaAt(bytes, 0), lba);
    });
  }

  it('bytes that are no BCD or no time have no address', () => {
    for (const bytes of ['00 0a 00', '00 60 00', '00 00 75', 'a0 00 00']) {
      assert.equal(bcdLbaAt(bytesOf(bytes), 0), null, bytes);
    }
  });
});

describe('sub-channels', () => {
  it('bit 7 of each byte is P, bit 0 is W', () => {
    const channels = new Uint8Array(96);
    channels[0] = 0x80; // first bit of P
    channels[12 + 1] = 0x01; // bit 15 of Q
    channels[84 + 11] = 0x01; // last bit of W
    const interleaved = new Uint8Array(96);
    interleave(channels, 0, interleaved, 0);
    const expected = new Uint8Array(96);
    expected[0] = 0x80;
    expected[15] = 0x40;
    expected[95] = 0x01;
    assert.deepEqual(interleaved, expected);
  });

  it('come back as they were', () => {
    const channels = Uint8Array.from({ length: 96 }, (_, i) => (i * 37 + 11) & 0xff);
    const interleaved = new Uint8Array(96);
    const back = new Uint8Array(96);
    interleave(channels, 0, interleaved, 0);
    separate(interleaved, 0, back, 0);
    assert.deepEqual(back, channels);
  });
});

describe('CD-TEXT', () => {
  const text: readonly CdTextBlock[] = [
    {
      language: 9,
      fields: { title: ['Joyful Nights', 'Two', ''], performer: ['United Cat Orchestra', '', 'É'] },
    },
  ];

  it('packs have type, track, number, position and the CRC of the standard', () => {
    const packs = makeCdText(text, 1, 2) as Uint8Array;
    const pack = (i: number): string => hex(packs.subarray(i * 18, i * 18 + 18));
    // This pack is the first of the example in libburn's doc/cdtext.txt.
    assert.equal(pack(0), '80 00 00 00 4a 6f 79 66 75 6c 20 4e 69 67 68 74 f0 f7');
    assert.match(pack(1), /^80 00 01 0c 73 00 54 77 6f 00 00 00 00 00 00 00 /);
    assert.match(pack(3), /^81 00 03 0c 72 63 68 65 73 74 72 61 00 00 c9 00 /);
    // Size information: ISO 8859-1, tracks 1 to 2, two packs of titles, two of performers, three of itself; last number 6, English.
    assert.match(pack(4), /^8f 00 04 00 00 01 02 00 02 02 00 00 00 00 00 00 /);
    assert.match(pack(5), /^8f 01 05 00 00 00 00 00 00 00 00 03 06 00 00 00 /);
    assert.match(pack(6), /^8f 02 06 00 00 00 00 00 09 00 00 00 00 00 00 00 /);
    assert.equal(packs.length, 7 * 18);
  });

  it('is read back', () => {
    assert.deepEqual(readCdText(makeCdText(text, 1, 2) as Uint8Array), text);
  });

  it('a genre is a code and text, a second language a second block', () => {
    const two: readonly CdTextBlock[] = [
      { language: 9, fields: { title: ['A', 'B'], genre: ['Polka'] }, genreCode: 0x0102 },
      { language: 8, fields: { title: ['C', 'D'] } },
    ];
    assert.deepEqual(readCdText(makeCdText(two, 1, 1) as Uint8Array), two);
  });

  it('a tab says: the same as before', () => {
    const blocks = [{ language: 9, fields: { title: ['Same', '\t', '\t'] } }];
    const read = readCdText(makeCdText(blocks, 1, 2) as Uint8Array);
    assert.deepEqual(read?.[0]?.fields.title, ['Same', 'Same', 'Same']);
  });

  it('packs whose CRC is wrong are refused, those without one can be sealed', () => {
    const packs = makeCdText(text, 1, 2) as Uint8Array;
    packs[5] = 0;
    assert.equal(readCdText(packs), null);
    const bare = makeCdText(text, 1, 2) as Uint8Array;
    for (let at = 16; at < bare.length; at += 18) bare.fill(0, at, at + 2);
    assert.equal(readCdText(bare), null);
    sealCdText(bare);
    assert.deepEqual(readCdText(bare), text);
  });

  it('no text makes no packs, too much of it is refused', () => {
    assert.equal(makeCdText([{ language: 9, fields: { title: ['', ''] } }], 1, 1), null);
    const much = new Array<string>(100).fill('x'.repeat(40));
    assert.throws(() => makeCdText([{ language: 9, fields: { title: much } }], 1, 99), RangeError);
  });

  it('four packs are 96 symbols of six bits in R to W', () => {
    const packs = Uint8Array.from({ length: 72 }, (_, i) => (i * 73 + 5) & 0xff);
    packs.set([0x80, 0x00, 0x2f]);
    const interleaved = new Uint8Array(96).fill(0xc0);
    putPacks(packs, 0, interleaved, 0);
    // 100000 000000 000000 101111
    assert.equal(hex(interleaved.subarray(0, 4)), 'e0 c0 c0 ef');
    const back = new Uint8Array(72);
    getPacks(interleaved, 0, back, 0);
    assert.deepEqual(back, packs);
  });
});
