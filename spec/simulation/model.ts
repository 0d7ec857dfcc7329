/**
 * The reference model: SAM-5, SPC-4 and SBC-3 as far as the simulation goes, written from the rules and not from the target.
 * It is told what arrives, what reaches the store and what comes back, and throws a Violation when the rules do not allow it.
 */
import { DONE, FULL, GONE, type StoreReply } from '../../src/scsi/contracts.ts';
import type { Outcome } from '../support/direct-port.ts';
import { AttentionModel } from './attention-model.ts';
import { CachedModel } from './cached-model.ts';
import { BLOCK_BYTES, isWriter, type ModeValues, rangesOf } from './command.ts';
import { MediaModel, type MediumOptions } from './media-model.ts';
import type { MediumModel } from './medium-model.ts';
import { conflict, endOf, type ModelTask, movesMedium, parameterSense } from './model-task.ts';
import type { StoreRequest } from './simulated-store.ts';
import { ACA, type Discipline, TaskSetModel } from './task-set-model.ts';
import {
  blocksMoved,
  checkResiduals,
  needsStore,
  refusalOf,
  reportsAttention,
  type UnitState,
} from './unit-model.ts';
import { must } from './violation.ts';

/** What a nexus is told whose writes a failed flush may have lost (SPC-4 4.5.7). */
const DEFERRED_WRITE_ERROR = 'deferred 3/0c/00';

export interface ModelOptions {
  readonly nexuses: number;
  /** The first is in the drive; a fixed disk has no other. */
  readonly media: readonly MediumOptions[];
  readonly largestCapacity: number;
  readonly discipline: Discipline;
  readonly mode: ModeValues;
  /** Commands the task set has room for. */
  readonly room: number;
  /** Bounce buffers are scarce: a command may wait for one after its checks. */
  readonly scarce: boolean;
  /** Statuses may be late: ACA holds them back, QERR waits for what it aborts. */
  readonly late: boolean;
}

/** A task management function under way. */
export interface ModelFunction {
  readonly name: string;
  readonly nexus: number;
  readonly victims: readonly ModelTask[];
  readonly outcome: number;
}

export class Model {
  readonly tasks: TaskSetModel;
  readonly attention: AttentionModel;
  readonly media: MediaModel;
  readonly state: UnitState;
  readonly #options: ModelOptions;
  #now = 0;
  /** How often the write cache was turned on or off. */
  #cacheChanges = 0;

  constructor(options: ModelOptions) {
    this.#options = options;
    this.tasks = new TaskSetModel(options.discipline);
    this.attention = new AttentionModel(options.nexuses, {
      loose: options.late,
      kept: options.discipline.interlock !== 0,
    });
    this.media = new MediaModel(options.media, options.largestCapacity);
    const { mode } = options;
    this.state = { media: this.media, stopped: false, mode, saved: mode };
  }

  /** What is on the medium in the drive. */
  get medium(): MediumModel {
    return this.media.blocks;
  }

  /** A number that grows with every event. */
  now(): number {
    this.#now += 1;
    return this.#now;
  }

  /** A command arrives. */
  arrived(task: ModelTask): void {
    task.refusal = this.tasks.refusal(task, this.#options.room);
    if (task.refusal === 'b/4e/00') {
      for (const other of this.tasks.liveOf(task.nexus)) other.aborted ??= 'silence';
    }
    this.tasks.live.push(task);
    this.#evaluate();
  }

  /** Notes since when each waiting command could run. */
  #evaluate(): void {
    const now = this.now();
    for (const task of this.tasks.live) {
      if (task.couldRunAt < 0 && this.tasks.mayRun(task, false)) task.couldRunAt = now;
    }
  }

  /** A command reaches the store of medium `index`. */
  accessed(task: ModelTask, request: StoreRequest, index: number): void {
    must(!task.ended, `#${task.id} reaches the store after its end`);
    this.media.accessed(task, index);
    task.requests += 1;
    task.heldBack = false;
    this.#checkPlace(task, request);
    this.#begins(task);
  }

