/** The guard CRC against values of other people: SBC-3 4.22.4, the CRC catalogue, the Linux kernel's crct10dif self test. */
import { strict as assert } from 'node:assert';
import { guardOf } from '../../../../src/scsi/sbc/protection/crc.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const run = (make: (i: number) => number): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => make(i));

describe('logical block guard', () => {
  const cases: readonly (readonly [string, Uint8Array, number])[] = [
    ['32 bytes of 00h', run(() => 0), 0x0000],
    ['32 bytes of FFh', run(() => 0xff), 0xa293],
    ['00h to 1Fh', run((i) => i), 0x0224],
    ['FFFFh and 30 bytes of 00h', run((i) => (i < 2 ? 0xff : 0)), 0x21b8],
    ['FFh to E0h', run((i) => 0xff - i), 0xa0b7],
    ['"123456789" (CRC-16/T10-DIF of the catalogue)', text('123456789'), 0xd0db],
    ['"abc" (Linux)', text('abc'), 0x443b],
    ['79 digits (Linux)', text('1234567890'.repeat(8).slice(0, 79)), 0x4b70],
  ];
  for (const [name, bytes, crc] of cases) {
    it(`of ${name} is ${crc.toString(16)}h`, () => {
      assert.equal(guardOf(bytes, 0, bytes.length), crc);
    });
  }

  it('covers the bytes it is told to', () => {
    const bytes = Uint8Array.of(7, 0x61, 0x62, 0x63, 9);
    assert.equal(guardOf(bytes, 1, 3), 0x443b);
  });
});
