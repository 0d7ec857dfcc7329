/** The allocator of data buffers: no overlap, nothing lost, first fit. */
import { strict as assert } from 'node:assert';
import { Arena } from '../../src/transport/arena.ts';

describe('arena', () => {
  it('hands out aligned, separate buffers and says when there is none', () => {
    const arena = new Arena(1000, 4096 + 512);
    const offsets = Array.from({ length: 8 }, () => arena.allocate(512));
    assert.deepEqual(offsets, [1024, 1536, 2048, 2560, 3072, 3584, 4096, 4608]);
    assert.equal(arena.allocate(1), -1);
  });

  it('merges neighbours, whatever the order in which they come back', () => {
    for (const back of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      const arena = new Arena(0, 1536);
      const offsets = [arena.allocate(512), arena.allocate(300), arena.allocate(512)];
      for (const i of back) arena.release(offsets[i] as number, i === 1 ? 300 : 512);
      assert.equal(arena.allocate(1536), 0, `given back as ${back.join()}`);
    }
  });

  it('a buffer that comes back twice is a bug that shows', () => {
    const arena = new Arena(0, 4096);
    const offset = arena.allocate(1024);
    arena.release(offset, 1024);
    assert.throws(() => arena.release(offset, 1024), { code: 'ERR_INVARIANT' });
  });

  it('a long mixture of sizes never overlaps and leaves everything free', () => {
    const arena = new Arena(0, 64 * 512);
    const owner = new Int16Array(64).fill(-1);
    const held: { offset: number; bytes: number }[] = [];
    let state = 12345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return (state >> 8) % below;
    };
    for (let step = 0; step < 5000; step += 1) {
      const bytes = 1 + random(5 * 512);
      const offset = random(2) === 0 ? arena.allocate(bytes) : -1;
      if (offset >= 0) {
        for (let unit = offset / 512; unit < (offset + bytes) / 512; unit += 1) {
          assert.equal(owner[unit], -1, 'free until now');
          owner[unit] = 1;
        }
        held.push({ offset, bytes });
      } else if (held.length > 0) {
        const [gone] = held.splice(random(held.length), 1);
        assert(gone);
        arena.release(gone.offset, gone.bytes);
        owner.fill(-1, gone.offset / 512, Math.ceil((gone.offset + gone.bytes) / 512));
      }
    }
    for (const { offset, bytes } of held) arena.release(offset, bytes);
    assert.equal(arena.freeBytes, 64 * 512);
    assert.equal(arena.allocate(64 * 512), 0);
  });
});