  /** A START STOP UNIT asks for the medium that lies in the tray. */
  wants(task: ModelTask): void {
    must(movesMedium(task.command) && task.command.flag, `#${task.id} wants a medium`);
    must(!this.media.loaded, `#${task.id} wants a medium and one is there`);
    must(!task.started, `#${task.id} wants a medium twice`);
    this.#begins(task);
  }

  /** What the operator answers to a START STOP UNIT just now. */
  answering: StoreReply | null = null;

  /** A load had no success: there was nothing, or it could not be brought in. */
  #loadFailed({ id }: ModelTask, end: string): void {
    const none = this.media.absence || '2/3a/00';
    must(this.answering !== null, `#${id} ends with ${end} and the operator said nothing`);
    must(end === (this.answering === GONE ? none : '4/53/00'), `#${id} ends with ${end}`);
  }

  #begins(task: ModelTask): void {
    if (task.started) return;
    must(task.couldRunAt >= 0, `#${task.id} runs before its turn`);
    for (const other of this.tasks.live) {
      const clash = other !== task && this.tasks.runs(other) && conflict(task, other, false);
      must(!clash, `#${task.id} runs together with #${other.id}, which touches its blocks`);
    }
    if (reportsAttention(task.command)) this.attention.ranWithout(task.nexus, task.couldRunAt);
    if (!this.#options.scarce) {
      const refusal = refusalOf(task, this.state);
      must(refusal === '', `#${task.id} runs instead of ending with ${refusal}`);
    }
    task.started = true;
    task.startedAt = this.now();
    task.durable = task.command.fua || !this.state.mode.wce;
    task.cacheChanges = this.#cacheChanges;
    this.#beginWrite(task);
  }

  #checkPlace(task: ModelTask, { call, position, length }: StoreRequest): void {
    if (call === 'flush') return;
    const inside = rangesOf(task.command).some(
      ({ lba, blocks }) =>
        position >= lba * BLOCK_BYTES && position + length <= (lba + blocks) * BLOCK_BYTES,
    );
    must(inside, `#${task.id} touches bytes ${position} to ${position + length}, not its own`);
    must(call === 'read' || isWriter(task.command), `#${task.id} writes`);
  }

  /** The values that block `i` of the command can have after it, from those it can have before. */
  #written(task: ModelTask, block: number, i: number): number[] {
    const { kind, values } = task.command;
    if (kind === 'unmap') return [0];
    const value = values[kind === 'write-same' ? 0 : i] as number;
    if (kind !== 'or-write') return [value];
    return [...this.medium.possible(block)].map((old) => (old | value) >>> 0);
  }

  #eachWritten(task: ModelTask, visit: (block: number, i: number) => void): void {
    if (!isWriter(task.command)) return;
    for (const range of rangesOf(task.command)) {
      const blocks = task.command.kind === 'unmap' ? range.blocks : blocksMoved(task);
      for (let i = 0; i < blocks; i += 1) visit(range.lba + i, i);
    }
  }

  /** What each block of a COMPARE AND WRITE could be before it, and is still when it miscompares. */
  readonly #before = new Map<ModelTask, ReadonlyMap<number, readonly number[]>>();
  /** What each block can be once the command has ended GOOD. */
  readonly #results = new Map<ModelTask, Map<number, readonly number[]>>();

  #beginWrite(task: ModelTask): void {
    if (!isWriter(task.command)) return;
    if (task.command.kind === 'compare-and-write') this.#compare(task);
    const results = new Map<number, readonly number[]>();
    this.#eachWritten(task, (block, i) => results.set(block, this.#written(task, block, i)));
    if (task.command.kind === 'compare-and-write') {
      const blocks = [...results.keys()];
      this.#before.set(task, new Map(blocks.map((b) => [b, [...this.medium.possible(b)]])));
    }
    for (const [block, values] of results) this.medium.begin(block, values, task.startedAt);
    this.#results.set(task, results);
  }

  #compare(task: ModelTask): void {
    task.mayDiffer = false;
    for (const [i, value] of task.command.compared.entries()) {
      const possible = this.medium.possible(task.command.range.lba + i);
      if (!possible.has(value)) task.mayMatch = false;
      if (possible.size > 1 || !possible.has(value)) task.mayDiffer = true;
      else task.same.add(i);
    }
  }

  /** A store request ends. */
  storeEnded(task: ModelTask, request: StoreRequest, reply: StoreReply): void {
    task.requests -= 1;
    if (reply !== DONE) {
      const lba = Math.floor((request.position + request.task.storedBytes) / BLOCK_BYTES);
      const medium = request.call === 'read' ? '3/11/00' : '3/0c/00';
      task.fault = reply === GONE ? '4/44/00' : reply === FULL ? '7/27/07' : medium;
      task.faultInformation = task.fault.startsWith('3') && request.call !== 'flush' ? lba : -1;
    }
    if (request.call === 'flush') this.#flushed(task, reply);
    else if (reply === DONE) task.storeDoneAt = this.now();
    task.heldBack = this.tasks.held(task);
    if (task.heldBack) this.#evaluate();
  }

  readonly #cached = new CachedModel();

  /** A flush makes stable what was over before it began; one that fails concerns every other nexus that had written. */
  #flushed(task: ModelTask, reply: StoreReply): void {
    if (reply === DONE) {
      if (task.command.kind !== 'sync') return;
      this.#cached.stable(task.startedAt);
      return;
    }
    this.#lose(task.aborted === null ? task.nexus : -1);
  }

  /** What was written last may be lost: all are told who wrote it, but for the nexus that is `told` anyway. */
  #lose(told: number): void {
    // Statuses that are late make it unknown who has been told what.
    if (this.#options.late) {
      for (let nexus = 0; nexus < this.#options.nexuses; nexus += 1) {
        this.attention.post(nexus, DEFERRED_WRITE_ERROR, this.now(), false);
      }
    }
    for (const [nexus, certain] of this.#cached.lost()) {
      if (nexus === told) continue;
      this.#post(nexus, DEFERRED_WRITE_ERROR, certain && !this.#options.late);
    }
  }

  /** A START STOP UNIT sends the tray out. */
  ejects(): void {
    this.media.ejects(this.tasks.live, this.now());
    this.#cached.stable();
  }

  /** The flush before the operator gets the medium has ended. */
  operatorFlushed(reply: StoreReply): void {
    this.media.flushEnded(reply === DONE);
    if (reply !== DONE) this.#lose(-1);
  }

  /** The operator has the medium. */
  taken(): void {
    this.media.taken(this.now());
    this.#cached.stable();
  }

  /** It could not be taken: the unit was not ready, and is again. */
  stays(): void {
    this.media.stays();
    this.#mediumChanged(-1);
  }

  /** Medium `index` is in the drive; `asked`: a START STOP UNIT wanted it, whose nexus knows then. */
  comes(index: number, generation: number, asked: boolean): void {
    this.media.comes(index, generation);
    const causer = asked ? this.tasks.live.find(isWaitingLoad) : undefined;
    this.#mediumChanged(causer?.nexus ?? -1);
  }

  #mediumChanged(causer: number): void {
    for (let nexus = 0; nexus < this.#options.nexuses; nexus += 1) {
      if (nexus !== causer) this.#post(nexus, '6/28/00');
    }
  }

  /** Commands that have begun and take too long are aborted, which whoever sent them is told. */
  impatient(): void {
    const selecting = this.#isSelecting();
    for (const task of this.tasks.live) {
      const waits = selecting && task.command.kind === 'mode-select' && task.couldRunAt >= 0;
      if (task.started || task.refusal !== '' || waits) task.aborted ??= 'status';
    }
  }

  /** A command comes back. */
  returned(task: ModelTask, outcome: Outcome): void {
    must(!task.ended, `#${task.id} ends twice`);
    must(task.requests === 0, `#${task.id} ends while the store works for it`);
    task.ended = true;
    const end = endOf(outcome);
    if (end === 'silence' || end === '40') this.#abortedEnd(task, end);
    else this.#ownEnd(task, outcome, end);
    this.tasks.remove(task);
    for (const block of this.#results.get(task)?.keys() ?? []) {
      this.medium.over(block, task.startedAt, this.now());
    }
    this.#results.delete(task);
    this.#before.delete(task);
    this.#evaluate();
  }

  #abortedEnd(task: ModelTask, end: string): void {
    // What QERR aborts it aborts when the fault happens, which is not seen; the first one to abort decides.
    if (this.#options.discipline.qerr !== 0) {
      must(end === 'silence' || this.state.mode.tas, `#${task.id}: TASK ABORTED with TAS = 0`);
      return;
    }
    must(task.aborted !== null, `#${task.id} ends with ${end} and nobody aborted it`);
    const expected = task.aborted === 'silence' ? 'silence' : '40';
    must(end === expected, `#${task.id} was aborted and ends with ${end} instead of ${expected}`);
  }

  #ownEnd(task: ModelTask, outcome: Outcome, end: string): void {
    must(task.aborted === null, `#${task.id} was aborted and ends with ${end}`);
    if (task.refusal !== '') {
      must(end === task.refusal, `#${task.id} ends with ${end} instead of ${task.refusal}`);
      must(!task.started, `#${task.id} was refused and runs`);
      this.#remember(task, end);
    } else {
      must(task.couldRunAt >= 0, `#${task.id} ends before its turn`);
      must(!this.tasks.held(task), `#${task.id} ends while an ACA condition holds it`);
      this.#ranEnd(task, outcome, end);
    }
    if (outcome.status === 0x02) this.#checkCondition(task);
  }

  /** UA_INTLCK_CTRL = 11b. */
  #remember(task: ModelTask, end: string): void {
    if (this.#options.discipline.interlock !== 3) return;
    const sense = end === '08' ? '6/2c/07' : end === '28' ? '6/2c/08' : '';
    if (sense !== '') this.#post(task.nexus, sense);
  }

  #ranEnd(task: ModelTask, outcome: Outcome, end: string): void {
    if (end.startsWith('6/') || end === DEFERRED_WRITE_ERROR) {
      must(!task.started, `#${task.id} reports ${end} and runs`);
      must(reportsAttention(task.command), `#${task.id} reports ${end} and must not`);
      this.attention.reported(task.nexus, end, false);
      this.#mayBeCleared(task.nexus);
      return;
    }
    if (!task.started) {
      if (reportsAttention(task.command)) this.attention.ranWithout(task.nexus, task.couldRunAt);
      const refusal = refusalOf(task, this.state);
      // An UNMAP looks at its list when it gets a bounce buffer, long after its other checks.
      const late = this.#options.scarce && task.command.kind === 'unmap';
      if (refusal !== '' && !(late && end !== refusal)) {
        must(end === refusal, `#${task.id} ends with ${end} instead of ${refusal}`);
        return;
      }
      if (late && end === '5/21/00') return;
      must(!needsStore(task), `#${task.id} ends with ${end} and has not been at the store`);
    }
    this.#workEnd(task, outcome, end);
  }

  /** It has done what it could. */
  #workEnd(task: ModelTask, outcome: Outcome, end: string): void {
    if (task.started && movesMedium(task.command) && task.fault === '' && end !== '00') {
      if (isLoad(task)) this.#loadFailed(task, end);
      else this.#heldFast(task, end);
    } else if (task.fault !== '') {
      must(end === task.fault, `#${task.id} ends with ${end} after ${task.fault}`);
      must(outcome.information === task.faultInformation, `#${task.id} names the wrong LBA`);
    } else if (end === 'e/1d/00' && task.command.kind === 'compare-and-write') {
      this.#miscompared(task, outcome);
    } else {
      must(end === '00', `#${task.id} ends with ${end}`);
      this.#good(task, outcome);
    }
  }

  /** An eject has flushed, and the medium stays. */
  #heldFast(task: ModelTask, end: string): void {
    must(end === '5/53/02' && !task.moved, `#${task.id} ends with ${end}`);
    const { loaded, prevented } = this.media;
    must(loaded && prevented, `#${task.id} ends with ${end} and nobody prevents it`);
  }

  #miscompared(task: ModelTask, outcome: Outcome): void {
    must(task.mayDiffer, `#${task.id} miscompares blocks that are what it says`);
    const block = Math.floor(outcome.information / BLOCK_BYTES);
    must(block < task.command.range.blocks, `#${task.id} names a place outside its buffer`);
    must(!task.same.has(block), `#${task.id} names a block that is what it says`);
    for (const [written, values] of this.#before.get(task) ?? []) {
      this.medium.end(written, values, task.startedAt);
    }
  }

  #good(task: ModelTask, outcome: Outcome): void {
    checkResiduals(task, outcome);
    if (task.command.kind === 'compare-and-write') {
      must(task.mayMatch, `#${task.id} matches blocks that cannot be what it says`);
    }
    for (const [block, values] of this.#results.get(task) ?? []) {
      const last = this.medium.end(block, values, task.startedAt);
      this.medium.over(block, task.startedAt, this.now());
      const unchanged = task.command.fua || task.cacheChanges === this.#cacheChanges;
      if (last && task.durable && unchanged) this.#checkDurable(task, block);
    }
    this.#cached.good(task, task.cacheChanges === this.#cacheChanges);
    this.#effects(task, outcome);
  }

  #checkDurable(task: ModelTask, block: number): void {
    // UNMAP is no flush, whatever the write cache does (SBC-3 4.7).
    if (task.command.kind === 'unmap' || task.command.flag) return;
    this.medium.checkStable(block, this.media.contents, this.now());
  }

  #effects(task: ModelTask, outcome: Outcome): void {
    const { kind, flag, mode, range } = task.command;
    if (kind === 'read') {
      const blocks = Math.floor(outcome.dataIn.length / BLOCK_BYTES);
      for (let i = 0; i < blocks; i += 1) {
        this.medium.observe(range.lba + i, outcome.dataIn, i * BLOCK_BYTES, task.startedAt);
      }
    } else if (kind === 'sync') {
      for (let block = 0; block < this.media.capacity; block += 1) {
        this.medium.checkStable(block, this.media.contents, task.arrivedAt);
      }
    } else if (kind === 'start-stop') {
      this.#startedOrStopped(task);
    } else if (kind === 'prevent') {
      if (flag) this.media.holders.add(task.nexus);
      else this.media.holders.delete(task.nexus);
    } else if (kind === 'mode-select' && mode !== null) {
      this.#modeSelected(task.nexus, mode);
    } else if (kind === 'request-sense') {
      this.#sensed(task, outcome);
    } else if (kind === 'read-capacity') {
      const last = new DataView(outcome.dataIn.slice().buffer).getUint32(0);
      must(last === this.media.capacity - 1, `#${task.id} says the last LBA is ${last}`);
    }
  }

  /** A drive is never stopped; what its medium does is seen when it happens. */
  #startedOrStopped({ id, command, moved }: ModelTask): void {
    if (!this.media.removable) this.state.stopped = !command.flag;
    else if (command.loej && command.flag) must(this.media.loaded, `#${id} loads nothing`);
    else if (command.loej) must(moved || !this.media.loaded, `#${id} ejects nothing`);
  }

  #modeSelected(nexus: number, mode: ModeValues): void {
    if (mode.wce !== this.state.mode.wce) this.#cacheChanges += 1;
    const same = JSON.stringify(mode) === JSON.stringify(this.state.mode);
    this.state.mode = mode;
    if (same) return;
    for (let other = 0; other < this.#options.nexuses; other += 1) {
      if (other !== nexus) this.#post(other, '6/2a/01');
    }
  }

  /** REQUEST SENSE: the unit attention with the highest precedence, else why the unit is not ready, else nothing. */
  #sensed(task: ModelTask, outcome: Outcome): void {
    const sense = parameterSense(task, outcome);
    if (sense.startsWith('6/') || sense === DEFERRED_WRITE_ERROR) {
      this.attention.reported(task.nexus, sense, true);
      return;
    }
    this.attention.ranWithout(task.nexus, task.couldRunAt);
    const expected = this.media.absence || (this.state.stopped ? '2/04/02' : '0/00/00');
    must(sense === expected, `#${task.id} returns ${sense} instead of ${expected}`);
  }

  /** A CHECK CONDITION may begin or end an ACA condition, and QERR may abort others. */
  #checkCondition(task: ModelTask): void {
    const { faulted } = this.tasks;
    if (task.command.naca) faulted.add(task.nexus);
    else if (task.attribute === ACA) faulted.delete(task.nexus);
    const { qerr, tst } = this.#options.discipline;
    if (qerr === 0) return;
    const everybody = qerr === 1 && tst === 0;
    for (const other of this.tasks.live) {
      if (other === task || !(everybody || other.nexus === task.nexus)) continue;
      const older = other.arrivedAt < task.arrivedAt && task.refusal === '';
      must(!older || other.aborted !== null, `#${other.id} lives on after #${task.id} (QERR)`);
    }
  }

  /** In a simulation with late statuses a command may have taken the condition that came before. */
  #post(nexus: number, sense: string, required = true): void {
    const clear = !this.#options.late || this.tasks.liveOf(nexus).length === 0;
    this.attention.post(nexus, sense, this.now(), required && clear);
  }

  /** A task management function that aborts commands arrives; `others`: it does so to those of other nexuses as well. */
  aborts(name: string, nexus: number, which: (task: ModelTask) => boolean): ModelFunction {
    const victims = this.tasks.live.filter(which);
    const { tas } = this.state.mode;
    for (const victim of victims) {
      const tells = name === 'CLEAR TASK SET' && victim.nexus !== nexus && !tas;
      if (tells) this.#post(victim.nexus, '6/2f/00', victim.aborted === null);
      victim.aborted ??= victim.nexus !== nexus && tas ? 'status' : 'silence';
    }
    if (name === 'LOGICAL UNIT RESET') this.#reset();
    return { name, nexus, victims, outcome: 0 };
  }

  #reset(): void {
    this.state.stopped = false;
    this.state.mode = this.state.saved;
    this.#cacheChanges += 1;
    this.tasks.faulted.clear();
    this.media.holders.clear();
    for (let nexus = 0; nexus < this.#options.nexuses; nexus += 1) {
      this.attention.reset(nexus, '6/29/03', this.now());
    }
    this.#evaluate();
  }

  /** An I_T nexus is lost, or resets itself. */
  nexusLost(nexus: number): void {
    for (const task of this.tasks.liveOf(nexus)) task.aborted ??= 'silence';
    this.tasks.faulted.delete(nexus);
    this.media.holders.delete(nexus);
    this.attention.lost(nexus, this.now());
    this.#evaluate();
  }

  /** A function is answered: nothing of what it aborted is left. */
  answered(request: ModelFunction, outcome: number): void {
    must(outcome === request.outcome, `${request.name} is answered ${outcome}`);
    for (const victim of request.victims) {
      must(victim.ended, `${request.name} is answered while #${victim.id} is under way`);
    }
    if (request.name === 'CLEAR ACA' && outcome === 0) {
      this.tasks.faulted.delete(request.nexus);
      this.#evaluate();
    }
  }

  grew(capacity: number): void {
    this.media.grew(capacity);
    for (let nexus = 0; nexus < this.#options.nexuses; nexus += 1) this.#post(nexus, '6/2a/09');
  }

  /** Nothing happens by itself any more: whatever may run runs. */
  settle(): void {
    this.attention.settle();
    const { discipline, scarce } = this.#options;
    if (discipline.qerr === 0 && !scarce) this.#checkProgress();
    if (discipline.qerr !== 0) {
      for (let nexus = 0; nexus < this.#options.nexuses; nexus += 1) this.#mayBeCleared(nexus);
    }
  }

  /** With QERR a nexus may be told that its commands were cleared at any time. */
  #mayBeCleared(nexus: number): void {
    if (this.#options.discipline.qerr === 0 || this.state.mode.tas) return;
    this.attention.post(nexus, '6/2f/00', this.now(), false);
  }

  #isSelecting(): boolean {
    return this.tasks.live.some((t) => t.started && t.command.kind === 'mode-select');
  }

  #checkProgress(): void {
    const selecting = this.#isSelecting();
    for (const task of this.tasks.live) {
      const waits = selecting && task.command.kind === 'mode-select';
      const idle = !task.started && !waits && this.tasks.mayRun(task, true);
      must(!idle, `#${task.id} waits and nothing keeps it from running`);
    }
  }
}

function isLoad({ command }: ModelTask): boolean {
  return movesMedium(command) && command.flag;
}

/** A START STOP UNIT that has asked the operator for a medium, and is to hear of it. */
function isWaitingLoad(task: ModelTask): boolean {
  return isLoad(task) && task.started && task.aborted === null;
}
