/** Injected faults and delays: the good part is performed, nothing happens early, an aborted request never happens (F9). */
import { strict as assert } from 'node:assert';
import { FaultStore } from '../../../src/luns/store/fault.ts';
import { MemoryStore } from '../../../src/luns/store/memory.ts';
import type { Timers } from '../../../src/scsi/contracts.ts';
import {
  DONE,
  FULL,
  GONE,
  MEDIUM_READ,
  MEDIUM_WRITE,
  READ_ONLY,
} from '../../../src/scsi/contracts.ts';
import { isZero, StoreRequest } from '../store-request.ts';

const MIB = 1024 * 1024;

interface FakeTimer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** A clock that a spec moves by hand. */
class FakeTimers implements Timers {
  nowMs = 0;
  waiting: FakeTimer[] = [];

  after(delayMs: number, callback: () => void): FakeTimer {
    const timer = { dueMs: this.nowMs + delayMs, callback };
    this.waiting.push(timer);
    return timer;
  }

  cancel(timer: FakeTimer): void {
    this.waiting = this.waiting.filter((t) => t !== timer);
  }

  advance(byMs: number): void {
    this.nowMs += byMs;
    const due = this.waiting.filter((t) => t.dueMs <= this.nowMs);
    this.waiting = this.waiting.filter((t) => t.dueMs > this.nowMs);
    for (const timer of due) timer.callback();
  }
}

