/** Queued reads and syncs: over the kernel's io_uring, and over a scripted ring that completes late, short, or not at all. */
import { strict as assert } from 'node:assert';
import { openSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMemoryFile, drainEventFd, Poller } from '../../../src/libc.ts';
import { FileStore } from '../../../src/luns/store/file.ts';
import { IoQueue, type IoRing } from '../../../src/luns/store/io-queue.ts';
import { IoUring } from '../../../src/reactor/io-uring.ts';
import { DONE, GONE, MEDIUM_READ, MEDIUM_WRITE, PENDING } from '../../../src/scsi/contracts.ts';
import { engineWith, StoreRequest, temporaryDirectory } from '../store-request.ts';

const PAGE = 4096;
const EIO = 5;
const EOPNOTSUPP = 95;

/** A ring that remembers what it was given; the spec decides what completes, when and how. */
class ScriptedRing implements IoRing {
  readonly fd = -1;
  readonly entries = 8;
  slot = 0;
  result = 0;
  readonly prepared: number[] = [];
  readonly submitted: number[] = [];
  readonly syncs: number[] = [];
  readonly completions: [slot: number, result: number][] = [];
  /** How many the kernel takes in one call of `submit`. */
  takes = Number.POSITIVE_INFINITY;

  registerFile(): number {
    return 3;
  }
  unregisterFile(): void {}
  prepareRead(slot: number, file: number): void {
    assert.equal(file, 3);
    this.prepared.push(slot);
  }
  prepareReadVector(slot: number): void {
    this.prepared.push(slot);
  }
  prepareSync(slot: number, file: number): void {
    assert.equal(file, 3);
    this.prepared.push(slot);
    this.syncs.push(slot);
  }
  submit(): number {
    while (this.prepared.length > 0 && this.takes > 0) {
      this.submitted.push(this.prepared.shift() as number);
      this.takes -= 1;
    }
    return this.prepared.length;
  }
  withdraw(): number {
    return this.prepared.pop() as number;
  }
  reap(): boolean {
    const next = this.completions.shift();
    if (next === undefined) return false;
    [this.slot, this.result] = next;
    return true;
  }
}

