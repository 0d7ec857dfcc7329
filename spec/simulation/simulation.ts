/**
 * One simulation: the real core (Target, LogicalUnit, TaskSet and the command handlers) over a simulated store, driven by
 * the random numbers of a seed, watched by the reference model. No clock, no thread, no second process: a seed replays.
 */
import { LogicalUnit } from '../../src/scsi/logical-unit.ts';
import { diskModePages } from '../../src/scsi/mode-page.ts';
import type { Nexus } from '../../src/scsi/nexus.ts';
import { BlockDevice } from '../../src/scsi/sbc/block-device.ts';
import { diskType } from '../../src/scsi/sbc/disk-type.ts';
import { Target } from '../../src/scsi/target.ts';
import type { Task } from '../../src/scsi/task.ts';
import { DirectPort, type Outcome } from '../support/direct-port.ts';
import { bouncePool } from '../support/target.ts';
import {
  BLOCK_BYTES,
  type Command,
  cdbOf,
  dataOutOf,
  describeCommand,
  type ModeValues,
} from './command.ts';
import { CommandGenerator } from './generate-command.ts';
import { Model, type ModelFunction } from './model.ts';
import { endOf, type ModelTask, modelTask } from './model-task.ts';
import { drawPlan, type Plan } from './plan.ts';
import { Random } from './random.ts';
import { SimulatedStore } from './simulated-store.ts';
import { ACA, SIMPLE } from './task-set-model.ts';
import { must } from './violation.ts';

const LARGEST = 96;

/** A port that tells who came back before its slot is used again. */
class WatchedPort extends DirectPort {
  returned: (task: Task, outcome: Outcome) => void = () => undefined;

  override respond(task: Task): void {
    super.respond(task);
    this.#tell(task);
  }
  override drop(task: Task): void {
    super.drop(task);
    this.#tell(task);
  }
  override taskManagementDone(task: Task): void {
    super.taskManagementDone(task);
    this.#tell(task);
  }
  #tell(task: Task): void {
    const pending = this.ended.pop();
    if (pending?.outcome) this.returned(task, pending.outcome);
  }
}

/** A target that tells what arrives before it does anything about it. */
class WatchedTarget extends Target {
  arriving: (task: Task) => void = () => undefined;

  override receive(task: Task): void {
    this.arriving(task);
    super.receive(task);
  }
  override receiveManagement(task: Task): void {
    this.arriving(task);
    super.receiveManagement(task);
  }
}

export class Simulation {
  readonly random: Random;
  readonly plan: Plan;
  readonly model: Model;
  readonly target = new WatchedTarget({ name: 'simulation' });
  readonly unit: LogicalUnit;
  readonly store: SimulatedStore;
  readonly trace: string[] = [];
  readonly #nexuses: Nexus[] = [];
  readonly #ports: WatchedPort[] = [];
  readonly #commands = new Map<Task, ModelTask>();
  readonly #functions = new Map<Task, ModelFunction>();
  readonly #generator: CommandGenerator;
  readonly #bounce;
  #arriving: ModelTask | ModelFunction | null = null;
  #ids = 0;
  #settingUp = true;
  /** Commands that were sent. */
  get sent(): number {
    return this.#ids;
  }

  constructor(seed: number) {
    this.random = new Random(seed);
    this.plan = drawPlan(this.random);
    const { plan } = this;
    this.#bounce = bouncePool(plan.bounceBuffers);
    this.store = new SimulatedStore(
      plan.capacity * BLOCK_BYTES,
      LARGEST * BLOCK_BYTES,
      this.random,
      {
        accessed: (request) => {
          if (this.#settingUp) return;
          const { call, position, length } = request;
          const where = `${position / BLOCK_BYTES}+${length / BLOCK_BYTES}`;
          this.#note(`  store: #${this.#idOf(request.task)} ${call} ${where}`);
          this.model.accessed(this.#taskOf(request.task), request);
        },
        ended: (request, reply) => {
          if (this.#settingUp) return;
          this.#note(`  store: #${this.#idOf(request.task)} ${request.call} ends, reply ${reply}`);
          this.model.storeEnded(this.#taskOf(request.task), request, reply);
        },
      },
    );
    this.model = new Model({
      ...plan,
      largestCapacity: LARGEST,
      scarce: plan.bounceBuffers < 64,
      late: plan.discipline.qerr !== 0 || plan.naca > 0,
      contents: this.store,
    });
    const changes = plan.discipline.qerr === 0 && plan.naca === 0;
    const settings = { naca: plan.naca, changes };
    this.#generator = new CommandGenerator(this.random, settings, this.model.medium);
    this.unit = this.#newUnit();
    this.unit.taskSet.capacity = plan.room;
    this.target.addUnit(this.unit);
    this.target.onInternalError = (error) => {
      throw error;
    };
    this.target.arriving = (task) => this.#arrives(task);
  }

  #newUnit(): LogicalUnit {
    return new LogicalUnit({
      target: this.target,
      lun: 0,
      deviceType: diskType({ thin: true }),
      identity: {
        vendor: 'RINGSCSI',
        product: 'SIMULATION',
        revision: '0001',
        serial: 'SIM',
        naa: new Uint8Array(16).fill(0x60),
      },
      block: new BlockDevice(this.store, {
        blockBytes: BLOCK_BYTES,
        physicalBlockBytes: 4096,
        thin: true,
        bounce: this.#bounce,
      }),
      modePages: diskModePages({ parameters: { save: () => 0 } }),
    });
  }

  #note(line: string): void {
    this.trace.push(line);
  }

  #idOf(task: Task): number | string {
    return this.#commands.get(task)?.id ?? '?';
  }

  #taskOf(task: Task): ModelTask {
    const found = this.#commands.get(task);
    must(found !== undefined, 'the store is asked on behalf of a command that has ended');
    return found;
  }

