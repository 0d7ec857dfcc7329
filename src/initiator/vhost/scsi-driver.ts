/** The driver of a SCSI host device (virtio 1.2, 5.6): requests, control requests and events over its virtqueues. */
import { expect } from './back-end-error.ts';
import type { GuestRam } from './guest-ram.ts';
import type { Piece, SplitQueue } from './split-queue.ts';

export const CONTROL = 0;
export const EVENTS = 1;
export const REQUESTS = 2;

const HEADER_BYTES = 51;
export const RESPONSE_BYTES = 108;
const CDB_AT = 19;
const SENSE_AT = 12;
const SENSE_BYTES = 96;
const EVENT_BYTES = 16;
const EVENT_BUFFERS = 8;
const POISON = 0xa5;

/** subtype of task management functions. */
export const ABORT_TASK = 0;
export const ABORT_TASK_SET = 1;
export const CLEAR_ACA = 2;
export const CLEAR_TASK_SET = 3;
export const I_T_NEXUS_RESET = 4;
export const LOGICAL_UNIT_RESET = 5;
export const QUERY_TASK = 6;
export const QUERY_TASK_SET = 7;

export interface DriverRequest {
  /** The LUN field, 8 bytes. */
  readonly lun: readonly number[];
  readonly cdb: Uint8Array;
  readonly attribute?: number;
  readonly priority?: number;
  readonly dataOut?: Uint8Array;
  readonly dataInBytes?: number;
  /** Lengths into which the readable and the writable part are cut; what is left is one piece. */
  readonly readableCuts?: readonly number[];
  readonly writableCuts?: readonly number[];
}

export interface DriverAnswer {
  readonly tag: bigint;
  readonly response: number;
  readonly status: number;
  readonly residual: number;
  readonly sense: Uint8Array;
  /** The whole data-in buffer, poison where nothing was written. */
  readonly dataIn: Uint8Array;
  readonly written: number;
}

export interface DriverEvent {
  readonly event: number;
  readonly lun: readonly number[];
  readonly reason: number;
}

interface Flight {
  readonly tag: bigint;
  readonly readable: Piece;
  readonly writable: Piece;
  readonly dataInBytes: number;
  readonly done: (answer: DriverAnswer) => void;
}

interface ControlFlight {
  readonly readable: Piece;
  readonly writable: Piece;
  readonly done: (answer: Uint8Array) => void;
}

/** LUN field: 01, target, two bytes of SAM LUN in peripheral format below 256 and flat format from there. */
export function lunField(lun: number, target = 0): number[] {
  return [1, target, lun > 255 ? 0x40 | (lun >> 8) : 0, lun & 255, 0, 0, 0, 0];
}

/** The REPORT LUNS well-known logical unit. */
export const REPORT_LUNS_FIELD: readonly number[] = [0xc1, 0x01, 0, 0, 0, 0, 0, 0];

function cut(piece: Piece, cuts: readonly number[]): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const length of [...cuts, piece.length]) {
    const part = Math.min(length, piece.length - at);
    if (part > 0) pieces.push({ address: piece.address + at, length: part });
    at += part;
  }
  return pieces;
}

export class ScsiDriver {
  readonly #ram: GuestRam;
  readonly #queues: readonly SplitQueue[];
  readonly #flights = new Map<string, Flight>();
  readonly #control = new Map<number, ControlFlight>();
  readonly #eventBuffers = new Map<number, Piece>();
  readonly events: DriverEvent[] = [];
  #nextTag = 1n;
  #nextQueue = 0;

  constructor(ram: GuestRam, queues: readonly SplitQueue[]) {
    this.#ram = ram;
    this.#queues = queues;
  }

  /** Requests and control requests with the device. */
  get outstanding(): number {
    return this.#flights.size + this.#control.size;
  }

  /** Sends a command on the next request queue; `done` is called when it comes back. Returns its tag. */
  submit(request: DriverRequest, done: (answer: DriverAnswer) => void): bigint {
    const { dataOut = new Uint8Array(0), dataInBytes = 0 } = request;
    const tag = this.#nextTag;
    this.#nextTag += 1n;
    const header = new Uint8Array(HEADER_BYTES + dataOut.length);
    header.set(request.lun, 0);
    new DataView(header.buffer).setBigUint64(8, tag, true);
    header[16] = request.attribute ?? 0;
    header[17] = request.priority ?? 0;
    header.set(request.cdb, CDB_AT);
    header.set(dataOut, HEADER_BYTES);
    const readable = this.#place(header);
    const writable = this.#place(new Uint8Array(RESPONSE_BYTES + dataInBytes).fill(POISON));
    const index = REQUESTS + (this.#nextQueue % (this.#queues.length - REQUESTS));
    this.#nextQueue += 1;
    const head = this.#queue(index).add(
      cut(readable, request.readableCuts ?? [HEADER_BYTES]),
      cut(writable, request.writableCuts ?? [RESPONSE_BYTES]),
    );
    this.#flights.set(`${index} ${head}`, { tag, readable, writable, dataInBytes, done });
    return tag;
  }

