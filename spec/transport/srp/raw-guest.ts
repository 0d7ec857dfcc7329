/** An initiator made of bytes: places IUs in loopback memory, injects CRQ elements, and hands back what the target wrote. */
import { strict as assert } from 'node:assert';
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import type { LunPresentation } from '../../../src/scsi/lun.ts';
import {
  Loopback,
  type LoopbackEnd,
  type LoopbackRegion,
} from '../../../src/transport/loopback.ts';
import { SrpSession } from '../../../src/transport/srp/session.ts';
import { SrpTargetPort } from '../../../src/transport/srp/target-port.ts';
import type { Testbed } from '../../support/target.ts';

export interface Vector {
  readonly id: string;
  readonly name: string;
  readonly hex: string;
}

/** The vectors of the SRP and virtual SCSI fact sheet, all of them. */
export const VECTORS: readonly Vector[] = JSON.parse(
  readFileSync(new URL('../../../../spec/vectors/srp.json', import.meta.url), 'utf8'),
);

export function vector(id: string): Buffer {
  const found = VECTORS.find((v) => v.id === id);
  assert(found, `vector ${id}`);
  return Buffer.from(found.hex, 'hex');
}

/** Bytes of hex text, blanks allowed. */
export function bytes(text: string): Buffer {
  return Buffer.from(text.replace(/\s+/g, ''), 'hex');
}

/** A copy with some bytes replaced: `patched(iu, 8, '00000000 00000a01')`. */
export function patched(source: Uint8Array, ...changes: (number | string)[]): Buffer {
  const copy = Buffer.from(source);
  for (let i = 0; i < changes.length; i += 2) {
    bytes(changes[i + 1] as string).copy(copy, changes[i] as number);
  }
  return copy;
}

export function hex(source: Uint8Array): string {
  return Buffer.from(source).toString('hex');
}

/** An element from the target: its 16 bytes as hex, and a copy of what the tag's memory holds, `length` bytes of it. */
export interface Received {
  readonly element: string;
  readonly iu: Buffer;
}

export interface RawGuestOptions {
  readonly presentation?: LunPresentation;
  readonly regions?: readonly LoopbackRegion[];
  readonly requestLimit?: number;
  readonly slots?: number;
  readonly name?: string;
  readonly queuePairs?: number;
  readonly entries?: number;
  readonly channelLimit?: number;
}

export const IU_AT = 0x10000;
const IU_STEP = 0x400;
const IU_PLACES = 256;

/** Small memory: 4 MiB, handle 0. */
const SMALL: readonly LoopbackRegion[] = [{ handle: 0, bytes: 0x400000 }];

/** Memory in which every address of the vectors exists; sparse. */
export const VECTOR_REGIONS: readonly LoopbackRegion[] = [
  { handle: 0, bytes: 0x30001000 },
  { handle: 0xcafe0001, bytes: 0x10001000 },
  { handle: 0xabcd0001, bytes: 0x30001000 },
];

/** One attachment with its channels. */
export class RawGuest {
  readonly bed: Testbed;
  readonly loopback: Loopback;
  readonly session: SrpSession;
  readonly channels: readonly RawChannel[];
  readonly lines: string[] = [];
  readonly breaks: string[] = [];

  constructor(bed: Testbed, options: RawGuestOptions = {}) {
    this.bed = bed;
    this.loopback = new Loopback({
      regions: options.regions ?? SMALL,
      queuePairs: options.queuePairs ?? 1,
      entries: options.entries ?? 256,
    });
    const { memory } = this.loopback;
    const presentation = options.presentation ?? 'native';
    this.session = new SrpSession({
      name: options.name ?? '',
      memory,
      lunPresentation: presentation,
      target: bed.target,
      ...(options.channelLimit === undefined ? {} : { channelLimit: options.channelLimit }),
    });
    this.channels = this.loopback.pairs.map(
      (pair, i) => new RawChannel(this, pair.initiator, this.#port(pair.target, options), i),
    );
  }

  #port(channel: LoopbackEnd, options: RawGuestOptions): SrpTargetPort {
    return new SrpTargetPort({
      channel,
      target: this.bed.target,
      session: this.session,
      ...(options.requestLimit === undefined ? {} : { requestLimit: options.requestLimit }),
      ...(options.slots === undefined ? {} : { slots: options.slots }),
      log: (text) => this.lines.push(text),
      broken: (reason) => this.breaks.push(reason),
    });
  }

