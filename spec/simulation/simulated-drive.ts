/** What a simulated drive is made of: the real one, media with contents of their own, and somebody who is told of every move. */
import { Drive, type DriveOptions } from '../../src/luns/drive.ts';
import { type DiskStore, StoreCounters } from '../../src/luns/store/disk-store.ts';
import type { StoreReply } from '../../src/scsi/contracts.ts';
import type { LogicalUnit } from '../../src/scsi/logical-unit.ts';
import type { Medium } from '../../src/scsi/medium.ts';
import type { Task } from '../../src/scsi/task.ts';
import type { Model } from './model.ts';
import type { ModelTask } from './model-task.ts';
import { SimulatedStore } from './simulated-store.ts';
import { Violation } from './violation.ts';

/** A medium of its own contents. Its cache does not outlive its stay in the drive. */
export class SimulatedMedium extends SimulatedStore implements DiskStore {
  readonly counters = new StoreCounters();
  closed: () => void = () => undefined;
  turn(): void {}
  grow(): void {}
  syncNow(): StoreReply {
    throw new Violation('nobody flushes a drive without a task');
  }
  readNow(): StoreReply {
    throw new Violation('nobody reads without waiting');
  }
  close(): void {
    this.closed();
    this.memory = this.stable.slice();
    this.flushFailed = false;
  }
}

export interface Watcher {
  readonly model: Model;
  readonly note: (line: string) => void;
  readonly taskOf: (task: Task) => ModelTask;
}

/** The drive, which tells what a START STOP UNIT asks of it. */
export class WatchedDrive extends Drive {
  readonly #options: Watcher;

  constructor(given: DriveOptions, options: Watcher) {
    super(given);
    this.#options = options;
  }

  override load(task: Task, unit: LogicalUnit): StoreReply {
    this.#options.model.wants(this.#options.taskOf(task));
    return super.load(task, unit);
  }

  override answer(reply: StoreReply): void {
    this.#options.model.answering = reply;
    super.answer(reply);
    this.#options.model.answering = null;
  }
}

/** Tells the model of every move of a medium before it is made; `inserted`: one comes, of this generation. */
export function watchMedium(
  medium: Medium,
  { model, note }: Watcher,
  inserted: (generation: number) => void,
): void {
  const tell = <K extends 'eject' | 'leave' | 'take' | 'stay' | 'insert'>(
    name: K,
    before: (...values: Parameters<Medium[K]>) => void,
  ): void => {
    const move = medium[name].bind(medium) as (...values: Parameters<Medium[K]>) => void;
    Object.assign(medium, {
      [name]: (...values: Parameters<Medium[K]>) => {
        note(`  medium: ${name}`);
        before(...values);
        move(...values);
      },
    });
  };
  tell('eject', () => model.ejects());
  tell('leave', () => model.media.leaves());
  tell('take', () => model.taken());
  tell('stay', () => model.stays());
  tell('insert', (_unit, generation) => inserted(generation));
}
