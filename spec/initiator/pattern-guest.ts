/** A guest process of the specs: writes without end at depth 32, until somebody ends it. */
import { openInitiator } from '../../src/initiator/initiator.ts';

const DEPTH = 32;
const BLOCKS = 16;

const [connect = '', first = '0'] = process.argv.slice(2);
const initiator = await openInitiator({ connect, name: 'victim' });
const disk = await initiator.disk(0);
let written = 0;

async function lane(i: number): Promise<void> {
  const data = new Uint8Array(BLOCKS * disk.blockBytes).fill(i + 1);
  for (;;) {
    await disk.write(Number(first) + i * BLOCKS, data);
    written += 1;
    if (written === 10 * DEPTH) process.stdout.write('writing\n');
  }
}

await Promise.all(Array.from({ length: DEPTH }, (_, i) => lane(i)));
