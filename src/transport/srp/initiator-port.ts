/** SRP initiator port: one channel's login, command slots, credits and responses, as callbacks (SRP r16a clauses 5 and 6). */
import { assert } from '../../assert.ts';
import {
  ABORT_TASK,
  I_T_NEXUS_RESET,
  QUERY_ASYNCHRONOUS_EVENT,
  QUERY_TASK,
  QUERY_TASK_SET,
} from '../../scsi/sam.ts';
import type { MemoryRegion } from '../memory.ts';
import {
  type Channel,
  CRQ_COMMAND,
  CRQ_INITIALIZATION,
  CRQ_TRANSPORT_EVENT,
  type CrqElement,
  FORMAT_MESSAGE,
  FORMAT_SRP,
  PARTNER_DEREGISTERED,
  PARTNER_FAILED,
  STATUS_PING,
  STATUS_PING_RESPONSE,
  STATUS_SUCCESS,
} from './channel.ts';
import {
  ABORTED,
  ANSWERED,
  GARBLED,
  IN_FLIGHT,
  LOST,
  type Outcome,
  SENSE_ROOM_BYTES,
  type SrpCommand,
  type SrpManagement,
} from './initiator-command.ts';
import { commandIuBytes, encodeCommand, encodeManagement } from './initiator-encoder.ts';
import { InitiatorLogin } from './initiator-login.ts';
import {
  BARE_IU,
  DIOVER,
  DIUNDER,
  DOOVER,
  DOUNDER,
  LOGIN_REQ,
  MAX_TI_IU_BYTES,
  RESPONSE_DATA_BYTES,
  RSP,
  RSPVALID,
  SNSVALID,
  SRP_I_LOGOUT,
  SRP_RSP,
} from './iu.ts';

/** Slots beside the commands: task management, one for login, MADs and logout, one for answers, parked EMPTY_IUs. */
export const MANAGEMENT_SLOTS = 2;
export const PARKED_SLOTS = 2;
const OTHER_SLOTS = MANAGEMENT_SLOTS + PARKED_SLOTS + 2;
/** Room for a MAD and its payload: a parked one offers the longest IU of a target. */
export const MIN_SLOT_BYTES: number = 64 + MAX_TI_IU_BYTES;
export const DEFAULT_SLOT_BYTES = 512;
/** Requests of the limit that commands never use, so that task management is always possible. */
const RESERVED_REQUESTS = MANAGEMENT_SLOTS;
const MAX_CHANNELS = 0x7fff;
const { at: AT } = RSP;
/** Functions that end no command. */
const QUERIES: ReadonlySet<number> = new Set([
  QUERY_TASK,
  QUERY_TASK_SET,
  QUERY_ASYNCHRONOUS_EVENT,
]);

export interface InitiatorPortEvents {
  /** Logged in: commands may be submitted. */
  onOpen(port: SrpInitiatorPort): void;
  /** Not logged in: the reason of the LOGIN_REJ, or 0 with a text. */
  onRefused(port: SrpInitiatorPort, reason: number, text: string): void;
  /** The channel is of no more use; everything outstanding has ended with LOST. */
  onLost(port: SrpInitiatorPort, text: string): void;
  /** SRP_AER_REQ: 8-byte LUN and sense data, valid during the call. */
  onAsynchronousEvent(port: SrpInitiatorPort, lun: Uint8Array, sense: Uint8Array): void;
  /** The target answered a PING: it has handled everything that was sent before it. */
  onPong?(port: SrpInitiatorPort): void;
}

