/** READ(10) and READ(12) of discs: straight, and from sectors that are kept with more than their user data. */
import { strict as assert } from 'node:assert';
import type { DiscLayout, SectorRun } from '../../../src/scsi/mmc/disc.ts';
import { dataDisc, optical, track, userRun } from '../../support/optical.ts';

const BLOCKS = 40;

/** Sector `lba` of a disc: every byte says which. */
function content(blocks: number, strideBytes: number): Uint8Array {
  const bytes = new Uint8Array(blocks * strideBytes);
  for (let i = 0; i < blocks; i += 1) bytes.fill(i + 1, i * strideBytes, (i + 1) * strideBytes);
  return bytes;
}

function raw(form: SectorRun['form'], blocks: number): DiscLayout {
  const run: SectorRun = { ...userRun(0, blocks), form, stored: 'raw', strideBytes: 2352 };
  return { ...dataDisc(blocks), tracks: [track(1, 0, blocks, form)], runs: [run] };
}

describe('MMC READ', () => {
  it('reads user data where the store has nothing else', () => {
    const a = optical(dataDisc(BLOCKS), content(BLOCKS, 2048)).bed.nexus('a').clear();
    const { status, dataIn } = a.run('28 00 00 00 00 03 00 00 02 00', { in: 4096 });
    assert.deepEqual([status, dataIn[0], dataIn[2047], dataIn[2048]], [0, 4, 4, 5]);
  });

  it('READ(12) reads the same', () => {
    const a = optical(dataDisc(BLOCKS), content(BLOCKS, 2048)).bed.nexus('a').clear();
    const { dataIn } = a.run('a8 00 00 00 00 03 00 00 00 02 00 00', { in: 4096 });
    assert.deepEqual([dataIn[0], dataIn[4095]], [4, 5]);
  });

  it('takes the user data out of raw sectors, more than a bounce buffer holds', () => {
    const bytes = content(BLOCKS, 2352);
    for (let i = 0; i < BLOCKS; i += 1) bytes.fill(0xee, i * 2352, i * 2352 + 16);
    const a = optical(raw('mode1', BLOCKS), bytes).bed.nexus('a').clear();
    const { status, dataIn } = a.run('28 00 00 00 00 00 00 00 28 00', { in: BLOCKS * 2048 });
    assert.equal(status, 0);
    const firsts = Array.from({ length: BLOCKS }, (_, i) => dataIn[i * 2048]);
    assert.deepEqual(
      firsts,
      Array.from({ length: BLOCKS }, (_, i) => i + 1),
    );
    assert.equal(dataIn.includes(0xee), false);
  });

  it('refuses audio with 5/64/00 and says where', () => {
    const a = optical(raw('audio', BLOCKS), content(BLOCKS, 2352)).bed.nexus('a').clear();
    const { sense, information } = a.run('28 00 00 00 00 02 00 00 01 00', { in: 2048 });
    assert.deepEqual([sense, information], ['5/64/00', 2]);
  });

  it('refuses what nobody has written with 5/21/00', () => {
    const a = optical(dataDisc(BLOCKS), content(BLOCKS, 2048)).bed.nexus('a').clear();
    const { sense, dataIn, information } = a.run('28 00 00 00 00 27 00 00 02 00', { in: 4096 });
    assert.deepEqual([sense, information, dataIn[0]], ['5/21/00', 40, 40]);
  });

  it('stops at the first unreadable block with 3/11/05', () => {
    const faults = [{ operation: 'read', first: 5, end: 7 }] as const;
    const a = optical(dataDisc(BLOCKS), content(BLOCKS, 2048), { faults }).bed.nexus('a').clear();
    const { sense, information, dataIn } = a.run('28 00 00 00 00 03 00 00 08 00', { in: 16384 });
    assert.deepEqual([sense, information, dataIn[0], dataIn[2048]], ['3/11/05', 5, 4, 5]);
  });

  it('a mixed track stops at the first sector of form 2', () => {
    const bytes = content(BLOCKS, 2352);
    for (let i = 0; i < BLOCKS; i += 1) bytes[i * 2352 + 18] = i === 3 ? 0x20 : 0x08;
    const a = optical(raw('mixed', BLOCKS), bytes).bed.nexus('a').clear();
    const { sense, information } = a.run('28 00 00 00 00 01 00 00 04 00', { in: 8192 });
    assert.deepEqual([sense, information], ['5/64/00', 3]);
  });

  it('READ CAPACITY names the last block of 2048 bytes', () => {
    const a = optical(dataDisc(BLOCKS), content(BLOCKS, 2048)).bed.nexus('a').clear();
    const { dataIn } = a.run('25 00 00 00 00 00 00 00 00 00', { in: 8 });
    assert.equal(Buffer.from(dataIn).toString('hex'), '0000002700000800');
  });
});
