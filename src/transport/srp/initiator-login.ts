/**
 * How an initiator port comes up and what the target asks of it afterwards (LoPAR virtual SCSI appendix; SRP r16a 6.3 to 6.6).
 *
 *   IDLE -> INITIALIZING -> ADAPTER_INFO -> CAPABILITIES -> PARKING + LOGIN -> OPEN
 *              C0 01, C0 02     MAD 03          MAD 05       MAD 01 twice, LOGIN_REQ
 */
import { Buffer } from 'node:buffer';
import type { MemoryRegion } from '../memory.ts';
import {
  CRQ_COMMAND,
  CRQ_INITIALIZATION,
  FORMAT_MAD,
  FORMAT_SRP,
  INITIALIZATION_COMPLETE,
  INITIALIZE,
  STATUS_SUCCESS,
} from './channel.ts';
import type { SrpInitiatorPort } from './initiator-port.ts';
import {
  AER_REQ,
  AESOLNT,
  BARE_IU,
  CMD,
  CRED_REQ,
  CRSOLNT,
  FORMAT_DIRECT,
  FORMAT_INDIRECT,
  IMMEDIATE_DATA,
  LOGIN_REJ,
  LOGIN_REQ,
  LOGIN_RSP,
  LOSOLNT,
  MULTI_CHANNEL_MULTIPLE,
  MULTI_CHANNEL_SINGLE,
  REJECT_CHANNEL_LIMIT,
  REJECT_FORMATS,
  REJECT_IU_TOO_LARGE,
  REJECT_NO_MULTI_CHANNEL,
  REJECT_NO_REASON,
  REJECT_NO_RESOURCES,
  REJECT_UNASSOCIABLE,
  SRP_AER_REQ,
  SRP_AER_RSP,
  SRP_CRED_REQ,
  SRP_CRED_RSP,
  SRP_LOGIN_REJ,
  SRP_LOGIN_REQ,
  SRP_LOGIN_RSP,
  SRP_T_LOGOUT,
  T_LOGOUT,
} from './iu.ts';
import {
  ADAPTER_INFO,
  type AdapterInfo,
  BUFFER_MAD,
  CAPABILITIES,
  decodeAdapterInfo,
  EMPTY_IU_MAD,
  encodeAdapterInfo,
  MAD_ADAPTER_INFO,
  MAD_CAPABILITIES,
  MAD_EMPTY_IU,
  MAD_HEADER,
  MAD_SUCCESS,
  MAD_VERSION,
  OS_LINUX,
  SRP_VERSION,
  textField,
} from './mad-codec.ts';

const IDLE = 0;
const INITIALIZING = 1;
const ASKING_ADAPTER_INFO = 2;
const ASKING_CAPABILITIES = 3;
const LOGGING_IN = 4;
const OPEN = 5;
const OVER = 6;

/** Behind the header, one 16-byte additional CDB and the immediate descriptor, as the Linux initiator has it. */
const IMMEDIATE_OFFSET: number = CMD.size + 16 + 4;
/** CAPABILITIES: cap_type and lengths of its two blocks; the list is supported. */
const CAPABILITY_LIST_SUPPORTED = 4;
const CAPABILITY_BYTES = 12;
/** Where in its slot the buffer of a MAD starts. */
const PAYLOAD_AT = 64;

const REASONS: Readonly<Record<number, string>> = {
  [REJECT_NO_REASON]: 'the target gives no reason',
  [REJECT_NO_RESOURCES]: 'the target has no resources for another channel',
  [REJECT_IU_TOO_LARGE]: 'the requested IU length is too large',
  [REJECT_UNASSOCIABLE]:
    'the initiator port identifier is in use by another attachment, or the driver is not welcome',
  [REJECT_FORMATS]: 'a required buffer descriptor format is not supported',
  [REJECT_NO_MULTI_CHANNEL]: 'the target does not support several channels',
  [REJECT_CHANNEL_LIMIT]: 'the initiator has as many channels as the target allows',
};

/** Cold: it allocates freely. The port calls it for everything that is neither a command nor a function. */
export class InitiatorLogin {
  /** What the target said about itself, or null when it would not. */
  adapter: AdapterInfo | null = null;
  /** Whether the target answered CAPABILITIES. */
  capabilities = false;
  /** Longest IU that may be sent. */
  maxIuBytes = 0;
  /** Negotiated IMMEDIATE DATA OFFSET, 0 without. */
  immediateOffset = 0;
  /** MULTI-CHANNEL RESULT of the LOGIN_RSP. */
  multiChannelResult = 0;
  /** Told of the answer to the datagram that is under way after the login. */
  #answered: ((status: number, payload: Buffer) => void) | null = null;
  readonly #port: SrpInitiatorPort;
  readonly #region: MemoryRegion;
  readonly #shared: Buffer;
  #state = IDLE;

