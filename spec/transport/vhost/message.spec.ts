/** vhost-user messages by their bytes: headers, payload sizes, descriptors, answers (vhost-user, "Message Specification"). */
import assert from 'node:assert/strict';
import {
  encodeNumber,
  encodeReply,
  exact,
  payloadBytes,
  readMessage,
  VhostProtocolError,
} from '../../../src/transport/vhost/message.ts';
import { ID, messageOf, u32, u64 } from './front-end-socket.ts';

const HEADER_BYTES = 12;

function header(request: number, size: number, flags = 1): Buffer {
  return u32(request, flags, size);
}

function read(bytes: Buffer, descriptors: readonly number[] = []) {
  const head = bytes.subarray(0, HEADER_BYTES);
  const length = payloadBytes(head);
  return readMessage(head, bytes.subarray(HEADER_BYTES, HEADER_BYTES + length), descriptors);
}

const refusal = (text: RegExp) => (error: unknown) =>
  error instanceof VhostProtocolError && text.test(error.message);

/** Payload bytes of each request, and the descriptors that come with it at least and at most. */
const SHAPES: readonly [name: keyof typeof ID, bytes: number, least: number, most: number][] = [
  ['GET_FEATURES', 0, 0, 0],
  ['SET_FEATURES', 8, 0, 0],
  ['SET_OWNER', 0, 0, 0],
  ['RESET_OWNER', 0, 0, 0],
  ['SET_LOG_BASE', 16, 1, 1],
  ['SET_LOG_FD', 0, 1, 1],
  ['SET_VRING_NUM', 8, 0, 0],
  ['SET_VRING_ADDR', 40, 0, 0],
  ['SET_VRING_BASE', 8, 0, 0],
  ['GET_VRING_BASE', 8, 0, 0],
  ['SET_VRING_KICK', 8, 0, 1],
  ['SET_VRING_CALL', 8, 0, 1],
  ['SET_VRING_ERR', 8, 0, 1],
  ['GET_PROTOCOL_FEATURES', 0, 0, 0],
  ['SET_PROTOCOL_FEATURES', 8, 0, 0],
  ['GET_QUEUE_NUM', 0, 0, 0],
  ['SET_VRING_ENABLE', 8, 0, 0],
  ['SET_BACKEND_REQ_FD', 0, 1, 1],
  ['GET_INFLIGHT_FD', 24, 0, 0],
  ['SET_INFLIGHT_FD', 24, 1, 1],
  ['RESET_DEVICE', 0, 0, 0],
  ['GET_MAX_MEM_SLOTS', 0, 0, 0],
  ['ADD_MEM_REG', 40, 1, 1],
  ['REM_MEM_REG', 40, 0, 1],
  ['SET_STATUS', 8, 0, 0],
  ['GET_STATUS', 0, 0, 0],
];

