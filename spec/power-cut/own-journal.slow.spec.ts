/** What was acknowledged as durable is there after a power cut (SBC-3 4.15, sam-rules K01), and the test notices when it is not. */
import { strict as assert } from 'node:assert';
import { Seeded } from '../transport/control/seeded.ts';
import { type Indivisible, Medium } from './medium.ts';
import { cutOwnJournal } from './own-journal.ts';

const SEED = 20;

describe('power cuts under a small journal', () => {
  it('lose nothing that was acknowledged as durable, and tear no atomic write', () => {
    const { cuts, losses, replays } = cutOwnJournal(SEED, 200, 'none');
    assert.deepEqual(losses, []);
    assert.equal(cuts, 200);
    assert.ok(replays > 0, 'some cuts hit an atomic write in place');
  });

  for (const [mutation, what] of [
    ['no-sync', 'no sync reaches the medium'],
    ['no-durable-write', 'FUA writes are plain ones'],
    ['no-record', 'atomic writes have no record'],
    ['no-replay', 'the record of an atomic write is ignored'],
  ] as const) {
    it(`are noticed when ${what}`, () => {
      assert.ok(cutOwnJournal(SEED, 200, mutation).losses.length > 0);
    });
  }
});

describe('the medium of the power cuts', () => {
  const write = (at: number, value: number, durable = false) => ({
    kind: 'write' as const,
    file: 0,
    position: at * 512,
    bytes: new Uint8Array(1024).fill(value),
    durable,
  });

  /** Every state that 64 cuts at `at` leave, one number per sector. */
  function states(
    events: Medium['events'],
    at: number,
    indivisible: readonly Indivisible[] = [],
  ): Set<string> {
    const medium = new Medium([new Uint8Array(2048)], indivisible);
    medium.events.push(...events);
    const random = new Seeded(1);
    return new Set(
      Array.from({ length: 64 }, () => {
        const [file] = medium.cut(at, random);
        return [0, 512, 1024, 1536].map((position) => file?.[position]).join(' ');
      }),
    );
  }

  it('keeps what a sync that has ended covers, whole', () => {
    const events = [write(0, 1), { kind: 'sync' as const, file: 0, from: 1 }];
    assert.deepEqual(states(events, 2), new Set(['1 1 0 0']));
  });

  it('may keep any sectors of a write that no sync covers, and of one under way', () => {
    const every = new Set(['0 0 0 0', '1 0 0 0', '0 1 0 0', '1 1 0 0']);
    assert.deepEqual(states([write(0, 1)], 1), every);
    assert.deepEqual(states([write(0, 1, true)], 0), every);
    assert.deepEqual(states([write(0, 1), { kind: 'sync', file: 0, from: 1 }], 1), every);
  });

  it('leaves an indivisible range all old or all new', () => {
    const range = [{ file: 0, from: 0, end: 1024 }];
    assert.deepEqual(states([write(0, 1)], 1, range), new Set(['0 0 0 0', '1 1 0 0']));
    const beside = new Set(['0 0 0 0', '0 1 0 0', '0 0 1 0', '0 1 1 0']);
    assert.deepEqual(states([write(1, 1)], 1, range), beside);
  });

  it('may lose an older write and keep a newer one, but never puts an old sector on a durable one', () => {
    assert.ok(states([write(0, 1), write(2, 2)], 2).has('0 0 2 2'));
    assert.deepEqual(states([write(0, 1), write(0, 2, true)], 2), new Set(['2 2 0 0']));
  });
});
