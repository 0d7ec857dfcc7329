/** The reactor's end of a device: requests as struct sg_io_hdr in memory of ours, carried out by the helper thread of the device. */
import { drainEventFd, type Mapping, mapAnonymous, unmap } from '../../libc.ts';
import { MAX_DEVICE_SENSE_BYTES } from '../../scsi/sense.ts';
import type { DeviceLink, DeviceReply, DeviceRequest } from './device.ts';
import { decodeHeader, encodeHeader, type RequestAddresses } from './sg-io.ts';

/** Words that are shared with the helper thread. */
export const REQUEST_WORD = 0;
export const RESULT_WORD = 1;
const WORDS = 2;
/** Byte position of the address of the header, a double. */
const ADDRESS_AT = WORDS * Int32Array.BYTES_PER_ELEMENT;
/** Request number that ends the helper thread. */
export const END = -1;
const NUMBERS = 0x3fffffff;

/** Memory that both threads see. */
export function newSharedWords(): SharedArrayBuffer {
  return new SharedArrayBuffer(ADDRESS_AT + Float64Array.BYTES_PER_ELEMENT);
}
export const wordsOf = (shared: SharedArrayBuffer): Int32Array => new Int32Array(shared, 0, WORDS);
export const addressOf = (shared: SharedArrayBuffer): Float64Array =>
  new Float64Array(shared, ADDRESS_AT, 1);

const CDB_AT = 128;
const SENSE_AT = 256;
const DATA_AT = 4096;

/** Memory for one request at a time. */
export class RequestMemory {
  readonly header: DataView;
  readonly data: Uint8Array;
  readonly address: number;
  readonly #mapping: Mapping;
  readonly #bytes: Uint8Array;
  readonly #sense: Uint8Array;
  readonly #at: RequestAddresses;

  /** Throws SystemError. */
  constructor(dataBytes: number) {
    const mapping = mapAnonymous(DATA_AT + dataBytes);
    const { address } = mapping;
    this.#mapping = mapping;
    this.address = address;
    this.#bytes = new Uint8Array(mapping.buffer);
    this.header = new DataView(mapping.buffer);
    this.#sense = this.#bytes.subarray(SENSE_AT, SENSE_AT + MAX_DEVICE_SENSE_BYTES);
    this.data = this.#bytes.subarray(DATA_AT);
    this.#at = { cdb: address + CDB_AT, sense: address + SENSE_AT, data: address + DATA_AT };
  }

  write(request: DeviceRequest): void {
    this.#bytes.set(request.cdb, CDB_AT);
    this.#sense.fill(0);
    encodeHeader(this.header, request, this.#at);
  }

  read(errno: number): DeviceReply {
    return decodeHeader(this.header, errno, this.#sense);
  }

  /** Nothing of it may be used afterwards. */
  free(): void {
    unmap(this.#mapping);
  }
}

/** What the main thread has opened and started for a device. */
export interface DeviceConnection {
  readonly shared: SharedArrayBuffer;
  /** Rings when a command has ended. */
  readonly doneFd: number;
  /** Longest transfer. */
  readonly limitBytes: number;
}

/** How the reactor waits for descriptors. */
export interface Watcher {
  watch(fd: number, readable: () => void): void;
  unwatch(fd: number): void;
}

export class SgLink implements DeviceLink {
  readonly data: Uint8Array;
  readonly #memory: RequestMemory;
  readonly #words: Int32Array;
  readonly #doneFd: number;
  readonly #watcher: Watcher;
  #number = 0;
  #ended: ((reply: DeviceReply) => void) | null = null;

  /** Throws SystemError. */
  constructor({ shared, doneFd, limitBytes }: DeviceConnection, watcher: Watcher) {
    this.#memory = new RequestMemory(limitBytes);
    this.data = this.#memory.data;
    this.#words = wordsOf(shared);
    addressOf(shared)[0] = this.#memory.address;
    this.#doneFd = doneFd;
    this.#watcher = watcher;
    watcher.watch(doneFd, () => this.#done());
  }

  start(request: DeviceRequest, ended: (reply: DeviceReply) => void): void {
    this.#memory.write(request);
    this.#ended = ended;
    this.#number = (this.#number + 1) & NUMBERS;
    this.#tell(this.#number);
  }

  #tell(number: number): void {
    Atomics.store(this.#words, REQUEST_WORD, number);
    Atomics.notify(this.#words, REQUEST_WORD);
  }

  #done(): void {
    drainEventFd(this.#doneFd);
    const ended = this.#ended;
    if (ended === null) return;
    this.#ended = null;
    ended(this.#memory.read(-Atomics.load(this.#words, RESULT_WORD)));
  }

  close(): void {
    this.#watcher.unwatch(this.#doneFd);
    this.#tell(END);
    this.#memory.free();
  }
}
