/** Sense data as real devices send it, both formats (SPC-4 4.5). */
import { strict as assert } from 'node:assert';
import { decodeSense } from '../../src/initiator/sense-data.ts';

const bytes = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('sense data', () => {
  it('fixed format with INFORMATION', () => {
    const sense = decodeSense(bytes('f0 00 03 00 01 02 03 0a 00 00 00 00 11 00 00 00 00 00'));
    assert(sense);
    const { format, key, asc, ascq, information, deferred, fieldPointer } = sense;
    assert.deepEqual(
      { format, key, asc, ascq, information, deferred, fieldPointer },
      {
        format: 'fixed',
        key: 3,
        asc: 0x11,
        ascq: 0,
        information: 0x010203,
        deferred: false,
        fieldPointer: null,
      },
    );
  });

  it('fixed format with a field pointer to a bit of the CDB', () => {
    const sense = decodeSense(bytes('70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cb 00 01'));
    assert.deepEqual(sense?.fieldPointer, { inCdb: true, byte: 1, bit: 3 });
    assert.equal(sense.information, null);
  });

  it('descriptor format with 64-bit INFORMATION and a field pointer', () => {
    const sense = decodeSense(
      bytes('72 05 21 00 00 00 00 14 00 0a 80 00 00 00 00 02 00 00 00 07 02 06 00 00 c0 00 02 00'),
    );
    assert.equal(sense?.format, 'descriptor');
    assert.deepEqual([sense.key, sense.asc, sense.ascq], [5, 0x21, 0]);
    assert.equal(sense.information, 0x2_0000_0007);
    assert.deepEqual(sense.fieldPointer, { inCdb: true, byte: 2, bit: null });
  });

  it('deferred errors', () => {
    assert.equal(
      decodeSense(bytes('71 00 03 00 00 00 00 0a 00 00 00 00 0c 00 00 00 00 00'))?.deferred,
      true,
    );
    assert.equal(decodeSense(bytes('73 03 0c 00 00 00 00 00'))?.deferred, true);
  });

  it('short, empty and unknown sense data harm nobody', () => {
    assert.equal(decodeSense(new Uint8Array(0)), null);
    assert.equal(decodeSense(bytes('70 00 05')), null);
    assert.equal(decodeSense(bytes('7f 00 05 00 00 00 00 0a')), null);
    assert.equal(decodeSense(bytes('70 00 06 00 00 00 00 00'))?.asc, 0);
    assert.equal(decodeSense(bytes('72 05 21 00 00 00 00 20 00 0a 80'))?.information, null);
  });
});
