/** Mode pages of a logical unit: default, changeable, current and saved values, and what the core reads from them (SPC-4 7.5). */
import { assert } from '../assert.ts';
import type { ParameterStore } from './contracts.ts';
import {
  DEXCPT,
  EWASC,
  EXCEPTIONS_PAGE,
  EXCEPTIONS_PAGE_BYTES,
  FLAGS_BYTE,
  INTERVAL_TIMER,
  impossibleIn,
  MRIE,
  MRIE_BYTE,
  REPORT_COUNT,
  TEST,
} from './informational-exceptions.ts';
import type { LogicalUnit } from './logical-unit.ts';
import { POWER_PAGE, POWER_PAGE_BYTES, QUIET_CONDITIONS } from './power-condition.ts';
import type { Task } from './task.ts';

/** PAGE CONTROL of MODE SENSE. */
export const CURRENT_VALUES = 0;
export const CHANGEABLE_VALUES = 1;
export const DEFAULT_VALUES = 2;
export const SAVED_VALUES = 3;

/** One page as bytes, header included, PS zero. */
export interface ModePage {
  readonly name: string;
  readonly defaults: Uint8Array;
  /** Ones where MODE SELECT may change a bit; the header too holds zeros. */
  readonly changeable: Uint8Array;
  /** Offset of the first byte with a reserved value among the page's changeable fields, or -1. */
  readonly reserved?: (page: Uint8Array) => number;
  /** A page that tells how things are, of any length: the whole page as it is now. Nothing of it is changeable or saved. */
  readonly live?: (unit: LogicalUnit) => Uint8Array;
  /** Bytes of a longer form that hosts send, too, whose last bytes mean nothing. */
  readonly longBytes?: number;
}

/** A MODE SELECT that waits for another one, with its copied parameter list. */
interface WaitingSelect {
  readonly task: Task;
  readonly list: Uint8Array;
}

/** PARAMETERS SAVEABLE, in the first byte of a page. */
export const PS = 0x80;
export const PAGE_HEADER_BYTES = 2;

const CONTROL = 0x0a;
const CACHING = 0x08;

/** A page of `lengthBytes`, by its bytes that are not zero. */
export function modePage(
  name: string,
  lengthBytes: number,
  defaults: Readonly<Record<number, number>>,
  changeable: Readonly<Record<number, number>> = {},
): ModePage {
  const values = new Uint8Array(lengthBytes);
  const mask = new Uint8Array(lengthBytes);
  for (const [at, value] of Object.entries(defaults)) values[Number(at)] = value;
  for (const [at, value] of Object.entries(changeable)) mask[Number(at)] = value;
  values[1] = lengthBytes - PAGE_HEADER_BYTES;
  return { name, defaults: values, changeable: mask };
}

/** All bits of `bytes` bytes from `at` on. */
export function allOnes(at: number, bytes: number): Record<number, number> {
  return Object.fromEntries(Array.from({ length: bytes }, (_, i) => [at + i, 0xff]));
}

const ERROR_RECOVERY = 0x01;
const AWRE = 0x80;
const PER = 0x04;
/**
 * Read-Write error recovery (SBC-3 6.5.8): the store replaces bad places by itself (AWRE), and no error is recovered that anybody
 * could be told of; PER is about informational exceptions (MRIE 3h).
 */
const READ_WRITE_ERROR_RECOVERY = modePage(
  'Read-Write error recovery',
  12,
  { 0: ERROR_RECOVERY, 2: AWRE },
  { 2: PER },
);

const WCE = 0x04;
/** Caching (SBC-3 6.5.5): WCE; reads always use the cache (RCD = 0). */
function caching(writeCacheEnabled: boolean): ModePage {
  return modePage('Caching', 20, { 0: CACHING, 2: writeCacheEnabled ? WCE : 0 }, { 2: WCE });
}

