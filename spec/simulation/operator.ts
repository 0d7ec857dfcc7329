/**
 * The operator of a drive and whoever keeps the files of its media: takes media, swaps them, locks them in, answers what START
 * STOP UNIT asks for. The drive is the real one. Messages between the two take their time, as between two threads.
 */
import type { DriveOptions } from '../../src/luns/drive.ts';
import { InventoryError } from '../../src/luns/inventory-error.ts';
import { FaultStore } from '../../src/luns/store/fault.ts';
import { DONE, GONE, MEDIUM_WRITE, type Timers } from '../../src/scsi/contracts.ts';
import type { LogicalUnit } from '../../src/scsi/logical-unit.ts';
import { BLOCK_BYTES } from './command.ts';
import type { Random } from './random.ts';
import {
  type SimulatedMedium,
  WatchedDrive,
  type Watcher,
  watchMedium,
} from './simulated-drive.ts';
import { must } from './violation.ts';

export interface OperatorOptions extends Watcher {
  readonly random: Random;
  readonly media: readonly SimulatedMedium[];
}

interface Load {
  readonly index: number;
  readonly generation: number;
  readonly force: boolean;
  /** A START STOP UNIT asked for it. */
  readonly asked: boolean;
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
    watchMedium(medium, this.#options, (generation) => this.#inserted(generation));
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
    } else if (this.#options.random.chance(0.3)) {
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
