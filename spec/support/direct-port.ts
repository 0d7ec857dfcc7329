/** A target port without a wire for specs: tasks over plain ArrayBuffers, outcomes captured when the core answers. */
import { strict as assert } from 'node:assert';
import type { TargetPort } from '../../src/scsi/contracts.ts';
import { decodeLun, type LunPresentation } from '../../src/scsi/lun.ts';
import type { Nexus } from '../../src/scsi/nexus.ts';
import { SIMPLE } from '../../src/scsi/sam.ts';
import { Segments } from '../../src/scsi/segments.ts';
import { encodeDescriptorSense, encodeFixedSense, MAX_SENSE_BYTES } from '../../src/scsi/sense.ts';
import type { Target } from '../../src/scsi/target.ts';
import { Task } from '../../src/scsi/task.ts';

const SEGMENTS = 64;
/** Every data-in buffer starts with this in each byte, and has as many guard bytes behind it. */
export const POISON = 0xa5;
const GUARD_BYTES = 64;

export type Bytes = string | readonly number[] | Uint8Array;

/** Bytes of a hex string (blanks allowed), an array or a Uint8Array. */
export function bytesOf(source: Bytes): Uint8Array {
  if (typeof source !== 'string') return Uint8Array.from(source);
  const digits = source.replace(/\s+/g, '');
  assert(digits.length % 2 === 0 && /^[0-9a-f]*$/i.test(digits), `hex: "${source}"`);
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').replace(/../g, '$& ').trim();
}

export interface RunOptions {
  /** Bytes of data-in buffer. */
  readonly in?: number;
  /** The data-out buffer. */
  readonly out?: Bytes;
  readonly lun?: number;
  /** The 8-byte LUN field; decoded as the port does. Overrides `lun`. */
  readonly lunField?: Bytes;
  readonly attribute?: number;
  readonly tag?: number;
  /** Cuts both buffers into segments of this many bytes. */
  readonly split?: number;
}

export interface Outcome {
  /** The core ended the task without a status (aborted). */
  readonly dropped: boolean;
  readonly status: number;
  /** `key/asc/ascq` in hexadecimal, as `5/24/00`; empty without sense. */
  readonly sense: string;
  /** Sense data as the port would send it, in the unit's format. */
  readonly senseBytes: Uint8Array;
  /** Sense data of a real device, which the port sends in its place; null: there is none. */
  readonly deviceSense: Uint8Array | null;
  /** INFORMATION, -1 when there is none. */
  readonly information: number;
  /** `cdb 2`, `cdb 2.5` (byte.bit), `list 7`, `list 7.2`, or empty. */
  readonly pointer: string;
  /** The bytes that were moved to the data-in buffer. */
  readonly dataIn: Uint8Array;
  /** The whole data-in buffer, poison included. */
  readonly buffer: Uint8Array;
  readonly dataInWanted: number;
  readonly dataOutWanted: number;
  readonly dataOutMoved: number;
  /** Buffer bytes minus wanted bytes: positive underrun, negative overrun. */
  readonly residualIn: number;
  readonly residualOut: number;
  /** Task management only. */
  readonly managementOutcome: number;
  readonly managementInformation: number;
}

/** One command under way. */
export class Pending {
  outcome: Outcome | null = null;
  readonly task: Task;
  readonly buffer: Uint8Array;
  readonly inBytes: number;

  constructor(task: Task, inBytes: number) {
    this.task = task;
    this.inBytes = inBytes;
    this.buffer = new Uint8Array(inBytes + GUARD_BYTES).fill(POISON);
  }

  get done(): boolean {
    return this.outcome !== null;
  }

  /** The outcome; fails the spec when the command has not ended. */
  get result(): Outcome {
    assert(this.outcome, 'the command has ended');
    return this.outcome;
  }
}

function twoDigits(value: number): string {
  return value.toString(16).padStart(2, '0');
}

/** Reads a field pointer out of fixed format sense data (SPC-4 table 31). */
function pointerText(fixed: Uint8Array): string {
  const first = fixed[15] as number;
  if ((first & 0x80) === 0) return '';
  const where = (first & 0x40) === 0 ? 'list' : 'cdb';
  const byte = ((fixed[16] as number) << 8) | (fixed[17] as number);
  return `${where} ${byte}${(first & 0x08) === 0 ? '' : `.${first & 7}`}`;
}

export class DirectPort implements TargetPort {
  readonly lunPresentation: LunPresentation;
  readonly #target: Target;
  readonly #pending = new Map<Task, Pending>();
  readonly #free: Task[] = [];
  #slots = 0;
  #tags = 1;
  /** Commands that ended, in order. */
  readonly ended: Pending[] = [];

  constructor(target: Target, lunPresentation: LunPresentation = 'native') {
    this.#target = target;
    this.lunPresentation = lunPresentation;
  }