const TST_PER_NEXUS = 0x20;
const D_SENSE = 0x04;
const GLTSD = 0x02;
const QUEUE_BYTE = 3;
const UNRESTRICTED_REORDERING = 0x10;
const NUAR = 0x08;
const QERR = 0x06;
const DEVICE_BYTE = 4;
const UA_INTLCK_CTRL = 0x30;
const SWP = 0x08;
const ABORT_BYTE = 5;
const TAS = 0x40;
const ATO = 0x80;

/** Control page fields as numbers. */
const qerrOf = (page: Uint8Array): number => ((page[QUEUE_BYTE] as number) & QERR) >> 1;
const interlockOf = (page: Uint8Array): number =>
  ((page[DEVICE_BYTE] as number) & UA_INTLCK_CTRL) >> 4;

function reservedInControl(page: Uint8Array): number {
  if (qerrOf(page) === 0b10) return QUEUE_BYTE;
  return interlockOf(page) === 0b01 ? DEVICE_BYTE : -1;
}

/**
 * Control (SPC-4 7.5.8). Defaults: one task set (TST 000b), restricted reordering, other commands live on after a CHECK
 * CONDITION (QERR 00b), a reported unit attention is cleared, TASK ABORTED status on, BUSY TIMEOUT PERIOD 30 s;
 * how long an extended self-test takes is in VPD page 86h (FFFFh).
 */
const CONTROL_PAGE: ModePage = {
  ...modePage(
    'Control',
    12,
    { 0: CONTROL, 2: GLTSD, [ABORT_BYTE]: TAS, 8: 0x01, 9: 0x2c, 10: 0xff, 11: 0xff },
    {
      2: TST_PER_NEXUS | D_SENSE,
      [QUEUE_BYTE]: UNRESTRICTED_REORDERING | NUAR | QERR,
      [DEVICE_BYTE]: UA_INTLCK_CTRL | SWP,
      [ABORT_BYTE]: TAS,
    },
  ),
  reserved: reservedInControl,
};

/** `values` with the bits `mask` of byte `at` set to `bits`. */
function withBits(values: Uint8Array, at: number, mask: number, bits: number): Uint8Array {
  return values.map((value, i) => (i === at ? (value & ~mask) | bits : value));
}

/**
 * With protection information application tags are the initiator's, none is ever changed (ATO = 1). Where logs can be saved they
 * are, unless GLTSD forbids it.
 */
function controlPage(protection: boolean, savesLogs: boolean): ModePage {
  const { defaults, changeable } = CONTROL_PAGE;
  const tags = protection ? withBits(defaults, ABORT_BYTE, ATO, ATO) : defaults;
  if (!savesLogs) return { ...CONTROL_PAGE, defaults: tags };
  return {
    ...CONTROL_PAGE,
    defaults: withBits(tags, 2, GLTSD, 0),
    changeable: withBits(changeable, 2, GLTSD, GLTSD),
  };
}

/** Informational exceptions control (SPC-4 7.5.11): at first none are reported. */
const INFORMATIONAL_EXCEPTIONS: ModePage = {
  ...modePage(
    'Informational exceptions control',
    EXCEPTIONS_PAGE_BYTES,
    { 0: EXCEPTIONS_PAGE, [FLAGS_BYTE]: DEXCPT },
    {
      [FLAGS_BYTE]: EWASC | DEXCPT | TEST,
      [MRIE_BYTE]: MRIE,
      ...allOnes(INTERVAL_TIMER, 4),
      ...allOnes(REPORT_COUNT, 4),
    },
  ),
  reserved: impossibleIn,
};

function powerTimers(): Record<number, number> {
  const mask: Record<number, number> = {};
  for (const { enableByte, enable, timer } of QUIET_CONDITIONS) {
    mask[enableByte] = (mask[enableByte] ?? 0) | enable;
    Object.assign(mask, allOnes(timer, 4));
  }
  return mask;
}

/** Power Condition (SPC-4 7.5.13): a timer of each condition, off at first. */
const POWER_CONDITIONS = modePage(
  'Power condition',
  POWER_PAGE_BYTES,
  { 0: POWER_PAGE },
  powerTimers(),
);

