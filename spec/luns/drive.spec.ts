/** Drives: media that come and go while commands run, and nothing of one ever reaches the next (sam-rules 18.3). */
import { strict as assert } from 'node:assert';
import type { DiskOptions } from '../../src/luns/disk.ts';
import { Drive, type MediumSpec } from '../../src/luns/drive.ts';
import type { InventoryError } from '../../src/luns/inventory-error.ts';
import { FaultStore } from '../../src/luns/store/fault.ts';
import { DONE, GONE, MEDIUM_WRITE } from '../../src/scsi/contracts.ts';
import { LogicalUnit } from '../../src/scsi/logical-unit.ts';
import { diskModePages } from '../../src/scsi/mode-page.ts';
import { BlockDevice } from '../../src/scsi/sbc/block-device.ts';
import { diskType } from '../../src/scsi/sbc/disk-type.ts';
import { Target } from '../../src/scsi/target.ts';
import { pattern, read10, write10 } from '../scsi/sbc/cdbs.ts';
import { HeldMedium } from '../support/held-medium.ts';
import type { HeldStore } from '../support/held-store.ts';
import { bouncePool, ManualTimers, TestNexus } from '../support/target.ts';

const TUR = '00 00 00 00 00 00';
const EJECT = '1b 00 00 00 02 00';
const LOAD = '1b 00 00 00 03 00';
const PREVENT = '1e 00 00 00 01 00';
const SYNCHRONIZE_CACHE = '35 00 00 00 00 00 00 00 00 00';
/** Caching page with WCE = 0. */
const CACHE_OFF = { cdb: '15 10 00 00 18 00', out: `00 00 00 00 08 12 ${'00 '.repeat(18)}` };
const READ_CAPACITY = '25 00 00 00 00 00 00 00 00 00';
const BLOCK = 512;
const FIRST_BLOCKS = 2048;
const SECOND_BLOCKS = 1024;
const UNFORCED = { force: false, asked: false };

/** What came of a change: absent while it is under way. */
interface Result {
  error?: InventoryError | null;
  flushed?: boolean;
}

function bench() {
  const timers = new ManualTimers();
  const target = new Target({ name: 'spec', timers });
  const first = new HeldMedium({ bytes: FIRST_BLOCKS * BLOCK });
  const second = new HeldMedium({ bytes: SECOND_BLOCKS * BLOCK });
  const store = new FaultStore(first, { timers, blockBytes: BLOCK });
  const asked: string[] = [];
  const disk: DiskOptions = {
    lun: 0,
    backing: { kind: 'file', fd: -1, bytes: first.bytes },
    readOnly: false,
    blockBytes: BLOCK,
    physicalBlockBytes: BLOCK,
    thin: false,
    writeCache: true,
    serial: 'SPEC',
    naa: new Uint8Array(8).fill(0x30),
    savedPages: null,
    savable: false,
    removable: true,
  };
  const drive = new Drive({
    disk,
    store,
    timers,
    keeper: {
      ejected: (lun, generation) => void asked.push(`ejected ${lun} ${generation}`),
      wanted: (lun) => void asked.push(`wanted ${lun}`),
    },
    open: ({ readOnly }) => {
      second.readOnly = readOnly;
      return second;
    },
  });
  const unit = new LogicalUnit({
    target,
    lun: 0,
    deviceType: diskType({ removable: true }),
    removable: true,
    mediumChanger: drive,
    identity: { vendor: 'V', product: 'P', revision: 'R', serial: 'SPEC', naa: disk.naa },
    block: new BlockDevice(store, {
      blockBytes: BLOCK,
      physicalBlockBytes: BLOCK,
      thin: false,
      atomic: false,
      bounce: bouncePool(2),
    }),
    modePages: diskModePages({ parameters: null }),
  });
  target.addUnit(unit);
  const nexus = (name: string): TestNexus => {
    const found = target.login(name, name, false);
    assert(found);
    return new TestNexus(target, found, 'native').clear();
  };
  const [a, b] = [nexus('a'), nexus('b')];
  const spec = (generation = 2, readOnly = false): MediumSpec => ({
    backing: { kind: 'file', fd: -1, bytes: second.bytes },
    readOnly,
    generation,
  });
  const insert = (how = UNFORCED, medium = spec()): Result => {
    const result: Result = {};
    drive.insert(unit, medium, how, (error, flushed) => Object.assign(result, { error, flushed }));
    return result;
  };
  const take = (force = false): Result => {
    const result: Result = {};
    drive.take(unit, force, (error, flushed) => Object.assign(result, { error, flushed }));
    return result;
  };
  return { timers, target, first, second, store, asked, drive, unit, a, b, spec, insert, take };
}

