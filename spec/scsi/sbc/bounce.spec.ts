/** The bounce pool: waiting in order, aborts that leak nothing, a stack that does not grow with the queue. */
import { strict as assert } from 'node:assert';
import { ABORT_TASK } from '../../../src/scsi/sam.ts';
import { disk } from '../../support/target.ts';
import { verify10 } from './cdbs.ts';

describe('BouncePool', () => {
  it('lets commands wait for a buffer and serves them in order', () => {
    const bed = disk({ blocks: 64, bounceBuffers: 1, volatileCache: false });
    const a = bed.nexus('a').clear();
    bed.store.hold = true;
    const waiting = [0, 1, 2].map((lba) => a.start(verify10(lba, 1)));
    assert.equal(bed.store.held.length, 1);
    bed.store.releaseAll();
    assert.deepEqual(
      bed.store.requests.map((request) => request.position / 512),
      [0, 1, 2],
    );
    assert.ok(waiting.every((pending) => pending.result.status === 0));
    assert.equal(bed.unit.block?.bounce.free, 1);
  });
  it('serves 3000 waiting commands from one buffer in one go', () => {
    const bed = disk({ blocks: 64, bounceBuffers: 1, volatileCache: false });
    const a = bed.nexus('a').clear();
    bed.store.hold = true;
    const waiting = Array.from({ length: 3000 }, (_, i) => a.start(verify10(i % 64, 1)));
    bed.store.hold = false;
    bed.store.release();
    assert.ok(waiting.every((pending) => pending.result.status === 0));
    assert.equal(bed.unit.block?.bounce.free, 1);
  });
  it('an aborted holder and an aborted waiter both end, and the buffer comes back', () => {
    const bed = disk({ blocks: 4096, bounceBuffers: 1, volatileCache: false });
    const a = bed.nexus('a').clear();
    bed.store.hold = true;
    const holder = a.start(verify10(0, 300), { tag: 1 });
    const waiter = a.start(verify10(0, 300), { tag: 2 });
    const next = a.start(verify10(9, 1), { tag: 3 });
    const first = a.manage(ABORT_TASK, 2);
    const second = a.manage(ABORT_TASK, 1);
    bed.store.releaseAll();
    assert.ok(first.done && second.done);
    assert.ok(holder.result.dropped && waiter.result.dropped);
    assert.equal(next.result.status, 0);
    assert.equal(bed.store.calls.read, 2, 'aborted commands read no further piece');
    assert.equal(bed.unit.block?.bounce.free, 1);
  });
});
