/** Who stands in front of the burner of a trace: discs come and go, the button is pressed, another initiator burns. */
import { strict as assert } from 'node:assert';
import { DONE, GONE } from '../../src/scsi/contracts.ts';
import type { Medium } from '../../src/scsi/medium.ts';
import { type DiscState, newDiscState } from '../../src/scsi/mmc/burn/disc-state.ts';
import { factsOf, isMediumKind, type MediumKind } from '../../src/scsi/mmc/burn/media.ts';
import { RecordableDisc, sectorBytesOf } from '../../src/scsi/mmc/burn/recordable-disc.ts';
import { type BurnerBed, burner, selectWrite, writeBlocks } from './burner.ts';
import { SparseStore } from './sparse-store.ts';
import type { TestNexus } from './target.ts';

/** A store that any disc of a trace fits into. */
const ROOM = Math.max(sectorBytesOf(factsOf('cd-r')), sectorBytesOf(factsOf('dvd+rw')));
const PREGAP = 150;
/** 00:02:00 is block 0. */
const timeOf = (lba: number): string =>
  [Math.floor((lba + PREGAP) / 4500), Math.floor((lba + PREGAP) / 75) % 60, (lba + PREGAP) % 75]
    .map((part) => part.toString(16).padStart(2, '0'))
    .join('');

function newState(kind: string): DiscState {
  assert(isMediumKind(kind), `a medium: ${kind}`);
  return newDiscState(kind);
}

export class TraceOperator {
  readonly bed: BurnerBed;
  /** The initiator of the trace. */
  nexus: TestNexus;
  disc: RecordableDisc;
  /** A disc is in the drive or its tray. */
  #there: boolean;

  /** `kind` was put into the drive just before; null: the drive is empty. */
  constructor(kind: MediumKind | null) {
    this.bed = burner(kind ?? 'cd-r', {
      store: new SparseStore(kind === null ? ROOM : sectorBytesOf(factsOf(kind))),
      mediumChanger: {
        load: (task) => {
          if (!this.#there) {
            this.#medium.take();
            return GONE;
          }
          this.#medium.insert(this.bed.unit, this.#medium.generation + 1, task.nexus);
          return DONE;
        },
        ejected: () => DONE,
      },
    });
    this.disc = this.bed.disc;
    this.nexus = this.bed.a;
    this.#there = kind !== null;
    if (kind !== null) {
      this.bed.unit.optical?.events.newMedia(null);
    } else {
      this.#take();
      // It has been empty for long.
      while (this.nexus.run('4a 01 00 00 10 00 00 00 08 00', { in: 8 }).dataIn[4] !== 0);
    }
  }

  get #medium(): Medium {
    const { medium } = this.bed.unit;
    assert(medium, 'a burner has a tray');
    return medium;
  }

  /**
   * `insert KIND`, a blank disc; `insert burnt BLOCKS`, a CD-R with one track of data; `swap KIND`, for the one that is there; `open`, the
   * tray, and takes what is in it; `request`, the button while somebody holds the disc; `login`, of an initiator that was not there.
   */
  act(what: string): void {
    const [act, medium = '', blocks = ''] = what.split(' ');
    const { unit, bed } = this.bed;
    switch (act) {
      case 'swap':
        this.#take();
        this.#insert(newState(medium));
        break;
      case 'insert':
        this.#insert(medium === 'burnt' ? this.#burn(Number(blocks)) : newState(medium));
        break;
      case 'open':
        this.#medium.overrule();
        this.#medium.eject(unit, null);
        this.#there = false;
        unit.optical?.change(null);
        break;
      case 'request':
        unit.optical?.events.ejectRequested();
        break;
      default:
        assert.equal(act, 'login', `an act of the operator: ${what}`);
        this.nexus = bed.nexus('new');
    }
  }

  #insert(state: DiscState): void {
    const { unit } = this.bed;
    this.disc = new RecordableDisc(state, 0);
    this.#there = true;
    unit.optical?.change(this.disc);
    this.#medium.insert(unit, this.#medium.generation + 1, null);
  }

  #take(): void {
    this.#medium.overrule();
    this.#medium.take();
    this.#there = false;
    this.bed.unit.optical?.change(null);
  }

  /** In another burner, which nobody here hears of. */
  #burn(blocks: number): DiscState {
    const { a, disc } = burner('cd-r');
    assert.equal(selectWrite(a, '420400'), '');
    const sheet = [
      '4100001400000000',
      '4101001000000000',
      '4101011000000200',
      `41aa011400${timeOf(blocks)}`,
    ].join('');
    assert.equal(a.run('5d 00 00 00 00 00 00 00 20 00', { out: sheet }).sense, '');
    for (let lba = -PREGAP; lba < blocks; lba += PREGAP) {
      assert.equal(writeBlocks(a, lba, Math.min(PREGAP, blocks - lba)), '');
    }
    assert.equal(disc.status, 'complete');
    return disc.state;
  }
}
