/** Frames and messages of the control socket: whole, in pieces, too long, malformed, random. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import {
  ControlError,
  encodeFrame,
  FrameReader,
  readGreeting,
  readRequest,
  readServerMessage,
} from '../../../src/transport/control/protocol.ts';
import { Seeded } from './seeded.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** { name: 'ringscsi', version: 1 }, written by hand from the MessagePack specification. */
const GREETING = '82 a4 6e616d65 a8 72696e6773637369 a7 76657273696f6e 01';
/** { id: 7, verb: 'stats', args: {} }. */
const REQUEST = '83 a2 6964 07 a4 76657262 a5 7374617473 a4 61726773 80';

function framed(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function collect(chunks: readonly Uint8Array[]): string[] {
  const reader = new FrameReader();
  const frames: string[] = [];
  for (const chunk of chunks) {
    reader.push(chunk, (body) => frames.push(Buffer.from(body).toString('hex')));
  }
  return frames;
}

describe('control socket: frames', () => {
  it('carries the length big-endian before the body', () => {
    const frame = encodeFrame({ name: 'ringscsi', version: 1 });
    assert.equal(frame.toString('hex'), framed(hex(GREETING)).toString('hex'));
  });

  it('puts frames together byte by byte, and takes several out of one chunk', () => {
    const stream = Buffer.concat([framed(hex(GREETING)), framed(hex(REQUEST)), framed(hex('01'))]);
    const expected = [GREETING, REQUEST, '01'].map((text) => text.replaceAll(' ', ''));
    assert.deepEqual(collect([stream]), expected);
    assert.deepEqual(collect([...stream].map((byte) => Uint8Array.of(byte))), expected);
  });

  it('puts frames together however they are cut (seeded)', () => {
    const random = new Seeded();
    const bodies = Array.from({ length: 50 }, () =>
      Buffer.from(random.bytes(1 + random.below(300))),
    );
    const stream = Buffer.concat(bodies.map(framed));
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < stream.length; ) {
      const take = 1 + random.below(90);
      chunks.push(stream.subarray(at, at + take));
      at += take;
    }
    const expected = bodies.map((body) => body.toString('hex'));
    assert.deepEqual(collect(chunks), expected, `RINGSCSI_SEED=${random.seed}`);
  });

  it('refuses a frame of 1 GiB at its fourth byte, without a buffer for it', () => {
    const reader = new FrameReader();
    const none = (): void => assert.fail('no frame is there');
    const before = process.memoryUsage().arrayBuffers;
    reader.push(hex('40 00 00'), none);
    assert.throws(() => reader.push(hex('00'), none), {
      code: 'ERR_CONTROL_FRAME',
      message: 'Cannot receive a frame of 1073741824 bytes: 1 to 1048576 are allowed',
    });
    assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
  });

  it('takes the largest frame, refuses one byte more, and an empty one', () => {
    const largest = Buffer.alloc(1024 * 1024, 0xc0);
    assert.equal(collect([framed(largest)])[0]?.length, 2 * 1024 * 1024);
    assert.throws(() => collect([hex('00 10 00 01')]), ControlError);
    assert.throws(() => collect([hex('00 00 00 00')]), ControlError);
  });

  it('does not send what the other end would refuse', () => {
    assert.throws(() => encodeFrame({ event: 'x', value: 'y'.repeat(1024 * 1024) }), {
      code: 'ERR_CONTROL_FRAME',
    });
  });
});

