/** CDB fields, usage maps and stray bits. */
import { strict as assert } from 'node:assert';
import {
  bits,
  field,
  firstStrayBit,
  honouredBits,
  setField,
  u,
  usageMap,
  wide,
} from '../../src/scsi/cdb.ts';
import { bytesOf, hex } from '../support/direct-port.ts';

describe('CDB fields', () => {
  const read6 = bytesOf('08 1f ff fe 10 00');

  it('read whole bytes, bits in a byte, and fields that start inside one', () => {
    assert.equal(field(read6, wide(1, 3, 0x1f)), 0x1f_fffe);
    assert.equal(field(bytesOf('28 e8'), bits(1, 7, 5)), 7);
    assert.equal(field(bytesOf('28 e8'), bits(1, 3, 3)), 1);
    assert.equal(field(bytesOf('88 00 00 00 00 01 00 00 00 00'), u(2, 8)), 2 ** 32);
  });

  it('stay above every capacity when 64 bits do not fit a double', () => {
    const lba = field(bytesOf('88 00 ff ff ff ff ff ff ff ff'), u(2, 8));
    assert.ok(lba >= 2 ** 63);
  });

  it('write what they read, and refuse what does not fit', () => {
    const cdb = bytesOf('08 e0 00 00 00 00');
    setField(cdb, wide(1, 3, 0x1f), 0x1f_fffe);
    assert.equal(hex(cdb), '08 ff ff fe 00 00');
    setField(cdb, bits(1, 7, 5), 0);
    assert.equal(hex(cdb), '08 1f ff fe 00 00');
    assert.throws(() => setField(cdb, wide(1, 3, 0x1f), 0x20_0000), RangeError);
    assert.throws(() => setField(cdb, bits(5, 0, 0), 2), RangeError);
    assert.throws(() => setField(cdb, u(4, 1), 256), RangeError);
  });

  it('make the usage map', () => {
    const usage = usageMap('X', 0xa3, 0x0c, 12, { rctd: bits(2, 7, 7), length: u(6, 4) });
    assert.equal(hex(usage), 'a3 0c 80 00 00 00 ff ff ff ff 00 00');
  });

  it('may neither overlap nor leave the CDB', () => {
    assert.throws(
      () => usageMap('X', 0, -1, 6, { a: bits(1, 4, 2), b: bits(1, 2, 0) }),
      /overlaps/,
    );
    assert.throws(() => usageMap('X', 0, 3, 6, { a: bits(1, 4, 4) }), /overlaps/);
    assert.throws(() => usageMap('X', 0, -1, 6, { a: u(0, 1) }), /overlaps/);
    assert.throws(() => usageMap('X', 0, -1, 6, { a: u(4, 4) }), /outside/);
  });

  it('find the left-most stray bit of the first byte that has one', () => {
    const usage = bytesOf('1a 08 ff 00 ff 00');
    const stray = (cdb: string, action = false): number =>
      firstStrayBit(honouredBits(usage, action ? 8 : -1), bytesOf(cdb));
    assert.equal(stray('1a 08 ff 00 ff 00'), -1);
    assert.equal(stray('1a 0c 00 00 00 00'), (1 << 3) | 2);
    assert.equal(stray('1a 00 00 41 00 80'), (3 << 3) | 6);
    assert.equal(stray('1a 1f 00 00 00 04', true), (5 << 3) | 2);
    assert.equal(stray('1a 20 00 00 00 00', true), (1 << 3) | 5);
  });

  it('have service action and length of a variable length CDB at bytes 7 to 9 (SPC-4 4.3.3)', () => {
    const fields = { protect: bits(10, 7, 5), lba: u(12, 8), blocks: u(28, 4) };
    const usage = usageMap('X', 0x7f, 0x0009, 32, fields);
    // Bytes 7 to 9 as Linux's scsi_debug answers REPORT SUPPORTED OPERATION CODES for READ(32).
    assert.equal(hex(usage.subarray(0, 12)), '7f 00 00 00 00 00 00 18 00 09 e0 00');
    assert.throws(() => usageMap('X', 0x7f, 9, 32, { a: u(7, 1) }), /overlaps/);
    assert.throws(() => usageMap('X', 0x7f, 9, 32, { a: u(9, 1) }), /overlaps/);
    const honoured = honouredBits(usage, 9);
    assert.equal(hex(honoured.subarray(0, 12)), 'ff 00 00 00 00 00 00 ff ff ff e0 00');
  });
});
