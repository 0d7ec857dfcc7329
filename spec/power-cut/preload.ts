/**
 * Loaded before everything else into a daemon that is recorded (node --import): in its reactor thread every system call that
 * changes an image, and every sync, is written down below the real stores and the real io_uring. The daemon has no such option.
 */
import { openSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { FileStore } from '../../src/luns/store/file.ts';
import { systemCalls } from '../../src/luns/store/io-engine.ts';
import { type IoOwner, IoQueue } from '../../src/luns/store/io-queue.ts';
import { encodeEvent, type RecordedEvent } from './recording.ts';

/** Images are called lun-N.img. */
const IMAGE = /\/lun-(\d+)\.img$/;

function record(path: string): void {
  const log = openSync(path, 'a');
  let count = 0;
  const put = (event: RecordedEvent): void => {
    for (const part of encodeEvent(event)) writeSync(log, part);
    count += 1;
  };
  const fileOf = (fd: number): number =>
    Number(IMAGE.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1] ?? -1);

  const { write, sync, discard, zero } = systemCalls;
  systemCalls.write = (fd, iovAddress, iovecs, position, durable) => {
    const result = write(fd, iovAddress, iovecs, position, durable);
    const file = fileOf(fd);
    if (result > 0 && file >= 0) {
      const bytes = new Uint8Array(result);
      readSync(fd, bytes, 0, result, position);
      put({ kind: 'write', file, position, bytes, durable });
    }
    return result;
  };
  const zeroed =
    (call: typeof zero): typeof zero =>
    (fd, position, length) => {
      const result = call(fd, position, length);
      const file = fileOf(fd);
      if (result === 0 && file >= 0) put({ kind: 'zero', file, position, length });
      return result;
    };
  systemCalls.discard = zeroed(discard);
  systemCalls.zero = zeroed(zero);
  systemCalls.sync = (fd) => {
    const from = count;
    const result = sync(fd);
    const file = fileOf(fd);
    if (result >= 0 && file >= 0) put({ kind: 'sync', file, from });
    return result;
  };

  // A queued sync covers what was written before it was asked for, and is worth something when it has ended.
  const started = new WeakMap<IoOwner, number>();
  const { sync: queueSync } = IoQueue.prototype;
  IoQueue.prototype.sync = function (owner) {
    const from = count;
    const taken = queueSync.call(this, owner);
    if (taken) started.set(owner, from);
    return taken;
  };
  const { syncDone } = FileStore.prototype;
  FileStore.prototype.syncDone = function (result) {
    const from = started.get(this);
    const file = fileOf(this.fd);
    started.delete(this);
    if (from !== undefined && result >= 0 && file >= 0) put({ kind: 'sync', file, from });
    syncDone.call(this, result);
  };
}

const path = process.env['POWER_CUT_LOG'];
if (!isMainThread && path !== undefined) record(path);