export interface InitiatorPortOptions {
  /** First byte of the IU buffers in the first region; `initiatorPortBytes(options)` bytes belong to the port. */
  readonly iuOffset: number;
  /** Commands that can be outstanding. */
  readonly commands: number;
  /** Bytes of an IU buffer, at least MIN_SLOT_BYTES; what the target answers lands in it, too. */
  readonly slotBytes?: number;
  /** Number of this channel among those of one login, part of every tag. */
  readonly channelIndex?: number;
  /** Port identifiers, 16 bytes each. */
  readonly initiatorPort: Uint8Array;
  readonly targetPort: Uint8Array;
  /** Keep other channels of this I_T pair (MULTI-CHANNEL ACTION 01b). */
  readonly multiChannel?: boolean;
  /** Ask for SRP-2 immediate data. */
  readonly immediateData?: boolean;
  /** Text for the target's operator. */
  readonly name: string;
  readonly events: InitiatorPortEvents;
}

/** Bytes of the first region that a port with these options uses. */
export function initiatorPortBytes(
  commands: number,
  slotBytes: number = DEFAULT_SLOT_BYTES,
): number {
  return (commands + OTHER_SLOTS) * slotBytes;
}

export class SrpInitiatorPort {
  readonly channel: Channel;
  readonly options: InitiatorPortOptions;
  readonly slotBytes: number;
  readonly login: InitiatorLogin;
  /** Responses that matched nothing outstanding. */
  strays = 0;
  readonly #region: MemoryRegion;
  readonly #slots: number;
  readonly #commands: (SrpCommand | null)[];
  readonly #management: (SrpManagement | null)[];
  readonly #generation: Uint32Array;
  readonly #tagBase: number;
  readonly #free: Int32Array;
  #freeCount: number;
  /** REQUEST LIMIT that is left: requests this port may still send. */
  #limit = 0;
  #reserved = 0;
  #open = false;
  #dead = false;
  #pongOwed = false;
  #outstanding = 0;
  #sequence = 0;
  readonly #element: CrqElement = {
    valid: 0,
    format: 0,
    reserved: 0,
    status: 0,
    timeout: 0,
    length: 0,
    high: 0,
    low: 0,
  };

  constructor(channel: Channel, options: InitiatorPortOptions) {
    const slotBytes = options.slotBytes ?? DEFAULT_SLOT_BYTES;
    const region = channel.memory.regions[0] as MemoryRegion;
    const channelIndex = options.channelIndex ?? 0;
    const slots = options.commands + OTHER_SLOTS;
    assert(slotBytes >= MIN_SLOT_BYTES, 'an IU buffer holds what the target answers');
    assert(options.commands > 0 && slots < 0x10000, 'a slot number fits its half of the tag');
    assert(channelIndex <= MAX_CHANNELS, 'a channel number fits its half of the tag');
    assert(
      options.iuOffset + slots * slotBytes <= region.bytes,
      'the IU buffers are in the region',
    );
    this.channel = channel;
    this.options = options;
    this.slotBytes = slotBytes;
    this.#region = region;
    this.#slots = slots;
    this.#tagBase = channelIndex << 16;
    this.#commands = new Array<SrpCommand | null>(options.commands).fill(null);
    this.#management = new Array<SrpManagement | null>(MANAGEMENT_SLOTS).fill(null);
    this.#generation = new Uint32Array(slots).fill(1);
    this.#free = new Int32Array(options.commands);
    for (let i = 0; i < options.commands; i += 1) this.#free[i] = options.commands - 1 - i;
    this.#freeCount = options.commands;
    this.login = new InitiatorLogin(this, region);
  }

  /** Begins the handshake and login; ends in `onOpen`, `onRefused` or `onLost`. Call `flush` afterwards. */
  start(): void {
    this.login.start();
  }

  get open(): boolean {
    return this.#open;
  }
  /** Commands and functions without an answer. */
  get outstanding(): number {
    return this.#outstanding;
  }
  /** Requests the target allows beyond those outstanding. */
  get requestLimit(): number {
    return this.#limit;
  }

  /** Whether `submit` would take a command now. */
  canSubmit(): boolean {
    return this.#open && this.#freeCount > 0 && this.#limit > this.#reserved;
  }

  /**
   * Sends a command whose fields are filled in; it ends by `command.done` from inside `poll`. False when there is no
   * slot, no credit or no room in the queue now: submit it again after the next response.
   */
  submit(command: SrpCommand): boolean {
    if (!this.canSubmit()) return false;
    const { maxIuBytes, immediateOffset } = this.login;
    assert(command.outcome !== IN_FLIGHT, 'a command is submitted once at a time');
    assert(commandIuBytes(command) <= maxIuBytes, 'a command fits the longest IU');
    const slot = this.#free[this.#freeCount - 1] as number;
    const at = this.offsetOf(slot);
    const length = encodeCommand(
      this.#region,
      at,
      command,
      this.#generation[slot] as number,
      this.#tagBase | slot,
      immediateOffset,
      maxIuBytes,
    );
    if (
      !this.channel.send(
        CRQ_COMMAND,
        FORMAT_SRP,
        STATUS_SUCCESS,
        command.timeoutSeconds,
        length,
        0,
        at,
      )
    ) {
      return false;
    }
    this.#freeCount -= 1;
    this.#limit -= 1;
    this.#outstanding += 1;
    this.#sequence += 1;
    command.slot = slot;
    command.sequence = this.#sequence;
    command.outcome = IN_FLIGHT;
    this.#commands[slot] = command;
    return true;
  }

  /** Sends a task management function; it ends by `request.done`. False when none can be sent now. */
  manage(request: SrpManagement): boolean {
    if (!this.#open || this.#limit <= 0) return false;
    const free = this.#management.indexOf(null);
    if (free < 0) return false;
    const slot = this.options.commands + free;
    const at = this.offsetOf(slot);
    const managed = request.managed;
    const managedSlot = managed === null ? -1 : managed.slot;
    const managedHigh = managedSlot < 0 ? 0 : (this.#generation[managedSlot] as number);
    const length = encodeManagement(
      this.#region,
      at,
      request,
      this.#generation[slot] as number,
      this.#tagBase | slot,
      managedHigh,
      managedSlot < 0 ? 0 : this.#tagBase | managedSlot,
    );
    if (!this.channel.send(CRQ_COMMAND, FORMAT_SRP, STATUS_SUCCESS, 0, length, 0, at)) return false;
    this.#limit -= 1;
    this.#outstanding += 1;
    this.#sequence += 1;
    request.sequence = this.#sequence;
    request.managedSequence = managed === null ? 0 : managed.sequence;
    request.outcome = IN_FLIGHT;
    this.#management[free] = request;
    return true;
  }

  /** Handles at most `budget` elements from the target and returns how many. Call `flush` when it was not 0. */
  poll(budget: number): number {
    const element = this.#element;
    let handled = 0;
    while (handled < budget && this.channel.take(element)) {
      handled += 1;
      if (element.valid === CRQ_COMMAND && element.format === FORMAT_SRP) this.#srp(element);
      else this.#other(element);
    }
    if (this.#pongOwed) this.#pong();
    return handled;
  }

  /** Rings the target's doorbell when something was sent and it sleeps. */
  flush(): void {
    this.channel.flush();
  }

  /** SRP_I_LOGOUT: the target ends everything of this channel. No answer is defined; close the channel afterwards. */
  logout(): void {
    if (!this.#open || this.#limit <= 0) return;
    const slot = this.controlSlot;
    const at = this.offsetOf(slot);
    const { view, data } = this.#region;
    view.fill(0, at, at + BARE_IU.size);
    data.setUint8(at + BARE_IU.at.type, SRP_I_LOGOUT);
    this.writeTag(at, slot);
    this.channel.send(CRQ_COMMAND, FORMAT_SRP, STATUS_SUCCESS, 0, BARE_IU.size, 0, at);
    this.channel.flush();
    this.#open = false;
  }

  /** Ends everything outstanding with LOST and tells the owner, once. */
  lose(text: string): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#open = false;
    for (let slot = 0; slot < this.#commands.length; slot += 1) this.#endCommand(slot, LOST);
    for (let i = 0; i < MANAGEMENT_SLOTS; i += 1) this.#endManagement(i, LOST);
    this.options.events.onLost(this, text);
  }

  /** First byte of a slot's IU buffer, an offset in the first region. */
  offsetOf(slot: number): number {
    return this.options.iuOffset + slot * this.slotBytes;
  }
  get controlSlot(): number {
    return this.options.commands + MANAGEMENT_SLOTS;
  }
  get answerSlot(): number {
    return this.controlSlot + 1;
  }
  parkedSlot(i: number): number {
    return this.answerSlot + 1 + i;
  }
  get parkedSlots(): number {
    return PARKED_SLOTS;
  }
  tagLow(slot: number): number {
    return this.#tagBase | slot;
  }
  tagHigh(slot: number): number {
    return this.#generation[slot] as number;
  }

  /** The slot's tag was answered: the next use of the slot has another. */
  renew(slot: number): void {
    this.#generation[slot] = (this.#generation[slot] as number) + 1;
  }

  /** Writes a slot's tag where every SRP IU and MAD has it. */
  writeTag(at: number, slot: number): void {
    this.#region.data.setUint32(at + LOGIN_REQ.at.tagHigh, this.tagHigh(slot));
    this.#region.data.setUint32(at + LOGIN_REQ.at.tagLow, this.tagLow(slot));
  }

  /** For the login: the target granted its first requests. */
  granted(requests: number): void {
    this.#limit = requests;
    this.#reserved = requests > RESERVED_REQUESTS + 1 ? RESERVED_REQUESTS : 0;
    this.#open = true;
    this.options.events.onOpen(this);
  }

  /** REQUEST LIMIT DELTA of an IU from the target, signed. */
  credit(delta: number): void {
    this.#limit += delta | 0;
  }

  #srp(element: CrqElement): void {
    const slot = element.low - this.#tagBase;
    if (!(slot >= 0 && slot < this.#slots && this.#generation[slot] === element.high)) {
      this.strays += 1;
      return;
    }
    if (slot < this.options.commands) this.#commandAnswered(slot, element.length);
    else if (slot < this.controlSlot) this.#managementAnswered(slot, element.length);
    else this.login.srp(slot, element.length);
  }

  #commandAnswered(slot: number, length: number): void {
    const command = this.#commands[slot];
    if (command === null || command === undefined) {
      this.strays += 1;
      return;
    }
    const { data } = this.#region;
    const at = this.offsetOf(slot);
    if (data.getUint8(at + AT.type) !== SRP_RSP || length < RSP.size) {
      this.#endCommand(slot, GARBLED);
      return;
    }
    this.credit(data.getUint32(at + AT.delta));
    const valid = data.getUint8(at + AT.valid);
    command.status = data.getUint8(at + AT.status);
    const out = data.getUint32(at + AT.dataOutResidual);
    const into = data.getUint32(at + AT.dataInResidual);
    command.residualOut = (valid & DOUNDER) !== 0 ? out : (valid & DOOVER) !== 0 ? -out : 0;
    command.residualIn = (valid & DIUNDER) !== 0 ? into : (valid & DIOVER) !== 0 ? -into : 0;
    command.senseBytes = 0;
    const plain = (valid & (RSPVALID | SNSVALID)) === 0;
    this.#endCommand(slot, plain ? ANSWERED : this.#takeSense(command, at, length, valid));
  }

  /** Copies the sense data out of a response, behind its response data (SRP r16a 6.9). */
  #takeSense(command: SrpCommand, at: number, length: number, valid: number): Outcome {
    const { data, view } = this.#region;
    const skip = (valid & RSPVALID) !== 0 ? data.getUint32(at + AT.responseLength) : 0;
    const sense = (valid & SNSVALID) !== 0 ? data.getUint32(at + AT.senseLength) : 0;
    const end = RSP.size + skip + sense;
    if (end > length || end > this.slotBytes || sense > SENSE_ROOM_BYTES) return GARBLED;
    const from = at + RSP.size + skip;
    for (let i = 0; i < sense; i += 1) command.sense[i] = view[from + i] as number;
    command.senseBytes = sense;
    return ANSWERED;
  }

  #managementAnswered(slot: number, length: number): void {
    const i = slot - this.options.commands;
    const request = this.#management[i];
    if (request === null || request === undefined) {
      this.strays += 1;
      return;
    }
    const data = this.#region.data;
    const at = this.offsetOf(slot);
    const whole =
      data.getUint8(at + AT.type) === SRP_RSP &&
      length >= RSP.size + RESPONSE_DATA_BYTES &&
      (data.getUint8(at + AT.valid) & RSPVALID) !== 0 &&
      data.getUint32(at + AT.responseLength) >= RESPONSE_DATA_BYTES;
    if (length >= RSP.size) this.credit(data.getUint32(at + AT.delta));
    const answer = whole ? data.getUint32(at + RSP.size) : 0;
    request.responseCode = whole ? answer & 0xff : -1;
    request.information = answer >>> 8;
    if (whole && request.responseCode === 0) this.#killed(request);
    this.#endManagement(i, whole ? ANSWERED : GARBLED);
  }

  /** The target says no more about the commands a completed function killed, so they end here (SRP r16a 6.7). */
  #killed(request: SrpManagement): void {
    const { managementFunction } = request;
    if (QUERIES.has(managementFunction)) return;
    if (managementFunction === ABORT_TASK) {
      const managed = request.managed;
      if (managed === null || managed.sequence !== request.managedSequence) return;
      if (this.#commands[managed.slot] === managed) this.#endCommand(managed.slot, ABORTED);
      return;
    }
    for (let slot = 0; slot < this.#commands.length; slot += 1) {
      const command = this.#commands[slot];
      if (command === null || command === undefined) continue;
      const concerned = managementFunction === I_T_NEXUS_RESET || sameLun(command.lun, request.lun);
      if (command.sequence < request.sequence && concerned) {
        this.#endCommand(slot, ABORTED);
      }
    }
  }

  #endCommand(slot: number, outcome: Outcome): void {
    const command = this.#commands[slot];
    if (command === null || command === undefined) return;
    this.#commands[slot] = null;
    this.#retire(slot);
    this.#free[this.#freeCount] = slot;
    this.#freeCount += 1;
    command.outcome = outcome;
    command.slot = -1;
    command.done(command);
  }

  #endManagement(i: number, outcome: Outcome): void {
    const request = this.#management[i];
    if (request === null || request === undefined) return;
    this.#management[i] = null;
    this.#retire(this.options.commands + i);
    request.outcome = outcome;
    request.done(request);
  }

  #retire(slot: number): void {
    this.renew(slot);
    this.#outstanding -= 1;
  }

  #other(element: CrqElement): void {
    if (element.valid === CRQ_INITIALIZATION) this.login.initialization(element.format);
    else if (element.valid === CRQ_TRANSPORT_EVENT) this.lose(eventText(element.format));
    else if (element.valid !== CRQ_COMMAND) this.strays += 1;
    else if (element.format === FORMAT_MESSAGE) {
      this.#pongOwed ||= element.status === STATUS_PING || element.reserved === STATUS_PING;
      if (element.status === STATUS_PING_RESPONSE) this.options.events.onPong?.(this);
    } else {
      const slot = element.low - this.#tagBase;
      const known = slot >= this.controlSlot && slot < this.#slots;
      if (known && this.#generation[slot] === element.high) this.login.mad(slot);
      else this.strays += 1;
    }
  }

  #pong(): void {
    this.#pongOwed = !this.channel.send(
      CRQ_COMMAND,
      FORMAT_MESSAGE,
      STATUS_PING_RESPONSE,
      0,
      0,
      0,
      0,
    );
  }
}

function sameLun(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

function eventText(event: number): string {
  if (event === PARTNER_FAILED) return 'the target failed';
  if (event === PARTNER_DEREGISTERED) return 'the target closed the channel';
  return `transport event ${event.toString(16).padStart(2, '0')}h`;
}