  /** Sends bytes on the control queue and gives `answerBytes` of room. */
  control(bytes: Uint8Array, answerBytes: number, done: (answer: Uint8Array) => void): void {
    const readable = this.#place(bytes);
    const writable = this.#place(new Uint8Array(answerBytes).fill(POISON));
    const head = this.#queue(CONTROL).add([readable], [writable]);
    this.#control.set(head, { readable, writable, done });
  }

  /** A task management function; `done` gets the response byte. */
  manage(
    subtype: number,
    lun: readonly number[],
    tag: bigint,
    done: (response: number) => void,
  ): void {
    const bytes = new Uint8Array(24);
    const view = new DataView(bytes.buffer);
    view.setUint32(4, subtype, true);
    bytes.set(lun, 8);
    view.setBigUint64(16, tag, true);
    this.control(bytes, 1, (answer) => done(answer[0] as number));
  }

  /** AN query (type 1) or subscribe (type 2); `done` gets the actual events and the response. */
  notification(
    type: 1 | 2,
    requested: number,
    done: (actual: number, response: number) => void,
  ): void {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, type, true);
    bytes.set(lunField(0), 4);
    view.setUint32(12, requested, true);
    this.control(bytes, 5, (answer) => {
      done(new DataView(answer.buffer).getUint32(0, true), answer[4] as number);
    });
  }

  /** Gives the device the buffers for events that Linux gives it. */
  postEvents(count = EVENT_BUFFERS): void {
    for (let i = 0; i < count; i += 1) {
      this.#postEvent(this.#place(new Uint8Array(EVENT_BYTES)));
    }
  }

  /** Takes what came back on a queue. Returns how many elements. */
  collect(index: number): number {
    const queue = this.#queue(index);
    let count = 0;
    for (let used = queue.take(); used !== null; used = queue.take()) {
      count += 1;
      if (index === CONTROL) this.#collectControl(used.head, used.written);
      else if (index === EVENTS) this.#collectEvent(used.head, used.written);
      else this.#collectCommand(`${index} ${used.head}`, used.written);
    }
    return count;
  }

  /** Forgets everything, as after a device reset. */
  reset(): void {
    for (const { readable, writable } of [...this.#flights.values(), ...this.#control.values()]) {
      this.#release(readable);
      this.#release(writable);
    }
    for (const piece of this.#eventBuffers.values()) this.#release(piece);
    this.#flights.clear();
    this.#control.clear();
    this.#eventBuffers.clear();
    for (const queue of this.#queues) queue.reset();
  }

  #collectCommand(key: string, written: number): void {
    const flight = this.#flights.get(key);
    expect(flight !== undefined, `uses element ${key}, which is no command`);
    this.#flights.delete(key);
    const bytes = this.#ram.read(flight.writable.address, flight.writable.length);
    const view = new DataView(bytes.buffer);
    this.#release(flight.readable);
    this.#release(flight.writable);
    expect(
      written >= RESPONSE_BYTES && written <= bytes.length,
      `says that it wrote ${written} bytes of ${bytes.length}`,
    );
    const senseLength = view.getUint32(0, true);
    expect(senseLength <= SENSE_BYTES, `sends ${senseLength} bytes of sense`);
    flight.done({
      tag: flight.tag,
      written,
      residual: view.getUint32(4, true),
      status: bytes[10] as number,
      response: bytes[11] as number,
      sense: bytes.slice(SENSE_AT, SENSE_AT + senseLength),
      dataIn: bytes.slice(RESPONSE_BYTES),
    });
  }

  #collectControl(head: number, written: number): void {
    const flight = this.#control.get(head);
    expect(flight !== undefined, `uses element ${head}, which is no control request`);
    this.#control.delete(head);
    expect(written === flight.writable.length, `writes ${written} bytes of a control response`);
    const answer = this.#ram.read(flight.writable.address, written);
    this.#release(flight.readable);
    this.#release(flight.writable);
    flight.done(answer);
  }

  #collectEvent(head: number, written: number): void {
    const piece = this.#eventBuffers.get(head);
    expect(
      piece !== undefined && written === EVENT_BYTES,
      `uses element ${head}, which is no event`,
    );
    this.#eventBuffers.delete(head);
    const bytes = this.#ram.read(piece.address, EVENT_BYTES);
    const view = new DataView(bytes.buffer);
    this.events.push({
      event: view.getUint32(0, true),
      lun: [...bytes.subarray(4, 12)],
      reason: view.getUint32(12, true),
    });
    this.#postEvent(piece);
  }

  #postEvent(piece: Piece): void {
    this.#eventBuffers.set(this.#queue(EVENTS).add([], [piece]), piece);
  }

  #place(bytes: Uint8Array): Piece {
    const address = this.#ram.allocate(bytes.length);
    this.#ram.write(address, bytes);
    return { address, length: bytes.length };
  }

  #release(piece: Piece): void {
    this.#ram.release(piece.address, piece.length);
  }

  #queue(index: number): SplitQueue {
    return this.#queues[index] as SplitQueue;
  }
}
