/** Logical units and adapters that come, change and go while a guest runs. */
import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { DaemonStorage } from './support/daemon-storage.ts';
import { Guest } from './support/guest.ts';
import { note } from './support/report.ts';

/** How soon a guest is to see a change. */
const SOON_MS = 2000;
const CYCLES = 20;
const MIB = 1024 * 1024;

describe('hot plug', () => {
  let storage: DaemonStorage;
  let guest: Guest;

  before(async () => {
    storage = await DaemonStorage.start([{ lun: 0, sizeMiB: 16 }]);
    guest = await Guest.boot({ options: storage.adapter(), slots: 1 });
  });

  after(async () => {
    await guest?.kill();
    await storage?.end();
  });

  /** Waits in the guest until something holds, and says how long that took from here. */
  async function seen(script: string): Promise<number> {
    const begin = performance.now();
    await guest.shUntil(script);
    return performance.now() - begin;
  }

  it('a LUN that is added, resized and removed is seen within two seconds', async () => {
    await storage.add({ lun: 5, sizeMiB: 24 });
    const added = await seen('[ -b "$(disk 5)" ]');
    assert.equal(await guest.sh('cat /sys/block/$(basename $(disk 5))/size'), '49152');
    await guest.sh('dd if=/dev/urandom of=$(disk 5) bs=1M count=4');
    await storage.call('lun.resize', { lun: 5, size: 40 * MIB });
    const resized = await seen('[ $(cat /sys/block/$(basename $(disk 5))/size) = 81920 ]');
    await guest.sh('dmesg -c > /tmp/before');
    await storage.call('lun.remove', { lun: 5 });
    const removed = await seen('! disk 5 2> /dev/null');
    const messages = await guest.messages();
    note(
      `hot plug, milliseconds until the guest saw it: added ${added.toFixed(0)}, resized ${resized.toFixed(0)}, removed ${removed.toFixed(0)}`,
    );
    for (const ms of [added, resized, removed]) assert.ok(ms < SOON_MS, `${ms} ms`);
    assert.match(messages, /Synchronizing SCSI cache/, 'it flushes what it has');
    assert.doesNotMatch(messages, /Synchronize Cache\(\d+\) failed|I\/O error/, 'and is served');
  });

  it(`${CYCLES} times attached and detached: nothing stays, neither descriptors nor memory`, async () => {
    const { qmp } = guest.machine;
    await storage.add({ lun: 0x10, sizeMiB: 8 });
    const cycle = async (): Promise<void> => {
      await qmp.execute('chardev-add', {
        id: 'plug-socket',
        backend: {
          type: 'socket',
          data: { server: false, addr: { type: 'unix', data: { path: storage.socket } } },
        },
      });
      await qmp.execute('device_add', {
        driver: 'vhost-user-scsi-pci',
        id: 'plug',
        chardev: 'plug-socket',
        bus: 'rp1',
      });
      await guest.shUntil('[ $(ls -d /sys/class/scsi_device/*:0:0:16 | wc -l) = 2 ]');
      await qmp.execute('device_del', { id: 'plug' });
      await guest.shUntil('[ $(ls -d /sys/class/scsi_device/*:0:0:16 | wc -l) = 1 ]');
      // The chardev is free when the device is gone in QEMU, too.
      for (let i = 0; ; i += 1) {
        try {
          await qmp.execute('chardev-remove', { id: 'plug-socket' });
          return;
        } catch (error) {
          if (i === 100) throw error;
          await sleep(100);
        }
      }
    };
    const mappings = storage.guestMappings().length;
    const settled = async (): Promise<readonly [number, number]> => {
      const begin = performance.now();
      for (let i = 0; i < 600 && storage.guestMappings().length > mappings; i += 1) {
        if (i === 60) note(`a guest that left is still there: ${await guests()}\n${storage.log}`);
        await sleep(50);
      }
      const ms = performance.now() - begin;
      if (ms > SOON_MS) note(`the last guest was let go after ${ms.toFixed(0)} ms`);
      return [storage.descriptors().length, storage.guestMappings().length];
    };
    const guests = async (): Promise<string> => JSON.stringify(await storage.call('guest.list'));
    await cycle();
    const before = await settled();
    const resident = storage.residentBytes();
    for (let i = 0; i < CYCLES; i += 1) await cycle();
    assert.deepEqual(await settled(), before);
    const grownMib = (storage.residentBytes() - resident) / MIB;
    assert.ok(grownMib < 24, `resident memory grew by ${grownMib.toFixed(1)} MiB`);
  });
});
