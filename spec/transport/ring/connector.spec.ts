/** The initiator's side: what it makes, what it refuses to ask for, how it takes a target that misbehaves. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import {
  acceptUnix,
  close,
  getSeals,
  listenUnix,
  receiveMessage,
  sendMessage,
} from '../../../src/libc.ts';
import {
  connectRing,
  layOutQueuePairs,
  RingAttachError,
  RingHandshake,
} from '../../../src/transport/ring/connector.ts';
import { emptyElement, openFds, Rig } from './rig.ts';

function fails(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof RingAttachError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, /^Cannot attach to "/);
    assert.match(error.message, message);
    return true;
  };
}

/** HELLO with the limits of version 1.0, docs/srp-ring.md section 4. */
function hello(): Buffer {
  const body = Buffer.alloc(112);
  body.write('RINGSCSI', 0);
  body.writeUInt16BE(1, 8);
  body.writeUInt32BE(1, 12);
  body.writeUInt32BE(8, 16);
  body.writeUInt32BE(16, 20);
  body.writeUInt32BE(0x80000000, 28);
  body.writeUInt32BE(4096, 32);
  body.writeUInt32BE(1024, 36);
  body.writeUInt32BE(512, 40);
  body.write('disks', 48);
  return body;
}

describe('ring connector', () => {
  it('lays queues out on cache lines, apart from each other, and the arena on a page', () => {
    const { places, arenaOffset } = layOutQueuePairs(2, 16, 32);
    assert.deepEqual(places, [
      {
        controlOffset: 0,
        commandOffset: 128,
        commandEntries: 16,
        responseOffset: 384,
        responseEntries: 32,
      },
      {
        controlOffset: 896,
        commandOffset: 1024,
        commandEntries: 16,
        responseOffset: 1280,
        responseEntries: 32,
      },
    ]);
    assert.equal(arenaOffset, 4096);
  });

  it('attaches while the event loop turns, with several pairs and regions', async () => {
    const before = openFds();
    const rig = new Rig();
    const promise = connectRing({
      path: rig.path,
      name: 'gäst',
      queuePairs: 2,
      regions: [
        { handle: 5, bytes: 2 ** 20 },
        { handle: 0xfffffffe, bytes: 8192 },
      ],
    });
    const timer = setInterval(() => {
      const attachment = rig.listener.accept();
      if (attachment === null) return;
      clearInterval(timer);
      setTimeout(() => attachment.receive(), 5);
      setTimeout(() => attachment.close(), 100);
    }, 1);
    const connection = await promise;
    assert.equal(connection.queuePairs.length, 2);
    assert.equal(connection.callFds.length, 2);
    assert.equal(connection.id, 1);
    assert.equal(connection.target.name, 'target');
    assert.equal(connection.target.maxRequestBytes, 1024);
    assert.deepEqual(
      connection.memory.regions.map((region) => [region.handle, region.bytes]),
      [
        [5, 2 ** 20],
        [0xfffffffe, 8192],
      ],
    );
    assert.equal(connection.arenaOffset + connection.arenaBytes, 2 ** 20);
    for (const { fd } of connection.regions) assert.equal(getSeals(fd) & 2, 2, 'F_SEAL_SHRINK');
    assert.equal(connection.partnerGone(), false);
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(connection.partnerGone(), true);
    connection.close();
    connection.close();
    assert.equal(connection.partnerGone(), true);
    rig.close();
    assert.equal(openFds(), before);
  });

  it('what one guest writes never shows in the memory of another', () => {
    const rig = new Rig();
    const [first, one] = rig.attach({ name: 'one' });
    const [second, two] = rig.attach({ name: 'two' });
    one.memory.regions[0]?.view.fill(0xa5, one.arenaOffset);
    assert.ok(two.memory.regions[0]?.view.every((byte) => byte === 0));
    assert.equal(one.queuePairs[0]?.send(0x80, 1, 0, 0, 48, 0, 1), true);
    one.queuePairs[0]?.flush();
    const element = emptyElement();
    assert.equal(second.queuePairs[0]?.take(element), false);
    assert.equal(first.queuePairs[0]?.take(element), true);
    for (const end of [first, one, second, two]) end.close();
    rig.close();
  });

  it('refuses options that no target could accept', () => {
    const options = { path: '/nowhere', name: 'x' };
    const bad: readonly (readonly [object, RegExp])[] = [
      [{ name: '' }, /name ""/],
      [{ name: 'x'.repeat(65) }, /1 to 64 bytes/],
      [{ commandEntries: 100 }, /queues of 100 and 256/],
      [{ responseEntries: 16 }, /queues of 128 and 16/],
      [{ regions: [] }, /first region has 0 bytes/],
      [{ regions: [{ handle: 0, bytes: 4096 }] }, /first region has 4096 bytes/],
    ];
    for (const [wrong, message] of bad) {
      assert.throws(
        () => new RingHandshake({ ...options, ...wrong }),
        fails('ERR_ATTACH_OPTIONS', message),
      );
    }
  });

  it('asks for no more than HELLO grants', () => {
    const before = openFds();
    const rig = new Rig();
    for (const [options, message] of [
      [{ queuePairs: 17 }, /17 queue pairs, the target takes 1 to 16/],
      [{ commandEntries: 8192 }, /8192 queue elements, the target takes 1 to 4096/],
      [
        { regions: Array.from({ length: 9 }, (_, handle) => ({ handle, bytes: 65536 })) },
        /9 regions/,
      ],
    ] as const) {
      const handshake = new RingHandshake({ path: rig.path, name: 'x', ...options });
      handshake.step();
      const attachment = rig.accept();
      assert.throws(() => handshake.step(), fails('ERR_ATTACH_OPTIONS', message));
      attachment.receive();
      attachment.close();
    }
    rig.close();
    assert.equal(openFds(), before);
  });

  it('says who is not there, and who does not answer', async () => {
    const before = openFds();
    await assert.rejects(
      connectRing({ path: '/nowhere/a.sock', name: 'x' }),
      fails('ERR_CONNECT', /ENOENT/),
    );
    await assert.rejects(
      connectRing({ path: `/${'x'.repeat(200)}`, name: 'x' }),
      fails('ERR_CONNECT', /at most 107/),
    );
    const rig = new Rig();
    await assert.rejects(
      connectRing({ path: rig.path, name: 'x', timeoutMs: 30 }),
      fails('ERR_CONNECT', /did not answer within 30 ms/),
    );
    rig.close();
    assert.equal(openFds(), before);
  });

  it('waits for room in the backlog without blocking the thread', async () => {
    const rig = new Rig();
    const full = listenUnix(`${rig.path}.full`, 0);
    const first = new RingHandshake({ path: `${rig.path}.full`, name: 'x' });
    first.step();
    await assert.rejects(
      connectRing({ path: `${rig.path}.full`, name: 'y', timeoutMs: 30 }),
      fails('ERR_CONNECT', /did not answer within 30 ms/),
    );
    first.abandon();
    close(full);
    rig.close();
  });

  describe('with a target that misbehaves', () => {
    /** What the initiator makes of the given messages. */
    function against(messages: readonly (Buffer | null)[]): () => void {
      return () => {
        const before = openFds();
        const rig = new Rig();
        const path = `${rig.path}.odd`;
        const listener = listenUnix(path, 4);
        const handshake = new RingHandshake({ path, name: 'x' });
        handshake.step();
        const fd = acceptUnix(listener);
        try {
          for (const message of messages) answer(fd, message, handshake);
        } finally {
          if (!messages.includes(null)) close(fd);
          close(listener);
          rig.close();
          assert.equal(openFds(), before);
        }
      };
    }
    /** Sends a message, or closes the connection, and takes what the initiator says to that. */
    function answer(fd: number, message: Buffer | null, handshake: RingHandshake): void {
      if (message === null) close(fd);
      else sendMessage(fd, message, []);
      assert.equal(handshake.step(), null);
      const got = receiveMessage(fd, 1024);
      if (got !== null && typeof got !== 'number') got.descriptors.forEach(close);
    }
    const changed = (at: number, ...bytes: readonly number[]): Buffer => {
      const body = hello();
      body.set(bytes, at);
      return body;
    };
    const attached = Buffer.alloc(24);
    attached.set(hello().subarray(0, 16));
    attached.writeUInt32BE(3, 12);
    attached.writeUInt32BE(1, 20);
    const refused = Buffer.alloc(220);
    refused.set(hello().subarray(0, 16));
    refused.writeUInt32BE(4, 12);
    refused.writeUInt32BE(7, 16);
    refused.write('queuePairs[0].commandEntries is 5; it is a power of two', 20);

    const cases: readonly (readonly [string, readonly (Buffer | null)[], string, RegExp])[] = [
      ['wrong magic', [changed(0, 0)], 'ERR_ATTACH_PROTOCOL', /magic is 0049/],
      ['newer major version', [changed(8, 0, 2)], 'ERR_ATTACH_VERSION', /version is 2\.0/],
      ['half a HELLO', [hello().subarray(0, 60)], 'ERR_ATTACH_PROTOCOL', /message length is 60/],
      ['a byte', [Buffer.from([1])], 'ERR_ATTACH_PROTOCOL', /message is 1 bytes/],
      ['another type', [changed(15, 3)], 'ERR_ATTACH_PROTOCOL', /type is 3/],
      ['closed at once', [null], 'ERR_CONNECT', /closed the connection/],
      ['no doorbells', [hello(), attached], 'ERR_ATTACH_PROTOCOL', /sent 0 doorbells for 1/],
      ['HELLO twice', [hello(), hello()], 'ERR_ATTACH_PROTOCOL', /type is 1/],
      ['refused', [hello(), refused], 'ERR_ATTACH_REFUSED', /commandEntries is 5/],
      ['refused instead of HELLO', [refused], 'ERR_ATTACH_REFUSED', /the target refused: queue/],
    ];
    for (const [name, messages, code, message] of cases) {
      it(name, () => {
        assert.throws(against(messages), fails(code, message));
      });
    }
  });
});
