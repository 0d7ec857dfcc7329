/** A SCSI host device over a guest in the same process: requests by the bytes of virtio 1.2 clause 5.6.6, answers back as fields. */
import { strict as assert } from 'node:assert';
import type { DirtyLog } from '../../../src/transport/vhost/dirty-log.ts';
import { VirtioScsiDevice } from '../../../src/transport/vhost/scsi-device.ts';
import { type DiskOptions, disk, type Testbed } from '../../support/target.ts';
import { type Buffer, Driver, Guest } from './guest.ts';

export const CONTROL = 0;
export const EVENTS = 1;
export const REQUESTS = 2;

const HEADER = 51;
const RESPONSE = 108;
const ARENA = 0x10000;
const ARENA_BYTES = 0x8000;
const IN_AT = 0x3000;
const RESPONSE_AT = 0x6000;
const TABLE_AT = 0x6800;
const POISON = 0xa5;

export interface Command {
  readonly lun?: readonly number[];
  readonly tag?: bigint;
  readonly attribute?: number;
  readonly priority?: number;
  readonly out?: Uint8Array;
  /** Bytes of the data-in buffer. */
  readonly in?: number;
  /** Lengths the readable and the writable part are cut into, from their starts; the rest is one buffer. */
  readonly readableCuts?: readonly number[];
  readonly writableCuts?: readonly number[];
}

export interface Answer {
  readonly used: number;
  readonly senseLength: number;
  readonly residual: number;
  readonly qualifier: number;
  readonly status: number;
  readonly response: number;
  readonly sense: Uint8Array;
  readonly data: Uint8Array;
  /** "key/asc/ascq" of fixed or descriptor sense. */
  readonly code: string;
}

export const lun = (n: number, target = 0): number[] => [
  1,
  target,
  n > 255 ? 0x40 | (n >> 8) : 0,
  n & 255,
  0,
  0,
  0,
  0,
];

function cut(from: number, total: number, cuts: readonly number[], write: boolean): Buffer[] {
  const parts: Buffer[] = [];
  let at = 0;
  for (const length of [...cuts, total]) {
    const part = Math.min(length, total - at);
    if (part > 0) parts.push({ at: from + at, length: part, write });
    at += part;
  }
  return parts;
}

export interface RigOptions {
  readonly disk?: DiskOptions;
  readonly bed?: Testbed;
  readonly log?: DirtyLog;
  readonly eventIndex?: boolean;
  readonly features?: number;
  readonly identity?: string;
  readonly size?: number;
}

export class Rig {
  readonly guest: Guest;
  readonly bed: Testbed;
  readonly device: VirtioScsiDevice;
  readonly drivers: Driver[];
  readonly broken: string[] = [];
  readonly answered = new Map<number, number>();
  readonly #commands = new Map<number, Command>();
  readonly #options: RigOptions;
  #nextHead = 0;
  #nextTag = 1n;

  constructor(options: RigOptions = {}) {
    this.#options = options;
    this.guest = new Guest(2 * 1024 * 1024);
    this.bed = options.bed ?? disk({ blocks: 4096, ...options.disk });
    this.device = new VirtioScsiDevice({
      target: this.bed.target,
      identity: options.identity ?? 'vhost:spec',
      name: 'spec',
      memory: this.guest.memory,
      log: () => undefined,
      broken: (reason) => this.broken.push(reason),
    });
    this.drivers = [];
    this.start(options.features ?? 6);
  }

  /** Sets the rings up from scratch and starts every queue. */
  start(features = 6): void {
    this.device.setFeatures(0, features);
    const { eventIndex = false, log, size = 32 } = this.#options;
    for (const index of [CONTROL, EVENTS, REQUESTS]) {
      const driver = new Driver(this.guest, { at: index * 0x4000, size, eventIndex });
      this.drivers[index] = driver;
      this.device.start(index, driver.device(log === undefined ? {} : { log }));
    }
  }

  driver(index: number): Driver {
    return this.drivers[index] as Driver;
  }

  /** One round: everything that was offered is taken, everything that was answered is noted. */
  turn(): void {
    for (const index of [CONTROL, EVENTS, REQUESTS]) {
      this.device.poll(index, 64);
      this.device.flush(index);
      const driver = this.driver(index);
      for (let one = driver.take(); one !== null; one = driver.take()) {
        this.answered.set(one.id + index * 1000, one.length);
      }
    }
  }