const blockOf = ({ memory }: HeldStore, lba: number): Uint8Array =>
  memory.slice(lba * BLOCK, (lba + 1) * BLOCK);

describe('luns/drive: another medium', () => {
  it('every nexus is told 28/00 once, then sees the new capacity', () => {
    const { a, b, insert } = bench();
    assert.deepEqual(insert(), { error: null, flushed: true });
    for (const nexus of [a, b]) {
      assert.deepEqual(nexus.attentions(), ['6/28/00']);
      const { dataIn } = nexus.run(READ_CAPACITY, { in: 8 });
      assert.equal(Buffer.from(dataIn).readUInt32BE(0), SECOND_BLOCKS - 1);
    }
  });

  it('two changes between two looks are one unit attention', () => {
    const { a, insert, take } = bench();
    insert();
    take();
    insert(UNFORCED, { backing: { kind: 'none' }, readOnly: false, generation: 3 });
    assert.deepEqual(a.attentions(), ['6/28/00']);
  });

  it('write protection and MODE SENSE follow', () => {
    const { a, insert, spec } = bench();
    const wp = (): number => (a.run('1a 00 3f 00 ff 00', { in: 255 }).dataIn[2] as number) & 0x80;
    assert.equal(wp(), 0);
    insert(UNFORCED, spec(2, true));
    a.attentions();
    assert.equal(wp(), 0x80);
    assert.equal(a.run(write10(0, 1), { out: pattern(0, 1) }).sense, '7/27/00');
  });

  it('waits for commands that have begun; those that have not reach neither medium', () => {
    const { a, b, first, second, insert } = bench();
    first.hold = true;
    const write = a.start(write10(4, 1), { out: pattern(4, 1) });
    const queued = b.start(write10(4, 1), { out: pattern(9, 1) });
    const result = insert();
    assert.deepEqual(result, {}, 'it waits');
    first.hold = false;
    first.releaseAll();
    assert.deepEqual(result, { error: null, flushed: true });
    assert.equal(write.result.status, 0);
    assert.equal(queued.result.sense, '6/28/00');
    assert.deepEqual(blockOf(first, 4), pattern(4, 1));
    assert.deepEqual(blockOf(second, 4), new Uint8Array(BLOCK));
    assert.deepEqual(b.attentions(), [], 'it was told once');
  });

  it('commands that come meanwhile are told that there is none', () => {
    const { a, b, first, insert } = bench();
    first.hold = true;
    a.start(read10(0, 1), { in: BLOCK });
    insert();
    assert.equal(b.run(TUR).sense, '2/3a/01');
    assert.equal(b.run(read10(8, 1), { in: BLOCK }).sense, '2/3a/01');
  });

  it('what takes too long is aborted, and the change waits until it has really stopped', () => {
    const { timers, a, first, insert } = bench();
    first.hold = true;
    const read = a.start(read10(0, 1), { in: BLOCK });
    const result = insert();
    timers.run();
    assert.equal(first.calls.cancel, 1);
    assert.deepEqual(result, {});
    first.hold = false;
    first.releaseAll();
    assert.equal(read.result.status, 0x40, 'TASK ABORTED');
    assert.deepEqual(result, { error: null, flushed: true });
  });

  it('an ACA condition does not keep it waiting', () => {
    const { a, b, first, insert } = bench();
    first.hold = true;
    const held = b.start(read10(0, 1), { in: BLOCK });
    assert.equal(a.run('28 00 ff ff ff ff 00 00 01 04', { in: BLOCK }).sense, '5/21/00');
    const result = insert();
    first.hold = false;
    first.releaseAll();
    assert.equal(held.done, false, 'it is blocked until CLEAR ACA');
    assert.deepEqual(result, { error: null, flushed: true });
  });

  it('a write that was GOOD is on the medium that leaves', () => {
    const { a, first, insert } = bench();
    a.run(write10(3, 1), { out: pattern(3, 1) });
    insert();
    assert.equal(first.closed, true);
    first.powerCut();
    assert.deepEqual(blockOf(first, 3), pattern(3, 1));
  });
});

