/** Serves the management datagrams of one channel: who is there, capabilities, fast fail, parked buffers, error logs (LoPAR), media requests. */
import { Buffer } from 'node:buffer';
import { decodeLun } from '../../scsi/lun.ts';
import { FIXED } from '../../scsi/media-request.ts';
import type { Nexus } from '../../scsi/nexus.ts';
import type { MemoryRegion } from '../memory.ts';
import {
  ADAPTER_INFO,
  type AdapterInfo,
  BUFFER_MAD,
  CAPABILITIES,
  CAPABILITIES_SHORT_BYTES,
  decodeAdapterInfo,
  ERROR_LOG,
  ERROR_LOG_ASCII,
  encodeAdapterInfo,
  fieldText,
  MAD_ADAPTER_INFO,
  MAD_CAPABILITIES,
  MAD_EMPTY_IU,
  MAD_ENABLE_FAST_FAIL,
  MAD_ERROR_LOGGING,
  MAD_FAILED,
  MAD_HEADER,
  MAD_MEDIA_REQUEST,
  MAD_NOT_SUPPORTED,
  MAD_SUCCESS,
  MAD_VERSION,
  MEDIA_REQUEST,
  MEDIA_REQUESTS,
  OS_LINUX,
  SRP_VERSION,
  writeMediaReply,
} from './mad-codec.ts';
import type { SrpSession } from './session.ts';

/** The datagram keeps its buffer; it is answered when a target request is put there. */
export const MAD_HELD = -1;

/** Most buffers an initiator can park. */
const MAX_PARKED = 8;
/** A parked buffer takes T_LOGOUT at least. */
const MIN_PARKED_BYTES = 16;
/** Free text of one ERROR_LOGGING that is logged. */
const MAX_LOGGED_BYTES = 1024;

/** A buffer from EMPTY_IU. `length` bytes at `at` of the first region; the tag goes into the element that answers it. */
export interface ParkedBuffer {
  readonly at: number;
  readonly length: number;
  readonly tagHigh: number;
  readonly tagLow: number;
}

export interface MadOptions {
  readonly region: MemoryRegion;
  readonly session: SrpSession;
  readonly maxTransferBytes: number;
  readonly log: (text: string) => void;
}

/** Datagrams are rare and their memory is copied before it is looked at, but nothing here minds allocating. */
export class MadServer {
  readonly #region: MemoryRegion;
  readonly #shared: Buffer;
  readonly #options: MadOptions;
  readonly #parked: ParkedBuffer[] = [];
  /** Tag of the datagram handled last. */
  tagHigh = 0;
  tagLow = 0;
  /** ENABLE_FAST_FAIL was accepted. */
  fastFail = false;
  /** What the client said about itself, or null. */
  client: AdapterInfo | null = null;

  constructor(options: MadOptions) {
    this.#options = options;
    this.#region = options.region;
    const { view } = options.region;
    this.#shared = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  }

  /** Buffers parked now. */
  get parked(): number {
    return this.#parked.length;
  }

  /** Whether the client says it runs Linux. */
  get isLinux(): boolean {
    return this.client?.osType === OS_LINUX;
  }

  /** A new initialization: nothing said before counts. */
  reset(): void {
    this.#parked.length = 0;
    this.fastFail = false;
    this.client = null;
  }

  /**
   * Serves the datagram of `length` bytes (at least its header) at `at`, both checked. Writes the status into it and
   * returns it, or MAD_HELD. `nexus`: who is logged in.
   */
  handle(at: number, length: number, nexus: Nexus | null): number {
    const copy = Buffer.alloc(BUFFER_MAD.size);
    this.#shared.copy(copy, 0, at, at + Math.min(length, BUFFER_MAD.size));
    const header = MAD_HEADER.layout.decode(copy);
    this.tagHigh = header.tagHigh;
    this.tagLow = header.tagLow;
    const buffer = length < BUFFER_MAD.size ? -1 : this.#bufferOf(copy);
    const status = this.#serve(header.type, buffer, header.length, nexus);
    if (status !== MAD_HELD) this.#shared.writeUInt16BE(status, at + MAD_HEADER.at.status);
    return status;
  }

  /** Takes a parked buffer of at least `bytes`, or null. */
  take(bytes: number): ParkedBuffer | null {
    const index = this.#parked.findIndex((parked) => parked.length >= bytes);
    if (index < 0) return null;
    return this.#parked.splice(index, 1)[0] ?? null;
  }

  /** Offset of the buffer a datagram points to; -1 when it does not lie in the first region. */
  #bufferOf(copy: Buffer): number {
    const mad = BUFFER_MAD.layout.decode(copy);
    if (mad.addressHigh !== 0 || mad.addressLow + mad.length > this.#region.bytes) return -1;
    return mad.addressLow;
  }

  #serve(type: number, buffer: number, length: number, nexus: Nexus | null): number {
    switch (type) {
      case MAD_EMPTY_IU:
        return buffer < 0 ? MAD_FAILED : this.#park(buffer, length);
      case MAD_ADAPTER_INFO:
        return buffer < 0 ? MAD_FAILED : this.#adapterInfo(buffer, length);
      case MAD_CAPABILITIES:
        return buffer < 0 ? MAD_FAILED : this.#capabilities(buffer, length);
      case MAD_ERROR_LOGGING:
        return buffer < 0 ? MAD_FAILED : this.#errorLogging(buffer, length);
      case MAD_MEDIA_REQUEST:
        return buffer < 0 || nexus === null
          ? MAD_FAILED
          : this.#mediaRequest(buffer, length, nexus);
      case MAD_ENABLE_FAST_FAIL:
        if (nexus !== null) return MAD_FAILED;
        this.fastFail = true;
        return MAD_SUCCESS;
      default:
        return MAD_NOT_SUPPORTED;
    }
  }

