/** Two guests on one disk, one killed in the middle of its writes: the other does not notice, the daemon forgets it wholly. */
import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BlockAccess } from '../../src/initiator/block-access.ts';
import { openInitiator } from '../../src/initiator/initiator.ts';
import { DaemonProcess } from '../support/daemon-process.ts';

const GUEST = join(dirname(fileURLToPath(import.meta.url)), 'pattern-guest.js');
/** The survivor's blocks; the victims write from VICTIM_LBA on. */
const BLOCKS = 4096;
const VICTIM_LBA = 8192;
const PIECE = 16;
const DEPTH = 32;
const KILLS = 5;

async function victim(connect: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [GUEST, connect, String(VICTIM_LBA)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data', { signal: AbortSignal.timeout(10_000) });
  return child;
}

/** Writes and verifies at depth 32 until told to stop; returns how many pieces were verified. */
async function workload(disk: BlockAccess, goesOn: () => boolean): Promise<number> {
  let verified = 0;
  const lane = async (i: number): Promise<void> => {
    const lba = i * (BLOCKS / DEPTH);
    for (let round = 0; goesOn(); round += 1) {
      const at = lba + (round % (BLOCKS / DEPTH / PIECE)) * PIECE;
      const data = new Uint8Array(PIECE * disk.blockBytes);
      const words = new Uint32Array(data.buffer);
      for (let w = 0; w < words.length; w += 1) words[w] = Math.imul(at + round, 0x9e3779b1) ^ w;
      await disk.write(at, data);
      assert.equal(Buffer.compare(await disk.read(at, PIECE), data), 0, `LBA ${at}`);
      verified += 1;
    }
  };
  await Promise.all(Array.from({ length: DEPTH }, (_, i) => lane(i)));
  return verified;
}

async function settled(daemon: DaemonProcess, guests: number): Promise<void> {
  for (let i = 0; i < 500; i += 1) {
    const list = (await daemon.call('guest.list')) as unknown[];
    if (list.length === guests) return;
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
  assert.fail('the daemon keeps a guest that is gone');
}

describe('two guests on one disk', () => {
  it('one killed by SIGKILL while it writes at depth 32, the other verified all the while', async function () {
    this.timeout(30_000);
    const daemon = await DaemonProcess.start(['0:disk,path=a.img,size=16M']);
    try {
      const survivor = await openInitiator({ connect: daemon.connect, name: 'survivor' });
      const disk = await survivor.disk(0);
      // One victim comes and goes before the counts are taken: what is made once stays.
      const first = await victim(daemon.connect);
      first.kill('SIGKILL');
      await once(first, 'exit');
      await settled(daemon, 1);
      const before = { descriptors: daemon.descriptors(), mappings: daemon.guestMappings() };
      const residentBefore = daemon.residentBytes();
      let going = true;
      const work = workload(disk, () => going);
      work.catch(() => undefined);
      for (let kill = 0; kill < KILLS; kill += 1) {
        const child = await victim(daemon.connect);
        child.kill('SIGKILL');
        await once(child, 'exit');
        await settled(daemon, 1);
      }
      going = false;
      assert.ok((await work) > DEPTH, 'the survivor worked');
      const after = { descriptors: daemon.descriptors(), mappings: daemon.guestMappings() };
      assert.deepEqual(after, before);
      assert.equal(before.mappings, 1, 'the region of the survivor');
      const grown = daemon.residentBytes() - residentBefore;
      assert.ok(grown < 32 * 2 ** 20, `the daemon grew by ${grown} bytes`);
      await survivor.close();
      await settled(daemon, 0);
      assert.equal(daemon.guestMappings(), 0);
      assert.equal(await daemon.kill('SIGTERM'), 0);
    } finally {
      await daemon.end();
    }
  });
});