  #arrives(task: Task): void {
    const arriving = this.#arriving;
    if (arriving === null) return;
    this.#arriving = null;
    if ('victims' in arriving) {
      this.#functions.set(task, arriving);
    } else {
      this.#commands.set(task, arriving);
      this.model.arrived(arriving);
    }
  }

  #returns(task: Task, outcome: Outcome): void {
    const request = this.#functions.get(task);
    if (request !== undefined) {
      this.#note(`  ${request.name} answered ${outcome.managementOutcome}`);
      this.#functions.delete(task);
      this.model.answered(request, outcome.managementOutcome);
      return;
    }
    const command = this.#commands.get(task);
    if (command === undefined) return;
    this.#note(`  #${command.id} ends: ${endOf(outcome)}`);
    this.#commands.delete(task);
    this.model.returned(command, outcome);
  }

  /** Runs the simulation; throws what is wrong. */
  run(): void {
    this.#setUp();
    for (let step = 0; step < this.plan.steps; step += 1) this.#step();
    this.#windUp();
  }

  #settle(): void {
    this.model.settle();
    this.unit.taskSet.verify();
  }

  /** Logs in, sets the mode pages (saved, so that a reset keeps them), and in most simulations clears the attentions. */
  #setUp(): void {
    for (let i = 0; i < this.plan.nexuses; i += 1) {
      const nexus = this.target.login(`nexus ${i}`, `nexus ${i}`, false);
      must(nexus !== null, 'there is room for a nexus');
      this.#nexuses.push(nexus);
      const port = new WatchedPort(this.target);
      port.returned = (task, outcome) => this.#returns(task, outcome);
      this.#ports.push(port);
    }
    this.store.immediate = 1;
    this.#select(this.plan.mode);
    this.store.immediate = 0.4;
    for (let i = 0; i < this.plan.nexuses; i += 1) {
      for (let taken = 0; taken < 8; taken += 1) this.#quietly(i, [3, 0, 0, 0, 18, 0]);
      if (this.random.chance(0.3)) {
        this.unit.attention.post(i, (6 << 16) | 0x2901);
        this.model.attention.post(i, '6/29/01', this.model.now());
      }
    }
    this.store.faults = this.plan.faults;
    this.#settingUp = false;
    this.#settle();
  }

  #quietly(nexus: number, cdb: readonly number[], out: Uint8Array = new Uint8Array(0)): Outcome {
    const port = this.#ports[nexus] as WatchedPort;
    let outcome: Outcome | null = null;
    const before = port.returned;
    port.returned = (_task, result) => {
      outcome = result;
    };
    port.start(this.#nexuses[nexus] as Nexus, cdb, { in: 18, out });
    port.returned = before;
    return outcome as unknown as Outcome;
  }

  #select(mode: ModeValues): void {
    const command = { kind: 'mode-select', mode, length: 6, stray: false, outCut: 0 } as Command;
    const cdb = cdbOf(command);
    (cdb[1] as number) |= 1;
    this.#quietly(0, [3, 0, 0, 0, 18, 0]);
    const outcome = this.#quietly(0, [...cdb], dataOutOf(command));
    must(outcome.status === 0, `the mode pages can be set (${outcome.sense})`);
  }

  #step(): void {
    const { pending } = this.store;
    const busy = pending.length > 0;
    const action = this.random.weighted<() => void>([
      [50, () => this.#send()],
      [busy ? 10 + 4 * pending.length : 0, () => this.#complete()],
      [this.plan.management, () => this.#manage()],
      [0.7, () => this.#toggleNexus()],
      [this.plan.grows ? 0.7 : 0, () => this.#grow()],
    ]);
    action();
    this.#settle();
  }

  #present(): number {
    const there = this.#nexuses.filter((nexus) => nexus.present);
    return there.length === 0 ? -1 : this.#nexuses.indexOf(this.random.pick(there));
  }

  #complete(): void {
    this.store.complete(this.random.below(this.store.pending.length));
  }

  #send(): void {
    const nexus = this.#present();
    if (nexus < 0) return;
    const { capacity, mode, stopped } = this.model.state;
    let command = this.#generator.next(capacity, mode, stopped);
    let attribute = this.random.weighted(this.plan.attributes);
    // While an ACA lasts its nexus looks after it.
    if (this.model.tasks.faulted.has(nexus) && this.random.chance(0.5)) {
      attribute = ACA;
      command = { ...command, naca: this.random.chance(0.5) };
    }
    this.#start(nexus, command, attribute, this.#tag(nexus));
  }

  #tag(nexus: number): number {
    const own = this.model.tasks.liveOf(nexus).filter((task) => task.aborted === null);
    const again = this.plan.overlaps && own.length > 0 && this.random.chance(0.02);
    return again ? this.random.pick(own).tag : 0x10000 + this.#ids;
  }

  #start(nexus: number, command: Command, attribute: number, tag: number): ModelTask {
    const out = dataOutOf(command);
    this.#ids += 1;
    const where = { nexus, attribute, tag, outBytes: out.length };
    const task = modelTask(this.#ids, command, where, this.model.now());
    this.#note(
      `#${task.id} nexus ${nexus} ${ATTRIBUTES[attribute] ?? attribute} ${describeCommand(command)}`,
    );
    this.#arriving = task;
    const port = this.#ports[nexus] as WatchedPort;
    // A buffer has 64 segments at most.
    const split = command.inBytes > 16_384 ? 65_536 : this.plan.split;
    const options = { in: command.inBytes, out, attribute, tag, split };
    port.start(this.#nexuses[nexus] as Nexus, cdbOf(command), options);
    return task;
  }

  #manage(): void {
    const nexus = this.#present();
    if (nexus < 0) return;
    const name = this.random.weighted(FUNCTION_WEIGHTS);
    const own = this.model.tasks.liveOf(nexus);
    const tag = own.length > 0 && this.random.chance(0.9) ? this.random.pick(own).tag : 1;
    this.#note(`${name} by nexus ${nexus}${name.endsWith('TASK') ? ` of tag ${tag}` : ''}`);
    this.#arriving = this.#modelFunction(name, nexus, tag);
    const port = this.#ports[nexus] as WatchedPort;
    port.manage(this.#nexuses[nexus] as Nexus, FUNCTIONS[name], tag);
  }

  #modelFunction(name: FunctionName, nexus: number, tag: number): ModelFunction {
    const { model } = this;
    const { tst } = this.plan.discipline;
    const isOwn = (task: ModelTask): boolean => task.nexus === nexus;
    const isIt = (task: ModelTask): boolean => isOwn(task) && task.tag === tag;
    const query = (found: boolean): ModelFunction => ({
      name,
      nexus,
      victims: [],
      outcome: found ? SUCCEEDED : COMPLETE,
    });
    switch (name) {
      case 'ABORT TASK':
        return model.aborts(name, nexus, isIt);
      case 'ABORT TASK SET':
        return model.aborts(name, nexus, isOwn);
      case 'CLEAR TASK SET':
        return model.aborts(name, nexus, (task) => tst === 0 || isOwn(task));
      case 'LOGICAL UNIT RESET':
        return model.aborts(name, nexus, () => true);
      case 'QUERY TASK':
        return query(model.tasks.live.some(isIt));
      case 'QUERY TASK SET':
        return query(model.tasks.live.some(isOwn));
      case 'I_T NEXUS RESET': {
        const request = model.aborts(name, nexus, isOwn);
        model.nexusLost(nexus);
        return request;
      }
      case 'CLEAR ACA':
        return this.#modelClearAca(nexus);
    }
  }

  #modelClearAca(nexus: number): ModelFunction {
    const { model } = this;
    const faulted = model.tasks.governing(nexus);
    if (faulted === nexus) {
      return model.aborts(
        'CLEAR ACA',
        nexus,
        (task) => task.nexus === nexus && task.attribute === ACA,
      );
    }
    const outcome = faulted < 0 ? COMPLETE : REJECTED;
    return { name: 'CLEAR ACA', nexus: -1, victims: [], outcome };
  }

  #toggleNexus(): void {
    const at = this.random.below(this.#nexuses.length);
    const nexus = this.#nexuses[at] as Nexus;
    if (!nexus.present) {
      this.#return(nexus);
      return;
    }
    this.#note(`nexus ${at} is lost`);
    this.model.nexusLost(at);
    this.target.nexusLost(nexus);
  }

  #return(nexus: Nexus): void {
    this.#note(`${nexus.name} returns`);
    const same = this.target.login(nexus.identity, nexus.name, false);
    must(same === nexus, 'a nexus that returns is the one it was');
  }

  #grow(): void {
    const { capacity } = this.model.state;
    if (capacity >= LARGEST) return;
    const larger = capacity + 1 + this.random.below(LARGEST - capacity);
    this.#note(`the medium grows to ${larger} blocks`);
    this.store.bytes = larger * BLOCK_BYTES;
    this.model.grew(larger);
    this.unit.attentionForAll((6 << 16) | 0x2a09);
  }

  /** Lets everything end, looks for what was lost, and reads the whole medium. */
  #windUp(): void {
    this.#note('--- end');
    this.store.faults = 0;
    for (const nexus of this.#nexuses) if (!nexus.present) this.#return(nexus);
    this.#drain();
    for (const at of this.#nexuses.keys()) this.#takeAttentions(at);
    this.#readAll();
    const { taskSet } = this.unit;
    taskSet.verify();
    must(taskSet.count === 0, 'the task set is empty at the end');
    must(this.#bounce.free === this.plan.bounceBuffers, 'every bounce buffer comes back');
  }

  #drain(): void {
    for (let round = 0; round < 1000; round += 1) {
      while (this.store.pending.length > 0) {
        this.#complete();
        this.#settle();
      }
      const [faulted] = this.model.tasks.faulted;
      if (faulted === undefined) break;
      this.#note(`CLEAR ACA by nexus ${faulted}`);
      this.#arriving = this.#modelClearAca(faulted);
      const port = this.#ports[faulted] as WatchedPort;
      port.manage(this.#nexuses[faulted] as Nexus, FUNCTIONS['CLEAR ACA']);
      this.#settle();
    }
    const left = [...this.#commands.values()].map((task) => `#${task.id}`);
    must(left.length === 0, `${left.join(', ')} never end`);
    must(this.#functions.size === 0, 'a task management function is never answered');
  }

  /** REQUEST SENSE until there is nothing: every unit attention that is due comes. */
  #takeAttentions(nexus: number): void {
    for (let i = 0; i < 12; i += 1) {
      const command: Command = {
        ...PLAIN,
        kind: 'request-sense',
        inBytes: 252,
      };
      this.#start(nexus, command, SIMPLE, 0x10000 + this.#ids);
      this.#settle();
    }
    const [missing] = this.model.attention.required(nexus);
    must(missing === undefined, `nexus ${nexus} is never told ${missing}`);
  }

  #readAll(): void {
    this.store.immediate = 1;
    this.#start(0, { ...PLAIN, kind: 'start-stop', flag: true }, SIMPLE, 0x10000 + this.#ids);
    const { capacity } = this.model.state;
    const range = { lba: 0, blocks: capacity };
    const inBytes = capacity * BLOCK_BYTES;
    const command: Command = { ...PLAIN, kind: 'read', length: 10, range, inBytes };
    this.#start(0, command, SIMPLE, 0x10000 + this.#ids);
    this.#settle();
  }
}

const PLAIN: Command = {
  kind: 'tur',
  length: 6,
  range: { lba: 0, blocks: 0 },
  fua: false,
  stray: false,
  flag: false,
  naca: false,
  values: [],
  compared: [],
  unmapped: [],
  mode: null,
  inBytes: 0,
  outCut: 0,
};

const ATTRIBUTES: Readonly<Record<number, string>> = {
  0: 'SIMPLE',
  1: 'HEAD OF QUEUE',
  2: 'ORDERED',
  4: 'ACA',
};

/** Function codes and outcomes as the core's contract has them. */
const FUNCTIONS = {
  'ABORT TASK': 0x01,
  'ABORT TASK SET': 0x02,
  'CLEAR TASK SET': 0x04,
  'LOGICAL UNIT RESET': 0x08,
  'CLEAR ACA': 0x40,
  'I_T NEXUS RESET': 0x100,
  'QUERY TASK': 0x101,
  'QUERY TASK SET': 0x102,
} as const;
type FunctionName = keyof typeof FUNCTIONS;
const COMPLETE = 0;
const REJECTED = 1;
const SUCCEEDED = 3;

const FUNCTION_WEIGHTS: readonly (readonly [number, FunctionName])[] = [
  [8, 'ABORT TASK'],
  [3, 'ABORT TASK SET'],
  [3, 'CLEAR TASK SET'],
  [2, 'LOGICAL UNIT RESET'],
  [4, 'CLEAR ACA'],
  [1, 'I_T NEXUS RESET'],
  [2, 'QUERY TASK'],
  [1, 'QUERY TASK SET'],
];
