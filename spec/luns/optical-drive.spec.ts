/** Optical drives: a disc comes and goes with its store, and no command sees the one without the other. */
import { strict as assert } from 'node:assert';
import type { DiskOptions } from '../../src/luns/disk.ts';
import { Drive } from '../../src/luns/drive.ts';
import { createDiscDrive } from '../../src/luns/optical.ts';
import { FaultStore } from '../../src/luns/store/fault.ts';
import { DONE } from '../../src/scsi/contracts.ts';
import { diskModePages } from '../../src/scsi/mode-page.ts';
import { Target } from '../../src/scsi/target.ts';
import { HeldMedium } from '../support/held-medium.ts';
import { dataDisc, track, userRun } from '../support/optical.ts';
import { bouncePool, ManualTimers, TestNexus } from '../support/target.ts';

const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';
const READ_CAPACITY = '25 00 00 00 00 00 00 00 00 00';
const READ_BLOCK_1 = '28 00 00 00 00 01 00 00 01 00';
const FIRST_BLOCKS = 4;
const SECOND_BLOCKS = 8;

/** The second disc has the block that is asked for elsewhere in its store. */
function second() {
  const layout = dataDisc(SECOND_BLOCKS);
  const runs = [userRun(0, 1, 0), userRun(1, SECOND_BLOCKS - 1, 4096)];
  return { ...layout, tracks: [track(1, 0, SECOND_BLOCKS, 'mode1')], runs };
}

function bench() {
  const timers = new ManualTimers();
  const target = new Target({ name: 'spec', timers });
  const media = [
    new HeldMedium({ bytes: FIRST_BLOCKS * 2048, readOnly: true }),
    new HeldMedium({ bytes: (SECOND_BLOCKS + 1) * 2048, readOnly: true }),
  ] as const;
  media[0].memory.fill(0x11);
  media[1].memory.fill(0x22).fill(0x33, 4096, 6144);
  const asked: string[] = [];
  const options: DiskOptions = {
    lun: 0,
    backing: { kind: 'disc', files: [{ fd: -1, bytes: 8192 }], layout: dataDisc(FIRST_BLOCKS) },
    readOnly: true,
    blockBytes: 2048,
    physicalBlockBytes: 2048,
    thin: false,
    writeCache: false,
    serial: 'SPEC',
    naa: new Uint8Array(8).fill(0x30),
    savedPages: null,
    savable: false,
    removable: true,
    optical: true,
  };
  const store = new FaultStore(media[0], { timers, blockBytes: 2048 });
  const drive = new Drive({
    disk: options,
    store,
    timers,
    keeper: {
      ejected: (lun, generation) => void asked.push(`ejected ${lun} ${generation}`),
      wanted: (lun) => void asked.push(`wanted ${lun}`),
    },
    open: () => media[1],
  });
  const unit = createDiscDrive(target, options, {
    store,
    bounce: bouncePool(2),
    modePages: diskModePages(),
    reservationStore: null,
    reservations: null,
    operationStore: null,
    informationStore: null,
    logStore: null,
    mediumChanger: drive,
  });
  target.addUnit(unit);
  const nexus = (name: string): TestNexus => {
    const found = target.login(name, name, false);
    assert(found);
    return new TestNexus(target, found, 'native').clear();
  };
  const insert = (asks = false): void => {
    const backing = { kind: 'disc', files: [{ fd: -1, bytes: 18432 }], layout: second() } as const;
    const how = { force: false, asked: asks };
    drive.insert(unit, { backing, readOnly: true, generation: 2 }, how, (error) =>
      assert.equal(error, null),
    );
  };
  return { media, asked, drive, unit, a: nexus('a'), b: nexus('b'), insert };
}

const lastBlock = (nexus: TestNexus): number =>
  Buffer.from(nexus.run(READ_CAPACITY, { in: 8 }).dataIn).readUInt32BE(0);

describe('luns/drive with discs', () => {
  it('says what disc is in it', () => {
    assert.equal(lastBlock(bench().a), FIRST_BLOCKS - 1);
  });

  it('another disc: 28/00, then its capacity and its layout', () => {
    const { a, insert } = bench();
    insert();
    assert.deepEqual(a.attentions(), ['6/28/00']);
    assert.equal(lastBlock(a), SECOND_BLOCKS - 1);
    assert.equal(a.run(READ_BLOCK_1, { in: 2048 }).dataIn[0], 0x33);
  });

  it('a read that has begun ends on the disc it was meant for; one behind it is refused', () => {
    const { media, a, b, insert } = bench();
    media[0].hold = true;
    const begun = a.start(READ_BLOCK_1, { in: 2048 });
    insert();
    assert.equal(b.run(READ_BLOCK_1, { in: 2048 }).sense, '2/3a/01');
    media[0].hold = false;
    media[0].releaseAll();
    assert.deepEqual([begun.result.status, begun.result.dataIn[0]], [0, 0x11]);
    assert.equal(b.run(READ_BLOCK_1, { in: 2048 }).sense, '6/28/00');
    assert.equal(b.run(READ_BLOCK_1, { in: 2048 }).dataIn[0], 0x33);
  });

  it('an eject takes the disc out with the store, a load brings one', () => {
    const { a, asked, drive, unit, insert } = bench();
    const eject = a.start(EJECT);
    assert.equal(unit.optical?.disc, null);
    drive.answer(DONE);
    assert.equal(eject.result.status, 0);
    assert.equal(a.run(READ_CAPACITY, { in: 8 }).sense, '2/3a/02');
    const load = a.start(LOAD);
    insert(true);
    assert.equal(load.result.status, 0);
    assert.equal(lastBlock(a), SECOND_BLOCKS - 1);
    assert.deepEqual(asked, ['ejected 0 1', 'wanted 0']);
  });

  it('is empty when the operator has taken the disc', () => {
    const { a, drive, unit } = bench();
    drive.take(unit, false, (error) => assert.equal(error, null));
    assert.equal(unit.optical?.disc, null);
    assert.equal(a.run(READ_CAPACITY, { in: 8 }).sense, '2/3a/01');
  });
});
