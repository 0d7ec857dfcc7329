/**
 * One simulated world: the real core over a store that ends requests in any order and fails at times, initiators that send
 * anything, and the reference model that watches.
 */
import { FULL, GONE, MEDIUM_READ, MEDIUM_WRITE } from '../../src/scsi/contracts.ts';
import type { Pending } from '../support/direct-port.ts';
import type { HeldRequest } from '../support/held-store.ts';
import { disk, type TestNexus } from '../support/target.ts';
import { CAPACITY_CHANGED, MODE_CHANGED, POWER_ON } from './attentions.ts';
import {
  type Attribute,
  type Command,
  DEFAULT_CONTROL,
  type Kind,
  Model,
  Violation,
} from './model.ts';
import { Random } from './random.ts';

const NEXUSES = 3;
/** Blocks that commands touch: few, so that they meet. */
const BLOCKS = 12;
const CAPACITY = 64;
const BLOCK = 512;
const MAX_OUTSTANDING = 12;
/** Tags of functions begin here. */
const FUNCTION_TAGS = 0x4000_0000;
const ATTRIBUTES: Readonly<Record<Attribute, number>> = { simple: 0, head: 1, ordered: 2, aca: 4 };
const KINDS: readonly Kind[] = [
  ...(['read', 'read', 'read', 'write', 'write', 'write', 'writeSame', 'unmap'] as const),
  ...(['compareAndWrite', 'flush', 'ready', 'ready', 'inquiry', 'requestSense'] as const),
  ...(['modeSelect', 'outOfRange', 'unknown'] as const),
];

const LOOKS: readonly Kind[] = [
  'read',
  'ready',
  'requestSense',
  'outOfRange',
  'unknown',
  'inquiry',
];

const ABORT_TASK = 0x01;
const ABORT_TASK_SET = 0x02;
const CLEAR_TASK_SET = 0x04;
const LOGICAL_UNIT_RESET = 0x08;
const CLEAR_ACA = 0x40;
const I_T_NEXUS_RESET = 0x100;
const QUERY_TASK = 0x101;
const COMPLETE = 0;
const REJECTED = 1;
const SUCCEEDED = 3;

const hex = (value: number, bytes: number): string => value.toString(16).padStart(2 * bytes, '0');

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (each) => Number.parseInt(each, 16));
}