  /** Sends a command; it may end at once or later. */
  start(nexus: Nexus, cdb: Bytes, options: RunOptions = {}): Pending {
    const pending = this.#receive(nexus, options);
    const { task } = pending;
    const bytes = bytesOf(cdb);
    task.cdb.fill(0);
    task.cdb.set(bytes);
    task.cdbBytes = bytes.length;
    this.#target.receive(task);
    return pending;
  }

  /** Sends a task management function. */
  manage(
    nexus: Nexus,
    managementFunction: number,
    managedTag = 0,
    options: RunOptions = {},
  ): Pending {
    const pending = this.#receive(nexus, options);
    pending.task.managementFunction = managementFunction;
    pending.task.managedTagHigh = 0;
    pending.task.managedTagLow = managedTag;
    this.#target.receiveManagement(pending.task);
    return pending;
  }

  #receive(nexus: Nexus, options: RunOptions): Pending {
    const task = this.#free.pop() ?? this.#newTask();
    task.receive(nexus);
    const pending = new Pending(task, options.in ?? 0);
    this.#pending.set(task, pending);
    task.attribute = options.attribute ?? SIMPLE;
    task.tagHigh = 0;
    task.tagLow = options.tag ?? 0x1000 + this.#tags;
    this.#tags += 1;
    const field = options.lunField === undefined ? null : bytesOf(options.lunField);
    task.lun = this.#lun(options);
    task.targetAddressed = field !== null && (field[0] as number) >> 6 === 2;
    append(task.dataIn, pending.buffer, pending.inBytes, options.split);
    const out = bytesOf(options.out ?? []);
    append(task.dataOut, out, out.length, options.split);
    return pending;
  }

  #lun(options: RunOptions): number {
    if (options.lunField === undefined) return options.lun ?? 0;
    const bytes = bytesOf(options.lunField);
    return decodeLun(new DataView(bytes.buffer), 0, this.lunPresentation);
  }

  #newTask(): Task {
    const words = (): Uint32Array => new Uint32Array(SEGMENTS * 4);
    this.#slots += 1;
    return new Task(
      this,
      this.#slots - 1,
      new Segments({ words: words(), address: 0 }),
      new Segments({ words: words(), address: 0 }),
    );
  }

  respond(task: Task): void {
    this.#end(task, false);
  }

  drop(task: Task): void {
    this.#end(task, true);
  }

  taskManagementDone(task: Task): void {
    this.#end(task, false);
  }

  #end(task: Task, dropped: boolean): void {
    const pending = this.#pending.get(task);
    assert(pending, 'a task is answered exactly once');
    this.#pending.delete(task);
    const guard = pending.buffer.subarray(pending.inBytes);
    assert(
      guard.every((byte) => byte === POISON),
      'nothing is written behind the data-in buffer',
    );
    assert(task.dataInMoved <= task.dataIn.bytes, 'no more data-in moves than fits');
    assert(task.dataOutMoved <= task.dataOut.bytes, 'no more data-out moves than there is');
    pending.outcome = outcomeOf(task, pending, dropped);
    this.ended.push(pending);
    task.release();
    this.#free.push(task);
  }
}

function append(segments: Segments, bytes: Uint8Array, length: number, split?: number): void {
  const step = split ?? Math.max(1, length);
  for (let at = 0; at < length; at += step) {
    assert(
      segments.append({ view: bytes, address: 0 }, at, Math.min(step, length - at)),
      'segments are enough',
    );
  }
}

function outcomeOf(task: Task, pending: Pending, dropped: boolean): Outcome {
  const view = new DataView(new ArrayBuffer(MAX_SENSE_BYTES));
  const { sense, senseInformation, fieldPointer } = task;
  encodeFixedSense(view, 0, sense, senseInformation, fieldPointer);
  const fixed = new Uint8Array(view.buffer.slice(0, 18));
  const encode = task.unit?.descriptorSense === true ? encodeDescriptorSense : encodeFixedSense;
  const length = encode(view, 0, sense, senseInformation, fieldPointer);
  const has = !dropped && task.status === 0x02;
  const [key, asc, ascq] = [fixed[2] as number, fixed[12] as number, fixed[13] as number];
  return {
    dropped,
    status: task.status,
    sense: has ? `${(key & 0xf).toString(16)}/${twoDigits(asc)}/${twoDigits(ascq)}` : '',
    senseBytes: has ? new Uint8Array(view.buffer.slice(0, length)) : new Uint8Array(0),
    deviceSense: has ? task.deviceSense : null,
    information: has ? senseInformation : -1,
    pointer: has ? pointerText(fixed) : '',
    dataIn: pending.buffer.slice(0, task.dataInMoved),
    buffer: pending.buffer.slice(0, pending.inBytes),
    dataInWanted: task.dataInWanted,
    dataOutWanted: task.dataOutWanted,
    dataOutMoved: task.dataOutMoved,
    residualIn: task.dataIn.bytes - task.dataInWanted,
    residualOut: task.dataOut.bytes - task.dataOutWanted,
    managementOutcome: task.managementOutcome,
    managementInformation: task.managementInformation,
  };
}