  /** Puts a request into the guest's memory and offers it; `poll` is left to `turn`. Returns its head. */
  offer(cdb: string, command: Command = {}): number {
    const driver = this.driver(REQUESTS);
    const head = this.#nextHead;
    this.#nextHead = (head + 1) % Math.min(32, driver.size);
    const at = ARENA + head * ARENA_BYTES;
    const { view } = this.guest;
    view.fill(POISON, at, at + ARENA_BYTES);
    const header = new Uint8Array(HEADER);
    header.set(command.lun ?? lun(0), 0);
    const tag = command.tag ?? this.#nextTag;
    this.#nextTag += 1n;
    new DataView(header.buffer).setBigUint64(8, tag, true);
    header[16] = command.attribute ?? 0;
    header[17] = command.priority ?? 0;
    header.set(bytesOf(cdb), 19);
    const out = command.out ?? new Uint8Array(0);
    // Header and data-out lie behind each other, and so do response and data-in: cuts may fall anywhere.
    view.set(header, at);
    view.set(out, at + HEADER);
    const readable = cut(at, HEADER + out.length, command.readableCuts ?? [HEADER], false);
    const writable = cut(
      at + IN_AT,
      RESPONSE + (command.in ?? 0),
      command.writableCuts ?? [RESPONSE],
      true,
    );
    assert.ok(HEADER + out.length < IN_AT && RESPONSE + (command.in ?? 0) < RESPONSE_AT - IN_AT);
    driver.indirectChain([...readable, ...writable], at + TABLE_AT, head);
    driver.offer(head);
    this.#commands.set(head, command);
    this.answered.delete(head + REQUESTS * 1000);
    return head;
  }

  /** `offer` by the first head, whatever became of it before. */
  offerAgain(cdb: string, command: Command = {}): number {
    this.#nextHead = 0;
    return this.offer(cdb, command);
  }

  /** Whether a request was answered. */
  done(head: number): boolean {
    return this.answered.has(head + REQUESTS * 1000);
  }

  answer(head: number): Answer {
    const used = this.answered.get(head + REQUESTS * 1000);
    assert.ok(used !== undefined, 'the request was answered');
    const at = ARENA + head * ARENA_BYTES + IN_AT;
    const { data, view } = this.guest;
    const sense = view.slice(at + 12, at + 12 + 96);
    const senseLength = data.getUint32(at, true);
    const fixed = ((sense[0] as number) & 0x7f) === 0x70;
    const triple = fixed ? [sense[2], sense[12], sense[13]] : [sense[1], sense[2], sense[3]];
    return {
      used,
      senseLength,
      residual: data.getUint32(at + 4, true),
      qualifier: data.getUint16(at + 8, true),
      status: view[at + 10] as number,
      response: view[at + 11] as number,
      sense,
      data: view.slice(at + RESPONSE, at + RESPONSE + (this.#commands.get(head)?.in ?? 0)),
      code: senseLength === 0 ? '' : triple.map((n) => (n as number).toString(16)).join('/'),
    };
  }

  /** Sends a request that ends at once. */
  run(cdb: string, command: Command = {}): Answer {
    const head = this.offer(cdb, command);
    this.turn();
    return this.answer(head);
  }

  /** Eats pending unit attentions. */
  clear(): this {
    for (let i = 0; i < 16 && this.run('00 00 00 00 00 00').status === 2; i += 1);
    return this;
  }

  /** Sends bytes to the control queue; `answer` bytes are asked for. Returns its head. */
  control(bytes: readonly number[], answerBytes: number): number {
    const driver = this.driver(CONTROL);
    const head = 2 * (driver.next % 8);
    const at = 0xc000 + head * 64;
    this.guest.view.fill(POISON, at, at + 128);
    this.guest.view.set(bytes, at);
    const buffers: Buffer[] = [{ at, length: bytes.length }];
    if (answerBytes > 0) buffers.push({ at: at + 64, length: answerBytes, write: true });
    driver.chain(buffers, head);
    this.answered.delete(head);
    driver.offer(head);
    return head;
  }

  /** What was written to the answer of a control request, or null while it is not answered. */
  controlAnswer(head: number): Uint8Array | null {
    const used = this.answered.get(head);
    if (used === undefined) return null;
    const at = 0xc000 + head * 64 + 64;
    assert.equal(this.guest.view[at + used], POISON, 'nothing past the used length is written');
    return this.guest.view.slice(at, at + used);
  }

  /** Sends a task management function; returns its head. */
  manage(subtype: number, tag = 0n, where: readonly number[] = lun(0)): number {
    const bytes = new Uint8Array(24);
    const data = new DataView(bytes.buffer);
    data.setUint32(4, subtype, true);
    bytes.set(where, 8);
    data.setBigUint64(16, tag, true);
    return this.control([...bytes], 1);
  }

  end(): void {
    this.device.detach();
    for (const store of this.bed.stores.values()) store.releaseAll();
    assert.equal(this.device.idle(), true);
    this.device.close();
    this.guest.end();
  }
}

function bytesOf(cdb: string): Uint8Array {
  return Uint8Array.from(cdb.split(' '), (byte) => Number.parseInt(byte, 16));
}
