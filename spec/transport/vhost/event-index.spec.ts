/** No notification is lost with event index: the protocol by exhaustive search, and the queue's own accesses against it. */
import { strict as assert } from 'node:assert';
import type { Virtqueue } from '../../../src/transport/vhost/virtqueue.ts';
import { exploreEventIndex, type Variant } from './event-index-model.ts';
import { Driver, Guest } from './guest.ts';

const BATCHES = [[1], [2], [1, 1], [2, 1], [1, 2], [3], [1, 1, 1], [1, 3, 1]];

describe('event index model', () => {
  const worst = (variant: Variant, what: 'lostWakeUps' | 'hopeless'): number =>
    Math.max(...BATCHES.map((batches) => exploreEventIndex(batches, variant)[what]));

  it('nobody sleeps for ever', () => {
    for (const batches of BATCHES) {
      const { states, lostWakeUps, hopeless } = exploreEventIndex(batches);
      assert.ok(states > 10, `${states} states`);
      assert.deepEqual([lostWakeUps, hopeless], [0, 0], `${batches}`);
    }
  });

  for (const [name, variant] of [
    ['no second look before sleeping', { noRecheck: true }],
    ['event read before the index is stored', { eventFirst: true }],
    ['only the last entry of a batch compared', { lastOnly: true }],
    ['eventfd emptied after the second look', { drainLate: true }],
    ['a driver without barriers offers requests', { plainIndex: true }],
    ['a driver without barriers waits for answers', { plainEvent: true }],
  ] as const) {
    it(`the model can fail: ${name}`, () => {
      assert.ok(worst(variant, 'lostWakeUps') > 0);
    });
  }

  it('a second look later makes up for the barriers that a driver lost', () => {
    assert.equal(worst({ plainIndex: true, consumerLooksAgain: true }, 'hopeless'), 0);
    assert.equal(worst({ plainEvent: true, producerLooksAgain: true }, 'hopeless'), 0);
    assert.equal(worst({ plainIndex: true, consumerLooksAgain: true }, 'lostWakeUps'), 0);
    assert.equal(worst({ plainEvent: true, producerLooksAgain: true }, 'lostWakeUps'), 0);
  });
});

describe('event index as coded', () => {
  type Access = readonly [operation: string, half: number, value?: number];

  /** The atomic accesses of `run`, by 16-bit index in the guest's memory. */
  function accesses(run: () => void): Access[] {
    const seen: Access[] = [];
    const { load, store } = Atomics;
    const spied = Atomics as unknown as Record<string, unknown>;
    spied['load'] = (words: Uint16Array, index: number): number => {
      if (words instanceof Uint16Array) seen.push(['load', index]);
      return load(words, index);
    };
    spied['store'] = (words: Uint16Array, index: number, value: number): number => {
      if (words instanceof Uint16Array) seen.push(['store', index, value]);
      return store(words, index, value);
    };
    try {
      run();
    } finally {
      Object.assign(Atomics, { load, store });
    }
    return seen;
  }

  let guest: Guest;
  let driver: Driver;
  let queue: Virtqueue;
  beforeEach(() => {
    guest = new Guest();
    driver = new Driver(guest, { eventIndex: true });
    queue = driver.device();
    driver.describe(0, guest.base, 1, 0);
  });
  afterEach(() => guest.end());

  it('arm: a look, the event, a second look', () => {
    assert.deepEqual(
      accesses(() => queue.arm()),
      [
        ['load', driver.avail / 2 + 1],
        ['store', (driver.used + 4 + 8 * driver.size) / 2, 0],
        ['load', driver.avail / 2 + 1],
      ],
    );
  });

  it('flush: the index, then the event', () => {
    driver.offer(0);
    queue.take();
    queue.push(0, 1);
    assert.deepEqual(
      accesses(() => queue.flush()),
      [
        ['store', driver.used / 2 + 1, 1],
        ['load', (driver.avail + 4 + 2 * driver.size) / 2],
      ],
    );
  });
});
