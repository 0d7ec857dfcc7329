/** Burners over stores in memory, with a disc of any kind in them. */
import { strict as assert } from 'node:assert';
import { createOptical } from '../../src/luns/optical.ts';
import type { DiscJournal, MediumChanger, StoreReply } from '../../src/scsi/contracts.ts';
import { DONE } from '../../src/scsi/contracts.ts';
import type { LogicalUnit } from '../../src/scsi/logical-unit.ts';
import type { Burner } from '../../src/scsi/mmc/burn/burner.ts';
import {
  type DiscState,
  decodeDiscState,
  newDiscState,
} from '../../src/scsi/mmc/burn/disc-state.ts';
import { factsOf, type MediumKind } from '../../src/scsi/mmc/burn/media.ts';
import { RecordableDisc, sectorBytesOf } from '../../src/scsi/mmc/burn/recordable-disc.ts';
import { WRITE_PARAMETERS } from '../../src/scsi/mmc/burn/write-parameters.ts';
import { opticalModePages } from '../../src/scsi/mmc/mode-pages.ts';
import type { Task } from '../../src/scsi/task.ts';
import { SparseStore } from './sparse-store.ts';
import type { TestNexus } from './target.ts';
import { bouncePool, Testbed } from './target.ts';

/** Remembers what was kept last, and checks that it is legal and says the same again. */
export class MemoryJournal implements DiscJournal {
  kept: Uint8Array | null = null;
  saves = 0;
  /** What the next save is answered with. */
  reply: StoreReply = DONE;

  save(_task: Task, state: Uint8Array): StoreReply {
    if (this.reply !== DONE) return this.reply;
    const decoded = decodeDiscState(state);
    assert(typeof decoded !== 'string', `what is kept is legal: ${String(decoded)}`);
    this.kept = state.slice();
    this.saves += 1;
    return DONE;
  }
}

export interface BurnerBed {
  readonly bed: Testbed;
  readonly unit: LogicalUnit;
  readonly store: SparseStore;
  readonly disc: RecordableDisc;
  readonly burner: Burner;
  readonly journal: MemoryJournal;
  readonly a: TestNexus;
}

export interface BurnerBedOptions {
  readonly state?: DiscState;
  readonly store?: SparseStore;
  readonly journal?: DiscJournal;
  /** Byte of the store where the sectors begin. */
  readonly base?: number;
  readonly mediumChanger?: MediumChanger;
  /** Milliseconds that it is paced by; absent: it is not. */
  readonly now?: () => number;
  /** It is paced, and what it does by itself takes its time; what is written is on the disc at once. */
  readonly slow?: boolean;
}

/** A clock on which a second passes whenever somebody looks at it. */
function seconds(): () => number {
  let ms = 0;
  return () => {
    ms += 1000;
    return ms;
  };
}

/** A target with one burner at LUN 0 that has a disc of this kind in it, and a nexus. */
export function burner(kind: MediumKind, options: BurnerBedOptions = {}): BurnerBed {
  const bed = new Testbed();
  const { base = 0, now = options.slow === true ? seconds() : undefined } = options;
  const store = options.store ?? new SparseStore(base + sectorBytesOf(factsOf(kind)));
  const journal = new MemoryJournal();
  const disc = new RecordableDisc(options.state ?? newDiscState(kind), base);
  const naa = new Uint8Array(16).fill(0x33);
  naa[0] = 0x60;
  const unit = createOptical(
    bed.target,
    {
      lun: 0,
      identity: {
        vendor: 'RINGSCSI',
        product: 'SPEC BURNER',
        revision: '0001',
        serial: 'OB1',
        naa,
      },
      disc,
    },
    {
      store,
      bounce: bouncePool(2),
      modePages: opticalModePages({ writes: true, more: [WRITE_PARAMETERS] }),
      reservationStore: null,
      mediumChanger: options.mediumChanger ?? null,
      ...(now === undefined ? {} : { now, paced: true }),
      burner: {
        journal: options.journal ?? journal,
      },
    },
  );
  bed.target.addUnit(unit);
  const own = unit.optical?.burner;
  assert(own, 'it is a burner');
  const a = bed.nexus('a').clear();
  return { bed, unit, store, disc, burner: own, journal, a };
}

/** `blocks` blocks of `bytes` bytes; every byte of the n-th says n. */
export function blocksOf(first: number, blocks: number, bytes = 2048): Uint8Array {
  const all = new Uint8Array(blocks * bytes);
  for (let i = 0; i < blocks; i += 1) all.fill((first + i + 1) & 0xff, i * bytes, (i + 1) * bytes);
  return all;
}

const hex = (value: number, bytes: number): string =>
  (value >>> 0).toString(16).padStart(bytes * 2, '0');

/** Sends WRITE(10); returns the sense, or an empty string. */
export function writeBlocks(nexus: TestNexus, lba: number, blocks: number, bytes = 2048): string {
  const cdb = `2a00${hex(lba, 4)}00${hex(blocks, 2)}00`;
  return nexus.run(cdb, { out: blocksOf(lba, blocks, bytes) }).sense;
}

/** MODE SELECT(10) of the write parameters, whose bytes 2, 3 and 4 are given; as the tools send it. */
export function selectWrite(
  nexus: TestNexus,
  bytes234: string,
  rest = '00000000000000000000000096',
): string {
  const page = `0532${bytes234}${rest}`;
  const list = `0000000000000000${page.padEnd(104, '0')}`;
  return nexus.run('55 10 00 00 00 00 00 00 3c 00', { out: list }).sense;
}