  /** The first channel. */
  get channel(): RawChannel {
    return this.channels[0] as RawChannel;
  }

  /** Bytes of a region. */
  at(offset: number, length: number, handle = 0): Uint8Array {
    const region = this.loopback.memory.find(handle);
    assert(region, `region ${handle.toString(16)}`);
    return region.view.subarray(offset, offset + length);
  }

  put(offset: number, source: Uint8Array, handle = 0): void {
    this.at(offset, source.length, handle).set(source);
  }

  /** Detaches every channel and unmaps. */
  close(): void {
    for (const { port } of this.channels) port.detach();
    if (!this.channels.every(({ port }) => port.idle())) {
      for (const store of this.bed.stores.values()) store.releaseAll();
    }
    for (const { port } of this.channels) port.close();
    this.loopback.close();
  }
}

/** One queue pair seen from the initiator. */
export class RawChannel {
  readonly guest: RawGuest;
  readonly end: LoopbackEnd;
  readonly port: SrpTargetPort;
  readonly #where = new Map<string, number>();
  readonly #base: number;
  #place = 0;

  constructor(guest: RawGuest, end: LoopbackEnd, port: SrpTargetPort, index: number) {
    this.guest = guest;
    this.end = end;
    this.port = port;
    this.#base = IU_AT + index * IU_STEP * IU_PLACES;
  }

  /** Sends 16 bytes as they stand, and lets the target work. */
  element(text: string | Uint8Array): void {
    const b = typeof text === 'string' ? bytes(text) : Buffer.from(text);
    assert.equal(b.length, 16);
    const sent = this.end.inject({
      valid: b.readUInt8(0),
      format: b.readUInt8(1),
      reserved: b.readUInt8(2),
      status: b.readUInt8(3),
      timeout: b.readUInt16BE(4),
      length: b.readUInt16BE(6),
      high: b.readUInt32BE(8),
      low: b.readUInt32BE(12),
    });
    assert(sent, 'the command queue has room');
    this.port.poll(1000);
  }

  /** Places an IU (or a MAD) and announces it; `at` and `length` when they matter. */
  send(iu: Uint8Array, at?: number, length: number = iu.length, format = '01'): void {
    const where = at ?? this.#next();
    this.guest.put(where, iu);
    if (iu.length >= 16) this.#where.set(hex(iu.subarray(8, 16)), where);
    const announced = length.toString(16).padStart(4, '0');
    this.element(
      `80${format}0000 0000${announced} 00000000 ${where.toString(16).padStart(8, '0')}`,
    );
  }

  mad(mad: Uint8Array, at?: number): void {
    this.send(mad, at, mad.length, '02');
  }

  /** Parks a buffer of `length` bytes at `at` under a tag: target requests come there. */
  park(tag: string, at: number, length = 256): void {
    const size = length.toString(16).padStart(4, '0');
    const address = at.toString(16).padStart(8, '0');
    this.mad(bytes(`00000001 0000${size} ${tag} 00000000 ${address} 00000000`));
    this.#where.set(tag.replace(/\s+/g, ''), at);
  }

