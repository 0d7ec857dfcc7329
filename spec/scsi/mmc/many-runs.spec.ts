/** Discs whose sectors are kept in thousands of ways: a command that reads over all of them needs no stack for each, and leaves nothing held. */
import { strict as assert } from 'node:assert';
import { MEDIUM_READ } from '../../../src/scsi/contracts.ts';
import type { SectorRun } from '../../../src/scsi/mmc/disc.ts';
import type { Pending } from '../../support/direct-port.ts';
import { dataDisc, optical, userRun } from '../../support/optical.ts';
import type { Testbed } from '../../support/target.ts';

const SECTORS = 20_000;
const SLOT = 2352;

/** Every other sector is kept raw; of every fifth nothing is kept. */
function patchwork() {
  const runs = Array.from({ length: SECTORS }, (_, lba): SectorRun => {
    const run = { ...userRun(lba, 1, lba * SLOT), strideBytes: SLOT };
    if (lba % 5 === 0) return { ...run, stored: 'nothing' };
    return lba % 2 === 0 ? { ...run, stored: 'raw' } : run;
  });
  const bytes = new Uint8Array(SECTORS * SLOT);
  for (let lba = 0; lba < SECTORS; lba += 1) bytes.fill(lba & 0xff, lba * SLOT, (lba + 1) * SLOT);
  return optical({ ...dataDisc(SECTORS), runs }, bytes);
}

function ended(bed: Testbed, pending: Pending) {
  while (!pending.done && bed.timers.run());
  return pending.result;
}

const count = SECTORS.toString(16).padStart(4, '0');

describe('a disc of twenty thousand runs', () => {
  for (const [name, cdb, sectorBytes] of [
    ['READ(10)', `28000000000000${count}00`, 2048],
    ['READ(12)', `a800000000000000${count}0000`, 2048],
    ['READ CD', `be000000000000${count}f80000`, 2352],
    ['READ CD of user data', `be000000000000${count}100000`, 2048],
  ] as const) {
    it(`is read in one go by ${name}`, () => {
      const { bed, unit } = patchwork();
      const a = bed.nexus('a').clear();
      const { bounce } = unit.optical ?? assert.fail('it is an optical drive');
      const { free } = bounce;
      const { sense, dataIn } = ended(bed, a.start(cdb, { in: SECTORS * sectorBytes }));
      const userData = sectorBytes === 2048 ? 0 : 16;
      assert.deepEqual([sense, dataIn.length, bounce.free], ['', SECTORS * sectorBytes, free]);
      for (const lba of [0, 1, 2, 9_999, SECTORS - 1]) {
        const found = dataIn[lba * sectorBytes + userData + 7];
        assert.equal(found, lba % 5 === 0 ? 0 : lba & 0xff, `sector ${lba}`);
      }
    });
  }

  it('is verified in one go', () => {
    const { bed } = patchwork();
    const a = bed.nexus('a').clear();
    assert.equal(ended(bed, a.start(`2f000000000000${count}00`)).sense, '');
  });
});

describe('a fault of the store in front of block 0', () => {
  it('is told with its address, as READ CD has it (FFFFFF6Ah is -150)', () => {
    const pregap: SectorRun = { ...userRun(-150, 150), stored: 'raw', strideBytes: SLOT };
    const layout = { ...dataDisc(10), runs: [pregap, userRun(0, 10, 150 * SLOT)] };
    const { bed, store } = optical(layout, new Uint8Array(160 * SLOT));
    const a = bed.nexus('a').clear();
    store.fail('read', MEDIUM_READ, 3 * SLOT);
    const { sense, information } = a.run('be 00 ff ff ff 6a 00 00 10 10 00 00', { in: 65_536 });
    assert.deepEqual([sense, information], ['3/11/00', 0xffff_ff6d]);
  });
});

describe('a command that a bug ends', () => {
  it('is 4/44/00 and holds no bounce buffer', () => {
    const { bed, unit, store } = patchwork();
    const a = bed.nexus('a').clear();
    const { bounce } = unit.optical ?? assert.fail('it is an optical drive');
    const { free } = bounce;
    let errors = 0;
    bed.target.onInternalError = () => {
      errors += 1;
    };
    store.read = () => {
      throw new Error('a bug');
    };
    for (let i = 0; i < 10; i += 1) {
      const { sense } = a.run('28 00 00 00 00 02 00 00 02 00', { in: 4096 });
      assert.equal(sense, '4/44/00');
    }
    assert.deepEqual([errors, bounce.free], [10, free]);
  });
});
