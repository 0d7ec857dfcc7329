/** Two guests on one logical unit: each reads what the other wrote, and is told what the other did to it. */
import { strict as assert } from 'node:assert';
import { DaemonStorage } from './support/daemon-storage.ts';
import { Guest } from './support/guest.ts';

describe('two guests on one disk', () => {
  let storage: DaemonStorage;
  let first: Guest;
  let second: Guest;

  before(async () => {
    storage = await DaemonStorage.start([{ lun: 0, sizeMiB: 64 }]);
    [first, second] = await Promise.all([
      Guest.boot({ options: storage.adapter() }),
      Guest.boot({ options: storage.adapter() }),
    ]);
  });

  after(async () => {
    await first?.kill();
    await second?.kill();
    await storage?.end();
  });

  it('one reads what the other wrote, both ways', async () => {
    for (const [writer, reader, word] of [
      [first, second, 'from the first'],
      [second, first, 'from the second'],
    ] as const) {
      await writer.sh(
        `yes '${word}' | head -c 1048576 > /tmp/written
        dd if=/tmp/written of=$(disk 0) bs=1M seek=3 conv=fsync`,
      );
      const seen = await reader.sh(
        `echo 3 > /proc/sys/vm/drop_caches
        dd if=$(disk 0) bs=1M skip=3 count=1 | head -c ${word.length}`,
      );
      assert.ok(seen.includes(word), seen);
    }
  });

  it('a reset by one is a unit attention to the other, once', async () => {
    const attention = 'sg_turs -v $(sg 0)';
    await second.shUntil('sg_turs $(sg 0)');
    await first.sh('sg_reset -d $(sg 0)');
    const told = await second.run(attention);
    assert.match(told.output, /nit.?attention/i);
    assert.match(told.output, /[Bb]us device reset|29|[Rr]eset/);
    assert.equal((await second.run(attention)).code, 0, 'it is said once');
  });
});