  #park(at: number, length: number): number {
    if (length < MIN_PARKED_BYTES || this.#parked.length === MAX_PARKED) return MAD_FAILED;
    this.#parked.push({ at, length, tagHigh: this.tagHigh, tagLow: this.tagLow });
    return MAD_HELD;
  }

  #copy(at: number, length: number): Buffer {
    return Buffer.from(this.#shared.subarray(at, at + length));
  }

  #adapterInfo(at: number, length: number): number {
    if (length < ADAPTER_INFO.size) return MAD_FAILED;
    this.client = decodeAdapterInfo(this.#copy(at, ADAPTER_INFO.size));
    const { session, maxTransferBytes } = this.#options;
    const own = encodeAdapterInfo({
      srpVersion: SRP_VERSION,
      partitionName: session.target.name,
      partitionNumber: 1,
      madVersion: MAD_VERSION,
      osType: OS_LINUX,
      maxTransferBytes,
    });
    own.copy(this.#shared, at);
    return MAD_SUCCESS;
  }

  /** Neither migration nor the re-establishing of reservations is offered: server_support says 0 to both. */
  #capabilities(at: number, length: number): number {
    if (length < CAPABILITIES_SHORT_BYTES) return MAD_FAILED;
    this.#shared.writeUInt16BE(0, at + CAPABILITIES.at.migrationSupport);
    if (length >= CAPABILITIES.size) {
      this.#shared.writeUInt16BE(0, at + CAPABILITIES.at.reservationSupport);
    }
    return MAD_SUCCESS;
  }

  /** A LUN without a unit has no medium that could be removed. */
  #mediaRequest(at: number, length: number, nexus: Nexus): number {
    if (length < MEDIA_REQUEST.size) return MAD_FAILED;
    const { session } = this.#options;
    const copy = this.#copy(at, MEDIA_REQUEST.size);
    const { version, request } = MEDIA_REQUEST.layout.decode(copy);
    const asked = MEDIA_REQUESTS[request];
    if (version === 0 || asked === undefined) return MAD_FAILED;
    const view = new DataView(copy.buffer, copy.byteOffset, copy.length);
    const lun = decodeLun(view, MEDIA_REQUEST.at.lun, session.lunPresentation);
    const reply = session.target.unit(lun)?.mediaRequests.serve(nexus, asked);
    writeMediaReply(copy, reply ?? FIXED);
    copy.copy(this.#shared, at);
    return MAD_SUCCESS;
  }

  #errorLogging(at: number, length: number): number {
    if (length < ERROR_LOG.size) return MAD_FAILED;
    const copy = this.#copy(at, Math.min(length, ERROR_LOG.size + MAX_LOGGED_BYTES));
    const entry = ERROR_LOG.layout.decode(copy);
    const rest = copy.subarray(ERROR_LOG.size);
    const detail =
      (entry.flags & ERROR_LOG_ASCII) !== 0 ? fieldText(rest) : `${rest.length} bytes of data`;
    const client = fieldText(entry.clientName);
    const device = fieldText(entry.deviceName);
    this.#options.log(
      `error ${entry.errorId.toString(16)}h of ${client || 'a client'} on ${device || 'a device'}: ${detail}`,
    );
    return MAD_SUCCESS;
  }
}
