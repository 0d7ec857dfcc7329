/** No wake-up is lost: the protocol by exhaustive search, and the code's own accesses against the protocol. */
import assert from 'node:assert/strict';
import { close, createEventFd, drainEventFd, mapAnonymous, unmap } from '../../../src/libc.ts';
import { GuestMemory, MemoryRegion } from '../../../src/transport/memory.ts';
import { QueuePair } from '../../../src/transport/ring/queue-pair.ts';
import { explore, type Variant } from './doorbell-model.ts';
import { emptyElement } from './rig.ts';

/** One element, batches that fill and wrap a queue of two, batches of which the queue holds only a part. */
const BATCHES = [[1], [1, 1], [2], [1, 1, 1], [2, 1], [1, 2], [3]];

describe('doorbell model', () => {
  for (const slots of [1, 2]) {
    for (const batches of BATCHES) {
      it(`${slots} slots, batches of ${batches}: nobody sleeps for ever`, () => {
        for (const variant of [{}, { lookThenExchange: true }]) {
          const verdict = explore(slots, batches, variant);
          assert.ok(verdict.states > 20, `${verdict.states} states`);
          assert.deepEqual(
            { lost: verdict.lostWakeUps, wrong: verdict.wrongBodies, hopeless: verdict.hopeless },
            { lost: 0, wrong: 0, hopeless: 0 },
          );
        }
      });
    }
  }

  const broken: readonly (readonly [string, Variant, 'lostWakeUps' | 'wrongBodies'])[] = [
    ['no second look before sleeping', { noRecheck: true }, 'lostWakeUps'],
    ['sleep word looked at before publishing', { lookFirst: true }, 'lostWakeUps'],
    [
      'publish not sequentially consistent',
      { plainPublish: true, lookThenExchange: true },
      'lostWakeUps',
    ],
    ['sleep word not sequentially consistent', { plainSleep: true }, 'lostWakeUps'],
    ['doorbell emptied after the second look', { drainLate: true }, 'lostWakeUps'],
    ['no ring before waiting for a free slot', { silentWhenFull: true }, 'lostWakeUps'],
    ['first word before the body', { bodyLast: true }, 'wrongBodies'],
  ];
  for (const [name, variant, what] of broken) {
    it(`the model can fail: ${name}`, () => {
      const worst = BATCHES.map((batches) => explore(2, batches, variant)[what]);
      assert.ok(Math.max(...worst) > 0, `${worst}`);
    });
  }
});

type Access = readonly [operation: string, word: number, value: number | undefined];
type Operation = (words: Int32Array, index: number, value?: number) => number;

describe('doorbell protocol as coded', () => {
  const PLACE = {
    commandOffset: 128,
    commandEntries: 16,
    responseOffset: 384,
    responseEntries: 32,
    controlOffset: 0,
  };
  const COMMAND = 32;
  const mapping = mapAnonymous(4096);
  const memory = new GuestMemory([new MemoryRegion(0, mapping)]);
  const words = (memory.regions[0] as MemoryRegion).words;
  const bell = createEventFd();
  after(() => {
    close(bell);
    unmap(mapping);
  });
  beforeEach(() => {
    words.fill(0);
    drainEventFd(bell);
  });

  const NAMES = ['load', 'store', 'exchange', 'compareExchange'] as const;

  /** Runs `work` with `before` called ahead of each atomic access it makes to the shared memory. */
  function watched(before: (access: Access) => void, work: () => void): void {
    const table = Atomics as unknown as Record<string, Operation>;
    const real = NAMES.map((name) => [name, table[name] as Operation] as const);
    try {
      for (const [name, operation] of real) {
        table[name] = (array, index, ...rest) => {
          if (array === words) before([name, index, rest[0]]);
          return operation(array, index, ...rest);
        };
      }
      work();
    } finally {
      for (const [name, operation] of real) table[name] = operation;
    }
  }

  it('accesses shared memory in the order of the model', () => {
    const target = new QueuePair(memory, PLACE, 'target', bell);
    const initiator = new QueuePair(memory, PLACE, 'initiator', bell);
    const log: Access[] = [];
    const element = emptyElement();
    watched(
      (access) => log.push(access),
      () => {
        assert.equal(target.arm(), true);
        assert.equal(initiator.send(0x80, 1, 0, 0, 48, 0, 4096), true);
        initiator.flush();
        assert.equal(target.take(element), true);
        assert.equal(target.take(element), false);
      },
    );
    assert.deepEqual(log, [
      ['store', 0, 1], // declare
      ['load', COMMAND, undefined], // second look
      ['load', COMMAND, undefined], // free?
      ['store', COMMAND, 0x0180], // publish
      ['load', 0, undefined], // asleep?
      ['exchange', 0, 0],
      ['load', COMMAND, undefined], // take
      ['store', COMMAND, 0], // free
      ['load', COMMAND + 4, undefined], // empty
    ]);
    assert.equal(drainEventFd(bell), true);
  });

  /** Interrupts one end before its n-th access by a whole turn of the other end, for every n. */
  function interrupted(
    run: (target: QueuePair, initiator: QueuePair, at: number) => boolean,
  ): void {
    let at = 0;
    for (let more = true; more; at += 1) {
      words.fill(0);
      drainEventFd(bell);
      const target = new QueuePair(memory, PLACE, 'target', -1);
      const initiator = new QueuePair(memory, PLACE, 'initiator', bell);
      more = run(target, initiator, at);
    }
    assert.ok(at > 3, `${at} places`);
  }

  it('the consumer interrupted at each access by a whole turn of the producer', () => {
    interrupted((target, initiator, at) => {
      const element = emptyElement();
      let accesses = 0;
      let taken = 0;
      let done = false;
      let maySleep = false;
      watched(
        () => {
          accesses += 1;
          if (done || accesses - 1 !== at) return;
          done = true;
          assert.equal(initiator.send(0x80, 1, 0, 0, 0, 0, 1), true);
          initiator.flush();
        },
        () => {
          while (target.take(element)) taken += 1;
          maySleep = target.arm();
        },
      );
      if (done) assert.ok(taken === 1 || !maySleep || drainEventFd(bell), `lost at access ${at}`);
      return done;
    });
  });

  it('the producer interrupted at each access by a whole turn of the consumer', () => {
    interrupted((target, initiator, at) => {
      const element = emptyElement();
      let accesses = 0;
      let taken = 0;
      let done = false;
      let maySleep = false;
      watched(
        () => {
          accesses += 1;
          if (done || accesses - 1 !== at) return;
          done = true;
          while (target.take(element)) taken += 1;
          maySleep = target.arm();
        },
        () => {
          for (let i = 0; i < 3; i += 1) {
            assert.equal(initiator.send(0x80, 1, 0, 0, 0, 0, i), true);
            initiator.flush();
          }
        },
      );
      if (done) assert.ok(taken === 3 || !maySleep || drainEventFd(bell), `lost at access ${at}`);
      return done;
    });
  });
});
