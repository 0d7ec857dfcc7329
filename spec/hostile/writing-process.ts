/** A guest that writes without end at depth 32 until it is killed. `node writing-process.js CONNECT FIRST-LBA` */
import { openInitiator } from '../../src/initiator/initiator.ts';

const DEPTH = 32;
const BLOCKS = 8;
const [connect, firstLba] = process.argv.slice(2);
const initiator = await openInitiator({ connect: connect as string, name: 'doomed' });
const disk = await initiator.disk(0);
const data = new Uint8Array(BLOCKS * disk.blockBytes).fill(0xdd);
process.stdout.write('writing\n');
for (;;) {
  const writes: Promise<unknown>[] = [];
  for (let i = 0; i < DEPTH; i += 1) writes.push(disk.write(Number(firstLba) + i * BLOCKS, data));
  await Promise.all(writes);
}
