/**
 * The reference model: what a task set may do, by SAM-5 clauses 5 to 8 as the project's rules sheet has them. It knows
 * nothing of the implementation. It is told what happens, in order, and says what is not allowed.
 */
import { CLEARED, ExpectedAttentions, MODE_CHANGED, NEXUS_LOSS, UNIT_RESET } from './attentions.ts';

export type Attribute = 'simple' | 'head' | 'ordered' | 'aca';
export type Kind =
  | 'read'
  | 'write'
  | 'writeSame'
  | 'unmap'
  | 'compareAndWrite'
  | 'flush'
  | 'ready'
  | 'inquiry'
  | 'requestSense'
  | 'modeSelect'
  | 'outOfRange'
  | 'unknown';

/** A command under way, as its initiator and the medium see it. */
export interface Command {
  readonly number: number;
  readonly nexus: number;
  readonly tag: number;
  readonly kind: Kind;
  readonly attribute: Attribute;
  readonly naca: boolean;
  readonly first: number;
  readonly blocks: number;
  /** What it fills its blocks with. */
  readonly value: number;
  /** COMPARE AND WRITE: what it expects there. */
  readonly compare: number;
  /** It has reached the medium. */
  touched: boolean;
  /** Requests of it the store is working on. */
  running: number;
  /** Nexuses whose functions abort it; -1: its nexus was lost. */
  readonly abortedBy: Set<number>;
  /** Unit attentions of its nexus when it came. */
  readonly attentionsAtArrival: number;
  readonly attentionPending: boolean;
}

export interface Ending {
  readonly dropped: boolean;
  readonly status: number;
  readonly sense: string;
  readonly dataIn: Uint8Array;
}

export interface Control {
  readonly tas: boolean;
  readonly qerr: number;
  readonly perNexus: boolean;
  readonly freely: boolean;
}

export const DEFAULT_CONTROL: Control = { tas: true, qerr: 0, perNexus: false, freely: false };

export class Violation extends Error {}

const GOOD = 0x00;
const CHECK = 0x02;
const BUSY = 0x08;
const TASK_SET_FULL = 0x28;
const ACA_ACTIVE = 0x30;
const TASK_ABORTED = 0x40;
const WRITES: readonly Kind[] = ['write', 'writeSame', 'unmap', 'compareAndWrite'];
const BUFFERED: readonly Kind[] = ['writeSame', 'unmap', 'compareAndWrite'];
const NO_REPORT: readonly Kind[] = ['inquiry', 'requestSense'];

function writes(command: Command): boolean {
  return WRITES.includes(command.kind);
}

/** UNMAP names its blocks in a list: its place in the order is the whole unit's. */
function overlap(a: Command, b: Command): boolean {
  const whole = (c: Command): boolean => c.kind === 'unmap';
  if (a.blocks === 0 || b.blocks === 0 || (!writes(a) && !writes(b))) return false;
  if (whole(a) || whole(b)) return true;
  return a.first < b.first + b.blocks && b.first < a.first + a.blocks;
}

export class Model {
  control: Control = DEFAULT_CONTROL;
  /** QERR has aborted, or may have: which commands, the model does not follow. */
  hadQueueErrors = false;
  descriptorSense = false;
  readonly attentions: ExpectedAttentions[];
  /** What each block may hold. */
  readonly #medium: Set<number>[];
  readonly commands: Command[] = [];
  /** Nexuses with an ACA condition. */
  readonly #aca = new Set<number>();
  /** Commands that have reached the store. */
  readonly #begun = new Set<Command>();
  /** The blocks of a command as they were when the store last worked for it: which ones, and what they could hold. */
  readonly #seen = new Map<Command, readonly Set<number>[]>();
  readonly #could = new Map<Command, readonly ReadonlySet<number>[]>();
  /** Commands that an abort found while TAS was 1. */
  readonly #tasWas = new Set<Command>();

  constructor(nexuses: number, blocks: number) {
    this.attentions = Array.from({ length: nexuses }, () => new ExpectedAttentions());
    this.#medium = Array.from({ length: blocks }, () => new Set([0]));
  }

