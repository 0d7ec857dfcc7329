/** VERIFY(10) and VERIFY(12) of discs. */
import { strict as assert } from 'node:assert';
import { MEDIUM_READ } from '../../../src/scsi/contracts.ts';
import type { DiscLayout } from '../../../src/scsi/mmc/disc.ts';
import { audioDisc, dataDisc, optical, userRun } from '../../support/optical.ts';

const BLOCKS = 100;
const DISC = dataDisc(BLOCKS);

function drive(layout: DiscLayout = DISC) {
  return optical(layout, new Uint8Array(BLOCKS * 2352));
}

describe('MMC VERIFY', () => {
  it('reads every block and moves nothing', () => {
    const { bed, store } = drive();
    const { status, dataInWanted } = bed.nexus('a').clear().run('2f 00 00 00 00 00 00 00 64 00');
    const bytes = store.requests.reduce((sum, { length }) => sum + length, 0);
    assert.deepEqual([status, dataInWanted, bytes], [0, 0, BLOCKS * 2048]);
  });

  it('VERIFY(12) does the same', () => {
    const a = drive().bed.nexus('a').clear();
    assert.equal(a.run('af 00 00 00 00 5a 00 00 00 0a 00 00').status, 0);
  });

  it('finds the block that cannot be read', () => {
    const { bed, unit } = drive();
    unit.optical?.faults.set([{ operation: 'read', first: 70, end: 71 }]);
    const a = bed.nexus('a').clear();
    const { sense, information } = a.run('2f 00 00 00 00 00 00 00 64 00');
    assert.deepEqual([sense, information], ['3/11/05', 70]);
  });

  it('says where the store failed', () => {
    const { bed, store } = drive();
    store.fail('read', MEDIUM_READ, 5 * 2048);
    const { sense, information } = bed.nexus('a').clear().run('2f 00 00 00 00 0a 00 00 20 00');
    assert.deepEqual([sense, information], ['3/11/00', 15]);
  });

  it('goes on when the store answers later', () => {
    const { bed, store } = drive();
    store.hold = true;
    const verify = bed.nexus('a').clear().start('2f 00 00 00 00 00 00 00 64 00');
    for (let i = 0; i < 4; i += 1) {
      assert.equal(verify.done, false);
      store.hold = i < 3;
      store.release();
    }
    assert.equal(verify.result.status, 0);
  });

  it('lets others have their turn', () => {
    // The same 32 blocks again and again: 65 pieces.
    const runs = Array.from({ length: 65 }, (_, i) => userRun(i * 32, 32));
    const { bed } = drive({ ...dataDisc(65 * 32), runs });
    const a = bed.nexus('a').clear();
    const verify = a.start('2f 00 00 00 00 00 00 08 20 00');
    assert.equal(verify.done, false);
    bed.timers.run();
    assert.equal(verify.result.status, 0);
  });

  it('can be aborted meanwhile', () => {
    const runs = Array.from({ length: 200 }, (_, i) => userRun(i * 32, 32));
    const { bed, store } = drive({ ...dataDisc(200 * 32), runs });
    const a = bed.nexus('a').clear();
    const verify = a.start('2f 00 00 00 00 00 00 19 00 00', { tag: 7 });
    a.manage(0x01, 7);
    bed.timers.run();
    assert.deepEqual([verify.result.dropped, store.requests.length], [true, 64]);
  });

  it('reads nothing where nothing is kept, however long that is', () => {
    const run = { ...userRun(0, 350_000), stored: 'nothing' } as const;
    const { bed, store } = drive({ ...dataDisc(350_000), runs: [run] });
    const { status } = bed.nexus('a').clear().run('af 00 00 00 00 00 00 05 57 30 00 00');
    assert.deepEqual([status, store.requests.length], [0, 0]);
  });

  it('refuses audio, what is behind the end, and to compare', () => {
    const audio = drive(audioDisc([0], BLOCKS))
      .bed.nexus('a')
      .clear();
    assert.equal(audio.run('2f 00 00 00 00 00 00 00 01 00').sense, '5/64/00');
    const a = drive().bed.nexus('a').clear();
    const behind = a.run('2f 00 00 00 00 63 00 00 02 00');
    assert.deepEqual([behind.sense, behind.information], ['5/21/00', 100]);
    const compares = a.run('2f 02 00 00 00 00 00 00 01 00', { out: new Uint8Array(2048) });
    assert.deepEqual([compares.sense, compares.pointer], ['5/24/00', 'cdb 1.1']);
  });
});