  constructor(port: SrpInitiatorPort, region: MemoryRegion) {
    const { view } = region;
    this.#port = port;
    this.#region = region;
    this.#shared = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  }

  start(): void {
    this.#state = INITIALIZING;
    this.#port.channel.send(CRQ_INITIALIZATION, INITIALIZE, 0, 0, 0, 0, 0);
  }

  /** An initialization element has come. */
  initialization(format: number): void {
    if (format === INITIALIZATION_COMPLETE) {
      if (this.#state === INITIALIZING) this.#askAdapterInfo();
    } else if (this.#state === INITIALIZING) {
      this.#port.channel.send(CRQ_INITIALIZATION, INITIALIZATION_COMPLETE, 0, 0, 0, 0, 0);
    } else {
      this.#port.lose('the target initialized the channel again');
    }
  }

  /** A MAD in one of the control slots was answered. */
  mad(slot: number): void {
    const at = this.#port.offsetOf(slot);
    if (slot !== this.#port.controlSlot) {
      this.#request(slot, BUFFER_MAD.size);
      return;
    }
    const { status } = MAD_HEADER.layout.decode(this.#shared, at);
    this.#port.renew(slot);
    if (this.#state === ASKING_ADAPTER_INFO) {
      const payload = this.#shared.subarray(at + PAYLOAD_AT, at + PAYLOAD_AT + ADAPTER_INFO.size);
      this.adapter = status === MAD_SUCCESS ? decodeAdapterInfo(Buffer.from(payload)) : null;
      this.#askCapabilities();
    } else if (this.#state === ASKING_CAPABILITIES) {
      this.capabilities = status === MAD_SUCCESS;
      this.#park();
      this.#logIn();
    } else if (this.#state === OPEN && this.#answered !== null) {
      const answered = this.#answered;
      this.#answered = null;
      answered(status, this.#shared.subarray(at + PAYLOAD_AT, at + this.#port.slotBytes));
    }
  }

  /**
   * Sends a datagram about `payload`, which fits a slot; `answered` gets its status and the payload as the target has left it, valid during the
   * call. False when none can be sent now: one is under way, or nobody is logged in.
   */
  datagram(
    type: number,
    payload: Uint8Array,
    answered: (status: number, payload: Buffer) => void,
  ): boolean {
    if (this.#state !== OPEN || this.#answered !== null) return false;
    const slot = this.#port.controlSlot;
    this.#answered = answered;
    this.#shared.set(payload, this.#port.offsetOf(slot) + PAYLOAD_AT);
    this.#buffered(slot, type, payload.length, BUFFER_MAD.size);
    return true;
  }

  /** An SRP IU came for one of the control slots: an answer to the login, or a request of the target in a parked buffer. */
  srp(slot: number, length: number): void {
    if (slot === this.#port.controlSlot) this.#loginAnswered(slot, length);
    else this.#request(slot, length);
  }

  #sendMad(slot: number, bytes: number): void {
    const at = this.#port.offsetOf(slot);
    this.#port.channel.send(CRQ_COMMAND, FORMAT_MAD, STATUS_SUCCESS, 0, bytes, 0, at);
  }

  #buffered(slot: number, type: number, length: number, madBytes: number): void {
    const at = this.#port.offsetOf(slot);
    this.#shared.fill(0, at, at + PAYLOAD_AT);
    BUFFER_MAD.layout.encode(
      {
        type,
        status: 0,
        length,
        tagHigh: this.#port.tagHigh(slot),
        tagLow: this.#port.tagLow(slot),
        addressHigh: 0,
        addressLow: at + PAYLOAD_AT,
      },
      this.#shared,
      at,
    );
    this.#sendMad(slot, madBytes);
  }

  #askAdapterInfo(): void {
    this.#state = ASKING_ADAPTER_INFO;
    const slot = this.#port.controlSlot;
    encodeAdapterInfo({
      srpVersion: SRP_VERSION,
      partitionName: this.#port.options.name,
      partitionNumber: 0,
      madVersion: MAD_VERSION,
      osType: OS_LINUX,
      maxTransferBytes: 0,
    }).copy(this.#shared, this.#port.offsetOf(slot) + PAYLOAD_AT);
    this.#buffered(slot, MAD_ADAPTER_INFO, ADAPTER_INFO.size, BUFFER_MAD.size);
  }

  #askCapabilities(): void {
    this.#state = ASKING_CAPABILITIES;
    const slot = this.#port.controlSlot;
    const at = this.#port.offsetOf(slot) + PAYLOAD_AT;
    this.#shared.fill(0, at, at + CAPABILITIES.size);
    CAPABILITIES.layout.encode(
      {
        flags: CAPABILITY_LIST_SUPPORTED,
        hostName: textField(this.#port.options.name, 32),
        location: Buffer.alloc(32),
        migrationType: 1,
        migrationLength: CAPABILITY_BYTES,
        migrationSupport: 1,
        migrationEcl: 1,
        reservationType: 2,
        reservationLength: CAPABILITY_BYTES,
        reservationSupport: 1,
        reservationKind: 1,
      },
      this.#shared,
      at,
    );
    this.#buffered(slot, MAD_CAPABILITIES, CAPABILITIES.size, BUFFER_MAD.size);
  }

  /** Gives the target buffers to put its own requests in: two, so that one is left for a logout. */
  #park(): void {
    for (let i = 0; i < this.#port.parkedSlots; i += 1) this.#parkSlot(this.#port.parkedSlot(i));
  }

  #parkSlot(slot: number): void {
    const length = this.#port.slotBytes - PAYLOAD_AT;
    this.#buffered(slot, MAD_EMPTY_IU, length, EMPTY_IU_MAD.size);
  }

  #logIn(): void {
    this.#state = LOGGING_IN;
    const { initiatorPort, targetPort, multiChannel, immediateData } = this.#port.options;
    const slot = this.#port.controlSlot;
    const at = this.#port.offsetOf(slot);
    const action = multiChannel === true ? MULTI_CHANNEL_MULTIPLE : MULTI_CHANNEL_SINGLE;
    const immediate = immediateData === true ? IMMEDIATE_DATA : 0;
    this.#shared.fill(0, at, at + LOGIN_REQ.size);
    LOGIN_REQ.layout.encode(
      {
        type: SRP_LOGIN_REQ,
        tagHigh: this.#port.tagHigh(slot),
        tagLow: this.#port.tagLow(slot),
        requestedLength: this.#port.slotBytes,
        reserved: 0,
        formats: FORMAT_DIRECT | FORMAT_INDIRECT,
        flags: LOSOLNT | CRSOLNT | AESOLNT | action | immediate,
        immediateOffset: immediate === 0 ? 0 : IMMEDIATE_OFFSET,
        initiatorPort: Buffer.from(initiatorPort),
        targetPort: Buffer.from(targetPort),
      },
      this.#shared,
      at,
    );
    this.#port.channel.send(CRQ_COMMAND, FORMAT_SRP, STATUS_SUCCESS, 0, LOGIN_REQ.size, 0, at);
  }

  #loginAnswered(slot: number, length: number): void {
    const at = this.#port.offsetOf(slot);
    const type = this.#shared[at];
    this.#port.renew(slot);
    if (this.#state !== LOGGING_IN) return;
    if (type === SRP_LOGIN_REJ && length >= LOGIN_REJ.size) {
      const { reason } = LOGIN_REJ.layout.decode(this.#shared, at);
      const text = REASONS[reason] ?? `reason ${reason.toString(16).padStart(8, '0')}h`;
      this.#refuse(reason, text);
      return;
    }
    if (type !== SRP_LOGIN_RSP || length < LOGIN_RSP.size) {
      this.#refuse(0, 'the target answered the login with something else');
      return;
    }
    const answer = LOGIN_RSP.layout.decode(this.#shared, at);
    this.maxIuBytes = Math.min(answer.maxInitiatorIu, this.#port.slotBytes);
    this.immediateOffset = (answer.flags & IMMEDIATE_DATA) !== 0 ? IMMEDIATE_OFFSET : 0;
    this.multiChannelResult = answer.flags & 3;
    if (answer.delta < 1 || this.maxIuBytes < CMD.size + 16) {
      this.#refuse(0, `the target grants ${answer.delta} requests of ${this.maxIuBytes} bytes`);
      return;
    }
    this.#state = OPEN;
    this.#port.granted(answer.delta);
  }

  #refuse(reason: number, text: string): void {
    this.#state = OVER;
    this.#port.options.events.onRefused(this.#port, reason, text);
  }

  /** A parked buffer came back: with a request of the target in it, or unusable. */
  #request(slot: number, length: number): void {
    const at = this.#port.offsetOf(slot) + PAYLOAD_AT;
    const type = this.#shared[at];
    if (type === SRP_T_LOGOUT) {
      const { reason } = T_LOGOUT.layout.decode(this.#shared, at);
      this.#port.lose(`the target logged this initiator out (reason ${reason})`);
    } else if (type === SRP_CRED_REQ) {
      this.#port.credit(CRED_REQ.layout.decode(this.#shared, at).delta);
      this.#answer(slot, SRP_CRED_RSP);
    } else if (type === SRP_AER_REQ && length >= AER_REQ.size) {
      this.#asynchronousEvent(at, length);
      this.#answer(slot, SRP_AER_RSP);
    }
  }

  #asynchronousEvent(at: number, length: number): void {
    const iu = AER_REQ.layout.decode(this.#shared, at);
    this.#port.credit(iu.delta);
    const sense = Buffer.alloc(Math.min(iu.senseLength, length - AER_REQ.size));
    this.#shared.copy(sense, 0, at + AER_REQ.size);
    this.#port.options.events.onAsynchronousEvent(this.#port, Buffer.from(iu.lun), sense);
  }

  /**
   * Answers with the tag of the request and parks the buffer again. The target sends its next request only when it has
   * taken this answer, so one buffer is enough for all of them.
   */
  #answer(slot: number, type: number): void {
    const at = this.#port.offsetOf(this.#port.answerSlot);
    const { view, data } = this.#region;
    view.fill(0, at, at + BARE_IU.size);
    data.setUint8(at + BARE_IU.at.type, type);
    this.#port.writeTag(at, slot);
    this.#port.channel.send(CRQ_COMMAND, FORMAT_SRP, STATUS_SUCCESS, 0, BARE_IU.size, 0, at);
    this.#port.renew(slot);
    this.#parkSlot(slot);
  }
}