  /** Everything the target has sent since the last call. */
  received(): Received[] {
    const all: Received[] = [];
    const e = {
      valid: 0,
      format: 0,
      reserved: 0,
      status: 0,
      timeout: 0,
      length: 0,
      high: 0,
      low: 0,
    };
    while (this.end.take(e)) {
      const b = Buffer.alloc(16);
      b.set([e.valid, e.format, e.reserved, e.status]);
      b.writeUInt16BE(e.timeout, 4);
      b.writeUInt16BE(e.length, 6);
      b.writeUInt32BE(e.high, 8);
      b.writeUInt32BE(e.low, 12);
      const where = this.#where.get(hex(b.subarray(8)));
      const iu =
        where === undefined ? Buffer.alloc(0) : Buffer.from(this.guest.at(where, e.length));
      all.push({ element: hex(b), iu });
    }
    return all;
  }

  /** Sends an IU and returns the one answer to it. */
  ask(iu: Uint8Array, at?: number, length?: number): Buffer {
    this.send(iu, at, length);
    const all = this.received();
    assert.equal(all.length, 1, `one answer, not ${all.map((r) => r.element).join(' ')}`);
    return (all[0] as Received).iu;
  }

  initialize(): void {
    this.element(vector('C01'));
    assert.deepEqual(
      this.received().map((r) => r.element),
      [hex(vector('C02'))],
    );
  }

  /** Initializes and logs in with these 64 bytes (V01 unless told); returns the LOGIN_RSP. */
  open(login: Uint8Array = vector('V01')): Buffer {
    this.initialize();
    const answer = this.ask(login);
    assert.equal(answer[0], 0xc0, `logged in: ${hex(answer)}`);
    return answer;
  }

  /** Eats the unit attentions of these logical units (LUN field as 4 hex digits). */
  clear(...luns: string[]): void {
    for (const lun of luns) {
      for (let i = 0; i < 8; i += 1) {
        if (this.ask(command({ lun, tag: `00000000 0000ff0${i}` }))[19] === 0) break;
      }
    }
  }

  #next(): number {
    this.#place = (this.#place + 1) % IU_PLACES;
    return this.#base + this.#place * IU_STEP;
  }
}

export interface CommandOptions {
  readonly tag?: string;
  /** First two bytes of the LUN field. */
  readonly lun?: string;
  readonly cdb?: string;
  /** Byte 5, then the descriptors. */
  readonly formats?: string;
  readonly counts?: string;
  readonly descriptors?: string;
  readonly attribute?: string;
  readonly solicited?: string;
}

/** An SRP_CMD, laid out by hand: TEST UNIT READY unless told. */
export function command(options: CommandOptions = {}): Buffer {
  const cdb = (options.cdb ?? '00').replace(/\s+/g, '').padEnd(32, '0');
  return bytes(
    `02 ${options.solicited ?? '00'} 000000 ${options.formats ?? '00'} ${options.counts ?? '0000'}
     ${options.tag ?? '00000000 00000c99'} 00000000 ${options.lun ?? '0000'} 000000000000
     00 ${options.attribute ?? '00'} 0000 ${cdb} ${options.descriptors ?? ''}`,
  );
}

export interface ManageOptions {
  readonly tag?: string;
  readonly lun?: string;
  readonly managed?: string;
  readonly solicited?: string;
}

/** An SRP_TSK_MGMT, laid out by hand. */
export function manage(code: string, options: ManageOptions = {}): Buffer {
  return bytes(
    `01 ${options.solicited ?? '00'} 000000000000 ${options.tag ?? '00000000 80000099'} 00000000
     ${options.lun ?? '0000'} 000000000000 0000 ${code} 00
     ${options.managed ?? '00000000 00000000'} 00000000 00000000`,
  );
}

/** Status, then key/asc/ascq of fixed format sense if there is any: `02 5/25/00`. */
export function outcome(response: Buffer): string {
  const status = hex(response.subarray(19, 20));
  if (response.readUInt32BE(28) === 0) return status;
  const sense = response.subarray(36 + response.readUInt32BE(32));
  const code = `${((sense[2] as number) & 0xf).toString(16)}/${hex(sense.subarray(12, 13))}/${hex(sense.subarray(13, 14))}`;
  return `${status} ${code}`;
}
