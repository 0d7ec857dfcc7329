/** READ SUB-CHANNEL (MMC-6): position, media catalogue number, ISRC; also as the traces have it. */
import { strict as assert } from 'node:assert';
import type { DiscLayout } from '../../../../src/scsi/mmc/disc.ts';
import { audioDisc, optical } from '../../../support/optical.ts';

/** The audio disc of the traces: cdrskin -sao -audio of two tracks of 6 and 5 seconds. */
const TRACED = audioDisc([0, 450], 825);

function reply(layout: DiscLayout, cdb: string, seekTo = 0): string {
  const a = optical(layout, new Uint8Array(0)).bed.nexus('a').clear();
  if (seekTo > 0) a.run([0x2b, 0, 0, 0, seekTo >> 8, seekTo & 0xff, 0, 0, 0, 0]);
  const { sense, dataIn } = a.run(cdb, { in: 256 });
  return sense === '' ? Buffer.from(dataIn).toString('hex') : sense;
}

describe('READ SUB-CHANNEL', () => {
  it('answers what the traces have', () => {
    const asked = [
      '42 00 40 02 00 00 00 00 18 00',
      '42 00 40 03 00 00 01 00 18 00 00 00',
      '42 00 40 03 00 00 02 00 04 00 00 00',
      '42 02 40 01 00 00 00 00 10 00',
    ];
    assert.deepEqual(
      asked.map((cdb) => reply(TRACED, cdb)),
      [
        '001500140200000000000000000000000000000000000000',
        '001500140310010000000000000000000000000000000000',
        '00150014',
        '0015000c011001010000020000000000',
      ],
    );
  });

  it('without SUBQ is the header only', () => {
    assert.equal(reply(TRACED, '42 00 00 01 00 00 00 00 10 00'), '00150000');
  });

  it('tells the position as blocks, and as times', () => {
    // Block 600 is 150 blocks into track 2.
    assert.equal(
      reply(TRACED, '42 00 40 01 00 00 00 00 10 00', 600),
      '0015000c 01100201 00000258 00000096'.replaceAll(' ', ''),
    );
    assert.equal(
      reply(TRACED, '42 02 40 01 00 00 00 00 10 00', 600),
      '0015000c 01100201 00000a00 00000200'.replaceAll(' ', ''),
    );
  });

  it('counts indexes, and down in a pregap, which is index 0', () => {
    const [first, second] = TRACED.tracks;
    const tracks = [
      { ...first, end: 300 },
      { ...second, pregap: 300, indexes: [500, 600] },
    ] as DiscLayout['tracks'];
    const layout = { ...TRACED, tracks };
    assert.equal(reply(layout, '42 00 40 01 00 00 00 00 10 00', 600).slice(8, 16), '01100203');
    // 75 blocks are to come until the track begins at 450.
    assert.equal(
      reply(layout, '42 02 40 01 00 00 00 00 10 00', 375),
      '0015000c 01100200 00000700 00000100'.replaceAll(' ', ''),
    );
    assert.equal(reply(layout, '42 00 40 01 00 00 00 00 10 00', 375).slice(24), 'ffffffb5');
  });

  it('tells the media catalogue number', () => {
    const layout = { ...TRACED, catalog: '1234567890123' };
    assert.equal(
      reply(layout, '42 00 40 02 00 00 00 00 18 00'),
      '00150014 02000000 80 31323334353637383930313233 0000'.replaceAll(' ', ''),
    );
  });

  it('tells the ISRC of a track', () => {
    const tracks = TRACED.tracks.map((each) => ({ ...each, isrc: 'DEABC2600001' }));
    assert.equal(
      reply({ ...TRACED, tracks }, '42 00 40 03 00 00 02 00 18 00'),
      '00150014 03100200 80 444541424332363030303031 000000'.replaceAll(' ', ''),
    );
  });

  it('refuses other formats, and tracks that are not there', () => {
    for (const [cdb, pointer] of [
      ['42 00 40 00 00 00 00 00 10 00', 'cdb 3'],
      ['42 00 40 04 00 00 00 00 10 00', 'cdb 3'],
      ['42 00 40 03 00 00 03 00 18 00', 'cdb 6'],
    ] as const) {
      const r = optical(TRACED, new Uint8Array(0)).bed.nexus('a').clear().run(cdb, { in: 64 });
      assert.deepEqual([r.sense, r.pointer], ['5/24/00', pointer]);
    }
  });
});