describe('vhost-user messages', () => {
  for (const [name, bytes, least, most] of SHAPES) {
    it(`${name}: ${bytes} bytes, ${least} to ${most} descriptors`, () => {
      const whole = messageOf(ID[name], Buffer.alloc(bytes));
      for (let count = 0; count <= 8; count += 1) {
        const descriptors = Array.from({ length: count }, (_, i) => 1000 + i);
        if (count >= least && count <= most) {
          const message = read(whole, descriptors);
          assert.equal(message.name, name);
          assert.equal(message.payload.length, bytes);
          assert.deepEqual(message.descriptors, descriptors);
          assert.equal(message.needReply, false);
        } else {
          assert.throws(() => read(whole, descriptors), refusal(new RegExp(`^${name}: ${count} `)));
        }
      }
      // Padding: requests without payload may have 8 bytes, an inflight description 20 (u16 at its end).
      const others = bytes === 0 ? [0, 8] : bytes === 24 ? [20, 24] : [bytes];
      for (const size of [
        0, 1, 7, 8, 9, 15, 16, 20, 24, 39, 40, 41, 264, 269, 0x7fff_ffff, 0xffff_ffff,
      ]) {
        if (others.includes(size)) assert.equal(payloadBytes(header(ID[name], size)), size);
        else
          assert.throws(
            () => payloadBytes(header(ID[name], size)),
            refusal(new RegExp(`^${name}: size ${size}`)),
          );
      }
    });
  }

  it('need_reply is bit 3 of the flags', () => {
    assert.equal(read(messageOf(ID.SET_OWNER, Buffer.alloc(0), 9)).needReply, true);
  });

  it('other versions and replies are refused', () => {
    for (const flags of [0, 2, 3]) {
      assert.throws(() => payloadBytes(header(3, 0, flags)), refusal(/^SET_OWNER: flags version/));
    }
    assert.throws(
      () => payloadBytes(header(3, 0, 5)),
      refusal(/^SET_OWNER: flags say it is a reply/),
    );
  });

  it('what belongs to features that are not offered is named', () => {
    assert.throws(() => payloadBytes(header(22, 40)), refusal(/^IOTLB_MSG: request 22 /));
    assert.throws(() => payloadBytes(header(28, 0)), refusal(/^POSTCOPY_ADVISE: request 28 /));
    for (const request of [0, 41, 255, 0xffff_ffff]) {
      assert.throws(
        () => payloadBytes(header(request, 0)),
        refusal(new RegExp(`^request ${request} is unknown`)),
      );
    }
  });

  it('a memory table has a region for each descriptor', () => {
    const table = (count: number, regions: number): Buffer =>
      Buffer.concat([u32(count, 0), Buffer.alloc(32 * regions)]);
    for (let count = 0; count <= 8; count += 1) {
      const descriptors = Array.from({ length: count }, (_, i) => 1000 + i);
      read(messageOf(ID.SET_MEM_TABLE, table(count, count)), descriptors);
      // The whole structure of 8 regions, whatever is filled in.
      read(messageOf(ID.SET_MEM_TABLE, table(count, 8)), descriptors);
      assert.throws(
        () => read(messageOf(ID.SET_MEM_TABLE, table(count, 8)), [...descriptors, 2000]),
        refusal(/^SET_MEM_TABLE: \d descriptors came/),
      );
      if (count === 0) continue;
      assert.throws(
        () => read(messageOf(ID.SET_MEM_TABLE, table(count, count - 1)), descriptors),
        refusal(/^SET_MEM_TABLE: size/),
      );
      assert.throws(
        () => read(messageOf(ID.SET_MEM_TABLE, table(count, count)), descriptors.slice(1)),
        refusal(/^SET_MEM_TABLE: \d descriptors came/),
      );
    }
    for (const count of [9, 0x8000_0000, 0xffff_ffff]) {
      assert.throws(
        () => read(messageOf(ID.SET_MEM_TABLE, table(count, 8)), []),
        refusal(/^SET_MEM_TABLE: num_regions/),
      );
    }
    assert.throws(() => read(messageOf(ID.SET_MEM_TABLE, u32(0))), refusal(/^SET_MEM_TABLE/));
    assert.throws(() => read(messageOf(ID.SET_MEM_TABLE)), refusal(/^SET_MEM_TABLE/));
  });

  it('64-bit fields are exact up to 2^53 and refused above, by name', () => {
    const message = read(messageOf(ID.SET_FEATURES, u64(2n ** 53n - 1n)));
    assert.equal(exact(message, 'field', 0), 2 ** 53 - 1);
    for (const value of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      const large = read(messageOf(ID.SET_FEATURES, u64(value)));
      assert.throws(() => exact(large, 'field', 0), refusal(/^SET_FEATURES: field 0x/));
    }
  });

  it('answers repeat the request with version 1 and the reply bit', () => {
    assert.deepEqual(
      [...encodeNumber(15, 0x1_b00bn)],
      [15, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 0x0b, 0xb0, 1, 0, 0, 0, 0, 0],
    );
    assert.deepEqual([...encodeReply(24, Buffer.alloc(0))], [24, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]);
  });
});
