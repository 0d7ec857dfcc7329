import { strict as assert } from 'node:assert';
import { Loopback, pump } from '../../src/transport/loopback.ts';

const empty = () => ({
  valid: 0,
  format: 0,
  reserved: 0,
  status: 0,
  timeout: 0,
  length: 0,
  high: 0,
  low: 0,
});

describe('loopback', () => {
  it('carries elements in order, field by field, each way', () => {
    const loopback = new Loopback({ regions: [{ handle: 0, bytes: 4096 }], entries: 4 });
    const element = empty();
    for (const [from, to] of [
      [loopback.initiator, loopback.target],
      [loopback.target, loopback.initiator],
    ] as const) {
      assert.equal(to.take(element), false);
      for (let round = 0; round < 3; round += 1) {
        for (let i = 0; i < 3; i += 1) assert(from.send(0x80, 1, 2, 3, 4, 0xffffffff, i));
        for (let i = 0; i < 3; i += 1) {
          assert(to.take(element));
          assert.deepEqual(element, {
            valid: 0x80,
            format: 1,
            reserved: 0,
            status: 2,
            timeout: 3,
            length: 4,
            high: 0xffffffff,
            low: i,
          });
        }
        assert.equal(to.take(element), false);
      }
    }
    loopback.close();
  });

  it('is bounded: the element after the last is refused, and nothing is lost', () => {
    const loopback = new Loopback({ regions: [{ handle: 0, bytes: 4096 }], entries: 4 });
    for (let i = 0; i < 4; i += 1) assert(loopback.initiator.send(0x80, 1, 0, 0, 0, 0, i));
    assert.equal(loopback.initiator.send(0x80, 1, 0, 0, 0, 0, 4), false);
    const element = empty();
    for (let i = 0; i < 4; i += 1) {
      assert(loopback.target.take(element));
      assert.equal(element.low, i);
    }
    loopback.close();
  });

  it('queue pairs share the memory and nothing else', () => {
    const loopback = new Loopback({
      regions: [
        { handle: 3, bytes: 4096 },
        { handle: 9, bytes: 8192 },
      ],
      queuePairs: 2,
    });
    const [first, second] = loopback.pairs;
    assert(first && second);
    assert.equal(first.target.memory, second.initiator.memory);
    first.initiator.send(0x80, 1, 0, 0, 0, 0, 0);
    assert.equal(second.target.take(empty()), false);
    assert.equal(loopback.memory.find(9)?.bytes, 8192);
    assert.equal(loopback.memory.find(4), null);
    loopback.close();
  });

  it('counts the batches that would ring a doorbell', () => {
    const loopback = new Loopback({ regions: [{ handle: 0, bytes: 4096 }] });
    const { initiator } = loopback;
    initiator.flush();
    initiator.send(0x80, 1, 0, 0, 0, 0, 0);
    initiator.send(0x80, 1, 0, 0, 0, 0, 0);
    initiator.flush();
    initiator.flush();
    assert.equal(initiator.flushes, 1);
    loopback.close();
  });

  it('pump goes on until nobody has anything to do', () => {
    let left = 3;
    let echoes = 0;
    const total = pump(
      {
        poll: () => {
          if (left === 0) return 0;
          left -= 1;
          echoes += 2;
          return 1;
        },
      },
      {
        poll: () => {
          const done = echoes;
          echoes = 0;
          return done;
        },
      },
    );
    assert.equal(total, 9);
  });
});
