/** The blkif server process: one file, one client, the same store and the same reactor as the SCSI daemon's. */
import { closeSync, fstatSync, openSync, unlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import {
  acceptUnix,
  close,
  drainEventFd,
  EAGAIN,
  listenUnix,
  mapAnonymous,
  Poller,
  signalEventFd,
} from '../../src/libc.ts';
import { FileStore } from '../../src/luns/store/file.ts';
import { IoQueue } from '../../src/luns/store/io-queue.ts';
import { IoUring } from '../../src/reactor/io-uring.ts';
import { Reactor, type Source } from '../../src/reactor/reactor.ts';
import { Segments } from '../../src/scsi/segments.ts';
import { GuestMemory, MemoryRegion } from '../../src/transport/memory.ts';
import { accept, announce, type Guest } from './attachment.ts';
import { Backend } from './backend.ts';
import { GrantTable } from './grant-table.ts';
import { MAX_SEGMENTS, SECTOR_BYTES } from './request.ts';
import { ServerRing } from './ring.ts';

const RING_ENTRIES = 256;
const REGION_HANDLE = 0;

class RingSource implements Source {
  readonly doorbellFd: number;
  readonly #ring: ServerRing;
  readonly #backend: Backend;
  readonly #clientDoorbell: number;

  constructor(ring: ServerRing, backend: Backend, guest: Guest) {
    this.doorbellFd = guest.serverDoorbell;
    this.#ring = ring;
    this.#backend = backend;
    this.#clientDoorbell = guest.clientDoorbell;
  }

  poll(budget: number): number {
    return this.#backend.poll(budget);
  }

  flush(): void {
    if (!this.#backend.notify) return;
    this.#backend.notify = false;
    signalEventFd(this.#clientDoorbell);
  }

  arm(): boolean {
    return !this.#ring.arm();
  }

  /** An event index that was passed asks for nothing more. */
  disarm(): void {}
}

function waitForConnection(listener: number): number {
  const poller = new Poller();
  poller.add(listener);
  let socket = -EAGAIN;
  while (socket === -EAGAIN) {
    poller.wait(-1);
    socket = acceptUnix(listener);
  }
  poller.close();
  return socket;
}

/** Serves `file` to the first client that connects to `socketPath`, until it disconnects. */
export function serve(socketPath: string, file: string): void {
  const fd = openSync(file, 'r+');
  const fileRing = IoUring.open(RING_ENTRIES);
  const queue = fileRing === null ? null : new IoQueue(fileRing);
  const store = new FileStore({ fd, bytes: fstatSync(fd).size, readOnly: false, queue });
  const listener = listenUnix(socketPath, 1);
  process.send?.('listening');
  const socket = waitForConnection(listener);
  close(listener);
  unlinkSync(socketPath);
  const poller = new Poller();
  poller.add(socket);
  poller.wait(-1);
  poller.close();
  const guest = accept(socket);
  const region = new MemoryRegion(REGION_HANDLE, guest.mapping);
  const grants = new GrantTable(
    new GuestMemory([region]),
    REGION_HANDLE,
    guest.ringPages,
    guest.pages,
  );
  const ring = new ServerRing(guest.ring, guest.abi.requestBytes);
  const iovecs = mapAnonymous(ring.slots * Segments.iovecBytes(MAX_SEGMENTS));
  const backend = new Backend(
    ring,
    guest.abi,
    grants,
    { store, blockBytes: SECTOR_BYTES, readOnly: false },
    { words: new Uint32Array(iovecs.buffer), address: iovecs.address },
  );
  const reactor = new Reactor(availableParallelism());
  reactor.onTurn = () => {
    store.turn();
    return false;
  };
  if (queue !== null) {
    reactor.settle = () => queue.settle();
    reactor.watch(queue.fd, () => drainEventFd(queue.fd));
  }
  reactor.add(new RingSource(ring, backend, guest));
  reactor.watch(socket, () => reactor.stop());
  announce(socket, store.bytes / SECTOR_BYTES, false);
  reactor.run();
  closeSync(fd);
}

if (process.argv[1] === import.meta.filename) {
  const [, , socketPath, file] = process.argv;
  if (socketPath === undefined || file === undefined) {
    throw new RangeError('Cannot serve blkif: a socket path and a file are wanted');
  }
  serve(socketPath, file);
  process.disconnect?.();
}
