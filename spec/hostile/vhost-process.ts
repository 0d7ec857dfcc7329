/** A vhost-user guest of its own process: `node vhost-process.js SOCKET storm KICKS` kicks without end, `... write FIRST-LBA` writes until it is killed. */

import { FrontEnd, perform } from '../../src/initiator/vhost/front-end.ts';
import { lunField } from '../../src/initiator/vhost/scsi-driver.ts';
import { signalEventFd } from '../../src/libc.ts';

const DEPTH = 32;
const BLOCKS = 8;

const [path, what, count] = process.argv.slice(2);
const frontEnd = new FrontEnd(path as string, { requestQueues: 2, queueSize: 64 });
await perform(frontEnd, frontEnd.realize());
await perform(frontEnd, frontEnd.reset());
await perform(frontEnd, frontEnd.start());

function write(): void {
  const cdb = new Uint8Array([0x2a, 0, 0, 0, 0, 0, 0, 0, BLOCKS, 0]);
  new DataView(cdb.buffer).setUint32(2, Number(count));
  const dataOut = new Uint8Array(BLOCKS * 512).fill(0xdd);
  frontEnd.driver.submit({ lun: lunField(0), cdb, dataOut }, write);
}

process.stdout.write('at work\n');
if (what === 'storm') {
  for (let i = 0; i < Number(count); i += 1) {
    signalEventFd(frontEnd.descriptors[i % frontEnd.descriptors.length]?.kick as number);
  }
  frontEnd.end();
} else {
  for (let i = 0; i < DEPTH; i += 1) write();
  frontEnd.kick();
  const look = (): void => {
    frontEnd.serveInterrupts();
    setTimeout(look, 1);
  };
  look();
}
