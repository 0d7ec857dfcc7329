/** Resets under load, and a command that hangs until somebody ends it. */
import { strict as assert } from 'node:assert';
import { DaemonStorage } from './support/daemon-storage.ts';
import { Guest } from './support/guest.ts';

const HANG_MS = 600_000;

describe('resets', () => {
  let storage: DaemonStorage;
  let guest: Guest;

  before(async () => {
    storage = await DaemonStorage.start([{ lun: 0, sizeMiB: 64 }]);
    guest = await Guest.boot({ options: storage.adapter() });
  });

  after(async () => {
    await guest?.kill();
    await storage?.end();
  });

  it('sg_reset -d ten times under load: the load ends without an error, every block where it belongs', async () => {
    await guest.sh('head -c 33554432 /dev/urandom > /tmp/data; md5sum < /tmp/data > /tmp/sum');
    const load = guest.sh(
      `for i in 1 2 3; do
        dd if=/tmp/data of=$(disk 0) bs=64k conv=fsync
        echo 3 > /proc/sys/vm/drop_caches
        dd if=$(disk 0) bs=64k count=512 | md5sum > /tmp/back
        cmp /tmp/sum /tmp/back
      done`,
    );
    for (let i = 0; i < 10; i += 1) await guest.sh('sg_reset -d $(sg 0); usleep 200000');
    await load;
    assert.match(storage.log, /task management function 5 for LUN 0/, 'LOGICAL UNIT RESET');
  });

  it('a command that hangs is ended by a reset (virtio_scsi re-arms command timeouts and never aborts by itself)', async () => {
    await storage.call('inject.set', {
      lun: 0,
      rules: [{ operation: 'read', firstLba: 8, lastLba: 8, delayMs: HANG_MS }],
    });
    const hung = guest.run('sg_raw -t 1 -r 512 $(sg 0) 28 00 00 00 00 08 00 00 01 00', 60_000);
    // It waits although its timeout of a second is over.
    await guest.sh('sleep 3; ps | grep -q "[s]g_raw"');
    await guest.sh('sg_reset -d $(sg 0)');
    await hung;
    await storage.call('inject.clear', { lun: 0 });
    await guest.shUntil('sg_turs $(sg 0)');
    await guest.sh('sg_raw -r 512 $(sg 0) 28 00 00 00 00 08 00 00 01 00');
  });
});
