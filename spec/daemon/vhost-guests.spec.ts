/** Guests over vhost-user at a real daemon: lists, events, removal, an orderly end, and that nothing stays behind. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DaemonProcess } from '../support/daemon-process.ts';
import { FrontEndSocket, ID, messageOf, u32, u64 } from '../transport/vhost/front-end-socket.ts';
import type { Driver } from '../transport/vhost/guest.ts';

const MIB = 1024 * 1024;
const PATIENCE_MS = 10_000;
const TEST_UNIT_READY = [0, 0, 0, 0, 0, 0];
const READ_10 = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const SYNCHRONIZE_CACHE = [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const GOOD = { status: 0, response: 0 };
const EVENT_BYTES = 16;
const EVENT_AT = 0x8_0000;

async function until(what: string, test: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await test())) {
    assert.ok(performance.now() < end, `${what} in time`);
    await pause(5);
  }
}

/** A guest with its driver: commands one at a time, and eight buffers for events. */
class Driven extends FrontEndSocket {
  constructor(path: string) {
    super(path, PATIENCE_MS);
    this.start();
    const events = this.drivers[1] as Driver;
    for (let i = 0; i < 8; i += 1) {
      events.chain([{ at: EVENT_AT + EVENT_BYTES * i, length: EVENT_BYTES, write: true }], i);
      events.offer(i);
    }
    this.kick(1);
  }

  get ring(): Driver {
    return this.drivers[2] as Driver;
  }

  begin(cdb: readonly number[], head = 0, inBytes = 0, lun = 0): void {
    this.offer(cdb, head, inBytes, lun);
    this.kick(2);
  }

  async run(
    cdb: readonly number[],
    inBytes = 0,
    lun = 0,
  ): Promise<{ status: number; response: number }> {
    this.begin(cdb, 0, inBytes, lun);
    await until('a command', () => this.ring.take()?.id === 0);
    return this.outcome();
  }

  async ready(lun = 0): Promise<void> {
    await until(
      'no unit attention',
      async () => (await this.run(TEST_UNIT_READY, 0, lun)).status === 0,
    );
  }

  /** The next event: what, LUN, reason (virtio 1.2, 5.6.6.3). */
  async event(): Promise<[event: number, lun: number, reason: number]> {
    const found: number[] = [];
    await until('an event', () => {
      const one = (this.drivers[1] as Driver).take();
      if (one !== null) found.push(one.id);
      return one !== null;
    });
    const at = EVENT_AT + EVENT_BYTES * (found[0] as number);
    const { data, view } = this.guest;
    assert.deepEqual([view[at + 4], view[at + 5], view[at + 6]], [1, 0, 0]);
    return [data.getUint32(at, true), view[at + 7] as number, data.getUint32(at + 12, true)];
  }
}

