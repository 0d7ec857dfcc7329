/**
 * The operator of a drive and whoever keeps the files of its media: takes media, swaps them, locks them in, answers what START
 * STOP UNIT asks for. The drive is the real one. Messages between the two take their time, as between two threads.
 */
import { Drive, type DriveOptions } from '../../src/luns/drive.ts';
import { InventoryError } from '../../src/luns/inventory-error.ts';
import { type DiskStore, StoreCounters } from '../../src/luns/store/disk-store.ts';
import { FaultStore } from '../../src/luns/store/fault.ts';
import {
  DONE,
  GONE,
  MEDIUM_WRITE,
  type StoreReply,
  type Timers,
} from '../../src/scsi/contracts.ts';
import type { LogicalUnit } from '../../src/scsi/logical-unit.ts';
import type { Medium } from '../../src/scsi/medium.ts';
import type { Task } from '../../src/scsi/task.ts';
import { BLOCK_BYTES } from './command.ts';
import type { Model } from './model.ts';
import type { ModelTask } from './model-task.ts';
import type { Random } from './random.ts';
import { SimulatedStore } from './simulated-store.ts';
import { must, Violation } from './violation.ts';

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

export interface OperatorOptions {
  readonly random: Random;
  readonly model: Model;
  readonly media: readonly SimulatedMedium[];
  readonly note: (line: string) => void;
  readonly taskOf: (task: Task) => ModelTask;
}

interface Load {
  readonly index: number;
  readonly generation: number;
  readonly force: boolean;
  /** A START STOP UNIT asked for it. */
  readonly asked: boolean;
}

/** The drive, which tells what a START STOP UNIT asks of it. */
class WatchedDrive extends Drive {
  readonly #options: OperatorOptions;

