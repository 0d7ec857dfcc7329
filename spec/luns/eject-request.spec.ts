/** The operator's button of an optical drive whose disc guests hold fast: a request, no removal (MMC-6; Linux uevent DISK_EJECT_REQUEST). */
import { strict as assert } from 'node:assert';
import { Drive } from '../../src/luns/drive.ts';
import type { InventoryError } from '../../src/luns/inventory-error.ts';
import { createOptical } from '../../src/luns/optical.ts';
import { type DiskStore, StoreCounters } from '../../src/luns/store/disk-store.ts';
import { FaultStore } from '../../src/luns/store/fault.ts';
import { DONE, type StoreReply } from '../../src/scsi/contracts.ts';
import { FinishedDisc } from '../../src/scsi/mmc/finished-disc.ts';
import { diskModePages } from '../../src/scsi/mode-page.ts';
import type { Task } from '../../src/scsi/task.ts';
import { HeldStore } from '../support/held-store.ts';
import { dataDisc } from '../support/optical.ts';
import { bouncePool, Testbed, type TestNexus } from '../support/target.ts';

const BYTES = 16 * 2048;
const PREVENT = '1e 00 00 00 01 00';
const ALLOW = '1e 00 00 00 00 00';
const PERSISTENT_PREVENT = '1e 00 00 00 03 00';
const EJECT = '1b 00 00 00 02 00';
const MEDIA_EVENT = '4a 01 00 00 10 00 00 00 08 00';

class Image extends HeldStore implements DiskStore {
  readonly counters = new StoreCounters();
  turn(): void {}
  grow(bytes: number): void {
    this.resize(bytes);
  }
  syncNow(): StoreReply {
    return DONE;
  }
  readNow(task: Task, position: number, length: number, into: Task['dataIn']): StoreReply {
    return this.read(task, position, length, into);
  }
  close(): void {}
}

function bench() {
  const bed = new Testbed();
  const image = (): Image => new Image({ bytes: BYTES, readOnly: true });
  const store = new FaultStore(image(), { timers: bed.timers, blockBytes: 2048 });
  const identity = {
    vendor: 'RINGSCSI',
    product: 'SPEC DRIVE',
    revision: '0001',
    serial: 'OD1',
    naa: new Uint8Array(8).fill(0x30),
  };
  const drive = new Drive({
    disk: {
      lun: 0,
      backing: { kind: 'file', fd: -1, bytes: BYTES },
      readOnly: true,
      blockBytes: 2048,
      physicalBlockBytes: 2048,
      thin: false,
      writeCache: true,
      serial: identity.serial,
      naa: identity.naa,
      savedPages: null,
      savable: false,
      removable: true,
    },
    store,
    timers: bed.timers,
    keeper: {
      // The keeper lets go at once.
      ejected: () => queueMicrotask(() => drive.answer(DONE)),
      wanted: () => undefined,
    },
    open: image,
  });
  const unit = createOptical(
    bed.target,
    { lun: 0, identity, disc: new FinishedDisc(dataDisc(16)) },
    {
      store,
      bounce: bouncePool(2),
      modePages: diskModePages(),
      reservationStore: null,
      mediumChanger: drive,
    },
  );
  bed.target.addUnit(unit);
  const spec = (generation: number) => ({
    backing: { kind: 'file' as const, fd: -1, bytes: BYTES },
    readOnly: true,
    generation,
  });
  const take = (force: boolean): InventoryError | null => {
    let outcome: InventoryError | null = null;
    drive.take(unit, force, (error) => {
      outcome = error;
    });
    return outcome;
  };
  const insert = (generation: number): void =>
    drive.insert(unit, spec(generation), { force: false, asked: false }, () => undefined);
  return { bed, drive, unit, take, insert, a: bed.nexus('a').clear(), b: bed.nexus('b').clear() };
}

function told(n: TestNexus): number[] {
  const codes: number[] = [];
  for (let i = 0; i < 8; i += 1) {
    const code = n.run(MEDIA_EVENT, { in: 8 }).dataIn[4] as number;
    if (code === 0) break;
    codes.push(code);
  }
  return codes;
}

describe('luns/drive: the button of an optical drive', () => {
  it('takes the disc out when nobody prevents it: media removal for everybody', () => {
    const { take, a, b } = bench();
    assert.equal(take(false), null);
    assert.deepEqual([told(a), told(b)], [[3], [3]]);
  });

  for (const [name, cdb] of [
    ['prevention', PREVENT],
    ['persistent prevention', PERSISTENT_PREVENT],
  ] as const) {
    it(`${name}: it is refused, and says who holds the disc`, () => {
      const { take, a, unit } = bench();
      a.run(cdb);
      assert.throws(() => take(false), { code: 'ERR_MEDIUM_PREVENTED', message: /"a"/ });
      assert.equal(unit.medium?.place, 'drive');
    });
  }

  it('a request is an event for everybody, moves nothing, and is remembered', () => {
    const { drive, unit, a, b } = bench();
    a.run(PREVENT);
    drive.request(unit, false);
    assert.deepEqual([told(a), told(b)], [[1], [1]]);
    assert.equal(a.run('00 00 00 00 00 00').status, 0);
    assert.equal(drive.status(unit).ejectRequested, true);
  });

  it('ends when the guest that was asked lets the disc go and ejects it', async () => {
    const { drive, unit, a } = bench();
    a.run(PREVENT);
    drive.request(unit, false);
    told(a);
    a.run(ALLOW);
    const eject = a.start(EJECT);
    await Promise.resolve();
    assert.equal(eject.result.status, 0);
    const { place, ejectRequested } = drive.status(unit);
    assert.deepEqual([place, ejectRequested], ['tray', false]);
  });

  it('by force it leaves, plain preventions with it; persistent ones stay with the drive', () => {
    const { drive, unit, take, insert, a, b } = bench();
    a.run(PREVENT);
    b.run(PERSISTENT_PREVENT);
    assert.equal(take(true), null);
    assert.deepEqual(drive.status(unit).preventedBy, ['b']);
    insert(2);
    assert.deepEqual(drive.status(unit).preventedBy, ['b']);
    assert.deepEqual(told(a), [3, 2]);
    assert.deepEqual(a.attentions(), ['6/28/00']);
  });

  it('another disc in its place: removal, new media, 28/00', () => {
    const { insert, a } = bench();
    insert(2);
    assert.deepEqual(told(a), [3, 2]);
    assert.deepEqual(a.attentions(), ['6/28/00']);
  });

  it('an empty drive has nothing to ask for', () => {
    const { drive, unit, take } = bench();
    take(false);
    assert.throws(() => drive.request(unit, false), { code: 'ERR_MEDIUM_MISSING' });
  });
});