describe('control socket: messages', () => {
  it('reads the greeting', () => {
    assert.deepEqual(readGreeting(hex(GREETING)), { name: 'ringscsi', version: 1 });
  });

  const greetings: readonly (readonly [string, string, RegExp])[] = [
    ['another version', GREETING.replace(/01$/, '02'), /speaks control protocol version 2/],
    ['another program', '82 a4 6e616d65 a1 78 a7 76657273696f6e 01', /not ringscsi/],
    [
      'a version that is a text',
      '82 a4 6e616d65 a8 72696e6773637369 a7 76657273696f6e a1 31',
      /not ringscsi/,
    ],
    ['an empty map', '80', /not ringscsi/],
  ];
  for (const [name, text, message] of greetings) {
    it(`refuses ${name}`, () => {
      assert.throws(() => readGreeting(hex(text)), { code: 'ERR_CONTROL_VERSION', message });
    });
  }

  it('reads a request, with and without arguments', () => {
    assert.deepEqual(readRequest(hex(REQUEST)), { id: 7, verb: 'stats', args: {} });
    const bare = readRequest(hex('82 a2 6964 07 a4 76657262 a5 7374617473'));
    assert.deepEqual(bare, { id: 7, verb: 'stats', args: {} });
  });

  const requests: readonly (readonly [string, string])[] = [
    ['a number', '07'],
    ['an array', '90'],
    ['bytes', 'c4 00'],
    ['no id', '81 a4 76657262 a5 7374617473'],
    ['a negative id', '82 a2 6964 ff a4 76657262 a5 7374617473'],
    ['a fractional id', '82 a2 6964 cb 3f f8 00 00 00 00 00 00 a4 76657262 a5 7374617473'],
    ['an id of 33 bits', '82 a2 6964 cf 00 00 00 01 00 00 00 00 a4 76657262 a5 7374617473'],
    ['no verb', '81 a2 6964 07'],
    ['an empty verb', '82 a2 6964 07 a4 76657262 a0'],
    ['a verb of 65 characters', `82 a2 6964 07 a4 76657262 d9 41 ${'61'.repeat(65)}`],
    ['a verb that is a number', '82 a2 6964 07 a4 76657262 05'],
    ['arguments that are a list', '83 a2 6964 07 a4 76657262 a5 7374617473 a4 61726773 90'],
  ];
  for (const [name, text] of requests) {
    it(`refuses a request that has or is ${name}`, () => {
      assert.throws(() => readRequest(hex(text)), { code: 'ERR_CONTROL_FRAME' });
    });
  }

  it('reads replies and events, and refuses what is neither', () => {
    // { id: 1, ok: true, value: 5 }, { event: 'traced', value: [] }, { id: 1, ok: false, error: { code: 'E', message: 'm' } }
    assert.deepEqual(readServerMessage(hex('83 a2 6964 01 a2 6f6b c3 a5 76616c7565 05')), {
      id: 1,
      ok: true,
      value: 5,
    });
    assert.deepEqual(readServerMessage(hex('82 a5 6576656e74 a6 747261636564 a5 76616c7565 90')), {
      event: 'traced',
      value: [],
    });
    const failed =
      '83 a2 6964 01 a2 6f6b c2 a5 6572726f72 82 a4 636f6465 a1 45 a7 6d657373616765 a1 6d';
    assert.deepEqual(readServerMessage(hex(failed)), {
      id: 1,
      ok: false,
      error: { code: 'E', message: 'm' },
    });
    for (const text of ['80', '82 a2 6964 01 a2 6f6b 05', '82 a2 6964 01 a2 6f6b c2', '01']) {
      assert.throws(() => readServerMessage(hex(text)), { code: 'ERR_CONTROL_FRAME' });
    }
  });

  it('answers 20 000 damaged requests with ControlError or a request (seeded)', () => {
    const random = new Seeded();
    const whole = hex(REQUEST);
    let refused = 0;
    for (let i = 0; i < 20_000; i++) {
      let body = Uint8Array.from(whole);
      if (random.below(4) === 0) body = Uint8Array.from(random.bytes(random.below(64)));
      for (let n = random.below(4); n > 0 && body.length > 0; n--) {
        body[random.below(body.length)] = random.below(256);
      }
      if (random.below(4) === 0) body = body.slice(0, random.below(body.length + 1));
      try {
        const request = readRequest(body);
        assert.equal(typeof request.verb, 'string');
        assert.ok(Number.isInteger(request.id));
        assert.equal(typeof request.args, 'object');
      } catch (error) {
        assert.ok(
          error instanceof ControlError,
          `RINGSCSI_SEED=${random.seed} turn ${i}: ${error}`,
        );
        refused += 1;
      }
    }
    assert.ok(refused > 1000, `only ${refused} were refused`);
  });
});
