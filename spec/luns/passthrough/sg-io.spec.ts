/** struct sg_io_hdr: offsets and values of Linux' scsi/sg.h on x86-64. */
import { strict as assert } from 'node:assert';
import { FROM_DEVICE } from '../../../src/luns/passthrough/device.ts';
import {
  decodeHeader,
  encodeHeader,
  SG_IO_HDR_BYTES,
} from '../../../src/luns/passthrough/sg-io.ts';
import { bytesOf, hex } from '../../support/direct-port.ts';

describe('passthrough: struct sg_io_hdr', () => {
  it('a request: S, direction, lengths, three addresses, timeout, at the tail', () => {
    const bytes = new Uint8Array(SG_IO_HDR_BYTES).fill(0xff);
    encodeHeader(
      new DataView(bytes.buffer),
      { cdb: new Uint8Array(12), direction: FROM_DEVICE, length: 0x1234, timeoutMs: 30_000 },
      { cdb: 0x7f0011223344, sense: 0x7f0055667788, data: 0x7f0099aabbcc },
    );
    assert.equal(
      hex(bytes),
      hex(
        bytesOf(
          `53 00 00 00 fd ff ff ff 0c 60 00 00 34 12 00 00 cc bb aa 99 00 7f 00 00
           44 33 22 11 00 7f 00 00 88 77 66 55 00 7f 00 00 30 75 00 00 10 00 00 00 ${'00'.repeat(40)}`,
        ),
      ),
    );
  });

  it('a command without data has no data address', () => {
    const bytes = new Uint8Array(SG_IO_HDR_BYTES);
    const view = new DataView(bytes.buffer);
    encodeHeader(
      view,
      { cdb: new Uint8Array(6), direction: -1, length: 0, timeoutMs: 1 },
      { cdb: 4096, sense: 8192, data: 12288 },
    );
    assert.equal(hex(bytes.subarray(4, 24)), `ff ff ff ff 06 60 00 00 ${'00 '.repeat(12).trim()}`);
  });

  it('a reply: status, host and driver status, sense length, residual', () => {
    const bytes = new Uint8Array(SG_IO_HDR_BYTES);
    bytes.set(bytesOf('02 01 00 12 03 00 08 00 f0 ff ff ff'), 64);
    const reply = decodeHeader(new DataView(bytes.buffer), 0, new Uint8Array(96));
    assert.deepEqual(
      { ...reply, sense: reply.sense.length },
      { errno: 0, status: 2, hostStatus: 3, driverStatus: 8, sense: 18, residual: -16 },
    );
  });
});