export class World {
  readonly #random: Random;
  readonly #bed = disk({ blocks: CAPACITY, thin: true });
  readonly #nexuses: TestNexus[] = [];
  readonly #model = new Model(NEXUSES, CAPACITY);
  /** Functions under way, by their own tags. */
  readonly #functions = new Map<number, (outcome: number) => void>();
  /** What each nexus' tags mean while the commands are there. */
  readonly #byTag = new Map<string, Command>();
  readonly #values = new Map<number, number>();
  /** What happened, for whoever has to understand a violation. */
  readonly trace: string[] = [];
  #number = 0;
  #violation: Violation | null = null;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#bed.unit.taskSet.capacity = MAX_OUTSTANDING - 2;
    this.#bed.store.onRequest = (request) => this.#guard(() => this.#requested(request));
    for (let i = 0; i < NEXUSES; i += 1) this.#nexuses.push(this.#login(i));
    this.#configure();
    this.#bed.store.hold = true;
  }

  /** Does `steps` things, then lets everything end. Throws Violation. */
  run(steps: number): void {
    for (let i = 0; i < steps; i += 1) {
      this.#step();
      this.#throwViolation();
    }
    this.#drain();
    this.#throwViolation();
  }

  #throwViolation(): void {
    if (this.#violation !== null) throw this.#violation;
  }

  /** The core catches what callbacks throw: the first violation is kept and thrown when it has returned. */
  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#violation ??= error;
    }
  }

  #login(index: number): TestNexus {
    const name = `nexus ${index}`;
    const nexus = this.#bed.nexus(name);
    this.#model.attentions[index]?.post(POWER_ON);
    return this.#watch(index, nexus);
  }

  #watch(index: number, nexus: TestNexus): TestNexus {
    nexus.port.onEnded = (pending) => this.#guard(() => this.#ended(index, pending));
    return nexus;
  }

  /** Each world has its own Control page, set before anything else happens. */
  #configure(): void {
    const random = this.#random;
    const qerr = random.pick([0, 0, 0, 1, 3]);
    // In the order of DEFAULT_CONTROL.
    const control = {
      tas: qerr !== 0 || random.chance(0.5),
      qerr,
      perNexus: random.chance(0.25),
      freely: random.chance(0.25),
    };
    const first = this.#nexuses[0] as TestNexus;
    first.port.onEnded = () => undefined;
    this.#model.attentions[0]?.reported(first.run('00 00 00 00 00 00').sense);
    const list = this.#controlList(control, false);
    if (first.run('15 10 00 00 10 00', { out: list }).status !== 0)
      throw new Violation('the first MODE SELECT fails');
    if (JSON.stringify(control) !== JSON.stringify(DEFAULT_CONTROL)) {
      for (const each of this.#model.attentions.slice(1)) each.post(MODE_CHANGED);
    }
    this.#model.control = control;
    this.#model.hadQueueErrors = qerr !== 0;
    this.#watch(0, first);
    this.trace.push(`control ${JSON.stringify(control)}`);
  }

  #controlList(
    { tas, qerr, perNexus, freely }: typeof DEFAULT_CONTROL,
    descriptorSense: boolean,
  ): Uint8Array {
    const list = bytesOf('000000000a0a0200004000000' + '12c0000');
    list[6] = 0x02 | (perNexus ? 0x20 : 0) | (descriptorSense ? 0x04 : 0);
    list[7] = (freely ? 0x10 : 0) | (qerr << 1);
    list[9] = tas ? 0x40 : 0;
    return list;
  }

  #step(): void {
    const random = this.#random;
    const held = this.#bed.store.held.length;
    const dice = random.next();
    if (held > 0 && dice < 0.42) this.#complete();
    else if (dice < 0.88) this.#send();
    else if (dice < 0.96) this.#manage();
    else if (dice < 0.98) this.#loseNexus();
    else this.#grow();
  }

  #complete(): void {
    const { store } = this.#bed;
    const index = this.#random.below(store.held.length);
    const request = store.held[index] as HeldRequest;
    const command = this.#commandOf(request);
    this.trace.push(`the store ends a ${request.call} of #${command.number}`);
    if (this.#random.chance(0.08)) this.#fault(request);
    this.#guard(() => this.#model.stopped(command));
    store.releaseAt(index);
  }

  #fault(request: HeldRequest): void {
    const writes =
      request.call === 'write' || request.call === 'writeZeroes' || request.call === 'discard';
    const reply = this.#random.pick(
      writes ? ([MEDIUM_WRITE, FULL, GONE] as const) : ([MEDIUM_READ, GONE] as const),
    );
    // A failed flush stays failed by contract; the model of the medium has no use for that.
    if (request.call !== 'flush') this.#bed.store.fail(request.call, reply);
  }

  #commandOf(request: HeldRequest): Command {
    const { task } = request;
    const nexus = this.#nexuses.findIndex(
      (each) => each.nexus === task.nexus || each.nexus.identity === task.nexus?.identity,
    );
    const command = this.#byTag.get(`${nexus} ${task.tagLow}`);
    if (command === undefined) throw new Error(`no command has tag ${task.tagLow}`);
    return command;
  }

  #requested(request: HeldRequest): void {
    const command = this.#commandOf(request);
    this.trace.push(`#${command.number} reaches the store: ${request.call}`);
    this.#model.started(command);
    if (!this.#bed.store.hold) this.#model.stopped(command);
  }

  #ended(nexus: number, pending: Pending): void {
    const tag = pending.task.tagLow;
    const { result } = pending;
    const answered = this.#functions.get(tag);
    if (answered !== undefined) {
      this.#functions.delete(tag);
      answered(result.managementOutcome);
      return;
    }
    const command = this.#byTag.get(`${nexus} ${tag}`);
    if (command === undefined) throw new Violation(`tag ${tag} has ended before`);
    const how = result.dropped ? 'dropped' : `${hex(result.status, 1)} ${result.sense}`;
    this.trace.push(`#${command.number} ended: ${how}`);
    this.#byTag.delete(`${nexus} ${command.tag}`);
    this.#model.ended(command, result);
    if (result.status === 0 && !result.dropped && result.dataOutMoved > result.dataOutWanted) {
      throw new Violation(`#${command.number} moved more than it wanted`);
    }
  }

  #attribute(nexus: number): Attribute {
    const aca = this.#model.acaOf(nexus) === nexus;
    if (aca && this.#random.chance(0.7)) return 'aca';
    const dice = this.#random.next();
    if (dice < 0.68) return 'simple';
    if (dice < 0.84) return 'ordered';
    return dice < 0.99 ? 'head' : 'aca';
  }

  #send(): void {
    const random = this.#random;
    const nexus = random.below(NEXUSES);
    const attribute = this.#attribute(nexus);
    // What an ACA command writes would come between the work of a blocked command and its end.
    const kind = random.pick(attribute === 'aca' ? LOOKS : KINDS);
    // With QERR the ACA begins before its CHECK CONDITION can be sent: the model would have to guess when.
    const naca = this.#model.control.qerr === 0 && random.chance(0.06);
    this.#number += 1;
    const expected = this.#model.attentions[nexus];
    const ranged = ['read', 'write', 'writeSame', 'unmap', 'compareAndWrite'].includes(kind);
    const first = random.below(BLOCKS);
    const command: Command = {
      number: this.#number,
      nexus,
      tag: 0x10000 + this.#number,
      kind,
      attribute,
      naca,
      first,
      blocks: ranged ? (kind === 'compareAndWrite' ? 1 : 1 + random.below(4)) : 0,
      value: kind === 'unmap' ? 0 : kind === 'modeSelect' ? random.below(2) : 1 + random.below(255),
      compare: this.#values.get(first) ?? 0,
      touched: false,
      running: 0,
      abortedBy: new Set(),
      attentionsAtArrival: expected?.changes ?? 0,
      attentionPending: expected?.pending ?? false,
    };
    // MODE SELECT that changes nothing is no news.
    if (kind === 'modeSelect' && (command.value === 1) === this.#model.descriptorSense) return;
    if (kind === 'modeSelect' && this.#someModeSelect()) return;
    if (ranged && kind !== 'read') this.#values.set(first, command.value);
    this.trace.push(
      `#${command.number} ${kind} ${attribute}${naca ? ' NACA' : ''} by ${nexus}, ${command.blocks} from ${first}, value ${command.value}`,
    );
    this.#byTag.set(`${nexus} ${command.tag}`, command);
    this.#guard(() => this.#model.arrived(command));
    this.#nexuses[nexus]?.start(this.#cdb(command), {
      in: kind === 'read' ? command.blocks * BLOCK : 96,
      ...this.#dataOut(command),
      attribute: ATTRIBUTES[attribute],
      tag: command.tag,
    });
  }

  /** Two at once would need a model of who was first. */
  #someModeSelect(): boolean {
    return this.#model.commands.some(({ kind }) => kind === 'modeSelect');
  }

  #cdb(command: Command): Uint8Array {
    const { kind, first, blocks, naca } = command;
    const text: Readonly<Record<Kind, string>> = {
      read: `2800${hex(first, 4)}00${hex(blocks, 2)}00`,
      write: `2a${command.value % 2 === 0 ? '08' : '00'}${hex(first, 4)}00${hex(blocks, 2)}00`,
      writeSame: `4100${hex(first, 4)}00${hex(blocks, 2)}00`,
      unmap: '42000000000000001800',
      compareAndWrite: `8900${hex(first, 8)}000000010000`,
      flush: '35000000000000000000',
      ready: '000000000000',
      inquiry: '120000006000',
      requestSense: '030000001200',
      modeSelect: '151000001000',
      outOfRange: `2800${hex(0x01000000 + first, 4)}00000100`,
      unknown: '0c0000000000',
    };
    const cdb = bytesOf(text[kind]);
    if (naca) cdb[cdb.length - 1] = 0x04;
    return cdb;
  }

  #dataOut(command: Command): { out?: Uint8Array } {
    const { kind, first, blocks, value } = command;
    const block = new Uint8Array(BLOCK).fill(value);
    if (kind === 'write') return { out: new Uint8Array(blocks * BLOCK).fill(value) };
    if (kind === 'writeSame') return { out: block };
    if (kind === 'unmap') {
      return { out: bytesOf(`0016001000000000${hex(first, 8)}${hex(blocks, 4)}00000000`) };
    }
    if (kind === 'compareAndWrite') {
      const out = new Uint8Array(2 * BLOCK).fill(command.compare, 0, BLOCK);
      out.set(block, BLOCK);
      return { out };
    }
    if (kind === 'modeSelect') return { out: this.#controlList(this.#model.control, value === 1) };
    return {};
  }

  #manage(): void {
    const random = this.#random;
    const nexus = random.below(NEXUSES);
    const own = (command: Command): boolean => command.nexus === nexus;
    const dice = random.next();
    const some = this.#model.commands.filter(own);
    if (dice < 0.35 && some.length > 0) {
      const victim = random.pick(some);
      this.#abort(nexus, ABORT_TASK, (command) => command === victim, victim.tag);
    } else if (dice < 0.5) {
      this.#abort(nexus, ABORT_TASK_SET, own);
    } else if (dice < 0.65) {
      const all = !this.#model.control.perNexus;
      this.#abort(nexus, CLEAR_TASK_SET, (command) => all || own(command));
    } else if (dice < 0.72) {
      this.#abort(nexus, LOGICAL_UNIT_RESET, () => true);
    } else if (dice < 0.78) {
      this.#abort(nexus, I_T_NEXUS_RESET, own);
    } else if (dice < 0.86 && some.length > 0) {
      this.#query(nexus, random.pick(some));
    } else {
      this.#clearAca(nexus);
    }
  }

  #abort(
    nexus: number,
    managementFunction: number,
    which: (command: Command) => boolean,
    tag = 0,
  ): void {
    this.trace.push(`function ${managementFunction.toString(16)}h by ${nexus}`);
    const aborted = this.#model.aborting(nexus, which);
    if (managementFunction === LOGICAL_UNIT_RESET) this.#model.unitReset();
    if (managementFunction === CLEAR_TASK_SET) this.#model.cleared(nexus, aborted);
    if (managementFunction === I_T_NEXUS_RESET) this.#model.nexusLost(nexus);
    this.#function(nexus, managementFunction, tag, (outcome) => {
      if (outcome !== COMPLETE) throw new Violation(`function ended with outcome ${outcome}`);
      this.trace.push(`function ${managementFunction.toString(16)}h is answered`);
      this.#model.abortDone(aborted);
    });
  }

  /** Sends a function; `answered` is called when it is answered, at once or later. */
  #function(
    nexus: number,
    managementFunction: number,
    managedTag: number,
    answered: (outcome: number) => void,
  ): void {
    const { port, nexus: record } = this.#nexuses[nexus] as TestNexus;
    this.#number += 1;
    const tag = FUNCTION_TAGS + this.#number;
    this.#functions.set(tag, answered);
    port.manage(record, managementFunction, managedTag, { tag });
  }

  #query(nexus: number, command: Command): void {
    this.#function(nexus, QUERY_TASK, command.tag, (outcome) => {
      const expected = this.#model.commands.includes(command) ? SUCCEEDED : COMPLETE;
      if (outcome !== expected) throw new Violation(`QUERY TASK of #${command.number}: ${outcome}`);
    });
  }

  #clearAca(nexus: number): void {
    const expected = this.#model.clearAca(nexus) === 'complete' ? COMPLETE : REJECTED;
    const had = this.#model.acaOf(nexus) === nexus;
    this.trace.push(`CLEAR ACA by ${nexus}`);
    const aborted = had
      ? this.#model.aborting(nexus, (each) => each.nexus === nexus && each.attribute === 'aca')
      : [];
    this.#function(nexus, CLEAR_ACA, 0, (outcome) => {
      if (outcome !== expected) throw new Violation(`CLEAR ACA by ${nexus}: outcome ${outcome}`);
      this.#model.abortDone(aborted);
      if (outcome === COMPLETE) this.#model.acaCleared(nexus);
    });
  }

  #loseNexus(): void {
    const index = this.#random.below(NEXUSES);
    const nexus = this.#nexuses[index] as TestNexus;
    this.trace.push(`nexus ${index} is lost and comes back`);
    this.#model.aborting(-1, (command) => command.nexus === index);
    this.#model.nexusLost(index);
    this.#bed.target.nexusLost(nexus.nexus);
    const back = this.#bed.target.login(nexus.nexus.identity, nexus.nexus.name, false);
    if (back !== nexus.nexus) throw new Violation('a nexus that comes back is the same one');
  }

  #grow(): void {
    const { store, unit } = this.#bed;
    if (this.#random.chance(0.5)) return;
    this.trace.push('the capacity changes');
    store.resize(store.bytes + BLOCK);
    for (const each of this.#model.attentions) each.post(CAPACITY_CHANGED);
    unit.attentionForAll(0x062a09);
  }

  /** Everything ends: what waits, then what is still to be told. */
  #drain(): void {
    const { store, unit } = this.#bed;
    this.#clearEveryAca();
    for (let guard = 0; store.held.length > 0; guard += 1) {
      if (guard > 10_000) throw new Violation('the store is never done');
      const request = store.held[0] as HeldRequest;
      const command = this.#commandOf(request);
      this.#guard(() => this.#model.stopped(command));
      store.releaseAt(0);
      this.#throwViolation();
      this.#clearEveryAca();
    }
    this.#throwViolation();
    const left = this.#model.commands[0];
    if (this.#functions.size > 0) throw new Violation('a function is never answered');
    if (left !== undefined) throw new Violation(`#${left.number} ${left.kind} never ends`);
    if (unit.taskSet.count !== 0)
      throw new Violation(`${unit.taskSet.count} tasks are left in the set`);
    unit.taskSet.verify();
    store.hold = false;
    this.#tellAll();
  }

  /** What was blocked may begin the next ACA condition. */
  #clearEveryAca(): void {
    for (let i = 0; i < NEXUSES; i += 1) {
      while (this.#model.acaOf(i) === i && this.#functions.size === 0) this.#clearAca(i);
    }
    const faulted = [0, 1, 2].some((i) => this.#model.acaOf(i) >= 0);
    if (faulted && this.#functions.size === 0) this.#clearEveryAca();
  }

  /** TEST UNIT READY of every nexus reports exactly what is due. */
  #tellAll(): void {
    for (const [index, nexus] of this.#nexuses.entries()) {
      nexus.port.onEnded = () => undefined;
      const expected = this.#model.attentions[index];
      while (expected?.pending === true) {
        const wrong = expected.reported(nexus.run('00 00 00 00 00 00').sense);
        if (wrong !== '') throw new Violation(`nexus ${index}: ${wrong}`);
      }
      const { sense, status } = nexus.run('00 00 00 00 00 00');
      if (status !== 0) throw new Violation(`nexus ${index}: ${sense} and nothing was due`);
    }
  }
}
