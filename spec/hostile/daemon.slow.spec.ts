/** Guests that misbehave towards a real daemon: the others go on, and nothing of theirs stays behind. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { connectRing } from '../../src/transport/ring/connector.ts';
import { DaemonProcess } from '../support/daemon-process.ts';

const HERE = dirname(fileURLToPath(import.meta.url));

async function start(script: string, ...args: string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(HERE, script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

async function eventually(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    if (holds()) return;
    await sleep(25);
  }
  assert.fail(`${what}, within 5 seconds`);
}

/** Writes and checks blocks that know their LBA, `rounds` times, and says how many were checked. */
async function verifiedWork(daemon: DaemonProcess, rounds: number): Promise<number> {
  const initiator = await openInitiator({ connect: daemon.connect, name: 'honest' });
  const disk = await initiator.disk(0);
  let checked = 0;
  for (let round = 0; round < rounds; round += 1) {
    const data = new Uint8Array(8 * disk.blockBytes).fill(round);
    await disk.write(round * 8, data);
    assert.deepEqual(await disk.read(round * 8, 8), data);
    checked += 8;
  }
  await initiator.close();
  return checked;
}

describe('daemon and hostile guests', function () {
  this.timeout(30_000);
  let daemon: DaemonProcess;
  before(async () => {
    daemon = await DaemonProcess.start(['0:disk,memory=64M']);
    await verifiedWork(daemon, 2);
  });
  after(() => daemon.end());
  beforeEach(async () => {
    // A test that failed in the middle may have left its rules.
    await daemon.call('inject.clear', { lun: 0 });
    // The guest of the last test has said goodbye; counts are taken once the daemon has let go of it.
    await eventually('the last guest is gone', () => daemon.guestMappings() === 0);
    await daemon.call('guest.list');
  });

  it('F3: memory of a guest killed with writes under way is kept until the last one ends, then let go', async () => {
    const descriptors = daemon.descriptors();
    await daemon.call('inject.set', {
      lun: 0,
      rules: [{ operation: 'write', delayMs: 700, held: true }],
    });
    const guest = await start('writing-process.js', daemon.connect, '100000');
    await sleep(200);
    assert.equal(daemon.guestMappings(), 1);
    guest.kill('SIGKILL');
    await once(guest, 'exit');
    await sleep(150);
    assert.equal(daemon.guestMappings(), 1, 'writes are still under way');
    await eventually('the region is unmapped', () => daemon.guestMappings() === 0);
    await eventually('descriptors are back', () => daemon.descriptors() === descriptors);
    await daemon.call('inject.clear', { lun: 0 });
    assert.equal(await verifiedWork(daemon, 20), 160);
  });

  it('T25: a million kicks from one guest leave another one working, and cost nothing that stays', async () => {
    const descriptors = daemon.descriptors();
    const storm = await start('kick-storm-process.js', daemon.socket, '1000000');
    const ended = once(storm, 'exit');
    assert.equal(await verifiedWork(daemon, 300), 2400);
    const [exitCode] = await ended;
    assert.equal(exitCode, 0);
    await eventually('descriptors are back', () => daemon.descriptors() === descriptors);
  });

  it('a guest that attaches and never speaks costs a region and nothing else', async () => {
    const descriptors = daemon.descriptors();
    const silent = await connectRing({ path: daemon.socket, name: 'silent' });
    assert.equal(await verifiedWork(daemon, 20), 160);
    silent.close();
    await eventually('descriptors are back', () => daemon.descriptors() === descriptors);
  });

  it('hundreds of guests that come and go leave no descriptor, no mapping and no growth', async () => {
    const small = [{ handle: 0, bytes: 64 * 1024 }];
    const cycle = async (): Promise<void> => {
      const ring = await connectRing({ path: daemon.socket, name: 'brief', regions: small });
      ring.close();
    };
    for (let i = 0; i < 100; i += 1) await cycle();
    await eventually('the first hundred are gone', () => daemon.guestMappings() === 0);
    const descriptors = daemon.descriptors();
    const resident = daemon.residentBytes();
    for (let i = 0; i < 400; i += 1) await cycle();
    await eventually('all are gone', () => daemon.guestMappings() === 0);
    await eventually('descriptors are back', () => daemon.descriptors() <= descriptors);
    const grownMib = (daemon.residentBytes() - resident) / 2 ** 20;
    assert.ok(grownMib < 32, `resident memory grew by ${grownMib.toFixed(1)} MiB`);
    assert.equal(await verifiedWork(daemon, 5), 40);
  });
});
