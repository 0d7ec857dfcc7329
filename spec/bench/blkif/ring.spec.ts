/** The shared ring of Xen's ring.h: layout, sizes, notification, impossible producers, and the worked session. */
import assert from 'node:assert/strict';
import {
  ClientRing,
  initializeRing,
  passesEvent,
  ringSlots,
  ServerRing,
} from '../../../bench/blkif/ring.ts';
import { Rig } from './rig.ts';

function newRing(): { ring: Uint8Array; client: ClientRing; server: ServerRing } {
  const ring = new Uint8Array(4096);
  initializeRing(ring);
  return { ring, client: new ClientRing(ring, 112), server: new ServerRing(ring, 112) };
}

function poke(ring: Uint8Array, offset: number, value: number): void {
  new DataView(ring.buffer).setUint32(offset, value, true);
}

function head(ring: Uint8Array): string {
  return Buffer.from(ring.subarray(0, 16)).toString('hex');
}

describe('blkif ring', () => {
  it('starts with producers 0 and events 1', () => {
    const ring = new Uint8Array(4096).fill(0xa5);
    initializeRing(ring);
    const expected = `00000000010000000000000001000000${'00'.repeat(48)}`;
    assert.equal(Buffer.from(ring.subarray(0, 64)).toString('hex'), expected);
  });

  const sizes: readonly (readonly [string, number, readonly number[]])[] = [
    ['blkif x86_64', 112, [32, 64, 128, 256, 512]],
    ['blkif x86_32', 108, [32, 64, 128, 256, 512]],
    ['vscsiif', 252, [16, 32, 64, 128, 256]],
  ];
  for (const [name, entryBytes, slots] of sizes) {
    it(`has ${slots.join(', ')} slots for ${name} at orders 0 to 4`, () => {
      const orders = [0, 1, 2, 3, 4];
      assert.deepEqual(
        orders.map((order) => ringSlots(4096 * 2 ** order, entryBytes)),
        slots,
      );
    });
  }

  const vectors: readonly (readonly [number, number, number, boolean])[] = [
    [0, 1, 1, true],
    [0, 3, 1, true],
    [1, 2, 1, false],
    [5, 6, 7, false],
    [5, 8, 7, true],
    [5, 8, 8, true],
    [5, 8, 9, false],
    [0xfffffffe, 2, 0xffffffff, true],
    [0xfffffffe, 2, 3, false],
    [0xffffffff, 0, 0, true],
  ];
  for (const [from, to, event, notify] of vectors) {
    it(`${notify ? 'notifies' : 'is silent'} from ${from} to ${to} with event ${event}`, () => {
      assert.equal(passesEvent(from, to, event), notify);
    });
  }

  it('counts free slots and stops at full', () => {
    const { client } = newRing();
    assert.equal(client.free(), 32);
    for (let i = 0; i < 32; i += 1) client.nextRequest();
    assert.equal(client.free(), 0);
  });

  it('does not let the server take more than it can answer', () => {
    const { client, server } = newRing();
    for (let i = 0; i < 32; i += 1) client.nextRequest();
    client.push();
    const into = new Int32Array(28);
    for (let i = 0; i < 32; i += 1) server.take(into);
    assert.equal(server.available(), 0);
    assert.equal(server.broken, false);
  });

  for (const producer of [33, 0x80000000, 0xffffffff]) {
    it(`stops the server for good at request producer ${producer}`, () => {
      const { ring, server } = newRing();
      poke(ring, 0, producer);
      assert.equal(server.available(), 0);
      assert.equal(server.broken, true);
      poke(ring, 0, 1);
      assert.equal(server.available(), 0);
    });
  }

  it('accepts a request producer of exactly a ring more', () => {
    const { ring, server } = newRing();
    poke(ring, 0, 32);
    assert.equal(server.available(), 32);
  });

  it('stops the client at a response that answers nothing', () => {
    const { ring, client } = newRing();
    client.nextRequest();
    client.push();
    poke(ring, 8, 2);
    assert.equal(client.available(), 0);
    assert.equal(client.broken, true);
  });

  it('works across the wrap of the indices', () => {
    const { ring, client, server } = newRing();
    for (const offset of [0, 8]) poke(ring, offset, 0xfffffffe);
    for (const end of [client, server]) {
      end.produced = 0xfffffffe;
      end.consumed = 0xfffffffe;
    }
    const at = [client.nextRequest(), client.nextRequest(), client.nextRequest()];
    assert.deepEqual(at, [64 + 30 * 112, 64 + 31 * 112, 64]);
    client.push();
    assert.equal(server.available(), 3);
    server.take(new Int32Array(28));
    server.take(new Int32Array(28));
    assert.equal(server.consumed, 0);
    assert.equal(server.available(), 1);
  });

  it('finds the request that came before it was armed', () => {
    const { ring, client, server } = newRing();
    assert.equal(server.arm(), false);
    client.nextRequest();
    assert.equal(client.push(), true);
    assert.equal(server.arm(), true);
    server.take(new Int32Array(28));
    assert.equal(server.arm(), false);
    assert.equal(head(ring), '01000000020000000000000001000000');
  });

  it('shows the bytes of the worked session', () => {
    const { ring, client, server } = newRing();
    const request =
      '000200ca000000008877665544332211100000000000000008000000000700000900000000030000';
    const response = '88776655443322110000000000000000';
    assert.equal(head(ring), '00000000010000000000000001000000');
    ring.set(Buffer.from(request, 'hex'), client.nextRequest());
    assert.equal(client.push(), true);
    assert.equal(head(ring), '01000000010000000000000001000000');
    assert.equal(Buffer.from(ring.subarray(64, 104)).toString('hex'), request);
    const taken = new Int32Array(28);
    server.take(taken);
    assert.equal(Buffer.from(taken.buffer, 0, 40).toString('hex'), request);
    assert.equal(server.arm(), false);
    assert.equal(head(ring), '01000000020000000000000001000000');
    ring.set(Buffer.from(response, 'hex'), server.nextResponse());
    assert.equal(server.push(), true);
    assert.equal(head(ring), '01000000020000000100000001000000');
    assert.equal(Buffer.from(ring.subarray(64, 80)).toString('hex'), response);
    client.take(new Int32Array(4));
    assert.equal(client.arm(), false);
    assert.equal(head(ring), '01000000020000000100000002000000');
  });

  it('is driven by the server as in the worked session', () => {
    const rig = new Rig();
    try {
      rig.raw('000200ca000000008877665544332211100000000000000008000000000700000900000000030000');
      rig.client.push();
      assert.equal(rig.backend.poll(32), 1);
      assert.equal(rig.backend.notify, true);
      assert.equal(rig.server.arm(), false);
      assert.equal(head(rig.ring), '01000000020000000100000001000000');
      const response = Buffer.from(rig.ring.subarray(64, 80)).toString('hex');
      assert.equal(response, '88776655443322110000000000000000');
    } finally {
      rig.close();
    }
  });
});
