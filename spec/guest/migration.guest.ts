/** Live migration: what the device writes while pages are copied arrives at the destination, and the disk goes on there. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { QmpClient } from '../../src/qmp/client.ts';
import { DaemonStorage } from './support/daemon-storage.ts';
import { Guest } from './support/guest.ts';
import { AGENT_PORT } from './support/guest-scripts.ts';
import { bootFiles } from './support/initramfs.ts';
import { Machine } from './support/machine.ts';

const DISK_MIB = 48;
const MEMORY_MIB = 256;
/** Too slow for a guest that writes all the time, with so short a downtime: it goes on until the guest stops writing. */
const SLOW = { 'max-bandwidth': 100 * 1024 * 1024, 'downtime-limit': 1 };
const DOWNTIME_MS = 500;
/** Pages are not cleared when they are allocated: the processor would be the last but one to write them, and be seen. */
const COMMAND_LINE = 'console=ttyS0 panic=-1 quiet nokaslr mitigations=off init_on_alloc=0';
const MIGRATION_MS = 30_000;

/** Sends a script to the agent of a machine that nobody talked to yet; what it said and its exit code. */
async function run(machine: Machine, script: string): Promise<string> {
  const path = join(machine.directory, 'agent.sock');
  const socket = await machine.listening('the socket of the agent', MIGRATION_MS, async () => {
    const connecting = connect({ path });
    await once(connecting, 'connect');
    return connecting;
  });
  socket.setEncoding('latin1');
  try {
    socket.write(`900 ${Buffer.from(script).toString('base64')}\n`);
    let received = '';
    socket.on('data', (chunk: string) => {
      received += chunk;
    });
    await machine.until(() => received.includes('\n'), 'an answer of the agent', MIGRATION_MS);
    const [, code, output = ''] = received.trim().split(' ');
    return `${code} ${Buffer.from(output, 'base64').toString().trim()}`;
  } finally {
    socket.destroy();
  }
}

interface Progress {
  readonly status: string;
  readonly ram?: { readonly 'dirty-sync-count': number };
}

async function until(qmp: QmpClient, reached: (progress: Progress) => boolean): Promise<void> {
  const end = Date.now() + MIGRATION_MS;
  for (;;) {
    const progress = (await qmp.execute('query-migrate')) as Progress;
    if (reached(progress)) return;
    const text = JSON.stringify(progress);
    assert.ok(!['failed', 'completed'].includes(progress.status) && Date.now() < end, text);
    await sleep(50);
  }
}

describe('live migration', () => {
  let storage: DaemonStorage;
  let source: Guest | null = null;
  let destination: Machine | null = null;

  before(async () => {
    storage = await DaemonStorage.start([{ lun: 0, sizeMiB: DISK_MIB }]);
    const options = [...storage.adapter({ queues: 1 }), '-append', COMMAND_LINE];
    source = await Guest.boot({ options, memoryMiB: MEMORY_MIB });
    const boot = bootFiles('base');
    const machine = { boot, memoryMiB: MEMORY_MIB, cpus: 1, slots: 0 };
    destination = await Machine.start(machine, (directory) => [
      '-chardev',
      `socket,id=agent,path=${join(directory, 'agent.sock')},server=on,wait=off`,
      '-device',
      'virtio-serial-pci',
      '-device',
      `virtserialport,chardev=agent,name=${AGENT_PORT}`,
      ...options,
      '-incoming',
      `unix:${join(directory, 'incoming.sock')}`,
    ]);
  });

  after(async () => {
    await source?.kill();
    await destination?.kill();
    await storage?.end();
  });

  it('brings what the device wrote meanwhile, and the disk goes on', async () => {
    assert.ok(source !== null && destination !== null);
    const sum = await source.sh(`
      dd if=/dev/urandom of=/tmp/x bs=1M count=${DISK_MIB} 2>/dev/null
      dd if=/tmp/x of=/dev/sda bs=1M oflag=direct 2>/dev/null
      md5sum < /tmp/x
      rm /tmp/x
      echo 3 > /proc/sys/vm/drop_caches`);
    // The page cache of a block device lives as long as somebody has it open.
    await source.sh(`
      sleep 1000 < /dev/sda &
      dd if=/dev/urandom of=/tmp/noise bs=1M count=16 2>/dev/null
      while true; do dd if=/tmp/noise of=/tmp/busy bs=1M conv=notrunc 2>/dev/null; done &
      echo $! > /tmp/busy.pid`);
    const { qmp } = source.machine;
    await qmp.execute('migrate-set-parameters', SLOW);
    const incoming = join(destination.directory, 'incoming.sock');
    await qmp.execute('migrate', { uri: `unix:${incoming}` });
    // Every page was copied once: what changes from now on arrives only if it is marked.
    await until(qmp, ({ ram }) => (ram?.['dirty-sync-count'] ?? 0) >= 3);
    // Into the page cache, by the device alone.
    await source.sh('cat /dev/sda > /dev/null', MIGRATION_MS);
    await source.sh('kill $(cat /tmp/busy.pid)');
    await qmp.execute('migrate-set-parameters', { 'downtime-limit': DOWNTIME_MS });
    await until(qmp, ({ status }) => status === 'completed');
    await source.kill();
    source = null;
    // From the page cache that came along, then from the disk.
    assert.equal(await run(destination, 'md5sum < /dev/sda'), `0 ${sum}`);
    const [reader] = (await storage.call('guest.list')) as { bytesIn: number }[];
    assert.ok(
      reader !== undefined && reader.bytesIn < 1024 * 1024,
      `${reader?.bytesIn} bytes read`,
    );
    const direct = 'dd if=/dev/sda bs=1M iflag=direct 2>/dev/null | md5sum';
    assert.equal(await run(destination, direct), `0 ${sum}`);
    const guests = (await storage.call('guest.list')) as { queuePairs: number }[];
    assert.deepEqual(
      guests.map(({ queuePairs }) => queuePairs),
      [3],
    );
    assert.doesNotMatch(storage.log, / warn | error /);
  });
});