describe('luns/drive: a flush that fails', () => {
  function failing() {
    const all = bench();
    all.a.run(write10(3, 1), { out: pattern(3, 1) });
    all.first.fail('flush', MEDIUM_WRITE);
    return all;
  }

  it('keeps the medium in, and is told to whoever wrote', () => {
    const { a, b, first, second, insert } = failing();
    const { error, flushed } = insert();
    assert.equal(error?.code, 'ERR_FLUSH');
    assert.equal(flushed, false);
    assert.equal(first.closed, false);
    assert.equal(second.closed, true, 'the new one is given back');
    assert.deepEqual(b.attentions(), ['6/28/00'], 'not ready to ready');
    assert.equal(a.run(TUR).sense, '6/28/00');
    assert.equal(a.run(TUR).sense, '3/0c/00', 'deferred error');
  });

  it('forced, the medium leaves and the loss is told', () => {
    const { first, take } = failing();
    assert.deepEqual(take(true), { error: null, flushed: false });
    assert.equal(first.closed, true);
  });
});

describe('luns/drive: ejected by the operator', () => {
  it('the drive is empty: 2/3A/01, and a load finds nothing', () => {
    const { a, first, asked, drive, take } = bench();
    assert.deepEqual(take(), { error: null, flushed: true });
    assert.equal(first.closed, true);
    assert.equal(a.run(TUR).sense, '2/3a/01');
    const load = a.start(LOAD);
    assert.deepEqual(asked, ['wanted 0']);
    drive.answer(GONE);
    assert.equal(load.result.sense, '2/3a/01');
  });

  it('twice is refused', () => {
    const { take } = bench();
    take();
    assert.throws(() => take(), { code: 'ERR_MEDIUM_MISSING' });
  });

  it('takes what a guest left in the tray', () => {
    const { a, drive, take } = bench();
    a.start(EJECT);
    drive.answer(DONE);
    assert.equal(a.run(TUR).sense, '2/3a/02');
    assert.deepEqual(take(), { error: null, flushed: true });
    assert.equal(a.run(TUR).sense, '2/3a/01');
  });

  it('is refused while a nexus prevents it, by name; force does it', () => {
    const { a, take } = bench();
    a.run(PREVENT);
    assert.throws(() => take(), {
      code: 'ERR_MEDIUM_PREVENTED',
      message:
        'Cannot eject the medium of LUN 0: its removal is prevented by "a"; --force does it all the same',
    });
    assert.equal(a.run(TUR).sense, '');
    assert.deepEqual(take(true), { error: null, flushed: true });
  });

  it('is refused when somebody prevents it while commands end', () => {
    const { a, b, first, take } = bench();
    first.hold = true;
    a.start(read10(0, 1), { in: BLOCK });
    const result = take();
    b.run(PREVENT);
    first.hold = false;
    first.releaseAll();
    assert.equal(result.error?.code, 'ERR_MEDIUM_PREVENTED');
    assert.deepEqual(a.attentions(), ['6/28/00']);
    assert.equal(a.run(TUR).sense, '');
  });
});

