/** Guests of other shapes: memory in two regions, two processors with a queue each, many writes at once. */
import { strict as assert } from 'node:assert';
import { createHash, randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { DaemonStorage } from './support/daemon-storage.ts';
import { Guest } from './support/guest.ts';
import { startStorage } from './support/start-storage.ts';
import type { Storage } from './support/storage.ts';

const MIB = 1024 * 1024;

describe('guest shapes', () => {
  let storage: Storage;
  let guest: Guest | null = null;
  let sum = '';

  before(async () => {
    storage = await startStorage([
      { lun: 0, sizeMiB: 64 },
      { lun: 1, sizeMiB: 256 },
    ]);
    const content = randomFillSync(Buffer.alloc(64 * MIB));
    writeFileSync(storage.image(0), content, { flag: 'r+' });
    sum = createHash('md5').update(content).digest('hex');
  });

  afterEach(async () => {
    await guest?.kill();
    guest = null;
  });

  after(async () => {
    await storage?.end();
  });

  /** Reads LUN 0 into buffers of the reader, a megabyte a time. */
  const READ = 'dd if=$(disk 0) bs=1M iflag=direct 2>/dev/null | md5sum | cut -c1-32';
  /** Free pages of the zone above 4 GiB. */
  const FREE_HIGH = `awk '/zone +Normal/ { seen = 1 } seen && /pages free/ { print $3; exit }' /proc/zoneinfo`;

  it('3 GiB in two regions: buffers below and above 4 GiB', async () => {
    guest = await Guest.boot({ memoryMiB: 3072, options: storage.adapter() });
    assert.match(await guest.sh('dmesg; cat /proc/iomem'), /100000000-13fffffff : System RAM/);
    if (storage instanceof DaemonStorage) assert.equal(storage.guestMappings().length >= 2, true);
    const high = Number(await guest.sh(FREE_HIGH));
    assert.ok(high > 0, 'memory above 4 GiB');
    assert.equal(await guest.sh(READ), sum);
    // The kernel takes pages above 4 GiB first. When those are gone, buffers lie below.
    await guest.sh(
      'mount -o remount,size=90% /tmp; dd if=/dev/zero of=/tmp/fill bs=1M count=1400 2>/dev/null',
    );
    const left = Number(await guest.sh(FREE_HIGH));
    assert.ok(left < high / 8, `${left} of ${high} pages above 4 GiB are still free`);
    assert.equal(await guest.sh(READ), sum);
  });

  it('two processors use a queue each', async () => {
    guest = await Guest.boot({ cpus: 2, options: storage.adapter({ queues: 2 }) });
    const name = (await guest.sh('disk 0')).replace('/dev/', '');
    const queues = await guest.sh(`for q in /sys/block/${name}/mq/*; do cat $q/cpu_list; done`);
    assert.deepEqual(queues.split('\n'), ['0', '1']);
    const interrupts = `awk '/virtio[0-9]+-request/ { print $2 + $3 }' /proc/interrupts`;
    const before = (await guest.sh(interrupts)).split('\n').map(Number);
    assert.equal(before.length, 2, 'two request queues');
    const read = READ.replace('dd ', 'taskset $cpu dd ');
    const sums = await Promise.all(['1', '2'].map((mask) => guest?.sh(`cpu=${mask}; ${read}`)));
    assert.deepEqual(sums, [sum, sum]);
    const after = (await guest.sh(interrupts)).split('\n').map(Number);
    for (const [i, number] of after.entries()) {
      assert.ok(number >= (before[i] ?? 0) + 32, `queue ${i}: ${before[i]} → ${number} interrupts`);
    }
  });

  it('fio finds every random write where it belongs', async () => {
    guest = await Guest.boot({ image: 'fio', cpus: 2, options: storage.adapter({ queues: 2 }) });
    const said = await guest.sh(
      `fio --name=verify --filename=$(disk 1) --rw=randwrite --bsrange=4k-128k --blockalign=4k \
        --size=128m --numjobs=2 --offset_increment=128m --ioengine=libaio --iodepth=32 --direct=1 \
        --verify=crc32c --verify_fatal=1 --do_verify=1 --randseed=20260101 --fsync=64 --group_reporting`,
      240_000,
    );
    assert.match(said, /err= 0/);
    assert.doesNotMatch(said, /verify: bad|crc32c: verify failed/);
  });
});
