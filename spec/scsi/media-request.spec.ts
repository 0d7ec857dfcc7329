/** Media requests of guests without a SCSI driver of drives: lock, unlock, eject, query (the client and server of seeds 4.2 and 4.3). */
import { strict as assert } from 'node:assert';
import { MEDIUM_WRITE } from '../../src/scsi/contracts.ts';
import type { MediaRequest, MediaResult } from '../../src/scsi/media-request.ts';
import { dataDisc, optical } from '../support/optical.ts';
import { disk, type Testbed, type TestNexus } from '../support/target.ts';
import { pattern, write10 } from './sbc/cdbs.ts';

const TUR = '00 00 00 00 00 00';
const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';
const PREVENT = '1e 00 00 00 01 00';
const MEDIA_EVENT = '4a 01 00 00 10 00 00 00 08 00';

function drive() {
  const bed = disk({ removable: true });
  return { bed, a: bed.nexus('a').clear(), b: bed.nexus('b').clear(), store: bed.store };
}
const ask = (bed: Testbed, who: TestNexus, request: MediaRequest) =>
  bed.unit.mediaRequests.serve(who.nexus, request);
const result = (bed: Testbed, who: TestNexus, request: MediaRequest): MediaResult =>
  ask(bed, who, request).result;

describe('media requests', () => {
  it('query says how things are', () => {
    const { bed, a, b } = drive();
    b.run(PREVENT);
    assert.deepEqual(ask(bed, a, 'query'), {
      result: 'done',
      loaded: true,
      open: false,
      locked: false,
      held: true,
      requested: false,
      generation: 1,
    });
  });

  it('a unit whose medium is fixed has none', () => {
    const bed = disk();
    const a = bed.nexus('a');
    for (const request of ['query', 'lock', 'unlock', 'eject'] as const) {
      assert.equal(result(bed, a, request), 'unsupported');
    }
  });

  it('lock is a prevention of the initiator, unlock ends it', () => {
    const { bed, a, b } = drive();
    assert.deepEqual([result(bed, a, 'lock'), ask(bed, a, 'query').locked], ['done', true]);
    assert.equal(b.run(EJECT).sense, '5/53/02');
    assert.deepEqual([result(bed, a, 'unlock'), ask(bed, a, 'query').locked], ['done', false]);
    assert.equal(b.run(EJECT).status, 0);
  });

  it('nothing is locked that is not there', () => {
    const { bed, a } = drive();
    a.run(EJECT);
    assert.equal(result(bed, a, 'lock'), 'absent');
  });

  it('eject works with its own lock, which ends with it', () => {
    const { bed, a, b } = drive();
    result(bed, a, 'lock');
    assert.equal(result(bed, a, 'eject'), 'done');
    const { loaded, open, locked } = ask(bed, a, 'query');
    assert.deepEqual([loaded, open, locked], [false, true, false]);
    assert.equal(b.run(TUR).sense, '2/3a/02');
    assert.equal(b.run(LOAD).status, 0);
  });

  it('eject without a medium is done', () => {
    const { bed, a } = drive();
    a.run(EJECT);
    assert.equal(result(bed, a, 'eject'), 'done');
  });

  it('eject does not work against the lock of another, nor the operator’s, nor a reservation', () => {
    const { bed, a, b } = drive();
    result(bed, b, 'lock');
    assert.equal(result(bed, a, 'eject'), 'prevented');
    result(bed, b, 'unlock');
    assert(bed.unit.medium);
    bed.unit.medium.locked = true;
    assert.equal(result(bed, a, 'eject'), 'prevented');
    bed.unit.medium.locked = false;
    b.run('16 00 00 00 00 00');
    assert.deepEqual([result(bed, a, 'eject'), result(bed, a, 'lock')], ['prevented', 'prevented']);
    assert.equal(b.run(TUR).status, 0);
  });

  it('an eject waits for what has begun; until then it is pending, and nothing else begins', () => {
    const { bed, a, b, store } = drive();
    store.hold = true;
    const write = b.start(write10(4, 1), { out: pattern(4, 1) });
    assert.equal(result(bed, a, 'eject'), 'pending');
    assert.deepEqual(
      [result(bed, a, 'eject'), result(bed, a, 'lock'), result(bed, b, 'eject')],
      ['pending', 'absent', 'absent'],
    );
    assert.match(b.run(TUR).sense, /^2\/3a/);
    store.hold = false;
    store.releaseAll();
    assert.equal(write.result.status, 0);
    assert.deepEqual(store.memory.slice(4 * 512, 5 * 512), pattern(4, 1));
    assert.equal(result(bed, a, 'query'), 'done');
    assert.equal(ask(bed, a, 'query').open, true);
  });

  it('a flush that fails keeps the medium in, which is told once', () => {
    const { bed, a, b, store } = drive();
    store.fail('flush', MEDIUM_WRITE);
    assert.equal(result(bed, a, 'eject'), 'failed');
    assert.equal(result(bed, a, 'query'), 'done');
    assert.deepEqual(b.attentions(), ['6/28/00']);
    assert.equal(b.run(TUR).status, 0);
  });

  it('another’s lock that comes while it is pending keeps the medium in', () => {
    const { bed, a, b, store } = drive();
    store.hold = true;
    assert.equal(result(bed, a, 'eject'), 'pending');
    b.run(PREVENT);
    store.releaseAll();
    assert.deepEqual([result(bed, a, 'query'), result(bed, a, 'query')], ['failed', 'done']);
  });

  it('a unit goes away when its eject works on the store no longer', () => {
    const { bed, a, store } = drive();
    store.hold = true;
    assert.equal(result(bed, a, 'eject'), 'pending');
    let gone = false;
    bed.target.removeUnit(0, () => {
      gone = true;
    });
    assert.equal(gone, false, 'it flushes');
    store.releaseAll();
    assert.equal(gone, true);
  });

  it('the others learn of it as of every eject: events, NOT READY, 28/00 with the next medium', () => {
    const { bed } = optical(dataDisc(16), new Uint8Array(16 * 2048));
    const [a, b] = [bed.nexus('a').clear(), bed.nexus('b').clear()];
    assert.equal(result(bed, a, 'eject'), 'done');
    assert.equal(b.run(MEDIA_EVENT, { in: 8 }).dataIn[4], 3);
    assert.equal(b.run(TUR).sense, '2/3a/02');
    a.run(LOAD);
    assert.deepEqual([a.attentions(), b.attentions()], [[], ['6/28/00']]);
    assert.equal(ask(bed, a, 'query').generation, 2);
  });
});