  constructor(given: DriveOptions, options: OperatorOptions) {
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

type Message = () => void;

export class Operator {
  readonly drive: WatchedDrive;
  readonly store: FaultStore;
  /** What happens when commands that have begun take too long for the operator. */
  #impatience: (() => void) | null = null;
  readonly #options: OperatorOptions;
  #unit: LogicalUnit | null = null;
  readonly #toDrive: Message[] = [];
  readonly #toOperator: Message[] = [];
  /** What the operator knows: it may be old. */
  #place: 'drive' | 'tray' | 'away' = 'drive';
  #index = 0;
  #generation = 1;
  #busy = false;
  #loading = false;
  /** What the drive was asked to put in last. */
  #incoming: Load | null = null;

  constructor(options: OperatorOptions) {
    this.#options = options;
    const { media } = options;
    const first = media[0] as SimulatedMedium;
    for (const [index, medium] of media.entries()) {
      medium.closed = () => options.model.media.closed(index, options.model.tasks.live);
    }
    const timers: Timers = {
      after: (_delayMs, callback) => {
        this.#impatience = callback;
        return callback;
      },
      cancel: () => {
        this.#impatience = null;
      },
    };
    this.store = new FaultStore(first, { timers, blockBytes: BLOCK_BYTES });
    const backing = { kind: 'file', fd: 0, bytes: first.bytes } as const;
    const given: DriveOptions = {
      disk: { backing, readOnly: false } as unknown as DriveOptions['disk'],
      store: this.store,
      timers,
      keeper: {
        ejected: (_lun, generation) => this.#toOperator.push(() => this.#ejected(generation)),
        wanted: () => this.#toOperator.push(() => this.#wanted()),
      },
      open: ({ backing: found }) => media[found.kind === 'file' ? found.fd : -1] as SimulatedMedium,
    };
    this.drive = new WatchedDrive(given, options);
  }

  /** The medium in the drive, or the one that was in it last. */
  get medium(): SimulatedMedium {
    return this.#options.media[this.#current] as SimulatedMedium;
  }
  #current = 0;

  /** Tells the model of every move of the medium, before it is made. */
  watch(unit: LogicalUnit): void {
    const { medium } = unit;
    must(medium !== null, 'the unit of a drive has a medium');
    this.#unit = unit;
    const { model, note } = this.#options;
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
    tell('insert', (_unit, generation) => this.#inserted(generation));
  }

  #inserted(generation: number): void {
    const load = this.#incoming;
    must(load !== null, 'a medium comes that nobody has brought');
    this.#current = load.index;
    this.#options.model.comes(load.index, generation, load.asked);
  }

  get #driven(): LogicalUnit {
    must(this.#unit !== null, 'the drive has a unit');
    return this.#unit;
  }

  /** When all is said the operator knows where the medium is, and which one it is. */
  verify(): void {
    const { place } = this.#options.model.media;
    must(place === this.#place, `the operator takes the medium for ${this.#place}, it is ${place}`);
    must(
      place === 'away' || this.#index === this.#current,
      'the operator takes it for another one',
    );
  }

  /** Messages under way. */
  get messages(): number {
    return this.#toDrive.length + this.#toOperator.length;
  }

  /** The operator has nothing to do. */
  get free(): boolean {
    return !this.#busy && !this.#loading;
  }

  /** One message arrives. */
  deliver(): void {
    const queues = [this.#toDrive, this.#toOperator].filter((queue) => queue.length > 0);
    this.#options.random.pick(queues).shift()?.();
  }

  /** The operator does something. */
  act(): void {
    if (!this.free) return;
    const { random } = this.#options;
    const force = random.chance(0.2);
    if (this.#place !== 'drive') {
      if (random.chance(0.15)) this.#take(false);
      else this.load(random.chance(0.4) ? this.#index : this.#other(), force);
    } else if (random.chance(0.25)) {
      this.lock(!this.#options.model.media.locked && random.chance(0.5));
    } else if (random.chance(0.35)) {
      this.#take(force);
    } else {
      this.load(this.#other(), force);
    }
  }

  #other(): number {
    const { random, media } = this.#options;
    return (this.#index + 1 + random.below(media.length - 1)) % media.length;
  }

  lock(locked: boolean): void {
    this.#options.note(`the operator ${locked ? 'locks the medium in' : 'unlocks the medium'}`);
    this.#toDrive.push(() => {
      this.#options.note(`  drive: ${locked ? 'locked' : 'unlocked'}`);
      this.#options.model.media.locked = locked;
      const { medium } = this.#driven;
      if (medium !== null) medium.locked = locked;
    });
  }

  #take(force: boolean): void {
    this.#options.note(`the operator takes the medium${force ? ' by force' : ''}`);
    this.#busy = true;
    const done = (error: InventoryError | null): void => {
      this.#toOperator.push(() => {
        this.#busy = false;
        if (error === null) this.#place = 'away';
      });
    };
    this.#toDrive.push(() =>
      this.#ask(force, done, () => this.drive.take(this.#driven, force, done)),
    );
  }

  /** Brings medium `index`, in the place of the one that is there. */
  load(index: number, force: boolean): void {
    this.#options.note(`the operator loads medium ${index}${force ? ' by force' : ''}`);
    this.#busy = true;
    this.#bring({ index, generation: this.#generation + 1, force, asked: false });
  }

  #bring(load: Load): void {
    const { force, asked, generation, index } = load;
    const done = (error: InventoryError | null): void => {
      this.#toOperator.push(() => this.#brought(load, error));
    };
    this.#toDrive.push(() => {
      this.#incoming = load;
      const { bytes } = this.#options.media[index] as SimulatedMedium;
      const backing = { kind: 'file', fd: index, bytes } as const;
      const spec = { backing, readOnly: false, generation };
      this.#ask(force, done, () => this.drive.insert(this.#driven, spec, { force, asked }, done));
    });
  }

  #brought({ index, generation, asked }: Load, error: InventoryError | null): void {
    if (asked) this.#loading = false;
    else this.#busy = false;
    if (error === null) {
      this.#place = 'drive';
      this.#index = index;
      this.#generation = generation;
    } else if (asked) {
      this.#toDrive.push(() => this.drive.answer(MEDIUM_WRITE));
    }
  }

  /** Asks the drive, which may refuse at once: for a reason. */
  #ask(force: boolean, done: (error: InventoryError | null) => void, ask: () => void): void {
    const { media } = this.#options.model;
    media.forced = force;
    const { prevented, place } = media;
    try {
      this.#options.note('  drive: asked by the operator');
      ask();
    } catch (error) {
      if (!(error instanceof InventoryError)) throw error;
      this.#options.note(`  drive: ${error.message}`);
      must(place === 'away' || (prevented && !force), `the operator is refused: ${error.message}`);
      done(error);
    }
  }

  /** A START STOP UNIT has sent the tray out. */
  #ejected(generation: number): void {
    this.#options.note('  operator: the tray is out');
    if (generation === this.#generation && this.#place === 'drive') this.#place = 'tray';
    this.#toDrive.push(() => this.drive.answer(DONE));
  }

  /** A START STOP UNIT wants back what lies in the tray. */
  #wanted(): void {
    this.#options.note('  operator: the medium in the tray is wanted');
    if (this.#place !== 'tray' || !this.free) {
      this.#toDrive.push(() => this.drive.answer(GONE));
    } else if (this.#options.random.chance(0.1)) {
      this.#toDrive.push(() => this.drive.answer(MEDIUM_WRITE));
    } else {
      this.#loading = true;
      this.#bring({
        index: this.#index,
        generation: this.#generation + 1,
        force: false,
        asked: true,
      });
    }
  }

  /** The operator waits for commands that have begun. */
  get waits(): boolean {
    return this.#impatience !== null;
  }

  /** They have taken too long. */
  losePatience(): void {
    const callback = this.#impatience;
    if (callback === null) return;
    this.#options.note('the operator loses patience');
    this.#impatience = null;
    this.#options.model.impatient();
    callback();
  }
}
