/** T1: what a request says may change while it is read; the device works on one copy of it, or breaks off, and nobody else notices. */
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Seeded } from '../control/seeded.ts';
import type { FlippingOrder } from './flipping-writer.ts';
import { REQUESTS, Rig } from './rig.ts';

const SCRIPT = new URL('./flipping-writer.js', import.meta.url);
const ROUNDS = 20_000;
const BLOCK = 512;

describe('memory that changes under the device', () => {
  it('T1: descriptors, tables, rings and headers flip while they are read', async function () {
    this.timeout(60_000);
    const seeded = new Seeded();
    const neighbour = new Rig({ identity: 'vhost:neighbour' }).clear();
    neighbour.bed.store.memory.fill(0x3c, 0, BLOCK);
    let rig = new Rig({ bed: neighbour.bed, identity: 'vhost:hostile' });
    let broken = 0;
    let answered = 0;
    for (let done = 0; done < ROUNDS; ) {
      const word = new Int32Array(new SharedArrayBuffer(4));
      const order: FlippingOrder = {
        fd: rig.guest.fd,
        bytes: rig.guest.bytes,
        ranges: [
          [rig.driver(REQUESTS).desc, rig.driver(REQUESTS).desc + 32 * 16],
          [rig.driver(REQUESTS).avail, rig.driver(REQUESTS).avail + 8],
          [0x10000, 0x10000 + 51],
          [0x16800, 0x16800 + 64],
        ],
        seed: seeded.below(2 ** 31),
        word,
      };
      const worker = new Worker(SCRIPT, { workerData: order });
      while (Atomics.load(word, 0) === 0) await new Promise((next) => setImmediate(next));
      for (; done < ROUNDS && rig.broken.length === 0; done += 1) {
        // Only the first head is used: what flips is what is read.
        const driver = rig.driver(REQUESTS);
        const before = driver.usedIndex;
        rig.offerAgain('28 00 00 00 00 00 00 00 01 00', { in: BLOCK });
        rig.device.poll(REQUESTS, 4);
        rig.device.flush(REQUESTS);
        if (driver.usedIndex !== before) answered += 1;
      }
      Atomics.store(word, 0, 2);
      await once(worker, 'exit');
      for (const reason of rig.broken) assert.match(reason, /^virtqueue 2: \S/);
      broken += rig.broken.length;
      assert.equal(rig.device.idle(), true, `seed ${seeded.seed}`);
      rig.end();
      rig = new Rig({ bed: neighbour.bed, identity: 'vhost:hostile' });
      if (broken > 30) break;
    }
    assert.ok(answered > 0, `seed ${seeded.seed}`);
    const read = neighbour.run('28 00 00 00 00 00 00 00 01 00', { in: BLOCK });
    assert.deepEqual([read.status, read.response], [0, 0]);
    assert.deepEqual(neighbour.bed.internalErrors, []);
    rig.end();
    neighbour.end();
  });
});
