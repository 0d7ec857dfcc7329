/** The store of a disc: files one behind the other, reads over their boundaries, and every way they end early. */
import { strict as assert } from 'node:assert';
import { openSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StoreCounters } from '../../../src/luns/store/disk-store.ts';
import { FileStore } from '../../../src/luns/store/file.ts';
import { JoinedStore } from '../../../src/luns/store/joined.ts';
import { DONE, GONE, PENDING, READ_ONLY, type StoreReply } from '../../../src/scsi/contracts.ts';
import { StoreRequest, temporaryDirectory } from '../store-request.ts';

describe('luns/store/joined', () => {
  const directory = temporaryDirectory();

  /** Files of these lengths, whose bytes count through all of them. */
  function joined(lengths: readonly number[]) {
    const counters = new StoreCounters();
    let at = 0;
    const paths = lengths.map((length, i) => {
      const path = join(directory, `part-${i}`);
      writeFileSync(
        path,
        Uint8Array.from({ length }, (_, k) => (at + k) % 251),
      );
      at += length;
      return path;
    });
    const files = paths.map((path, i) => {
      const bytes = lengths[i] as number;
      return new FileStore({ fd: openSync(path, 'r'), bytes, readOnly: true, counters });
    });
    return { store: new JoinedStore(files, counters), counters, paths };
  }
  const counted = (from: number, length: number): number[] =>
    Array.from({ length }, (_, i) => (from + i) % 251);

  it('is as long as its files together', () => {
    const { store } = joined([100, 50, 7]);
    assert.equal(store.bytes, 157);
    store.close();
  });

  it('reads inside a file, and up to its end', () => {
    const { store } = joined([100, 50, 7]);
    const request = new StoreRequest(20);
    assert.equal(store.read(request.task, 130, 20, request.segments), DONE);
    assert.deepEqual([...request.bytes], counted(130, 20));
    store.close();
  });

  it('reads over every boundary, into segments that end elsewhere', () => {
    const { store } = joined([100, 50, 7]);
    const request = new StoreRequest(157, 9);
    assert.equal(store.read(request.task, 0, 157, request.segments), DONE);
    assert.deepEqual([...request.bytes], counted(0, 157));
    store.close();
  });

  it('reads over a boundary into more segments than one piece has room for', () => {
    const { store } = joined([300, 300]);
    const request = new StoreRequest(600, 1);
    assert.equal(store.read(request.task, 0, 600, request.segments), DONE);
    assert.deepEqual([...request.bytes], counted(0, 600));
    store.close();
  });

  it('counts what is read of all of its files', () => {
    const { store, counters } = joined([100, 50]);
    const request = new StoreRequest(20);
    store.read(request.task, 90, 20, request.segments);
    assert.deepEqual([counters.reads, counters.bytesRead], [2, 20]);
    store.close();
  });

  it('a file that was cut is GONE, and what was good before is told', () => {
    const { store, paths } = joined([100, 50]);
    truncateSync(paths[1] as string, 10);
    const request = new StoreRequest(40);
    assert.equal(store.read(request.task, 80, 40, request.segments), GONE);
    assert.equal(request.task.storedBytes, 30);
    store.close();
  });

  it('hands what lies in one file to that, as a read of the file', () => {
    const asked: [number, number][] = [];
    const { store: whole } = joined([100]);
    class Later extends FileStore {
      override read(...[, position, length]: Parameters<FileStore['read']>): StoreReply {
        asked.push([position, length]);
        return PENDING;
      }
    }
    const later = new Later({
      fd: openSync(join(directory, 'part-0'), 'r'),
      bytes: 50,
      readOnly: true,
    });
    const store = new JoinedStore([whole, later], new StoreCounters());
    const request = new StoreRequest(10);
    assert.equal(store.read(request.task, 120, 10, request.segments), PENDING);
    assert.deepEqual(asked, [[20, 10]]);
    store.close();
  });

  it('is never written', () => {
    const { store } = joined([100]);
    const { task } = new StoreRequest(10);
    assert.equal(store.readOnly, true);
    for (const reply of [
      store.write(task),
      store.writeAtomic(task),
      store.writeZeroes(task),
      store.discard(task),
    ]) {
      assert.equal(reply, READ_ONLY);
    }
    store.close();
  });

  it('has nothing to flush, its file vanished or not', () => {
    const { store, paths } = joined([100]);
    truncateSync(paths[0] as string, 0);
    assert.deepEqual([store.flush(), store.syncNow()], [DONE, DONE]);
    store.close();
  });
});
