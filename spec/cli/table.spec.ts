/** Text for people: tables, sizes, durations, hexadecimal dumps. */
import assert from 'node:assert/strict';
import { durationText, hexDump, sizeText, table } from '../../src/cli/table.ts';

describe('command: text', () => {
  it('aligns tables', () => {
    const columns = [{ title: 'N', align: 'right' }, { title: 'NAME' }, { title: 'X' }] as const;
    const rows = [
      ['1', 'a', ''],
      ['100', 'longer', 'y'],
    ];
    assert.equal(table(columns, rows), '  N  NAME    X\n  1  a\n100  longer  y');
  });

  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [268435456, '256 MiB'],
    [2 ** 41, '2 TiB'],
    [2 ** 53, '8 PiB'],
  ] as const) {
    it(`${bytes} bytes are ${text}`, () => assert.equal(sizeText(bytes), text));
  }

  for (const [ms, text] of [
    [999, '0 s'],
    [61_000, '1 min 1 s'],
    [3_660_000, '1 h 1 min'],
    [90_000_000, '1 d 1 h'],
  ] as const) {
    it(`${ms} ms are ${text}`, () => assert.equal(durationText(ms), text));
  }

  it('dumps bytes as sg_raw does', () => {
    const bytes = Uint8Array.from({ length: 20 }, (_, i) => 0x3e + i);
    assert.equal(
      hexDump(bytes),
      '0000  3e 3f 40 41 42 43 44 45  46 47 48 49 4a 4b 4c 4d  >?@ABCDEFGHIJKLM\n' +
        '0010  4e 4f 50 51                                       NOPQ',
    );
  });
});
