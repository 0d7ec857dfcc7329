/** A burn that is cut off anywhere: what lies in the store is a legal disc, and every session that was answered with GOOD is on it. */
import { strict as assert } from 'node:assert';
import {
  burnStoreBytes,
  newBurnStoreBytes,
  readBurnStore,
  SECTORS_AT,
  SLOT_BYTES,
  SlotJournal,
} from '../../../../src/luns/disc/burn-store.ts';
import type { MediumKind } from '../../../../src/scsi/mmc/burn/media.ts';
import { RecordableDisc } from '../../../../src/scsi/mmc/burn/recordable-disc.ts';
import { faultOf } from '../../../../src/scsi/mmc/burn/state-fault.ts';
import { Segments } from '../../../../src/scsi/segments.ts';
import {
  type BurnerBed,
  blocksOf,
  burner,
  selectWrite,
  writeBlocks,
} from '../../../support/burner.ts';
import { type SparseBytes, SparseStore } from '../../../support/sparse-store.ts';
import { Seeded } from '../../../transport/control/seeded.ts';

const SYNC = '35 00 00 00 00 00 00 00 00 00';
const CLOSE_TRACK = '5b 00 01 00 00 ff 00 00 00 00';
const CLOSE_SESSION = '5b 00 02 00 00 00 00 00 00 00';

interface Killable extends BurnerBed {
  /** After how many changes of the store how many sessions were promised. */
  readonly promised: { changes: number; sessions: number }[];
}

function killable(kind: MediumKind): Killable {
  const first = newBurnStoreBytes(kind);
  const store = new SparseStore(burnStoreBytes(kind), true);
  store.begin(first);
  const bytes = new Uint8Array(SLOT_BYTES);
  const segments = new Segments({ words: new Uint32Array(4), address: 0 });
  segments.append({ view: bytes, address: 0 }, 0, bytes.length);
  const found = reopened(kind, store.memory);
  const journal = new SlotJournal(store, found, { bytes, segments });
  const bed = burner(kind, { store, journal, base: SECTORS_AT, state: found.state });
  return { ...bed, promised: [] };
}

function reopened(kind: MediumKind, bytes: SparseBytes) {
  const read = (position: number, length: number): Uint8Array => bytes.get(position, length);
  return readBurnStore('cut.disc', read, burnStoreBytes(kind));
}

/** Burns a session of `blocks` blocks, which are whole write units of every medium, and remembers that it was promised. */
function burnSession(bed: Killable, blocks: number): void {
  const { a, disc, store, promised } = bed;
  let lba = disc.tracks.at(-1)?.start ?? 0;
  for (let left = blocks; left > 0; left -= 16) {
    assert.equal(writeBlocks(a, lba, Math.min(16, left)), '');
    lba += Math.min(16, left);
  }
  for (const cdb of [SYNC, CLOSE_TRACK, CLOSE_SESSION]) assert.equal(a.run(cdb).sense, '');
  promised.push({ changes: store.changes.length, sessions: disc.state.sessions.length });
}

/** Cuts the store in every change, each time with other luck, and looks at what is left. */
function cutEverywhere(
  bed: Killable,
  check: (disc: RecordableDisc, left: SparseBytes) => void,
): void {
  const { store, promised, disc } = bed;
  const seeded = new Seeded(17);
  for (let count = 0; count <= store.changes.length; count += 1) {
    const left = store.cutAfter(count, () => seeded.below(2) === 0);
    const found = reopened(disc.facts.kind, left);
    assert.equal(faultOf(found.state), null);
    const sessions = promised.filter(({ changes }) => changes < count).at(-1)?.sessions ?? 0;
    assert.ok(found.state.sessions.length >= sessions, `${count}: ${sessions} sessions are there`);
    check(new RecordableDisc(found.state, SECTORS_AT), left);
  }
}

/** Every block of every track of a closed session says which one it is. */
function checkData(disc: RecordableDisc, left: SparseBytes): void {
  for (const track of disc.state.tracks) {
    if (track.session > disc.state.sessions.length) continue;
    for (let lba = track.start; lba < track.next; lba += 7) {
      const bytes = left.get(disc.positionOf(lba), 2048);
      assert.deepEqual(bytes, blocksOf(lba, 1), `block ${lba}`);
    }
  }
}

describe('a burn that is cut off', () => {
  for (const kind of ['cd-r', 'dvd-r', 'dvd+r', 'bd-r'] as const) {
    it(`leaves a legal ${kind} with all finished sessions`, () => {
      const bed = killable(kind);
      selectWrite(bed.a, '41c408');
      for (const blocks of [64, 32, 96]) burnSession(bed, blocks);
      cutEverywhere(bed, checkData);
    });
  }

  it('in a session at once leaves a damaged session behind the finished one', () => {
    const bed = killable('cd-r');
    selectWrite(bed.a, '41c408');
    burnSession(bed, 32);
    const start = bed.disc.tracks.at(-1)?.start ?? 0;
    selectWrite(bed.a, '420000');
    const at = (lba: number): string =>
      [Math.floor((lba + 150) / 4500), Math.floor((lba + 150) / 75) % 60, (lba + 150) % 75]
        .map((part) => part.toString(16).padStart(2, '0'))
        .join('');
    const out = `4100001400${at(start - 150)}4102001000${at(start - 150)}4102011000${at(start)}41aa011400${at(start + 60)}`;
    assert.equal(bed.a.run('5d 00 00 00 00 00 00 00 20 00', { out }).sense, '');
    const before = bed.store.changes.length;
    assert.equal(writeBlocks(bed.a, start - 150, 150), '');
    assert.equal(writeBlocks(bed.a, start, 30), '');
    const cut = bed.store.changes.length;
    assert.equal(writeBlocks(bed.a, start + 30, 30), '');
    assert.equal(bed.disc.status, 'complete');
    bed.promised.push({ changes: bed.store.changes.length, sessions: 2 });
    cutEverywhere(bed, checkData);
    const found = reopened(
      'cd-r',
      bed.store.cutAfter(cut, () => true),
    );
    const disc = new RecordableDisc(found.state, SECTORS_AT);
    assert.ok(cut > before);
    assert.deepEqual([disc.lastSession, disc.tracks.at(-1)?.damaged], ['damaged', true]);
  });

  it('in BLANK and FORMAT UNIT never leaves a state that names what is gone', () => {
    for (const kind of ['cd-rw', 'dvd-rw'] as const) {
      const bed = killable(kind);
      selectWrite(bed.a, '41c408');
      burnSession(bed, 64);
      // From here on nothing is promised any more.
      bed.promised.length = 0;
      const before = bed.store.changes.length;
      assert.equal(bed.a.run('a1 00 00 00 00 00 00 00 00 00 00 00').sense, '');
      burnSession(bed, 32);
      bed.promised.length = 0;
      const out = kind === 'cd-rw' ? '00020008 00057da0 40 000020' : '00020008 00231020 40 000010';
      assert.equal(bed.a.run('04 11 00 00 00 00', { out }).sense, '');
      assert.ok(bed.store.changes.length > before);
      cutEverywhere(bed, checkData);
    }
  });

  it('leaves the older of both states when the newer one is torn', () => {
    const bed = killable('dvd+r');
    burnSession(bed, 32);
    const last = bed.store.changes.findLastIndex(
      ({ durable, kind }) => durable && kind === 'write',
    );
    const torn = reopened(
      'dvd+r',
      bed.store.cutAfter(last + 1, () => true),
    );
    const whole = reopened('dvd+r', bed.store.memory);
    assert.equal(torn.sequence, whole.sequence - 1);
  });
});
