/** Sense data encodings against vectors of sg3_utils, captures of other targets and SPC-4's layouts. */
import { strict as assert } from 'node:assert';
import {
  cdbBytePointer,
  cdbPointer,
  encodeDescriptorSense,
  encodeFixedSense,
  inSegmentPointer,
  MAX_SENSE_BYTES,
  NONE,
  packSense,
  parameterBytePointer,
  parameterPointer,
  segmentPointer,
} from '../../src/scsi/sense.ts';
import { hex } from '../support/direct-port.ts';
import { capture, hexVector } from '../support/vectors.ts';

type Encode = typeof encodeFixedSense;

/** Encodes into a buffer of old bytes: what is not written shows. */
function encoded(encode: Encode, sense: number, information = NONE, pointer = NONE): string {
  const bytes = new Uint8Array(MAX_SENSE_BYTES + 8).fill(0xa5);
  const length = encode(new DataView(bytes.buffer), 4, sense, information, pointer);
  assert.ok(bytes.subarray(0, 4).every((byte) => byte === 0xa5));
  assert.ok(bytes.subarray(4 + length).every((byte) => byte === 0xa5));
  return hex(bytes.subarray(4, 4 + length));
}

describe('fixed format sense data', () => {
  it('agrees with sg3_utils fixed_sense.hex in every byte we set', () => {
    const theirs = hexVector('sg3_utils-inhex/fixed_sense.hex');
    theirs.fill(0, 14, 18); // FRU code and actual retry count: this target has neither
    assert.equal(encoded(encodeFixedSense, packSense(3, 0x11, 0), 0x1234), hex(theirs));
  });

  it('agrees with what scsi_debug said about a bad page, a bad subpage and a bad option', () => {
    const bad = packSense(5, 0x24, 0);
    for (const [name, pointer] of [
      ['MODE SENSE(10) page 00/00', cdbPointer(2, 5)],
      ['MODE SENSE(10) page 0A/01', cdbBytePointer(3)],
      ['REPORT SUPPORTED OPCODES one opts=1 on SA opcode 9E', cdbPointer(2, 2)],
    ] as const) {
      assert.equal(
        encoded(encodeFixedSense, bad, NONE, pointer),
        capture('Linux-scsi_debug', name).sense,
      );
    }
    const list = capture('Linux-scsi_debug', 'MODE SELECT(6) bad page').sense;
    const ours = encoded(encodeFixedSense, packSense(5, 0x26, 0), NONE, parameterPointer(4, 5));
    assert.equal(ours, list);
  });

  it('points to CDB byte 4 as a real disk did (byte only, no bit)', () => {
    assert.equal(
      encoded(encodeFixedSense, packSense(5, 0x24, 0), NONE, cdbBytePointer(4)),
      '70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 04',
    );
  });

  it('points into the parameter list with C/D = 0, up to byte FFFFh', () => {
    assert.match(
      encoded(encodeFixedSense, 0x52600, NONE, parameterBytePointer(0xffff)),
      / 80 ff ff$/,
    );
    assert.match(
      encoded(encodeFixedSense, 0x52600, NONE, parameterPointer(0x100, 7)),
      / 8f 01 00$/,
    );
  });

  it('has VALID for INFORMATION up to FFFF FFFFh and leaves it out above', () => {
    assert.match(encoded(encodeFixedSense, 0x31100, 0), /^f0 00 03 00 00 00 00 0a/);
    assert.match(encoded(encodeFixedSense, 0x31100, 0xffff_ffff), /^f0 00 03 ff ff ff ff 0a/);
    assert.match(encoded(encodeFixedSense, 0x31100, 0x1_0000_0000), /^70 00 03 00 00 00 00 0a/);
  });
});

describe('descriptor format sense data', () => {
  it('is eight bytes when there is nothing more to say, as scsi_debug and QEMU answer', () => {
    const none = encoded(encodeDescriptorSense, 0);
    assert.equal(none, capture('Linux-scsi_debug', 'REQUEST SENSE DESC=1').dataIn);
    assert.equal(none, capture('QEMU-QEMUHARDDISK', 'REQUEST SENSE DESC=1').dataIn);
  });

  it('has the information descriptor of sg3_utils descriptor_sense.hex', () => {
    const theirs = hexVector('sg3_utils-inhex/descriptor_sense.hex').subarray(8, 20);
    theirs.set([0, 0, 0x22, 0x33], 4); // their value needs 64 bits, ours stays exact below 2^53
    const ours = encoded(encodeDescriptorSense, packSense(3, 0x11, 0), 0x2233_4455_66bb);
    theirs.set([0x44, 0x55, 0x66, 0xbb], 8);
    assert.equal(ours, `72 03 11 00 00 00 00 0c ${hex(theirs)}`);
  });

  it('has the field pointer descriptor of table 33, after the information descriptor', () => {
    assert.equal(
      encoded(encodeDescriptorSense, 0x52400, NONE, cdbPointer(2, 5)),
      '72 05 24 00 00 00 00 08 02 06 00 00 cd 00 02 00',
    );
    assert.equal(
      encoded(encodeDescriptorSense, 0x52100, 0x1_0000_0001, cdbBytePointer(2)),
      '72 05 21 00 00 00 00 14 00 0a 80 00 00 00 00 01 00 00 00 01 02 06 00 00 c0 00 02 00',
    );
  });

  it('has the segment number in a command-specific information descriptor (table 30), and a segment pointer', () => {
    assert.equal(
      encoded(encodeDescriptorSense, 0xa0804, NONE, segmentPointer(0, 0x0130)),
      '72 0a 08 04 00 00 00 14 01 0a 00 00 00 00 00 00 00 00 00 00 02 06 00 00 80 01 30 00',
    );
  });
});

describe('segment pointer (SPC-4 4.5.2.4.7)', () => {
  it('has the segment in COMMAND-SPECIFIC INFORMATION, and SD = 1 when it is about the segment descriptor', () => {
    assert.equal(
      encoded(encodeFixedSense, 0xa0804, NONE, segmentPointer(63, 0x100f)),
      '70 00 0a 00 00 00 00 0a 00 00 00 3f 08 04 00 80 10 0f',
    );
    assert.equal(
      encoded(encodeFixedSense, 0xa260a, NONE, inSegmentPointer(5, 10)),
      '70 00 0a 00 00 00 00 0a 00 00 00 05 26 0a 00 a0 00 0a',
    );
  });
});
