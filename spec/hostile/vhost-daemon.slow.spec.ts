/** vhost-user guests that misbehave towards a real daemon: one line in its log, the others go on, nothing stays behind. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { FrontEnd, perform } from '../../src/initiator/vhost/front-end.ts';
import { VhostInitiator } from '../../src/initiator/vhost/initiator.ts';
import { encodeMessage, quads, SET_VRING_NUM, state } from '../../src/initiator/vhost/message.ts';
import { lunField, REQUESTS } from '../../src/initiator/vhost/scsi-driver.ts';
import { DaemonProcess } from '../support/daemon-process.ts';

const PROCESS = join(dirname(fileURLToPath(import.meta.url)), 'vhost-process.js');
const GUEST = 'synthetic-guest';

async function start(...args: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [PROCESS, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 300; i += 1) {
    if (holds()) return;
    await sleep(20);
  }
  assert.fail(`${what}, within 6 seconds`);
}

describe('daemon and hostile vhost-user guests', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  let socket: string;
  let descriptors = 0;

  /** Writes and checks blocks that know their round. */
  async function verifiedWork(rounds: number): Promise<void> {
    const initiator = await VhostInitiator.open(socket);
    const disk = await ready(initiator);
    for (let round = 0; round < rounds; round += 1) {
      const data = new Uint8Array(8 * 512).fill(round);
      await disk.write(round * 8, data);
      assert.deepEqual(await disk.read(round * 8, 8), data);
    }
    await initiator.close();
  }

  async function ready(initiator: VhostInitiator): ReturnType<VhostInitiator['disk']> {
    for (let i = 0; i < 8; i += 1) {
      const { status } = await initiator.execute({ lun: 0, cdb: new Uint8Array(6) });
      if (status === 0) break;
    }
    return initiator.disk(0);
  }

  /** Lines of the daemon's log since `from` that say why a guest was broken off. */
  const left = (from: number): string[] =>
    daemon.errors
      .slice(from)
      .split('\n')
      .filter((line) => / left: (?!the front end closed the connection$)/.test(line));

  before(async () => {
    daemon = await DaemonProcess.start(['0:disk,memory=64M'], ['vhost-user:v.sock']);
    socket = daemon.path('v.sock');
    await verifiedWork(2);
    await eventually('the first guest is gone', () => daemon.mappingsOf(GUEST) === 0);
    descriptors = daemon.descriptors();
  });
  after(() => daemon.end());
  afterEach(async () => {
    await daemon.call('inject.clear', { lun: 0 });
    await verifiedWork(10);
    await eventually('memory is let go', () => daemon.mappingsOf(GUEST) === 0);
    await eventually('descriptors are back', () => daemon.descriptors() === descriptors);
  });

  const wrongs: readonly (readonly [string, RegExp, (frontEnd: FrontEnd) => void])[] = [
    [
      'an unknown request',
      /request 99 is unknown/,
      (f) => f.socket.send(encodeMessage(99, quads(0))),
    ],
    [
      'a ring changed while it is served',
      /SET_VRING_NUM: ring 2 is being served/,
      (f) => f.socket.send(encodeMessage(SET_VRING_NUM, state(2, 8))),
    ],
    [
      'a loop of descriptors',
      /virtqueue 2: descriptor chain of head 0 is longer/,
      (f) => {
        f.queues[REQUESTS]?.describe(0, { address: 0, length: 64 }, 1, 0);
        f.queues[REQUESTS]?.offer(0);
        f.kick();
      },
    ],
    [
      'half a message and the end',
      /closed the connection in the middle of a message/,
      (f) => {
        f.socket.send(encodeMessage(SET_VRING_NUM, state(2, 8)).subarray(0, 15));
        f.hangUp();
      },
    ],
  ];
  for (const [name, reason, attack] of wrongs) {
    it(`${name}: one line in the log`, async () => {
      const from = daemon.errors.length;
      const frontEnd = new FrontEnd(socket);
      await perform(frontEnd, frontEnd.realize());
      await perform(frontEnd, frontEnd.start());
      attack(frontEnd);
      await eventually('it is broken off', () => left(from).length > 0);
      await sleep(50);
      assert.equal(left(from).length, 1, left(from).join('\n'));
      assert.match(left(from)[0] as string, reason);
      frontEnd.end();
    });
  }

  it('F3: memory of a guest killed with writes under way is kept until the last one ends', async () => {
    await daemon.call('inject.set', {
      lun: 0,
      rules: [{ operation: 'write', delayMs: 500, held: true }],
    });
    const guest = await start(socket, 'write', '100000');
    await sleep(150);
    assert.ok(daemon.mappingsOf(GUEST) > 0);
    guest.kill('SIGKILL');
    await once(guest, 'exit');
    await sleep(100);
    assert.ok(daemon.mappingsOf(GUEST) > 0, 'writes are still under way');
  });

  it('T25: a million kicks from one guest leave another one working, and interrupt it as often as it works', async () => {
    const storm = await start(socket, 'storm', '1000000');
    const ended = once(storm, 'exit');
    const initiator = await VhostInitiator.open(socket);
    const disk = await ready(initiator);
    const before = initiator.frontEnd.interrupts;
    for (let round = 0; round < 200; round += 1) {
      const data = new Uint8Array(512).fill(round);
      await disk.write(round, data);
      assert.deepEqual(await disk.read(round, 1), data);
    }
    const interrupts = initiator.frontEnd.interrupts - before;
    assert.ok(interrupts <= 2 * 200 + 20, `${interrupts} interrupts for 400 commands`);
    await initiator.close();
    const [exitCode] = await ended;
    assert.equal(exitCode, 0);
  });

  it('T3: two guests that write without end do not starve a third', async () => {
    const busy = await Promise.all([
      start(socket, 'write', '50000'),
      start(socket, 'write', '60000'),
    ]);
    await verifiedWork(100);
    for (const child of busy) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  it('hundreds of guests that come, work and go leave no descriptor, no mapping and no growth', async () => {
    const cycle = async (): Promise<void> => {
      const frontEnd = new FrontEnd(socket, { ramBytes: 2 ** 20 + 2 ** 16, queueSize: 16 });
      await perform(frontEnd, frontEnd.realize());
      await perform(frontEnd, frontEnd.start());
      frontEnd.driver.submit({ lun: lunField(0), cdb: new Uint8Array(6) }, () => undefined);
      frontEnd.kick();
      frontEnd.end();
    };
    for (let i = 0; i < 100; i += 1) await cycle();
    await eventually('the first hundred are gone', () => daemon.mappingsOf(GUEST) === 0);
    const resident = daemon.residentBytes();
    for (let i = 0; i < 200; i += 1) await cycle();
    await eventually('all are gone', () => daemon.mappingsOf(GUEST) === 0);
    const grownMib = (daemon.residentBytes() - resident) / 2 ** 20;
    assert.ok(grownMib < 32, `resident memory grew by ${grownMib.toFixed(1)} MiB`);
  });
});