describe('daemon: guests over vhost-user', function () {
  this.timeout(60_000);
  let daemon: DaemonProcess;
  let socket: string;
  const guests: Driven[] = [];

  const attach = (): Driven => {
    const guest = new Driven(socket);
    guests.push(guest);
    return guest;
  };
  const list = async () =>
    (await daemon.call('guest.list')) as { id: number; transport: string; commands: number }[];
  const mappings = (): number =>
    readFileSync(`/proc/${daemon.processId}/maps`, 'latin1').split('memfd:spec-guest').length - 1;

  beforeEach(async () => {
    daemon = await DaemonProcess.start(['0:disk,memory=4M'], ['vhost-user:vu.sock']);
    socket = join(daemon.directory, 'vu.sock');
  });
  afterEach(async () => {
    for (const guest of guests.splice(0)) guest.close();
    await daemon.end();
  });

  it('another medium is an event and a unit attention; whoever loads it hears of neither', async () => {
    await daemon.call('lun.add', { lun: 1, type: 'disk', memory: '1M', removable: true });
    const guest = attach();
    await guest.ready(1);
    await daemon.call('media.eject', { lun: 1 });
    await daemon.call('media.load', { lun: 1 });
    assert.deepEqual(await guest.event(), [3, 1, 0x0028]);
    assert.equal((await guest.run(TEST_UNIT_READY, 0, 1)).status, 2);
    assert.deepEqual(await guest.run(TEST_UNIT_READY, 0, 1), GOOD);
    assert.deepEqual(await guest.run([0x1b, 0, 0, 0, 2, 0], 0, 1), GOOD);
    assert.deepEqual(await guest.run([0x1b, 0, 0, 0, 3, 0], 0, 1), GOOD);
    assert.deepEqual(await guest.run(TEST_UNIT_READY, 0, 1), GOOD);
    await daemon.call('lun.resize', { lun: 1, size: 2 * MIB });
    assert.deepEqual(await guest.event(), [3, 1, 0x092a], 'nothing came before it');
  });

  it('lists, counts and kicks them like any guest', async () => {
    const guest = attach();
    await guest.ready();
    assert.deepEqual(await guest.run(READ_10, 512), GOOD);
    const [one] = await list();
    assert.ok(one !== undefined);
    const { commands, id, ...rest } = one;
    assert.deepEqual(rest, {
      name: `vhost-user ${process.pid}`,
      transport: 'vhost-user',
      processId: process.pid,
      listener: socket,
      queuePairs: 3,
      regionBytes: 2 * MIB,
      initiatorPorts: [],
      bytesIn: 512,
      bytesOut: 0,
      outstanding: 0,
    });
    assert.ok(commands >= 2);
    await daemon.call('guest.kick', { id });
    assert.equal(guest.closed, true);
    assert.deepEqual(await list(), []);
    await until('the reason in the log', () => daemon.errors.includes('kicked by the operator'));
  });

  it('tells guests of units that come and grow', async () => {
    const guest = attach();
    await guest.ready();
    await daemon.call('lun.add', { lun: 1, type: 'disk', memory: 2 * MIB });
    // Transport reset, rescan.
    assert.deepEqual(await guest.event(), [1, 1, 1]);
    await guest.ready(1);
    await daemon.call('lun.resize', { lun: 1, size: 3 * MIB });
    // Parameter change, 2A/09.
    assert.deepEqual(await guest.event(), [3, 1, 0x092a]);
  });

  it('keeps a unit that is taken away until the guest has flushed it', async () => {
    const guest = attach();
    await guest.ready();
    await daemon.call('lun.add', { lun: 1, type: 'disk', memory: 2 * MIB });
    await guest.event();
    await guest.ready(1);
    const removed = daemon.call('lun.remove', { lun: 1 });
    // Transport reset, removed: it comes first, and the unit still serves.
    assert.deepEqual(await guest.event(), [1, 1, 2]);
    assert.deepEqual(await guest.run(SYNCHRONIZE_CACHE, 0, 1), GOOD);
    await removed;
    // LOGICAL UNIT NOT SUPPORTED after the unit attention; never GOOD again.
    await until('it is gone', async () => (await guest.run(READ_10, 512, 1)).status === 2);
    assert.deepEqual(await guest.run(READ_10, 512, 0).then(({ response }) => response), 0);
  });

  it('takes a unit away after a while from guests that do not flush it', async () => {
    const guest = attach();
    await guest.ready();
    await daemon.call('lun.add', { lun: 1, type: 'disk', memory: 2 * MIB });
    await daemon.call('lun.remove', { lun: 1 });
    const luns = (await daemon.call('lun.list')) as { lun: number }[];
    assert.deepEqual(
      luns.map(({ lun }) => lun),
      [0],
    );
  });

  it('serves others while one waits for its ring to stop', async () => {
    const [slow, quick] = [attach(), attach()];
    await slow.ready();
    await quick.ready();
    await daemon.call('inject.set', {
      lun: 0,
      rules: [{ operation: 'read', firstLba: 0, lastLba: 0, delayMs: 500, held: true, count: 1 }],
    });
    slow.begin(READ_10, 0, 512);
    await until('it runs', async () =>
      ((await daemon.call('guest.list')) as { outstanding: number }[]).some(
        ({ outstanding }) => outstanding === 1,
      ),
    );
    slow.send(ID.GET_VRING_BASE, u32(2, 0));
    const used = slow.ring.usedIndex;
    assert.deepEqual(await quick.run(TEST_UNIT_READY), GOOD);
    assert.equal(slow.ring.usedIndex, used, 'the other one still runs');
    const reply = slow.reply();
    assert.deepEqual([...(reply?.payload ?? [])], [...u32(2, used + 1)]);
    assert.deepEqual(slow.outcome(), GOOD);
  });

  it('SIGTERM: what runs is answered, then the socket closes', async () => {
    const guest = attach();
    await guest.ready();
    await daemon.call('inject.set', {
      lun: 0,
      rules: [{ operation: 'read', delayMs: 500, count: 1 }],
    });
    guest.begin(READ_10, 0, 512);
    await until('it runs', async () =>
      ((await daemon.call('guest.list')) as { outstanding: number }[]).some(
        ({ outstanding }) => outstanding === 1,
      ),
    );
    const end = daemon.kill('SIGTERM');
    assert.equal(await end, 0);
    assert.equal(guest.ring.take()?.id, 0);
    assert.deepEqual(guest.outcome(), GOOD);
    assert.equal(guest.closed, true);
    assert.equal(existsSync(socket), false);
  });

  it('names what a front end got wrong in one line, and lets go of it', async () => {
    const guest = attach();
    const bystander = attach();
    await bystander.ready();
    guest.raw(messageOf(ID.SET_VRING_NUM, u64(0xffff_ffff)));
    assert.equal(guest.closed, true);
    await until('the log', () => daemon.errors.includes('SET_VRING_NUM: index 4294967295'));
    assert.equal(daemon.errors.split('SET_VRING_NUM').length, 2);
    assert.deepEqual(await bystander.run(TEST_UNIT_READY), GOOD);
  });

  it('holds nothing of guests that came and went, in whatever way', async () => {
    attach().close();
    guests.length = 0;
    await until('the first has gone', async () => (await list()).length === 0);
    const before = daemon.descriptors();
    assert.equal(mappings(), 0);
    for (let round = 0; round < 20; round += 1) {
      const guest = new Driven(socket);
      await guest.ready();
      guest.begin(READ_10, 4, 512);
      if (round % 2 === 0)
        guest.raw(messageOf(ID.ADD_MEM_REG, guest.region()).subarray(0, 20), [guest.guest.fd]);
      guest.close();
    }
    await until('all have gone', async () => (await list()).length === 0);
    await until('descriptors are back', () => daemon.descriptors() === before);
    assert.equal(mappings(), 0);
  });
});
