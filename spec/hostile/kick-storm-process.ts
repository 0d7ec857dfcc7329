/** A guest that does nothing but ring: kicks its target's doorbell as fast as it can. `node kick-storm-process.js SOCKET KICKS` */
import { readdirSync, readlinkSync } from 'node:fs';
import { signalEventFd } from '../../src/libc.ts';
import { connectRing } from '../../src/transport/ring/connector.ts';

const EVENT_FD = 'anon_inode:[eventfd]';

function eventFds(): number[] {
  const isEventFd = (fd: string): boolean => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === EVENT_FD;
    } catch {
      return false;
    }
  };
  return readdirSync('/proc/self/fd').filter(isEventFd).map(Number);
}

const [path, kicks] = process.argv.slice(2);
const before = new Set(eventFds());
const ring = await connectRing({ path: path as string, name: 'storm' });
const [doorbell] = eventFds().filter((fd) => !before.has(fd) && !ring.callFds.includes(fd));
process.stdout.write('kicking\n');
for (let i = 0; i < Number(kicks); i += 1) signalEventFd(doorbell as number);
ring.close();
