/** K17 and K27: a write-back that failed is told by every later flush, and by no other command (SPC-4 4.5.7, sam-rules 8.6, 13.6). */
import { strict as assert } from 'node:assert';
import { EIO } from '../../src/libc.ts';
import { type IoEngine, systemCalls } from '../../src/luns/store/io-engine.ts';
import { Files, Machine } from './machine.ts';

const IMAGE_BYTES = 64 * 1024;
const BLOCK = new Uint8Array(512).fill(7);
/** The kernel says once that it could not write pages back, and has dropped them (fsync(2)). */
const failsOnce = (): IoEngine => {
  let failed = false;
  return {
    ...systemCalls,
    sync() {
      if (failed) return 0;
      failed = true;
      return -EIO;
    },
    write: (fd, iov, count, position) => systemCalls.write(fd, iov, count, position, false),
  };
};

describe('a write-back that failed', () => {
  let files: Files;
  let machine: Machine;
  /** Sense 3/0C/00. */
  const lost = /sense 30c00$/m;

  beforeEach(() => {
    files = new Files(IMAGE_BYTES);
    const engine = failsOnce();
    machine = new Machine({ files, imageBytes: IMAGE_BYTES, engine, writeCache: true });
  });
  afterEach(() => files.close());

  it('K17: fails every SYNCHRONIZE CACHE, FUA and atomic write from then on, also after a reset', () => {
    machine.write(0, BLOCK, false);
    for (let i = 0; i < 3; i += 1) assert.throws(() => machine.synchronize(i === 1), lost);
    assert.throws(() => machine.write(0, BLOCK, true), lost);
    assert.throws(() => machine.writeAtomic(0, BLOCK), lost);
    machine.unit.reset();
    machine.ready();
    assert.throws(() => machine.synchronize(false), lost);
  });

  it('K27: is no deferred error: reads and plain writes are executed, and answered for themselves', () => {
    machine.write(0, BLOCK, false);
    assert.throws(() => machine.synchronize(false), lost);
    machine.write(1, BLOCK, false);
    assert.deepEqual(machine.read(1, 1), BLOCK);
    assert.throws(() => machine.synchronize(false), lost);
  });
});