describe('luns/store/io-queue', () => {
  const directory = temporaryDirectory();
  const open: FileStore[] = [];
  let files = 0;

  function store(queue: IoQueue, pages = 16): FileStore {
    files += 1;
    const path = join(directory, `${files}.img`);
    writeFileSync(
      path,
      Buffer.concat(Array.from({ length: pages }, (_, i) => Buffer.alloc(PAGE, i + 1))),
    );
    const fd = openSync(path, 'r+');
    const made = new FileStore({ fd, bytes: statSync(path).size, readOnly: false, queue });
    open.push(made);
    return made;
  }
  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });

  function queued(s: FileStore, page: number, bytes = PAGE, split = bytes): StoreRequest {
    const request = new StoreRequest(bytes, split);
    request.await(s.read(request.task, page * PAGE, bytes, request.segments));
    return request;
  }

  for (const count of [1, 3, 4, 16]) {
    it(`reads ${count} at a time from a real file, whole or in pieces`, function () {
      const ring = IoUring.open(16);
      if (ring === null) this.skip();
      const io = new IoQueue(ring as IoUring);
      const s = store(io);
      const requests = Array.from({ length: count }, (_, i) =>
        queued(s, i, PAGE, i % 2 === 0 ? PAGE : 512),
      );
      assert.equal(io.outstanding, count);
      for (let i = 0; i < 1e6 && io.outstanding > 0; i += 1) io.settle();
      requests.forEach((request, i) => {
        assert.deepEqual(request.late, [DONE]);
        assert.ok(request.bytes.every((byte) => byte === i + 1));
      });
      assert.equal(s.counters.reads, count);
      open.splice(0)[0]?.close();
      (ring as IoUring).close();
    });
  }

  it('a read that must wait for its device ends later, once, and is told to be late', () => {
    const ring = new ScriptedRing();
    const io = new IoQueue(ring);
    const s = store(io);
    const requests = [0, 1, 2, 3].map((page) => queued(s, page));
    assert.equal(io.settle(), false);
    assert.equal(ring.submitted.length, 4);
    assert.ok(requests.every(({ late }) => late.length === 0));
    ring.completions.push([ring.submitted[2] as number, PAGE], [ring.submitted[0] as number, PAGE]);
    assert.equal(io.settle(), true);
    assert.deepEqual(
      requests.map(({ late }) => late),
      [[DONE], [], [DONE], []],
    );
    assert.equal(io.outstanding, 2);
    ring.completions.push([ring.submitted[1] as number, -EIO], [ring.submitted[3] as number, PAGE]);
    io.settle();
    assert.deepEqual(requests[1]?.late, [MEDIUM_READ]);
    assert.equal(requests[1]?.task.storedBytes, 0);
    assert.equal(io.outstanding, 0);
    assert.equal(s.counters.reads, 3);
  });

  it('K16 F6: a read that stopped short goes on where it stopped; a file that ended is gone', () => {
    const ring = new ScriptedRing();
    const io = new IoQueue(ring);
    const s = store(io);
    const requests = [4, 5, 6, 7].map((page) => queued(s, page));
    io.settle();
    truncateSync(join(directory, `${files}.img`), 6 * PAGE + 512);
    ring.completions.push(
      [ring.submitted[0] as number, 1000],
      [ring.submitted[1] as number, PAGE],
      [ring.submitted[2] as number, 512],
      [ring.submitted[3] as number, 0],
    );
    io.settle();
    assert.deepEqual(
      requests.map(({ late }) => late),
      [[DONE], [DONE], [GONE], [GONE]],
    );
    assert.equal(requests[0]?.bytes[PAGE - 1], 5, 'the rest was read');
    assert.equal(requests[2]?.task.storedBytes, 512);
  });

  it('what the kernel does not take is read by the system call', () => {
    const ring = new ScriptedRing();
    ring.takes = 1;
    const io = new IoQueue(ring);
    const s = store(io);
    const requests = [0, 1, 2, 3].map((page) => queued(s, page));
    io.settle();
    assert.deepEqual(
      requests.map(({ late }) => late),
      [[], [DONE], [DONE], [DONE]],
    );
    assert.equal(requests[3]?.bytes[0], 4);
    ring.completions.push([ring.submitted[0] as number, PAGE]);
    io.settle();
    assert.deepEqual(requests[0]?.late, [DONE]);
  });

  it('without room in the ring a read is done at once', () => {
    const ring = new ScriptedRing();
    const io = new IoQueue(ring);
    const s = store(io);
    for (let i = 0; i < ring.entries; i += 1) queued(s, i);
    const more = new StoreRequest(PAGE);
    assert.equal(s.read(more.task, 0, PAGE, more.segments), DONE);
    assert.equal(more.bytes[0], 1);
    io.settle();
    for (const slot of ring.submitted) ring.completions.push([slot, PAGE]);
    io.settle();
  });

  it('a read that the end of another one lets in is done in the same settling', () => {
    const ring = new ScriptedRing();
    const io = new IoQueue(ring);
    const s = store(io);
    const next = new StoreRequest(PAGE);
    const first = new StoreRequest(PAGE);
    assert.equal(s.read(first.task, 0, PAGE, first.segments), PENDING);
    first.task.await(PENDING, () => next.await(s.read(next.task, PAGE, PAGE, next.segments)));
    io.settle();
    assert.deepEqual(next.late, [DONE]);
    assert.equal(next.bytes[0], 2);
  });

  function flush(s: FileStore): StoreRequest {
    const request = new StoreRequest(512);
    request.await(s.flush(request.task));
    return request;
  }

  it('a flush ends when the kernel says so; those that come meanwhile share the next one', () => {
    const ring = new ScriptedRing();
    const io = new IoQueue(ring);
    const s = store(io);
    const first = flush(s);
    const alongside = queued(s, 0);
    io.settle();
    assert.equal(ring.syncs.length, 1);
    const later = [flush(s), flush(s), flush(s)];
    io.settle();
    assert.equal(ring.syncs.length, 1, 'a sync that has started may miss their writes');
    ring.completions.push([ring.syncs[0] as number, 0]);
    io.settle();
    assert.deepEqual(first.late, [DONE]);
    assert.ok(later.every(({ late }) => late.length === 0));
    assert.equal(ring.syncs.length, 2);
    ring.completions.push([ring.syncs[1] as number, 0]);
    io.settle();
    assert.ok(later.every(({ late }) => late.length === 1 && late[0] === DONE));
    assert.deepEqual(alongside.late, [DONE]);
    assert.equal(s.counters.flushes, 4);
  });

  it('F5: a failed sync fails for all it served and for all that come, never only once', () => {
    const ring = new ScriptedRing();
    const io = new IoQueue(ring);
    const s = store(io);
    const first = flush(s);
    io.settle();
    const second = flush(s);
    ring.completions.push([ring.syncs[0] as number, -EIO]);
    io.settle();
    assert.deepEqual([first.late, second.late], [[MEDIUM_WRITE], [MEDIUM_WRITE]]);
    const third = new StoreRequest(512);
    assert.equal(s.flush(third.task), MEDIUM_WRITE);
    assert.equal(s.write(third.task, 0, 512, third.segments, true), MEDIUM_WRITE);
    assert.equal(s.write(third.task, 0, 512, third.segments, false), DONE);
  });

  it('K01 a durable write is written at once and answered when a sync that started afterwards has ended', () => {
    const ring = new ScriptedRing();
    const io = new IoQueue(ring);
    const s = store(io);
    const write = new StoreRequest(PAGE).fill(7);
    write.await(s.write(write.task, PAGE, PAGE, write.segments, true));
    assert.deepEqual(
      new Uint8Array(readFileSync(join(directory, `${files}.img`)).subarray(PAGE, 2 * PAGE)),
      write.bytes,
    );
    io.settle();
    assert.deepEqual(write.late, []);
    ring.completions.push([ring.syncs[0] as number, 0]);
    io.settle();
    assert.deepEqual(write.late, [DONE]);
  });

  it('a sync the kernel does not take is done by the system call; without room, too', () => {
    const ring = new ScriptedRing();
    ring.takes = 0;
    const io = new IoQueue(ring);
    const s = store(io);
    const refused = flush(s);
    io.settle();
    assert.deepEqual(refused.late, [DONE]);
    ring.takes = Number.POSITIVE_INFINITY;
    for (let i = 0; i < ring.entries; i += 1) queued(s, i);
    const full = new StoreRequest(512);
    assert.equal(s.flush(full.task), DONE);
    io.settle();
    for (const slot of ring.submitted) ring.completions.push([slot, PAGE]);
    io.settle();
  });

  it('a real flush of a real file wakes whoever polls the ring', function () {
    const ring = IoUring.open(16);
    if (ring === null) this.skip();
    const io = new IoQueue(ring as IoUring);
    const s = store(io);
    const poller = new Poller();
    poller.add(io.fd);
    const request = flush(s);
    io.settle();
    for (let i = 0; i < 100 && request.late.length === 0; i += 1) {
      poller.wait(1000);
      drainEventFd(io.fd);
      io.settle();
    }
    assert.deepEqual(request.late, [DONE]);
    drainEventFd(io.fd);
    assert.equal(poller.wait(0), 0);
    poller.close();
    open.splice(0)[0]?.close();
    (ring as IoUring).close();
  });

  it('attaching a file reads nothing of it into the zeros that are written where ranges cannot be zeroed', () => {
    const io = new IoQueue(new ScriptedRing());
    store(io);
    const path = join(directory, `${files}.img`);
    const engine = engineWith({ zero: () => -EOPNOTSUPP });
    const options = { bytes: statSync(path).size, readOnly: false, queue: io, engine };
    const s = new FileStore({ ...options, fd: openSync(path, 'r+') });
    open.push(s);
    const request = new StoreRequest(512);
    assert.equal(s.writeZeroes(request.task, 3 * PAGE + 512, 8 * PAGE, false), DONE);
    const zeroed = readFileSync(path).subarray(3 * PAGE + 512, 11 * PAGE + 512);
    assert.ok(zeroed.every((byte) => byte === 0));
  });

  it('a file that cannot say whether a read has to wait is not queued: memory files', () => {
    const io = new IoQueue(new ScriptedRing());
    const fd = createMemoryFile('ringscsi-spec', PAGE);
    const s = new FileStore({ fd, bytes: PAGE, readOnly: false, queue: io });
    const request = new StoreRequest(PAGE);
    assert.equal(s.read(request.task, 0, PAGE, request.segments), DONE);
    s.close();
  });
});
