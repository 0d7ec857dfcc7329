/**
 * One simulation: the real core (Target, LogicalUnit, TaskSet and the command handlers) over a simulated store, driven by
 * the random numbers of a seed, watched by the reference model. No clock, no thread, no second process: a seed replays.
 */
import type { StoreReply } from '../../src/scsi/contracts.ts';
import { LogicalUnit } from '../../src/scsi/logical-unit.ts';
import { diskModePages } from '../../src/scsi/mode-page.ts';
import type { Nexus } from '../../src/scsi/nexus.ts';
import { BlockDevice } from '../../src/scsi/sbc/block-device.ts';
import { diskType } from '../../src/scsi/sbc/disk-type.ts';
import type { Task } from '../../src/scsi/task.ts';
import type { Outcome } from '../support/direct-port.ts';
import { bouncePool } from '../support/target.ts';
import {
  BLOCK_BYTES,
  type Command,
  cdbOf,
  dataOutOf,
  describeCommand,
  type ModeValues,
  PLAIN_COMMAND,
} from './command.ts';
import { CommandGenerator } from './generate-command.ts';
import { Model, type ModelFunction } from './model.ts';
import { endOf, type ModelTask, modelTask } from './model-task.ts';
import { Operator } from './operator.ts';
import { drawPlan, type Plan } from './plan.ts';
import { Random } from './random.ts';
import { SimulatedMedium } from './simulated-drive.ts';
import type { StoreRequest } from './simulated-store.ts';
import { ACA, SIMPLE } from './task-set-model.ts';
import { must } from './violation.ts';
import { WatchedPort, WatchedTarget } from './watched.ts';

const LARGEST = 96;

export class Simulation {
  readonly random: Random;
  readonly plan: Plan;
  readonly model: Model;
  readonly target = new WatchedTarget({ name: 'simulation' });
  readonly unit: LogicalUnit;
  /** One for each medium. */
  readonly stores: readonly SimulatedMedium[];
  /** Null: the disk is fixed. */
  readonly operator: Operator | null;
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
    this.stores = plan.media.map((capacity, index) => this.#newStore(capacity, index));
    this.model = new Model({
      ...plan,
      media: plan.media.map((capacity, index) => ({
        capacity,
        contents: this.stores[index] as SimulatedMedium,
      })),
      largestCapacity: LARGEST,
      scarce: this.#isScarce,
      late: plan.discipline.qerr !== 0 || plan.naca > 0,
    });
    const changes = plan.discipline.qerr === 0 && plan.naca === 0;
    const { removable } = this.model.media;
    const settings = { naca: plan.naca, changes, removable };
    this.#generator = new CommandGenerator(this.random, settings, this.model.media);
    this.operator = removable
      ? new Operator({
          random: this.random,
          model: this.model,
          media: this.stores,
          note: (line) => this.#note(line),
          taskOf: (task) => this.#taskOf(task),
        })
      : null;
    this.unit = this.#newUnit();
    this.operator?.watch(this.unit);
    this.unit.taskSet.capacity = plan.room;
    this.target.addUnit(this.unit);
    this.target.onInternalError = (error) => {
      throw error;
    };
    this.target.arriving = (task) => this.#arrives(task);
  }

  /** The medium in the drive, or the one that was in it last. */
  get store(): SimulatedMedium {
    return this.operator?.medium ?? (this.stores[0] as SimulatedMedium);
  }

