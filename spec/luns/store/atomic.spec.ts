/** Atomic writes of the file store: the journal beside the image, what is done about it at the next start, and failures. */
import { strict as assert } from 'node:assert';
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { EIO, ENOSPC } from '../../../src/libc.ts';
import { DiskFileError, lockOpened, openDiskFile } from '../../../src/luns/open.ts';
import { AtomicJournal, journalBeside } from '../../../src/luns/store/atomic-journal.ts';
import { FileStore } from '../../../src/luns/store/file.ts';
import { type IoEngine, systemCalls } from '../../../src/luns/store/io-engine.ts';
import { MemoryStore } from '../../../src/luns/store/memory.ts';
import { DONE, FULL, MEDIUM_WRITE, type StoreReply } from '../../../src/scsi/contracts.ts';
import { engineWith, StoreRequest, temporaryDirectory } from '../store-request.ts';

const IMAGE_BYTES = 256 * 1024;
const AT = 4096;
const LENGTH = 20_480;

/** Calls of an atomic write in its order, `failing` the one that fails (`write 2` is the second), and everything after it dead. */
class ScriptedEngine {
  readonly calls: string[] = [];
  readonly engine: IoEngine;
  readonly #counts = new Map<string, number>();

  constructor(image: () => number, failing: string, failure = -EIO) {
    const named = (kind: string, fd: number): string => {
      const name = `${kind} ${fd === image() ? 'image' : 'journal'}`;
      const count = (this.#counts.get(name) ?? 0) + 1;
      this.#counts.set(name, count);
      this.calls.push(name);
      return `${name} ${count}`;
    };
    this.engine = engineWith({
      write: (fd, iov, count, position, durable) =>
        named('write', fd) === failing
          ? failure
          : systemCalls.write(fd, iov, count, position, durable),
      sync: (fd) => (named('sync', fd) === failing ? failure : systemCalls.sync(fd)),
    });
  }
}

describe('atomic writes of a file store', () => {
  const directory = temporaryDirectory();
  let count = 0;

  function newImage(): string {
    count += 1;
    const path = join(directory, `${count}.img`);
    writeFileSync(path, new Uint8Array(IMAGE_BYTES).fill(0x11));
    return path;
  }

  function storeOn(path: string, engine: IoEngine = systemCalls): FileStore {
    const fd = openSync(path, 'r+');
    const journal = new AtomicJournal(fd, journalBeside(path), engine);
    const traits = { canDiscard: false, discardBytes: 4096, watched: true };
    return new FileStore({ fd, bytes: IMAGE_BYTES, readOnly: false, engine, journal }, traits);
  }

  function scripted(path: string, failing: string, failure = -EIO) {
    const script = new ScriptedEngine(() => store.fd, failing, failure);
    const store: FileStore = storeOn(path, script.engine);
    return { store, script };
  }

  const request = new StoreRequest(LENGTH, 3000).fill(7);
  const writeTo = (store: FileStore): StoreReply =>
    store.writeAtomic(request.task, AT, LENGTH, request.segments);
  const reopen = (path: string, readOnly = false): void =>
    closeSync(openDiskFile({ lun: 0, path, blockBytes: 512, readOnly }).fd);
  const isNew = (path: string): boolean =>
    readFileSync(path)
      .subarray(AT, AT + LENGTH)
      .equals(request.bytes.subarray(0, LENGTH));
  const isOld = (path: string): boolean => readFileSync(path).every((byte) => byte === 0x11);

  /** What a power cut leaves that comes when the record is whole and the image has only half of it. */
  function cutInPlace(): string {
    const path = newImage();
    const { store } = scripted(path, 'sync image 1');
    assert.equal(writeTo(store), MEDIUM_WRITE);
    store.close();
    const bytes = readFileSync(path);
    bytes.fill(0x11, AT + 8192);
    writeFileSync(path, bytes);
    assert.ok(!isNew(path) && !isOld(path));
    return path;
  }

  it('record, sync, image, sync, clear, sync: in this order', () => {
    const path = newImage();
    const { store, script } = scripted(path, '');
    assert.equal(writeTo(store), DONE);
    assert.deepEqual(script.calls, [
      'write journal',
      'sync journal',
      'write image',
      'sync image',
      'write journal',
      'sync journal',
    ]);
    assert.ok(isNew(path));
    assert.equal(store.counters.bytesWritten, LENGTH);
    assert.ok(existsSync(`${path}.atomic`));
    store.close();
    assert.ok(!existsSync(`${path}.atomic`), 'an empty journal goes with the disk');
  });

  it('an interrupted one is finished when the image is opened, once', () => {
    const path = cutInPlace();
    reopen(path);
    assert.ok(isNew(path));
    assert.ok(!existsSync(`${path}.atomic`));
  });

  it('a record that is not whole is no record', () => {
    const path = cutInPlace();
    const before = readFileSync(path);
    const record = readFileSync(`${path}.atomic`);
    for (const cut of [100, 4096, 4096 + LENGTH - 1]) {
      writeFileSync(`${path}.atomic`, record.subarray(0, cut));
      reopen(path);
      assert.deepEqual(readFileSync(path), before, `cut at ${cut}`);
    }
    const flipped = record.slice();
    flipped[4096 + 5] = (flipped[4096 + 5] ?? 0) ^ 1;
    writeFileSync(`${path}.atomic`, flipped);
    reopen(path);
    assert.deepEqual(readFileSync(path), before);
  });

  it('the record of another file is not applied: an image may have been replaced', () => {
    const path = cutInPlace();
    copyFileSync(path, `${path}.copy`);
    renameSync(`${path}.copy`, path);
    const before = readFileSync(path);
    reopen(path);
    assert.deepEqual(readFileSync(path), before);
    assert.ok(!existsSync(`${path}.atomic`));
  });

  it('a new image does not inherit the record of an old one', () => {
    const path = cutInPlace();
    unlinkSync(path);
    const sizeBytes = IMAGE_BYTES;
    closeSync(openDiskFile({ lun: 0, path, blockBytes: 512, readOnly: false, sizeBytes }).fd);
    assert.ok(readFileSync(path).every((byte) => byte === 0));
    assert.ok(!existsSync(`${path}.atomic`));
  });

  it('an image with an interrupted one cannot be attached read-only', () => {
    const path = cutInPlace();
    assert.throws(
      () => reopen(path, true),
      (error) => error instanceof DiskFileError && error.code === 'ERR_IMAGE_READ_ONLY',
    );
    reopen(path);
    reopen(path, true);
  });

  it('what somebody else wrote since is not undone: a standby image drops the record', () => {
    const path = cutInPlace();
    const options = { lun: 0, path, blockBytes: 512, readOnly: false, standby: true };
    const { fd } = openDiskFile(options);
    const before = readFileSync(path);
    lockOpened(fd, options);
    assert.deepEqual(readFileSync(path), before);
    assert.ok(!existsSync(`${path}.atomic`));
    closeSync(fd);
  });

  it('no record, no write: a journal that cannot be written leaves the image alone', () => {
    for (const failing of ['write journal 1', 'sync journal 1']) {
      const path = newImage();
      const { store } = scripted(path, failing, -ENOSPC);
      assert.equal(writeTo(store), FULL, failing);
      assert.ok(isOld(path));
      assert.equal(writeTo(store), DONE, 'the next one works');
      store.close();
    }
  });

  it('a failure in place puts back what was there', () => {
    const path = newImage();
    const fd: { now: number } = { now: -1 };
    let writes = 0;
    const engine = engineWith({
      write(to, iov, n, position, durable) {
        if (to !== fd.now) return systemCalls.write(to, iov, n, position, durable);
        writes += 1;
        if (writes === 2) return -ENOSPC;
        // The first one writes 8192 bytes and stops: as a file system does that fills up.
        const first = new StoreRequest(8192).fill(9);
        if (writes > 1) return systemCalls.write(to, iov, n, position, durable);
        return systemCalls.write(to, first.segments.iovAddress, 1, position, durable);
      },
    });
    const store = storeOn(path, engine);
    fd.now = store.fd;
    assert.equal(writeTo(store), FULL);
    assert.equal(request.task.storedBytes, 0);
    assert.ok(isOld(path));
    store.close();
    reopen(path);
    assert.ok(isOld(path), 'the record is gone as well');
  });

  it('a sync that failed fails for good', () => {
    for (const failing of ['sync image 1', 'sync journal 2', 'write journal 2']) {
      const { store } = scripted(newImage(), failing);
      assert.equal(writeTo(store), MEDIUM_WRITE, failing);
      assert.equal(store.flush(request.task), MEDIUM_WRITE);
      assert.equal(writeTo(store), MEDIUM_WRITE);
      store.close();
    }
  });

  it('a journal that is a symbolic link is not followed', () => {
    const path = newImage();
    writeFileSync(join(directory, 'victim'), 'theirs');
    symlinkSync(join(directory, 'victim'), `${path}.atomic`);
    const store = storeOn(path);
    assert.equal(writeTo(store), MEDIUM_WRITE);
    store.close();
    assert.throws(
      () => reopen(path),
      (error) => error instanceof DiskFileError && error.code === 'ERR_IMAGE_ACCESS',
    );
    assert.equal(readFileSync(join(directory, 'victim'), 'latin1'), 'theirs');
  });

  it('need no journal in memory, and there are none without one', () => {
    const memory = MemoryStore.create(IMAGE_BYTES);
    assert.equal(memory.atomicBytes, 1024 * 1024);
    assert.equal(writeTo(memory), DONE);
    const read = new StoreRequest(LENGTH);
    assert.equal(memory.readNow(read.task, AT, LENGTH, read.segments), DONE);
    assert.deepEqual(read.bytes.slice(0, LENGTH), request.bytes.slice(0, LENGTH));
    memory.close();
    const plain = new FileStore({
      fd: openSync(newImage(), 'r+'),
      bytes: IMAGE_BYTES,
      readOnly: false,
    });
    assert.equal(plain.atomicBytes, 0);
    plain.close();
  });
});