describe('luns/store/fault', () => {
  let inner: MemoryStore;
  let timers: FakeTimers;
  let s: FaultStore;

  beforeEach(() => {
    inner = MemoryStore.create(MIB);
    timers = new FakeTimers();
    s = new FaultStore(inner, { timers, blockBytes: 512 });
  });
  afterEach(() => s.close());

  function content(position: number, length: number): Uint8Array {
    const back = new StoreRequest(length);
    assert.equal(inner.read(back.task, position, length, back.segments), DONE);
    return back.bytes;
  }

  it('hands everything on without rules', () => {
    const out = new StoreRequest(4096).fill(1);
    assert.equal(s.write(out.task, 0, 4096, out.segments, true), DONE);
    assert.deepEqual(content(0, 4096), out.bytes);
    const back = new StoreRequest(4096);
    assert.equal(s.read(back.task, 0, 4096, back.segments), DONE);
    assert.deepEqual(back.bytes, out.bytes);
    assert.equal(s.flush(out.task), DONE);
    assert.equal(s.discard(out.task, 0, 512), DONE);
    assert.equal(s.writeZeroes(out.task, 512, 512, false), DONE);
    assert(isZero(content(0, 1024)));
    assert.deepEqual(
      [s.bytes, s.readOnly, s.canDiscard, s.discardBytes, s.volatileCache],
      [MIB, false, true, 4096, true],
    );
    assert.equal(s.counters.bytesWritten, 4096 + 512);
  });

  it('writes the good part in front of a bad block and says how much that was', () => {
    s.setRules([{ operation: 'write', firstLba: 104, lastLba: 104, fault: 'medium' }]);
    const out = new StoreRequest(16 * 512, 512).fill(2);
    assert.equal(s.write(out.task, 100 * 512, 16 * 512, out.segments, false), MEDIUM_WRITE);
    assert.equal(out.task.storedBytes, 4 * 512);
    assert.deepEqual(content(100 * 512, 4 * 512), out.bytes.slice(0, 4 * 512));
    assert(isZero(content(104 * 512, 12 * 512)));
    assert.equal(s.write(out.task, 105 * 512, 512, out.segments, false), DONE);
    assert.equal(s.write(out.task, 103 * 512, 512, out.segments, false), DONE);
    assert.equal(s.write(out.task, 104 * 512, 512, out.segments, false), MEDIUM_WRITE);
    assert.equal(out.task.storedBytes, 0);
  });

  it('reads the good part in front of a bad block and leaves the rest of the buffer alone', () => {
    const out = new StoreRequest(8192).fill(3);
    inner.write(out.task, 0, 8192, out.segments, false);
    s.setRules([{ operation: 'read', firstLba: 8, fault: 'medium' }]);
    const back = new StoreRequest(8192);
    assert.equal(s.read(back.task, 0, 8192, back.segments), MEDIUM_READ);
    assert.equal(back.task.storedBytes, 4096);
    assert.deepEqual(back.bytes.slice(0, 4096), out.bytes.slice(0, 4096));
    assert(isZero(back.bytes.subarray(4096)));
  });

  it('names every fault, on every operation, as often as asked', () => {
    const r = new StoreRequest(512);
    s.setRules([
      { operation: 'any', fault: 'full', count: 1 },
      { operation: 'any', fault: 'gone', count: 2 },
      { operation: 'any', fault: 'read-only', count: 1 },
      { operation: 'flush', fault: 'medium', count: 1 },
      { operation: 'discard', fault: 'medium' },
    ]);
    assert.equal(s.write(r.task, 0, 512, r.segments, false), FULL);
    assert.equal(s.read(r.task, 0, 512, r.segments), GONE);
    assert.equal(s.flush(r.task), GONE);
    assert.equal(s.writeZeroes(r.task, 0, 512, false), READ_ONLY);
    assert.equal(s.flush(r.task), MEDIUM_WRITE);
    assert.equal(s.flush(r.task), DONE);
    for (let i = 0; i < 3; i += 1) assert.equal(s.discard(r.task, 0, 512), MEDIUM_WRITE);
    assert.equal(s.read(r.task, 0, 512, r.segments), DONE);
    s.setRules([]);
    assert.equal(s.discard(r.task, 0, 512), DONE);
  });

  it('a rule for some blocks is not about flushes', () => {
    s.setRules([{ operation: 'any', lastLba: 10, fault: 'medium' }]);
    const r = new StoreRequest(512);
    assert.equal(s.flush(r.task), DONE);
    assert.equal(s.read(r.task, 11 * 512, 512, r.segments), DONE);
    assert.equal(s.read(r.task, 10 * 512, 512, r.segments), MEDIUM_READ);
  });

  it('F9: a delayed write happens at the end of its delay', () => {
    s.setRules([{ operation: 'write', delayMs: 1000 }]);
    const out = new StoreRequest(4096).fill(4);
    out.await(s.write(out.task, 0, 4096, out.segments, false));
    timers.advance(999);
    assert.deepEqual(out.late, []);
    assert(isZero(content(0, 4096)));
    timers.advance(1);
    assert.deepEqual(out.late, [DONE]);
    assert.deepEqual(content(0, 4096), out.bytes);
  });

  it('F9: a delayed read does not touch the buffer before its end', () => {
    const out = new StoreRequest(4096).fill(5);
    inner.write(out.task, 0, 4096, out.segments, false);
    s.setRules([{ operation: 'read', delayMs: 30000, fault: 'medium', firstLba: 4 }]);
    const back = new StoreRequest(4096);
    back.await(s.read(back.task, 0, 4096, back.segments));
    timers.advance(29999);
    assert(isZero(back.bytes));
    timers.advance(1);
    assert.deepEqual(back.late, [MEDIUM_READ]);
    assert.equal(back.task.storedBytes, 2048);
    assert.deepEqual(back.bytes.slice(0, 2048), out.bytes.slice(0, 2048));
  });

  it('F9: cancel ends a delayed request soon, exactly once, and it never happens', () => {
    s.setRules([{ operation: 'write', delayMs: 1e9 }]);
    const out = new StoreRequest(4096).fill(6);
    const other = new StoreRequest(4096).fill(7);
    out.await(s.write(out.task, 0, 4096, out.segments, false));
    other.await(s.write(other.task, 4096, 4096, other.segments, false));
    s.cancel(out.task);
    assert.deepEqual(out.late, [], 'not from inside cancel');
    timers.advance(0);
    assert.deepEqual(out.late, [MEDIUM_WRITE]);
    assert.equal(out.task.storedBytes, 0);
    assert.equal(s.delayedRequests, 1);
    timers.advance(1e9);
    assert.deepEqual(out.late, [MEDIUM_WRITE]);
    assert.deepEqual(other.late, [DONE]);
    assert(isZero(content(0, 4096)));
    assert.deepEqual(content(4096, 4096), other.bytes);
    assert.equal(timers.waiting.length, 0);
  });

  it('F9: cancel does not end a delay that is held', () => {
    s.setRules([{ operation: 'write', delayMs: 700, held: true }]);
    const out = new StoreRequest(4096).fill(6);
    out.await(s.write(out.task, 0, 4096, out.segments, false));
    s.cancel(out.task);
    timers.advance(699);
    assert.deepEqual(out.late, []);
    timers.advance(1);
    assert.deepEqual(out.late, [DONE]);
    assert.deepEqual(content(0, 4096), out.bytes);
  });

  it('F9: cancelling twice, or a request that is not delayed, does nothing more', () => {
    s.setRules([{ operation: 'flush', delayMs: 50 }]);
    const out = new StoreRequest(512);
    s.cancel(out.task);
    out.await(s.flush(out.task));
    s.cancel(out.task);
    s.cancel(out.task);
    timers.advance(0);
    assert.deepEqual(out.late, [MEDIUM_WRITE]);
    s.cancel(out.task);
    timers.advance(100);
    assert.deepEqual(out.late, [MEDIUM_WRITE]);
    assert.equal(s.delayedRequests, 0);
  });

  it('delayed requests end in the order of their delays, after their rules have gone, too', () => {
    s.setRules([
      { operation: 'write', delayMs: 20, count: 1 },
      { operation: 'write', delayMs: 10, count: 1 },
    ]);
    const first = new StoreRequest(512).fill(8);
    const second = new StoreRequest(512).fill(9);
    const third = new StoreRequest(512).fill(10);
    first.await(s.write(first.task, 0, 512, first.segments, false));
    second.await(s.write(second.task, 0, 512, second.segments, false));
    assert.equal(s.write(third.task, 512, 512, third.segments, false), DONE);
    s.setRules([]);
    timers.advance(10);
    assert.deepEqual([first.late, second.late], [[], [DONE]]);
    timers.advance(10);
    assert.deepEqual(first.late, [DONE]);
    assert.deepEqual(content(0, 512), first.bytes);
  });
});
