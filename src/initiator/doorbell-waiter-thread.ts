/** Worker thread: blocks in one epoll over every doorbell and attach socket of the process and reports what woke it. */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { drainEventFd, Poller } from '../libc.ts';
import type { WaiterData, WaiterReport, WaiterRequest } from './doorbell-messages.ts';

interface Watch {
  readonly id: number;
  readonly callFds: readonly number[];
  readonly socketFd: number;
  socketWatched: boolean;
}

const { port, controlFd } = workerData as WaiterData;
const poller = new Poller();
const watches = new Map<number, Watch>();
const byFd = new Map<number, Watch>();

function report(to: MessagePort, message: WaiterReport): void {
  to.postMessage(message);
}

function watch(request: Extract<WaiterRequest, { kind: 'watch' }>): void {
  const entry: Watch = { ...request, socketWatched: true };
  watches.set(entry.id, entry);
  for (const fd of [...entry.callFds, entry.socketFd]) {
    byFd.set(fd, entry);
    poller.add(fd);
  }
}

function unwatch(id: number): void {
  const entry = watches.get(id);
  if (entry !== undefined) {
    watches.delete(id);
    for (const fd of entry.callFds) {
      byFd.delete(fd);
      poller.remove(fd);
    }
    if (entry.socketWatched) {
      byFd.delete(entry.socketFd);
      poller.remove(entry.socketFd);
    }
  }
  report(port, { kind: 'unwatched', id });
}

/** False when the thread is to end. */
function obey(): boolean {
  drainEventFd(controlFd);
  for (;;) {
    const received = receiveMessageOnPort(port);
    if (received === undefined) return true;
    const request = received.message as WaiterRequest;
    if (request.kind === 'end') return false;
    if (request.kind === 'watch') watch(request);
    else unwatch(request.id);
  }
}

function readable(fd: number): void {
  const entry = byFd.get(fd);
  if (entry === undefined) return;
  if (fd !== entry.socketFd) {
    // Drained before the report: whoever arms after it hears the next ring.
    drainEventFd(fd);
    report(port, { kind: 'wake', id: entry.id });
    return;
  }
  entry.socketWatched = false;
  byFd.delete(fd);
  poller.remove(fd);
  report(port, { kind: 'gone', id: entry.id });
}

function run(): void {
  poller.add(controlFd);
  for (;;) {
    const ready = poller.wait(-1);
    let controlled = false;
    for (let i = 0; i < ready; i += 1) {
      const fd = poller.readable(i);
      if (fd === controlFd) controlled = true;
      else readable(fd);
    }
    if (controlled && !obey()) return;
  }
}

run();
poller.close();
port.close();
