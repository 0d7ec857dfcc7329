/** Burns that go wrong on purpose: the laser, a block, the end of a session; and the disc that is left (facts: §1.2, §3.1). */
import { strict as assert } from 'node:assert';
import { decodeDiscState } from '../../../../src/scsi/mmc/burn/disc-state.ts';
import { MEDIUM_KINDS, type MediumKind } from '../../../../src/scsi/mmc/burn/media.ts';
import type { DiscFault } from '../../../../src/scsi/mmc/disc-faults.ts';
import { burner, selectWrite, writeBlocks } from '../../../support/burner.ts';

const CLOSE_SESSION = '5b 00 02 00 00 00 00 00 00 00';
const SYNC = '35 00 00 00 00 00 00 00 00 00';
const OPC = '54 01 00 00 00 00 00 00 00 00';
const TUR = '00 00 00 00 00 00';
/** One track of 150 blocks of mode 1. */
const DATA_SHEET = '41000014000000004101001000000000410101100000020041aa011400000400';
/** Kinds that are written from block 0 on without being formatted. */
const SEQUENTIAL = MEDIUM_KINDS.filter((kind) => !['dvd-ram', 'dvd+rw', 'bd-re'].includes(kind));

function set({ unit }: ReturnType<typeof burner>, ...faults: DiscFault[]): void {
  unit.optical?.faults.set(faults);
}

function burning(kind: MediumKind): ReturnType<typeof burner> {
  const bed = burner(kind);
  if (kind.startsWith('cd')) selectWrite(bed.a, '41c408');
  else if (kind.startsWith('dvd-r')) selectWrite(bed.a, '40c000', '0000100000000010000000000000');
  return bed;
}

describe('a block that cannot be written', () => {
  for (const kind of SEQUENTIAL) {
    it(`${kind}: 3/0C/00 with its address, nothing of the transfer is on the disc, and it can be tried again`, () => {
      const bed = burning(kind);
      const { a, disc, journal } = bed;
      assert.equal(writeBlocks(a, 0, 32), '');
      set(bed, { operation: 'write', first: 40, end: 41, count: 1 });
      const { sense, information } = a.run('2a 00 00 00 00 20 00 00 20 00', {
        out: new Uint8Array(32 * 2048),
      });
      assert.deepEqual([sense, information], ['3/0c/00', 40]);
      assert.equal(disc.tracks[0]?.nextWritable, 32);
      assert.equal(writeBlocks(a, 32, 32), '');
      assert.equal(a.run(SYNC).sense, '');
      const kept = decodeDiscState(journal.kept ?? new Uint8Array());
      assert(typeof kept !== 'string', `the disc that is kept is legal: ${kept}`);
      assert.equal(kept.tracks[0]?.next, 64);
    });
  }

  it('DVD-RAM: the blocks around it are as they were', () => {
    const bed = burner('dvd-ram');
    const { a } = bed;
    assert.equal(writeBlocks(a, 0, 32), '');
    set(bed, { operation: 'write', first: 17, end: 18 });
    const { sense, information } = a.run('2a 00 00 00 00 10 00 00 10 00', {
      out: new Uint8Array(16 * 2048),
    });
    assert.deepEqual([sense, information], ['3/0c/00', 17]);
    assert.equal(a.run('28 00 00 00 00 10 00 00 01 00', { in: 2048 }).dataIn[0], 17);
    assert.equal(writeBlocks(a, 18, 14), '');
  });

  it('a test write has no laser that could fail', () => {
    const bed = burner('cd-r');
    selectWrite(bed.a, '51c408');
    set(bed, { operation: 'write' });
    assert.equal(writeBlocks(bed.a, 0, 16), '');
  });

  it('session at once: the session stays as far as it was written, and CLOSE SESSION makes it readable', () => {
    const bed = burner('cd-r');
    const { a, disc } = bed;
    selectWrite(a, '420000');
    assert.equal(a.run('5d 00 00 00 00 00 00 00 20 00', { out: DATA_SHEET }).sense, '');
    assert.equal(writeBlocks(a, -150, 200), '');
    set(bed, { operation: 'write', first: 60, end: 61 });
    assert.equal(writeBlocks(a, 50, 50), '3/0c/00');
    assert.equal(a.run(CLOSE_SESSION).sense, '');
    assert.deepEqual([disc.status, disc.blocks], ['complete', 50]);
  });
});

describe('the calibration of the laser', () => {
  it('fails with 3/73/03, as often as it shall, and only when it is asked for', () => {
    const bed = burner('cd-r');
    const { a } = bed;
    set(bed, { operation: 'calibration', count: 1 });
    assert.equal(a.run('54 00 00 00 00 00 00 00 00 00').sense, '');
    assert.deepEqual([a.run(OPC).sense, a.run(OPC).sense], ['3/73/03', '']);
  });
});

describe('the end of a session', () => {
  it('fails with 3/72/00: the session stays open, and can be closed again', () => {
    const bed = burning('cd-r');
    const { a, disc } = bed;
    writeBlocks(a, 0, 16);
    a.run(SYNC);
    set(bed, { operation: 'close', count: 2 });
    assert.equal(a.run(CLOSE_SESSION).sense, '3/72/00');
    assert.equal(disc.status, 'appendable');
    assert.equal(disc.sessions.length, 1);
    assert.equal(a.run('5b 01 02 00 00 00 00 00 00 00').sense, '', 'IMMED');
    const { sense, senseBytes } = a.run(TUR);
    assert.deepEqual([sense, senseBytes[0]], ['3/72/00', 0x71]);
    assert.equal(a.run(CLOSE_SESSION).sense, '');
    assert.equal(disc.tracks[0]?.state, 'complete');
  });

  it('a session at once that cannot end is closed by SYNCHRONIZE CACHE', () => {
    const bed = burner('cd-r');
    const { a, disc } = bed;
    selectWrite(a, '420000');
    a.run('5d 00 00 00 00 00 00 00 20 00', { out: DATA_SHEET });
    set(bed, { operation: 'close', count: 1 });
    assert.equal(writeBlocks(a, -150, 300), '3/72/00');
    assert.equal(disc.status, 'appendable');
    assert.equal(a.run(SYNC).sense, '');
    assert.deepEqual([disc.status, disc.blocks], ['complete', 150]);
  });
});
