/** The file store when its file fails: full, broken, short, shrunk, deleted (F4, F5, F6 of the failure list). */
import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { FileStore, type FileStoreOptions } from '../../../src/luns/store/file.ts';
import { type IoEngine, systemCalls } from '../../../src/luns/store/io-engine.ts';
import {
  BUFFER,
  DONE,
  FULL,
  GONE,
  MEDIUM_READ,
  MEDIUM_WRITE,
} from '../../../src/scsi/contracts.ts';
import { engineWith, isZero, StoreRequest, temporaryDirectory } from '../store-request.ts';

const MIB = 1024 * 1024;
const EIO = 5;
const EAGAIN = 11;
const ENOSPC = 28;

describe('luns/store/file faults', () => {
  const directory = temporaryDirectory();
  const open: FileStore[] = [];
  let files = 0;

  function image(bytes: number, where = directory): string {
    files += 1;
    const path = join(where, `${files}.img`);
    closeSync(openSync(path, 'w'));
    truncateSync(path, bytes);
    return path;
  }

  function store(path: string, options: Partial<FileStoreOptions> = {}): FileStore {
    const fd = options.fd ?? openSync(path, 'r+');
    const made = new FileStore({ bytes: statSync(path).size, readOnly: false, ...options, fd });
    open.push(made);
    return made;
  }

  function broken(replaced: Partial<IoEngine>, bytes = MIB): FileStore {
    return store(image(bytes), { engine: engineWith(replaced) });
  }

  afterEach(() => {
    for (const one of open.splice(0)) one.close();
  });

  describe('F4 no space', () => {
    const mountPoint = join(directory, 'small');
    let mounted = false;

    before(function () {
      mkdirSync(mountPoint);
      try {
        execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', mountPoint], {
          stdio: 'ignore',
        });
        mounted = true;
      } catch {
        console.log('      skipped: a size-limited tmpfs needs the right to mount');
        this.skip();
      }
    });
    after(() => {
      if (mounted) execFileSync('umount', [mountPoint]);
    });

    it('K15 is FULL with the bytes that fitted, keeps serving reads, and recovers', () => {
      const path = image(MIB, mountPoint);
      const s = store(path);
      const out = new StoreRequest(64 * 1024).fill(1);
      let position = 0;
      let reply = s.write(out.task, position, 65536, out.segments, false);
      while (reply === DONE) {
        position += 65536;
        reply = s.write(out.task, position, 65536, out.segments, false);
      }
      assert.equal(reply, FULL);
      assert(position >= 128 * 1024 && position <= 256 * 1024);
      assert(out.task.storedBytes < 65536 && out.task.storedBytes % 4096 === 0);

      const back = new StoreRequest(65536);
      assert.equal(s.read(back.task, 0, 65536, back.segments), DONE);
      assert.deepEqual(back.bytes, out.bytes);
      assert.equal(s.flush(out.task), DONE);
      assert.equal(s.write(out.task, position, 65536, out.segments, true), FULL);
      assert.equal(s.flush(out.task), DONE, 'a full file fails no flush');

      assert.equal(s.discard(out.task, 0, 131072), DONE);
      assert.equal(s.write(out.task, position, 65536, out.segments, false), DONE);
      assert.equal(s.read(back.task, position, 65536, back.segments), DONE);
      assert.deepEqual(back.bytes, out.bytes);
    });
  });

  it('F4: /dev/full is FULL', () => {
    const path = image(MIB);
    const s = store(path, {
      fd: openSync('/dev/full', 'r+'),
      engine: engineWith({ state: stateOf(path) }),
    });
    const out = new StoreRequest(4096).fill(2);
    assert.equal(s.write(out.task, 0, 4096, out.segments, false), FULL);
    assert.equal(s.write(out.task, 0, 4096, out.segments, true), FULL);
    assert.equal(out.task.storedBytes, 0);
  });

  it('F4: a limit on the size of files is FULL and kills nobody', () => {
    const path = image(MIB);
    const code = `
      import { openSync } from 'node:fs';
      import { FileStore } from '${new URL('../../../src/luns/store/file.js', import.meta.url)}';
      import { StoreRequest } from '${new URL('../store-request.js', import.meta.url)}';
      const s = new FileStore({ fd: openSync('${path}', 'r+'), bytes: ${MIB}, readOnly: false });
      const r = new StoreRequest(65536).fill(3);
      const replies = [0, 512, 960].map((kib) => s.write(r.task, kib * 1024, 65536, r.segments, false));
      console.log(JSON.stringify([replies, r.task.storedBytes]));`;
    const said = execFileSync(
      'sh',
      [
        '-c',
        'ulimit -f "$1" && exec "$2" --input-type=module --eval "$3"',
        'sh',
        // Blocks of 512 bytes: 984 KiB, in the middle of the last write.
        String((960 + 24) * 2),
        process.execPath,
        code,
      ],
      { encoding: 'utf8' },
    );
    assert.deepEqual(JSON.parse(said), [[DONE, DONE, FULL], 24 * 1024]);
  });

  it('K16 F5: a real EIO while reading is MEDIUM_READ', () => {
    // Page 0 of a process is never mapped: reading it through /proc is an I/O error.
    const path = image(MIB);
    const s = store(path, { fd: openSync('/proc/self/mem', 'r'), readOnly: true });
    const back = new StoreRequest(4096);
    assert.equal(s.read(back.task, 0, 4096, back.segments), MEDIUM_READ);
    assert.equal(back.task.storedBytes, 0);
  });

  it('F5: EIO in the middle says how many bytes were good', () => {
    let calls = 0;
    const s = broken({
      read() {
        calls += 1;
        return calls === 1 ? 12288 : -EIO;
      },
      write: (_fd, _iovAddress, _count, position) => (position < 40960 ? 2048 : -EIO),
    });
    const request = new StoreRequest(65536, 4096);
    assert.equal(s.read(request.task, 0, 65536, request.segments), MEDIUM_READ);
    assert.equal(request.task.storedBytes, 12288);
    assert.equal(s.write(request.task, 32768, 65536, request.segments, false), MEDIUM_WRITE);
    assert.equal(request.task.storedBytes, 8192);
    assert.equal(s.counters.reads + s.counters.writes, 0);
  });

  it('K17 F5: an fsync that fails once is latched: every later flush and durable write fails', () => {
    let syncs = 0;
    const s = broken({
      sync() {
        syncs += 1;
        return syncs === 1 ? -EIO : 0;
      },
    });
    const out = new StoreRequest(4096).fill(4);
    assert.equal(s.write(out.task, 0, 4096, out.segments, false), DONE);
    assert.equal(s.flush(out.task), MEDIUM_WRITE);
    assert.equal(s.flush(out.task), MEDIUM_WRITE);
    assert.equal(s.syncNow(), MEDIUM_WRITE);
    assert.equal(s.write(out.task, 0, 4096, out.segments, true), MEDIUM_WRITE);
    assert.equal(s.writeZeroes(out.task, 0, 4096, true), MEDIUM_WRITE);
    assert.equal(syncs, 1, 'the kernel is not asked again: it would say yes');
    assert.equal(s.write(out.task, 0, 4096, out.segments, false), DONE);
    assert.equal(s.read(out.task, 0, 4096, out.segments), DONE);
  });

  it('F5: a durable write whose sync fails has consumed the error of others: latched, too', () => {
    const s = broken({
      write(fd, iovAddress, count, position, durable) {
        return durable ? -EIO : systemCalls.write(fd, iovAddress, count, position, false);
      },
    });
    const out = new StoreRequest(4096).fill(5);
    assert.equal(s.write(out.task, 0, 4096, out.segments, true), MEDIUM_WRITE);
    assert.equal(s.flush(out.task), MEDIUM_WRITE);
  });

  it('F5: ENOSPC of a durable write is FULL when writing fails, a lost flush when syncing does', () => {
    const full = broken({ write: () => -ENOSPC });
    const out = new StoreRequest(4096).fill(6);
    assert.equal(full.write(out.task, 0, 4096, out.segments, true), FULL);
    assert.equal(full.flush(out.task), DONE);

    const lost = broken({
      write: (_fd, _iovAddress, _count, _position, durable) => (durable ? -ENOSPC : 4096),
    });
    assert.equal(lost.write(out.task, 0, 4096, out.segments, true), MEDIUM_WRITE);
    assert.equal(lost.flush(out.task), MEDIUM_WRITE);
  });

  it('F6: short reads and writes go on until all is moved', () => {
    let state = 12345;
    /** One byte more or less of the first segment, by a fixed sequence of numbers. */
    function shortened(real: (count: number, one: boolean) => number): number {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      return real(1 + (state % 7), true);
    }
    const s = broken({
      read: (fd, iovAddress, count, position) =>
        shortened((n) => systemCalls.read(fd, iovAddress, Math.min(n, count), position)),
      write: (fd, iovAddress, count, position, durable) =>
        shortened((n) => systemCalls.write(fd, iovAddress, Math.min(n, count), position, durable)),
    });
    const out = new StoreRequest(20000, 37).fill(7);
    assert.equal(s.write(out.task, 1001, 20000, out.segments, false), DONE);
    const back = new StoreRequest(20000, 53);
    assert.equal(s.read(back.task, 1001, 20000, back.segments), DONE);
    assert.deepEqual(back.bytes, out.bytes);
  });

  it('F6: one byte at a time, in the middle of segments, too', () => {
    let calls = 0;
    /** Moves whole segments and owns up to one byte, so that the store has to ask for the rest of each again. */
    function stingy(moved: number): number {
      assert(moved >= 1);
      calls += 1;
      return 1;
    }
    const s = broken({
      read: (fd, iovAddress, _count, position) =>
        stingy(systemCalls.read(fd, iovAddress, 1, position)),
      write: (fd, iovAddress, _count, position, durable) =>
        stingy(systemCalls.write(fd, iovAddress, 1, position, durable)),
    });
    const out = new StoreRequest(300, 100).fill(8);
    assert.equal(s.write(out.task, 512, 300, out.segments, false), DONE);
    const back = new StoreRequest(300, 70);
    assert.equal(s.read(back.task, 512, 300, back.segments), DONE);
    assert.equal(calls, 600);
    assert.deepEqual(back.bytes, out.bytes);
  });

  it('F6: EAGAIN is a fault, never an endless loop', () => {
    const s = broken({ read: () => -EAGAIN, write: () => 0 });
    const request = new StoreRequest(512);
    assert.equal(s.read(request.task, 0, 512, request.segments), MEDIUM_READ);
    assert.equal(s.write(request.task, 0, 512, request.segments, false), MEDIUM_WRITE);
  });

  it('F6: a truncated file is GONE, not zeros, and is not made whole again', () => {
    const path = image(MIB);
    const s = store(path);
    const out = new StoreRequest(8192).fill(9);
    assert.equal(s.write(out.task, MIB - 8192, 8192, out.segments, false), DONE);
    truncateSync(path, MIB - 4096);
    s.turn();
    const back = new StoreRequest(8192);
    assert.equal(s.read(back.task, MIB - 8192, 8192, back.segments), GONE);
    assert.equal(back.task.storedBytes, 4096, 'what lies before the end is data');
    assert.equal(s.write(out.task, MIB - 8192, 8192, out.segments, false), GONE);
    assert.equal(s.discard(out.task, 0, 4096), GONE);
    assert.equal(s.writeZeroes(out.task, MIB - 4096, 4096, false), GONE);
    assert.equal(s.flush(out.task), GONE);
    assert.equal(statSync(path).size, MIB - 4096);
  });

  it('F6: the write after a truncation finds out by itself, and a file grown back stays GONE', () => {
    const path = image(MIB);
    const s = store(path);
    const out = new StoreRequest(4096).fill(10);
    assert.equal(s.write(out.task, 0, 4096, out.segments, false), DONE);
    const fd = openSync(path, 'r+');
    ftruncateSync(fd, 0);
    s.turn();
    assert.equal(s.write(out.task, 0, 4096, out.segments, false), GONE);
    assert.equal(statSync(path).size, 0);
    ftruncateSync(fd, MIB);
    closeSync(fd);
    s.turn();
    const back = new StoreRequest(4096).fill(11);
    assert.equal(s.read(back.task, 0, 4096, back.segments), GONE);
    assert(!isZero(back.bytes), 'nothing was delivered');
  });

  it('F6: a deleted file is GONE at the next turn, a flush sees it at once', () => {
    const path = image(MIB);
    const s = store(path);
    const out = new StoreRequest(4096).fill(12);
    assert.equal(s.write(out.task, 0, 4096, out.segments, false), DONE);
    unlinkSync(path);
    assert.equal(s.flush(out.task), GONE);
    assert.equal(s.write(out.task, 0, 4096, out.segments, false), GONE);

    const other = image(MIB);
    const t = store(other);
    unlinkSync(other);
    assert.equal(t.write(out.task, 0, 4096, out.segments, false), GONE);
  });

  it('F6: a file that was replaced by another is GONE', () => {
    const path = image(MIB);
    const s = store(path);
    const fresh = image(MIB);
    renameSync(fresh, path);
    const out = new StoreRequest(4096).fill(13);
    assert.equal(s.write(out.task, 0, 4096, out.segments, false), GONE);
    assert(isZero(readFileSync(path)));
  });

  it('memory of the initiator that cannot be reached is BUFFER, and fails no flush', () => {
    const s = store(image(MIB));
    const bad = new StoreRequest(4096);
    bad.segments.clear();
    // Page 0: no process may map it.
    bad.segments.append({ view: bad.bytes, address: 512 }, 0, 4096);
    assert.equal(s.read(bad.task, 0, 4096, bad.segments), BUFFER);
    assert.equal(s.write(bad.task, 0, 4096, bad.segments, false), BUFFER);
    assert.equal(s.write(bad.task, 0, 4096, bad.segments, true), BUFFER);
    assert.equal(bad.task.storedBytes, 0);
    assert.equal(s.flush(bad.task), DONE);
  });
});

/** Size and links of the file at `path`, whatever descriptor is asked about. */
function stateOf(path: string): IoEngine['state'] {
  return (_fd, state) => {
    const { nlink, size } = statSync(path);
    state.links = nlink;
    state.bytes = size;
    return 0;
  };
}
