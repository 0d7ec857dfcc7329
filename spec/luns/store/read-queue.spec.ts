/** Queued reads: over the kernel's io_uring, and over a scripted ring that completes late, short, or not at all. */
import { strict as assert } from 'node:assert';
import { openSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMemoryFile } from '../../../src/libc.ts';
import { FileStore } from '../../../src/luns/store/file.ts';
import { ReadQueue, type ReadRing } from '../../../src/luns/store/read-queue.ts';
import { IoUring } from '../../../src/reactor/io-uring.ts';
import { DONE, GONE, MEDIUM_READ, PENDING } from '../../../src/scsi/contracts.ts';
import { StoreRequest, temporaryDirectory } from '../store-request.ts';

const PAGE = 4096;
const EIO = 5;

/** A ring that remembers what it was given; the spec decides what completes, when and how. */
class ScriptedRing implements ReadRing {
  readonly fd = -1;
  readonly entries = 8;
  slot = 0;
  result = 0;
  readonly prepared: number[] = [];
  readonly submitted: number[] = [];
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

describe('luns/store/read-queue', () => {
  const directory = temporaryDirectory();
  const open: FileStore[] = [];
  let files = 0;

  function store(reads: ReadQueue, pages = 16): FileStore {
    files += 1;
    const path = join(directory, `${files}.img`);
    writeFileSync(
      path,
      Buffer.concat(Array.from({ length: pages }, (_, i) => Buffer.alloc(PAGE, i + 1))),
    );
    const fd = openSync(path, 'r+');
    const made = new FileStore({ fd, bytes: statSync(path).size, readOnly: false, reads });
    open.push(made);
    return made;
  }
  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });

  function queue(s: FileStore, page: number, bytes = PAGE, split = bytes): StoreRequest {
    const request = new StoreRequest(bytes, split);
    request.await(s.read(request.task, page * PAGE, bytes, request.segments));
    return request;
  }

  for (const count of [1, 3, 4, 16]) {
    it(`reads ${count} at a time from a real file, whole or in pieces`, function () {
      const ring = IoUring.open(16);
      if (ring === null) this.skip();
      const reads = new ReadQueue(ring as IoUring);
      const s = store(reads);
      const requests = Array.from({ length: count }, (_, i) =>
        queue(s, i, PAGE, i % 2 === 0 ? PAGE : 512),
      );
      assert.equal(reads.outstanding, count);
      for (let i = 0; i < 1e6 && reads.outstanding > 0; i += 1) reads.settle();
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
    const reads = new ReadQueue(ring);
    const s = store(reads);
    const requests = [0, 1, 2, 3].map((page) => queue(s, page));
    assert.equal(reads.settle(), false);
    assert.equal(ring.submitted.length, 4);
    assert.ok(requests.every(({ late }) => late.length === 0));
    ring.completions.push([ring.submitted[2] as number, PAGE], [ring.submitted[0] as number, PAGE]);
    assert.equal(reads.settle(), true);
    assert.deepEqual(
      requests.map(({ late }) => late),
      [[DONE], [], [DONE], []],
    );
    assert.equal(reads.outstanding, 2);
    ring.completions.push([ring.submitted[1] as number, -EIO], [ring.submitted[3] as number, PAGE]);
    reads.settle();
    assert.deepEqual(requests[1]?.late, [MEDIUM_READ]);
    assert.equal(requests[1]?.task.storedBytes, 0);
    assert.equal(reads.outstanding, 0);
    assert.equal(s.counters.reads, 3);
  });

  it('F6: a read that stopped short goes on where it stopped; a file that ended is gone', () => {
    const ring = new ScriptedRing();
    const reads = new ReadQueue(ring);
    const s = store(reads);
    const requests = [4, 5, 6, 7].map((page) => queue(s, page));
    reads.settle();
    truncateSync(join(directory, `${files}.img`), 6 * PAGE + 512);
    ring.completions.push(
      [ring.submitted[0] as number, 1000],
      [ring.submitted[1] as number, PAGE],
      [ring.submitted[2] as number, 512],
      [ring.submitted[3] as number, 0],
    );
    reads.settle();
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
    const reads = new ReadQueue(ring);
    const s = store(reads);
    const requests = [0, 1, 2, 3].map((page) => queue(s, page));
    reads.settle();
    assert.deepEqual(
      requests.map(({ late }) => late),
      [[], [DONE], [DONE], [DONE]],
    );
    assert.equal(requests[3]?.bytes[0], 4);
    ring.completions.push([ring.submitted[0] as number, PAGE]);
    reads.settle();
    assert.deepEqual(requests[0]?.late, [DONE]);
  });

  it('without room in the ring a read is done at once', () => {
    const ring = new ScriptedRing();
    const reads = new ReadQueue(ring);
    const s = store(reads);
    for (let i = 0; i < ring.entries; i += 1) queue(s, i);
    const more = new StoreRequest(PAGE);
    assert.equal(s.read(more.task, 0, PAGE, more.segments), DONE);
    assert.equal(more.bytes[0], 1);
    reads.settle();
    for (const slot of ring.submitted) ring.completions.push([slot, PAGE]);
    reads.settle();
  });

  it('a read that the end of another one lets in is done in the same settling', () => {
    const ring = new ScriptedRing();
    const reads = new ReadQueue(ring);
    const s = store(reads);
    const next = new StoreRequest(PAGE);
    const first = new StoreRequest(PAGE);
    assert.equal(s.read(first.task, 0, PAGE, first.segments), PENDING);
    first.task.await(PENDING, () => next.await(s.read(next.task, PAGE, PAGE, next.segments)));
    reads.settle();
    assert.deepEqual(next.late, [DONE]);
    assert.equal(next.bytes[0], 2);
  });

  it('a file that cannot say whether a read has to wait is not queued: memory files', () => {
    const reads = new ReadQueue(new ScriptedRing());
    const fd = createMemoryFile('ringscsi-spec', PAGE);
    const s = new FileStore({ fd, bytes: PAGE, readOnly: false, reads });
    const request = new StoreRequest(PAGE);
    assert.equal(s.read(request.task, 0, PAGE, request.segments), DONE);
    s.close();
  });
});
