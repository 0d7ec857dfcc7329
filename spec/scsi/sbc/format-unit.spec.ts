/** FORMAT UNIT (SBC-3 5.3): the pattern, the parameter list, and what others are told meanwhile. */
import { strict as assert } from 'node:assert';
import { DONE, MEDIUM_WRITE, type OperationStore } from '../../../src/scsi/contracts.ts';
import { disk, type TestNexus } from '../../support/target.ts';
import { pattern, write10 } from './cdbs.ts';

const TUR = '00 00 00 00 00 00';
const FORMAT = '04 00 00 00 00 00';
const FORMAT_WITH_LIST = '04 10 00 00 00 00';
const FORMAT_WITH_LONG_LIST = '04 30 00 00 00 00';
const IMMED = 0x02;
const IP = 0x88;

function bench(options = {}) {
  const keeper: OperationStore = { save: () => DONE };
  const bed = disk({ blocks: 4096, thin: true, operationStore: keeper, ...options });
  const [a, b] = [bed.nexus('a').clear(), bed.nexus('b').clear()];
  const finish = (): void => {
    while (bed.timers.run());
  };
  return { bed, a, b, store: bed.store, finish };
}
const start = (n: TestNexus, cdb: string, ...list: number[]) =>
  n.start(cdb, { out: Uint8Array.from(list) });

describe('FORMAT UNIT', () => {
  it('without a list writes zeros everywhere, stable when it is GOOD', () => {
    for (const thin of [true, false]) {
      const { a, store, finish } = bench({ thin });
      a.run(write10(4, 1), { out: pattern(4, 1) });
      const done = start(a, FORMAT);
      finish();
      assert.equal(done.result.status, 0);
      store.powerCut();
      assert.ok(store.memory.every((byte) => byte === 0));
      const call = thin ? 'discard' : 'writeZeroes';
      assert.ok(store.requests.some((request) => request.call === call));
    }
  });

  it('with a pattern fills each block with it', () => {
    const { a, store, finish } = bench();
    const done = start(a, FORMAT_WITH_LIST, 0, IP, 0, 0, 0, 1, 0, 3, 7, 8, 9);
    finish();
    assert.equal(done.result.status, 0);
    assert.deepEqual([...store.memory.subarray(508, 516)], [8, 9, 7, 8, 7, 8, 9, 7]);
    const longer = start(a, FORMAT_WITH_LONG_LIST, 0, IP, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 5);
    finish();
    assert.equal(longer.result.status, 0);
    assert.equal(store.memory[1000], 5);
  });

  it('with IMMED = 1 is answered at once; others hear 2/04/04 with the progress until it has ended', () => {
    const { a, b, finish } = bench();
    assert.equal(start(a, FORMAT_WITH_LIST, 0, IP | IMMED, 0, 0, 0, 1, 0, 1, 1).result.status, 0);
    const r = b.run(TUR);
    assert.equal(r.sense, '2/04/04');
    assert.equal(r.senseBytes[15], 0x80);
    const { dataIn } = b.run('03 00 00 00 12 00', { in: 18 });
    assert.deepEqual([dataIn[2], dataIn[12], dataIn[13]], [2, 0x04, 0x04]);
    a.manage(0x08);
    b.attentions();
    assert.equal(b.run(TUR).sense, '2/04/04', 'a reset does not end it');
    finish();
    assert.equal(b.run(TUR).status, 0);
  });

  it('that fails is 3/31/01 until another one works', () => {
    const { a, store, finish } = bench();
    store.fail('discard', MEDIUM_WRITE);
    const done = start(a, FORMAT);
    finish();
    assert.equal(done.result.sense, '3/31/01');
    assert.equal(a.run(TUR).sense, '3/31/01');
    assert.equal(a.run('48 1f 00 00 00 00 00 00 00 00').sense, '5/24/00', 'no failure of SANITIZE');
    const again = start(a, FORMAT);
    finish();
    assert.equal(again.result.status, 0);
    assert.equal(a.run(TUR).status, 0);
  });

  it('refuses lists that are too short or ask for what there is not, and changes nothing', () => {
    const { a, store } = bench();
    const refused: readonly (readonly [string, readonly number[], string, string])[] = [
      [FORMAT_WITH_LIST, [0, 0, 0], '5/1a/00', ''],
      [FORMAT_WITH_LONG_LIST, [0, 0, 0, 0], '5/1a/00', ''],
      [FORMAT_WITH_LIST, [1, 0, 0, 0], '5/26/00', 'list 0'],
      [FORMAT_WITH_LIST, [0, 0x08, 0, 0, 0, 0, 0, 0], '5/26/00', 'list 1.7'],
      [FORMAT_WITH_LIST, [0, 0, 0, 8], '5/26/00', 'list 2'],
      [FORMAT_WITH_LONG_LIST, [0, 0, 0, 0x10, 0, 0, 0, 0], '5/26/00', 'list 3'],
      [FORMAT_WITH_LIST, [0, IP, 0, 0, 0x20, 0, 0, 0], '5/26/00', 'list 4'],
      [FORMAT_WITH_LIST, [0, IP, 0, 0, 0, 2, 0, 1, 0], '5/26/00', 'list 5'],
      [FORMAT_WITH_LIST, [0, IP, 0, 0, 0, 1, 0, 0], '5/26/00', 'list 6'],
      [FORMAT_WITH_LIST, [0, IP, 0, 0, 0, 1, 0, 9, 1], '5/1a/00', ''],
    ];
    for (const [cdb, list, sense, pointer] of refused) {
      const { result } = start(a, cdb, ...list);
      assert.deepEqual([result.sense, result.pointer], [sense, pointer], list.join());
    }
    assert.equal(start(a, '04 80 00 00 00 00').result.sense, '5/24/00', 'protection information');
    assert.equal(store.requests.length, 0);
  });

  it('does not exist where nothing can be kept over a restart', () => {
    const a = disk().nexus('a').clear();
    assert.equal(a.run(FORMAT).sense, '5/20/00');
  });
});
