/** Ends without a warning: a guest killed in the middle of its writes, and a daemon that is told to stop under running guests. */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DaemonStorage } from './support/daemon-storage.ts';
import { Guest } from './support/guest.ts';

const MIB = 1024 * 1024;

describe('ends', () => {
  let storage: DaemonStorage;
  const guests: Guest[] = [];

  before(async () => {
    storage = await DaemonStorage.start([
      { lun: 0, sizeMiB: 64 },
      { lun: 1, sizeMiB: 64 },
    ]);
    const boot = (): Promise<Guest> => Guest.boot({ options: storage.adapter() });
    guests.push(...(await Promise.all([boot(), boot()])));
  });

  after(async () => {
    for (const guest of guests) await guest.kill();
    await storage?.end();
  });

  it('a guest killed mid-write costs the other one nothing, and leaves nothing behind', async () => {
    const [survivor, victim] = guests as [Guest, Guest];
    const mappings = storage.guestMappings().length;
    const work = survivor.sh(
      `head -c 16777216 /dev/urandom > /tmp/data
      for i in 1 2 3 4 5 6; do
        dd if=/tmp/data of=$(disk 0) bs=64k conv=fsync
        echo 3 > /proc/sys/vm/drop_caches
        dd if=$(disk 0) bs=64k count=256 | cmp - /tmp/data
      done`,
    );
    victim
      .run('while true; do dd if=/dev/zero of=$(disk 1) bs=1M count=60 conv=fsync; done')
      .catch(() => undefined);
    await sleep(1500);
    await victim.kill();
    guests.splice(1, 1);
    await work;
    for (let i = 0; i < 100 && storage.guestMappings().length >= mappings; i += 1) await sleep(50);
    assert.ok(storage.guestMappings().length < mappings, 'its memory was let go');
    assert.doesNotMatch(await survivor.messages(), /I\/O error/);
  });

  it('SIGTERM: what a guest was told is durable is in the image, the daemon exits 0, the guest lives on', async () => {
    const [guest] = guests as [Guest];
    const sum = await guest.sh(
      `head -c 8388608 /dev/urandom > /tmp/last
      dd if=/tmp/last of=$(disk 0) bs=1M conv=fsync
      md5sum < /tmp/last | cut -d' ' -f1`,
    );
    assert.equal(await storage.stop('SIGTERM'), 0, storage.log);
    const image = readFileSync(storage.image(0)).subarray(0, 8 * MIB);
    assert.equal(
      createHash('md5').update(image).digest('hex'),
      sum.split('\n').at(-1),
      'the image has it',
    );
    assert.equal(await guest.sh('echo alive'), 'alive');
  });
});
