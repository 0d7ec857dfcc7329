/** The seed's order of a media change (`mediaChangeStyle: maxfield`) and T10's, by the table of their differences (seeds 5.1, 5.3). */
import { strict as assert } from 'node:assert';
import { dataDisc, optical } from '../../../support/optical.ts';
import type { TestNexus } from '../../../support/target.ts';

const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';
const READ = '28 00 00 00 00 00 00 00 01 00';
const MEDIA_EVENT = '4a 01 00 00 10 00 00 00 08 00';
const UA = '6/28/00';
const GOOD = '';

function drive(mediaChangeStyle: 't10' | 'maxfield') {
  const { bed, unit } = optical(dataDisc(16), new Uint8Array(16 * 2048), { mediaChangeStyle });
  const { medium } = unit;
  assert(medium);
  const button = (): void => {
    medium.leave(unit);
    medium.take();
  };
  const insert = (): void => medium.insert(unit, medium.generation + 1, null);
  return {
    a: bed.nexus('a').clear(),
    b: bed.nexus('b').clear(),
    bed,
    medium,
    unit,
    button,
    insert,
  };
}
/** What TEST UNIT READY says, `count` times. */
const ready = (n: TestNexus, count: number): string[] =>
  Array.from({ length: count }, () => n.run('00 00 00 00 00 00').sense);

describe('maxfield: a medium that goes', () => {
  it('is 28/00 once, then NOT READY', () => {
    const { a, b, button } = drive('maxfield');
    button();
    for (const nexus of [a, b]) assert.deepEqual(ready(nexus, 3), [UA, '2/3a/01', '2/3a/01']);
  });

  it('ejected by a guest: it knows, the others are told 28/00 first', () => {
    const { a, b } = drive('maxfield');
    a.run(EJECT);
    assert.deepEqual(ready(a, 2), ['2/3a/02', '2/3a/02']);
    assert.deepEqual(ready(b, 3), [UA, '2/3a/02', '2/3a/02']);
  });

  it('meets who does not poll at the next read', () => {
    const { b, button } = drive('maxfield');
    button();
    assert.equal(b.run(READ, { in: 2048 }).sense, UA);
    assert.equal(b.run(READ, { in: 2048 }).sense, '2/3a/01');
  });

  it('is 28/00 again when the next one is there', () => {
    const { a, button, insert } = drive('maxfield');
    button();
    ready(a, 2);
    insert();
    assert.deepEqual(ready(a, 2), [UA, GOOD]);
  });

  it('a swap that nobody saw is one 28/00', () => {
    const { a, button, insert } = drive('maxfield');
    button();
    insert();
    assert.deepEqual(ready(a, 2), [UA, GOOD]);
  });

  it('is told from the moment the operator takes it', () => {
    const { a, unit, medium } = drive('maxfield');
    medium.leave(unit);
    assert.deepEqual(ready(a, 2), [UA, '2/3a/01']);
    medium.stay(unit);
    assert.deepEqual(ready(a, 2), [UA, GOOD]);
  });

  it('events are the same in both styles', () => {
    for (const style of ['t10', 'maxfield'] as const) {
      const { a, b } = drive(style);
      b.run(EJECT);
      b.run(LOAD);
      const codes = [0, 1, 2].map(() => a.run(MEDIA_EVENT, { in: 8 }).dataIn[4]);
      assert.deepEqual(codes, [3, 2, 0], style);
    }
  });
});

describe('t10: a medium that goes', () => {
  it('is NOT READY at once, and 28/00 when the next one is there', () => {
    const { a, button, insert } = drive('t10');
    button();
    assert.deepEqual(ready(a, 2), ['2/3a/01', '2/3a/01']);
    insert();
    assert.deepEqual(ready(a, 2), [UA, GOOD]);
  });
});