  get #isScarce(): boolean {
    return this.plan.bounceBuffers < 64;
  }

  #newStore(capacity: number, index: number): SimulatedMedium {
    const [bytes, largest] = [capacity * BLOCK_BYTES, LARGEST * BLOCK_BYTES];
    return new SimulatedMedium(bytes, largest, this.random, {
      accessed: (request) => this.#accessed(request, index),
      ended: (request, reply) => this.#ended(request, reply),
    });
  }

  #accessed(request: StoreRequest, index: number): void {
    if (this.#settingUp) return;
    const { call, position, length, task } = request;
    const where = `${position / BLOCK_BYTES}+${length / BLOCK_BYTES}`;
    this.#note(`  store: ${this.#nameOf(task)} ${call} ${where}`);
    if (isOperators(task)) this.model.media.flushes(index, this.model.tasks.live);
    else this.model.accessed(this.#taskOf(task), request, index);
  }

  #ended(request: StoreRequest, reply: StoreReply): void {
    if (this.#settingUp) return;
    const { call, task } = request;
    this.#note(`  store: ${this.#nameOf(task)} ${call} ends, reply ${reply}`);
    if (isOperators(task)) this.model.operatorFlushed(reply);
    else this.model.storeEnded(this.#taskOf(task), request, reply);
  }

  #newUnit(): LogicalUnit {
    const { operator } = this;
    return new LogicalUnit({
      target: this.target,
      lun: 0,
      deviceType: diskType({ thin: true, removable: operator !== null }),
      identity: {
        vendor: 'RINGSCSI',
        product: 'SIMULATION',
        revision: '0001',
        serial: 'SIM',
        naa: new Uint8Array(16).fill(0x60),
      },
      block: new BlockDevice(operator?.store ?? this.store, {
        blockBytes: BLOCK_BYTES,
        physicalBlockBytes: 4096,
        thin: true,
        bounce: this.#bounce,
      }),
      modePages: diskModePages({ parameters: { save: () => 0 } }),
      removable: operator !== null,
      mediumChanger: operator?.drive ?? null,
    });
  }

  #note(line: string): void {
    this.trace.push(line);
  }

  #nameOf(task: Task): string {
    return isOperators(task) ? 'operator' : `#${this.#commands.get(task)?.id ?? '?'}`;
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
    for (const store of this.stores) store.faults = this.plan.faults;
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
      ...this.#operations(),
    ]);
    action();
    this.#settle();
  }

  /** What the operator may do, or be told. */
  #operations(): (readonly [number, () => void])[] {
    const { operator } = this;
    if (operator === null) return [];
    // Which commands have begun is not known while they wait for bounce buffers.
    const patience = this.#isScarce ? 0 : 8;
    return [
      [operator.free ? (this.model.media.moving ? 8 : 1.5) : 0, () => operator.act()],
      [operator.messages > 0 ? 8 : 0, () => operator.deliver()],
      [operator.waits ? patience : 0, () => operator.losePatience()],
    ];
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
    const { mode, stopped } = this.model.state;
    let command = this.#generator.next(mode, stopped);
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
    const { arrivals } = this.model.media;
    const where = { nexus, attribute, tag, outBytes: out.length, arrivals };
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
    const { capacity, loaded } = this.model.media;
    if (!loaded || capacity >= LARGEST) return;
    const larger = capacity + 1 + this.random.below(LARGEST - capacity);
    this.#note(`the medium grows to ${larger} blocks`);
    this.store.bytes = larger * BLOCK_BYTES;
    this.model.grew(larger);
    this.unit.attentionForAll((6 << 16) | 0x2a09);
  }

  /** Lets everything end, looks for what was lost, and reads the whole medium. */
  #windUp(): void {
    this.#note('--- end');
    for (const store of this.stores) store.faults = 0;
    for (const nexus of this.#nexuses) if (!nexus.present) this.#return(nexus);
    this.#drain();
    if (this.operator === null) this.#inspect();
    else this.#inspectMedia(this.operator);
    const { taskSet } = this.unit;
    taskSet.verify();
    must(taskSet.count === 0, 'the task set is empty at the end');
    must(this.#bounce.free === this.plan.bounceBuffers, 'every bounce buffer comes back');
  }

  #inspect(): void {
    for (const at of this.#nexuses.keys()) this.#takeAttentions(at);
    this.#readAll();
  }

  /** Every medium has on it what was written to it. */
  #inspectMedia(operator: Operator): void {
    operator.verify();
    operator.lock(false);
    if (this.model.media.loaded) this.#inspect();
    for (const index of this.stores.keys()) {
      if (index === this.stores.indexOf(this.store) && this.model.media.loaded) continue;
      operator.load(index, true);
      this.#drain();
      this.#inspect();
    }
  }

  /** Something that is under way ends. */
  #proceed(): void {
    const { pending } = this.store;
    if (pending.length > 0) this.#complete();
    else this.operator?.deliver();
    this.#settle();
  }

  #drain(): void {
    for (let round = 0; round < 1000; round += 1) {
      while (this.store.pending.length > 0 || (this.operator?.messages ?? 0) > 0) this.#proceed();
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
      const command: Command = { ...PLAIN_COMMAND, kind: 'request-sense', inBytes: 252 };
      this.#start(nexus, command, SIMPLE, 0x10000 + this.#ids);
      this.#settle();
    }
    const [missing] = this.model.attention.required(nexus);
    must(missing === undefined, `nexus ${nexus} is never told ${missing}`);
  }

  #readAll(): void {
    for (const store of this.stores) store.immediate = 1;
    this.#start(
      0,
      { ...PLAIN_COMMAND, kind: 'start-stop', flag: true },
      SIMPLE,
      0x10000 + this.#ids,
    );
    const { capacity } = this.model.media;
    const range = { lba: 0, blocks: capacity };
    const inBytes = capacity * BLOCK_BYTES;
    const command: Command = { ...PLAIN_COMMAND, kind: 'read', length: 10, range, inBytes };
    this.#start(0, command, SIMPLE, 0x10000 + this.#ids);
    this.#settle();
  }
}

/** The operator's own work, which nobody has sent. */
function isOperators(task: Task): boolean {
  return task.nexus?.index === -1;
}

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
  'I_T NEXUS RESET': 0x80,
  'QUERY TASK': 0x81,
  'QUERY TASK SET': 0x82,
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
