/** Attaching as a hostile initiator would: every field, every number of descriptors, every order of messages. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addSeals, close, createMemoryFile, SystemError, truncate } from '../../../src/libc.ts';
import { ATTACH_AT, Goods, goodAttach, openFds, RawInitiator, Rig } from './rig.ts';

/** CODE of REFUSED, docs/srp-ring.md section 4. */
const MALFORMED = 1;
const WRONG_MAGIC = 2;
const WRONG_VERSION = 3;
const LIMIT = 4;
const NAME = 5;
const REGION = 6;
const QUEUE = 7;
const DESCRIPTORS = 8;
const ACCEPTED = 0;

interface Answer {
  readonly code: number;
  readonly text: string;
}

describe('ring attachment', () => {
  let rig: Rig;
  let goods: Goods;
  before(() => {
    rig = new Rig();
    goods = new Goods();
  });
  after(() => {
    goods.close();
    rig.close();
  });

  /** What the target answers to `body`: code 0 for ATTACHED. Everything is closed again, and no descriptor may be left. */
  function answer(body: Buffer, descriptors?: readonly number[]): Answer {
    const before = openFds();
    const raw = new RawInitiator(rig.path);
    const attachment = rig.accept();
    assert.equal(raw.receive()?.body.readUInt32BE(12), 1, 'HELLO comes first');
    raw.send(body, descriptors ?? [goods.memory, goods.call]);
    attachment.receive();
    const reply = raw.receive()?.body;
    assert.ok(reply !== undefined, 'every ATTACH is answered');
    const refused = reply.readUInt32BE(12) === 4;
    assert.equal(attachment.state, refused ? 'gone' : 'attached');
    attachment.close();
    raw.close();
    assert.equal(openFds(), before, 'descriptors return to where they were');
    if (!refused) {
      assert.equal(reply.readUInt32BE(12), 3);
      return { code: ACCEPTED, text: '' };
    }
    assert.equal(reply.length, 220);
    const text = reply.toString('utf8', 20).replace(/\0+$/, '');
    assert.equal(attachment.reason, `refused: ${text}`);
    assert.match(text, /^\S.* (is|are) .*; /, 'says field, value and what would do');
    return { code: reply.readUInt32BE(16), text };
  }

  it('accepts what the document says', () => {
    assert.equal(answer(goodAttach()).code, ACCEPTED);
  });

  const MAX32 = 0xffffffff;
  /** Field, value, answer. The values the issue names: 0, 1, the limit and one past it, -1, 2^31. */
  const words: readonly (readonly [keyof typeof ATTACH_AT, number, number])[] = [
    ['type', 0, MALFORMED],
    ['type', 1, MALFORMED],
    ['type', 3, MALFORMED],
    ['type', MAX32, MALFORMED],
    ['flags', 1, ACCEPTED],
    ['flags', 2, MALFORMED],
    ['flags', 0x80000000, MALFORMED],
    ['flags', MAX32, MALFORMED],
    ['regionCount', 0, LIMIT],
    ['regionCount', 2, MALFORMED],
    ['regionCount', 8, MALFORMED],
    ['regionCount', 9, LIMIT],
    ['regionCount', 0x10000001, LIMIT],
    ['regionCount', MAX32, LIMIT],
    ['queuePairCount', 0, LIMIT],
    ['queuePairCount', 2, MALFORMED],
    ['queuePairCount', 16, MALFORMED],
    ['queuePairCount', 17, LIMIT],
    ['queuePairCount', 0x08000001, LIMIT],
    ['queuePairCount', MAX32, LIMIT],
    ['reserved', 1, MALFORMED],
    ['reserved', MAX32, MALFORMED],
    ['handle', 1, ACCEPTED],
    ['handle', MAX32, ACCEPTED],
    ['regionReserved', 1, MALFORMED],
    ['regionReserved', MAX32, MALFORMED],
    ['commandEntries', 0, QUEUE],
    ['commandEntries', 1, QUEUE],
    ['commandEntries', 8, QUEUE],
    ['commandEntries', 17, QUEUE],
    ['commandEntries', 4096, QUEUE], // ends past the region
    ['commandEntries', 8192, QUEUE],
    ['commandEntries', 0x10000000, QUEUE], // times 16 is 2^32
    ['commandEntries', 0x80000000, QUEUE],
    ['commandEntries', MAX32, QUEUE],
    ['responseEntries', 0, QUEUE],
    ['responseEntries', 1, QUEUE],
    ['responseEntries', 16, QUEUE],
    ['responseEntries', 48, QUEUE],
    ['responseEntries', 2048, ACCEPTED], // 384 + 32768 bytes
    ['responseEntries', 4096, QUEUE], // 384 + 65536 bytes
    ['responseEntries', 0x10000000, QUEUE],
    ['responseEntries', 0x80000000, QUEUE],
    ['responseEntries', MAX32, QUEUE],
  ];
  for (const [field, value, code] of words) {
    it(`T5: ${field} = 0x${value.toString(16)} gets ${code}`, () => {
      const body = goodAttach();
      body.writeUInt32BE(value, ATTACH_AT[field]);
      const got = answer(body);
      assert.equal(got.code, code, got.text);
    });
  }

  const MAX64 = 2n ** 64n - 1n;
  const longs: readonly (readonly [keyof typeof ATTACH_AT, bigint, number])[] = [
    ['regionBytes', 0n, REGION],
    ['regionBytes', 1n, REGION],
    ['regionBytes', 4095n, REGION],
    ['regionBytes', 4096n, ACCEPTED], // the queues end at 896
    ['regionBytes', 65537n, REGION],
    ['regionBytes', 69632n, REGION], // more than the file has
    ['regionBytes', 2n ** 31n, REGION], // the limit, more than the file has
    ['regionBytes', 2n ** 31n + 4096n, REGION],
    ['regionBytes', 2n ** 32n + 65536n, REGION],
    ['regionBytes', 2n ** 63n, REGION],
    ['regionBytes', MAX64 - 4095n, REGION],
    ['regionBytes', MAX64, REGION],
    ['commandOffset', 0n, QUEUE], // on the control block
    ['commandOffset', 1n, QUEUE],
    ['commandOffset', 136n, QUEUE],
    ['commandOffset', 192n, QUEUE], // runs into the response queue
    ['commandOffset', 65536n - 256n, ACCEPTED],
    ['commandOffset', 65536n - 192n, QUEUE],
    ['commandOffset', 65536n, QUEUE],
    ['commandOffset', 2n ** 32n + 128n, QUEUE],
    ['commandOffset', 2n ** 64n - 256n, QUEUE], // offset + length is 2^64
    ['commandOffset', 2n ** 64n - 64n, QUEUE],
    ['commandOffset', MAX64, QUEUE],
    ['responseOffset', 0n, QUEUE],
    ['responseOffset', 128n, QUEUE],
    ['responseOffset', 320n, QUEUE],
    ['responseOffset', 385n, QUEUE],
    ['responseOffset', 65536n - 512n, ACCEPTED],
    ['responseOffset', 65536n - 448n, QUEUE],
    ['responseOffset', 2n ** 63n, QUEUE],
    ['responseOffset', 2n ** 64n - 512n, QUEUE],
    ['responseOffset', MAX64, QUEUE],
    ['controlOffset', 32n, QUEUE],
    ['controlOffset', 64n, QUEUE], // second half on the command queue
    ['controlOffset', 896n, ACCEPTED],
    ['controlOffset', 65536n - 128n, ACCEPTED],
    ['controlOffset', 65536n - 64n, QUEUE],
    ['controlOffset', 2n ** 64n - 128n, QUEUE],
    ['controlOffset', MAX64, QUEUE],
  ];
  for (const [field, value, code] of longs) {
    it(`T5: ${field} = 0x${value.toString(16)} gets ${code}`, () => {
      const body = goodAttach();
      body.writeBigUInt64BE(value, ATTACH_AT[field]);
      const got = answer(body);
      assert.equal(got.code, code, got.text);
    });
  }

  it('T5: two regions with one handle, two queue pairs on one place', () => {
    const good = goodAttach();
    const regions = Buffer.concat([
      good.subarray(0, 112),
      good.subarray(96, 112),
      good.subarray(112),
    ]);
    regions.writeUInt32BE(2, ATTACH_AT.regionCount);
    const twice = answer(regions, [goods.memory, goods.memory, goods.call]);
    assert.deepEqual([twice.code, twice.text.slice(0, 17)], [REGION, 'regions[1].handle']);
    regions.writeUInt32BE(7, 112);
    assert.equal(answer(regions, [goods.memory, goods.memory, goods.call]).code, ACCEPTED);
    const pairs = Buffer.concat([good, good.subarray(112)]);
    pairs.writeUInt32BE(2, ATTACH_AT.queuePairCount);
    const same = answer(pairs, [goods.memory, goods.call, goods.call]);
    assert.equal(same.code, QUEUE);
    assert.match(same.text, /^queuePairs\[1\].*overlaps queuePairs\[0\]/);
  });

  it('T5: magic and version', () => {
    for (const [at, value, code] of [
      [0, 0x72, WRONG_MAGIC],
      [7, 0x00, WRONG_MAGIC],
      [9, 0, WRONG_VERSION],
      [9, 2, WRONG_VERSION],
      [8, 1, WRONG_VERSION],
      [11, 1, WRONG_VERSION],
      [10, 0xff, WRONG_VERSION],
    ] as const) {
      const body = goodAttach();
      body[at] = value;
      const got = answer(body);
      assert.equal(got.code, code, got.text);
    }
    const newer = goodAttach();
    newer.writeUInt16BE(2, 8);
    assert.match(answer(newer).text, /^version is 2\.0; this end speaks 1\.0$/);
  });

  it('T5: names', () => {
    const named = (bytes: Uint8Array): number => {
      const body = goodAttach();
      body.fill(0, 32, 96);
      body.set(bytes, 32);
      return answer(body).code;
    };
    assert.equal(named(Buffer.alloc(64, 'x')), ACCEPTED);
    assert.equal(named(Buffer.from('gäst–1')), ACCEPTED);
    assert.equal(named(Buffer.alloc(0)), NAME);
    assert.equal(named(Buffer.from([0xff, 0xfe])), NAME);
    assert.equal(named(Buffer.from('a\0b')), NAME);
    assert.equal(named(Buffer.from('a\nb')), NAME);
    assert.equal(named(Buffer.from('a\u001b[31m')), NAME);
    assert.equal(named(Buffer.from('a\u202eb')), NAME);
  });

  it('half a message, every length short of the whole and some beyond', () => {
    const whole = Buffer.concat([goodAttach(), Buffer.alloc(1000)]);
    for (let bytes = 1; bytes <= 143; bytes += 1) {
      assert.equal(answer(whole.subarray(0, bytes)).code, MALFORMED, `${bytes} bytes`);
    }
    for (const bytes of [145, 160, 176, 736, 737, 1000]) {
      assert.equal(answer(whole.subarray(0, bytes)).code, MALFORMED, `${bytes} bytes`);
    }
  });

  it('T6: any number of descriptors but the right one, none leaks', () => {
    for (let count = 0; count <= 253; count += 1) {
      if (count === 2) continue;
      const given = Array.from({ length: count }, (_, i) => (i === 0 ? goods.memory : goods.call));
      assert.equal(answer(goodAttach(), given).code, DESCRIPTORS, `${count} descriptors`);
    }
  });

  it('T6: surplus descriptors on a malformed message and on an attached socket, none leaks', () => {
    const given = Array.from({ length: 253 }, () => goods.call);
    assert.equal(answer(Buffer.from('nonsense'), given).code, MALFORMED);
    const before = openFds();
    const raw = new RawInitiator(rig.path);
    const attachment = rig.accept();
    raw.receive();
    raw.send(goodAttach(), [goods.memory, goods.call]);
    attachment.receive();
    assert.equal(attachment.state, 'attached');
    raw.send(goodAttach(), given);
    attachment.receive();
    assert.equal(attachment.state, 'gone');
    assert.match(attachment.reason, /^protocol error: .*message after ATTACH/);
    attachment.close();
    raw.close();
    assert.equal(openFds(), before);
  });

  it('descriptors of the wrong kind: doorbell or region that is a file, a socket, swapped', () => {
    const directory = mkdtempSync(join(tmpdir(), 'ringscsi-'));
    const file = openSync(join(directory, 'file'), 'w+');
    truncate(file, 65536);
    const refused = (memory: number, call: number): Answer => answer(goodAttach(), [memory, call]);
    assert.equal(refused(goods.call, goods.memory).code, DESCRIPTORS);
    assert.equal(refused(goods.memory, goods.memory).code, DESCRIPTORS);
    assert.equal(refused(goods.memory, file).code, DESCRIPTORS);
    assert.equal(refused(goods.memory, rig.listener.fd).code, DESCRIPTORS);
    assert.equal(refused(goods.call, goods.call).code, REGION);
    assert.equal(refused(file, goods.call).code, REGION);
    assert.equal(refused(rig.listener.fd, goods.call).code, REGION);
    close(file);
    rmSync(directory, { recursive: true });
  });

  it('F13: an unsealed region is refused; with the seal it cannot shrink under the target', () => {
    const open = createMemoryFile('unsealed', 65536);
    const refused = answer(goodAttach(), [open, goods.call]);
    assert.equal(refused.code, REGION);
    assert.match(refused.text, /F_SEAL_SHRINK/);
    addSeals(open, 4); // F_SEAL_GROW alone does not do
    assert.equal(answer(goodAttach(), [open, goods.call]).code, REGION);
    addSeals(open, 2);
    assert.equal(answer(goodAttach(), [open, goods.call]).code, ACCEPTED);
    assert.throws(
      () => truncate(open, 4096),
      (error) => error instanceof SystemError && error.errno === 1, // EPERM
    );
    close(open);
  });

  it('a region that cannot be mapped writable is refused', () => {
    const sealed = createMemoryFile('write-sealed', 65536);
    addSeals(sealed, 2 | 8); // F_SEAL_WRITE
    const got = answer(goodAttach(), [sealed, goods.call]);
    assert.equal(got.code, REGION);
    assert.match(got.text, /sealed against writing/);
    close(sealed);
  });

  it('the connection ends in every state without a leak', () => {
    const before = openFds();
    const greeting = new RawInitiator(rig.path);
    const first = rig.accept();
    greeting.close();
    first.receive();
    assert.deepEqual([first.state, first.reason], ['gone', 'the initiator closed the connection']);
    first.close();
    first.close();
    const [second, connection] = rig.attach();
    assert.equal(second.processId, process.pid);
    assert.equal(second.name, 'guest');
    assert.equal(second.regionBytes, 16 * 2 ** 20);
    connection.close();
    second.receive();
    assert.equal(second.state, 'gone');
    second.close();
    const [third, partner] = rig.attach({ lunPresentation: true, queuePairs: 3 });
    assert.equal(third.lunPresentation, true);
    assert.equal(third.kickFds.length, 3);
    assert.equal(partner.partnerGone(), false);
    third.close();
    assert.equal(partner.partnerGone(), true);
    partner.close();
    assert.equal(rig.listener.connections, 0);
    assert.equal(openFds(), before);
  });

  it('the queue pair of a closed attachment is silent instead of touching unmapped memory', () => {
    const [attachment, connection] = rig.attach();
    const pair = attachment.queuePairs[0];
    assert.ok(pair !== undefined);
    attachment.close();
    assert.equal(pair.ready(), false);
    assert.equal(pair.send(0x80, 1, 0, 0, 0, 0, 0), false);
    assert.equal(pair.arm(), true);
    pair.disarm();
    pair.flush();
    connection.close();
  });
});