export interface DiskModePagesOptions {
  /** Default of WCE; on unless said otherwise. */
  readonly writeCacheEnabled?: boolean;
  /** Its blocks have protection information. */
  readonly protection?: boolean;
  /** Its logs can be saved. */
  readonly savesLogs?: boolean;
  /** Where saved values go; without one nothing is savable. */
  readonly parameters?: ParameterStore | null;
}

function diskPages(
  writeCacheEnabled: boolean,
  protection: boolean,
  savesLogs: boolean,
): readonly ModePage[] {
  return [
    READ_WRITE_ERROR_RECOVERY,
    caching(writeCacheEnabled),
    controlPage(protection, savesLogs),
    POWER_CONDITIONS,
    INFORMATIONAL_EXCEPTIONS,
  ];
}

/** The mode pages of a disk: 01h, 08h, 0Ah, 1Ah, 1Ch. */
export function diskModePages(options: DiskModePagesOptions = {}): ModePages {
  const { parameters = null, writeCacheEnabled = true, protection = false } = options;
  const pages = diskPages(writeCacheEnabled, protection, options.savesLogs === true);
  return new ModePages(parameters, pages);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export class ModePages {
  /** Where saved values go, or null when nothing is savable. */
  readonly parameters: ParameterStore | null;
  /** Page code → where the page starts in the arrays of values. */
  readonly #start = new Map<number, number>();
  readonly #pages: readonly ModePage[];
  readonly #defaults: Uint8Array;
  readonly #changeable: Uint8Array;
  #current: Uint8Array;
  #saved: Uint8Array;
  #unit: LogicalUnit | null = null;
  /** A MODE SELECT is under way: the values it proposes, and those that wait behind it. */
  #selecting = false;
  #draining = false;
  #proposed: Uint8Array;
  readonly #waiting: WaitingSelect[] = [];

  /** `pages` in ascending order of page code, none with subpages; those of a disk unless said otherwise. */
  constructor(
    parameters: ParameterStore | null,
    pages: readonly ModePage[] = diskPages(true, false, false),
  ) {
    this.parameters = parameters;
    this.#pages = pages;
    let at = 0;
    for (const { defaults, changeable } of pages) {
      assert(defaults.length === changeable.length, 'a mode page and its mask have one length');
      this.#start.set(defaults[0] as number, at);
      at += defaults.length;
    }
    this.#defaults = concatenate(pages.map((each) => each.defaults));
    this.#changeable = concatenate(pages.map((each) => each.changeable));
    this.#current = this.#defaults.slice();
    this.#saved = this.#defaults.slice();
    this.#proposed = this.#current;
  }

  /** Called once by the logical unit these pages belong to: from now on its fields follow the values. */
  attach(unit: LogicalUnit): void {
    assert(this.#unit === null, 'mode pages belong to one logical unit');
    this.#unit = unit;
    this.#act();
  }

  get codes(): number[] {
    return [...this.#start.keys()];
  }

  has(code: number): boolean {
    return this.#start.has(code);
  }

  /** Bytes of a page, header included. */
  bytesOf(code: number): number {
    return this.#live(code)?.length ?? this.#keptBytesOf(code);
  }

  #keptBytesOf(code: number): number {
    return PAGE_HEADER_BYTES + (this.#defaults[this.#startOf(code) + 1] as number);
  }

  /** A page that tells how things are; null: it is another, or belongs to nobody yet. */
  #live(code: number): Uint8Array | null {
    const { live } = this.#pageOf(code) ?? {};
    return live === undefined || this.#unit === null ? null : live(this.#unit);
  }

  #pageOf(code: number): ModePage | undefined {
    return this.#pages.find(({ defaults }) => defaults[0] === code);
  }

  /** Bytes of the page as a host may send it that gives `pageLength` (PAGE LENGTH), or 0: there is no such form. */
  sentBytes(code: number, pageLength: number): number {
    const bytes = PAGE_HEADER_BYTES + pageLength;
    if (bytes === this.bytesOf(code)) return bytes;
    return bytes === this.#pageOf(code)?.longBytes ? bytes : 0;
  }

  /** A page as MODE SENSE returns it, for one PAGE CONTROL. */
  sense(code: number, control: number): Uint8Array {
    const start = this.#startOf(code);
    const live = this.#live(code);
    const bytes = live ?? this.#values(control).slice(start, start + this.#keptBytesOf(code));
    if (live !== null && control === CHANGEABLE_VALUES) live.fill(0, PAGE_HEADER_BYTES);
    bytes[0] = code | (this.parameters === null || live !== null ? 0 : PS);
    bytes[1] = bytes.length - PAGE_HEADER_BYTES;
    return bytes;
  }

  /** All current values, for a MODE SELECT to try its changes on. */
  draft(): Uint8Array {
    return this.#current.slice();
  }

  /**
   * Writes the page at `list[at]` into `draft`. Returns the offset in the page of the first byte that would change a bit
   * that is not changeable, or else of one that would hold a reserved value, or -1.
   */
  propose(draft: Uint8Array, code: number, list: Uint8Array, at: number): number {
    const start = this.#startOf(code);
    const live = this.#live(code);
    if (live !== null) {
      return live.findIndex((value, i) => i >= PAGE_HEADER_BYTES && value !== list[at + i]);
    }
    for (let i = PAGE_HEADER_BYTES; i < this.#keptBytesOf(code); i += 1) {
      const value = list[at + i] as number;
      const fixed = ~(this.#changeable[start + i] as number);
      if (((value ^ (draft[start + i] as number)) & fixed) !== 0) return i;
      draft[start + i] = value;
    }
    return this.#reserved(code, draft);
  }

  #reserved(code: number, values: Uint8Array): number {
    const { reserved } = this.#pageOf(code) ?? {};
    const start = this.#startOf(code);
    return reserved?.(values.subarray(start, start + this.#keptBytesOf(code))) ?? -1;
  }

  /** Whether `draft` turns the write cache off, which must not leave acknowledged data behind in it. */
  disablesWriteCache(draft: Uint8Array): boolean {
    return this.#bit(this.#current, CACHING, 2, WCE) && !this.#bit(draft, CACHING, 2, WCE);
  }

  /** One MODE SELECT at a time: true when `task` may go on, false when a later `leave` will run it. */
  enter(task: Task, list: Uint8Array): boolean {
    if (this.#selecting) {
      this.#waiting.push({ task, list });
      return false;
    }
    this.#selecting = true;
    return true;
  }

  /**
   * The MODE SELECT under way has ended: runs those that waited, one after the other, until one has to wait for a store.
   * Those that end at once come back here; the loop goes on without growing the stack.
   */
  leave(run: (task: Task, list: Uint8Array) => void): void {
    this.#selecting = false;
    if (this.#draining) return;
    this.#draining = true;
    while (!this.#selecting) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#selecting = true;
      run(next.task, next.list);
    }
    this.#draining = false;
  }

  /** What the MODE SELECT under way will commit. */
  get proposed(): Uint8Array {
    return this.#proposed;
  }

  set proposed(draft: Uint8Array) {
    this.#proposed = draft;
  }

  /** Makes the proposed values current, and saved ones if `save`. Returns whether a current value changed. */
  commit(save: boolean): boolean {
    const changed = !equal(this.#current, this.#proposed);
    this.#current = this.#proposed.slice();
    if (save) this.#saved = this.#proposed.slice();
    this.#act();
    return changed;
  }

  /** Logical unit reset: current values become the saved ones, or the defaults where nothing was saved. */
  reset(): void {
    this.#current = this.#saved.slice();
    this.#act();
  }

  /** The current values of a page, if there is one, become the saved ones, or the defaults. */
  renew(code: number): void {
    if (!this.has(code)) return;
    const start = this.#startOf(code);
    const saved = this.#saved.subarray(start, start + this.#keptBytesOf(code));
    this.#current = this.#current.slice();
    this.#current.set(saved, start);
    this.#act();
  }

  /**
   * Takes over values that `ParameterStore.save` got in an earlier life, as saved and current values; a page that was not there
   * then has its defaults. False, with nothing changed, when they are of another layout.
   */
  load(bytes: Uint8Array): boolean {
    const values = this.#place(bytes);
    if (values === null) return false;
    for (let i = 0; i < values.length; i += 1) {
      const fixed = ~(this.#changeable[i] as number);
      if ((((values[i] as number) ^ (this.#defaults[i] as number)) & fixed) !== 0) return false;
    }
    if (this.codes.some((code) => this.#reserved(code, values) >= 0)) return false;
    this.#saved = values;
    this.reset();
    return true;
  }

  /** All values with the pages that `bytes` has, each where it belongs; null when one is not known so. */
  #place(bytes: Uint8Array): Uint8Array | null {
    const values = this.#defaults.slice();
    let at = 0;
    let last = -1;
    while (at < bytes.length) {
      const code = bytes[at] as number;
      if (!this.has(code) || code <= last) return null;
      last = code;
      const end = at + this.#keptBytesOf(code);
      if (end > bytes.length) return null;
      values.set(bytes.subarray(at, end), this.#startOf(code));
      at = end;
    }
    return last < 0 ? null : values;
  }

  #startOf(code: number): number {
    const start = this.#start.get(code);
    assert(start !== undefined, 'a mode page that is asked for exists');
    return start;
  }

  #values(control: number): Uint8Array {
    if (control === CHANGEABLE_VALUES) return this.#changeable;
    if (control === DEFAULT_VALUES) return this.#defaults;
    return control === SAVED_VALUES ? this.#saved : this.#current;
  }

  #bit(values: Uint8Array, code: number, byte: number, mask: number): boolean {
    const start = this.#start.get(code);
    return start !== undefined && ((values[start + byte] as number) & mask) !== 0;
  }

  /** Keeps true what the core reads on its hot path. */
  #act(): void {
    const unit = this.#unit;
    if (unit === null) return;
    const values = this.#current;
    unit.reportsRecoveredErrors = this.#bit(values, ERROR_RECOVERY, 2, PER);
    unit.writeCacheEnabled = this.#bit(values, CACHING, 2, WCE);
    const power = this.#start.get(POWER_PAGE);
    if (power !== undefined)
      unit.power.configure(values.subarray(power, power + this.bytesOf(POWER_PAGE)));
    const exceptions = this.#start.get(EXCEPTIONS_PAGE);
    if (exceptions !== undefined) {
      unit.exceptions.configure(values.slice(exceptions, exceptions + EXCEPTIONS_PAGE_BYTES));
    }
    const control = this.#start.get(CONTROL);
    // Optical drives have none: they keep what a unit has at first.
    if (control === undefined) return;
    unit.descriptorSense = this.#bit(values, CONTROL, 2, D_SENSE);
    unit.softwareWriteProtect = this.#bit(values, CONTROL, DEVICE_BYTE, SWP);
    unit.logSaveDisabled = this.#bit(values, CONTROL, 2, GLTSD);
    unit.taskAbortedStatus = this.#bit(values, CONTROL, ABORT_BYTE, TAS);
    unit.taskSetPerNexus = this.#bit(values, CONTROL, 2, TST_PER_NEXUS);
    unit.reordersFreely = this.#bit(values, CONTROL, QUEUE_BYTE, UNRESTRICTED_REORDERING);
    unit.noAttentionOnRelease = this.#bit(values, CONTROL, QUEUE_BYTE, NUAR);
    unit.queueErrorManagement = qerrOf(values.subarray(control));
    unit.attentionInterlock = interlockOf(values.subarray(control));
  }
}
