/** A disk of the product over recorded files: the real core and the real file store; only the medium is ours. */
import { strict as assert } from 'node:assert';
import { writeSync } from 'node:fs';
import { close, createMemoryFile, mapAnonymous } from '../../src/libc.ts';
import { createDisk, mapBouncePool, openModePages } from '../../src/luns/disk.ts';
import {
  AtomicJournal,
  MAX_ATOMIC_BYTES,
  type ReplayOutcome,
  replayAtomic,
} from '../../src/luns/store/atomic-journal.ts';
import { FileStore } from '../../src/luns/store/file.ts';
import type { IoEngine } from '../../src/luns/store/io-engine.ts';
import type { TargetPort } from '../../src/scsi/contracts.ts';
import type { LogicalUnit } from '../../src/scsi/logical-unit.ts';
import type { Nexus } from '../../src/scsi/nexus.ts';
import { Segments } from '../../src/scsi/segments.ts';
import { Target } from '../../src/scsi/target.ts';
import { Task } from '../../src/scsi/task.ts';

export const BLOCK_BYTES = 512;
const BUFFER_BYTES = 256 * 1024;
export const JOURNAL_BYTES = MAX_ATOMIC_BYTES + 4096;

/** Image and atomic journal, kept over power cuts: the same files (inodes), other contents. */
export class Files {
  readonly image: number;
  readonly journal: number;

  constructor(imageBytes: number) {
    this.image = createMemoryFile('power-cut-image', imageBytes);
    this.journal = createMemoryFile('power-cut-journal', JOURNAL_BYTES);
  }

  get all(): readonly number[] {
    return [this.image, this.journal];
  }

  /** What a power cut left becomes what the files hold. */
  load(contents: readonly Uint8Array[]): void {
    for (const [i, bytes] of contents.entries()) {
      assert.equal(writeSync(this.all[i] ?? -1, bytes, 0, bytes.length, 0), bytes.length);
    }
  }

  close(): void {
    for (const fd of this.all) close(fd);
  }
}

/** One command at a time, over memory the kernel can reach. */
class OnePort implements TargetPort {
  readonly lunPresentation = 'native';
  readonly #task: Task;
  readonly #memory = mapAnonymous(4096 + 2 * BUFFER_BYTES);
  readonly #view = new Uint8Array(this.#memory.buffer);
  #ended = false;

