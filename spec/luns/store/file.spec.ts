/** The file store over real files: data, holes, discards, durability. */
import { strict as assert } from 'node:assert';
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileStore, type FileStoreOptions } from '../../../src/luns/store/file.ts';
import { type IoEngine, systemCalls } from '../../../src/luns/store/io-engine.ts';
import { DATA, DONE, HOLE, READ_ONLY, RESERVED } from '../../../src/scsi/contracts.ts';
import { engineWith, isZero, StoreRequest, temporaryDirectory } from '../store-request.ts';

const MIB = 1024 * 1024;
const EOPNOTSUPP = 95;
const EINVAL = 22;

describe('luns/store/file', () => {
  const directory = temporaryDirectory();
  const open: FileStore[] = [];
  let files = 0;

  function image(bytes: number): string {
    files += 1;
    const path = join(directory, `${files}.img`);
    writeFileSync(path, '');
    const fd = openSync(path, 'r+');
    ftruncateSync(fd, bytes);
    closeSync(fd);
    return path;
  }

  function store(path: string, options: Partial<FileStoreOptions> = {}): FileStore {
    const readOnly = options.readOnly ?? false;
    const made = new FileStore({
      fd: openSync(path, readOnly ? 'r' : 'r+'),
      bytes: statSync(path).size,
      readOnly,
      ...options,
    });
    open.push(made);
    return made;
  }

  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });

  it('reads back what was written, through buffers cut differently', () => {
    const path = image(MIB);
    const s = store(path);
    const out = new StoreRequest(64 * 1024, 1000).fill(1);
    assert.equal(s.write(out.task, 4096, 64 * 1024, out.segments, false), DONE);
    const back = new StoreRequest(64 * 1024, 4096);
    assert.equal(s.read(back.task, 4096, 64 * 1024, back.segments), DONE);
    assert.deepEqual(back.bytes, out.bytes);
    assert.deepEqual(new Uint8Array(readFileSync(path).subarray(4096, 4096 + 65536)), out.bytes);
  });

  it('reads no more than the length asked for', () => {
    const s = store(image(MIB));
    const out = new StoreRequest(4096).fill(2);
    s.write(out.task, 0, 4096, out.segments, false);
    const back = new StoreRequest(4096, 512);
    assert.equal(s.read(back.task, 0, 1024, back.segments), DONE);
    assert.deepEqual(back.bytes.subarray(0, 1024), out.bytes.subarray(0, 1024));
    assert(isZero(back.bytes.subarray(1024)));
  });

  it('reads holes as zeros', () => {
    const s = store(image(MIB));
    const back = new StoreRequest(8192).fill(3);
    assert.equal(s.read(back.task, 65536, 8192, back.segments), DONE);
    assert(isZero(back.bytes));
  });

  it('reads and writes the last byte of a file beyond 4 GiB', () => {
    const bytes = 5 * 1024 * MIB;
    const path = image(bytes);
    const s = store(path);
    const out = new StoreRequest(512).fill(4);
    assert.equal(s.write(out.task, bytes - 512, 512, out.segments, false), DONE);
    const back = new StoreRequest(512);
    assert.equal(s.read(back.task, bytes - 512, 512, back.segments), DONE);
    assert.deepEqual(back.bytes, out.bytes);
    assert.equal(statSync(path).size, bytes);
  });

  it('takes one system call for a READ, and one more per turn for the first WRITE', () => {
    const calls: string[] = [];
    const counting = Object.fromEntries(
      Object.entries(systemCalls).map(([name, call]) => [
        name,
        (...args: never[]) => {
          calls.push(name);
          return (call as (...a: never[]) => number)(...args);
        },
      ]),
    ) as unknown as IoEngine;
    const s = store(image(MIB), { engine: counting });
    calls.length = 0;
    const request = new StoreRequest(16384, 4096);
    for (let i = 0; i < 3; i += 1) s.read(request.task, i * 16384, 16384, request.segments);
    assert.deepEqual(calls, ['read', 'read', 'read']);
    calls.length = 0;
    for (let i = 0; i < 3; i += 1) s.write(request.task, 0, 16384, request.segments, false);
    assert.deepEqual(calls, ['state', 'write', 'write', 'write']);
    calls.length = 0;
    s.turn();
    s.write(request.task, 0, 16384, request.segments, false);
    assert.deepEqual(calls, ['state', 'write']);
  });

  it('moves buffers of more segments than one system call takes', () => {
    const s = store(image(MIB));
    const out = new StoreRequest(1500 * 16, 16).fill(5);
    assert.equal(out.segments.count, 1500);
    assert.equal(s.write(out.task, 512, 1500 * 16, out.segments, false), DONE);
    const back = new StoreRequest(1500 * 16, 16);
    assert.equal(s.read(back.task, 512, 1500 * 16, back.segments), DONE);
    assert.deepEqual(back.bytes, out.bytes);
  });

  it('counts what it has done', () => {
    const s = store(image(MIB));
    const request = new StoreRequest(4096);
    s.read(request.task, 0, 4096, request.segments);
    s.write(request.task, 0, 512, request.segments, false);
    s.write(request.task, 0, 1024, request.segments, true);
    s.flush(request.task);
    s.discard(request.task, 0, 4096);
    const { reads, bytesRead, writes, bytesWritten, flushes, discards } = s.counters;
    assert.deepEqual([reads, bytesRead, writes, bytesWritten], [1, 4096, 2, 1536]);
    assert.deepEqual([flushes, discards], [1, 1]);
  });

  it('writes nothing on a read-only store', () => {
    const path = image(MIB);
    const s = store(path, { readOnly: true });
    const request = new StoreRequest(4096).fill(6);
    const { task } = request;
    assert.equal(s.canDiscard, false);
    assert.equal(s.write(task, 0, 4096, request.segments, false), READ_ONLY);
    assert.equal(s.discard(task, 0, 4096), READ_ONLY);
    assert.equal(s.writeZeroes(task, 0, 4096, false), READ_ONLY);
    assert.equal(s.flush(task), DONE);
    assert.equal(s.read(task, 0, 4096, request.segments), DONE);
  });

  it('says READ_ONLY when the descriptor turns out to be one for reading', () => {
    const path = image(MIB);
    const s = store(path, { fd: openSync(path, 'r') });
    const request = new StoreRequest(4096).fill(7);
    assert.equal(s.write(request.task, 0, 4096, request.segments, false), READ_ONLY);
    assert.equal(s.write(request.task, 0, 4096, request.segments, true), READ_ONLY);
    assert.equal(request.task.storedBytes, 0);
    assert.equal(s.flush(request.task), DONE, 'a write that never began fails no flush');
  });

  it('grows', () => {
    const path = image(MIB);
    const s = store(path);
    const fd = openSync(path, 'r+');
    ftruncateSync(fd, 2 * MIB);
    closeSync(fd);
    s.grow(2 * MIB);
    assert.equal(s.bytes, 2 * MIB);
    const request = new StoreRequest(512).fill(8);
    assert.equal(s.write(request.task, 2 * MIB - 512, 512, request.segments, true), DONE);
  });

  describe('discard and writeZeroes', () => {
    function written(options: Partial<FileStoreOptions> = {}): { path: string; s: FileStore } {
      const path = image(MIB);
      const s = store(path, options);
      const out = new StoreRequest(MIB).fill(9);
      assert.equal(s.write(out.task, 0, MIB, out.segments, true), DONE);
      return { path, s };
    }

    /** Exactly [from, to) reads as zeros, and the rest as before. */
    function assertZeroed(path: string, from: number, to: number): void {
      const now = new Uint8Array(readFileSync(path));
      const was = new StoreRequest(MIB).fill(9).bytes.slice();
      was.fill(0, from, to);
      assert.equal(now.length, MIB, 'the file keeps its size');
      assert(Buffer.compare(now, was) === 0, `only bytes ${from} to ${to} are zeros`);
    }

    it('gives space back', function () {
      const { path, s } = written();
      if (!s.canDiscard) {
        console.log('      skipped: the file system of the temporary directory punches no holes');
        this.skip();
      }
      const before = statSync(path).blocks;
      const { task } = new StoreRequest(0, 1);
      assert.equal(s.discard(task, 256 * 1024, 512 * 1024), DONE);
      assertZeroed(path, 256 * 1024, 768 * 1024);
      assert(statSync(path).blocks <= before - 1024 + 16, 'half a mebibyte is free again');
    });

    it('zeroes heads and tails smaller than a granule', () => {
      const { path, s } = written();
      const { task } = new StoreRequest(0, 1);
      assert.equal(s.discard(task, 4096 - 512, 8192 + 1024), DONE);
      assertZeroed(path, 4096 - 512, 4096 + 8192 + 512);
      assert.equal(s.discard(task, 65536 + 512, 512), DONE);
      const now = readFileSync(path);
      assert(isZero(now.subarray(66048, 66560)) && now[66047] !== 0 && now[66560] !== 0);
    });

    it('discards the last bytes without changing the size', () => {
      const { path, s } = written();
      assert.equal(s.discard(new StoreRequest(0, 1).task, MIB - 1536, 1536), DONE);
      assertZeroed(path, MIB - 1536, MIB);
    });

    it('writes zeros where holes cannot be punched', () => {
      const engine = engineWith({ discard: () => -EOPNOTSUPP, zero: () => -EOPNOTSUPP });
      const { path, s } = written({ engine });
      assert.equal(s.canDiscard, false);
      assert.equal(s.discard(new StoreRequest(0, 1).task, 512, 700 * 1024), DONE);
      assertZeroed(path, 512, 512 + 700 * 1024);
    });

    it('punches the whole granules and zeroes the rest where only those can be punched', () => {
      const punched: number[][] = [];
      const engine = engineWith({
        discard(fd, position, bytes) {
          if (position % 4096 !== 0 || bytes % 4096 !== 0) return -EINVAL;
          punched.push([position, bytes]);
          return systemCalls.discard(fd, position, bytes);
        },
        zero: () => -EINVAL,
      });
      const { path, s } = written({ engine });
      punched.length = 0;
      assert.equal(s.discard(new StoreRequest(0, 1).task, 1024, 20 * 1024), DONE);
      assert.deepEqual(punched, [[4096, 16384]]);
      assertZeroed(path, 1024, 21 * 1024);
    });

    it('zeroes and keeps the space', () => {
      const { path, s } = written();
      const before = statSync(path).blocks;
      const { task } = new StoreRequest(0, 1);
      assert.equal(s.writeZeroes(task, 1536, 300 * 1024, true), DONE);
      assertZeroed(path, 1536, 1536 + 300 * 1024);
      assert(statSync(path).blocks >= before);
    });

    it('tells zeroed space that is kept from data and from holes', function () {
      const s = store(image(MIB));
      if (!s.canReserve) {
        console.log('      skipped: the file system of the temporary directory maps no extents');
        this.skip();
      }
      const out = new StoreRequest(4096).fill(11);
      s.write(out.task, 128 * 1024, 4096, out.segments, false);
      s.writeZeroes(out.task, 64 * 1024, 128 * 1024, false);
      s.write(out.task, 96 * 1024, 4096, out.segments, false);
      s.discard(out.task, 80 * 1024, 4096);
      const states: number[] = [];
      for (let at = 0; at < MIB; ) {
        const { state, end } = s.allocation(at);
        assert(end > at && end % 4096 === 0);
        for (; at < end; at += 4096) states.push(state);
      }
      const pages = (state: number, kib: number): number[] => Array(kib / 4).fill(state);
      assert.deepEqual(states, [
        ...pages(HOLE, 64),
        ...pages(RESERVED, 16),
        ...pages(HOLE, 4),
        ...pages(RESERVED, 12),
        ...pages(DATA, 4),
        ...pages(RESERVED, 92),
        ...pages(HOLE, 832),
      ]);
    });

    it('takes no more space when it writes what was zeroed', function () {
      const path = image(MIB);
      const s = store(path);
      if (!s.canReserve) this.skip();
      const out = new StoreRequest(64 * 1024).fill(12);
      s.writeZeroes(out.task, 0, 64 * 1024, true);
      const before = statSync(path).blocks;
      assert(before >= 128, 'space is kept');
      s.write(out.task, 0, 64 * 1024, out.segments, true);
      assert.equal(statSync(path).blocks, before);
    });

    it('a read-only file keeps no space', () => {
      assert.equal(store(image(MIB), { readOnly: true }).canReserve, false);
    });

    it('zeroes more than one buffer of zeros by writing', () => {
      const path = image(3 * MIB);
      const s = store(path, { engine: engineWith({ zero: () => -EOPNOTSUPP }) });
      const out = new StoreRequest(3 * MIB).fill(10);
      s.write(out.task, 0, 3 * MIB, out.segments, false);
      assert.equal(s.writeZeroes(out.task, 512, 3 * MIB - 1024, true), DONE);
      const now = readFileSync(path);
      assert(isZero(now.subarray(512, 3 * MIB - 512)));
      assert.deepEqual([now[511], now[3 * MIB - 512]], [out.bytes[511], out.bytes[3 * MIB - 512]]);
    });

    it('syncs zeroes that are to be durable', () => {
      let syncs = 0;
      const engine = engineWith({
        sync(fd) {
          syncs += 1;
          return systemCalls.sync(fd);
        },
      });
      const s = store(image(MIB), { engine });
      const { task } = new StoreRequest(0, 1);
      s.writeZeroes(task, 0, 4096, false);
      assert.equal(syncs, 0);
      s.writeZeroes(task, 0, 4096, true);
      assert.equal(syncs, 1);
    });
  });

  describe('durability', () => {
    it('asks for durable writes to be durable, and only for those', () => {
      const asked: boolean[] = [];
      const engine = engineWith({
        write(fd, iovAddress, count, position, durable) {
          asked.push(durable);
          return systemCalls.write(fd, iovAddress, count, position, durable);
        },
      });
      const s = store(image(MIB), { engine });
      const request = new StoreRequest(512).fill(11);
      s.write(request.task, 0, 512, request.segments, true);
      s.write(request.task, 0, 512, request.segments, false);
      assert.deepEqual(asked, [true, false]);
    });

    it('syncs after the write where the file cannot write durably', () => {
      const calls: string[] = [];
      const engine = engineWith({
        write(fd, iovAddress, count, position, durable) {
          if (durable) return -EOPNOTSUPP;
          calls.push('write');
          return systemCalls.write(fd, iovAddress, count, position, false);
        },
        sync() {
          calls.push('sync');
          return 0;
        },
      });
      const s = store(image(MIB), { engine });
      const request = new StoreRequest(512).fill(12);
      assert.equal(s.write(request.task, 0, 512, request.segments, true), DONE);
      assert.equal(s.write(request.task, 0, 512, request.segments, true), DONE);
      assert.deepEqual(calls, ['write', 'sync', 'write', 'sync']);
    });
  });
});
