/** Burning into a store whose requests end later: the same discs, and commands that are aborted on the way. */
import { strict as assert } from 'node:assert';
import {
  burnStoreBytes,
  newBurnStoreBytes,
  readBurnStore,
  SECTORS_AT,
  SlotJournal,
} from '../../../../src/luns/disc/burn-store.ts';
import { PENDING, type StoreReply } from '../../../../src/scsi/contracts.ts';
import type { MediumKind } from '../../../../src/scsi/mmc/burn/media.ts';
import type { Segments } from '../../../../src/scsi/segments.ts';
import type { Task } from '../../../../src/scsi/task.ts';
import { type BurnerBed, blocksOf, burner, selectWrite } from '../../../support/burner.ts';
import { plainSlotMemory } from '../../../support/burnt-file.ts';
import type { Bytes, Outcome, RunOptions } from '../../../support/direct-port.ts';
import { SparseStore } from '../../../support/sparse-store.ts';

class LaterStore extends SparseStore {
  readonly waiting: (() => void)[] = [];

  #later(task: Task, reply: StoreReply): StoreReply {
    this.waiting.push(() => task.stored(reply));
    return PENDING;
  }

  override read(task: Task, position: number, length: number, into: Segments): StoreReply {
    return this.#later(task, super.read(task, position, length, into));
  }

  override write(
    task: Task,
    position: number,
    length: number,
    from: Segments,
    durable: boolean,
  ): StoreReply {
    return this.#later(task, super.write(task, position, length, from, durable));
  }

  override flush(task: Task): StoreReply {
    return this.#later(task, super.flush(task));
  }

  override discard(task: Task, position: number, length: number): StoreReply {
    return this.#later(task, super.discard(task, position, length));
  }

  /** Lets everything end, one after the other. */
  drain(): void {
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) next();
  }
}

interface LaterBed extends BurnerBed {
  readonly later: LaterStore;
  run(cdb: Bytes, options?: RunOptions): Outcome;
}

function laterBed(kind: MediumKind): LaterBed {
  const later = new LaterStore(burnStoreBytes(kind));
  later.begin(newBurnStoreBytes(kind));
  const journal = new SlotJournal(later, found(kind, later), plainSlotMemory());
  const bed = burner(kind, { store: later, journal, base: SECTORS_AT });
  const run = (cdb: Bytes, options?: RunOptions): Outcome => {
    const pending = bed.a.start(cdb, options);
    later.drain();
    return pending.result;
  };
  return { ...bed, later, run };
}

function found(kind: MediumKind, { memory }: SparseStore) {
  const read = (position: number, length: number): Uint8Array => memory.get(position, length);
  return readBurnStore('later.disc', read, burnStoreBytes(kind));
}

describe('a store whose requests end later', () => {
  it('has the same sessions, which are found again', () => {
    for (const kind of ['cd-r', 'dvd-r', 'bd-r'] as const) {
      const bed = laterBed(kind);
      selectWrite(bed.a, '41c408');
      for (let i = 0; i < 2; i += 1) {
        const lba = bed.disc.tracks.at(-1)?.start ?? -1;
        const at = lba.toString(16).padStart(8, '0');
        const { sense } = bed.run(`2a00${at}00002000`, { out: blocksOf(lba, 32) });
        assert.equal(sense, '');
        for (const cdb of ['35 00 00 00 00 00 00 00 00 00', '5b 00 02 00 00 00 00 00 00 00']) {
          assert.equal(bed.run(cdb).sense, '');
        }
      }
      assert.equal(bed.disc.state.sessions.length, 2);
      assert.deepEqual(found(kind, bed.later).state, bed.disc.state);
      const { dataIn } = bed.run('28 00 00 00 00 1f 00 00 01 00', { in: 2048 });
      assert.deepEqual(dataIn, blocksOf(31, 1));
    }
  });

  it('a session at once closes itself before its last WRITE ends', () => {
    const bed = laterBed('cd-r');
    selectWrite(bed.a, '420000');
    const out = '4100001400000000 4101001000000000 4101011000000200 41aa011400000400';
    bed.run('5d 00 00 00 00 00 00 00 20 00', { out });
    const write = bed.a.start('2a 00 ff ff ff 6a 00 01 2c 00', { out: blocksOf(-150, 300) });
    while (bed.later.waiting.length > 1) bed.later.waiting.shift()?.();
    assert.equal(write.done, false);
    bed.later.drain();
    assert.deepEqual([write.result.sense, bed.disc.status], ['', 'complete']);
    assert.equal(found('cd-r', bed.later).state.final, true);
  });

  it('WRITEs that are queued are done in order', () => {
    const bed = laterBed('dvd+r');
    const writes = [0, 16, 32].map((lba) =>
      bed.a.start([0x2a, 0, 0, 0, 0, lba, 0, 0, 16, 0], { out: blocksOf(lba, 16) }),
    );
    bed.later.drain();
    assert.deepEqual(
      writes.map(({ result }) => result.sense),
      ['', '', ''],
    );
    assert.equal(bed.disc.tracks[0]?.nextWritable, 48);
  });

  it('a WRITE that is aborted leaves the next writable address where it was', () => {
    for (const kind of ['cd-r', 'dvd+r'] as const) {
      const bed = laterBed(kind);
      selectWrite(bed.a, '410408');
      bed.run('2a 00 00 00 00 00 00 00 10 00', { out: blocksOf(0, 16) });
      const write = bed.a.start('2a 00 00 00 00 10 00 00 10 00', { out: blocksOf(16, 16), tag: 9 });
      const abort = bed.a.manage(0x01, 9);
      bed.later.drain();
      assert.deepEqual([write.result.dropped, abort.done], [true, true]);
      assert.equal(bed.disc.tracks[0]?.nextWritable, 16);
      assert.equal(bed.run('2a 00 00 00 00 10 00 00 10 00', { out: blocksOf(16, 16) }).sense, '');
      assert.equal(bed.unit.optical?.bounce.free, 2);
    }
  });

  it('BLANK with IMMED is under way until the store is done', () => {
    const bed = laterBed('cd-rw');
    bed.run('2a 00 00 00 00 00 00 00 10 00', { out: blocksOf(0, 16) });
    bed.run('35 00 00 00 00 00 00 00 00 00');
    const blank = bed.a.start('a1 11 00 00 00 00 00 00 00 00 00 00');
    assert.equal(blank.result.sense, '');
    assert.equal(bed.a.run('00 00 00 00 00 00').sense, '2/04/07');
    bed.later.drain();
    assert.equal(bed.a.run('00 00 00 00 00 00').sense, '');
    assert.equal(bed.disc.status, 'blank');
  });
});