  constructor() {
    const segments = (at: number): Segments =>
      new Segments({
        words: new Uint32Array(this.#memory.buffer, at, 4),
        address: this.#memory.address + at,
      });
    this.#task = new Task(this, 0, segments(0), segments(64));
  }

  respond(): void {
    this.#ended = true;
  }
  drop(): void {
    assert.fail('nothing aborts here');
  }
  taskManagementDone(): void {
    assert.fail('nothing aborts here');
  }

  run(
    target: Target,
    nexus: Nexus,
    cdb: Uint8Array,
    out: Uint8Array,
    inBytes: number,
  ): { status: number; sense: number; dataIn: Uint8Array } {
    const task = this.#task;
    this.#ended = false;
    task.receive(nexus);
    task.cdb.fill(0);
    task.cdb.set(cdb);
    task.cdbBytes = cdb.length;
    task.lun = 0;
    const memory = { view: this.#view, address: this.#memory.address };
    this.#view.set(out, 4096);
    task.dataOut.append(memory, 4096, out.length);
    task.dataIn.append(memory, 4096 + BUFFER_BYTES, inBytes);
    target.receive(task);
    assert(this.#ended, 'without a queue every command ends at once');
    const { status, sense, dataInMoved } = task;
    const dataIn = this.#view.slice(4096 + BUFFER_BYTES, 4096 + BUFFER_BYTES + dataInMoved);
    task.release();
    return { status, sense, dataIn };
  }
}

const port = new OnePort();
const bounce = mapBouncePool();

const u32 = (value: number): number[] =>
  [value >>> 24, value >>> 16, value >>> 8, value].map((b) => b & 0xff);
const NOTHING = new Uint8Array(0);

export interface MachineOptions {
  readonly files: Files;
  readonly imageBytes: number;
  readonly engine: IoEngine;
  readonly writeCache: boolean;
}

/** A disk that has been attached: replayed, and ready. Throws when a command does not end as it must. */
export class Machine {
  readonly #target = new Target({ name: 'power-cut' });
  readonly #nexus: Nexus;
  readonly unit: LogicalUnit;
  /** What the start found in the journal of atomic writes. */
  readonly replayed: ReplayOutcome;

  constructor({ files, imageBytes, engine, writeCache }: MachineOptions) {
    this.replayed = replayAtomic(files.journal, files.image, engine);
    const journal = new AtomicJournal(
      files.image,
      { open: () => files.journal, remove: () => undefined },
      engine,
    );
    const store = new FileStore(
      { fd: files.image, bytes: imageBytes, readOnly: false, engine, journal },
      { canDiscard: true, discardBytes: 4096, watched: false },
    );
    const options = {
      lun: 0,
      backing: { kind: 'file' as const, fd: files.image, bytes: imageBytes },
      readOnly: false,
      blockBytes: BLOCK_BYTES,
      physicalBlockBytes: BLOCK_BYTES,
      thin: true,
      writeCache,
      serial: 'POWERCUT',
      naa: new Uint8Array([0x30, 1, 2, 3, 4, 5, 6, 7]),
      savedPages: null,
      savable: false,
    };
    const modePages = openModePages(options, null);
    assert(modePages);
    this.unit = createDisk(this.#target, options, {
      store,
      bounce,
      modePages,
      reservationStore: null,
      reservations: null,
      operationStore: null,
      informationStore: null,
      logStore: null,
    });
    this.#target.addUnit(this.unit);
    const nexus = this.#target.login('power', 'power', false);
    assert(nexus);
    this.#nexus = nexus;
    this.ready();
  }

  /** Takes the unit attentions that wait. */
  ready(): void {
    for (let i = 0; i < 8 && this.#status([0, 0, 0, 0, 0, 0]) !== 0; i += 1);
  }

  #status(cdb: readonly number[]): number {
    return port.run(this.#target, this.#nexus, Uint8Array.from(cdb), NOTHING, 0).status;
  }

  #good(cdb: readonly number[], out: Uint8Array, inBytes = 0): Uint8Array {
    const bytes = Uint8Array.from(cdb);
    const result = port.run(this.#target, this.#nexus, bytes, out, inBytes);
    const sense = result.sense.toString(16);
    assert.equal(result.status, 0, `${Buffer.from(bytes).toString('hex')}: sense ${sense}`);
    return result.dataIn;
  }

  read(lba: number, blocks: number): Uint8Array {
    const bytes = blocks * BLOCK_BYTES;
    return this.#good([0x88, 0, 0, 0, 0, 0, ...u32(lba), ...u32(blocks), 0, 0], NOTHING, bytes);
  }

  write(lba: number, data: Uint8Array, fua: boolean): void {
    const blocks = data.length / BLOCK_BYTES;
    const flags = fua ? 0x08 : 0;
    this.#good([0x2a, flags, ...u32(lba), 0, blocks >> 8, blocks & 0xff, 0], data);
  }

  writeAtomic(lba: number, data: Uint8Array): void {
    const blocks = data.length / BLOCK_BYTES;
    this.#good([0x9c, 0, 0, 0, 0, 0, ...u32(lba), 0, 0, blocks >> 8, blocks & 0xff, 0, 0], data);
  }

  compareAndWrite(lba: number, then: Uint8Array, now: Uint8Array, fua: boolean): void {
    const flags = fua ? 0x08 : 0;
    const both = new Uint8Array(then.length + now.length);
    both.set(then);
    both.set(now, then.length);
    const blocks = then.length / BLOCK_BYTES;
    this.#good([0x89, flags, 0, 0, 0, 0, ...u32(lba), 0, 0, 0, blocks, 0, 0], both);
  }

  /** Zeros by WRITE SAME(16) with NDOB. */
  writeZeroes(lba: number, blocks: number): void {
    this.#good([0x93, 0x01, 0, 0, 0, 0, ...u32(lba), ...u32(blocks), 0, 0], NOTHING);
  }

  unmap(lba: number, blocks: number): void {
    const list = Uint8Array.from([
      0,
      22,
      0,
      16,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      ...u32(lba),
      ...u32(blocks),
      0,
      0,
      0,
      0,
    ]);
    this.#good([0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0], list);
  }

  /** SYNCHRONIZE CACHE(10), or (16). */
  synchronize(sixteen: boolean): void {
    this.#good(
      sixteen
        ? [0x91, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        : [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      NOTHING,
    );
  }
}