  #fail(command: Command | null, what: string): never {
    const who =
      command === null
        ? ''
        : `#${command.number} ${command.kind} (${command.attribute}) of ${command.nexus}: `;
    throw new Violation(`${who}${what}`);
  }

  #sameSet(a: Command, b: Command): boolean {
    return !this.control.perNexus || a.nexus === b.nexus;
  }

  /** The nexus whose ACA a command of `nexus` meets, or -1. */
  acaOf(nexus: number): number {
    if (this.#aca.has(nexus)) return nexus;
    if (this.control.perNexus) return -1;
    for (const faulted of this.#aca) return faulted;
    return -1;
  }

  arrived(command: Command): void {
    this.commands.push(command);
  }

  /** A command's request reaches the store: may it run now? (SAM-5 8.) */
  started(command: Command): void {
    command.touched = true;
    if (command.running > 0) this.#fail(command, 'two requests at once');
    command.running += 1;
    for (const other of this.commands) {
      if (other === command) continue;
      if (other.running > 0 && overlap(other, command)) {
        this.#fail(command, `runs beside #${other.number}, which overlaps`);
      }
      if (other.number > command.number || !this.#sameSet(other, command)) continue;
      this.#checkOrder(command, other);
    }
    const faulted = this.acaOf(command.nexus);
    const passes = command.nexus === faulted && command.attribute === 'aca';
    // A command that had its turn and waits for private memory goes on; only its end is held back.
    if (faulted >= 0 && !passes && !this.#begun.has(command) && !BUFFERED.includes(command.kind)) {
      this.#fail(command, 'begins during an ACA condition');
    }
    this.#begun.add(command);
  }

  #checkOrder(command: Command, older: Command): void {
    if (command.attribute === 'head' || command.attribute === 'aca') return;
    if (older.abortedBy.size > 0) return;
    if (command.attribute === 'ordered') this.#fail(command, `passes #${older.number}`);
    if (older.attribute === 'ordered') this.#fail(command, `passes ORDERED #${older.number}`);
    if (older.attribute === 'head' && !this.#begun.has(command)) {
      this.#fail(command, `passes HEAD OF QUEUE #${older.number}`);
    }
    if (!this.control.freely && overlap(older, command)) {
      this.#fail(command, `passes #${older.number}, which overlaps`);
    }
  }

  /** The store has ended a request of it. */
  stopped(command: Command): void {
    command.running -= 1;
    // An ACA condition may hold its end back, and others may read and write meanwhile.
    this.#maybeWritten(command);
    const last = command.first + command.blocks;
    this.#seen.set(command, this.#medium.slice(command.first, last));
    this.#could.set(
      command,
      this.#medium.slice(command.first, last).map((may) => new Set(may)),
    );
  }

  /** A command has ended: was that allowed, and what does it mean? */
  ended(command: Command, ending: Ending): void {
    if (command.running > 0) this.#fail(command, 'ended while the store works for it');
    const at = this.commands.indexOf(command);
    if (at < 0) this.#fail(command, 'ended twice');
    this.commands.splice(at, 1);
    if (ending.dropped || ending.status === TASK_ABORTED) {
      this.#checkAbort(command, ending);
      this.#maybeWritten(command);
      return;
    }
    if (command.abortedBy.size > 0) this.#fail(command, 'was aborted, and has a status');
    // Not let into the task set: nothing else of it counts.
    const refused =
      [BUSY, TASK_SET_FULL, ACA_ACTIVE].includes(ending.status) || ending.sense === '5/49/00';
    this.#checkAca(command, ending);
    if (!refused && !command.touched) {
      for (const other of this.commands) {
        if (other.number < command.number && this.#sameSet(other, command)) {
          this.#checkOrder(command, other);
        }
      }
    }
    if (!refused) this.#checkAttention(command, ending);
    if (ending.status === CHECK) this.#checkCondition(command, ending);
    else if (ending.status === GOOD) this.#good(command, ending);
    else if (!refused) this.#fail(command, `ended with status ${ending.status.toString(16)}h`);
    else if (command.touched) this.#fail(command, 'was refused after it had begun');
  }

  #checkAbort(command: Command, { dropped }: Ending): void {
    const { tas } = this.control;
    if (this.hadQueueErrors) return;
    if (command.abortedBy.size === 0) this.#fail(command, 'was aborted by nobody');
    if (!dropped && !this.#tasWas.has(command)) this.#fail(command, 'TASK ABORTED with TAS = 0');
    const own = command.abortedBy.has(command.nexus) || command.abortedBy.has(-1);
    if (dropped && !own && tas && this.#tasWas.has(command)) {
      this.#fail(command, 'was aborted by another nexus in silence with TAS = 1');
    }
    if (!dropped && own && command.abortedBy.size === 1) {
      this.#fail(command, 'TASK ABORTED for an abort by its own nexus');
    }
  }
  #checkAca(command: Command, { status }: Ending): void {
    const faulted = this.acaOf(command.nexus);
    if (faulted < 0) {
      if (status === ACA_ACTIVE) this.#fail(command, 'ACA ACTIVE without an ACA condition');
      return;
    }
    if (command.nexus === faulted && command.attribute === 'aca') return;
    const due = command.nexus === faulted || command.naca ? ACA_ACTIVE : BUSY;
    if (status !== due)
      this.#fail(command, `status ${status.toString(16)}h during an ACA condition`);
  }

  #checkAttention(command: Command, { status, sense }: Ending): void {
    const expected = this.attentions[command.nexus] as ExpectedAttentions;
    if (status === CHECK && sense.startsWith('6/')) {
      if (command.touched) this.#fail(command, 'reports a unit attention and was executed');
      if (NO_REPORT.includes(command.kind)) this.#fail(command, 'reports a unit attention');
      const wrong = expected.reported(sense);
      if (wrong !== '') this.#fail(command, wrong);
      return;
    }
    if (NO_REPORT.includes(command.kind)) return;
    if (command.attentionPending && expected.changes === command.attentionsAtArrival) {
      this.#fail(command, `did not report ${expected.first}, which was pending all the time`);
    }
  }

  #checkCondition(command: Command, { sense }: Ending): void {
    if (command.attribute === 'aca') this.#aca.delete(command.nexus);
    if (command.naca) this.#aca.add(command.nexus);
    if (sense.startsWith('6/')) return;
    const { kind } = command;
    const allowed =
      sense === '5/49/00' ||
      sense === 'b/4e/00' ||
      (kind === 'outOfRange' && sense === '5/21/00') ||
      (kind === 'unknown' && sense === '5/20/00') ||
      (kind === 'compareAndWrite' && sense === 'e/1d/00') ||
      (command.touched && ['3/11/00', '3/0c/00', '7/27/07', '4/44/00'].includes(sense));
    if (!allowed) this.#fail(command, `ended with ${sense}`);
    if (kind === 'compareAndWrite' && sense === 'e/1d/00') this.#compared(command, false);
    else if (command.touched) this.#maybeWritten(command);
  }

  #good(command: Command, { dataIn }: Ending): void {
    const { kind, blocks, value } = command;
    if (kind === 'outOfRange' || kind === 'unknown') this.#fail(command, 'was GOOD');
    if (kind === 'read') this.#checkRead(command, dataIn);
    if (kind === 'requestSense') this.#senseRequested(command, dataIn);
    if (kind === 'modeSelect') this.#modeSelected(command);
    if (kind === 'compareAndWrite') this.#compared(command, true);
    if (!writes(command)) return;
    if (!command.touched) this.#fail(command, 'is GOOD and has not reached the store');
    for (let i = 0; i < blocks; i += 1) this.#becomes(command, i, value);
  }

  #checkRead(command: Command, dataIn: Uint8Array): void {
    const { first, blocks } = command;
    if (dataIn.length !== blocks * 512) this.#fail(command, `moved ${dataIn.length} bytes`);
    for (let i = 0; i < blocks; i += 1) {
      const block = dataIn.subarray(i * 512, (i + 1) * 512);
      const found = block[0] as number;
      if (!block.every((byte) => byte === found)) this.#fail(command, `block ${first + i} is torn`);
      const could = this.#could.get(command)?.[i];
      if (could?.has(found) !== true) {
        this.#fail(
          command,
          `block ${first + i} is ${found}, may be ${[...(could ?? [])].join(' or ')}`,
        );
      }
      this.#becomes(command, i, found);
    }
  }

  /** A block holds this now, unless somebody has written it since the store worked for the command. */
  #becomes(command: Command, i: number, value: number): void {
    const lba = command.first + i;
    if (this.#medium[lba] === this.#seen.get(command)?.[i]) this.#medium[lba] = new Set([value]);
  }

  #compared(command: Command, equal: boolean): void {
    const may = new Set(this.#could.get(command)?.[0] ?? []);
    if (equal && !may.has(command.compare)) this.#fail(command, 'matched what cannot be there');
    if (equal) return;
    if (may.size === 1 && may.has(command.compare))
      this.#fail(command, 'did not match what is there');
  }

  /** A write that did not end well: each block is old or new. */
  #maybeWritten(command: Command): void {
    if (!writes(command) || !command.touched) return;
    for (let lba = command.first; lba < command.first + command.blocks; lba += 1) {
      this.#medium[lba]?.add(command.value);
    }
  }

  #senseRequested(command: Command, data: Uint8Array): void {
    const [key, asc, ascq] = [data[2] as number, data[12] as number, data[13] as number];
    if ((key & 0xf) !== 6) {
      const { pending, changes, first } = this.attentions[command.nexus] as ExpectedAttentions;
      if (pending && command.attentionPending && changes === command.attentionsAtArrival) {
        this.#fail(command, `did not return ${first}`);
      }
      return;
    }
    const two = (value: number): string => value.toString(16).padStart(2, '0');
    const wrong = this.attentions[command.nexus]?.reported(`6/${two(asc)}/${two(ascq)}`);
    if (wrong !== '') this.#fail(command, wrong ?? '');
  }

  #modeSelected(command: Command): void {
    this.descriptorSense = command.value === 1;
    this.attentions.forEach((each, nexus) => {
      if (nexus !== command.nexus) each.post(MODE_CHANGED);
    });
  }

  /** A function begins to abort: those that are there now, no later ones. */
  aborting(by: number, which: (command: Command) => boolean): Command[] {
    const found = this.commands.filter(which);
    for (const command of found) {
      // The first abort decides what its initiator hears.
      if (command.abortedBy.size === 0 && this.control.tas) this.#tasWas.add(command);
      command.abortedBy.add(by);
    }
    return found;
  }

  /** CLEAR TASK SET: others that lose commands in silence are told. */
  cleared(by: number, lost: readonly Command[]): void {
    if (this.control.tas) return;
    for (const nexus of new Set(lost.map((command) => command.nexus))) {
      if (nexus !== by) this.attentions[nexus]?.post(CLEARED);
    }
  }

  /** The function is answered: nothing of what it aborts may still be there. */
  abortDone(aborted: readonly Command[]): void {
    for (const command of aborted) {
      if (command.running > 0)
        this.#fail(command, 'still reaches the medium after its abort was answered');
      if (this.commands.includes(command))
        this.#fail(command, 'is there after its abort was answered');
    }
  }

  unitReset(): void {
    for (const each of this.attentions) each.post(UNIT_RESET);
    this.#aca.clear();
    this.control = DEFAULT_CONTROL;
    this.descriptorSense = false;
  }

  nexusLost(nexus: number): void {
    this.attentions[nexus]?.post(NEXUS_LOSS);
    this.#aca.delete(nexus);
  }

  /** CLEAR ACA by a nexus: the outcome it must have. */
  clearAca(nexus: number): 'complete' | 'rejected' {
    const faulted = this.acaOf(nexus);
    if (faulted >= 0 && faulted !== nexus) return 'rejected';
    return 'complete';
  }

  acaCleared(nexus: number): void {
    this.#aca.delete(nexus);
  }
}
