/** A second process: attaches to the socket it is given and streams numbered elements, sleeping and lingering at random. */
import { drainEventFd, Poller } from '../../../src/libc.ts';
import { connectRing } from '../../../src/transport/ring/connector.ts';
import { emptyElement } from './rig.ts';

const [path = '', countText = '0', seedText = '1'] = process.argv.slice(2);
const count = Number(countText);

let seed = Number(seedText);
function random(below: number): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
}

function linger(): void {
  const until = performance.now() + random(60) / 1000;
  while (performance.now() < until);
}

/** Exit codes tell the parent what went wrong. */
const WRONG_ELEMENT = 3;
const LOST_WAKE_UP = 4;

const connection = await connectRing({
  path,
  name: `peer ${process.pid}`,
  commandEntries: 16,
  responseEntries: 32,
  regions: [{ handle: 0, bytes: 65536 }],
});
const pair = connection.queuePairs[0];
const callFd = connection.callFds[0];
if (pair === undefined || callFd === undefined) throw new Error('no queue pair');
const poller = new Poller();
poller.add(callFd);
const element = emptyElement();
let sent = 0;
let taken = 0;
let sleeps = 0;

function exchange(): boolean {
  if (pair === undefined) return false;
  let moved = false;
  for (let batch = random(8); batch > 0 && sent < count && sent - taken < 16; batch -= 1) {
    if (!pair.send(0x80, 1, 0, 0, 48, sent ^ 0x5a5a, sent)) break;
    sent += 1;
    moved = true;
  }
  pair.flush();
  while (pair.take(element)) {
    if (element.low !== taken || element.high !== (taken ^ 0x5a5a)) process.exit(WRONG_ELEMENT);
    taken += 1;
    moved = true;
  }
  return moved;
}

while (taken < count) {
  const moved = exchange();
  if (random(10) === 0) linger();
  // Asleep only when no more can be sent, for then only the other end can bring news.
  if (moved || (sent < count && sent - taken < 16) || !pair.arm()) continue;
  sleeps += 1;
  if (poller.wait(5000) === 0) process.exit(LOST_WAKE_UP);
  drainEventFd(callFd);
  pair.disarm();
}
process.stdout.write(JSON.stringify({ sent, taken, sleeps, rings: pair.rings }));
connection.close();