describe('luns/drive: what is under way when the medium goes', () => {
  it('a PREVENT during the flush before the operator gets it keeps it in', () => {
    const { a, b, first, take } = bench();
    first.hold = true;
    const result = take();
    assert.equal(b.run(PREVENT).status, 0);
    first.hold = false;
    first.releaseAll();
    assert.equal(result.error?.code, 'ERR_MEDIUM_PREVENTED');
    assert.equal(first.closed, false);
    assert.deepEqual(a.attentions(), ['6/28/00']);
  });

  it('MODE SELECT that turns the cache off does not work on a medium that leaves', () => {
    const { a, first, take } = bench();
    first.hold = true;
    const result = take();
    const select = a.start(CACHE_OFF.cdb, { out: CACHE_OFF.out });
    first.hold = false;
    first.release();
    assert.deepEqual(result, { error: null, flushed: true });
    assert.equal(select.result.status, 0);
  });

  it('a medium that the operator brings waits until an eject has given the old one out', () => {
    const { a, b, first, second, asked, drive, unit, insert } = bench();
    first.hold = true;
    const sync = b.start(SYNCHRONIZE_CACHE);
    const eject = a.start(EJECT);
    first.releaseAt(1);
    const result = insert();
    assert.deepEqual(result, {}, 'SYNCHRONIZE CACHE works on the old one');
    first.hold = false;
    first.releaseAll();
    assert.equal(sync.result.status, 0);
    assert.deepEqual(result, { error: null, flushed: true });
    assert.deepEqual(asked, ['ejected 0 1']);
    drive.answer(DONE);
    assert.equal(eject.result.status, 0);
    assert.equal(unit.medium?.place, 'drive');
    assert.equal(second.closed, false, 'what came stays in');
    assert.deepEqual(b.attentions(), ['6/28/00']);
    assert.equal(b.run(read10(0, 1), { in: BLOCK }).status, 0);
  });

  it('the operator who takes it waits for the end of an eject as well', () => {
    const { a, b, first, unit, take } = bench();
    first.hold = true;
    b.start(SYNCHRONIZE_CACHE);
    a.start(EJECT);
    first.releaseAt(1);
    const result = take();
    assert.deepEqual(result, {});
    first.hold = false;
    first.releaseAll();
    assert.deepEqual(result, { error: null, flushed: true });
    assert.equal(unit.medium?.place, 'away');
  });

  it('an answer that comes late is not taken for one to the next START STOP UNIT', () => {
    const { a, first, drive, take, insert, asked } = bench();
    take();
    const load = a.start(LOAD);
    insert();
    assert.equal(load.result.status, 0);
    a.attentions();
    const eject = a.start(EJECT);
    assert.deepEqual(asked, ['wanted 0', 'ejected 0 2']);
    drive.answer(GONE);
    assert.equal(eject.done, false, 'that was about the load');
    drive.answer(DONE);
    assert.equal(eject.result.status, 0);
    assert.equal(first.closed, true);
  });
});

describe('luns/drive: ejected and loaded by START STOP UNIT', () => {
  it('is GOOD when the keeper has let go of the medium', () => {
    const { a, first, asked, drive } = bench();
    const eject = a.start(EJECT);
    assert.deepEqual(asked, ['ejected 0 1']);
    assert.equal(first.closed, true);
    assert.equal(eject.done, false);
    drive.answer(DONE);
    assert.equal(eject.result.status, 0);
  });

  it('loaded again: who asked is not told, the others are', () => {
    const { a, b, drive, insert } = bench();
    a.start(EJECT);
    drive.answer(DONE);
    const load = a.start(LOAD);
    assert.deepEqual(insert({ force: false, asked: true }), { error: null, flushed: true });
    assert.equal(load.result.status, 0);
    assert.deepEqual(a.attentions(), []);
    assert.deepEqual(b.attentions(), ['6/28/00']);
  });

  it('a load that fails is 4/53/00', () => {
    const { a, drive } = bench();
    a.start(EJECT);
    drive.answer(DONE);
    const load = a.start(LOAD);
    drive.answer(MEDIUM_WRITE);
    assert.equal(load.result.sense, '4/53/00');
    assert.equal(a.run(TUR).sense, '2/3a/02');
  });

  it('a medium of the operator ends a load that waits, whose initiator is told as everybody', () => {
    const { a, drive, insert } = bench();
    a.start(EJECT);
    drive.answer(DONE);
    const load = a.start(LOAD);
    insert();
    assert.equal(load.result.status, 0);
    assert.deepEqual(a.attentions(), ['6/28/00']);
  });

  it('a disk that goes away while an eject waits for what is beside it asks no keeper', () => {
    const { a, b, first, target, drive, asked } = bench();
    first.hold = true;
    b.start(SYNCHRONIZE_CACHE);
    const eject = a.start(EJECT);
    first.releaseAt(1);
    let gone = false;
    drive.abandon();
    target.removeUnit(0, () => {
      gone = true;
    });
    first.hold = false;
    first.releaseAll();
    assert.equal(eject.done, true);
    assert.equal(gone, true);
    assert.deepEqual(asked, []);
  });

  it('a disk that goes away does not wait for the keeper', () => {
    const { a, target, drive } = bench();
    const eject = a.start(EJECT);
    let gone = false;
    drive.abandon();
    target.removeUnit(0, () => {
      gone = true;
    });
    assert.equal(eject.done, true);
    assert.equal(gone, true);
  });
});
